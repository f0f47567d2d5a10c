"""Deactivations awaiting approval (R15)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, Reading, TheClub
from plugins.web.parameters import XLSX, Hash, Id, RequiredText, csv_response, xlsx_response
from plugins.web.services import holds
from plugins.web.services.actions import Act

router = APIRouter(tags=["holds"])
HeldList = Annotated[holds.HeldList, Query()]


@router.get("/holds")
def list_holds(
    _: Reader, reads: Reading, wanted: Annotated[holds.HoldList, Query()]
) -> holds.HoldBoard:
    """Holds of all clubs."""
    return holds.board(reads, wanted)


@router.get("/clubs/{club}/holds", responses=CLUB)
def show_holds(_: Reader, club: ReadClub) -> list[holds.ClubHold]:
    """Its holds, the newest first."""
    return holds.recent(club)


@router.get("/clubs/{club}/holds/{hold}", responses=CLUB)
def show_hold(_: Reader, club: ReadClub, hold: Id, wanted: HeldList) -> holds.Hold:
    """A hold with a page of the people on its list; masked."""
    return holds.one(club, hold, wanted)


@router.post("/clubs/{club}/holds/{hold}/shown", responses=CLUB)
def show_hold_shown(user: Actor, club: ReadClub, hold: Id, wanted: HeldList) -> holds.Hold:
    """The same with personal data; recorded in the audit."""
    return holds.one(club, hold, wanted, shown_to=user)


@router.post(
    "/clubs/{club}/holds/{hold}/list.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The file"}, **CLUB},
)
def download_hold(
    user: Actor, club: ReadClub, hold: Id, wanted: Annotated[holds.HoldFile, Query()]
) -> Response:
    """The list to send to the club, with personal data; recorded in the audit."""
    return csv_response(f"{club.id}-hold-{hold}.csv", holds.csv_file(club, hold, wanted, user))


@router.post(
    "/clubs/{club}/holds/{hold}/list.xlsx",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}, "description": "The file"}, **CLUB},
)
def download_hold_workbook(
    user: Actor, club: ReadClub, hold: Id, wanted: Annotated[holds.HoldFile, Query()]
) -> Response:
    """The same as a workbook; recorded in the audit."""
    return xlsx_response(f"{club.id}-hold-{hold}.xlsx", holds.workbook(club, hold, wanted, user))


class Decision(BaseModel):
    """Binds to the list that was seen."""

    list_hash: Hash
    comment: RequiredText = Field(description="the reason, stored with the decision")


@router.post("/clubs/{club}/holds/{hold}/approve", responses=ACT)
def approve(user: Actor, club: TheClub, hold: Id, decision: Decision) -> Act:
    """Deactivate those on the list who are still not eligible in the latest sync, and nobody else."""
    return holds.decide(
        club, user, hold, decision.list_hash, approved=True, comment=decision.comment
    )


@router.post("/clubs/{club}/holds/{hold}/reject", responses=ACT)
def reject(user: Actor, club: TheClub, hold: Id, decision: Decision) -> Act:
    """Keep everybody on the list, and do not ask again for 30 days."""
    return holds.decide(
        club, user, hold, decision.list_hash, approved=False, comment=decision.comment
    )
