"""`clubsync`: the engine from the shell, without Airflow.

`--json` prints one JSON document on stdout and nothing else; errors go to stderr in plain words.
Exit codes of `sync`: 0 done (also when only part could be read), 3 done with something held, 1 a club
failed; 1 comes before 3, 3 before 0.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import typer
from dotenv import load_dotenv

from clubsync.cli import show
from clubsync.cli.clubs import clubs_app
from clubsync.cli.common import err, open_base, out
from clubsync.cli.connector import connector_app
from clubsync.cli.history import backfill, redo, replay, undo
from clubsync.cli.holds import approve, holds, reject
from clubsync.cli.maintenance import guard_app, upkeep
from clubsync.cli.manual import app_app, base_app, erase
from clubsync.cli.similar import similar
from clubsync.cli.sync import sync
from clubsync.errors import SyncError, place_of
from connectors.sdk.errors import ConnectorError

app = typer.Typer(
    name="clubsync",
    help="Keep the customer base of many clubs in step with the ERP each of them is run on.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
app.add_typer(clubs_app, name="clubs")
app.add_typer(connector_app, name="connector")
app.command()(sync)
COMMANDS = (
    *(show.customers, show.findings, similar, show.why, show.changes),
    *(holds, approve, reject),
    *(undo, redo, replay, backfill, erase, upkeep),
)
for command in COMMANDS:
    app.command()(command)

db_app = typer.Typer(help="The club base's own data base.", no_args_is_help=True)
app.add_typer(base_app, name="base")
app.add_typer(app_app, name="app")
app.add_typer(guard_app, name="guard")
app.add_typer(db_app, name="db")


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the schemas up to date; harmless when they are. (Every command does it when it must.)"""
    with open_base() as base, base.transaction():
        out.print(f"{base.location} is up to date.", highlight=False, soft_wrap=True)


def main() -> None:
    """The entry point: errors that people can act on are sentences, not tracebacks."""
    logging.basicConfig(level=logging.CRITICAL)
    # what `make up` has started: its connections, so that the shell knows them as Airflow does
    started = Path(os.environ.get("CLUBSYNC_VAR") or "var") / "clubsync.env"
    if started.is_file():
        load_dotenv(started, override=False)
    try:
        app()
    except (SyncError, ConnectorError) as error:
        err.print(f"[red]{error.what}[/red] {error.remedy}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except Exception as error:
        # whoever runs this by a scheduler keeps what it prints in a log (R19)
        err.print(
            f"Internal error: {place_of(error)}", highlight=False, markup=False, soft_wrap=True
        )
        raise SystemExit(1) from None
