"""Erasure of a person's data (R20)."""

from __future__ import annotations

from clubsync.errors import ActionRejected
from clubsync.manual.erasure import erase as erase_person
from clubsync.store.database import queries
from plugins.web.auth import User
from plugins.web.context import Club, base, engine
from plugins.web.services.actions import Act, action


def erase(club: Club, user: User, customer: int | None, erp_id: str | None) -> Act:
    """Erase a person's data from the club. This cannot be undone.

    :raises ActionRejected: no customer or ERP record matches.
    """
    who = erp_id if erp_id is not None else _known_as(club, customer)
    if who is None:
        raise ActionRejected(
            f"No customer or ERP record of {club.name} matches.",
            remedy="Search for the person again.",
        )
    with action(club, user, "erase") as begun:
        made = erase_person(base(), engine().store, club.config, who, by=user.name)
        begun.detail |= {name: made[name] for name in ("customers", "records", "files")}
    return begun.recorded


def _known_as(club: Club, customer: int | None) -> str | None:
    """The ERP id of a customer, or the email."""
    with club.transaction() as driver:
        row = queries().person(driver, club=club.number, customer=customer, erp_id=None)
    return (row["erp_id"] or row["email"]) if row else None
