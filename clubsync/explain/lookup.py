"""R24: find a person of a club by whatever a caller can say of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clubsync import emails
from clubsync.extract.erased import key_hash
from clubsync.store.database import Driver, queries
from clubsync.store.people import resolve_person

if TYPE_CHECKING:
    from clubsync.store.queries import (
        AccountOfEmailRow,
        ClubsOfAccountRow,
        ClubsOfPersonRow,
        CustomerRow,
        ErasureOfPersonRow,
        FindPersonRow,
        LastRequestOfAccountRow,
        MovedFromRow,
    )


@dataclass(frozen=True)
class Found:
    """Whom a caller means.

    :param rows: ERP records and base customers that match.
    :param email: the normalised email, where the caller said one.
    :param moved: the ERP id that the caller said gave its place to another record (R1, R10).
    :param account: the app account with that email, and `request`, the last that it made in this club.
    :param by_account: nobody has the email but the app account that the found customer is linked to (R9).
    """

    rows: Sequence[FindPersonRow]
    email: str | None = None
    moved: MovedFromRow | None = None
    account: AccountOfEmailRow | None = None
    request: LastRequestOfAccountRow | None = None
    by_account: bool = False
    customers: Sequence[CustomerRow] = field(default=())


def lookup(driver: Driver, club: int, who: str, *, by_id: bool = False) -> Found:
    """Find by email (any spelling), by the email of an app account or of a request, or by an ERP id, merged ones too.

    :param driver: inside a transaction of this club.
    :param by_id: it is an ERP id, also where it looks like an email.
    """
    sql = queries()
    email, rows = resolve_person(driver, club, who, by_id=by_id)
    account = sql.account_of_email(driver, email=email) if email else None
    if not rows and account:
        linked = sql.customer_of_account(driver, club=club, user_id=account["user_id"])
        request = sql.last_request_of_account(driver, club=club, user_id=account["user_id"])
        rows = [{"erp_id": linked["erp_id"], "customer": linked["customer"]}] if linked else []
        customers = _customers(driver, club, rows, email)
        return Found(rows, email, None, account, request, bool(linked), customers)
    moved = None
    if email is None and not any(row["customer"] for row in rows):
        moved = sql.moved_from(driver, club=club, erp_id=who.strip())
        if moved:
            rows = [{"erp_id": moved["erp_id"], "customer": moved["customer"]}]
    customers = _customers(driver, club, rows, email)
    return Found(rows, email, moved, account, customers=customers)


def _customers(
    driver: Driver, club: int, rows: Sequence[FindPersonRow], email: str | None
) -> list[CustomerRow]:
    """The base customers: the holder of the email first, then those with access; records that share it last."""
    found = [
        customer
        for row in rows
        if row["customer"]
        and (customer := queries().customer(driver, club=club, customer=row["customer"]))
    ]
    return sorted(
        found, key=lambda c: (c["email"] != email, not c["in_customers_group"], c["customer"])
    )


def in_clubs(
    driver: Driver, clubs: Sequence[str], who: str, most: int
) -> list[ClubsOfPersonRow] | list[ClubsOfAccountRow]:
    """Those of these clubs that have somebody with that email or ERP id; one person of each club.

    :param driver: of a reader of all clubs.
    :param most: clubs to name.
    :returns: erp_id and customer are both null of a request.
    """
    sql, email = queries(), emails.normalise(who) if "@" in who else None
    erp_id = None if "@" in who else who.strip()
    found = list(
        sql.clubs_of_person(driver, clubs=list(clubs), erp_id=erp_id, email=email, max_rows=most)
    )
    account = sql.account_of_email(driver, email=email) if email and not found else None
    if account is None:
        return found
    user = account["user_id"]
    return list(sql.clubs_of_account(driver, clubs=list(clubs), user_id=user, max_rows=most))


def erasure_of(driver: Driver, club: int, who: str) -> ErasureOfPersonRow | None:
    """R20: the erasure of somebody whom a keyed hash alone still names."""
    sql = queries()
    if club == 0:  # of clubs.yaml, and never synced
        return None
    hashes = hashes_of(sql.club_state(driver, club=club)["hash_key"], who)
    return sql.erasure_of_person(driver, club=club, key_hashes=hashes)


def hashes_of(key: uuid.UUID, who: str) -> list[str]:
    """The keyed hashes by which an erased person is found: of an ERP id, and of an email in any spelling.

    :param key: the club's own.
    """
    email = emails.normalise(who) if "@" in who else None
    return [key_hash(key, name) for name in (who.strip(), email) if name]
