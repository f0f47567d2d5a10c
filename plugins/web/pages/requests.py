"""Requests to become a customer, made in the app (R11)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, TheClub
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import Id, Paged, pages_of
from plugins.web.services import requests

router = APIRouter()


@router.api_route("/clubs/{club}/requests", methods=["GET", "POST"])
def pending(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    wanted: Annotated[Paged, Query()],
) -> HTMLResponse:
    return render(
        request,
        "requests.html",
        user,
        club=club,
        rows=requests.pending(club, wanted.page, shown_to),
        page=wanted.page,
        pages_of=pages_of(requests.count(club), requests.PAGE_SIZE),
        shown=shown_to is not None,
    )


@router.post("/clubs/{club}/requests/{number}/{what}")
def decide(
    request: Request, user: Actor, club: TheClub, number: Id, what: Literal["accept", "refuse"]
) -> RedirectResponse:
    act = requests.decide(club, user, number, accepted=what == "accept")
    return back(request, club, act, "/requests")
