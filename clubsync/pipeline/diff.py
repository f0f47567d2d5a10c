"""Diff: plan what has to change in each club's base; what the guard holds is set apart (R15).

The plan is stored whole (`model.Planned`), with one row of sync.plan per run: the object that a dry run
shows, that a person approves, and that is loaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from clubsync import clock
from clubsync.diff import guard, plan
from clubsync.diff.together import PlanInput, plans
from clubsync.errors import ConcurrentChange
from clubsync.model import CONFLICTING, HELD, MISSING, MOVED, UNSEEN, Affected, Plan, Planned, Step
from clubsync.pipeline.runs import Runs, run_of
from clubsync.pipeline.validate import affected_of, evaluate
from clubsync.store import packages
from clubsync.store.database import Driver, fetch, queries
from clubsync.store.packages import AFFECTED, PLAN

#: How often a plan is made again before the run gives up.
ATTEMPTS = 3
#: Affected records up to which a club is planned together with others, and how many such clubs are held in memory.
SMALL, AT_ONCE = 2_000, 500

log = logging.getLogger(__name__)


def diff_batch(runs: Runs, steps: Sequence[Step], *, store: bool) -> None:
    """Plan a batch of clubs: the small ones at once, a large one as soon as it is read, to keep one in memory.

    :param store: see `diff`.
    """
    small = dict[int, PlanInput]()
    for step in steps:
        runs.stage("diff", step, lambda one: _begin(runs, one, small, store=store))
    _plan_together(runs, small)
    for step in steps:
        if step["run"] in small:
            runs.stage("diff", step, lambda one: diff(runs, one, store=store))


def _begin(runs: Runs, step: Step, small: dict[int, PlanInput], *, store: bool) -> None:
    """Read what a club's plan is made from; add it to those of the `small` clubs, or plan it now."""
    found = affected_of(runs, step)
    if found is None:
        return
    runs.handed(step).affected = found
    if found.records.height > SMALL or len(small) == AT_ONCE:
        diff(runs, step, store=store)
        return
    proof = found.basis.snapshot.proof
    small[run_of(step)] = PlanInput(
        found.records, found.findings, found.base, proof, found.confirmed
    )


def _plan_together(runs: Runs, small: Mapping[int, PlanInput]) -> None:
    """Plan small clubs at once, by run. Where that fails each is planned alone, and only its own error is its (R25)."""
    if len(small) < 2:
        return
    try:
        made = plans(small)
    except Exception as error:
        log.error(
            "%d clubs could not be planned together (%s); each is now planned alone.",
            *(len(small), type(error).__name__),
        )
        return
    for run, plan_of_run in made.items():
        runs.handed_by(run).plan = plan_of_run


def diff(runs: Runs, step: Step, *, store: bool) -> None:
    """Plan one club.

    :param store: another process loads it, or none does: store the plan. Else `load` stores it.
    :raises ConcurrentChange: the base was changed again and again meanwhile.
    """
    for _ in range(ATTEMPTS):
        found = affected_of(runs, step)
        if found is None:
            return
        handed = runs.handed(step)
        # the plan says it all, and a large club's facts are large
        handed.affected, handed.stored = None, False
        handed.planned = make_plan(runs, step, found)
        handed.plan = None
        if not store or store_plan(runs, step, handed.planned):
            return
        evaluate(runs, step)
    raise changed_again(step)


def changed_again(step: Step) -> ConcurrentChange:
    """The base was changed whenever a plan was ready."""
    return ConcurrentChange(
        f"{step['name']}: the club's base was changed {ATTEMPTS} times while a plan was loaded.",
        remedy="Nothing was written; the next run tries again by itself.",
    )


def store_plan(runs: Runs, step: Step, planned: Planned) -> bool:
    """Store a plan, with its row; False: the base has changed since it was made, and it is not stored.

    It is written under the club's lock: an erasure comes before it, and the plan is made again, or after it, and finds
    it (R20).
    """
    with runs.base.club(runs.club_no(runs.club(step))) as driver:
        if not is_current(runs, driver, step, planned):
            return False
        write_plan(runs, step, planned)
        step["plan"] = add_plan(runs, driver, step, planned)
        # the plan is what counts now; were it lost, it would be made again from the snapshot
        runs.store.remove_file(_folder(step), AFFECTED)
    runs.handed(step).stored = True
    return True


def is_current(runs: Runs, driver: Driver, step: Step, planned: Planned) -> bool:
    """Take the club's lock, and say whether its base is still as it was when the plan was made."""
    sql, club_no = queries(), runs.club_no(runs.club(step))
    sql.lock_club(driver, club=club_no)
    return sql.club_state(driver, club=club_no)["revision"] == planned.basis.revision


def make_plan(runs: Runs, step: Step, found: Affected) -> Planned:
    """Plan; where the guard holds access losses, plan again with those customers kept (R15)."""
    decision = runs.handed(step).decision
    approved = decision.customers if decision else []
    club = runs.club(step)
    basis, records, base = found.basis, found.records, found.base
    proof = basis.snapshot.proof

    def waiting(made: Plan) -> pl.DataFrame:
        listed = guard.held(made, records)
        return listed.filter(~pl.col("customer").is_in(approved))

    made = runs.handed(step).plan
    if made is None:
        made = plan(records, found.findings, base, proof, found.confirmed)
    held, due = HELD.to_frame(), waiting(made)
    with runs.base.club(runs.club_no(club)) as driver:
        sql, club_no = queries(), runs.club_no(club)
        since = clock.now() - timedelta(hours=24)
        customers = sql.customers_in_group(driver, club=club_no)
        check = guard.limit_check(
            club.guard,
            deactivations=int(due["loses"].sum()),
            last_24_hours=sql.access_lost_since(driver, club=club_no, since=since),
            customers=customers,
            hold_is_open=sql.open_hold(driver, club=club_no) is not None,
        )
        members = _open_members(driver, club_no)
    while check.holds and due.height:
        held = pl.concat([held, due])
        kept = pl.col("keep") | pl.col("customer").is_in(held["customer"].implode())
        made = plan(records, found.findings, base.with_columns(keep=kept), proof, found.confirmed)
        due = waiting(made)
        if due["customer"].is_in(held["customer"].implode()).any():
            raise RuntimeError("The plan takes access from customers whom the guard holds.")
    silent = pl.concat(
        [
            records.filter(pl.col("presence").is_in([UNSEEN, MISSING, CONFLICTING]))["erp_id"],
            made.suspected["erp_id"],
            # R15: somebody whose id turns out to be somebody else's stays on the list
            made.findings.filter(pl.col("code") == "ID_REUSED")["erp_id"],
        ]
    )
    held = pl.concat([held, _silent_members(members, silent, base, held, approved)])
    step["counts"], step["held"] = made.counts(), int(held["loses"].sum())
    step["suspected"] = made.suspected.filter("loss")["erp_id"].n_unique()
    if moving := made.suspected.filter(pl.col("sign") == MOVED).height:
        step["moving"] = moving
    else:
        step.pop("moving", None)
    return Planned(
        basis=basis,
        plan=made,
        held=held,
        unseen=records.filter(pl.col("presence") == UNSEEN)["erp_id"],
        limit=check.limit,
        customers=customers,
    )


def plan_of(runs: Runs, step: Step) -> Planned | None:
    """What `diff` has handed on; None: nothing of the club has changed.

    :raises SnapshotUnreadable: the stored plan cannot be read.
    """
    if step.get("unchanged"):
        return None
    handed = runs.handed(step)
    if handed.planned is None and step["plan"] is not None:
        package = packages.read(runs.store, _folder(step), PLAN)
        handed.planned, handed.stored = packages.unpack(Planned, package), True
    return handed.planned


def write_plan(runs: Runs, step: Step, planned: Planned) -> None:
    """Store the plan's frames."""
    packages.write(runs.store, _folder(step), PLAN, packages.pack(planned))


def add_plan(runs: Runs, driver: Driver, step: Step, planned: Planned) -> int:
    """Write the row of a stored plan, over the run's earlier row where it was planned again; its number.

    :param driver: inside a transaction of the club.
    """
    number = queries().add_plan(
        driver,
        club=runs.club_no(runs.club(step)),
        run=run_of(step),
        snapshot=planned.basis.snapshot.number,
        made_at=clock.now(),
        revision=planned.basis.revision,
        list_hash=list_hash(planned),
        counts=json.dumps(step["counts"]),
        customers=planned.customers,
        held=int(planned.held["loses"].sum()),
        path=_folder(step),
    )
    assert number is not None  # one of the two has written it
    return number


def _folder(step: Step) -> str:
    return packages.folder(step["club"], run_of(step))


def _open_members(driver: Driver, club_no: int) -> pl.DataFrame:
    """Members of the club's open hold: `HELD`."""
    members = fetch(driver, queries().open_members, {**HELD, "row_hash": pl.Int64()}, club=club_no)
    return members.with_columns(pl.col("row_hash").reinterpret(signed=False))


def _silent_members(
    members: pl.DataFrame,
    silent: pl.Series,
    base: pl.DataFrame,
    held: pl.DataFrame,
    approved: Sequence[int],
) -> pl.DataFrame:
    """R15: members of the open hold about whom this snapshot says nothing: they stay held (R14).

    :param silent: erp_ids of the records that it says nothing of.
    """
    theirs = base.filter(pl.col("erp_id").is_in(silent.implode()))["customer"]
    known = pl.concat([held["customer"], pl.Series("customer", approved, dtype=pl.Int64)])
    # somebody without a record is on the list because of the one that takes their email
    with_record = base.filter(pl.col("erp_id").is_not_null())["customer"]
    of_another = pl.col("erp_id").is_in(silent.implode()) & ~pl.col("customer").is_in(
        with_record.implode()
    )
    return members.filter(
        (pl.col("customer").is_in(theirs.implode()) | of_another)
        & ~pl.col("customer").is_in(known.implode())
    )


def list_hash(planned: Planned) -> str:
    """The hash by which a person names a plan: 16 hex digits over ids and kinds."""
    listed = planned.plan.changes.select("kind", "customer", "erp_id", "reason")
    digest = hashlib.sha256()
    # part by part, for the text of a million is large
    for part in listed.sort("kind", "customer", "erp_id").iter_slices(100_000):
        digest.update(part.write_ndjson().encode())
    return digest.hexdigest()[:16]
