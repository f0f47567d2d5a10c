"""Load: write each club's plan, one transaction per club.

The plan that was stored is the plan that is loaded. It is made again only where somebody wrote to the
club's base in between, which the base's revision tells inside the transaction.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clubsync import clock
from clubsync.diff import guard
from clubsync.errors import BaseUnreachable, SnapshotGone, SyncError
from clubsync.extract.erased import Erased
from clubsync.load import findings, small, transaction
from clubsync.manual import holds
from clubsync.model import Planned, SnapshotHead, Step
from clubsync.pipeline import diff, validate
from clubsync.pipeline.runs import Runs, run_of, snapshot_row
from clubsync.store import snapshots
from clubsync.store.database import Driver, queries
from clubsync.store.round_trip import RoundTrip
from clubsync.validate import affected
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow, WaitingUndosRow

log = logging.getLogger(__name__)

#: How many small plans are made ready at once, and held in memory.
AT_ONCE = 200


def load_batch(runs: Runs, steps: Sequence[Step], dry_run: bool) -> None:
    """Load the plans of a batch, in this order; the rows of small ones are made ready at once.

    A large one is loaded as soon as it is read, to keep one in memory.
    """
    for start in range(0, len(steps), AT_ONCE):
        part = steps[start : start + AT_ONCE]
        ready, loaded = dict[int, Planned](), set[int]()
        if not dry_run:
            for step in part:
                runs.stage("load", step, _make_ready, runs, ready, loaded)
        _rows_together(runs, ready)
        for step in part:
            if step["run"] not in loaded:
                runs.stage("load", step, lambda one: load(runs, one, dry_run))


def _make_ready(step: Step, runs: Runs, ready: dict[int, Planned], loaded: set[int]) -> None:
    """Read a club's plan; add it to those that are `ready` if it is small, or load it now.

    :param loaded: the runs that are loaded.
    """
    if step.get("moving"):
        return  # R29: it may be planned again first
    planned = diff.plan_of(runs, step)
    if planned is None:
        return
    if _by_rows(runs, step, planned):
        ready[run_of(step)] = planned
    else:
        load(runs, step, False)
        loaded.add(run_of(step))


def _rows_together(runs: Runs, ready: Mapping[int, Planned]) -> None:
    """Make the rows of small plans ready, by run. Where that fails it is done for each alone (R25)."""
    if len(ready) < 2:
        return
    try:
        made = small.rows_of(list(ready.values()))
    except Exception as error:
        log.error(
            "The rows of %d clubs could not be made ready together (%s); each is now loaded alone.",
            *(len(ready), type(error).__name__),
        )
        return
    for run, rows in zip(ready, made, strict=True):
        runs.handed_by(run).rows = rows


def load(runs: Runs, step: Step, dry_run: bool) -> None:
    """Load one club's plan.

    :param dry_run: say what would be done; write nothing.
    :raises ConcurrentChange: the base was changed again and again meanwhile.
    """
    club_no = runs.club_no(runs.club(step))
    if have_arrived(runs, step):
        validate.evaluate(runs, step)
        diff.diff(runs, step, store=False)
    for _ in range(diff.ATTEMPTS):
        planned = diff.plan_of(runs, step)
        if dry_run:
            done = _report_dry(runs, step, club_no, planned)
        elif _awaits_review(runs, step, club_no, planned):
            done = _end_with_plan(runs, step, club_no, planned, "held")
            if done and not step.get("again"):
                with runs.base.club(club_no) as driver:
                    queries().first_sync_read(driver, club=club_no)
        else:
            done = _load_once(runs, club_no, step, planned)
        if done:
            break
        # the base was changed since the plan was made
        step["hold"] = None
        validate.evaluate(runs, step)
        diff.diff(runs, step, store=False)
    else:
        raise diff.changed_again(step)
    runs.forget(step)


def have_arrived(runs: Runs, step: Step) -> bool:
    """R29: whether customers who awaited another club of the chain when they were planned were taken over since."""
    moving = step.get("moving", 0)
    if not moving:
        return False
    club_no = runs.club_no(runs.club(step))
    with runs.base.club(club_no) as driver:
        return len(list(queries().moves_under_way(driver, club=club_no))) < moving


def _load_once(runs: Runs, club_no: int, step: Step, planned: Planned | None) -> bool:
    """Load in one transaction; False: the plan is of an older revision.

    :raises BaseUnreachable: the connection was lost, and nothing was loaded.
    """
    try:
        with runs.base.club(club_no) as driver:
            return _loaded(runs, driver, club_no, step, planned)
    except BaseUnreachable:
        # the commit may have been carried out, and only its answer lost
        with suppress(SyncError), runs.base.club(club_no) as driver:
            if _is_loaded(driver, club_no, step):
                return True
        raise


def _is_loaded(driver: Driver, club_no: int, step: Step) -> bool:
    """Whether this run was loaded before; the step then says what came of it.

    A task of Airflow that was killed after its commit may be started again.

    :param driver: inside a transaction of the club.
    """
    sql = queries()
    row = sql.loaded_run(driver, club=club_no, run=run_of(step))
    if row is None:
        return False
    step["plan"], step["counts"], step["rows_written"] = row["plan"], row["counts"], row["rows"]
    step["used"], step["suspected"] = row["used"], row["suspected"]
    hold = sql.open_hold(driver, club=club_no) if row["state"] == "held" else None
    step["hold"], step["held"] = None, 0
    if hold is not None:
        number, causes = hold["hold"], list(hold["causes"])
        members = sql.current_members(driver, club=club_no, hold=number)
        step["held"] = sum(bool(member["loses"]) for member in members)
        step["hold"] = {"hold": number, "deactivations": step["held"], "causes": causes}
    step["findings"] = findings.open_findings(driver, club_no)
    return True


@contextmanager
def _storing(runs: Runs, step: Step, planned: Planned) -> Iterator[Callable[[], None]]:
    """Store a plan that is not stored yet, while PostgreSQL takes it in.

    Inside the transaction that holds the club's lock: no order to erase somebody comes between (R20).

    :returns: waits until it is stored; called before the transaction ends.
    """
    if runs.handed(step).stored:
        yield lambda: None
        return
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing = writer.submit(diff.write_plan, runs, step, planned)
        yield writing.result


def _loaded(
    runs: Runs,
    driver: Driver,
    club_no: int,
    step: Step,
    planned: Planned | None,
) -> bool:
    """Load inside the transaction; False: the plan is of an older revision."""
    if planned is not None and (rows := _rows_of(runs, step, planned)) is not None:
        return _loaded_small(runs, driver, club_no, step, planned, rows)
    sql, at = queries(), clock.now()
    sql.lock_club(driver, club=club_no)
    if _is_loaded(driver, club_no, step):
        return True
    state = sql.club_state(driver, club=club_no)
    if planned is None:
        if not _unchanged(runs, driver, club_no, step, state, at):
            return False
    else:
        head = planned.basis.snapshot
        if planned.basis.revision != state["revision"] or affected.is_old(head, state):
            return False
        if _names_erased(driver, club_no, planned):
            return False
        sql.make_plan_tables(driver)
        with _storing(runs, step, planned) as stored:
            _write(runs, driver, club_no, step, planned, at)
            stored()
        number = step["plan"]
        if number is None or not runs.handed(step).stored:
            number = step["plan"] = diff.add_plan(runs, driver, step, planned)
        sql.plan_loaded(driver, club=club_no, plan=number, at=at)
        if state["reviewed_plan"] is not None and not state["reviewed"]:
            sql.first_sync_reviewed(driver, club=club_no)
        _arrive(runs, driver, club_no, step, head)
    step["held"] = step["hold"]["deactivations"] if step["hold"] else 0
    step["findings"] = findings.open_findings(driver, club_no)
    runs.end(driver, club_no, step, "held" if step["held"] else "done", "load")
    return True


def _rows_of(runs: Runs, step: Step, planned: Planned) -> small.Rows | None:
    """The rows of a small plan, made with those of its batch, or alone; None: it is none, or a person decided on it."""
    if not _by_rows(runs, step, planned):
        return None
    handed = runs.handed(step)
    if handed.rows is None or handed.rows.of is not planned:
        handed.rows = small.rows_of([planned])[0]
    return handed.rows


def _by_rows(runs: Runs, step: Step, planned: Planned) -> bool:
    return runs.handed(step).decision is None and small.is_small(planned)


def _loaded_small(
    runs: Runs, driver: Driver, club_no: int, step: Step, planned: Planned, rows: small.Rows
) -> bool:
    """Load a small plan inside the transaction, in a few round trips; False: it is of an older revision."""
    sql, at, head = queries(), clock.now(), planned.basis.snapshot
    trip = RoundTrip(driver)
    trip.add(sql.lock_club, club=club_no)
    loaded = trip.add(sql.loaded_run, club=club_no, run=run_of(step))
    asked = trip.add(sql.club_state, club=club_no)
    before = transaction.Before.ask(trip, club_no, planned, rows)
    trip.send()
    state = asked.value
    if loaded.value is not None:
        return _is_loaded(driver, club_no, step)
    if planned.basis.revision != state["revision"] or affected.is_old(head, state):
        return False
    if any(before.erased.value) and _names_erased(driver, club_no, planned):
        return False
    number = step["plan"]
    if number is None or not runs.handed(step).stored:
        diff.write_plan(runs, step, planned)
        number = step["plan"] = diff.add_plan(runs, driver, step, planned)
    done = transaction.load_small(
        driver,
        trip,
        club_no,
        run_of(step),
        planned,
        rows,
        before,
        at=at,
        read=not step.get("again"),
    )
    step["rows_written"], step["hold"] = done.rows_written, done.hold
    step["suspected"] = done.suspected
    step["notes"].extend(done.notes)
    step["held"] = done.hold["deactivations"] if done.hold else 0
    # the revision proves that nobody was added or removed since they were counted
    customers = planned.customers + rows.joined
    trip.add(sql.summarise_club, club=club_no, customers=customers, at=at)
    trip.add(sql.add_change_counts, club=club_no, at=at, counts=json.dumps(step["counts"]))
    waiting = trip.add(sql.waiting_undos, club=club_no)
    trip.add(sql.plan_loaded, club=club_no, plan=number, at=at)
    if state["reviewed_plan"] is not None and not state["reviewed"]:
        trip.add(sql.first_sync_reviewed, club=club_no)
    if step["club"] in runs.chains:
        trip.add(sql.moves_arrived, club=club_no, as_of=head.as_of)
    counts = trip.add(sql.open_finding_counts, club=club_no)
    runs.add_end(trip, club_no, step, "held" if step["held"] else "done", "load")
    trip.send()
    step["notes"].extend(_end_waiting(driver, club_no, waiting.value))
    step["findings"] = {row["code"]: row["n"] for row in counts.value}
    return True


def _arrive(runs: Runs, driver: Driver, club_no: int, step: Step, head: SnapshotHead) -> None:
    """R29: whoever moved to the club within its chain is taken over."""
    if step["club"] in runs.chains:
        queries().moves_arrived(driver, club=club_no, as_of=head.as_of)


def _unchanged(
    runs: Runs, driver: Driver, club_no: int, step: Step, state: ClubStateRow, at: datetime
) -> bool:
    """Load a snapshot of which there is nothing to plan; False: there is, as the base is now."""
    try:
        row = snapshot_row(driver, club_no, step)
    except SnapshotGone:
        # where that is not said yet, evaluating it again says so
        return bool(step.get("again")) and not step["used"]
    head = snapshots.head_of(row)
    old = affected.is_old(head, state)
    if (old and runs.handed(step).newest) or (
        not old and state["content_hash"] != head.content_hash
    ):
        return False
    step["used"] = step["used"] and not old
    _move_watermark(driver, club_no, head, state, at, step, newer=not old)
    _arrive(runs, driver, club_no, step, head)
    return True


def _names_erased(driver: Driver, club_no: int, planned: Planned) -> bool:
    """R20: whether a plan is about somebody who is erased. The revision has told already; nothing is taken on trust."""
    erased = Erased.read(driver, club_no)
    named = pl.concat([planned.plan.records["erp_id"], planned.plan.changes["erp_id"]])
    return bool(erased.ids) and any(erased.names(named.drop_nulls().unique()))


def _write(
    runs: Runs, driver: Driver, club_no: int, step: Step, planned: Planned, at: datetime
) -> None:
    sql, decision = queries(), runs.handed(step).decision
    if decision is not None:
        holds.close(driver, club_no, decision, "approved", at)
    done = transaction.load(
        driver,
        club_no,
        run_of(step),
        planned,
        at=at,
        decision=decision,
        read=not step.get("again"),
    )
    step["rows_written"], step["hold"] = done.rows_written, done.hold
    step["suspected"] = done.suspected
    # the revision proves that nobody was added or removed since they were counted
    moved = planned.plan.customers.select(
        pl.col("in_customers_group").cast(int) - pl.col("was_in").fill_null(False).cast(int)
    )
    sql.summarise_club(
        driver, club=club_no, customers=planned.customers + moved.sum().item(), at=at
    )
    sql.add_change_counts(driver, club=club_no, at=at, counts=json.dumps(step["counts"]))
    step["notes"].extend(done.notes)
    waiting = sql.waiting_undos(driver, club=club_no)
    step["notes"].extend(_end_waiting(driver, club_no, waiting))


def _end_waiting(driver: Driver, club_no: int, waiting: Iterable[WaitingUndosRow]) -> list[str]:
    """R18: undos that waited for an email that nobody has any more wait no longer; a sentence on each."""
    sql = queries()
    free = [row for row in waiting if row["holder"] is None]
    if not free:
        return []
    customers = [row["customer"] for row in free]
    sql.delete_waiting_undos(driver, club=club_no, customers=customers)
    sql.recheck_members(driver, club=club_no, customers=customers, why="an email is free again")
    return [
        message(
            f"The email that customer {row['customer']} had before run {row['run']} is free again: "
            f"`clubsync undo {row['run']}` gives it back."
        )
        for row in free
    ]


def _move_watermark(
    driver: Driver,
    club_no: int,
    head: SnapshotHead,
    state: ClubStateRow,
    at: datetime,
    step: Step,
    *,
    newer: bool,
) -> None:
    """Nothing has changed but that the club was read."""
    queries().club_loaded(
        driver,
        club=club_no,
        at=at,
        snapshot=head.number,
        certified=head.certified,
        as_of=head.as_of,
        rows=head.rows,
        content_hash=head.content_hash,
        next_recheck=state["next_recheck"],
        policy_hash=state["policy_hash"],
        moved=False,
        newer=newer,
        read=not step.get("again"),
    )


def _awaits_review(runs: Runs, step: Step, club_no: int, planned: Planned | None) -> bool:
    """R28: whether this is a first sync that a person wants to see before it loads, and has not approved."""
    club = runs.club(step)
    if club.first_sync != "review" or planned is None:
        return False
    with runs.base.club(club_no) as driver:
        state = queries().club_state(driver, club=club_no)
    if state["reviewed"] or state["certified_snapshot"] is not None:
        return False
    list_hash = diff.list_hash(planned)
    if state["reviewed_plan"] == list_hash:
        return False
    added = step["counts"]["addition"]
    step["hold"] = {
        "hold": None,
        "list_hash": list_hash,
        "deactivations": 0,
        "causes": [
            message(
                f"the first sync awaits approval: {added} additions; "
                f"`clubsync clubs approve-first-sync {club.id} --list {list_hash}`"
            )
        ],
    }
    step["held"] = step["held"] or 1
    return True


def _report_dry(runs: Runs, step: Step, club_no: int, planned: Planned | None) -> bool:
    """What would be done, and held, is said; nothing is written but the plan and that there was a run."""
    if planned is not None and planned.held.height:
        step["hold"] = {
            "hold": None,
            "deactivations": int(planned.held["loses"].sum()),
            "causes": guard.causes(planned.held, planned.customers),
        }
    with runs.base.club(club_no) as driver:
        step["findings"] = findings.open_findings(driver, club_no)
    return _end_with_plan(runs, step, club_no, planned, "dry")


def _end_with_plan(
    runs: Runs, step: Step, club_no: int, planned: Planned | None, state: str
) -> bool:
    """End a run whose plan is not loaded: it is stored to be looked at. False: the base has changed since."""
    unstored = planned is not None and not runs.handed(step).stored
    if planned is not None and unstored and not diff.store_plan(runs, step, planned):
        return False
    with runs.base.club(club_no) as driver:
        runs.end(driver, club_no, step, state, "diff")
    return True
