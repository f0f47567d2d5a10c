"""Validate: find the records that a snapshot affects, derive their facts, and find what is wrong with them.

What it makes is stored (`model.Affected`), and `diff` takes it as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.errors import SnapshotGone, SnapshotUnreadable
from clubsync.extract.erased import Erased
from clubsync.model import KINDS, Affected, Policy, SnapshotHead, Step
from clubsync.pipeline.runs import Handed, Runs, counted, run_of, snapshot_row, take_from
from clubsync.store import packages, snapshots
from clubsync.store.database import Driver, queries
from clubsync.store.packages import AFFECTED
from clubsync.validate import affected, facts, suites
from clubsync.validate.policy import policy_hash, policy_of
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow, SnapshotRow

log = logging.getLogger(__name__)

_DELETED = message("The stored snapshot was deleted meanwhile: nothing of it was loaded.")
_HISTORY = message("A newer complete snapshot is loaded already: history only (R16).")


def validate(runs: Runs, steps: Sequence[Step], *, store: bool) -> list[Step]:
    """Evaluate the affected records of many clubs, in one run of Great Expectations.

    :param store: another process continues: store what it needs.
    """
    runs.find_numbers(step["club"] for step in steps)
    out = [runs.stage("validate", step, lambda one: _find_affected(runs, one)) for step in steps]
    made = {
        step["club"]: (runs.handed(step), found)
        for step in out
        if step["error"] is None and (found := runs.handed(step).affected) is not None
    }
    affected_records = {club: found.records.height for club, (_, found) in made.items()}
    try:
        return _evaluated(runs, out, made, store=store)
    finally:
        runs.tell("validate", out, lambda one: _came_to(affected_records.get(one["club"], 0)))


def _came_to(records: int) -> str:
    return counted(records, "affected record") if records else "nothing to do"


def _evaluated(
    runs: Runs, out: list[Step], made: dict[str, tuple[Handed, Affected]], *, store: bool
) -> list[Step]:
    """Evaluate the affected records of these clubs together.

    :param made: club id -> what was found for it.
    """
    if not made:
        return out
    try:
        findings = suites.findings(
            {club: (found.records, found.basis.policy) for club, (_, found) in made.items()}
        )
    except Exception as error:
        # R25: one club's records do not stop the others: alone, only that club fails
        log.error(
            "%d clubs could not be evaluated together (%s); each is now evaluated alone.",
            *(len(made), type(error).__name__),
        )
        return [
            runs.stage("validate", step, lambda one: _evaluate_alone(runs, one, store=store))
            for step in out
        ]
    for club, (handed, found) in made.items():
        handed.affected = replace(found, findings=findings[club])
    if not store:
        return out
    return [runs.stage("validate", step, lambda one: _store(runs, one)) for step in out]


def _evaluate_alone(runs: Runs, step: Step, *, store: bool) -> None:
    """The findings of one club's affected records."""
    handed = runs.handed(step)
    if handed.affected is None:
        return
    _add_findings(handed, step["club"])
    if store:
        _store(runs, step)


def _add_findings(handed: Handed, club: str) -> None:
    found = handed.affected
    if found is not None:
        one = {club: (found.records, found.basis.policy)}
        handed.affected = replace(found, findings=suites.findings(one)[club])


def affected_of(runs: Runs, step: Step) -> Affected | None:
    """What `validate` has handed on; None: nothing of the club has changed.

    :raises SnapshotUnreadable: neither the package nor the snapshot can be read.
    """
    if step.get("unchanged"):
        return None
    found = runs.handed(step).affected
    if found is not None:
        return found
    path = packages.folder(step["club"], run_of(step))
    try:
        return packages.unpack(Affected, packages.read(runs.store, path, AFFECTED))
    except SnapshotUnreadable as error:
        log.warning("%s: %s The snapshot is evaluated again.", step["name"], error.what)
    evaluate(runs, step)
    return runs.handed(step).affected


def evaluate(runs: Runs, step: Step) -> None:
    """Evaluate one club again, from its stored snapshot, as the base is now."""
    step.pop("unchanged", None)
    _find_affected(runs, step)
    _add_findings(runs.handed(step), step["club"])


def _find_affected(runs: Runs, step: Step) -> None:
    club = runs.club(step)
    club_no = runs.club_no(club)
    handed = runs.handed(step)
    handed.affected = handed.plan = None
    # what was planned before, if anything, is not what will be written
    step["counts"], step["held"] = dict.fromkeys(KINDS, 0), 0
    with runs.base.club(club_no) as driver:
        sql = queries()
        state = sql.club_state(driver, club=club_no)
        row = _to_evaluate(driver, club_no, step, state, newest=handed.newest)
        if row is None:
            return
        head = snapshots.head_of(row)
        policy = policy_of(club, head.certified)
        if _is_unchanged(driver, club_no, head, state, policy):
            step["unchanged"] = True
            return
        snapshot = _taken_up(runs, driver, club_no, step, row)
        decided = list(sql.rejected_members(driver, club=club_no))
        undone = list(sql.undone_customers(driver, club=club_no))
        waiting = list(sql.waiting_undos(driver, club=club_no))
        same = list(sql.same_people(driver, club=club_no))
        kept = [one for one in decided if one["until"] > clock.now()]
        over = [one["erp_id"] for one in decided if one not in kept and one["erp_id"]]
        # whether a record is ambiguous depends on others, that need not have an email in common with it
        over += snapshot.ambiguous_ids
        unclear = sql.records_with_finding(driver, club=club_no, code="ID_DUPLICATE")
        over += [row["erp_id"] for row in unclear]
        # another policy counts from a certified snapshot on, which shows everybody
        other_policy = head.certified and state["policy_hash"] != policy_hash(policy)
        found = affected.build(
            driver,
            club_no,
            snapshot,
            policy,
            state,
            everything=other_policy,
            keep={one["customer"]: (one["erp_id"], one["row_hash"]) for one in kept},
            undone={one["customer"]: (one["erp_id"], one["row_hash"]) for one in undone},
            same_person={one["customer"]: (one["erp_id"], one["row_hash"]) for one in same},
            more=[
                *over,
                *(one["erp_id"] for one in same),
                *(one["erp_id"] for one in waiting if one["erp_id"]),
            ],
        )
    found = affected.with_waiting(found, waiting)
    handed.affected = replace(
        found, records=facts.evaluate(found.records, found.basis.groups, found.basis.policy)
    )
    step["notes"].extend(n for n in _absent_groups(found.basis.policy) if n not in step["notes"])
    handed.snapshot = None  # of a large club it is large; what is left to do does not need it


def _to_evaluate(
    driver: Driver, club_no: int, step: Step, state: ClubStateRow, *, newest: bool
) -> SnapshotRow | None:
    """The row of the snapshot that is to be evaluated; None: nothing of the run's own is used any more (R16).

    :param newest: take the newest where a newer one was loaded meanwhile: a decision is carried out on what holds now.
    """
    try:
        row = snapshot_row(driver, club_no, step)
    except SnapshotGone:
        if not step.get("again") or newest:
            raise
        _history(step, _DELETED)
        return None
    if not affected.is_old(snapshots.head_of(row), state):
        return row
    if not newest:
        _history(step, _HISTORY)
        return None
    step["snapshot"] = state["last_snapshot"] or state["certified_snapshot"]
    row = snapshot_row(driver, club_no, step)
    take_from(step, row)
    return row


def _history(step: Step, note: str) -> None:
    """Nothing of the run's snapshot is loaded; the step says why."""
    step["unchanged"], step["used"] = True, False
    if note not in step["notes"]:
        step["notes"].append(note)


def _absent_groups(policy: Policy) -> list[str]:
    """R3: what follows from groups that clubs.yaml names and the ERP does not have."""
    notes = []
    if policy.absent_groups:
        names = ", ".join(sorted(policy.absent_groups))
        notes.append(
            message(
                f"The ERP does not have these groups of former customers that clubs.yaml names: {names}. "
                "Nobody whom they kept out gets access."
            )
        )
    if policy.absent_access_groups:
        names = ", ".join(sorted(policy.absent_access_groups))
        notes.append(
            message(
                f"The ERP does not have these groups that clubs.yaml names in access_groups: {names}. "
                "Nobody who is only in other groups gets access or loses it."
            )
        )
    return notes


def _taken_up(
    runs: Runs, driver: Driver, club_no: int, step: Step, row: SnapshotRow
) -> snapshots.Snapshot:
    """The run's snapshot, from this process or from the store, without whom an order has erased since (R20).

    :param driver: has read the club's state before: an order that comes later moves its revision, so that what is
        planned from this snapshot is not loaded.
    """
    snapshot = runs.handed(step).snapshot
    while snapshot is None:
        try:
            snapshot = snapshots.load(runs.store, step["club"], row)
        except SnapshotUnreadable:
            again = snapshot_row(driver, club_no, step)
            if again["path"] == row["path"]:
                raise
            row = again  # an erasure has moved it
    return Erased.read(driver, club_no, snapshot=row["snapshot"]).of_snapshot(snapshot)


def _is_unchanged(
    driver: Driver, club_no: int, head: SnapshotHead, state: ClubStateRow, policy: Policy
) -> bool:
    sql = queries()
    return affected.is_unchanged(
        head,
        state,
        policy_hash(policy),
        policy.today,
        rechecks=next(iter(sql.rechecks(driver, club=club_no)), None) is not None
        or sql.any_rejection_expired(driver, club=club_no, now=clock.now()),
        held=sql.open_hold(driver, club=club_no) is not None,
    )


def _store(runs: Runs, step: Step) -> None:
    """Store what `diff` needs, unless the base has changed since: `diff` would evaluate the snapshot again anyway.

    It is written under the club's lock: an erasure comes before it, and finds nothing, or after it, and finds it.
    """
    found = runs.handed(step).affected
    if found is None:
        return
    club_no = runs.club_no(runs.club(step))
    with runs.base.club(club_no) as driver:
        queries().lock_club(driver, club=club_no)
        state = queries().club_state(driver, club=club_no)
        if state["revision"] == found.basis.revision:
            path = packages.folder(step["club"], run_of(step))
            packages.write(runs.store, path, AFFECTED, packages.pack(found))
        else:
            runs.handed(step).affected = None
