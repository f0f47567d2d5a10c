"""Validate: find the records that a snapshot affects, derive their facts, and find what is wrong with them.

What it makes is stored (`model.Affected`), and `diff` takes it as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.errors import SnapshotGone, SnapshotUnreadable
from clubsync.extract.erased import Erased
from clubsync.model import Affected, Policy, SnapshotHead, Step
from clubsync.pipeline import batch
from clubsync.pipeline.runs import Handed, Runs, counted, run_of, snapshot_row, take_from
from clubsync.store import packages, snapshots
from clubsync.store.database import Driver, queries
from clubsync.store.packages import AFFECTED
from clubsync.validate import affected, together
from clubsync.validate.policy import policy_hash, policy_of
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow, SnapshotRow

log = logging.getLogger(__name__)

_DELETED = message("The stored snapshot was deleted meanwhile: nothing of it was loaded.")
_HISTORY = message("A newer complete snapshot is loaded already: history only (R16).")


def validate(runs: Runs, steps: Sequence[Step], *, store: bool) -> list[Step]:
    """Evaluate the affected records of many clubs: in one frame, and in one run of Great Expectations.

    :param store: another process continues: store what it needs.
    """
    runs.find_numbers(step["club"] for step in steps)
    found = batch.find(runs, steps)
    out = [runs.stage("validate", step, lambda one: _begin(runs, one, found)) for step in steps]
    made = {
        step["club"]: (runs.handed(step), its)
        for step in out
        if step["error"] is None and (its := runs.handed(step).affected) is not None
    }
    affected_records = {club: its.records.height for club, (_, its) in made.items()}
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
        evaluated = together.evaluated({club: found for club, (_, found) in made.items()})
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
    for club, (handed, _) in made.items():
        handed.affected = evaluated[club]
    if not store:
        return out
    return [runs.stage("validate", step, lambda one: _store(runs, one)) for step in out]


def _evaluate_alone(runs: Runs, step: Step, *, store: bool) -> None:
    """Facts and findings of one club's affected records."""
    if runs.handed(step).affected is None:
        return
    _evaluate_found(runs.handed(step), step["club"])
    if store:
        _store(runs, step)


def _evaluate_found(handed: Handed, club: str) -> None:
    if handed.affected is not None:
        handed.affected = together.evaluated({club: handed.affected})[club]


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
    _evaluate_found(runs.handed(step), step["club"])


def _begin(runs: Runs, step: Step, found: Mapping[int, Affected | None]) -> None:
    """:param found: see `batch.find`; a club that is not in it is read by itself."""
    if run_of(step) not in found:
        _find_affected(runs, step)
        return
    batch.reset(runs, step)
    _take(runs, step, found[run_of(step)])


def _take(runs: Runs, step: Step, found: Affected | None) -> None:
    """:param found: what is affected; None: nothing of the club has changed."""
    if found is None:
        step["unchanged"] = True
        return
    handed = runs.handed(step)
    handed.affected = found
    step["notes"].extend(n for n in _absent_groups(found.basis.policy) if n not in step["notes"])
    handed.snapshot = None  # of a large club it is large; what is left to do does not need it


def _find_affected(runs: Runs, step: Step) -> None:
    club = runs.club(step)
    club_no = runs.club_no(club)
    batch.reset(runs, step)
    with runs.base.club(club_no) as driver:
        sql = queries()
        state = sql.club_state(driver, club=club_no)
        row = _to_evaluate(driver, club_no, step, state, newest=runs.handed(step).newest)
        if row is None:
            return
        head = snapshots.head_of(row)
        policy = policy_of(club, head.certified)
        if _is_unchanged(driver, club_no, head, state, policy):
            _take(runs, step, None)
            return
        snapshot = _taken_up(runs, driver, club_no, step, row)
        decisions = batch.Decisions.read(driver, club_no, clock.now())
        unclear = sql.records_with_finding(driver, club=club_no, code="ID_DUPLICATE")
        found = affected.build(
            driver,
            club_no,
            snapshot,
            policy,
            state,
            everything=batch.is_other_policy(state["policy_hash"], policy),
            keep=decisions.keep,
            undone=decisions.undone,
            same_person=decisions.same_person,
            # whether a record is ambiguous depends on others, that need not have an email in common with it
            more=[*snapshot.ambiguous_ids, *(row["erp_id"] for row in unclear), *decisions.more],
        )
    _take(runs, step, affected.with_waiting(found, decisions.waiting))


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
