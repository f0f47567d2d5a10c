"""What all commands share: consoles, JSON on stdout, tables, the database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli import terminal
from clubsync.cli.terminal import err, out
from connectors.sdk import moments

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.pipeline.engine import Pipeline
    from clubsync.store.database import Base, Driver

__all__ = ["err", "out"]

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
    terminal.print_json(document, plain)


def print_error(error: str, remedy: str | None) -> None:
    """What went wrong and what to do about it, on stderr."""
    err.say((error, "red"), f" {remedy or ''}")


#: Ends the help of an argument or option that takes a person's data.
OR_STDIN = "`-`: from standard input, a line each, or asked for."


def entered(**given: str | None) -> list[str | None]:
    """The values of arguments and options; each that is `-` is read from standard input, or asked for at a terminal.

    Whatever stands on the command line is in the list of processes, which all users of the machine may read.

    :param given: by what to ask for, in the order of the lines.
    :raises typer.BadParameter: standard input has ended, or a value is no text.
    """
    return [_entered(name.replace("_", " "), value) for name, value in given.items()]


def _entered(name: str, value: str | None) -> str | None:
    if value == "-":
        if sys.stdin.isatty():
            value = str(typer.prompt(name.capitalize(), err=True))
        else:
            value = sys.stdin.readline().rstrip("\r\n")
        if not value.strip():
            raise typer.BadParameter(f"Standard input has no line with the {name}.")
    if value is not None and ("\0" in value or (not value.isascii() and _has_surrogate(value))):
        raise typer.BadParameter(f"The {name} is not text in the terminal's encoding.")
    return value


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def entered_one(name: str, value: str) -> str:
    """`entered`, of one value that has to be given."""
    (found,) = entered(**{name: value})
    assert found is not None  # it was given
    return found


def table(
    title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | Mapping[str, str]
) -> None:
    """Print a table.

    :param columns: the keys to show, in order; with a mapping, each key's heading.
    """
    if not rows:
        out.say(f"{title}: none.")
        return
    headings = [
        columns[column] if isinstance(columns, Mapping) else column.replace("_", " ")
        for column in columns
    ]
    out.show(title, headings, [[cell(row[column]) for column in columns] for row in rows])


def cell(value: Any) -> str:
    """A value as text; times on the local clock, which is named."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
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
    with err.progress("reading") as say:

        def progress(club: str, stage: str, rows: int, total: int | None) -> None:
            say(f"{club}: {stage} {rows:,}" + (f" of {total:,}" if total else ""))

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


def warn_of_login(base: Base) -> None:
    """R21: say on stderr that the engine works as somebody who can lift row-level security."""
    if not base.is_confined:
        sentence, remedy = base.unconfined()
        err.say((sentence, "yellow"), f" {remedy}")


def moment(text: str) -> datetime:
    """A time that somebody typed: ISO 8601, in UTC unless it has an offset."""
    found = moments.of_text(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 time like 2026-11-21T10:05:00Z, or no clock shows it."
        )
    return found
