"""R18: undo a run from its audit: apply the inverse plan, guarded, skipping customers that changed since; and redo.

What was undone does not come back from the same ERP state (finding UNDONE): only when the ERP record
changes, or when somebody runs redo.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.config import ClubConfig, Config
from clubsync.diff import guard
from clubsync.errors import ActionRejected
from clubsync.load.audit import audit
from clubsync.manual.action import BY_HAND, Action, start_action
from clubsync.model import FIELDS, KINDS
from clubsync.store.database import Base, Driver, copying, queries
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ChangesToUndoRow

_STATE = (
    "erp_id",
    "email",
    "email_raw",
    "first_name",
    "last_name",
    "phone",
    "in_customers_group",
    "groups",
    "reason",
    "detached",
    "linked_user",
)
#: How a person calls the parts of a state.
_NAMES = {
    "erp_id": message("ERP id"),
    "email": message("email address"),
    "email_raw": message("email address"),
    "first_name": message("first name"),
    "last_name": message("last name"),
    "phone": message("phone number"),
    "in_customers_group": message("access to the app"),
    "groups": message("ERP groups"),
    "reason": message("reason for having no access"),
    "detached": message("detachment by hand"),
    "linked_user": message("app account"),
}
#: The kind of the inverse change, where it differs.
_INVERSE = {
    "addition": "deactivation",
    "deactivation": "reactivation",
    "reactivation": "deactivation",
}
_ADDED = {"in_customers_group": False, "groups": [], "reason": "undone"}


@dataclass
class Inverse:
    """The inverse plan of a run.

    :param rows: customer -> its state after the undo.
    :param changes: audit rows: customer, erp_id, kind, before, after.
    :param skipped: customers that stay as they are, each with the reason.
    :param had_access: customers who are in the Customers group now.
    :param waiting: those of the skipped who only lack an email that another has by now; and the ERP id that had
        adopted them, if it had.
    """

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    had_access: set[int] = field(default_factory=set)
    waiting: dict[int, str | None] = field(default_factory=dict)

    def deactivated(self) -> list[int]:
        """Customers who would leave the Customers group."""
        return [
            customer
            for customer, row in self.rows.items()
            if customer in self.had_access and not row["in_customers_group"]
        ]


@dataclass(frozen=True)
class Redone:
    """:param kinds: audit rows by kind.
    :param rows_written: rows of schema `base` and audit rows.
    """

    club: ClubConfig
    kinds: dict[str, int]
    rows_written: int


def club_of_run(base: Base, config: Config, run: int) -> tuple[ClubConfig, int]:
    """The club of a run, and the club's number in the database.

    :raises ActionRejected: there is no such run.
    """
    with base.reader() as driver:
        row = queries().find_run(driver, run=run)
    if row is None:
        raise ActionRejected(
            f"There is no run {run}.",
            remedy="`clubsync changes CLUB` lists runs and their changes.",
        )
    return config.club(row["club_id"]), row["club"]


def undo(
    base: Base,
    config: Config,
    run: int,
    *,
    dry_run: bool = False,
    list_hash: str | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """Undo a run.

    :param list_hash: approves that the customers on this list lose access, where they are more than the
        limit; a dry run returns the hash.
    :raises ActionRejected: there is no such run.
    """
    club, club_no = club_of_run(base, config, run)
    if dry_run:
        with base.club(club_no) as driver:
            inverse = _inverse(driver, club_no, run)
            held = _held(driver, club_no, club, inverse, list_hash)
        return _report(club.id, run, None, inverse, held, 0)
    with start_action(base, club, f"undo of run {run}", by, plan_tables=True) as action:
        inverse = _inverse(action.driver, club_no, run)
        held = _held(action.driver, club_no, club, inverse, list_hash)
        if held:
            for customer in inverse.deactivated():
                del inverse.rows[customer]
            inverse.changes = [c for c in inverse.changes if c["customer"] in inverse.rows]
        if inverse.rows:
            _write(action, inverse)
            _remember(action, run, inverse)
        _await_emails(action, run, inverse)
        return _report(club.id, run, action.run, inverse, held, action.rows)


def _inverse(driver: Driver, club_no: int, run: int) -> Inverse:
    """The inverse plan, for the customers who are still as the run left them."""
    sql, inverse = queries(), Inverse()
    changes: dict[int, list[ChangesToUndoRow]] = {}
    for row in sql.changes_to_undo(driver, club=club_no, run=run):
        changes.setdefault(row["customer"], []).append(row)
    now = _current(driver, club_no, list(changes))
    for customer, rows in changes.items():
        state = now.get(customer)
        if reason := _cannot_undo(state, rows):
            inverse.skipped.append(_skip(customer, rows, reason))
            continue
        assert state is not None
        before = _state_before(state, rows)
        if before["in_customers_group"] and before["email"] is None:
            reason = message("has no email any more, which access requires")
            inverse.skipped.append(_skip(customer, rows, reason))
            continue
        inverse.rows[customer] = before
        if state["in_customers_group"]:
            inverse.had_access.add(customer)
        inverse.changes += [_audit(customer, row) for row in rows]
    _skip_taken(driver, club_no, inverse, changes)
    return inverse


def _cannot_undo(state: dict[str, Any] | None, rows: list[ChangesToUndoRow]) -> str | None:
    """Why a run's changes of one customer cannot be undone; None: they can.

    :param state: the customer now; None: there is no such customer any more.
    """
    if state is None:
        return message("no longer in the club base")
    if kinds := {row["kind"] for row in rows} - set(KINDS):
        return message(f"cannot be undone: {', '.join(sorted(kinds))}")
    changed = {
        _NAMES[name]
        for row in rows
        for name, value in (row["after"] or {}).items()
        if name in _STATE and state[name] != value
    }
    return message(f"changed since: {'; '.join(sorted(changed))}") if changed else None


def _state_before(state: dict[str, Any], rows: list[ChangesToUndoRow]) -> dict[str, Any]:
    """A customer as they were before the run's changes."""
    before = dict(state)
    for row in reversed(rows):
        before.update(_ADDED if row["before"] is None else row["before"])
    return before


def _audit(customer: int, row: ChangesToUndoRow) -> dict[str, Any]:
    before = row["after"] or {}
    after = _ADDED if row["before"] is None else row["before"]
    if row["before"] is None:
        before = {name: before.get(name) for name in _ADDED}
    return {
        "customer": customer,
        "erp_id": row["erp_id"],
        "kind": _INVERSE.get(row["kind"], row["kind"]),
        "before": json.dumps(before),
        "after": json.dumps(after),
        "reason": "undone",
    }


def _skip(customer: int, rows: list[ChangesToUndoRow], reason: str) -> dict[str, Any]:
    return {"customer": customer, "erp_id": rows[0]["erp_id"], "why": reason}


def _skip_taken(
    driver: Driver, club_no: int, inverse: Inverse, changes: dict[int, list[ChangesToUndoRow]]
) -> None:
    """Skip customers whose former email, ERP id or app account belongs to somebody else now."""
    while inverse.rows:
        rows = inverse.rows
        holders = queries().conflicting_customers(
            driver,
            club=club_no,
            column_emails=[r["email"] for r in rows.values() if r["email"]],
            column_erp_ids=[r["erp_id"] for r in rows.values() if r["erp_id"]],
            column_users=[r["linked_user"] for r in rows.values() if r["linked_user"]],
        )
        taken: dict[tuple[str, Any], int] = {}
        for holder in holders:
            for name in ("email", "erp_id", "linked_user"):
                # a holder who gives it back in this same undo is not in the way
                after = rows.get(holder["customer"], holder)
                if after[name] == holder[name]:
                    taken[(name, holder[name])] = holder["customer"]
        blocked = {
            customer: others
            for customer, row in rows.items()
            if (others := _others(customer, row, taken))
        }
        if not blocked:
            return
        for customer, others in blocked.items():
            del rows[customer]
            other = min(others.values())
            if set(others) == {"email"}:
                inverse.waiting[customer] = _adopter(changes[customer])
                reason = message(f"waits: customer {other} has their former email now")
            else:
                reason = message(
                    f"their email, ERP id or app account now belongs to customer {other}"
                )
            inverse.skipped.append(_skip(customer, changes[customer], reason))
        inverse.changes = [c for c in inverse.changes if c["customer"] in rows]


def _others(
    customer: int, row: dict[str, Any], taken: dict[tuple[str, Any], int]
) -> dict[str, int]:
    """What a customer would get back that another has now -> that other."""
    return {
        name: other
        for name in ("email", "erp_id", "linked_user")
        if row[name] is not None and (other := taken.get((name, row[name]), customer)) != customer
    }


def _adopter(rows: list[ChangesToUndoRow]) -> str | None:
    """The record that had adopted a customer in a run, if one had."""
    return next((row["erp_id"] for row in rows if row["kind"] == "adoption"), None)


def _current(driver: Driver, club_no: int, customers: list[int]) -> dict[int, dict[str, Any]]:
    """The customers as they are now, with their groups as ERP group ids."""
    sql = queries()
    names = {row["group_id"]: row["id"] for row in sql.group_numbers(driver, club=club_no)}
    found = {}
    for row in sql.customers_by_number(driver, club=club_no, customers=customers):
        groups = sorted(names[g] for g in row["auto_groups"] if g in names)
        found[row["customer"]] = {**row, "groups": groups}
    return found


def _held(
    driver: Driver, club_no: int, club: ClubConfig, inverse: Inverse, list_hash: str | None
) -> dict[str, Any] | None:
    """R15 for an undo: the deactivations above the limit, unless that list was approved."""
    sql, deactivated = queries(), inverse.deactivated()
    since = clock.now() - timedelta(hours=24)
    check = guard.limit_check(
        club.guard,
        deactivations=len(deactivated),
        last_24_hours=sql.access_lost_since(driver, club=club_no, since=since),
        customers=sql.customers_in_group(driver, club=club_no),
        hold_is_open=False,
    )
    digest = guard.list_hash(pl.Series(deactivated, dtype=pl.Int64))
    if not check.holds or list_hash == digest:
        return None
    return {
        "deactivations": len(deactivated),
        "limit": check.limit,
        "list": digest,
        "customers": deactivated,
    }


def _write(action: Action, inverse: Inverse) -> None:
    """Write the customers' states and their audit."""
    sql, driver, club_no = queries(), action.driver, action.club_no
    numbers = {row["id"]: row["group_id"] for row in sql.group_numbers(driver, club=club_no)}
    rows = [
        {
            **{name: state[name] for name in _STATE if name != "groups"},
            "customer": customer,
            "relink": False,
            "auto_groups": sorted(numbers[g] for g in state["groups"] if g in numbers),
        }
        for customer, state in inverse.rows.items()
    ]
    schema = {
        **dict.fromkeys(("erp_id", "email", "email_raw", "first_name", "last_name"), pl.String()),
        **dict.fromkeys(("phone", "reason"), pl.String()),
        **dict.fromkeys(("in_customers_group", "detached", "relink"), pl.Boolean()),
        **dict.fromkeys(("customer", "linked_user"), pl.Int64()),
        "auto_groups": pl.List(pl.Int64()),
    }
    copying(driver, "plan_customer", pl.DataFrame(rows, schema=schema))()
    action.rows += sql.update_customers(driver, club=club_no, at=action.at)
    changes = pl.DataFrame(inverse.changes)
    action.rows += audit(driver, club_no, action.run, changes, action.at, by=action.by)
    action.kinds.update(dict(changes.group_by("kind").len().iter_rows()))


def _remember(action: Action, run: int, inverse: Inverse) -> None:
    """What was undone does not come back from the same ERP state."""
    sql, customers = queries(), list(inverse.rows)
    adopters = {c["customer"]: c["erp_id"] for c in inverse.changes if c["kind"] == "adoption"}
    sql.add_undone(
        action.driver,
        club=action.club_no,
        run=run,
        customers=customers,
        erp_ids=[adopters.get(customer) for customer in customers],
        waits=False,
        at=action.at,
    )
    sql.recheck_members(
        action.driver, club=action.club_no, customers=customers, why=f"run {run} undone"
    )


def _await_emails(action: Action, run: int, inverse: Inverse) -> None:
    """Whose undo waits for an email has a finding until nobody has it, or their record changes."""
    if not inverse.waiting:
        return
    queries().add_undone(
        action.driver,
        club=action.club_no,
        run=run,
        customers=list(inverse.waiting),
        erp_ids=list(inverse.waiting.values()),
        waits=True,
        at=action.at,
    )
    queries().recheck_members(
        action.driver,
        club=action.club_no,
        customers=list(inverse.waiting),
        why=f"the undo of run {run} waits",
    )


def _report(
    club_id: str,
    run: int,
    by_run: int | None,
    inverse: Inverse,
    held: dict[str, Any] | None,
    rows_written: int,
) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for change in inverse.changes:
        counts[change["kind"]] = counts.get(change["kind"], 0) + 1
    return {
        "club": club_id,
        "undone": run,
        "run": by_run,
        "changes": counts,
        "skipped": inverse.skipped,
        "held": held,
        "rows_written": rows_written,
    }


def redo(base: Base, config: Config, run: int, by: str | None = None) -> Redone:
    """Bring back what was undone of a run: fields and manual actions now, the rest by the club's next plan.

    A field that differs from the ERP's looks like one that was edited by hand (R13), and no plan would touch it.

    :raises ActionRejected: there is no such run, or nothing of it is undone.
    """
    club, club_no = club_of_run(base, config, run)
    sql = queries()
    with start_action(base, club, f"redo of run {run}", by, plan_tables=True) as action:
        driver = action.driver
        customers = [r["customer"] for r in sql.delete_undone(driver, club=club_no, run=run)]
        if not customers:
            raise ActionRejected(
                f"Nothing of run {run} is undone.",
                remedy="Only a run that was undone (`clubsync undo RUN`) can be redone.",
            )
        again = _again(driver, club_no, run, customers)
        if again.rows:
            _write(action, again)
        sql.recheck_members(driver, club=club_no, customers=customers, why=f"run {run} redone")
        return Redone(club, dict(action.kinds), action.rows)


def _again(driver: Driver, club_no: int, run: int, customers: list[int]) -> Inverse:
    """What of a run no plan brings back, for the customers who are still as the undo left them."""
    found = queries().find_run(driver, run=run)
    by_hand = found is not None and found["trigger"].startswith(BY_HAND)
    again = Inverse()
    changes: dict[int, list[ChangesToUndoRow]] = {}
    for row in queries().changes_to_undo(driver, club=club_no, run=run):
        if row["customer"] in customers:
            changes.setdefault(row["customer"], []).append(row)
    now = _current(driver, club_no, list(changes))
    for customer, rows in changes.items():
        state = now.get(customer)
        for row in rows if state else ():
            assert state is not None
            if _brought_back(state, row, again, by_hand=by_hand):
                again.rows[customer] = state
    _skip_taken(driver, club_no, again, changes)
    return again


def _brought_back(
    state: dict[str, Any], row: ChangesToUndoRow, again: Inverse, *, by_hand: bool
) -> bool:
    """Make a change again in a customer's state, if nothing has changed since it was undone.

    :param state: of the customer; changed in place.
    :param again: takes the audit row.
    :param by_hand: a person made the run: all of it; else its fields only.
    """
    before = _ADDED if row["before"] is None else row["before"]
    wanted = row["after"] or {}
    fields = row["kind"] == "profile_change"
    if by_hand and row["kind"] in KINDS:
        names = [name for name in wanted if name in _STATE]
        if any(state[name] != before[name] for name in names if name in before):
            return False
    else:
        names = [n for n in FIELDS if fields and n in wanted and state[n] == before.get(n)]
    after = {name: wanted[name] for name in names if wanted[name] != state[name]}
    if not after:
        return False
    if after.get("in_customers_group"):
        after["reason"] = None
    again.changes.append(
        {
            "customer": row["customer"],
            "erp_id": row["erp_id"],
            "kind": row["kind"],
            "before": json.dumps({name: state[name] for name in after}),
            "after": json.dumps(after),
            "reason": "redone",
        }
    )
    state.update(after)
    return True
