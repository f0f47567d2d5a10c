"""Load a plan: one transaction per club, set-based, with the audit in it (R16 to R18).

Killed anywhere, nothing of it is there; run again, it ends the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

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
from clubsync.load.small import Rows
from clubsync.model import Basis, Decision, Plan, Planned, SnapshotHead
from clubsync.store import record_index
from clubsync.store.database import Driver, queries, try_exclusive_lock
from clubsync.store.round_trip import Answer, RoundTrip

if TYPE_CHECKING:
    from clubsync.store.queries import (
        ErasedHashesRow,
        GroupNumbersRow,
        OpenHoldRow,
        UnsettledRow,
    )


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
    sql.club_loaded(driver, club=club, **_watermark(planned, next_recheck, at, read=read))
    notes = (note,) if note else ()
    return Loaded(rows_written=written, hold=hold, suspected=suspected, notes=notes)


@dataclass(frozen=True)
class Before:
    """What the load of a small plan asks of the base before it writes, in one round trip with others.

    :param first: the number of the first new customer; None: there is none.
    """

    has_tables: Answer[bool]
    erased: Answer[Iterator[ErasedHashesRow]]
    numbers: Answer[Iterator[GroupNumbersRow]]
    hold: Answer[OpenHoldRow | None]
    unsettled: Answer[Iterator[UnsettledRow]]
    index: Answer[list[bytes]] | None
    first: Answer[int | None] | None

    @classmethod
    def ask(cls, trip: RoundTrip, club: int, planned: Planned, rows: Rows) -> Before:
        """:param trip: inside the club's transaction, the club's lock before it."""
        sql, known = queries(), planned.basis.record_index is not None
        return cls(
            has_tables=trip.add(sql.has_plan_tables),
            erased=trip.add(sql.erased_hashes, club=club, snapshot=None),
            numbers=trip.add(sql.group_numbers, club=club),
            hold=trip.add(sql.open_hold, club=club),
            unsettled=trip.add(sql.unsettled, club=club),
            index=None if known else trip.add_bytes(sql.record_index_parts, club=club),
            first=trip.add(sql.take_customer_ids, count=rows.added) if rows.added else None,
        )


def load_small(
    driver: Driver,
    trip: RoundTrip,
    club: int,
    run: int,
    planned: Planned,
    rows: Rows,
    before: Before,
    *,
    at: datetime,
    read: bool,
) -> Loaded:
    """Write a small plan, in a few round trips: the same as `load`, but for a plan that a person has decided on.

    :param trip: for what is left to write at the end: sent by whoever called.
    :param before: of this transaction.
    """
    sql, basis, plan, snapshot = queries(), planned.basis, planned.plan, planned.basis.snapshot
    index = basis.record_index
    if index is None:
        assert before.index is not None  # it was asked for
        index = record_index.put_together(before.index.value)
    if not before.has_tables.value:
        sql.make_plan_tables(driver)
    written = customers.write_groups(driver, club, basis, at)
    numbers = sql.group_numbers(driver, club=club) if basis.groups_changed else before.numbers.value
    if unknown := rows.groups - {row["id"] for row in numbers}:
        raise KeyError(f"{len(unknown)} automatic groups of the plan are not there")
    now = RoundTrip(driver)
    first = before.first.value if before.first is not None else None
    updated, accepted = _add_customers(now, club, rows, first, at)
    if rows.changes is not None:
        now.add(sql.enter_feed, club=club, run=run)
        now.add(sql.add_changes, club=club, run=run, first=first, rows=rows.changes, at=at)
    _add_records(now, club, rows, snapshot)
    ids, found = rows.evaluated, rows.found
    now.add(sql.close_settled_findings, club=club, run=run, at=at, ids=ids, rows=found)
    now.add(sql.open_found_findings, club=club, run=run, at=at, rows=found)
    changed = plan.records["erp_id"]
    compared = None
    if 0 < len(changed) <= similar_pairs.FEW:
        compared = similar_pairs.add_compared(now, club, basis.policy, changed.to_list(), rows.keys)
    suspected = None
    if plan.suspected.is_empty() and snapshot.certified:
        suspected = suspicions.add_settled(now, club)
    now.send()
    written += rows.added + rows.changed + updated.value + accepted.value
    note, hold = None, None
    if compared is None or not similar_pairs.update_few(trip, club, run, compared, at):
        note = similar_pairs.update_pairs(
            driver, club, run, basis.policy, changed, at, first=index.is_empty()
        )
    if planned.held.height or before.hold.value is not None:
        hold = holds.update_hold(driver, club, run, planned.held, at, planned.limit)
    if suspected is None:
        suspected = Answer.of(suspicions.update_suspicions(driver, club, planned, at, read=read))
    _add_index(driver, trip, club, index, rows.patch)
    next_recheck = record_index.earliest(index, rows.patch)
    _add_settled(trip, club, planned, [row["erp_id"] for row in before.unsettled.value], at)
    trip.add(sql.club_loaded, club=club, **_watermark(planned, next_recheck, at, read=read))
    notes = (note,) if note else ()
    return Loaded(rows_written=written, hold=hold, suspected=suspected.value, notes=notes)


def _watermark(
    planned: Planned, next_recheck: date | None, at: datetime, *, read: bool
) -> dict[str, Any]:
    """What `club_loaded` says of a plan that is loaded."""
    basis, snapshot = planned.basis, planned.basis.snapshot
    # the base stands on this content only if nothing was deferred, or older than what was known
    settled = snapshot.certified and planned.plan.deferred.is_empty() and basis.newer.is_empty()
    return {
        "at": at,
        "snapshot": snapshot.number,
        "certified": snapshot.certified,
        "as_of": snapshot.as_of,
        "rows": snapshot.rows,
        "content_hash": snapshot.content_hash if settled else None,
        "next_recheck": next_recheck,
        "policy_hash": basis.policy_hash if snapshot.certified else None,
        "moved": True,
        "newer": True,
        "read": read,
    }


def _add_customers(
    trip: RoundTrip, club: int, rows: Rows, first: int | None, at: datetime
) -> tuple[Answer[int], Answer[int]]:
    """:returns: how many known ones were written, and how many requests were accepted (R11)."""
    sql, updated = queries(), Answer.of(0)
    if rows.known is not None:
        trip.add(sql.stage_customers, club=club, rows=rows.known)
        if rows.relinked:
            trip.add(sql.link_users, club=club)
    if rows.new is not None:
        assert first is not None  # it was asked for
        trip.add(sql.add_customers, club=club, first=first, rows=rows.new, at=at)
        trip.add(sql.link_new_users, club=club, first=first)
    if rows.known is not None:
        updated = trip.add(sql.update_customers, club=club, at=at)
    if rows.known is None and rows.new is None:
        return updated, Answer.of(0)
    return updated, trip.add(sql.accept_matching_requests, club=club, at=at)


def _add_records(trip: RoundTrip, club: int, rows: Rows, snapshot: SnapshotHead) -> None:
    sql, as_of, number = queries(), snapshot.as_of, snapshot.number
    if rows.first_seen is not None:
        trip.add(sql.add_records, club=club, rows=rows.first_seen, as_of=as_of, snapshot=number)
    if rows.again is not None:
        trip.add(sql.stage_records, rows=rows.again)
    if rows.seen:
        trip.add(sql.update_records, club=club, as_of=as_of, snapshot=number)
    if rows.vanished:
        trip.add(sql.mark_records_missing, club=club, as_of=as_of, snapshot=number)


def _add_index(
    driver: Driver, trip: RoundTrip, club: int, index: pl.DataFrame, patch: pl.DataFrame
) -> None:
    if (whole := record_index.packed_whole(index, patch)) is not None:
        trip.add(queries().write_record_index, club=club, vector=whole)
    else:
        record_index.write_patch(driver, club, index, patch)


def _add_settled(
    trip: RoundTrip, club: int, planned: Planned, waiting: Collection[str], at: datetime
) -> None:
    """What is settled awaits nothing any more.

    :param waiting: records that an earlier load has left unsettled.
    """
    sql, basis = queries(), planned.basis
    if basis.rechecks and basis.snapshot.certified:
        trip.add(sql.clear_rechecks, club=club, upto=basis.rechecks)
    trip.add(sql.delete_spent_decisions, club=club, now=at)
    trip.add(sql.delete_spent_identities, club=club)
    if waiting:
        spoken_of = set(planned.plan.evaluated)
        ids = [erp_id for erp_id in waiting if erp_id in spoken_of]
        trip.add(sql.drop_unsettled, club=club, ids=ids)
    for ids, why in _left(planned):
        trip.add(sql.recheck_records, club=club, ids=ids, why=why)


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
    for ids, why in _left(planned):
        queries().recheck_records(driver, club=club, ids=ids, why=why)


def _left(planned: Planned) -> list[tuple[list[str], str]]:
    """Records that the next sync is asked to evaluate, and why."""
    left = {
        "left unsettled": sorted({*planned.basis.conflicting_ids, *planned.plan.deferred}),
        # R14: what moved around somebody on a page that did not come may have changed their case too, which their
        # own row will not say
        "not shown": planned.unseen.to_list(),
    }
    return [(ids, why) for why, ids in left.items() if ids]
