"""R1: an ERP id that shows somebody else (finding ID_REUSED) is decided by a person.

`keep`: it is the same person, whose new values are taken over. `replace`: it is somebody else, who gets a base
customer of their own; the one there was is without an ERP id from now on, and leaves the Customers group. What was
decided is obeyed by the next plan; values that have changed since the decision are another question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.manual.action import Action, start_action
from clubsync.store import snapshots
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store

if TYPE_CHECKING:
    from clubsync.store.queries import ReusedIdsRow

Decision = Literal["keep", "replace"]
#: What is compared of the two people.
COMPARED = ("first_name", "last_name", "email", "phone", "birth_date")


@dataclass(frozen=True)
class ReusedId:
    """An id that awaits a decision.

    :param was, now: `COMPARED`, of the ERP record as it was last taken over, and as it shows now; `now` is None
        where the newest snapshot does not show it.
    """

    erp_id: str
    since: Any
    customer: int
    was: dict[str, Any]
    now: dict[str, Any] | None


def awaiting(
    driver: Driver, club_no: int, club_id: str, store: Store, erp_id: str | None = None
) -> list[ReusedId]:
    """The ids that await a decision, oldest first.

    :param driver: inside a transaction of this club.
    :param erp_id: only this one.
    """
    rows = [
        row
        for row in queries().reused_ids(driver, club=club_no)
        if erp_id is None or row["erp_id"] == erp_id
    ]
    shown = _shown(driver, club_no, club_id, store, rows)
    return [
        ReusedId(
            erp_id=row["erp_id"],
            since=row["since"],
            customer=row["customer"],
            was={name: row[name] for name in COMPARED},  # type: ignore[literal-required]  # names of the row's columns
            now=shown.get(row["erp_id"]),
        )
        for row in rows
    ]


def _shown(
    driver: Driver, club_no: int, club_id: str, store: Store, rows: list[ReusedIdsRow]
) -> dict[str, dict[str, Any]]:
    """What the newest loaded snapshot shows of these records, by erp_id."""
    number = queries().newest_snapshot(driver, club=club_no) if rows else None
    snapshot = number and queries().snapshot(driver, club=club_no, snapshot=number)
    if not snapshot:
        return {}
    customers = snapshots.load(store, club_id, snapshot).customers
    wanted = customers.filter(customers["erp_id"].is_in([row["erp_id"] for row in rows]))
    return {
        row["erp_id"]: {name: row[name] for name in COMPARED}
        for row in wanted.iter_rows(named=True)
    }


def decide(
    base: Base, club: ClubConfig, erp_id: str, decision: Decision, *, by: str | None = None
) -> dict[str, Any]:
    """Decide whose an ERP id is; the next plan obeys.

    :raises ActionRejected: the id awaits no decision, or somebody was first.
    """
    with start_action(base, club, f"id reused: {decision}", by) as action:
        row = queries().reused_id(action.driver, club=action.club_no, erp_id=erp_id)
        if row is None:
            raise ActionRejected(
                f"ERP id {erp_id} of {club.name} awaits no decision.",
                remedy=f"`clubsync reused {club.id}` lists the ids that do.",
            )
        row_hash = int(row["row_hash"] or 0)
        kept = {
            (r["customer"], r["row_hash"])
            for r in queries().same_people(action.driver, club=action.club_no)
        }
        if (row["customer"], row_hash) in kept:
            raise ActionRejected(
                f"Somebody has decided already that ERP id {erp_id} of {club.name} is the same person.",
                remedy="The first decision wins; the next sync carries it out.",
            )
        if decision == "keep":
            _keep(action, erp_id, row["customer"], row_hash)
        else:
            _replace(action, erp_id, row["customer"])
        action.recheck(erp_id, None, f"id reused: {decision}")
        return {"erp_id": erp_id, "customer": row["customer"], "decision": decision}


def _keep(action: Action, erp_id: str, customer: int, row_hash: int) -> None:
    """The same person: these values, and no others, are taken over."""
    queries().add_same_person(
        action.driver,
        club=action.club_no,
        customer=customer,
        erp_id=erp_id,
        row_hash=row_hash,
        at=action.at,
        actor=action.by,
    )
    action.audit("same_person", customer, erp_id, None, {"same_person": True}, "by_hand")


def _replace(action: Action, erp_id: str, customer: int) -> None:
    """Somebody else: the customer that there was is nobody's in the ERP any more."""
    sql, club_no = queries(), action.club_no
    names = {row["group_id"]: row["id"] for row in sql.group_numbers(action.driver, club=club_no)}
    (row,) = sql.customers_by_number(action.driver, club=club_no, customers=[customer])
    before = {
        "erp_id": erp_id,
        "in_customers_group": row["in_customers_group"],
        "groups": sorted(names[g] for g in row["auto_groups"] if g in names),
        "reason": row["reason"],
    }
    reason = row["reason"] or "id_reused"
    after: dict[str, Any] = {
        "erp_id": None,
        "in_customers_group": False,
        "groups": [],
        "reason": reason,
    }
    action.rows += sql.part_from_record(
        action.driver, club=club_no, customer=customer, reason=reason, at=action.at
    )
    kind = "deactivation" if row["in_customers_group"] else "profile_change"
    action.audit(kind, customer, erp_id, before, after, "id_reused")
