"""R14: keep what a walk left suspected, and have the club read again soon."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from clubsync.model import Planned
from clubsync.store.database import Driver, queries
from clubsync.store.round_trip import Answer, RoundTrip

#: The source of the nudge that asks for the second reading.
NUDGED_BY = "suspicion"


def update_suspicions(
    driver: Driver, club: int, planned: Planned, at: datetime, *, read: bool
) -> int:
    """Add what this snapshot suspects, and drop what it has settled.

    A certified snapshot speaks of every record, another one of those that it shows; only a certified one adds.

    :param read: the snapshot was read just now: new suspicions make the club due again at once.
    :returns: how many access losses await a second reading.
    """
    sql, head, found = queries(), planned.basis.snapshot, planned.plan.suspected
    ids, signs = found["erp_id"].to_list(), found["sign"].to_list()
    shown = None
    if not head.certified:
        known = [row["erp_id"] for row in sql.suspicions(driver, club=club)]
        waiting = pl.Series("erp_id", known, dtype=pl.String).unique()
        read_now = planned.plan.next_dates["erp_id"].implode()
        shown = waiting.filter(waiting.is_in(read_now)).to_list() if known else []
    sql.drop_suspicions(driver, club=club, ids=ids, signs=signs, shown=shown)
    if head.certified and ids:
        added = sql.add_suspicions(
            driver,
            club=club,
            ids=ids,
            signs=signs,
            losses=found["loss"].to_list(),
            snapshot=head.number,
            read_at=head.read_at,
        )
        if added and read:
            message_id = f"snapshot {head.number}"
            sql.add_nudge(driver, club=club, source=NUDGED_BY, message_id=message_id, at=at)
            sql.read_club_again(driver, club=club, at=at)
    return int(sql.suspected_losses(driver, club=club))


def add_settled(trip: RoundTrip, club: int) -> Answer[int]:
    """The same of a certified snapshot that suspects nothing: it has settled whatever was suspected."""
    sql = queries()
    trip.add(sql.drop_suspicions, club=club, ids=[], signs=[], shown=None)
    return trip.add(sql.suspected_losses, club=club)
