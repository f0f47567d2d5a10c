"""The list of clubs, and a club's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from clubsync import clock
from plugins.web import i18n
from plugins.web.auth import Actor, Reader, User
from plugins.web.context import Club, ReadClub, Reading, TheClub
from plugins.web.errors import ProblemError
from plugins.web.pages import charts
from plugins.web.pages.rendering import back, is_part, person_path, progress, render
from plugins.web.parameters import Hash, Id, Text
from plugins.web.services import (
    actions,
    chains,
    clubs,
    erasure,
    findings,
    holds,
    operations,
    requests,
    runs,
)

router = APIRouter()


@router.get("/clubs")
def all_clubs(
    request: Request, user: Reader, reads: Reading, wanted: Annotated[clubs.ClubList, Query()]
) -> HTMLResponse:
    template = "_clubs.html" if is_part(request, "rows") else "clubs.html"
    return render(
        request,
        template,
        user,
        board=clubs.board(reads, wanted, i18n.language_of(request)),
        wanted=wanted,
    )


@router.get("/clubs/{club}")
def one_club(request: Request, user: Reader, club: ReadClub) -> HTMLResponse:
    hours, rows = clubs.readings(club), clubs.changes(club)
    bars, top = charts.stacked(rows, clock.now())
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.kind] = totals.get(row.kind, 0) + row.changes
    return render(
        request,
        "club.html",
        user,
        club=club,
        it=clubs.one(club),
        week=charts.week(hours, clock.now(), club.config.zone),
        share=charts.share_complete(hours),
        bars=bars,
        top=top,
        totals=totals,
        recent=runs.recent(club),
        todo=findings.todo(club, i18n.language_of(request)),
        holds=holds.recent(club),
        done=actions.recent(club, 10),
        erasures=erasure.orders(club),
        requests=requests.count(club),
        chain=chains.of_club(club.reads, club.id),
        failures=charts.failures(hours, clubs.failures(club)),
        failed=runs.last_failure(club),
        outage=clubs.outage(club.reads, club.config.erp),
    )


@router.get("/clubs/{club}/groups")
def groups(request: Request, user: Reader, club: ReadClub) -> HTMLResponse:
    return render(request, "_groups.html", user, club=club, groups=clubs.groups(club))


@router.get("/clubs/{club}/acts/{act}")
def one_action(request: Request, user: Reader, club: ReadClub, act: Id) -> HTMLResponse:
    told = progress(club, actions.found(club, act))
    return render(request, "_act.html", user, club=club, told=told)


Button = Literal["sync", "dry-run", "pause", "resume", "test", "confirm-source", "confirm-empty"]
BUTTONS: dict[Button, Callable[[Club, User], actions.Act]] = {
    "sync": operations.sync,
    "dry-run": operations.dry_run,
    "pause": operations.pause,
    "resume": operations.resume,
    "test": operations.test,
    "confirm-source": operations.confirm_source,
    "confirm-empty": operations.confirm_empty,
}


@router.post("/clubs/{club}/do/go")
def approve_first_sync(
    request: Request, user: Actor, club: TheClub, list_hash: Annotated[Hash, Form()]
) -> RedirectResponse:
    return back(request, club, operations.approve_first_sync(club, user, list_hash))


@router.post("/clubs/{club}/do/{what}")
def do(
    request: Request,
    user: Actor,
    club: TheClub,
    what: Button,
    erp_id: Annotated[Text, Form()] = "",
    customer: Annotated[Text, Form()] = "",
    sure: Annotated[Text, Form()] = "",
) -> RedirectResponse:
    """With a person's ids: back to the answer about them, where the button was."""
    if what in i18n.CONFIRMED and i18n.CONFIRMED[what][1] and sure != "yes":
        raise ProblemError(422, "Invalid request", "Tick the box to confirm what it states.")
    return back(request, club, BUTTONS[what](club, user), person_path(erp_id, customer))
