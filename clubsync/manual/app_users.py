"""What the app does to its users: accounts, confirmed emails, and links to base customers (R9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.manual.action import Action, as_email, as_number, start_action, valid_email
from clubsync.store.database import Base, Driver, queries

if TYPE_CHECKING:
    from clubsync.store.queries import FindUserRow


def register(
    base: Base,
    clubs: dict[int, ClubConfig],
    email: str | None,
    *,
    confirmed: bool = True,
    provider: str = "email",
) -> dict[str, Any]:
    """Create an app account; a confirmed email links it to every customer with that email.

    :param clubs: the configured clubs by their number in the database.
    :param email: None: a login through Facebook or Apple that gave no usable email.
    :raises ActionRejected: the email is not valid, or another account has confirmed it.
    """
    norm = valid_email(email) if email else None
    with base.transaction() as driver:
        sql = queries()
        if norm and sql.confirmed_user(driver, email=norm):
            raise ActionRejected(
                "An app account with this email already exists.", remedy="Use that account."
            )
        with _confirmed_once("An app account with this email already exists."):
            user = sql.add_user(
                driver,
                email=norm,
                email_raw=email.strip() if email else None,
                confirmed=bool(norm) and confirmed,
                provider=provider,
                at=clock.now(),
            )
    _update_links(base, clubs, user)
    return {"id": user, "email": norm, "confirmed": bool(norm) and confirmed}


def confirm(base: Base, clubs: dict[int, ClubConfig], who: str) -> dict[str, Any]:
    """Confirm the email of an app account.

    :param who: the user's id, or their email.
    :raises ActionRejected: no such user, no email to confirm, or another account has confirmed it.
    """
    with base.transaction() as driver:
        user = find_user(driver, who)
        if user["email"] is None:
            raise ActionRejected(
                f"App user {user['user_id']} has no email to confirm.",
                remedy="Set one with `clubsync app set-email`.",
            )
        _set_email(driver, user["user_id"], user["email"], user["email_raw"], confirmed=True)
    _update_links(base, clubs, user["user_id"])
    return {"id": user["user_id"], "email": user["email"], "confirmed": True}


def set_email(
    base: Base, clubs: dict[int, ClubConfig], who: str, email: str, *, confirmed: bool = True
) -> dict[str, Any]:
    """Change the email of an app account; once confirmed, the link moves to the customer with it (R9).

    :param who: the user's id, or their email.
    :raises ActionRejected: no such user, an invalid email, or another account has confirmed it.
    """
    norm = valid_email(email)
    with base.transaction() as driver:
        user = find_user(driver, who)
        _set_email(driver, user["user_id"], norm, email.strip(), confirmed=confirmed)
    _update_links(base, clubs, user["user_id"])
    return {"id": user["user_id"], "email": norm, "confirmed": confirmed}


def find_user(driver: Driver, who: str) -> FindUserRow:
    """The app user with this id or email.

    :raises ActionRejected: no app user matches.
    """
    row = queries().find_user(driver, user_id=as_number(who), email=as_email(who))
    if row is None:
        raise ActionRejected(
            f"There is no app user {who}." if who.isdecimal() else "No app user has this email.",
            remedy="Create one with `clubsync app register`.",
        )
    return row


def unlinked_user(action: Action, email: str) -> int | None:
    """The app user who has confirmed this email, unless they are already linked in this club."""
    sql = queries()
    user = sql.confirmed_user(action.driver, email=email)
    if user is None or sql.customer_of_user(
        action.driver, club=action.club_no, user_id=user["user_id"]
    ):
        return None
    return user["user_id"]


def link(action: Action, customer: int, user_id: int | None) -> None:
    """Link a customer to an app user, or unlink them (None); an existing link of either is kept."""
    sql = queries()
    row = sql.find_customer(action.driver, club=action.club_no, customer=customer, email=None)
    assert row is not None  # callers have just found or added them
    if row["linked_user"] == user_id or (user_id is not None and row["linked_user"] is not None):
        return
    if user_id and sql.customer_of_user(action.driver, club=action.club_no, user_id=user_id):
        return
    action.rows += sql.link_customer(
        action.driver, club=action.club_no, customer=customer, user_id=user_id, at=action.at
    )
    before, after = {"linked_user": row["linked_user"]}, {"linked_user": user_id}
    action.audit("profile_change", customer, row["erp_id"], before, after, "app")


def _update_links(base: Base, clubs: dict[int, ClubConfig], user_id: int) -> None:
    """R9: link the user in every club where a customer has their confirmed email.

    A link moves when the user has just confirmed the email of another customer. R11: a pending request is
    accepted where the email now matches a customer with access.
    """
    sql = queries()
    with base.reader() as driver:
        user = sql.find_user(driver, user_id=user_id, email=None)
        assert user is not None  # callers have just found or added them
        touched = [
            row["club"] for row in sql.clubs_of_user(driver, user_id=user_id, email=user["email"])
        ]
    for club_no in touched:
        if club_no in clubs:
            with start_action(base, clubs[club_no], "app", by="app") as action:
                _update_link(action, user)


def _update_link(action: Action, user: FindUserRow) -> None:
    sql, driver, club_no = queries(), action.driver, action.club_no
    linked = sql.customer_of_user(driver, club=club_no, user_id=user["user_id"])
    if linked and linked["erp_id"]:
        action.recheck(linked["erp_id"], None, "app email changed")
    if not user["confirmed"]:
        return
    target = sql.find_customer(driver, club=club_no, customer=None, email=user["email"])
    if target is not None and target["linked_user"] is None:
        if linked:
            link(action, linked["customer"], None)
        link(action, target["customer"], user["user_id"])
        action.recheck(target["erp_id"], target["email"], "app link")


def _set_email(driver: Driver, user: int, email: str, raw: str | None, *, confirmed: bool) -> None:
    sql = queries()
    other = sql.confirmed_user(driver, email=email)
    if confirmed and other is not None and other["user_id"] != user:
        raise ActionRejected(
            "Another app account has already confirmed this email.", remedy="Use that account."
        )
    with _confirmed_once("Another app account has already confirmed this email."):
        sql.set_user_email(driver, user_id=user, email=email, email_raw=raw, confirmed=confirmed)


@contextmanager
def _confirmed_once(what: str) -> Iterator[None]:
    """Somebody else may confirm the email at the same moment: the database lets one of them.

    :raises ActionRejected: it was the other.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise ActionRejected(what, remedy="Use that account.") from None
