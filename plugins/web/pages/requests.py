"""Requests to become a customer, made in the app (R11)."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, TheClub
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import Id
from plugins.web.services import requests

router = APIRouter()


@router.api_route("/clubs/{club}/requests", methods=["GET", "POST"])
def pending(request: Request, user: Reader, shown_to: ShownTo, club: ReadClub) -> HTMLResponse:
    rows, shown = requests.pending(club, shown_to), shown_to is not None
    return render(request, "requests.html", user, club=club, rows=rows, shown=shown)


@router.post("/clubs/{club}/requests/{number}/{what}")
def decide(
    request: Request, user: Actor, club: TheClub, number: Id, what: Literal["accept", "refuse"]
) -> RedirectResponse:
    act = requests.decide(club, user, number, accepted=what == "accept")
    return back(request, club, act, "/requests")
