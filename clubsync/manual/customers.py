"""What people do by hand in a club (R11 to R13), and what the app does to its users (R9).

Every act runs under the club's lock, in one transaction with its audit row and its author, and asks the
next sync to look at the people it touched. The sync and a person never undo each other unawares.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import phonenumbers

from clubsync import clock, emails
from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract.erased import key_hash
from clubsync.load import similar_pairs
from clubsync.store.database import Base, Driver, queries

if TYPE_CHECKING:
    from clubsync.store.queries import FindCustomerRow, FindRequestRow, FindUserRow


def actor() -> str:
    """Who acts from the shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "shell"


@dataclass
class _Act:
    """One act in one club: its transaction, its run, its audit.

    :param rows: rows of schema base written so far.
    """

    driver: Driver
    club: int
    config: ClubConfig
    run: int
    at: datetime
    by: str
    rows: int = 0
    kinds: dict[str, int] | None = None

    def change(
        self,
        kind: str,
        customer: int,
        erp_id: str | None,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        reason: str,
    ) -> None:
        """R18: the act's audit row."""
        self.rows += queries().add_change(
            self.driver,
            club=self.club,
            run=self.run,
            at=self.at,
            kind=kind,
            customer=customer,
            erp_id=erp_id,
            before=None if before is None else json.dumps(before),
            after=json.dumps(after),
            reason=reason,
            actor=self.by,
        )
        self.kinds = {**(self.kinds or {}), kind: (self.kinds or {}).get(kind, 0) + 1}

    def look_again(self, erp_id: str | None, email: str | None, why: str) -> None:
        """Ask the next sync to judge these anew, whatever their row hash says."""
        queries().add_recheck(self.driver, club=self.club, erp_id=erp_id, email=email, why=why)


@contextmanager
def act(
    base: Base, config: ClubConfig, what: str, by: str | None = None, *, plan_tables: bool = False
) -> Iterator[_Act]:
    """An act on one club: locked, audited, and known to the next sync."""
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        number = sql.register_club(
            driver, club_id=config.id, name=config.name, erp=config.erp, now=at
        )
    with base.club(number, plan_tables=plan_tables) as driver:
        sql.lock_club(driver, club=number)
        run = sql.start_run(driver, club=number, trigger=f"by hand: {what}", at=at)
        doing = _Act(driver, number, config, run, at, by or actor())
        yield doing
        # R11: whoever asked to be let in, and is a customer by this act, needs no further decision
        doing.rows += sql.accept_matching_requests(driver, club=number, at=at)
        sql.touch_revision(driver, club=number)
        counts = json.dumps(doing.kinds or {})
        sql.end_manual_run(
            driver,
            club=number,
            run=run,
            at=clock.now(),
            counts=counts,
            rows_written=doing.rows,
        )
        sql.summarise_club(driver, club=number, customers=None, at=at)
        sql.add_change_counts(driver, club=number, at=at, counts=counts)


# --- a club's own customers -------------------------------------------------------------------


def add(
    base: Base,
    club: ClubConfig,
    email: str,
    first_name: str,
    last_name: str,
    phone: str | None = None,
    *,
    by: str | None = None,
) -> dict[str, Any]:
    """R11: add a customer by hand; or bring back one whom the club had detached (R12).

    :raises ActionRejected: the email is not valid; a customer with it is in already, or is out because
        the ERP says so, which only the ERP can change.
    """
    norm = _email(email)
    with act(base, club, "add", by) as doing:
        sql, driver = queries(), doing.driver
        found = sql.find_customer(driver, club=doing.club, customer=None, email=norm)
        # R20: a person adding them by hand lifts an erasure
        key = sql.club_state(driver, club=doing.club)["hash_key"]
        sql.lift_erasure(driver, club=doing.club, email_hash=key_hash(key, norm))
        if found is None:
            user = _free_user(doing, norm)
            doing.rows += 1
            customer = sql.insert_manual_customer(
                driver,
                club=doing.club,
                email=norm,
                email_raw=email.strip(),
                first_name=first_name.strip() or None,
                last_name=last_name.strip() or None,
                phone=_phone(phone, club.country),
                origin="manual",
                linked_user=user,
                at=doing.at,
            )
            after = {"email": norm, "in_customers_group": True, "groups": []}
            doing.change("addition", customer, None, None, after, "by_hand")
        else:
            customer = found["customer"]
            if found["in_customers_group"]:
                raise ActionRejected(
                    f"{club.name} has a customer with this email already: number {customer}.",
                    remedy="Edit that one with `clubsync base edit`.",
                )
            if found["reason"] != "detached" or found["access"] == "no":
                raise ActionRejected(
                    f"{club.name} has this customer (number {customer}), who is out because of the ERP "
                    f"({found['reason'] if found['reason'] != 'detached' else 'not active there'}).",
                    remedy="Mend it in the ERP; the next sync brings them back.",
                )
            doing.rows += sql.reactivate_customer(
                driver, club=doing.club, customer=customer, at=doing.at
            )
            before = {"in_customers_group": False, "reason": "detached", "detached": True}
            after = {"in_customers_group": True, "reason": None, "detached": False}
            doing.change("reactivation", customer, found["erp_id"], before, after, "by_hand")
            doing.look_again(found["erp_id"], None, "added by hand again")
        doing.look_again(None, norm, "added by hand")
        return {"id": customer, "email": norm}


def edit(
    base: Base,
    club: ClubConfig,
    who: str,
    *,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    phone: str | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """R13: edit a customer's fields; a name or phone is kept until the ERP's own value changes.

    :param email: of a customer without an ERP id only: who is in the ERP has the ERP's email.
    :raises ActionRejected: no such customer, nothing to edit, or an email that cannot be taken.
    """
    with act(base, club, "edit", by) as doing:
        sql, row = queries(), _customer(doing, who)
        was: Mapping[str, object] = row
        new = {
            "first_name": row["first_name"] if first_name is None else first_name or None,
            "last_name": row["last_name"] if last_name is None else last_name or None,
            "phone": row["phone"] if phone is None else _phone(phone, club.country),
        }
        norm, raw = row["email"], row["email_raw"]
        if email is not None and _email(email) != norm:
            if row["erp_id"] is not None:
                raise ActionRejected(
                    f"Customer {row['customer']} of {club.name} is in the ERP, whose email counts.",
                    remedy="Change the email in the ERP; the next sync takes it over.",
                )
            norm, raw = _email(email), email.strip()
            other = sql.find_customer(doing.driver, club=doing.club, customer=None, email=norm)
            if other is not None:
                raise ActionRejected(
                    f"Customer {other['customer']} of {club.name} has that email already.",
                    remedy="An email stands for one customer of a club.",
                )
        changed = [name for name, value in new.items() if value != was[name]]
        if not changed and norm == row["email"]:
            return {"id": row["customer"], "email": row["email"]}
        doing.rows += sql.edit_customer(
            doing.driver,
            club=doing.club,
            customer=row["customer"],
            email=norm,
            email_raw=raw,
            at=doing.at,
            first_name=new["first_name"],
            last_name=new["last_name"],
            phone=new["phone"],
        )
        if changed:
            before = {name: was[name] for name in changed}
            after = {name: new[name] for name in changed}
            doing.change("profile_change", row["customer"], row["erp_id"], before, after, "by_hand")
        if norm is not None and norm != row["email"]:
            doing.change(
                "email_change",
                row["customer"],
                row["erp_id"],
                {"email": row["email"], "email_raw": row["email_raw"]},
                {"email": norm, "email_raw": raw},
                "by_hand",
            )
            doing.look_again(None, norm, "edited by hand")
            user = _free_user(doing, norm)
            if user is not None:
                _link(doing, row["customer"], user)
        return {"id": row["customer"], "email": norm}


def detach(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """R12: take a customer out by hand; they stay out while their ERP record merely goes on.

    :raises ActionRejected: no such customer, or they are detached already.
    """
    with act(base, club, "detach", by) as doing:
        sql, row = queries(), _customer(doing, who)
        if row["detached_at"] is not None:
            raise ActionRejected(
                f"Customer {row['customer']} of {club.name} is detached already.",
                remedy="`clubsync base add` with their email brings them back.",
            )
        doing.rows += sql.detach_customer(
            doing.driver, club=doing.club, customer=row["customer"], at=doing.at
        )
        before = {
            "in_customers_group": row["in_customers_group"],
            "reason": row["reason"],
            "detached": False,
        }
        after = {"in_customers_group": False, "reason": "detached", "detached": True}
        kind = "deactivation" if row["in_customers_group"] else "profile_change"
        doing.change(kind, row["customer"], row["erp_id"], before, after, "detached")
        if row["erp_id"] is not None:
            sql.clear_lapsed(doing.driver, club=doing.club, erp_id=row["erp_id"])
            doing.look_again(row["erp_id"], None, "detached by hand")
        return {"id": row["customer"], "email": row["email"]}


# --- attachment requests ----------------------------------------------------------------------


def request(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """R11: an app user asks to be a customer; without access until somebody accepts it, or until their
    confirmed email is that of a customer whom the ERP lets in.

    :raises ActionRejected: no such user, or they are a customer already.
    """
    with act(base, club, "request", by) as doing:
        sql, user = queries(), _user(doing.driver, who)
        if sql.customer_of_user(doing.driver, club=doing.club, user_id=user["user_id"]):
            raise ActionRejected(
                f"User {user['user_id']} is linked to a customer of {club.name} already.",
                remedy="Nothing needs doing.",
            )
        number = sql.pending_request(doing.driver, club=doing.club, user_id=user["user_id"])
        if number is None:
            number = sql.add_request(
                doing.driver, club=doing.club, user_id=user["user_id"], at=doing.at
            )
            doing.rows += 1
        doing.rows += sql.accept_matching_requests(doing.driver, club=doing.club, at=doing.at)
        row = sql.find_request(doing.driver, club=doing.club, request_id=number, email=None)
        assert row is not None  # found or made just now
        if row["customer"] is not None and user["confirmed"]:
            _link(doing, row["customer"], user["user_id"])
        return {"id": number, "user": user["user_id"], "state": row["state"]}


def accept(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """R11: accept a request: the user becomes a customer, beside the sync.

    :raises ActionRejected: no such pending request; the user has no email yet; or a customer with their
        email is out because of the ERP.
    """
    with act(base, club, "accept", by) as doing:
        sql, row = queries(), _request(doing, who)
        if row["email"] is None:
            raise ActionRejected(
                f"User {row['user_id']} has no email yet, so they cannot be a customer of {club.name}.",
                remedy="Ask them to confirm an email in the app, then accept.",
            )
        user = _free_user(doing, row["email"]) if row["confirmed"] else None
        found = sql.find_customer(doing.driver, club=doing.club, customer=None, email=row["email"])
        if found is None:
            doing.rows += 1
            customer = sql.insert_manual_customer(
                doing.driver,
                club=doing.club,
                email=row["email"],
                email_raw=row["email_raw"],
                first_name=None,
                last_name=None,
                phone=None,
                origin="request",
                linked_user=user,
                at=doing.at,
            )
            after = {"email": row["email"], "in_customers_group": True, "groups": []}
            doing.change("addition", customer, None, None, after, "request_accepted")
        else:
            customer = found["customer"]
            if not found["in_customers_group"]:
                if found["reason"] != "detached" or found["access"] == "no":
                    raise ActionRejected(
                        f"{club.name} has this customer (number {customer}), who is out because of the "
                        "ERP.",
                        remedy="Mend it in the ERP; the request is accepted by itself then.",
                    )
                doing.rows += sql.reactivate_customer(
                    doing.driver, club=doing.club, customer=customer, at=doing.at
                )
                before = {"in_customers_group": False, "reason": "detached", "detached": True}
                after = {"in_customers_group": True, "reason": None, "detached": False}
                doing.change(
                    "reactivation", customer, found["erp_id"], before, after, "request_accepted"
                )
            if user is not None:
                _link(doing, customer, user)
        doing.look_again(None, row["email"], "request accepted")
        doing.rows += sql.decide_request(
            doing.driver,
            club=doing.club,
            request_id=row["request_id"],
            state="accepted",
            customer=customer,
            at=doing.at,
        )
        return {"id": row["request_id"], "customer": customer, "state": "accepted"}


def refuse(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """R11: refuse a request.

    :raises ActionRejected: no such pending request.
    """
    with act(base, club, "refuse", by) as doing:
        row = _request(doing, who)
        doing.rows += queries().decide_request(
            doing.driver,
            club=doing.club,
            request_id=row["request_id"],
            state="refused",
            customer=None,
            at=doing.at,
        )
        return {"id": row["request_id"], "state": "refused"}


# --- similar records --------------------------------------------------------------------------


def ignore(
    base: Base, club: ClubConfig, one: str, other: str, *, by: str | None = None
) -> dict[str, Any]:
    """R23: two records are two people: never suggest that pair again. Doing so twice changes nothing.

    The pair keeps who said so and when; the base customers of the two, where they have any, get an audit row.

    :param one: an ERP id; `other` too, in either order.
    :raises ActionRejected: the club has no such record, or they are one and the same.
    """
    if one == other:
        raise ActionRejected("Those are not two records.", remedy="Name two different ERP ids.")
    with act(base, club, "ignore similar", by) as doing:
        rows = list(queries().find_records(doing.driver, club=doing.club, ids=[one, other]))
        known = {row["erp_id"]: row["customer"] for row in rows}
        for erp_id in (one, other):
            if erp_id not in known:
                raise ActionRejected(
                    f"{club.name} has no ERP record {erp_id}.",
                    remedy=f"`clubsync similar {club.id}` lists the pairs with their ids.",
                )
        new = similar_pairs.ignore(
            doing.driver, doing.club, doing.run, one, other, at=doing.at, by=doing.by
        )
        for erp_id, another in ((one, other), (other, one)):
            customer = known[erp_id]
            if new and customer is not None:
                after = {"not_the_same_as": another}
                doing.change("similar_ignored", customer, erp_id, None, after, "by_hand")
        return {"ignored": sorted([one, other]), "already": not new}


# --- the app ----------------------------------------------------------------------------------


def register(
    base: Base,
    clubs: dict[int, ClubConfig],
    email: str | None,
    *,
    confirmed: bool = True,
    provider: str = "email",
) -> dict[str, Any]:
    """A person makes an account in the app; a confirmed email links them wherever it is a customer's.

    :param email: None: a log-in by Facebook or Apple that gave no usable one.
    :raises ActionRejected: an account has confirmed this email already.
    """
    norm = _email(email) if email else None
    with base.transaction() as driver:
        sql = queries()
        if norm and sql.confirmed_user(driver, email=norm):
            raise ActionRejected(
                "An app account with this email exists already.", remedy="Use that account."
            )
        user = sql.add_user(
            driver,
            email=norm,
            email_raw=email.strip() if email else None,
            confirmed=bool(norm) and confirmed,
            provider=provider,
            at=clock.now(),
        )
    relink(base, clubs, user)
    return {"id": user, "email": norm, "confirmed": bool(norm) and confirmed}


def confirm(base: Base, clubs: dict[int, ClubConfig], who: str) -> dict[str, Any]:
    """A person confirms the email of their account.

    :raises ActionRejected: no such user, no email to confirm, or another account has confirmed it.
    """
    with base.transaction() as driver:
        user = _user(driver, who)
        if user["email"] is None:
            raise ActionRejected(
                f"User {user['user_id']} has no email to confirm.",
                remedy="Set one with `clubsync app set-email`.",
            )
        _set_email(driver, user["user_id"], user["email"], user["email_raw"], confirmed=True)
    relink(base, clubs, user["user_id"])
    return {"id": user["user_id"], "email": user["email"], "confirmed": True}


def set_email(
    base: Base, clubs: dict[int, ClubConfig], who: str, email: str, *, confirmed: bool = True
) -> dict[str, Any]:
    """A person changes the email of their account; confirmed, it moves them to the customer that has it (R9).

    :raises ActionRejected: no such user, an invalid email, or another account has confirmed it.
    """
    norm = _email(email)
    with base.transaction() as driver:
        user = _user(driver, who)
        _set_email(driver, user["user_id"], norm, email.strip(), confirmed=confirmed)
    relink(base, clubs, user["user_id"])
    return {"id": user["user_id"], "email": norm, "confirmed": confirmed}


def relink(base: Base, clubs: dict[int, ClubConfig], user_id: int) -> None:
    """R9: link a person where their confirmed email is a customer's; move them where they have just
    confirmed the email of another customer; accept what they asked for where that lets them in (R11).
    """
    sql = queries()
    with base.transaction() as driver:
        user = sql.find_user(driver, user_id=user_id, email=None)
        assert user is not None  # callers have just found or made them
        touched = [
            row["club"] for row in sql.clubs_of_user(driver, user_id=user_id, email=user["email"])
        ]
    for number in touched:
        if number not in clubs:
            continue
        with act(base, clubs[number], "app", by="app") as doing:
            linked = sql.customer_of_user(doing.driver, club=number, user_id=user_id)
            if linked and linked["erp_id"]:
                doing.look_again(linked["erp_id"], None, "app email changed")
            if not user["confirmed"]:
                continue
            target = sql.find_customer(
                doing.driver, club=number, customer=None, email=user["email"]
            )
            if target is not None and target["linked_user"] is None:
                if linked:
                    _link(doing, linked["customer"], None)
                _link(doing, target["customer"], user_id)
                doing.look_again(target["erp_id"], target["email"], "app link")


# --- parts ------------------------------------------------------------------------------------


def _link(doing: _Act, customer: int, user_id: int | None) -> None:
    sql = queries()
    row = sql.find_customer(doing.driver, club=doing.club, customer=customer, email=None)
    assert row is not None  # callers have just found or made them
    if row["linked_user"] == user_id or (user_id is not None and row["linked_user"] is not None):
        return
    if user_id and sql.customer_of_user(doing.driver, club=doing.club, user_id=user_id):
        return
    doing.rows += sql.link_customer(
        doing.driver, club=doing.club, customer=customer, user_id=user_id, at=doing.at
    )
    before, after = {"linked_user": row["linked_user"]}, {"linked_user": user_id}
    doing.change("profile_change", customer, row["erp_id"], before, after, "app")


def _free_user(doing: _Act, email: str) -> int | None:
    """The app user who has confirmed this email and is not linked in this club yet."""
    sql = queries()
    user = sql.confirmed_user(doing.driver, email=email)
    if user is None or sql.customer_of_user(doing.driver, club=doing.club, user_id=user["user_id"]):
        return None
    return user["user_id"]


def _email(text: str) -> str:
    norm = emails.normalise(text)
    if norm is None:
        raise ActionRejected("That is not a valid email address.", remedy="Check its spelling.")
    return norm


def _phone(text: str | None, country: str) -> str | None:
    """E.164 where it can be parsed, else as typed."""
    if not text:
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text.strip()
    if not phonenumbers.is_possible_number(number):
        return text.strip()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _customer(doing: _Act, who: str) -> FindCustomerRow:
    row = queries().find_customer(
        doing.driver,
        club=doing.club,
        customer=int(who) if who.isdigit() else None,
        email=emails.normalise(who) if "@" in who else None,
    )
    if row is None:
        raise ActionRejected(
            f"{doing.config.name} has no customer {who if who.isdigit() else 'with that email'}.",
            remedy=f"`clubsync customers {doing.config.id}` lists them.",
        )
    return row


def _request(doing: _Act, who: str) -> FindRequestRow:
    row = queries().find_request(
        doing.driver,
        club=doing.club,
        request_id=int(who) if who.isdigit() else None,
        email=emails.normalise(who) if "@" in who else None,
    )
    if row is None or row["state"] != "pending":
        raise ActionRejected(
            f"{doing.config.name} has no such pending request.",
            remedy=f"`clubsync base requests {doing.config.id}` lists them.",
        )
    return row


def _user(driver: Driver, who: str) -> FindUserRow:
    row = queries().find_user(
        driver,
        user_id=int(who) if who.isdigit() else None,
        email=emails.normalise(who) if "@" in who else None,
    )
    if row is None:
        raise ActionRejected(
            f"There is no app user {who if who.isdigit() else 'with that email'}.",
            remedy="`clubsync app register` makes one.",
        )
    return row


def _set_email(driver: Driver, user: int, email: str, raw: str | None, *, confirmed: bool) -> None:
    sql = queries()
    other = sql.confirmed_user(driver, email=email)
    if confirmed and other is not None and other["user_id"] != user:
        raise ActionRejected(
            "Another app account has confirmed this email already.", remedy="Use that account."
        )
    sql.set_user_email(driver, user_id=user, email=email, email_raw=raw, confirmed=confirmed)
