"""Who may be given access by hand, of the customers that are known and have none (R11, R12, R18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clubsync.errors import ActionRejected
from clubsync.manual.action import Action
from clubsync.store.database import queries

if TYPE_CHECKING:
    from clubsync.store.queries import FindCustomerRow


def readmit(action: Action, found: FindCustomerRow, reason: str) -> None:
    """Let a customer back into the Customers group, by hand.

    The cases, the first that fits:

    | the customer | |
    |---|---|
    | has an ERP id that shows somebody else | rejected until somebody decides whose it is (R1) |
    | has no ERP record of their own | access: they are a customer added by hand (R11) |
    | was detached, or a change of theirs was undone | access, unless the ERP itself gives them none (R12, R18) |
    | anybody else | rejected: access follows the ERP |

    What was undone may come back by the sync afterwards, as by redo.

    :param reason: of the audit row.
    :raises ActionRejected: with what to do instead.
    """
    customer, club = found["customer"], action.club
    if found["reused"]:
        raise ActionRejected(
            f"ERP id {found['erp_id']} of customer {customer} of {club.name} shows another person in the ERP.",
            remedy=f"First decide whose it is: `clubsync reused {club.id}`.",
        )
    by_hand = found["erp_id"] is None
    decided = found["reason"] == "detached" or found["undone"] is not None
    out_in_erp = found["access"] == "no" or (
        found["undone"] is not None and found["gone_at"] is not None
    )
    if not by_hand and (not decided or out_in_erp):
        why = "inactive" if found["reason"] in ("detached", "undone") else found["reason"]
        raise ActionRejected(
            f"Customer {customer} of {club.name} has no access because of the ERP ({why}).",
            remedy="Fix the record in the ERP; the next sync reactivates the customer.",
        )
    action.rows += queries().reactivate_customer(
        action.driver, club=action.club_no, customer=customer, at=action.at
    )
    queries().end_undo(
        action.driver, club=action.club_no, customer=customer, erp_id=found["erp_id"]
    )
    before = {"reason": found["reason"], "detached": found["detached_at"] is not None}
    after = {"reason": None, "detached": False}
    changed = {name for name in before if before[name] != after[name]}
    action.audit(
        "reactivation",
        customer,
        found["erp_id"],
        {"in_customers_group": False, **{name: before[name] for name in before if name in changed}},
        {"in_customers_group": True, **{name: after[name] for name in after if name in changed}},
        reason,
    )
    action.recheck(found["erp_id"], found["email"], "given access by hand")
