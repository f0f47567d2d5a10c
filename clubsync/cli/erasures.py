"""`clubsync erase` and `clubsync erasures`: order a person's erasure, and see how far orders are (R20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import (
    OR_STDIN,
    AsJson,
    ClubId,
    entered_one,
    open_base,
    out,
    print_json,
    table,
)
from connectors.sdk.visible import visible

if TYPE_CHECKING:
    from clubsync.manual.erasure import State

_COLUMNS = (
    "club",
    "erasure",
    "ordered_at",
    "customers",
    "records",
    "files",
    "complete",
    "remaining",
)


def erase(
    club_id: ClubId,
    who: Annotated[
        str,
        typer.Argument(metavar="EMAIL|ERP_ID", help=f"The person's email or ERP id. {OR_STDIN}"),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Skip confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person from a club, including stored snapshots and the audit. This cannot be undone.

    The next sync does not bring them back. A new ERP id lifts the erasure, and so does `clubsync base add`. If a file
    cannot be reached, the command names it and exits with 3; `clubsync upkeep`, or the same command again, finishes
    the erasure.
    """
    from clubsync.config import load_config
    from clubsync.manual.erasure import erase as erase_person
    from clubsync.store.snapshots import Store

    club = load_config().club(club_id)
    who = entered_one("email or ERP id", who)
    if not yes and not as_json:
        question = f"Erase this person from {club.name} permanently? This cannot be undone."
        typer.confirm(visible(question), abort=True)
    with open_base() as base:
        found = erase_person(base, Store(base=base), club, who)
    if as_json:
        print_json(found)
    else:
        print_state(found)
    if not found["complete"]:
        raise typer.Exit(3)


def erasures(
    club_id: Annotated[
        str | None, typer.Argument(metavar="CLUB", help="A club's id in clubs.yaml; none: all.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Include erasures that are complete.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List erasures that are not complete: what remains, what could not be reached, and what to do."""
    from clubsync.config import load_config
    from clubsync.manual import erasure
    from clubsync.store.database import queries

    config = load_config()
    clubs = [config.club(club_id)] if club_id else list(config.clubs)
    found: list[State] = []
    with open_base() as base:
        with base.transaction() as driver:
            numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
        for club in clubs:
            if club.id in numbers:
                number = numbers[club.id]
                with base.club(number) as driver:
                    found += erasure.orders(driver, number, club.id, include_all=everything)
    if as_json:
        print_json(found)
        return
    table("Erasures" if everything else "Incomplete erasures", found, _COLUMNS)
    for state in found:
        _print_unreachable(state)


def print_state(found: State | dict[str, Any]) -> None:
    """How far an order is, in sentences."""
    done = (
        f"Erasure {found['erasure']} of {found['club']}: {found['customers']} customers and "
        f"{found['records']} ERP records deleted, {found['files']} files cleaned."
    )
    if found["complete"]:
        out.say(f"{done} It is complete.")
    else:
        out.say(
            f"{done} It is not complete: {found['remaining']} parts remain. `clubsync upkeep`, or this command again, "
            "continues it."
        )
    _print_unreachable(found)


def _print_unreachable(found: State | dict[str, Any]) -> None:
    for part in found["unreachable"]:
        out.say(f"{part['part']} could not be reached: {part['problem']} {part['remedy']}")
