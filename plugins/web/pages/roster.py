"""Everybody of a club, by situation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from plugins.web.auth import Reader, ShownTo
from plugins.web.context import ReadClub
from plugins.web.pages.rendering import render
from plugins.web.services import roster

router = APIRouter()


@router.api_route("/clubs/{club}/people", methods=["GET", "POST"])
def people(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    wanted: Annotated[roster.RosterList, Query()],
) -> HTMLResponse:
    return render(
        request,
        "roster.html",
        user,
        club=club,
        found=roster.of_club(club, wanted, shown_to),
        wanted=wanted,
        shown=shown_to is not None,
    )
