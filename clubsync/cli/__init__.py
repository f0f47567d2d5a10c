"""`clubsync`: the command line. It runs the engine without Airflow.

`--json` prints one JSON document on stdout and nothing else; errors go to stderr as sentences.
Exit codes of `sync`: 0 done (even if a read was incomplete), 3 done with deactivations held, 1 a club
failed; 1 takes precedence over 3, and 3 over 0.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from dotenv import load_dotenv

from clubsync import permissions
from clubsync.cli import show, terminal
from clubsync.cli.chains import chains
from clubsync.cli.clubs import clubs_app
from clubsync.cli.common import err, open_base, out, print_error, warn_of_login
from clubsync.cli.connector import connector_app
from clubsync.cli.digest import digest
from clubsync.cli.erasures import erase, erasures
from clubsync.cli.feed import feed
from clubsync.cli.history import backfill, redo, replay, undo
from clubsync.cli.holds import approve, holds, reject
from clubsync.cli.maintenance import guard_app, upkeep
from clubsync.cli.manual import app_app, base_app
from clubsync.cli.profile import profile
from clubsync.cli.reused import reused
from clubsync.cli.similar import similar
from clubsync.cli.store import store_app
from clubsync.cli.sync import sync
from clubsync.cli.webhooks import webhooks_app
from clubsync.errors import SyncError, place_of
from connectors.sdk.errors import ConnectorError

app = typer.Typer(
    name="clubsync",
    help="Keep the customer base of many clubs in sync with the ERP that each of them runs on.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
db_app = typer.Typer(help="Migrate clubsync's database.", no_args_is_help=True)

#: The panels of `clubsync --help`, and their commands.
PANELS: dict[str, Sequence[Callable[..., None] | tuple[str, typer.Typer]]] = {
    "Sync": (sync, replay, backfill),
    "Look up": (
        show.customers,
        show.findings,
        show.why,
        show.changes,
        feed,
        similar,
        chains,
        digest,
        profile,
    ),
    "Approve": (holds, approve, reject, reused, ("guard", guard_app)),
    "Correct by hand": (undo, redo, erase, erasures, ("base", base_app), ("app", app_app)),
    "Set up and maintain": (
        ("clubs", clubs_app),
        ("connector", connector_app),
        ("db", db_app),
        ("store", store_app),
        ("webhooks", webhooks_app),
        upkeep,
    ),
}
for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, tuple):
            app.add_typer(command[1], name=command[0], rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(command)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Apply pending database migrations (no-op if none). Other commands do this when needed."""
    with open_base() as base:
        base.upgrade()
        out.say(f"{base.location} is up to date.")
        warn_of_login(base)


def main() -> None:
    """The entry point: prints errors that people can act on as sentences, not as tracebacks."""
    terminal.prepare()
    logging.basicConfig(level=logging.CRITICAL)
    # the connections of what `make up` has started, so that the shell has them as Airflow does
    permissions.private()
    started = Path(os.environ.get("CLUBSYNC_VAR") or "var") / "clubsync.env"
    if started.is_file():
        load_dotenv(started, override=False)
    for sentence in permissions.check():
        err.say((sentence, "yellow"))
    try:
        app()
    except (SyncError, ConnectorError) as error:
        print_error(error.what, error.remedy)
        raise SystemExit(1) from None
    except Exception as error:
        from clubsync.store import trouble

        if (known := trouble.explained(error)) is not None:
            print_error(known.what, f"{known.remedy} (docs/runbooks/{known.runbook}.md)")
            raise SystemExit(1) from None
        # whoever runs this by a scheduler keeps what it prints in a log (R19)
        for line in f"Internal error: {place_of(error)}".splitlines():
            err.say(line)
        raise SystemExit(1) from None
