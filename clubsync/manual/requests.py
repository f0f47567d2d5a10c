"""Requests of app users to become a club's customer (R11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.manual.action import (
    ADDED,
    Action,
    as_email,
    as_number,
    start_action,
)
from clubsync.manual.app_users import find_user, link, unlinked_user
from clubsync.manual.readmission import readmit
from clubsync.store.database import Base, queries

if TYPE_CHECKING:
    from clubsync.store.queries import FindRequestRow


def request(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """Record that an app user asks to be a customer.

    They get access when somebody accepts the request, or as soon as their confirmed email is that of a
    customer with access.

    :param who: the app user's id, or their email.
    :raises ActionRejected: no such user, or they are already a customer.
    """
    with start_action(base, club, "request", by) as action:
        sql, driver, user = queries(), action.driver, find_user(action.driver, who)
        if sql.customer_of_user(driver, club=action.club_no, user_id=user["user_id"]):
            raise ActionRejected(
                f"App user {user['user_id']} is already linked to a customer of {club.name}.",
                remedy="No request is needed.",
            )
        number = sql.pending_request(driver, club=action.club_no, user_id=user["user_id"])
        if number is None:
            number = sql.add_request(
                driver, club=action.club_no, user_id=user["user_id"], at=action.at
            )
            action.rows += 1
        action.rows += sql.accept_matching_requests(driver, club=action.club_no, at=action.at)
        row = sql.find_request(driver, club=action.club_no, request_id=number, email=None)
        assert row is not None  # found or added above
        if row["customer"] is not None and user["confirmed"]:
            link(action, row["customer"], user["user_id"])
        return {"id": number, "user": user["user_id"], "state": row["state"]}


def accept(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """Accept a request: the app user becomes a customer, independently of the sync.

    :param who: the request's id, or the user's email.
    :raises ActionRejected: no such pending request; the user has no email; or `readmit` refuses the customer
        with their email.
    """
    with start_action(base, club, "accept", by) as action:
        sql, row = queries(), _pending(action, who)
        if row["email"] is None:
            raise ActionRejected(
                f"App user {row['user_id']} has no email and cannot become a customer of {club.name}.",
                remedy="Ask them to confirm an email in the app, then accept the request.",
            )
        found = sql.find_customer(
            action.driver, club=action.club_no, customer=None, email=row["email"]
        )
        if found is None:
            action.lift_erasure(row["email"])
            customer = _add(action, row, row["email"])
        else:
            customer = found["customer"]
            if not found["in_customers_group"]:
                readmit(action, found, "request_accepted")
            user = unlinked_user(action, row["email"]) if row["confirmed"] else None
            if user is not None:
                link(action, customer, user)
        action.recheck(None, row["email"], "request accepted")
        action.rows += sql.decide_request(
            action.driver,
            club=action.club_no,
            request_id=row["request_id"],
            state="accepted",
            customer=customer,
            at=action.at,
        )
        return {"id": row["request_id"], "customer": customer, "state": "accepted"}


def refuse(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """Refuse a request.

    :param who: the request's id, or the user's email.
    :raises ActionRejected: no such pending request.
    """
    with start_action(base, club, "refuse", by) as action:
        row = _pending(action, who)
        action.rows += queries().decide_request(
            action.driver,
            club=action.club_no,
            request_id=row["request_id"],
            state="refused",
            customer=None,
            at=action.at,
        )
        return {"id": row["request_id"], "state": "refused"}


def _add(action: Action, row: FindRequestRow, email: str) -> int:
    """A new customer for a request, with the user's email."""
    action.rows += 1
    customer = queries().insert_manual_customer(
        action.driver,
        club=action.club_no,
        email=email,
        email_raw=row["email_raw"],
        first_name=None,
        last_name=None,
        phone=None,
        origin="request",
        linked_user=unlinked_user(action, email) if row["confirmed"] else None,
        at=action.at,
    )
    after = {"email": email, **ADDED}
    action.audit("addition", customer, None, None, after, "request_accepted")
    return customer


def _pending(action: Action, who: str) -> FindRequestRow:
    """The pending request with this id, or of the user with this email."""
    row = queries().find_request(
        action.driver, club=action.club_no, request_id=as_number(who), email=as_email(who)
    )
    if row is None or row["state"] != "pending":
        raise ActionRejected(
            f"{action.club.name} has no such pending request.",
            remedy=f"`clubsync base requests {action.club.id}` lists them.",
        )
    return row
