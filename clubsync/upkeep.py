"""Retention: stored snapshots, plans, idle runs and closed findings go after a while; the audit stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from clubsync import clock, life
from clubsync.db import Base, queries
from clubsync.snapshot import Store


class Kept(TypedDict):
    """What an upkeep removed."""

    clubs: list[str]
    snapshots: int
    plans: int
    runs: int
    findings: int


def upkeep(base: Base, store: Store, keep: timedelta) -> Kept:
    """Remove what is older than that; and all data of the clubs whose time has come (R28).

    What the base stands on is never removed.
    """
    sql, before = queries(), clock.now() - keep
    done = Kept(clubs=life.purge_removed(base, store), snapshots=0, plans=0, runs=0, findings=0)
    with base.transaction() as driver:
        numbers = [row["club"] for row in sql.club_numbers(driver)]
    for number in numbers:
        with base.transaction() as driver:
            sql.lock_club(driver, club=number)
            old = list(sql.old_snapshots(driver, club=number, before=before))
            plans = list(sql.old_plans(driver, club=number, before=before))
            done["snapshots"] += sql.forget_snapshots(
                driver, club=number, snapshots=[row["snapshot"] for row in old]
            )
            done["plans"] += sql.forget_plans(
                driver, club=number, plans=[row["plan"] for row in plans]
            )
            done["runs"] += sql.forget_runs(driver, club=number, before=before)
            done["findings"] += sql.forget_findings(driver, club=number, before=before)
            paths = {row["path"] for row in old}
            used = sql.paths_in_use(driver, club=number, paths=sorted(paths))
            paths -= {row["path"] for row in used}
        # files last: a row without its file would be a promise broken, a file without its row is waste
        for path in sorted(paths | {row["path"] for row in plans}):
            store.remove(path)
    return done
