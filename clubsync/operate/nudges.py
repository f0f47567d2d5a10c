"""Nudges (R27): hints from an ERP that a club should be read now.

A nudge says nothing that is believed: what it carried is dropped, and the club is read. So bursts,
losses, doubles and disorder do no harm: every nudge that has come in before a reading begins is
answered by that reading, and the same message twice is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from clubsync import clock
from clubsync.store.database import Base, queries


@dataclass(frozen=True)
class Received:
    """:param fresh: whether this message was not in the inbox yet.
    :param waiting: the first nudge of the club that no reading has answered; None: nothing is to be read
        now, because all are, or because the club is paused or in quarantine.
    """

    club_id: str
    fresh: bool
    waiting: int | None

    @property
    def run_id(self) -> str | None:
        """One run for all that come in until it begins to read."""
        return None if self.waiting is None else run_id(self.club_id, self.waiting)


def run_id(club_id: str, nudge: int) -> str:
    """The id of the run of `sync_one` that answers the nudges from that one on."""
    return f"{club_id}-nudge-{nudge}"


def receive(
    base: Base, club_id: str, source: str, message_id: str, *, wish: bool = False
) -> Received | None:
    """Put a message into the inbox.

    :param source: who sent it, in a word.
    :param message_id: the sender's; the same again is the same nudge.
    :param wish: a person's, for whom a club is read although it is paused or in quarantine.
    :returns: None where the club was never synced: its first run comes by the schedule.
    """
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        number = sql.find_club(driver, club_id=club_id)
    if number is None:
        return None
    with base.club(number) as driver:
        added = sql.add_nudge(
            driver, club=number, source=source, message_id=message_id[:200], at=at
        )
        waiting = sql.first_pending_nudge(driver, club=number)
        state = sql.club_state(driver, club=number)
    rests = state["paused"] or (state["quarantined_until"] or at) > at
    return Received(club_id, added is not None, None if rests and not wish else waiting)


def stranded(base: Base, patience: timedelta) -> dict[str, str]:
    """Nudges that wait for longer than that, because their run was lost: club id -> run id.

    A paused club is left alone, and so is one in quarantine: its ERP is asked rarely until it answers.
    """
    with base.reader() as driver:
        rows = list(queries().nudged_clubs(driver, before=clock.now() - patience))
    return {row["club_id"]: run_id(row["club_id"], row["nudge"]) for row in rows}
