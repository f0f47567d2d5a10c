"""The runbooks of `docs/runbooks`: what support reads when a club fails; and the documents that they cite."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field

from clubsync.store.database import queries
from plugins.web.context import Reads, unlisted
from plugins.web.errors import ProblemError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "runbooks"
CITED = ("docs/operating.md", "docs/erps/csv.md", "SECURITY.md")
"""Documents that runbooks link to: pages too, in English."""
NAMED = 50
"""Clubs that the page of a runbook names; the others are counted."""


@dataclass(frozen=True)
class Document:
    """A document in Markdown.

    :param path: below the root of the repository; its links are relative to it.
    :param text: without the title.
    """

    path: str
    title: str
    text: str

    @property
    def name(self) -> str:
        return Path(self.path).stem


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def find(name: str, language: str) -> Document:
    """A runbook; in English where it is not translated.

    :raises ProblemError: 404: there is no such runbook.
    """
    if name not in names():
        raise ProblemError(404, "No such runbook", f"There is no runbook {name}.")
    translated = FOLDER / language / f"{name}.md"
    return _read(translated if translated.exists() else FOLDER / f"{name}.md")


def cited(name: str) -> Document:
    """A document that a runbook links to, by its path below the root without `.md`.

    :raises ProblemError: 404: no runbook links to such a document.
    """
    if f"{name}.md" not in CITED:
        raise ProblemError(404, "No such document", "No runbook links to this document.")
    return _read(ROOT / f"{name}.md")


def _read(path: Path) -> Document:
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    return Document(path.relative_to(ROOT).as_posix(), first.removeprefix("# "), rest)


class Listed(BaseModel):
    """A runbook of the list.

    :param clubs: that fail now with what it is about.
    """

    name: str
    title: str
    clubs: int


def listed(reads: Reads, language: str) -> list[Listed]:
    """All runbooks: those that clubs need now first."""
    rows = queries().failing_clubs_by_runbook(reads.across(), unlisted=unlisted())
    needed = {row["runbook"]: row["clubs"] for row in rows}
    found = [
        Listed(name=name, title=find(name, language).title, clubs=needed.get(name, 0))
        for name in names()
    ]
    return sorted(found, key=lambda one: (-one.clubs, one.title))


class FailingClub(BaseModel):
    """A club that fails with what a runbook is about."""

    club: str
    name: str
    failing_since: datetime
    error: str | None


class Failing(BaseModel):
    """The clubs that fail with what a runbook is about, those that fail for longest first."""

    clubs: list[FailingClub]
    total: int = Field(description="`clubs` has the first 50 of them")


def failing(reads: Reads, name: str) -> Failing:
    rows = list(
        queries().clubs_failing_by_runbook(
            reads.across(), runbook=name, unlisted=unlisted(), max_rows=NAMED
        )
    )
    return Failing(
        clubs=[
            FailingClub(
                club=row["club_id"],
                name=row["name"],
                failing_since=row["failing_since"],
                error=row["error"],
            )
            for row in rows
        ],
        total=rows[0]["total"] if rows else 0,
    )
