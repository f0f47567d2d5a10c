"""`clubsync digest`: what a club's contact is told (R31)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clubsync.cli.common import AsJson, ClubIds, err, open_base, out, print_json

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.operate.digests.outbox import Sent
    from clubsync.store.database import Base


def digest(
    club_ids: ClubIds,
    send: Annotated[
        bool,
        typer.Option("--send", help="Send it now, whatever the hour, unless one was sent today."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; as without --send.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the HTML that would be sent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or send what clubs' contacts are told: new findings, fixed ones, and those still open.

    The address of the pages is read from AIRFLOW__API__BASE_URL. Exits with 1 if something could not be sent.
    """
    from clubsync.config import load_config

    if send and dry_run:
        raise typer.BadParameter("--send and --dry-run exclude each other.")
    config = load_config()
    if club_ids == ["all"]:
        clubs = [club for club in config.clubs if club.contact is not None]
    else:
        clubs = [config.club(club_id) for club_id in club_ids]
    if html is not None and (send or len(clubs) != 1):
        raise typer.BadParameter("--html shows the digest of one club.")
    url = os.environ.get("AIRFLOW__API__BASE_URL", "")
    with open_base() as base:
        if not send:
            documents = [_shown(base, club, url, html, as_json) for club in clubs]
            if as_json:
                print_json(documents)
            return
        results = [_sent(base, club, url) for club in clubs]
    if as_json:
        print_json([vars(one) for one in results])
    for one in results:
        if not as_json:
            out.say(f"{one.club}: {_STATES[one.state]}")
        if one.problem:
            err.say((f"{one.club}: {one.problem}", "yellow"), f" {one.remedy or ''}")
    if any(one.state not in ("sent", "unchanged") for one in results):
        raise typer.Exit(1)


_STATES = {
    "sent": "sent.",
    "unchanged": "nothing has changed since the last digest; nothing was sent.",
    "pending": "not sent; upkeep tries again.",
    "unconfirmed": "nobody knows whether it arrived; tomorrow's tells it again.",
    "dropped": "not sent.",
    "waiting": "another process is sending it.",
}


def _shown(
    base: Base, club: ClubConfig, url: str, html: Path | None, as_json: bool
) -> dict[str, str | None]:
    """Show a club's digest; as JSON: subject and text, null if nothing has changed."""
    from clubsync.operate.digests import outbox

    letter = outbox.preview(base, _number(base, club), club, url)
    if not as_json:
        if letter is None:
            out.say(f"{club.name}: nothing has changed since the last digest.")
        else:
            out.say((letter.subject, "bold"))
            for line in letter.text.splitlines():
                out.say(line)
    if html is not None and letter is not None:
        html.write_text(letter.html, encoding="utf-8")
        err.say(f"Wrote {html}.")
    subject, text = (None, None) if letter is None else (letter.subject, letter.text)
    return {"club": club.id, "subject": subject, "text": text}


def _sent(base: Base, club: ClubConfig, url: str) -> Sent:
    from clubsync.connections import resolve
    from clubsync.operate.digests import outbox

    return outbox.send_now(base, _number(base, club), club, resolve, url)


def _number(base: Base, club: ClubConfig) -> int:
    """The club's number: 0 if it was never synced, and has no rows."""
    from clubsync.store.database import queries

    with base.transaction() as driver:
        return queries().find_club(driver, club_id=club.id) or 0
