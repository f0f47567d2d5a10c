"""Everybody of a club, by situation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from plugins.web.api.responses import CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub
from plugins.web.services import roster

router = APIRouter(tags=["people"])


@router.get("/clubs/{club}/people", responses=CLUB)
def list_people(
    _: Reader, club: ReadClub, wanted: Annotated[roster.RosterList, Query()]
) -> roster.Roster:
    """A club's ERP records and customers, by the situation that the engine has each of them in; masked."""
    return roster.of_club(club, wanted)


@router.post("/clubs/{club}/people/shown", responses=CLUB)
def list_people_shown(
    user: Actor, club: ReadClub, wanted: Annotated[roster.RosterList, Query()]
) -> roster.Roster:
    """The same with personal data; recorded in the audit."""
    return roster.of_club(club, wanted, shown_to=user)
