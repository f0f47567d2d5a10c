"""Load a plan: one transaction per club, set-based, with the audit in it (R16 to R18).

Killed anywhere, nothing of it is there; run again, it ends the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync.diff import guard
from clubsync.load import similar_pairs
from clubsync.load.index_patch import index_patch
from clubsync.model import UNSEEN, VANISHED, Plan
from clubsync.store import record_index
from clubsync.store.database import (
    Driver,
    alone_with,
    copying,
    copying_new,
    fetch,
    indexed_after,
    queries,
)
from clubsync.validate.affected import Affected

if TYPE_CHECKING:
    from clubsync.model import Decision


@dataclass(frozen=True)
class Loaded:
    """What a load wrote.

    :param rows_written: rows of schema base, and audit rows (R17).
    """

    rows_written: int
    hold: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def load(
    driver: Driver,
    club: int,
    run: int,
    affected: Affected,
    plan: Plan,
    held: pl.DataFrame,
    *,
    at: datetime,
    limit: int,
    policy_hash: str,
    decision: Decision | None = None,
    read: bool = True,
) -> Loaded:
    """Write a plan.

    :param driver: inside the club's transaction, which holds the club's lock, and in which the
        revision was found to be that of `affected`.
    :param held: `HELD`: deactivations that wait for a person; not in the plan.
    :param read: the snapshot was read just now, and is no stored one taken up again.
    """
    sql = queries()
    plan = _numbered_customers(driver, plan)
    alone = _alone(driver, affected, plan)
    written = _groups(driver, club, affected, at)
    # whatever is not the data base's own work is done beside it, in the order in which it is asked for
    with ThreadPoolExecutor(max_workers=1) as beside:
        customers = _customers(driver, club, plan, at, alone, beside)
        changes = _audit(driver, run, plan.changes, at, decision, beside=beside, alone=alone)
        records = _records(driver, club, affected, plan, alone, beside)
        findings = _findings(driver, club, run, affected, plan, at, beside)
        learnt = beside.submit(_learnt, affected, plan)
        wrote, linked = customers()
        written += wrote + changes()
        if linked:
            sql.audit_links(driver, club=club, run=run)
        records()
        findings()
    note = similar_pairs.follow(driver, club, run, affected, plan.records["erp_id"], at)
    hold = _hold(driver, club, run, held, at, limit)
    patch, next_recheck = learnt.result()
    record_index.write_patch(driver, club, affected.record_index, patch)
    snapshot = affected.snapshot
    # a partial snapshot may not have shown who was to be looked at again: they stay on the list
    if affected.rechecks and snapshot.certified:
        sql.clear_rechecks(driver, club=club, upto=affected.rechecks)
    sql.delete_spent_decisions(driver, club=club, now=at)
    _look_again(driver, club, affected, plan)
    # the base stands on this content only if nothing of it had to wait, or was older than what we knew
    settled = snapshot.certified and plan.deferred.is_empty() and affected.newer.is_empty()
    sql.club_loaded(
        driver,
        club=club,
        at=at,
        snapshot=snapshot.number,
        certified=snapshot.certified,
        as_of=snapshot.as_of,
        rows=snapshot.customers.height,
        content_hash=snapshot.content_hash if settled else None,
        next_recheck=next_recheck,
        policy_hash=policy_hash if snapshot.certified else None,
        moved=True,
        newer=True,
        read=read,
    )
    return Loaded(
        rows_written=written,
        hold=hold,
        notes=(note,) if note else (),
    )


def _alone(driver: Driver, affected: Affected, plan: Plan) -> bool:
    """Whether this is a club's first load, so large that it has the large tables to itself."""
    # somebody known may be about to give up the email that a new one has
    if affected.record_index.height or not plan.customers["new"].all():
        return False
    return alone_with(
        driver,
        {
            "base.customer": plan.customers.height,
            "sync.change": plan.changes.height,
            "sync.erp_customer": plan.records.height,
        },
    )


def _learnt(affected: Affected, plan: Plan) -> tuple[pl.DataFrame, date | None]:
    """What the record index has to learn, and the first day that will then change some record by itself (R3)."""
    patch = index_patch(affected, plan)
    return patch, record_index.earliest(affected.record_index, patch)


def audit(driver: Driver, run: int, changes: pl.DataFrame, at: datetime, by: str) -> int:
    """R18: a row for every change, in the transaction of the change; how many.

    :param changes: `diff.CHANGES`.
    :param by: the person who made them.
    """
    return _audit(driver, run, changes, at, by=by)()


def _audit(
    driver: Driver,
    run: int,
    changes: pl.DataFrame,
    at: datetime,
    decision: Decision | None = None,
    by: str | None = None,
    *,
    beside: Executor | None = None,
    alone: bool = False,
) -> Callable[[], int]:
    """What writes the audit, and says how many rows.

    :param by: None: the sync, but for what a decision approved.
    """

    def rows(part: pl.DataFrame) -> pl.DataFrame:
        actor = pl.lit(by, dtype=pl.String)
        if decision is not None:
            # R18, R15: a deactivation that a person approved bears their name
            theirs = (pl.col("kind") == "deactivation") & pl.col("customer").is_in(
                decision.customers
            )
            actor = pl.when(theirs).then(pl.lit(decision.by)).otherwise(actor)
        return part.with_columns(run=pl.lit(run), at=pl.lit(at), actor=actor)

    copy = copying_new(driver, "sync.change", changes, rows, beside=beside)

    def write() -> int:
        with indexed_after(driver, "sync.change", alone):
            copy()
        return changes.height

    return write


def _look_again(driver: Driver, club: int, affected: Affected, plan: Plan) -> None:
    """Whose case hangs on something that no row hash can tell: an id that came twice with different content,
    a record that waits and was never taken in or was gone when last it was, and who was in question and not
    shown."""
    waiting = plan.deferred
    if waiting.len():
        waiting = waiting.filter(~waiting.is_in(affected.record_index["erp_id"].implode()))
    # R14: what moved around somebody on a page that did not come may have changed their case too, which their
    # own row will not say
    unseen = affected.records.filter(pl.col("presence") == UNSEEN)["erp_id"].to_list()
    if unseen:
        queries().recheck_records(driver, club=club, ids=unseen, why="not shown")
    for erp_id in {*affected.snapshot.conflicting_ids, *waiting}:
        queries().add_recheck(driver, club=club, erp_id=erp_id, email=None, why="left unsettled")


def _numbered_customers(driver: Driver, plan: Plan) -> Plan:
    """Give the new customers their ids, in the plan's order."""
    new = plan.customers["customer"].is_null()
    if not new.any():
        return plan
    first = queries().take_customer_ids(driver, how_many=int(new.sum()))

    def number(frame: pl.DataFrame) -> pl.DataFrame:
        missing = pl.col("customer").is_null()
        return frame.with_columns(
            customer=pl.when(missing)
            .then(first - 1 + missing.cast(pl.Int64).cum_sum())
            .otherwise("customer")
        )

    customers, changes = number(plan.customers), number(plan.changes)
    # both come from one frame in one order; a row beside its neighbour would be a stranger's audit
    added = changes.filter(pl.col("kind") == "addition")["erp_id"]
    if not added.equals(customers.filter(new)["erp_id"]):
        raise AssertionError("the plan's additions and its new customers are not in one order")
    return replace(plan, customers=customers, changes=changes)


def open_findings(driver: Driver, club: int) -> dict[str, int]:
    """What is open and counts as open, by code."""
    return {row["code"]: row["n"] for row in queries().open_finding_counts(driver, club=club)}


def _groups(driver: Driver, club: int, affected: Affected, at: datetime) -> int:
    """Automatic groups, one per ERP group (R4), and the ERP's own list."""
    if not affected.groups_changed:
        return 0
    sql = queries()
    ids, names = affected.groups["id"].to_list(), affected.groups["name"].to_list()
    names = [name or erp_id for erp_id, name in zip(ids, names, strict=True)]
    written: int = sql.add_automatic_groups(driver, club=club, ids=ids, names=names, now=at)
    written += sql.rename_automatic_groups(driver, club=club, ids=ids, names=names)
    as_of = affected.snapshot.as_of
    actives = affected.groups["active"].to_list()
    sql.write_erp_groups(driver, club=club, ids=ids, names=names, actives=actives, as_of=as_of)
    if affected.snapshot.certified:
        sql.unlist_erp_groups(driver, club=club, ids=ids, as_of=as_of)
    return written


def _customers(
    driver: Driver, club: int, plan: Plan, at: datetime, alone: bool, beside: Executor
) -> Callable[[], tuple[int, int]]:
    """What writes the customers, and says how many rows, and how many were linked to a user by their new
    email (R9)."""
    sql, rows = queries(), plan.customers
    if rows.is_empty():
        return lambda: (0, 0)
    group_numbers = {"id": pl.String, "group_id": pl.Int64}
    numbers = dict(fetch(driver, sql.group_numbers, group_numbers, club=club).iter_rows())

    def numbered(part: pl.DataFrame) -> pl.DataFrame:
        return part.with_columns(auto_groups=_numbered(part["groups"], numbers)).drop(
            "groups", "new", "was_in", "was_email"
        )

    def staged(part: pl.DataFrame) -> pl.DataFrame:
        relink = pl.col("email").is_not_null() & pl.col("email").ne_missing(pl.col("was_email"))
        return numbered(part.with_columns(relink=relink))

    def added(part: pl.DataFrame) -> pl.DataFrame:
        return (
            numbered(part)
            .with_columns(
                origin=pl.lit("erp"),
                reason_at=pl.when(pl.col("reason").is_not_null()).then(pl.lit(at)),
                created_at=pl.lit(at),
                updated_at=pl.lit(at),
            )
            .drop("detached")
        )

    new, known = rows.filter("new"), rows.filter(~pl.col("new"))
    stage = copying(driver, "plan_customer", known, staged, beside=beside)
    add = copying_new(driver, "base.customer", new, added, beside=beside)

    def write() -> tuple[int, int]:
        linked = written = 0
        if known.height:
            stage()
            linked = sql.link_users(driver, club=club)
        if new.height:
            with indexed_after(driver, "base.customer", alone):
                add()
            sql.link_new_users(driver, club=club, first=new.select(pl.col("customer").min()).item())
        if known.height:
            written = sql.update_customers(driver, club=club, at=at)
        # R11: who asked to be let in, and is now somebody whom the ERP lets in
        accepted: int = sql.accept_matching_requests(driver, club=club, at=at)
        return new.height + written + accepted, linked

    return write


def _numbered(groups: pl.Series, numbers: Mapping[str, int]) -> pl.Series:
    """Lists of ERP group ids -> sorted lists of our group numbers; each distinct list once."""
    keys = groups.list.join("\x1f")
    table = {
        key: sorted(numbers[part] for part in key.split("\x1f")) if key else []
        for key in keys.unique().to_list()
    }
    lists = pl.DataFrame(
        {"key": list(table), "numbers": list(table.values())},
        schema={"key": pl.String, "numbers": pl.List(pl.Int64)},
    )
    return keys.to_frame("key").join(lists, on="key", how="left", maintain_order="left")["numbers"]


def _json_lists(column: str) -> pl.Expr:
    """Spans of groups as JSON text: id, and the days where there are any."""
    element = pl.element().struct
    begins, ends = element.field("valid_from"), element.field("valid_until")
    undated = pl.struct(element.field("id"))
    dated = pl.struct(element.field("id"), begins.cast(pl.String), ends.cast(pl.String))
    entry = (
        pl.when(begins.is_null() & ends.is_null())
        .then(undated.struct.json_encode())
        .otherwise(dated.struct.json_encode())
    )
    return ("[" + pl.col(column).list.eval(entry).list.join(",") + "]").alias(column)


def _records(
    driver: Driver, club: int, affected: Affected, plan: Plan, alone: bool, beside: Executor
) -> Callable[[], None]:
    """What writes the mirror: what the ERP said of everybody last."""
    rows = plan.records
    sql, as_of, number = queries(), affected.snapshot.as_of, affected.snapshot.number

    def written(part: pl.DataFrame) -> pl.DataFrame:
        return part.with_columns(
            _json_lists("groups"),
            _json_lists("remembered"),
            pl.col("row_hash").reinterpret(signed=True),
        ).drop("presence", "known")

    vanished = pl.col("presence") == VANISHED
    new, known = pl.col("known").not_() & ~vanished, pl.col("known") | vanished
    mark = {"as_of": pl.lit(as_of), "snapshot": pl.lit(number), "first_seen": pl.lit(as_of)}
    fresh, again = rows.filter(new), rows.filter(known)
    add = copying_new(
        driver,
        "sync.erp_customer",
        fresh,
        lambda part: written(part).with_columns(**mark),
        beside=beside,
    )
    stage = copying(
        driver,
        "plan_record",
        again,
        lambda part: written(part.with_columns(vanished=vanished)),
        beside=beside,
    )

    def write() -> None:
        with indexed_after(driver, "sync.erp_customer", alone):
            add()
        stage()
        if (again["presence"] != VANISHED).any():
            sql.update_records(driver, club=club, as_of=as_of, snapshot=number)
        if (again["presence"] == VANISHED).any():
            sql.mark_records_missing(driver, club=club, as_of=as_of, snapshot=number)

    return write


def _findings(
    driver: Driver,
    club: int,
    run: int,
    affected: Affected,
    plan: Plan,
    at: datetime,
    beside: Executor,
) -> Callable[[], None]:
    """What opens and closes findings: they do so by themselves (R22)."""
    sql = queries()
    schema = {
        "finding": pl.Int64,
        "erp_id": pl.String,
        "code": pl.String,
        "severity": pl.String,
        "detail": pl.String,
    }
    looked = pl.concat([plan.evaluated, affected.unknown])
    if affected.everything:
        was = fetch(driver, sql.open_findings_all, schema, club=club)
        theirs = looked.filter(looked.is_in(was["erp_id"].implode()))
        was = was.filter(pl.col("erp_id").is_in(theirs.implode()))
    else:
        ids = json.dumps(looked.unique().to_list())
        was = fetch(driver, sql.open_findings_of, schema, club=club, ids=ids)
    compared = beside.submit(_moved_findings, plan.findings, was)

    def write() -> None:
        fresh, gone = compared.result()
        if gone:
            sql.close_findings(driver, club=club, run=run, at=at, findings=gone)
        if fresh.height:
            copying(driver, "plan_finding", fresh)()
            sql.open_findings(driver, club=club, run=run, at=at)

    return write


def _moved_findings(found: pl.DataFrame, was: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """Findings that are new or say something else now, and the numbers of those that are no more."""
    key = ["erp_id", "code"]
    now = found.unique(key, keep="first", maintain_order=True)
    gone = was.join(now, on=key, how="anti")["finding"].to_list()
    both = now.join(was, on=[*key, "severity"], suffix="_was")
    same = both.filter(_canonical(both["detail"]) == _canonical(both["detail_was"]))
    fresh = now.join(same, on=key, how="anti", maintain_order="left")
    return fresh.select(*key, "severity", "detail"), gone


def _canonical(details: pl.Series) -> pl.Series:
    """JSON text in one spelling, whatever wrote it."""
    table = {d: json.dumps(json.loads(d), sort_keys=True) for d in details.unique().to_list()}
    return details.replace_strict(table, return_dtype=pl.String) if table else details


def _hold(
    driver: Driver, club: int, run: int, held: pl.DataFrame, at: datetime, limit: int
) -> dict[str, Any] | None:
    """Open a hold, let people join and leave the open one, close it when it is empty (R15).

    :returns: the open hold as `sync --json` shows it, or None.
    """
    sql = queries()
    hold = sql.open_hold(driver, club=club)
    if held.is_empty():
        if hold is not None:
            members = [
                m["customer"] for m in sql.current_members(driver, club=club, hold=hold["hold"])
            ]
            version = hold["version"] + 1
            sql.remove_hold_members(
                driver, club=club, hold=hold["hold"], customers=members, version=version
            )
            sql.close_empty_hold(driver, club=club, hold=hold["hold"], at=at)
        return None
    digest, why = guard.list_hash(held["customer"]), guard.causes(held)
    as_json = json.dumps(why)
    before: set[int] = set()
    if hold is None:
        number = sql.add_hold(
            driver, club=club, run=run, at=at, list_hash=digest, causes=as_json, limit_was=limit
        )
        version, changed = 1, True
    else:
        number, version = hold["hold"], hold["version"]
        before = {m["customer"] for m in sql.current_members(driver, club=club, hold=number)}
        changed = bool(
            sql.update_hold_list(driver, club=club, hold=number, list_hash=digest, causes=as_json)
        )
        version += changed
    if changed:
        sql.add_hold_version(
            driver,
            club=club,
            hold=number,
            version=version,
            list_hash=digest,
            size=held.height,
            at=at,
        )
    gone = before - set(held["customer"])
    if gone:
        sql.remove_hold_members(
            driver, club=club, hold=number, customers=list(gone), version=version
        )
    for row in held.with_columns(pl.col("row_hash").reinterpret(signed=True)).iter_rows(named=True):
        if row["customer"] not in before:
            sql.add_hold_member(driver, club=club, hold=number, version=version, **row)
    return {"hold": number, "deactivations": held.height, "causes": why}
