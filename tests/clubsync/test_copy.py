"""Frames go into PostgreSQL as they are, and new rows into their own club only (R21)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clubsync import db, embedded
from clubsync.db import Base, copy_in, copy_new
from tests.support.club import Club

COLUMNS = {
    "n": ("bigint", pl.Int64),
    "small": ("integer", pl.Int64),
    "t": ("text", pl.String),
    "yes": ("boolean", pl.Boolean),
    "day": ("date", pl.Date),
    "at": ("timestamptz", pl.Datetime("us", "UTC")),
    "numbers": ("integer []", pl.List(pl.Int64)),
    "doc": ("jsonb", pl.String),
}

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_small = st.integers(-(2**31), 2**31 - 1)


def _or_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


rows = st.lists(
    st.fixed_dictionaries(
        {
            "n": _or_null(st.integers(-(2**63), 2**63 - 1)),
            "small": _or_null(_small),
            "t": _or_null(_text),
            "yes": _or_null(st.booleans()),
            "day": _or_null(st.dates(date(1, 1, 1))),
            "at": _or_null(st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC))),
            "numbers": _or_null(st.lists(_small)),
            "doc": _or_null(st.dictionaries(_text, _text).map(json.dumps)),
        }
    ),
    max_size=7,
)


@pytest.fixture(scope="module")
def plain(postgres: embedded.Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection, with a table of every type that we copy into."""
    postgres.create_database("copied")
    with psycopg.connect(postgres.url("copied").replace("+psycopg", "")) as driver:
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
        driver.execute(f"create table copied (i integer, {columns})")
        yield driver
        driver.rollback()
    db._known_types.pop("copied", None)


@given(rows)
@settings(deadline=None)
def test_every_value_comes_back_as_it_was(
    plain: psycopg.Connection[Any], rows: list[dict[str, Any]]
) -> None:
    """Null, blank, quotes, line ends, the ends of each range: over several parts too."""
    schema = {name: kind for name, (_, kind) in COLUMNS.items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("i")
    plain.execute("delete from copied")
    whole, db.COPY_ROWS = db.COPY_ROWS, 3
    try:
        copy_in(plain, "copied", frame)
    finally:
        db.COPY_ROWS = whole
    back = plain.execute(f"select {', '.join(COLUMNS)} from copied order by i").fetchall()
    wanted = [
        tuple(
            json.loads(row[name]) if name == "doc" and row[name] is not None else row[name]
            for name in COLUMNS
        )
        for row in rows
    ]
    assert back == wanted


def test_what_does_not_fit_is_refused_before_anything_is_sent(
    plain: psycopg.Connection[Any],
) -> None:
    frame = pl.DataFrame({"i": [1], "small": [2**31]})
    with pytest.raises(pl.exceptions.InvalidOperationError):
        copy_in(plain, "copied", frame)
    assert plain.execute("select 1").fetchone() == (1,)


def test_parts_are_prepared_one_by_one(
    plain: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "COPY_ROWS", 4)
    seen: list[int] = []

    def prepare(part: pl.DataFrame) -> pl.DataFrame:
        seen.append(part.height)
        return part.select("i", t=pl.lit("x"))

    plain.execute("delete from copied")
    copy_in(plain, "copied", pl.DataFrame({"i": range(10), "other": range(10)}), prepare)
    assert seen == [4, 4, 2]
    assert plain.execute("select count(*), min(t) from copied").fetchone() == (10, "x")


def _change(at: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        {"run": [1], "at": [at], "kind": ["addition"], "customer": [1], "after": ['{"a": 1}']}
    )


def test_r21_new_rows_are_of_the_transactions_club(club: Club, shared_base: Base) -> None:
    """ "Whatever concerns one club" names no other: the rows cannot say whose they are."""
    club.sync()
    at = club.now + timedelta(days=1)
    with shared_base.club(club.number) as driver:
        copy_new(driver, "sync.change", _change(at))
        assert driver.execute("select current_user").fetchone() == ("clubsync_club",)
    assert club.rows("select club, after from sync.change where at = %s", at) == [
        (club.number, {"a": 1})
    ]
    with shared_base.club(club.number) as driver, pytest.raises(ValueError, match="not to be said"):
        copy_new(
            driver,
            "sync.change",
            _change(at),
            lambda rows: rows.with_columns(club=club.number + 1),
        )


def test_r21_outside_a_clubs_transaction_nothing_is_copied(shared_base: Base) -> None:
    with (
        pytest.raises(psycopg.errors.Error, match=r"clubsync\.club|integer"),
        shared_base.transaction() as driver,
    ):
        copy_new(driver, "sync.change", _change(datetime.now(UTC)))
