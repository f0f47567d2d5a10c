"""`clubsync feed`: the audit as an event stream (R30)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import cell, open_base, out, print_json, table
from clubsync.feed.cursor import START

if TYPE_CHECKING:
    from clubsync.feed.events import Page
    from clubsync.store.database import Base

#: Seconds between two looks of `--follow`.
INTERVAL = 1.0
_COLUMNS = ("id", "club", "at", "kind", "customer", "erp_id", "run", "reason")


def feed(
    clubs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CLUB]...", help="Ids of clubs in clubs.yaml; none named: all."),
    ] = None,
    after: Annotated[
        str,
        typer.Option(
            "--after",
            metavar="CURSOR",
            help="Only what follows: the id of an event, the `next` of an earlier answer, 0 or `latest`.",
        ),
    ] = START,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="The number of events at most.")
    ] = 100,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only these kinds of change; repeatable."),
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="With personal data: what was, and what is.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print events as they come, until interrupted.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document; with --follow, one for each event, a line each.",
        ),
    ] = False,
) -> None:
    """List changes of all clubs in order, from any point. Without personal data, unless --values is given."""
    with open_base() as base:
        numbers = _numbers(base, clubs or [])

        def read(cursor: str) -> Page:
            from clubsync.feed import events

            return events.page(
                base,
                cursor,
                club=numbers[0] if len(numbers) == 1 else None,
                clubs=numbers if len(numbers) > 1 else None,
                kinds=kinds or None,
                values=values,
                limit=limit,
            )

        found = read(after)
        if not follow:
            _show(found, as_json, values)
            return
        while True:
            for event in found.events:
                _show_line(event.document(values=values), as_json)
            if not found.more:
                time.sleep(INTERVAL)
            found = read(str(found.next))


def _numbers(base: Base, club_ids: list[str]) -> list[int]:
    """The clubs' numbers in the base; 0 for one that was never synced.

    :raises UnknownClub: clubs.yaml has no such club.
    """
    from clubsync.config import load_config
    from clubsync.store.database import queries

    config = load_config()
    ids = [config.club(club_id).id for club_id in club_ids]
    with base.transaction() as driver:
        return [queries().find_club(driver, club_id=one) or 0 for one in ids]


def _show(found: Page, as_json: bool, values: bool) -> None:
    documents = [event.document(values=values) for event in found.events]
    if as_json:
        print_json({"events": documents, "next": str(found.next), "more": found.more})
        return
    table("Change feed", documents, (*_COLUMNS, "before", "after") if values else _COLUMNS)
    out.say(f"Next: --after {found.next}" + (" (more follow)" if found.more else ""))


def _show_line(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        sys.stdout.flush()  # whoever reads a pipe gets each event as it comes
    else:
        out.say("  ".join(cell(document[name]) for name in _COLUMNS))
