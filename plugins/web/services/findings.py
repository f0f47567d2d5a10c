"""What clubs should fix in their ERPs (R22)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.explain import quoting
from clubsync.explain.export import write_csv, write_xlsx
from clubsync.explain.todo import general_advice
from clubsync.store.database import Driver, queries
from clubsync.validate import suites
from plugins.web.auth import User
from plugins.web.context import OpenClub, Reads, unlisted
from plugins.web.parameters import Code, Paged, Text, Unset, pages_of
from plugins.web.services import actions, masking

PAGE_SIZE = 50
Sort = Literal["age", "findings", "name"]


class FindingList(Paged):
    """Which findings across clubs, in which order."""

    words: Annotated[Text | None, Unset, Field(description="in the club's name or id")] = None
    erp: Annotated[Text | None, Unset] = None
    code: Annotated[Code | None, Unset] = None
    older_days: Annotated[Annotated[int, Field(ge=0, le=36_500)] | None, Unset] = None
    sort: Sort = "findings"
    down: bool = True


class ClubFindings(BaseModel):
    """The open findings of a club that have one code."""

    club: str
    name: str
    erp: str
    code: str
    findings: int
    oldest: datetime


class FindingBoard(BaseModel):
    """A page of open findings across clubs; `codes` counts what the other filters leave."""

    rows: list[ClubFindings]
    total: int
    page: int
    pages: int
    codes: dict[str, int]


def board(reads: Reads, wanted: FindingList) -> FindingBoard:
    """Across clubs: a row for each club and code."""
    older = None if wanted.older_days is None else timedelta(days=wanted.older_days)
    rows = list(
        queries().finding_board(
            reads.across(),
            words=wanted.words,
            erp=wanted.erp,
            code=wanted.code,
            before=None if older is None else clock.now() - older,
            sort=wanted.sort,
            # the oldest first is the greatest age first
            down=wanted.down != (wanted.sort == "age"),
            unlisted=unlisted(),
            max_rows=PAGE_SIZE,
            skip=(wanted.page - 1) * PAGE_SIZE,
        )
    )
    total = rows[0]["total"]
    return FindingBoard(
        rows=[
            ClubFindings(
                club=row["club_id"],
                name=row["name"],
                erp=row["erp"],
                code=row["code"],
                findings=row["findings"],
                oldest=row["oldest"],
            )
            for row in rows
            if row["club_id"] is not None
        ],
        total=total,
        page=wanted.page,
        pages=pages_of(total, PAGE_SIZE),
        codes=rows[0]["codes"],
    )


def erps(reads: Reads) -> list[str]:
    """The ERPs of all clubs."""
    return [row["erp"] for row in queries().erps(reads.across())]


class Todo(BaseModel):
    """What to do about the open findings of one code and severity."""

    code: str
    severity: Literal["error", "warning"]
    advice: str
    findings: int
    oldest: datetime


def todo(club: OpenClub, language: str) -> list[Todo]:
    """A club's open findings by what is to be done, the most frequent first."""
    return [
        Todo(**row, advice=general_advice(row["code"], row["severity"], language))
        for row in queries().finding_groups(club.driver, club=club.number)
    ]


class Finding(BaseModel):
    """One open finding of one record; without `erp_id` it is about the club itself."""

    code: str
    severity: Literal["error", "warning"]
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    advice: str
    since: datetime
    run: int


def of_club(
    club: OpenClub,
    language: str,
    code: str | None = None,
    page: int = 1,
    shown_to: User | None = None,
) -> list[Finding]:
    """A page of a club's open findings, the oldest first.

    :param shown_to: with personal data, for this person, which is recorded.
    """
    rows = list(
        queries().findings_of_code(
            club.driver,
            club=club.number,
            code=code,
            max_rows=PAGE_SIZE,
            skip=(page - 1) * PAGE_SIZE,
        )
    )
    details = [row["detail"] for row in rows]
    if shown_to is None:
        details = quoting.all_for_viewers(club.driver, club.number, rows)
    found = [
        Finding(
            **masking.row({k: v for k, v in row.items() if k != "detail"}, shown_to is not None),
            advice=suites.advice(row["code"], row["severity"], detail, language),
        )
        for row, detail in zip(rows, details, strict=True)
    ]
    if shown_to:
        named = [finding.erp_id for finding in found if finding.erp_id]
        actions.disclose(club, shown_to, "findings", named, code=code, page=page)
    return found


def csv_file(club: OpenClub, shown_to: User) -> bytes:
    """The file to send to the club (R22): its own columns and `error`, as its country writes them; recorded."""
    return _file(club, shown_to, write_csv)


def workbook(club: OpenClub, shown_to: User) -> bytes:
    """The same as a workbook (XLSX); recorded."""
    return _file(club, shown_to, write_xlsx)


def _file(
    club: OpenClub, shown_to: User, write: Callable[[Path, Driver, int, ClubConfig], int]
) -> bytes:
    actions.record_download(club, shown_to)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "findings"
        write(path, club.driver, club.number, club.config)
        return path.read_bytes()
