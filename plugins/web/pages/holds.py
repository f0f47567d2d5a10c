"""Deactivations awaiting approval (R15): all of them, and one hold with its list."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, Reading, TheClub
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import Hash, Id, RequiredText, csv_response, xlsx_response
from plugins.web.services import holds

router = APIRouter()


@router.get("/holds")
def all_holds(
    request: Request, user: Reader, reads: Reading, wanted: Annotated[holds.HoldList, Query()]
) -> HTMLResponse:
    board = holds.board(reads, wanted)
    return render(request, "holds.html", user, board=board, state=wanted.state)


@router.api_route("/clubs/{club}/holds/{hold}", methods=["GET", "POST"])
def one_hold(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    hold: Id,
    wanted: Annotated[holds.HeldList, Query()],
) -> HTMLResponse:
    found, shown = holds.one(club, hold, wanted, shown_to), shown_to is not None
    return render(request, "hold.html", user, club=club, hold=found, shown=shown)


@router.post("/clubs/{club}/holds/{hold}/decide")
def decide(
    request: Request,
    user: Actor,
    club: TheClub,
    hold: Id,
    what: Annotated[Literal["approve", "reject"], Form()],
    list_hash: Annotated[Hash, Form()],
    comment: Annotated[RequiredText, Form()],
) -> RedirectResponse:
    act = holds.decide(club, user, hold, list_hash, approved=what == "approve", comment=comment)
    return back(request, club, act, f"/holds/{hold}")


@router.post("/clubs/{club}/holds/{hold}/list.csv")
def download(
    user: Actor, club: ReadClub, hold: Id, wanted: Annotated[holds.HoldFile, Query()]
) -> Response:
    return csv_response(f"{club.id}-hold-{hold}.csv", holds.csv_file(club, hold, wanted, user))


@router.post("/clubs/{club}/holds/{hold}/list.xlsx")
def download_workbook(
    user: Actor, club: ReadClub, hold: Id, wanted: Annotated[holds.HoldFile, Query()]
) -> Response:
    return xlsx_response(f"{club.id}-hold-{hold}.xlsx", holds.workbook(club, hold, wanted, user))
