"""What a club does to its own customers by hand (R11 to R13), and to pairs of similar records (R23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import phonenumbers

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.load import similar_pairs
from clubsync.manual.action import (
    ADDED,
    DETACHED,
    Action,
    as_email,
    as_number,
    start_action,
    valid_email,
)
from clubsync.manual.app_users import link, unlinked_user
from clubsync.manual.readmission import readmit
from clubsync.store.database import Base, queries
from connectors.sdk.model import LENGTHS

if TYPE_CHECKING:
    from clubsync.store.queries import FindCustomerRow


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
    """R11: add a customer, or bring back one whom a person took out: by detaching them (R12) or by an undo (R18).

    :raises ActionRejected: the email is not valid; the customer with it already has access; or `readmit` refuses.
    """
    norm = valid_email(email, club.placeholder_emails)
    _check_typed(first_name, last_name, phone)
    with start_action(base, club, "add", by) as action:
        sql, driver = queries(), action.driver
        found = sql.find_customer(driver, club=action.club_no, customer=None, email=norm)
        action.lift_erasure(norm)
        if found is None:
            action.rows += 1
            customer = sql.insert_manual_customer(
                driver,
                club=action.club_no,
                email=norm,
                email_raw=email.strip(),
                first_name=first_name.strip() or None,
                last_name=last_name.strip() or None,
                phone=_phone(phone, club.country),
                origin="manual",
                linked_user=unlinked_user(action, norm),
                at=action.at,
            )
            action.audit("addition", customer, None, None, {"email": norm, **ADDED}, "by_hand")
        else:
            customer = found["customer"]
            if found["in_customers_group"]:
                raise ActionRejected(
                    f"{club.name} already has a customer with this email: customer {customer}.",
                    remedy="Edit that customer with `clubsync base edit`.",
                )
            readmit(action, found, "by_hand")
        action.recheck(None, norm, "added by hand")
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

    :param who: the customer's id, or their email.
    :param email: only for a customer without an ERP id: the others get their email from the ERP.
    :raises ActionRejected: no such customer, or the email is not valid, not editable or not free.
    """
    _check_typed(first_name, last_name, phone)
    with start_action(base, club, "edit", by) as action:
        row = _customer(action, who)
        was: Mapping[str, object] = row
        new = {
            "first_name": row["first_name"] if first_name is None else first_name.strip() or None,
            "last_name": row["last_name"] if last_name is None else last_name.strip() or None,
            "phone": row["phone"] if phone is None else _phone(phone, club.country),
        }
        norm, raw = row["email"], row["email_raw"]
        if email is not None and valid_email(email, club.placeholder_emails) != norm:
            norm, raw = _new_email(action, row, email)
        changed = [name for name, value in new.items() if value != was[name]]
        if not changed and norm == row["email"]:
            return {"id": row["customer"], "email": row["email"]}
        action.rows += queries().edit_customer(
            action.driver,
            club=action.club_no,
            customer=row["customer"],
            email=norm,
            email_raw=raw,
            at=action.at,
            first_name=new["first_name"],
            last_name=new["last_name"],
            phone=new["phone"],
        )
        if changed:
            before = {name: was[name] for name in changed}
            after = {name: new[name] for name in changed}
            action.audit("profile_change", row["customer"], row["erp_id"], before, after, "by_hand")
        if norm is not None and norm != row["email"]:
            before = {"email": row["email"], "email_raw": row["email_raw"]}
            after = {"email": norm, "email_raw": raw}
            action.audit("email_change", row["customer"], row["erp_id"], before, after, "by_hand")
            action.recheck(None, norm, "edited by hand")
            user = unlinked_user(action, norm)
            if user is not None:
                link(action, row["customer"], user)
        return {"id": row["customer"], "email": norm}


def _new_email(action: Action, row: FindCustomerRow, email: str) -> tuple[str, str]:
    """The new email of a customer, normalised and as typed.

    :raises ActionRejected: the ERP provides this customer's email, or another customer has the new one.
    """
    club = action.club
    norm = valid_email(email, club.placeholder_emails)
    if row["erp_id"] is not None:
        raise ActionRejected(
            f"The ERP provides the email of customer {row['customer']} of {club.name}.",
            remedy="Change the email in the ERP; the next sync updates it here.",
        )
    other = queries().find_customer(action.driver, club=action.club_no, customer=None, email=norm)
    if other is not None:
        raise ActionRejected(
            f"Customer {other['customer']} of {club.name} already has this email.",
            remedy="Use another email: only one customer of a club can have it.",
        )
    return norm, email.strip()


def detach(base: Base, club: ClubConfig, who: str, *, by: str | None = None) -> dict[str, Any]:
    """R12: take a customer's access away by hand; it stays away while the ERP record merely continues.

    :param who: the customer's id, or their email.
    :raises ActionRejected: no such customer, or they are already detached.
    """
    with start_action(base, club, "detach", by) as action:
        sql, row = queries(), _customer(action, who)
        if row["detached_at"] is not None:
            raise ActionRejected(
                f"Customer {row['customer']} of {club.name} is already detached.",
                remedy="To bring them back, run `clubsync base add` with their email.",
            )
        action.rows += sql.detach_customer(
            action.driver, club=action.club_no, customer=row["customer"], at=action.at
        )
        before = {
            "in_customers_group": row["in_customers_group"],
            "reason": row["reason"],
            "detached": False,
        }
        kind = "deactivation" if row["in_customers_group"] else "profile_change"
        action.audit(kind, row["customer"], row["erp_id"], before, DETACHED, "detached")
        if row["erp_id"] is not None:
            sql.clear_lapsed(action.driver, club=action.club_no, erp_id=row["erp_id"])
            action.recheck(row["erp_id"], None, "detached by hand")
        return {"id": row["customer"], "email": row["email"]}


def ignore_pair(
    base: Base, club: ClubConfig, one: str, other: str, *, by: str | None = None
) -> dict[str, Any]:
    """R23: two records are two people: never suggest them as a pair again. Repeating it changes nothing.

    The pair keeps who ignored it and when; each base customer of the two records gets an audit row.

    :param one: an ERP id; `other` too, in either order.
    :raises ActionRejected: the club has no such record, or both ids are the same.
    """
    if one == other:
        raise ActionRejected(
            f"A pair has two records; {one} is only one.", remedy="Name two different ERP ids."
        )
    with start_action(base, club, "ignore similar", by) as action:
        rows = list(queries().find_records(action.driver, club=action.club_no, ids=[one, other]))
        customers = {row["erp_id"]: row["customer"] for row in rows}
        for erp_id in (one, other):
            if erp_id not in customers:
                raise ActionRejected(
                    f"{club.name} has no ERP record {erp_id}.",
                    remedy=f"`clubsync similar {club.id}` lists the pairs with their ids.",
                )
        new = similar_pairs.ignore(
            action.driver, action.club_no, action.run, one, other, at=action.at, by=action.by
        )
        for erp_id, another in ((one, other), (other, one)):
            customer = customers[erp_id]
            if new and customer is not None:
                after = {"not_the_same_as": another}
                action.audit("similar_ignored", customer, erp_id, None, after, "by_hand")
        return {"ignored": sorted([one, other]), "already": not new}


#: Characters of a name or a phone, as of those that an ERP sends.
_LONGEST = LENGTHS["first_name"]


def _check_typed(*texts: str | None) -> None:
    """:raises ActionRejected: a name or a phone is too long, or has characters that no database takes."""
    for text in filter(None, texts):
        if len(text) > _LONGEST or any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
            raise ActionRejected(
                f"A name or a phone has more than {_LONGEST} characters, or some that cannot be stored.",
                remedy="Enter the name or the phone alone.",
            )


def _phone(text: str | None, country: str) -> str | None:
    """E.164 where the text can be parsed, else as typed."""
    if not text:
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text.strip()
    if not phonenumbers.is_possible_number(number):
        return text.strip()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _customer(action: Action, who: str) -> FindCustomerRow:
    """The customer with this id or email.

    :raises ActionRejected: no customer of the club matches.
    """
    row = queries().find_customer(
        action.driver, club=action.club_no, customer=as_number(who), email=as_email(who)
    )
    if row is None:
        club = action.club
        raise ActionRejected(
            f"{club.name} has no customer {who}."
            if who.isdecimal()
            else f"No customer of {club.name} has this email.",
            remedy=f"`clubsync customers {club.id}` lists them.",
        )
    return row
