"""Nudges (R27): hints that a club should be read now.

The content of a nudge is not used: the club is read instead. So bursts, losses, duplicates and disorder are
harmless. One read handles every nudge that arrived before it started, and a message sent twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from clubsync import clock
from clubsync.store.database import Base, queries


@dataclass(frozen=True)
class Received:
    """A nudge in the inbox.

    :param fresh: whether it is not a duplicate.
    :param pending: the club's first nudge that no read has handled; None: nothing has to be read now, because
        all are handled, or because the club is paused or in quarantine.
    """

    club_id: str
    fresh: bool
    pending: int | None

    @property
    def run_id(self) -> str | None:
        """The run that handles this nudge, and all that arrive until it starts to read."""
        return None if self.pending is None else run_id(self.club_id, self.pending)


def run_id(club_id: str, nudge: int) -> str:
    """The id of the run of `sync_one` that handles this nudge and the following ones."""
    return f"{club_id}-nudge-{nudge}"


def receive(
    base: Base, club_id: str, source: str, message_id: str, *, by_person: bool = False
) -> Received | None:
    """Put a message into the inbox.

    :param source: a short name of the sender.
    :param message_id: the sender's id of the message; a repeated id is a duplicate.
    :param by_person: whether a person asks, for whom a paused or quarantined club is read too.
    :returns: None: the club was never synced, and its first run is scheduled.
    """
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club_no = sql.find_club(driver, club_id=club_id)
    if club_no is None:
        return None
    with base.club(club_no) as driver:
        added = sql.add_nudge(
            driver, club=club_no, source=source, message_id=message_id[:200], at=at
        )
        pending = sql.first_pending_nudge(driver, club=club_no)
        state = sql.club_state(driver, club=club_no)
    resting = state["paused"] or (state["quarantined_until"] or at) > at
    return Received(club_id, added is not None, None if resting and not by_person else pending)


def stranded(base: Base, patience: timedelta) -> dict[str, str]:
    """Nudges that have been pending for longer than `patience`, because their run was lost: club id -> run id.

    Not those of paused or quarantined clubs, which wait for the next read.
    """
    with base.reader() as driver:
        rows = list(queries().nudged_clubs(driver, before=clock.now() - patience))
    return {row["club_id"]: run_id(row["club_id"], row["nudge"]) for row in rows}
