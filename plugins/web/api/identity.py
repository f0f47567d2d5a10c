"""ERP ids that show another person (R1: ID_REUSED)."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, TheClub
from plugins.web.parameters import RequiredText
from plugins.web.services import identity
from plugins.web.services.actions import Act

router = APIRouter(tags=["findings"])


@router.get("/clubs/{club}/reused", responses=CLUB)
def show_reused(_: Reader, club: ReadClub) -> list[identity.ReusedId]:
    """The ERP ids that show another person and await a decision (R1), oldest first; masked."""
    return identity.awaiting(club)


@router.post("/clubs/{club}/reused/shown", responses=CLUB)
def show_reused_shown(user: Actor, club: ReadClub) -> list[identity.ReusedId]:
    """The same with personal data; recorded in the audit."""
    return identity.awaiting(club, shown_to=user)


class Decision(BaseModel):
    """Whose the id is."""

    erp_id: RequiredText
    decision: Literal["keep", "replace"] = Field(
        description="keep: the same person, take the new values. replace: another person, who gets a customer of "
        "their own; the customer there was loses access."
    )


@router.post("/clubs/{club}/reused/decide", responses=ACT)
def decide(user: Actor, club: TheClub, wanted: Decision) -> Act:
    """Decide whose a reused ERP id is; carried out at once, on the latest snapshot."""
    return identity.decide(club, user, wanted.erp_id, wanted.decision)
