"""ERP ids that show another person (R1: ID_REUSED), and what a person decides of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from clubsync.errors import ActionRejected
from clubsync.manual import identity
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, engine
from plugins.web.services import actions, masking
from plugins.web.services.actions import Act


class Person(BaseModel):
    """What the ERP says of the person behind an id."""

    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    birth_date: str | None


class ReusedId(BaseModel):
    """An id that awaits a decision."""

    erp_id: str
    since: datetime
    customer: int = Field(description="the base customer that the id belongs to until then")
    was: Person
    now: Person | None = Field(description="null: the latest snapshot does not show the record")


def awaiting(club: OpenClub, shown_to: User | None = None) -> list[ReusedId]:
    """The ids that await a decision, oldest first.

    :param shown_to: with personal data, for this person, which is recorded.
    """
    found = identity.awaiting(club.driver, club.number, club.id, engine().store)
    shown = shown_to is not None
    if shown_to:
        actions.disclose(club, shown_to, "reused", [one.erp_id for one in found])
    return [
        ReusedId(
            erp_id=one.erp_id,
            since=one.since,
            customer=one.customer,
            was=_person(one.was, shown),
            now=_person(one.now, shown) if one.now else None,
        )
        for one in found
    ]


def _person(values: Mapping[str, Any], shown: bool) -> Person:
    card = masking.row(values, shown)
    if isinstance(card["birth_date"], date):
        card["birth_date"] = card["birth_date"].isoformat()
    return Person(**card)


def decide(club: Club, user: User, erp_id: str, decision: Literal["keep", "replace"]) -> Act:
    """Decide whose the id is; carried out at once.

    :raises ActionRejected: the id awaits no decision.
    """
    with actions.action(club, user, f"identity_{decision}", [erp_id]) as begun:
        step = engine().decide_identity(club.id, erp_id, decision, user.name)
        begun.detail["run"] = step["run"]
        if step["error"]:
            raise ActionRejected(step["error"], remedy=step["remedy"] or "")
    return begun.recorded
