"""Retention: delete old snapshots, plans, idle runs and closed findings. The audit stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from clubsync import clock
from clubsync.config import Config
from clubsync.extract import resume
from clubsync.load import similar_pairs
from clubsync.manual import lifecycle
from clubsync.store import packages
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store

#: A run that was started longer ago is under way no more.
UNDER_WAY = timedelta(days=1)


class Deleted(TypedDict):
    """What an upkeep deleted, and how many records it compared."""

    clubs: list[str]
    snapshots: int
    plans: int
    runs: int
    findings: int
    compared: int


def upkeep(base: Base, store: Store, config: Config, keep: timedelta) -> Deleted:
    """Delete what is older than `keep`, and all data of the clubs that are due for removal (R28).

    Also compares the records of large clubs that no run has compared yet (R23). Snapshots and plans in use are
    never deleted.
    """
    sql, before = queries(), clock.now() - keep
    resume.sweep(store, clock.now())
    done = Deleted(
        clubs=lifecycle.purge_removed(base, store),
        snapshots=0,
        plans=0,
        runs=0,
        findings=0,
        compared=0,
    )
    with base.transaction() as driver:
        rows = list(sql.club_numbers(driver))
    ids = {row["club"]: row["club_id"] for row in rows}
    known = {club.id: club for club in config.clubs}
    clubs = {row["club"]: known[row["club_id"]] for row in rows if row["club_id"] in known}
    for club_no in ids:
        with base.transaction() as driver:
            sql.lock_club(driver, club=club_no)
            old = list(sql.old_snapshots(driver, club=club_no, before=before))
            plans = list(sql.old_plans(driver, club=club_no, before=before))
            done["snapshots"] += sql.delete_snapshots(
                driver, club=club_no, snapshots=[row["snapshot"] for row in old]
            )
            done["plans"] += sql.delete_plans(
                driver, club=club_no, plans=[row["plan"] for row in plans]
            )
            done["runs"] += sql.delete_idle_runs(driver, club=club_no, before=before)
            done["findings"] += sql.delete_old_findings(driver, club=club_no, before=before)
            sql.delete_old_change_hours(driver, club=club_no, before=before)
            sql.delete_old_nudges(driver, club=club_no, before=before)
            paths = {row["path"] for row in old}
            used = sql.paths_in_use(driver, club=club_no, paths=sorted(paths))
            paths -= {row["path"] for row in used}
            paths |= _of_ended_runs(driver, store, club_no, ids[club_no])
        if club_no in clubs:
            done["compared"] += similar_pairs.catch_up(base, club_no, clubs[club_no])
        # files last: a row without its file breaks a promise, a file without its row only wastes space
        for path in sorted(paths | {row["path"] for row in plans}):
            store.remove(path)
    return done


def _of_ended_runs(driver: Driver, store: Store, club_no: int, club_id: str) -> set[str]:
    """Folders of runs that ended without a plan, because they failed or were killed."""
    found = [int(name) for name in store.names(f"{club_id}/runs", "") if name.isdigit()]
    if not found:
        return set()
    rows = queries().runs_without_plan(
        driver, club=club_no, runs=found, before=clock.now() - UNDER_WAY
    )
    return {packages.folder(club_id, row["run"]) for row in rows}
