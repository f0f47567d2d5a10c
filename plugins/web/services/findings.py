"""What clubs should mend in their ERPs (R22), and records that look like one person (R23)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.explain.export import write_csv
from clubsync.i18n import _, translations
from clubsync.store.database import queries
from clubsync.validate import suites
from plugins.web.context import Club, base, strangers
from plugins.web.services import masking

PAGE_SIZE = 50
Sort = Literal["age", "findings", "name"]
_BRACKETS = re.compile(r" \((…|-)\)")
#: What a sentence about a whole group says in the place of ids.
_SOME = {
    "others": _("another record"),
    "groups": "…",
    "owner": _("another customer"),
    "successor": _("another record"),
}


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


def board(
    words: str | None = None,
    erp: str | None = None,
    code: str | None = None,
    older_days: int | None = None,
    sort: Sort = "findings",
    down: bool = True,
    page: int = 1,
    size: int = PAGE_SIZE,
) -> FindingBoard:
    """Across clubs: a row for each club and code.

    :param older_days: only where the oldest is older than that.
    """
    before = None if older_days is None else clock.now() - timedelta(days=older_days)
    # the oldest first is the greatest age first
    turned = not down if sort == "age" else down
    with base().reader() as driver:
        rows = list(
            queries().finding_board(
                driver,
                words=words or None,
                erp=erp,
                code=code,
                before=before,
                sort=sort,
                down=turned,
                strangers=strangers(),
                how_many=size,
                skip=(page - 1) * size,
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
        page=page,
        pages=max(1, -(-total // size)),
        codes=rows[0]["codes"],
    )


class Todo(BaseModel):
    """What to do about the open findings of one code and severity."""

    code: str
    severity: Literal["error", "warning"]
    advice: str
    findings: int
    oldest: datetime


def todo(club: Club, language: str) -> list[Todo]:
    """A club's open findings by what is to be done, most first."""
    some = {key: translations(language).gettext(text) for key, text in _SOME.items()}
    with club.driver() as driver:
        return [
            Todo(
                **row,
                # what stands in brackets are the ids of one record
                advice=_BRACKETS.sub(
                    "", suites.advice(row["code"], row["severity"], some, language)
                ),
            )
            for row in queries().finding_groups(driver, club=club.number)
        ]


class Finding(BaseModel):
    """One open finding of one record."""

    code: str
    severity: Literal["error", "warning"]
    erp_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    advice: str
    since: datetime
    run: int


def of_club(
    club: Club,
    language: str,
    shown: bool,
    code: str | None = None,
    page: int = 1,
    size: int = PAGE_SIZE,
) -> list[Finding]:
    """A page of a club's open findings, the oldest first."""
    with club.driver() as driver:
        rows = queries().findings_of_code(
            driver, club=club.number, code=code, how_many=size, skip=(page - 1) * size
        )
        return [
            Finding(
                **masking.row({k: v for k, v in row.items() if k != "detail"}, shown),
                advice=suites.advice(row["code"], row["severity"], row["detail"], language),
            )
            for row in rows
        ]


def codes() -> list[str]:
    """All codes that there are."""
    return sorted({code for code, _ in suites.wording()})


def csv_file(club: Club) -> bytes:
    """The file to send to the club: its own columns and `error`, in its own language (R22)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "findings.csv"
        with club.driver() as driver:
            write_csv(path, driver, club.number, language=club.config.language)
        return path.read_bytes()


class Card(BaseModel):
    """One record of a pair."""

    erp_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    birth_date: str | None
    status: str
    access: bool


class SimilarPair(BaseModel):
    """Two records that look like one person; the score is from 0.5 (just enough) to 1."""

    score: float
    reasons: list[str]
    same: list[str] = Field(description="fields that are word for word the same on both")
    records: tuple[Card, Card]


class SimilarPairs(BaseModel):
    pairs: list[SimilarPair]
    total: int


_COMPARED = ("first_name", "last_name", "email", "phone", "birth_date")


def similar(
    club: Club, language: str, shown: bool, page: int = 1, size: int = PAGE_SIZE
) -> SimilarPairs:
    """A page of a club's pairs, the surest first."""
    with club.driver() as driver:
        rows = list(
            queries().similar_pairs_page(
                driver, club=club.number, how_many=size, skip=(page - 1) * size
            )
        )
    return SimilarPairs(
        pairs=[
            SimilarPair(
                score=round(row["score"], 3),
                reasons=suites.similarity(row["reasons"], language),
                same=_same(row),
                records=(_card(row, "a_", shown), _card(row, "b_", shown)),
            )
            for row in rows
        ],
        total=rows[0]["total"] if rows else 0,
    )


def _same(pair: Mapping[str, Any]) -> list[str]:
    return [n for n in _COMPARED if pair[f"a_{n}"] and pair[f"a_{n}"] == pair[f"b_{n}"]]


def _card(row: Mapping[str, Any], side: str, shown: bool) -> Card:
    names = ("erp_id", *_COMPARED, "status", "access")
    card = masking.row({name: row[f"{side}{name}"] for name in names}, shown)
    if isinstance(card["birth_date"], date):
        card["birth_date"] = card["birth_date"].isoformat()
    return Card(**card)
