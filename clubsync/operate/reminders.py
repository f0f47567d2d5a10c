"""R15: a reminder of holds that nobody has decided, to whoever gets the alerts.

A hold is reminded of when it has been open for `guard.remind_after`, and again that long after the last reminder, until
somebody decides. **At least once, at most once an interval**: a reminder is noted when it was handed over, so that one
that could not be sent is tried again every minute; who is killed in between sends it once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.config import ClubConfig, Config
from clubsync.store.database import Base, queries

if TYPE_CHECKING:
    from clubsync.store.queries import UndecidedHoldsRow

#: Holds named in one reminder; the others are counted.
NAMED = 20


@dataclass(frozen=True)
class Reminder:
    """One message about all holds that are to be reminded of now: clubs, counts and causes, never people (R19).

    :param holds: number of the club, hold, and the moment since when it is due.
    """

    title: str
    body: str
    holds: tuple[tuple[int, int, datetime], ...]


def due(base: Base, config: Config, base_url: str) -> Reminder | None:
    """The reminder to send now; None: nobody needs one. Call `mark_sent` once it is sent.

    :param base_url: of Airflow, for links; "": nobody has said where it is.
    """
    clubs, now = {club.id: club for club in config.clubs}, clock.now()
    with base.reader() as driver:
        rows = list(queries().undecided_holds(driver))
    found = []
    for row in rows:
        club = clubs.get(row["club_id"])
        moment = None if club is None else _due_at(row, club)
        if club is not None and moment is not None and moment <= now:
            found.append((row, club, moment))
    if not found:
        return None
    lines = [_line(row, club, base_url) for row, club, _moment in found[:NAMED]]
    if len(found) > NAMED:
        lines.append(f"{len(found) - NAMED} more.")
    count = f"{len(found)} hold{'s' * (len(found) != 1)}"
    return Reminder(
        f"clubsync: {count} awaiting a decision",
        "\n".join(lines),
        tuple((row["club"], row["hold"], moment) for row, _club, moment in found),
    )


def next_at(opened_at: datetime, reminded: Iterable[datetime], club: ClubConfig) -> datetime | None:
    """When a hold is reminded of next, unless somebody decides; None: never."""
    after = club.guard.remind_after
    return None if after is None else max((opened_at, *reminded)) + after


def _due_at(row: UndecidedHoldsRow, club: ClubConfig) -> datetime | None:
    return next_at(row["opened_at"], [row["reminded_at"] or row["opened_at"]], club)


def _line(row: UndecidedHoldsRow, club: ClubConfig, base_url: str) -> str:
    root = base_url.strip().rstrip("/")
    page = f"{root}/plugin/clubs/clubsync/pages/clubs/{club.id}/holds/{row['hold']}"
    return (
        f"{club.name} ({club.id}): hold {row['hold']} has awaited a decision since "
        f"{row['opened_at']:%d %B, %H:%M} UTC: {row['losing']} of {row['customers']} customers would lose access "
        f"({'; '.join(row['causes'])}).{f' {page}' if root else ''}"
    )


def mark_sent(base: Base, reminder: Reminder, told: str) -> None:
    """Record that a reminder was sent, and whom it went to.

    :param told: no address.
    """
    at = clock.now()
    for club_no, hold, moment in reminder.holds:
        with base.club(club_no) as driver:
            queries().add_hold_reminder(
                driver, club=club_no, hold=hold, due_at=moment, told=told, at=at
            )
