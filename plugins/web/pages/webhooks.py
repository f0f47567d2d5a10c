"""Webhooks: whether what changed arrives downstream, and what was given up (R30)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Actor, Reader
from plugins.web.context import TheClub
from plugins.web.errors import ProblemError
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import RequiredText, Text
from plugins.web.registry import registry
from plugins.web.services import webhooks

router = APIRouter()


@router.get("/webhooks")
def all_webhooks(request: Request, user: Reader) -> HTMLResponse:
    return render(
        request,
        "webhooks.html",
        user,
        found=webhooks.all_of_them(),
        dead=webhooks.dead(),
        names={club.id: club.name for club in registry().config.clubs},
    )


@router.post("/clubs/{club}/webhooks/resume")
def resume(
    request: Request,
    user: Actor,
    club: TheClub,
    webhook: Annotated[RequiredText, Form()],
    message: Annotated[RequiredText, Form()],
    what: Annotated[Literal["replay", "skip"], Form()],
    sure: Annotated[Text, Form()] = "",
) -> RedirectResponse:
    if what == "skip" and sure != "yes":
        raise ProblemError(422, "Invalid request", "Tick the box to confirm what it states.")
    act = webhooks.resume(club, user, webhook, message, skip=what == "skip")
    return back(request, club, act)
