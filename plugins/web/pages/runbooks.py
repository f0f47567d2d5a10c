"""Runbooks: all of them, one, and one for a club, with the buttons that its steps name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from plugins.web import i18n
from plugins.web.auth import Reader, User
from plugins.web.context import OpenClub, ReadClub, Reading
from plugins.web.pages import documents
from plugins.web.pages.documents import Step
from plugins.web.pages.rendering import address, airflow_address, render
from plugins.web.services import clubs, runbooks, runs

router = APIRouter()
Name = Annotated[str, Path(max_length=40, pattern="^[a-z-]+$")]


@router.get("/runbooks")
def all_runbooks(request: Request, user: Reader, reads: Reading) -> HTMLResponse:
    found = runbooks.listed(reads, i18n.language_of(request))
    return render(request, "runbooks.html", user, found=found)


@router.get("/runbooks/{name}")
def one_runbook(request: Request, user: Reader, reads: Reading, name: Name) -> HTMLResponse:
    it = runbooks.find(name, i18n.language_of(request))
    return render(
        request,
        "runbook.html",
        user,
        it=it,
        parts=documents.parts(it, pages=address(request), steps=_steps(request, user, None)),
        failing=runbooks.failing(reads, name),
    )


@router.get("/clubs/{club}/runbooks/{name}")
def runbook_of_a_club(request: Request, user: Reader, club: ReadClub, name: Name) -> HTMLResponse:
    it = runbooks.find(name, i18n.language_of(request))
    steps = _steps(request, user, club)
    return render(
        request,
        "club_runbook.html",
        user,
        club=club,
        it=it,
        parts=documents.parts(it, pages=address(request), club=club.id, steps=steps),
        now_=clubs.one(club),
        failed=runs.last_failure(club),
        outage=clubs.outage(club.reads, club.config.erp),
    )


@router.get("/docs/{name:path}")
def cited(request: Request, user: Reader, name: str) -> HTMLResponse:
    it = runbooks.cited(name)
    parts = documents.parts(it, pages=address(request), steps={})
    return render(request, "document.html", user, it=it, parts=parts)


def _steps(request: Request, user: User, club: OpenClub | None) -> Mapping[str, Step]:
    """What the steps name, in the reader's language: buttons for whoever may act, and pages."""
    say, pages = i18n.Voice(i18n.language_of(request)).gettext, address(request)
    airflow = airflow_address(request)
    below = f"{pages}/clubs/{club.id}" if club else None
    links = {
        i18n.PLACES["holds"]: Step(href=f"{pages}/holds"),
        i18n.PLACES["connections"]: Step(href=f"{airflow}/connections", outside=True),
        i18n.PLACES["dags"]: Step(href=f"{airflow}/dags", outside=True),
    }
    if below:
        links |= {
            i18n.PLACES["reused"]: Step(href=f"{below}/reused"),
            i18n.PLACES["runs"]: Step(href=f"{below}/runs"),
            i18n.PLACES["people"]: Step(href=f"{below}/people"),
            i18n.PLACES["club"]: Step(href=below),
        }
        if user.may_act:
            links |= {text: Step(action=name) for name, text in i18n.BUTTONS.items()}
    return {say(text): step for text, step in links.items()}
