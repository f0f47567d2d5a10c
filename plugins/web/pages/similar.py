"""Records that look like one person (R23), side by side."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web import i18n
from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, TheClub
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import Paged, RequiredText, pages_of
from plugins.web.services import clubs
from plugins.web.services import similar as service

router = APIRouter()


@router.api_route("/clubs/{club}/similar", methods=["GET", "POST"])
def similar(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    wanted: Annotated[Paged, Query()],
) -> HTMLResponse:
    found = service.pairs(club, i18n.language_of(request), wanted.page, shown_to)
    return render(
        request,
        "similar.html",
        user,
        club=club,
        found=found,
        it=clubs.one(club),
        page=wanted.page,
        pages_of=pages_of(found.total, service.PAGE_SIZE),
        shown=shown_to is not None,
    )


@router.post("/clubs/{club}/similar/ignore")
def ignore(
    request: Request,
    user: Actor,
    club: TheClub,
    one: Annotated[RequiredText, Form()],
    other: Annotated[RequiredText, Form()],
    back_to: Annotated[Literal["similar", "person"], Form(alias="back")] = "similar",
) -> RedirectResponse:
    act = service.ignore(club, user, one, other)
    to = "/similar" if back_to == "similar" else f"/person?{urlencode({'erp_id': one})}"
    return back(request, club, act, to)
