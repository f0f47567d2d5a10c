"""Erasure of a person's data (R20)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from clubsync.errors import ActionRejected
from clubsync.manual import erasure
from clubsync.store.database import queries
from connectors.sdk.messages import message
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, base, engine
from plugins.web.services.actions import Act, action


class Unreachable(BaseModel):
    """A part of an erasure that could not be reached."""

    part: str = Field(description="a path in the snapshot store, or `database`")
    problem: str
    remedy: str = Field(description="what to do")


class Erasure(BaseModel):
    """An order to erase a person, without the person."""

    erasure: int
    ordered_at: datetime
    customers: int
    records: int
    files: int = Field(description="stored files that were cleaned")
    complete: bool
    completed_at: datetime | None
    remaining: int = Field(description="parts that are left; upkeep continues every minute")
    unreachable: list[Unreachable]


def erase(club: Club, user: User, customer: int | None, erp_id: str | None) -> Act:
    """Erase a person's data from the club. This cannot be undone.

    :raises ActionRejected: no customer or ERP record matches.
    """
    erp_id, who = _known_as(club, customer) if erp_id is None else (erp_id, erp_id)
    if who is None:
        raise ActionRejected(
            f"No customer or ERP record of {club.name} matches.",
            remedy="Search for the person again.",
        )
    with action(club, user, "erase") as begun:
        made = erasure.erase(
            base(), engine().store, club.config, who, by=user.name, by_id=erp_id is not None
        )
        begun.detail |= {name: made[name] for name in _TOLD}
        begun.told = _sentence(made)
    return begun.recorded


def orders(club: OpenClub, *, include_all: bool = False) -> list[Erasure]:
    """The club's erasures that are not complete, or all, the newest first."""
    found = erasure.orders(club.driver, club.number, club.id, include_all=include_all)
    return [Erasure.model_validate(order) for order in found]


_TOLD = ("erasure", "customers", "records", "files", "complete", "remaining")


def _sentence(made: dict[str, Any]) -> str:
    if made["complete"]:
        return message("The erasure is complete: nothing of the person is left.")
    n = made["remaining"]
    return message(
        "The person's rows are deleted, but the erasure is not complete: "
        f"{n} part{'s remain' if n != 1 else ' remains'}. Upkeep "
        "continues it every minute; the club's page says what could not be reached."
    )


def _known_as(club: Club, customer: int | None) -> tuple[str | None, str | None]:
    """The ERP id of a customer, if there is one; and that, or the email."""
    with club.transaction() as driver:
        row = queries().person(driver, club=club.number, customer=customer, erp_id=None)
    return (row["erp_id"], row["erp_id"] or row["email"]) if row else (None, None)
