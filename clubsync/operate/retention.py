"""Retention: stored snapshots, plans, idle runs and closed findings go after a while; the audit stays."""

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


class Kept(TypedDict):
    """What an upkeep removed; and how many records it compared."""

    clubs: list[str]
    snapshots: int
    plans: int
    runs: int
    findings: int
    compared: int


def upkeep(base: Base, store: Store, config: Config, keep: timedelta) -> Kept:
    """Remove what is older than that; and all data of the clubs whose time has come (R28). Compare the
    records of large clubs that no run has come to yet (R23).

    What the base stands on is never removed.
    """
    sql, before = queries(), clock.now() - keep
    resume.sweep(store, clock.now())
    done = Kept(
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
    for number in ids:
        with base.transaction() as driver:
            sql.lock_club(driver, club=number)
            old = list(sql.old_snapshots(driver, club=number, before=before))
            plans = list(sql.old_plans(driver, club=number, before=before))
            done["snapshots"] += sql.delete_snapshots(
                driver, club=number, snapshots=[row["snapshot"] for row in old]
            )
            done["plans"] += sql.delete_plans(
                driver, club=number, plans=[row["plan"] for row in plans]
            )
            done["runs"] += sql.delete_idle_runs(driver, club=number, before=before)
            done["findings"] += sql.delete_old_findings(driver, club=number, before=before)
            sql.delete_old_change_hours(driver, club=number, before=before)
            sql.delete_old_nudges(driver, club=number, before=before)
            paths = {row["path"] for row in old}
            used = sql.paths_in_use(driver, club=number, paths=sorted(paths))
            paths -= {row["path"] for row in used}
            paths |= _of_ended_runs(driver, store, number, ids[number])
        if number in clubs:
            done["compared"] += similar_pairs.catch_up(base, number, clubs[number])
        # files last: a row without its file would be a promise broken, a file without its row is waste
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
