"""What clubs should fix in their ERPs: across clubs, and of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from plugins.web import i18n
from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, Reading
from plugins.web.pages.rendering import is_part, render
from plugins.web.parameters import Code, Paged, Unset, csv_response, pages_of, xlsx_response
from plugins.web.services import chains, findings

router = APIRouter()


@router.get("/findings")
def all_findings(
    request: Request,
    user: Reader,
    reads: Reading,
    wanted: Annotated[findings.FindingList, Query()],
) -> HTMLResponse:
    return render(
        request,
        "_findings.html" if is_part(request, "rows") else "findings.html",
        user,
        board=findings.board(reads, wanted),
        erps=findings.erps(reads),
        chains=chains.all_of_them(reads),
        wanted=wanted,
    )


class FindingPage(Paged):
    """A page of a club's findings."""

    code: Annotated[Code | None, Unset] = None


@router.api_route("/clubs/{club}/findings", methods=["GET", "POST"])
def of_a_club(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    wanted: Annotated[FindingPage, Query()],
) -> HTMLResponse:
    language = i18n.language_of(request)
    rows = findings.of_club(club, language, wanted.code, wanted.page, shown_to)
    todo = findings.todo(club, language)
    total = sum(t.findings for t in todo if not wanted.code or t.code == wanted.code)
    return render(
        request,
        "club_findings.html",
        user,
        club=club,
        rows=rows,
        todo=todo,
        code=wanted.code or "",
        page=wanted.page,
        pages_of=pages_of(total, findings.PAGE_SIZE),
        shown=shown_to is not None,
    )


@router.post("/clubs/{club}/findings.csv")
def download(user: Actor, club: ReadClub) -> Response:
    return csv_response(f"{club.id}-findings.csv", findings.csv_file(club, user))


@router.post("/clubs/{club}/findings.xlsx")
def download_workbook(user: Actor, club: ReadClub) -> Response:
    return xlsx_response(f"{club.id}-findings.xlsx", findings.workbook(club, user))
