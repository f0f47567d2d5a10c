"""Find the affected records of a batch of clubs at once: read by a role that sees these clubs (R21), in few statements.

Clubs of which nothing has changed are recognised here, without a transaction of their own. A club that is large, or
that something is odd about, is left to `validate`, which reads it by itself and says what is wrong with it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.extract.erased import Erased
from clubsync.model import COVERED, KINDS, Affected, Policy, Step
from clubsync.pipeline.runs import Runs
from clubsync.store import record_index, snapshots
from clubsync.store.database import Driver, fetch, fetch_rows, queries
from clubsync.store.snapshots import Snapshot
from clubsync.validate import affected
from clubsync.validate.affected import ERP_GROUPS, SUSPICIONS_READ, Club, Decided, nobody
from clubsync.validate.policy import policy_hash, policy_of

if TYPE_CHECKING:
    from clubsync.store.queries import (
        BatchDoubtsRow,
        BatchSnapshotsRow,
        BatchStatesRow,
        WaitingUndosRow,
    )

log = logging.getLogger(__name__)

#: Customers up to which a club is read together with others, and how many of all such clubs are held in memory.
SMALL, AT_ONCE = 20_000, 200_000


@dataclass(frozen=True)
class Decisions:
    """What people decided about a club's customers; see `affected.Club`.

    :param more: erp_ids of records to look at for it.
    :param waiting: rows of `waiting_undos`.
    """

    keep: Decided = field(default_factory=nobody)
    undone: Decided = field(default_factory=nobody)
    same_person: Decided = field(default_factory=nobody)
    more: tuple[str, ...] = ()
    waiting: tuple[WaitingUndosRow, ...] = ()

    @classmethod
    def read(cls, driver: Driver, club_no: int, now: datetime) -> Decisions:
        """:param driver: inside a transaction that sees this club."""
        sql = queries()
        rejected = list(sql.rejected_members(driver, club=club_no))
        undone = list(sql.undone_customers(driver, club=club_no))
        waiting = tuple(sql.waiting_undos(driver, club=club_no))
        same = list(sql.same_people(driver, club=club_no))
        kept = [one for one in rejected if one["until"] > now]
        over = [one["erp_id"] for one in rejected if one not in kept and one["erp_id"]]
        over += [one["erp_id"] for one in same]
        over += [one["erp_id"] for one in waiting if one["erp_id"]]
        return cls(
            keep={one["customer"]: (one["erp_id"], one["row_hash"]) for one in kept},
            undone={one["customer"]: (one["erp_id"], one["row_hash"]) for one in undone},
            same_person={one["customer"]: (one["erp_id"], one["row_hash"]) for one in same},
            more=tuple(over),
            waiting=waiting,
        )


@dataclass(frozen=True)
class _Touched:
    """A club that something has changed of."""

    step: Step
    number: int
    state: BatchStatesRow
    row: BatchSnapshotsRow
    doubts: BatchDoubtsRow
    policy: Policy


def reset(runs: Runs, step: Step) -> None:
    """Forget what was planned before, if anything: it is not what will be written."""
    handed = runs.handed(step)
    handed.affected = handed.plan = None
    step["counts"], step["held"] = dict.fromkeys(KINDS, 0), 0


def find(runs: Runs, steps: Sequence[Step]) -> dict[int, Affected | None]:
    """What is affected of the clubs that can be read together, by run; None: nothing of the club has changed.

    Whatever goes wrong here goes wrong again where the club is read by itself, and is its own error then (R25).
    """
    found = dict[int, Affected | None]()
    clubs = {
        number: step
        for step in steps
        if step["error"] is None
        and step.get("past") != COVERED
        and step["run"] is not None
        and step["snapshot"] is not None
        and (number := runs.number_of(step["club"])) is not None
    }
    if len(clubs) < 2:
        return found
    try:
        with runs.base.clubs(clubs) as driver:
            for part in _parts(_touched(runs, driver, clubs, found)):
                _find_part(runs, driver, part, found)
    except Exception as error:
        log.error(
            "%d clubs could not be read together (%s); each is now read alone.",
            *(len(clubs) - len(found), type(error).__name__),
        )
    return found


def _touched(
    runs: Runs, driver: Driver, clubs: Mapping[int, Step], found: dict[int, Affected | None]
) -> list[_Touched]:
    """The small clubs that something has changed of; of which nothing has is noted in `found`."""
    sql, now, numbers = queries(), clock.now(), list(clubs)
    # before all of the rest: what changes later moves the revision
    states = {row["club"]: row for row in sql.batch_states(driver, clubs=numbers)}
    taken = [step["snapshot"] or 0 for step in clubs.values()]
    rows = {row["club"]: row for row in sql.batch_snapshots(driver, clubs=numbers, snapshots=taken)}
    doubts = {row["club"]: row for row in sql.batch_doubts(driver, clubs=numbers, now=now)}
    touched = []
    for number, step in clubs.items():
        if number not in states or number not in rows or rows[number]["customers"] > SMALL:
            continue
        state, row = states[number], rows[number]
        head = snapshots.head_of(row)
        if affected.is_old(head, state):
            continue
        one = _Touched(
            step, number, state, row, doubts[number], policy_of(runs.club(step), head.certified)
        )
        if affected.is_unchanged(
            head,
            state,
            policy_hash(one.policy),
            one.policy.today,
            rechecks=one.doubts["rechecks"],
            held=one.doubts["held"],
        ):
            found[step["run"] or 0] = None
        else:
            touched.append(one)
    return touched


def _parts(touched: Sequence[_Touched]) -> Iterator[list[_Touched]]:
    """The clubs in parts that fit into memory."""
    part, rows = list[_Touched](), 0
    for one in touched:
        if part and rows + one.row["customers"] > AT_ONCE:
            yield part
            part, rows = [], 0
        part.append(one)
        rows += one.row["customers"]
    if part:
        yield part


def _find_part(
    runs: Runs,
    driver: Driver,
    touched: Sequence[_Touched],
    found: dict[int, Affected | None],
) -> None:
    """Add what is affected of these clubs to `found`, but of those whose snapshot cannot be read."""
    snapshot_of = dict[int, Snapshot]()
    for one in touched:
        # an erasure may have moved it
        with suppress(Exception):
            snapshot_of[one.number] = _taken_up(runs, driver, one)
    part = [one for one in touched if one.number in snapshot_of]
    if not part:
        return
    known = _Known(driver, [one.number for one in part])
    clubs, waiting = [], []
    for one in part:
        club, undos = _club(driver, one, snapshot_of[one.number], known)
        clubs.append(club)
        waiting.append(undos)
    made = affected.build_all(driver, clubs)
    for one, its, undos in zip(part, made, waiting, strict=True):
        found[one.step["run"] or 0] = affected.with_waiting(its, undos)


def _taken_up(runs: Runs, driver: Driver, one: _Touched) -> Snapshot:
    """The snapshot, without whom an order has erased since (R20)."""
    snapshot = runs.handed(one.step).snapshot
    if snapshot is None:
        snapshot = snapshots.load(runs.store, one.step["club"], one.row)
    if not one.doubts["erasures"]:
        return snapshot
    return Erased.read(driver, one.number, snapshot=one.row["snapshot"]).of_snapshot(snapshot)


def _club(
    driver: Driver, one: _Touched, snapshot: Snapshot, known: _Known
) -> tuple[Club, Sequence[WaitingUndosRow]]:
    """What is known of a club, and its undos that wait."""
    number, sql = one.number, queries()
    decisions = Decisions()
    if one.doubts["decided"]:
        decisions = Decisions.read(driver, number, clock.now())
    unclear = list[str]()
    if one.doubts["unclear"]:
        rows = sql.records_with_finding(driver, club=number, code="ID_DUPLICATE")
        unclear = [row["erp_id"] for row in rows]
    club = Club(
        number,
        snapshot,
        one.policy,
        one.state["revision"],
        stored=known.groups.get(number, known.no_groups),
        index=known.indexes.get(number, known.no_index),
        rechecks=known.rechecks.get(number, []),
        held=known.held.get(number, []),
        suspicions=known.suspicions.get(number, known.no_suspicions),
        everything=is_other_policy(one.state["policy_hash"], one.policy),
        keep=decisions.keep,
        undone=decisions.undone,
        same_person=decisions.same_person,
        more=[*snapshot.ambiguous_ids, *unclear, *decisions.more],
    )
    return club, decisions.waiting


def is_other_policy(known: str | None, policy: Policy) -> bool:
    """Whether every record is evaluated: another policy counts from a certified snapshot on, which shows everybody.

    :param known: the hash of the policy that counted last.
    """
    return policy.certified and known != policy_hash(policy)


class _Known:
    """What the base knows of clubs, by their numbers."""

    no_groups = pl.DataFrame(schema=ERP_GROUPS)
    no_index = record_index.RECORD_INDEX.to_frame()
    no_suspicions = pl.DataFrame(schema=SUSPICIONS_READ)

    def __init__(self, driver: Driver, numbers: list[int]) -> None:
        sql = queries()
        self.groups = _by_club(driver, sql.batch_groups, ERP_GROUPS, numbers)
        self.suspicions = _by_club(driver, sql.batch_suspicions, SUSPICIONS_READ, numbers)
        self.rechecks: dict[int, list[Any]] = _listed(sql.batch_rechecks(driver, clubs=numbers))
        self.held: dict[int, list[Any]] = _listed(sql.batch_held(driver, clubs=numbers))
        parts = fetch_rows(driver, sql.batch_record_index, clubs=numbers)
        self.indexes = {
            club: record_index.put_together([packed for _, packed in own])
            for club, own in groupby(parts, key=lambda part: part[0])
        }


def _listed(rows: Iterator[Any]) -> dict[int, list[Any]]:
    listed = dict[int, list[Any]]()
    for row in rows:
        listed.setdefault(row["club"], []).append(row)
    return listed


def _by_club(
    driver: Driver, query: Any, schema: Mapping[str, Any], numbers: Sequence[int]
) -> dict[int, pl.DataFrame]:
    rows = fetch(driver, query, {"club": pl.Int64, **schema}, clubs=numbers)
    parts = rows.partition_by("club", as_dict=True, include_key=False, maintain_order=True)
    return {club: part for (club,), part in parts.items()}
