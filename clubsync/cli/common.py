"""What all commands share: consoles, JSON on stdout, tables, the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.pipeline.engine import Pipeline
    from clubsync.store.database import Base, Driver

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on stdout.")
]
ClubIds = Annotated[
    list[str],
    typer.Argument(metavar="CLUB...", help="Ids of clubs in clubs.yaml, or `all` for all of them."),
]
ClubId = Annotated[str, typer.Argument(metavar="CLUB", help="The club's id in clubs.yaml.")]


def plain(value: Any) -> Any:
    """A date or time for JSON: ISO 8601, times in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, default=plain, ensure_ascii=False) + "\n")


def table(
    title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | Mapping[str, str]
) -> None:
    """Print a table.

    :param columns: the keys to show, in order; with a mapping, each key's heading.
    """
    if not rows:
        out.print(f"{title}: none.")
        return
    shown = Table(title=title, title_justify="left")
    for column in columns:
        shown.add_column(
            columns[column] if isinstance(columns, Mapping) else column.replace("_", " ")
        )
    for row in rows:
        shown.add_row(*(cell(row[column]) for column in columns))
    out.print(shown)


def cell(value: Any) -> str:
    """A value as text; times on the local clock."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return str(value)


@contextmanager
def open_pipeline(quiet: bool) -> Iterator[Pipeline]:
    """The pipeline, with a progress line on stderr if that is a terminal."""
    from clubsync.pipeline.engine import Pipeline

    if quiet or not err.is_terminal:
        with Pipeline.from_environment() as pipeline:
            yield pipeline
        return
    with err.status("reading") as status:

        def progress(club: str, stage: str, rows: int, total: int | None) -> None:
            status.update(f"{club}: {stage} {rows:,}" + (f" of {total:,}" if total else ""))

        with Pipeline.from_environment(progress=progress) as pipeline:
            yield pipeline


@contextmanager
def open_club(club_id: str) -> Iterator[tuple[Driver, int, ClubConfig]]:
    """A transaction of one club of clubs.yaml, and the club's number: 0 if it was never synced."""
    from clubsync.config import load_config
    from clubsync.store.database import queries

    club = load_config().club(club_id)
    with open_base() as base:
        with base.transaction() as driver:
            club_no = queries().find_club(driver, club_id=club_id) or 0
        with base.club(club_no) as driver:
            yield driver, club_no, club


@contextmanager
def open_base() -> Iterator[Base]:
    """The database, closed at the end."""
    from clubsync.store.database import Base

    base = Base(pool_size=1)
    try:
        yield base
    finally:
        base.close()


def moment(text: str) -> datetime:
    """A time that somebody typed: ISO 8601, in UTC unless it has an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 time like 2026-11-21T10:05:00Z."
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
