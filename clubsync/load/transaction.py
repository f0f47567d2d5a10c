"""Load a plan: one transaction per club, set-based, with the audit in it (R16 to R18).

Killed anywhere, nothing of it is there; run again, it ends the same.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from clubsync.load import (
    audit,
    customers,
    findings,
    holds,
    records,
    similar_pairs,
    suspicions,
)
from clubsync.load.index_patch import index_patch
from clubsync.model import Basis, Decision, Plan, Planned
from clubsync.store import record_index
from clubsync.store.database import Driver, queries, try_exclusive_lock


@dataclass(frozen=True)
class Loaded:
    """What a load wrote.

    :param rows_written: rows of schema base, and audit rows (R17).
    :param hold: the open hold as `sync --json` shows it, or None.
    :param suspected: access losses that await a second reading (R14).
    """

    rows_written: int
    hold: dict[str, Any] | None
    suspected: int
    notes: tuple[str, ...] = ()


def load(
    driver: Driver,
    club: int,
    run: int,
    planned: Planned,
    *,
    at: datetime,
    decision: Decision | None = None,
    read: bool = True,
) -> Loaded:
    """Write a plan.

    :param driver: inside the club's transaction, which holds the club's lock, and in which the
        revision was found to be that of the plan's basis.
    :param read: the snapshot was read just now, and is no stored one taken up again.
    """
    sql, basis, snapshot = queries(), planned.basis, planned.basis.snapshot
    plan = customers.number_new(driver, planned.plan)
    index = basis.record_index
    if index is None:
        index = record_index.read(driver, club)
    alone = _alone(driver, index, plan)
    written = customers.write_groups(driver, club, basis, at)
    # CPU work runs in a thread while PostgreSQL writes, in the order in which it is needed
    with ThreadPoolExecutor(max_workers=1) as beside:
        write_customers = customers.writing(driver, club, plan, at, alone, beside)
        write_audit = audit.writing(
            driver,
            club,
            run,
            plan.changes,
            at,
            decision,
            losses=plan.losses,
            beside=beside,
            alone=alone,
        )
        write_records = records.writing(driver, club, basis, plan, alone, beside)
        write_findings = findings.writing(driver, club, run, basis, plan, at, beside)
        patching = beside.submit(_index_patch, index, basis, plan)
        wrote, linked = write_customers()
        written += wrote + write_audit(linked)
        write_records()
        write_findings()
    note = similar_pairs.update_pairs(
        driver, club, run, basis.policy, plan.records["erp_id"], at, first=index.is_empty()
    )
    hold = holds.update_hold(driver, club, run, planned.held, at, planned.limit)
    patch, next_recheck = patching.result()
    record_index.write_patch(driver, club, index, patch)
    # a partial snapshot may not have shown who was to be rechecked: they stay on the list
    if basis.rechecks and snapshot.certified:
        sql.clear_rechecks(driver, club=club, upto=basis.rechecks)
    sql.delete_spent_decisions(driver, club=club, now=at)
    sql.delete_spent_identities(driver, club=club)
    _recheck(driver, club, planned)
    suspected = suspicions.update_suspicions(driver, club, planned, at, read=read)
    # the base stands on this content only if nothing was deferred, or older than what was known
    settled = snapshot.certified and plan.deferred.is_empty() and basis.newer.is_empty()
    sql.club_loaded(
        driver,
        club=club,
        at=at,
        snapshot=snapshot.number,
        certified=snapshot.certified,
        as_of=snapshot.as_of,
        rows=snapshot.rows,
        content_hash=snapshot.content_hash if settled else None,
        next_recheck=next_recheck,
        policy_hash=basis.policy_hash if snapshot.certified else None,
        moved=True,
        newer=True,
        read=read,
    )
    notes = (note,) if note else ()
    return Loaded(rows_written=written, hold=hold, suspected=suspected, notes=notes)


def _alone(driver: Driver, index: pl.DataFrame, plan: Plan) -> bool:
    """Whether this is a club's first load, so large that it has the large tables to itself."""
    # a known customer may be about to give up the email that a new one has
    if index.height or not plan.customers["new"].all():
        return False
    return try_exclusive_lock(
        driver,
        {
            "base.customer": plan.customers.height,
            "sync.change": plan.changes.height,
            "sync.erp_customer": plan.records.height,
        },
    )


def _index_patch(index: pl.DataFrame, basis: Basis, plan: Plan) -> tuple[pl.DataFrame, date | None]:
    """What the record index learns, and the first day that will then change a record by itself (R3)."""
    patch = index_patch(basis, plan)
    return patch, record_index.earliest(index, patch)


def _recheck(driver: Driver, club: int, planned: Planned) -> None:
    """Ask the next sync to evaluate records whose case depends on something that no row hash can tell.

    These are ids that came twice with different content, records that are deferred, and affected records that
    were not shown. Why a record waits is told by this list too (R24).
    """
    waiting = [row["erp_id"] for row in queries().unsettled(driver, club=club)]
    if waiting:
        listed = pl.Series("erp_id", waiting, dtype=pl.String)
        spoken_of = listed.filter(listed.is_in(planned.plan.evaluated.implode()))
        queries().drop_unsettled(driver, club=club, ids=spoken_of.to_list())
    deferred = planned.plan.deferred.to_list()
    ids = sorted({*planned.basis.conflicting_ids, *deferred})
    queries().recheck_records(driver, club=club, ids=ids, why="left unsettled")
    # R14: what moved around somebody on a page that did not come may have changed their case too, which their
    # own row will not say
    if planned.unseen.len():
        ids = planned.unseen.to_list()
        queries().recheck_records(driver, club=club, ids=ids, why="not shown")
