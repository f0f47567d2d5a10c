"""`clubsync clubs`: the registry, and how each club is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import typer

from clubsync.cli.common import AsJson, ClubId, open_base, out, print_json, table

clubs_app = typer.Typer(
    help="The clubs of clubs.yaml, and how they are.", invoke_without_command=True
)


@clubs_app.callback()
def clubs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the clubs: ERP, cadence, state, last reading, data of the last complete one, customers, findings, holds."""
    if context.invoked_subcommand:
        return
    from clubsync.config import load_config
    from clubsync.operate import freshness
    from clubsync.store.database import queries

    config = load_config()
    with open_base() as base:
        fresh = {one.club.id: one for one in freshness.of_all(base, config)}
        with base.reader() as driver:
            states = {row["club_id"]: row for row in queries().club_overview(driver)}
    rows = []
    for club in config.clubs:
        state: Mapping[str, Any] = states.get(club.id, {})
        broken = [
            kind for kind in freshness.KINDS if club.id in fresh and kind in fresh[club.id].broken
        ]
        rows.append(
            {
                "club": club.id,
                "name": club.name,
                "erp": club.erp,
                "every": f"{int(club.every.total_seconds() // 60)}m",
                "state": _state(state, broken),
                "read": state.get("last_success_at"),
                "certified": state.get("certified_as_of"),
                "customers": state.get("customers", 0),
                "findings": state.get("findings", 0),
                "held": state.get("held", 0),
                "error": state.get("last_error"),
            }
        )
    if as_json:
        print_json(rows)
    else:
        table(str(config.path), rows, list(rows[0]) if rows else [])


def _state(state: Mapping[str, Any], broken: list[str]) -> str:
    """In words, the first that holds; `broken`: promises of freshness."""
    if not state:
        return "never read"
    if state["paused"]:
        return "paused"
    if state["quarantined_until"]:
        return f"quarantined until {state['quarantined_until']:%H:%M} UTC"
    if state["failing_since"]:
        return "failing"
    if state["held"]:
        return "held"
    return broken[0] if broken else "ok"


@clubs_app.command("check")
def clubs_check(
    club_ids: Annotated[list[str] | None, typer.Argument(metavar="[CLUB]...")] = None,
    as_json: AsJson = False,
) -> None:
    """Check clubs.yaml and test every club's connection; stores nothing."""
    from clubsync import connections
    from clubsync.config import load_config
    from clubsync.operate.connection_check import check_all

    config = load_config()
    wanted = [config.club(c) for c in club_ids] if club_ids else list(config.clubs)
    rows = [
        {
            "club": one.club.id,
            "erp": one.club.erp,
            "connection": one.club.connection,
            "ok": one.ok,
            "found": one.found,
            "remedy": one.remedy,
        }
        for one in check_all(wanted, connections.resolve)
    ]
    if as_json:
        print_json(rows)
    else:
        table(
            f"{config.path}: {len(rows)} clubs",
            rows,
            ["club", "erp", "connection", "ok", "found", "remedy"],
        )
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _say(club_id: str, what: str, as_json: bool, **more: Any) -> None:
    from clubsync.config import load_config
    from clubsync.manual import lifecycle

    club = load_config().club(club_id)
    with open_base() as base:
        made = getattr(lifecycle, what)(base, club, **more)
    if as_json:
        print_json(made)
    else:
        told = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in made.items() if k != "club")
        out.print(f"{club.name}: {told}.", highlight=False)


@clubs_app.command("pause")
def clubs_pause(club_id: ClubId, as_json: AsJson = False) -> None:
    """Stop reading a club until it is resumed (kept in the data base, not in clubs.yaml)."""
    _say(club_id, "pause", as_json, paused=True)


@clubs_app.command("resume")
def clubs_resume(club_id: ClubId, as_json: AsJson = False) -> None:
    """Go on reading a club; one in quarantine is due at once."""
    _say(club_id, "pause", as_json, paused=False)


@clubs_app.command("empty")
def clubs_empty(club_id: ClubId, as_json: AsJson = False) -> None:
    """Say that the club really has no customers any more: its next empty answer is believed, once."""
    _say(club_id, "say_empty", as_json)


@clubs_app.command("trust")
def clubs_trust(club_id: ClubId, as_json: AsJson = False) -> None:
    """Say that the next snapshot is this club's, however few of its customers were known before, once."""
    _say(club_id, "say_same_club", as_json)


@clubs_app.command("go")
def clubs_go(club_id: ClubId, as_json: AsJson = False) -> None:
    """Let the first sync of a club with `first_sync: review` load."""
    _say(club_id, "say_reviewed", as_json)


@clubs_app.command("move")
def clubs_move(club_id: ClubId, as_json: AsJson = False) -> None:
    """Say that the club is on another tenant of its ERP now: people are found by email alone, once.

    Another `erp:` in clubs.yaml does this by itself.
    """
    _say(club_id, "move", as_json)


@clubs_app.command("remove")
def clubs_remove(
    club_id: ClubId,
    days: Annotated[int, typer.Option("--after-days", min=0, help="When all its data goes.")] = 30,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it after all.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop reading a club, and delete all its data after that many days (by `clubsync upkeep`)."""
    _say(club_id, "remove", as_json, after=None if keep else timedelta(days=days))


@clubs_app.command("schema")
def clubs_schema() -> None:
    """Print the JSON Schema of clubs.yaml, for editors."""
    from clubsync.config import json_schema

    print_json(json_schema())
