"""R18: a run undone from its audit: the inverse, guarded, skipping who changed since.

What was undone does not come back from the same ERP state (finding UNDONE): only when the ERP's record
changes, or when a person says redo.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.config import ClubConfig, Config
from clubsync.diff import guard
from clubsync.errors import ActionRejected
from clubsync.load import transaction
from clubsync.manual import customers
from clubsync.model import KINDS
from clubsync.store.database import Base, Driver, copying, queries

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
#: What the inverse of a kind is called.
_INVERSE = {
    "addition": "deactivation",
    "deactivation": "reactivation",
    "reactivation": "deactivation",
}
_ADDED = {"in_customers_group": False, "groups": [], "reason": "undone"}


@dataclass
class Inverse:
    """The plan of an undo.

    :param rows: customer -> its state afterwards.
    :param changes: audit rows: customer, erp_id, kind, before, after.
    :param skipped: customers left alone, each with why.
    """

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    was_in: set[int] = field(default_factory=set)

    def deactivated(self) -> list[int]:
        """Who is in the Customers group now and would not be."""
        return [
            c for c, row in self.rows.items() if c in self.was_in and not row["in_customers_group"]
        ]


def find(base: Base, config: Config, run: int) -> tuple[ClubConfig, int]:
    """The club of a run, and its number.

    :raises ActionRejected: there is no such run.
    """
    with base.transaction() as driver:
        row = queries().find_run(driver, run=run)
    if row is None:
        raise ActionRejected(
            f"There is no run {run}.",
            remedy="`clubsync changes CLUB` shows runs and what they did.",
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

    :param list_hash: more than the guard lets pass would lose access: the hash of the list that a
        person saw and approves (the dry run tells it).
    :raises ActionRejected: no such run, or nothing of it can be undone.
    """
    club, number = find(base, config, run)
    if dry_run:
        with base.club(number) as driver:
            inverse = _inverse(driver, number, run)
            held = _held(driver, number, club, inverse, list_hash)
        return _report(club.id, run, None, inverse, held, 0)
    with customers.act(base, club, f"undo of run {run}", by, plan_tables=True) as doing:
        inverse = _inverse(doing.driver, number, run)
        held = _held(doing.driver, number, club, inverse, list_hash)
        if held:
            for customer in inverse.deactivated():
                del inverse.rows[customer]
            inverse.changes = [c for c in inverse.changes if c["customer"] in inverse.rows]
        if inverse.rows:
            _write(doing, run, inverse)
        return _report(club.id, run, doing.run, inverse, held, doing.rows)


def _inverse(driver: Driver, number: int, run: int) -> Inverse:
    """What would bring back what was, of those who are still as the run left them."""
    sql, inverse = queries(), Inverse()
    changes: dict[int, list[ChangesToUndoRow]] = {}
    for row in sql.changes_to_undo(driver, club=number, run=run):
        changes.setdefault(row["customer"], []).append(row)
    now = _current(driver, number, list(changes))
    for customer, rows in changes.items():
        state = now.get(customer)
        if state is None:
            inverse.skipped.append(_skip(customer, rows, "is not in the base any more"))
            continue
        if strange := {row["kind"] for row in rows} - set(KINDS):
            inverse.skipped.append(
                _skip(customer, rows, f"cannot be undone: {', '.join(sorted(strange))}")
            )
            continue
        differs = {
            name
            for row in rows
            for name, value in (row["after"] or {}).items()
            if name in _STATE and state[name] != value
        }
        if differs:
            inverse.skipped.append(
                _skip(customer, rows, f"changed since: {', '.join(sorted(differs))}")
            )
            continue
        back = dict(state)
        for row in reversed(rows):
            back.update(_ADDED if row["before"] is None else row["before"])
        if back["in_customers_group"] and back["email"] is None:
            why = "has lost the email since, without which nobody has access"
            inverse.skipped.append(_skip(customer, rows, why))
            continue
        inverse.rows[customer] = back
        if state["in_customers_group"]:
            inverse.was_in.add(customer)
        inverse.changes += [_audit(customer, row) for row in rows]
    _leave_taken(driver, number, inverse, changes)
    return inverse


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


def _skip(customer: int, rows: list[ChangesToUndoRow], why: str) -> dict[str, Any]:
    return {"customer": customer, "erp_id": rows[0]["erp_id"], "why": why}


def _leave_taken(
    driver: Driver, number: int, inverse: Inverse, changes: dict[int, list[ChangesToUndoRow]]
) -> None:
    """Who would get back an email, an ERP id or an app link that somebody else has now is left alone."""
    while inverse.rows:
        rows = inverse.rows
        holders = queries().conflicting_customers(
            driver,
            club=number,
            column_emails=[r["email"] for r in rows.values() if r["email"]],
            column_erp_ids=[r["erp_id"] for r in rows.values() if r["erp_id"]],
            column_users=[r["linked_user"] for r in rows.values() if r["linked_user"]],
        )
        taken: dict[tuple[str, Any], int] = {}
        for holder in holders:
            for name in ("email", "erp_id", "linked_user"):
                # who gives it back in this very undo is not in the way
                back = rows.get(holder["customer"], holder)
                if back[name] == holder[name]:
                    taken[(name, holder[name])] = holder["customer"]
        blocked = {
            customer: other
            for customer, row in rows.items()
            for name in ("email", "erp_id", "linked_user")
            if row[name] is not None
            and (other := taken.get((name, row[name]), customer)) != customer
        }
        if not blocked:
            return
        for customer, other in blocked.items():
            del rows[customer]
            why = f"what they had is customer {other}'s now"
            inverse.skipped.append(_skip(customer, changes[customer], why))
        inverse.changes = [c for c in inverse.changes if c["customer"] in rows]


def _current(driver: Driver, number: int, customers: list[int]) -> dict[int, dict[str, Any]]:
    """The customers as they are, groups as ERP group ids."""
    sql = queries()
    names = {row["group_id"]: row["id"] for row in sql.group_numbers(driver, club=number)}
    found = {}
    for row in sql.customers_by_number(driver, club=number, customers=customers):
        groups = sorted(names[g] for g in row["auto_groups"] if g in names)
        found[row["customer"]] = {**row, "groups": groups}
    return found


def _held(
    driver: Driver, number: int, club: ClubConfig, inverse: Inverse, list_hash: str | None
) -> dict[str, Any] | None:
    """R15 for an undo: too many who would lose access, and nobody has approved that list."""
    sql, out = queries(), inverse.deactivated()
    since = clock.now() - timedelta(hours=24)
    verdict = guard.verdict(
        club.guard,
        deactivations=len(out),
        last_24_hours=sql.deactivated_since(driver, club=number, since=since),
        customers=sql.customers_in_group(driver, club=number),
        hold_is_open=False,
    )
    digest = guard.list_hash(pl.Series(out, dtype=pl.Int64))
    if not verdict.holds or list_hash == digest:
        return None
    return {
        "deactivations": len(out),
        "limit": verdict.limit,
        "list": digest,
        "customers": out,
    }


def _write(doing: Any, run: int, inverse: Inverse) -> None:
    sql, driver, number = queries(), doing.driver, doing.club
    numbers = {row["id"]: row["group_id"] for row in sql.group_numbers(driver, club=number)}
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
    doing.rows += sql.update_customers(driver, club=number, at=doing.at)
    changes = pl.DataFrame(inverse.changes)
    doing.rows += transaction.audit(driver, doing.run, changes, doing.at, by=doing.by)
    doing.kinds = dict(changes.group_by("kind").len().iter_rows())
    customers = list(inverse.rows)
    adopters = {c["customer"]: c["erp_id"] for c in inverse.changes if c["kind"] == "adoption"}
    sql.add_undone(
        driver,
        club=number,
        run=run,
        customers=customers,
        erp_ids=[adopters.get(customer) for customer in customers],
        at=doing.at,
    )
    sql.recheck_members(driver, club=number, customers=customers, why=f"run {run} undone")


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


def forget(base: Base, config: Config, run: int, at: datetime) -> tuple[ClubConfig, int]:
    """Redo: what was undone of that run may come back; the club, and how many customers.

    :raises ActionRejected: nothing of that run is undone.
    """
    club, number = find(base, config, run)
    sql = queries()
    with base.club(number) as driver:
        sql.lock_club(driver, club=number)
        customers = [r["customer"] for r in sql.delete_undone(driver, club=number, run=run)]
        if not customers:
            raise ActionRejected(
                f"Nothing of run {run} is undone.", remedy="`clubsync undo RUN` undoes a run."
            )
        sql.recheck_members(driver, club=number, customers=customers, why=f"run {run} redone")
        sql.touch_revision(driver, club=number)
    return club, len(customers)
