"""A sync every minute for a year: rows that every sync updates take no more room than on the first day.

PostgreSQL writes a new version of an updated row. Where no index has to know of it, it lies in the page of the old one
(HOT), and the next look at that page reuses the room of versions that nobody sees any more. Autovacuum is not needed.
"""

from __future__ import annotations

from datetime import timedelta

from clubsync import clock
from clubsync.store.database import Base, queries
from tests.support.club import Club
from tests.support.owner import as_owner
from tests.support.rules import NewClub

OFTEN = (
    *("sync.club_state", "sync.club_summary", "sync.club_vector", "sync.change_hour"),
    *("sync.erp_customer", "base.customer"),
)
"""Tables whose rows are updated by a sync, again and again; the others are only added to, or deleted from."""


def _updates(base: Base) -> dict[str, tuple[int, int]]:
    """Table -> updates so far, and how many of them were HOT."""
    base.close()  # a session counts when it ends
    with as_owner(base) as driver:
        rows = driver.execute(
            "select schemaname || '.' || relname, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
        ).fetchall()
    return {table: (updates, hot) for table, updates, hot in rows}


def test_what_every_sync_updates_stays_in_its_page(shared_base: Base, new_club: NewClub) -> None:
    club = new_club()
    for number in range(50):
        club.erp.put(str(number), f"m{number}@x.example.org")
    club.sync()
    before, syncs = _updates(shared_base), 25
    for minute in range(syncs):
        club.erp.as_of += timedelta(minutes=1)
        club.erp.change(str(minute), first_name=f"Name {minute}")
        assert club.sync()["rows_written"] > 0
    after = _updates(shared_base)
    for table in OFTEN:
        updates, hot = (after[table][n] - before[table][n] for n in (0, 1))
        assert updates >= 0.8 * syncs, table
        assert hot >= 0.9 * updates, (table, updates, hot)


def test_a_day_of_minutes_takes_the_room_of_an_hour(shared_base: Base, club: Club) -> None:
    """1,440 attempts; without autovacuum, which would come between."""
    club.erp.put("1", "a@x.example.org")
    club.sync()
    with as_owner(shared_base) as driver:
        driver.execute("alter table sync.club_state set (autovacuum_enabled = false)")
    try:
        sizes = []
        for minutes in (60, 1_380):
            for _ in range(minutes):
                with shared_base.club(club.number) as driver:
                    at = clock.now()
                    queries().attempt_club(
                        driver, club=club.number, at=at, next_read_at=at + timedelta(minutes=1)
                    )
            with as_owner(shared_base) as driver:
                (size,) = driver.execute(
                    "select pg_relation_size('sync.club_state')"
                ).fetchone() or (0,)
            sizes.append(size)
        assert sizes[1] <= sizes[0] + 8192, sizes
    finally:
        with as_owner(shared_base) as driver:
            driver.execute("alter table sync.club_state reset (autovacuum_enabled)")
