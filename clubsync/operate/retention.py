"""Retention: delete old snapshots, plans, idle runs and closed findings. The audit stays."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TypedDict

import psycopg

from clubsync import clock
from clubsync.chains import chains
from clubsync.config import Config
from clubsync.errors import ConcurrentChange, SnapshotUnreadable, SyncError, place_of
from clubsync.extract import resume
from clubsync.load import similar_pairs
from clubsync.manual import erasure, lifecycle
from clubsync.store import folders, handed_on, trouble
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import Store

log = logging.getLogger(__name__)

WHOLE = timedelta(days=2)
"""How long each read is kept that found nothing new; of older ones the first of each hour is kept."""


class Deleted(TypedDict):
    """What an upkeep deleted, and how many records it compared.

    :param folders: folders of the store that no row named.
    :param erasures: orders that it has carried out, and how many have something left (R20).
    """

    clubs: list[str]
    snapshots: int
    plans: int
    runs: int
    findings: int
    compared: int
    folders: int
    erasures: erasure.Progress


def upkeep(base: Base, store: Store, config: Config, keep: timedelta) -> Deleted:
    """Delete what is older than `keep`, and all data of the clubs that are due for removal (R28).

    Also finishes erasures (R20), takes away what no row names in the store, and compares the records of large clubs
    that no run has compared yet (R23). Snapshots and plans in use are never deleted.
    """
    sql, before = queries(), clock.now() - keep
    if not base.is_confined:
        log.warning("%s %s", *base.unconfined())
    done = Deleted(
        clubs=lifecycle.purge_removed(base, store),
        snapshots=0,
        plans=0,
        runs=0,
        findings=0,
        compared=0,
        folders=0,
        erasures=erasure.finish_all(base, store),
    )
    with base.transaction() as driver:
        rows = list(sql.club_numbers(driver))
    ids = {row["club"]: row["club_id"] for row in rows}
    known = {club.id: club for club in config.clubs}
    clubs = {row["club"]: known[row["club_id"]] for row in rows if row["club_id"] in known}
    failed: list[Exception] = []
    for club_no, club_id in ids.items():
        try:
            _delete_old(base, club_no, before, done)
            if club_no in clubs:
                done["compared"] += similar_pairs.catch_up(base, club_no, clubs[club_no])
            # files last: a row without its file breaks a promise, a file without its row only wastes space
            done["folders"] += _swept(base, store, club_no, club_id)
        except Exception as error:
            told = error if isinstance(error, SyncError) else trouble.explained(error)
            if told is not None and not isinstance(told, SnapshotUnreadable | ConcurrentChange):
                raise  # of the database or the store: the other clubs would fail too
            log.critical("%s: internal error in upkeep: %s", club_id, place_of(error))
            failed.append(error)
    forget_chains(base, config, before)
    handed_on.delete_old(base, clock.now())
    _sweep_unfinished(store)
    if failed:  # the other clubs are done
        raise failed[0]
    return done


def _delete_old(base: Base, club_no: int, before: datetime, done: Deleted) -> None:
    """Delete what is older than that time of one club.

    :param done: takes the counts.
    """
    sql = queries()
    with base.club(club_no) as driver:
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
        thin = clock.now() - WHOLE
        done["snapshots"] += sql.thin_repeated_snapshots(driver, club=club_no, before=thin)
        done["runs"] += sql.thin_idle_runs(driver, club=club_no, before=thin)
        done["findings"] += sql.delete_old_findings(driver, club=club_no, before=before)
        sql.delete_old_change_hours(driver, club=club_no, before=before)
        sql.delete_old_digests(driver, club=club_no, before=before)
        sql.delete_old_nudges(driver, club=club_no, before=before)


def forget_chains(base: Base, config: Config, before: datetime) -> None:
    """R29: forget the chains that clubs.yaml does not have any more, and findings of others closed before that time."""
    kept = sorted({chain.key for chain in chains(config.clubs).values()})
    with base.transaction() as driver:
        queries().forget_chains(driver, chains=kept)
        queries().forget_chain_findings(driver, before=before)


def _swept(base: Base, store: Store, club_no: int, club_id: str) -> int:
    """Take away what no row names in a club's part of the store; an unreachable store waits for the next upkeep."""
    try:
        with base.club(club_no) as driver:
            queries().lock_club(driver, club=club_no)
            return folders.sweep(driver, store, club_no, club_id)
    except (SyncError, psycopg.Error):
        raise
    except Exception as error:  # each kind of store has errors of its own
        _unreachable(error)
        return 0


def _sweep_unfinished(store: Store) -> None:
    try:
        resume.sweep(store, clock.now())
    except Exception as error:  # each kind of store has errors of its own
        _unreachable(error)


def _unreachable(error: Exception) -> None:
    log.error(
        "The snapshot store is unreachable (%s): the next upkeep tries again.", place_of(error)
    )
