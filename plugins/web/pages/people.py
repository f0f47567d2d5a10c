"""Why a person is a customer, or not; and erasure."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web import i18n
from plugins.web.auth import Eraser, Reader, ShownTo
from plugins.web.context import OpenClub, ReadClub, Reading, TheClub, find_club
from plugins.web.errors import ProblemError
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import LARGEST_ID, RequiredText, Text
from plugins.web.services import erasure, people

router = APIRouter()


@router.get("/why")
def form(request: Request, user: Reader) -> HTMLResponse:
    return render(request, "why.html", user, about=None, found=None, shown=False)


@router.post("/why")
def search(
    request: Request,
    user: Reader,
    reads: Reading,
    who: Annotated[RequiredText, Form()],
    club: Annotated[Text, Form()] = "",
) -> HTMLResponse:
    """Changes nothing, so a viewer may search; by POST, because addresses end up in logs (R19)."""
    language = i18n.language_of(request)
    found: people.Why | list[people.Candidate]
    if club:
        here = OpenClub.of(find_club(club), reads)
        found = people.ask(here, who, language, tell_erased=user.may_act, by_name=user.may_act)
    else:
        found = people.find(reads, who, language, tell_erased=user.may_act, by_name=user.may_act)
    if isinstance(found, list):
        return render(request, "why.html", user, about=None, found=found, shown=False)
    its_club = OpenClub.of(find_club(found.club or ""), reads)
    return render(request, "why.html", user, club=its_club, about=found, found=None, shown=False)


@router.api_route("/clubs/{club}/person", methods=["GET", "POST"])
def one_person(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    erp_id: RequiredText | None = None,
    customer: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> HTMLResponse:
    if erp_id is None and customer is None:
        raise ProblemError(422, "Invalid request", "Give erp_id or customer.")
    language = i18n.language_of(request)
    about = people.ask(club, None, language, erp_id=erp_id, customer=customer, shown_to=shown_to)
    shown = shown_to is not None
    return render(request, "why.html", user, club=club, about=about, found=None, shown=shown)


@router.post("/clubs/{club}/erase")
def erase(
    request: Request,
    user: Eraser,
    club: TheClub,
    erp_id: Annotated[Text, Form()] = "",
    customer: Annotated[Text, Form()] = "",
    sure: Annotated[Text, Form()] = "",
) -> RedirectResponse:
    if sure != "yes":
        raise ProblemError(
            422, "Invalid request", "Tick the box to confirm that this cannot be undone."
        )
    number = int(customer) if customer.isdecimal() and len(customer) < 19 else None
    return back(request, club, erasure.erase(club, user, number, erp_id or None))
