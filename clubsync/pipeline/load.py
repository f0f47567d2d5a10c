"""Load: write each club's plan, one transaction per club.

The plan that was stored is the plan that is loaded. It is made again only where somebody wrote to the
club's base in between, which the base's revision tells inside the transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clubsync import clock
from clubsync.diff import guard
from clubsync.errors import BaseUnreachable, SnapshotGone, SyncError
from clubsync.extract.erased import Erased
from clubsync.load import findings, transaction
from clubsync.manual import holds
from clubsync.model import Planned, SnapshotHead, Step
from clubsync.pipeline import diff, validate
from clubsync.pipeline.runs import Runs, run_of, snapshot_row
from clubsync.store import snapshots
from clubsync.store.database import Driver, queries
from clubsync.validate import affected
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow


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
        with runs.base.club(club_no, plan_tables=planned is not None) as driver:
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
    step["notes"].extend(_end_waiting(driver, club_no))


def _end_waiting(driver: Driver, club_no: int) -> list[str]:
    """R18: undos that waited for an email that nobody has any more wait no longer; a sentence on each."""
    sql = queries()
    free = [row for row in sql.waiting_undos(driver, club=club_no) if row["holder"] is None]
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
