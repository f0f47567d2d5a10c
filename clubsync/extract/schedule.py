"""R25: how long a failing club is in quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from clubsync import clock
from clubsync.chains import chains
from clubsync.config import ClubConfig
from clubsync.store.database import Base, queries

#: A nudge starts a run of its own at once; one that still waits after this long has lost it.
NUDGE_PATIENCE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
#: How far the clocks of machines that sync the same clubs may be apart.
SKEW = timedelta(minutes=1)
#: A failing club is retried after this part of the time for which it has failed.
PAUSE_PART = 4


def pause(failing_since: datetime, at: datetime, every: timedelta) -> timedelta | None:
    """How long a failing club is not read; None: it keeps its cadence.

    A quarter of the time for which it has failed, an hour at most. So an ERP that is down for long gets fewer
    and fewer requests, and its return is noticed within a quarter of its outage.
    """
    wait = min((at - failing_since) / PAUSE_PART, LONGEST_PAUSE)
    return wait if wait > every else None


def next_slot(every: timedelta, at: datetime) -> datetime:
    """When a club is due next, by its cadence."""
    seconds = every.total_seconds()
    return datetime.fromtimestamp((at.timestamp() // seconds + 1) * seconds, UTC)


def due(
    base: Base, clubs: Sequence[ClubConfig], at: datetime, asked_for: Sequence[str] | None = None
) -> list[str]:
    """Ids of the clubs to read now, the longest unread first.

    One reading serves all clubs of a chain (R29): where one is due, so are the others, and they stand together.

    :param at: the moment, UTC.
    :param asked_for: ids or names asked for by hand: these, whatever their cadence.
    """
    if asked_for:
        wanted = set(asked_for)
        return [c.id for c in clubs if c.id in wanted or c.name in wanted]
    now = clock.now()
    with base.reader() as driver:
        states = {row["club_id"]: row for row in queries().club_states(driver)}
        # R27: a nudge whose own run has not come is not lost
        late = now - NUDGE_PATIENCE
        nudged = {row["club_id"] for row in queries().nudged_clubs(driver, before=late)}
    never = datetime.min.replace(tzinfo=UTC)

    def last_attempt(club: ClubConfig) -> datetime:
        state = states.get(club.id)
        return (state and state["last_attempt_at"]) or never

    def is_due(club: ClubConfig) -> bool:
        state = states.get(club.id)
        if state is None:
            return True
        if state["paused"]:
            return False
        comes = state["next_read_at"]
        # a sync that is still to come was made while the clock was ahead: so was what it says of the next one
        ahead = last_attempt(club) > now + SKEW
        return comes is None or comes <= at or club.id in nudged or ahead

    def is_paused(club: ClubConfig) -> bool:
        state = states.get(club.id)
        return state is not None and bool(state["paused"])

    chained = chains(clubs)
    found: dict[str, None] = {}
    for club in sorted(clubs, key=last_attempt):
        if club.id in found or not is_due(club):
            continue
        of = chained[club.id].clubs if club.id in chained else (club,)
        found.update(dict.fromkeys(one.id for one in of if not is_paused(one)))
    return list(found)


def alive(
    base: Base, clubs: Sequence[ClubConfig], asked_for: Sequence[str] | None = None
) -> list[str]:
    """Ids of the clubs that are not paused, or of those asked for."""
    if asked_for:
        return [c.id for c in clubs if c.id in set(asked_for)]
    with base.reader() as driver:
        paused = {row["club_id"] for row in queries().club_states(driver) if row["paused"]}
    return [c.id for c in clubs if c.id not in paused]
