"""What clubs should fix in their ERPs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from plugins.web.api.responses import CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, Reading
from plugins.web.parameters import XLSX, Code, Language, Sentences, csv_response, xlsx_response
from plugins.web.services import findings

router = APIRouter(tags=["findings"])


@router.get("/findings")
def list_findings(
    _: Reader, reads: Reading, wanted: Annotated[findings.FindingList, Query()]
) -> findings.FindingBoard:
    """Open findings across clubs: a row for each club and code."""
    return findings.board(reads, wanted)


@router.get("/clubs/{club}/todo", responses=CLUB)
def show_todo(_: Reader, club: ReadClub, language: Language = "en") -> list[findings.Todo]:
    """Its open findings by what is to be done."""
    return findings.todo(club, language)


class FindingPage(Sentences):
    """A page of a club's findings."""

    code: Code | None = None


@router.get("/clubs/{club}/findings", responses=CLUB)
def show_findings(
    _: Reader, club: ReadClub, wanted: Annotated[FindingPage, Query()]
) -> list[findings.Finding]:
    """A page of its open findings, the oldest first; masked."""
    return findings.of_club(club, wanted.language, wanted.code, wanted.page)


@router.post("/clubs/{club}/findings/shown", responses=CLUB)
def show_findings_shown(
    user: Actor, club: ReadClub, wanted: Annotated[FindingPage, Query()]
) -> list[findings.Finding]:
    """The same with personal data; recorded in the audit."""
    return findings.of_club(club, wanted.language, wanted.code, wanted.page, shown_to=user)


@router.post(
    "/clubs/{club}/findings.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The file"}, **CLUB},
)
def download_findings(user: Actor, club: ReadClub) -> Response:
    """The file to send to the club, with personal data; recorded in the audit."""
    return csv_response(f"{club.id}-findings.csv", findings.csv_file(club, user))


@router.post(
    "/clubs/{club}/findings.xlsx",
    response_class=Response,
    responses={200: {"content": {XLSX: {}}, "description": "The file"}, **CLUB},
)
def download_findings_workbook(user: Actor, club: ReadClub) -> Response:
    """The same as a workbook; recorded in the audit."""
    return xlsx_response(f"{club.id}-findings.xlsx", findings.workbook(club, user))
