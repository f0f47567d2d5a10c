"""Frames go into PostgreSQL as they are, and new rows into their own club only (R21)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clubsync.load import small
from clubsync.store import database, embedded
from clubsync.store.database import (
    Base,
    copying,
    copying_new,
    queries,
    rebuild_indexes_after,
    try_exclusive_lock,
)
from tests.support.club import Club
from tests.support.rules import NewClub

COLUMNS: dict[str, tuple[str, pl.DataType | type[pl.DataType]]] = {
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
    database._known_types.pop("copied", None)


@given(rows)
@settings(deadline=None)
def test_every_value_comes_back_as_it_was(
    plain: psycopg.Connection[Any], rows: list[dict[str, Any]]
) -> None:
    """Null, blank, quotes, line ends, the ends of each range: over several parts too."""
    schema = {name: kind for name, (_, kind) in COLUMNS.items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("i")
    plain.execute("delete from copied")
    whole, database.COPY_ROWS = database.COPY_ROWS, 3
    try:
        copying(plain, "copied", frame)()
    finally:
        database.COPY_ROWS = whole
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
        copying(plain, "copied", frame)
    with ThreadPoolExecutor(1) as beside:
        send = copying(plain, "copied", frame, beside=beside)
        with pytest.raises(pl.exceptions.InvalidOperationError):
            send()
    assert plain.execute("select 1").fetchone() == (1,)


def test_rows_are_made_beside_what_the_server_is_at(
    plain: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first part is there when its time comes, the others come as they are needed; the order holds."""
    monkeypatch.setattr(database, "COPY_ROWS", 2)
    plain.execute("delete from copied")
    made: list[int] = []

    def prepare(part: pl.DataFrame) -> pl.DataFrame:
        made.extend(part["i"])
        return part.with_columns(t=pl.lit("made"))

    with ThreadPoolExecutor(1) as beside:
        first = copying(plain, "copied", pl.DataFrame({"i": range(5)}), prepare, beside=beside)
        second = copying(plain, "copied", pl.DataFrame({"i": range(5, 8)}), prepare, beside=beside)
        beside.submit(lambda: None).result()
        assert made == [0, 1, 5, 6]
        assert plain.execute("select count(*) from copied").fetchone() == (0,)
        second()
        first()
    assert made == [0, 1, 5, 6, 7, 2, 3, 4]
    rows = plain.execute("select i, t from copied order by i").fetchall()
    assert rows == [(i, "made") for i in range(8)]


def test_parts_are_prepared_one_by_one(
    plain: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "COPY_ROWS", 4)
    seen: list[int] = []

    def prepare(part: pl.DataFrame) -> pl.DataFrame:
        seen.append(part.height)
        return part.select("i", t=pl.lit("x"))

    plain.execute("delete from copied")
    copying(plain, "copied", pl.DataFrame({"i": range(10), "other": range(10)}), prepare)()
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
        queries().enter_feed(driver, club=club.number, run=1)
        copying_new(driver, "sync.change", _change(at))()
        assert driver.execute("select current_user").fetchone() == ("clubsync_club",)
    assert club.rows("select club, after from sync.change where at = %s", at) == [
        (club.number, '{"a": 1}')
    ]
    with shared_base.club(club.number) as driver, pytest.raises(ValueError, match="not to be said"):
        copying_new(
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
        copying_new(driver, "sync.change", _change(datetime.now(UTC)))


LARGE = ("base.customer", "sync.change", "sync.erp_customer")


def _indexes(club: Club) -> list[tuple[Any, ...]]:
    """Every index of the large tables: which it is, how it is made, and the constraint that it is of."""
    return club.rows(
        "select i.indexrelid, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),"
        " pg_get_constraintdef(c.oid)"
        " from pg_index as i left join pg_constraint as c on c.conindid = i.indexrelid and c.contype != 'f'"
        " where i.indrelid::regclass::text = any(%s) order by 2",
        list(LARGE),
    )


def _referring(club: Club) -> list[tuple[Any, ...]]:
    """Every foreign key that refers to one of the large tables."""
    return club.rows(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint"
        " where contype = 'f' and confrelid::regclass::text = any(%s) order by 1, 2",
        list(LARGE),
    )


def _whole(indexes: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [index[1:] for index in indexes]


@pytest.fixture
def first(club: Club, monkeypatch: pytest.MonkeyPatch) -> Club:
    """A club before its first load, which is large, and most of what there will be."""
    monkeypatch.setattr(database, "INDEXED_AFTER", 3)
    monkeypatch.setattr(small, "SMALL", -1)
    monkeypatch.setattr(database, "_ROW_BYTES", 1 << 30)
    for number in range(4):
        club.erp.put(f"{number}", f"{number}@x.fr")
    return club


def test_a_large_first_load_makes_the_indexes_after_its_rows(first: Club) -> None:
    """They are as they were before it, down to what they refuse (R1, R2), and so is what refers to them."""
    before, referring = _indexes(first), _referring(first)
    assert len(referring) == 1
    first.register("2@x.fr")
    first.sync()
    after = _indexes(first)
    assert _whole(after) == _whole(before)
    assert _referring(first) == referring
    assert not {index[0] for index in before} & {index[0] for index in after}
    assert set(first.base()) == {"0", "1", "2", "3"}
    assert first.base()["2"]["link"] == "linked"
    assert first.sync()["rows_written"] == 0
    assert first.unsettled() == {}
    with first.driver() as driver:
        driver.execute("set constraints all immediate")
        for column in ("erp_id", "email"):
            refused = pytest.raises(psycopg.errors.UniqueViolation, match=f"club_{column}_key")
            with refused, driver.transaction():
                driver.execute(
                    f"update base.customer set {column} = (select min({column}) from base.customer)"
                )


def test_a_second_load_leaves_the_indexes_alone(first: Club) -> None:
    """Somebody known may be about to give up the email that one of the new ones has (R9)."""
    first.sync()
    before = _indexes(first)
    first.erp.change("0", email="other@x.fr")
    for number in range(4, 12):
        first.erp.put(f"{number}", f"{number}@x.fr")
    first.erp.put("12", "0@x.fr")
    first.later(hours=1)
    first.sync()
    assert _indexes(first) == before
    assert len(first.base()) == 13


def test_a_first_load_waits_for_nobody(first: Club, shared_base: Base) -> None:
    before = _indexes(first)
    with shared_base.reader() as somebody:
        somebody.execute("select from sync.erp_customer limit 1")
        first.sync()
    assert _indexes(first) == before
    assert len(first.base()) == 4


def test_a_first_load_beside_as_many_leaves_the_indexes_alone(
    first: Club, new_club: NewClub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebuilding the indexes over the existing rows would cost more than it saves."""
    second = new_club()
    for number in range(4):
        second.erp.put(f"{number}", f"{number}@x.fr")
    first.sync()
    before = _indexes(first)
    monkeypatch.setattr(database, "_ROW_BYTES", 200)
    second.sync()
    assert _indexes(first) == before
    assert len(second.base()) == 4


def test_what_breaks_off_leaves_the_indexes_as_they_were(first: Club, shared_base: Base) -> None:
    before = _indexes(first)

    def load() -> None:
        with shared_base.club(first.number) as driver:
            assert try_exclusive_lock(driver, dict.fromkeys(LARGE, 3))
            assert driver.execute("select current_user").fetchone() == ("clubsync_club",)
            with rebuild_indexes_after(driver, "base.customer", alone=True):
                raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        load()
    assert _indexes(first) == before
