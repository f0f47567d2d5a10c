"""ERP ids that show another person (R1: ID_REUSED), the two people side by side."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, TheClub
from plugins.web.errors import ProblemError
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import RequiredText, Text
from plugins.web.services import identity

router = APIRouter()


@router.api_route("/clubs/{club}/reused", methods=["GET", "POST"])
def reused(request: Request, user: Reader, shown_to: ShownTo, club: ReadClub) -> HTMLResponse:
    found = identity.awaiting(club, shown_to)
    shown = shown_to is not None
    return render(request, "reused.html", user, club=club, found=found, shown=shown)


@router.post("/clubs/{club}/reused/decide")
def decide(
    request: Request,
    user: Actor,
    club: TheClub,
    erp_id: Annotated[RequiredText, Form()],
    decision: Annotated[Literal["keep", "replace"], Form()],
    sure: Annotated[Text, Form()] = "",
) -> RedirectResponse:
    if sure != "yes":
        raise ProblemError(
            422, "Invalid request", "Tick the box to confirm that you have compared the two people."
        )
    return back(request, club, identity.decide(club, user, erp_id, decision), "/reused")
