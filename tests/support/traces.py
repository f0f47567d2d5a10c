"""Search everything that clubsync stores for words: every table, PostgreSQL's statistics and pages, every file.

What was erased must be in none of it (R20).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
from psycopg import sql

from clubsync.store.database import Base, Driver
from tests.support.owner import as_owner

SCHEMAS = ["base", "sync"]
#: The app account is the person's own, and no club's: an erasure leaves it.
NOT_THE_CLUBS = {"app_user"}


def traces(base: Base, store: Path, words: Sequence[str]) -> list[str]:
    """Where any of the words stands: tables, statistics and files, each with the word."""
    with as_owner(base) as driver:
        found = [*_tables(driver), *_statistics(driver)]
    return _found([*found, *_files(store)], words)


def traces_of_club(driver: Driver, store: Path, words: Sequence[str]) -> list[str]:
    """The same in a base that other tests use too: what one club can see, without the statistics.

    :param driver: inside a transaction of the club.
    """
    return _found([*_tables(driver), *_files(store)], words)


def _found(told: Iterable[tuple[str, str]], words: Sequence[str]) -> list[str]:
    return sorted({f"{where}: {w}" for where, text in told for w in words if w in text})


def pages(base: Base, words: Sequence[str]) -> list[str]:
    """Tables whose pages still hold a row with any of the words, dead or alive."""
    with as_owner(base) as driver:
        driver.execute("create extension if not exists pageinspect")
        return sorted(
            {
                table
                for table, row in _rows_of_pages(driver)
                for word in words
                if word.encode() in row
            }
        )


def files(store: Path, words: Sequence[str]) -> list[str]:
    """Files that hold any of the words."""
    return sorted({where for where, text in _files(store) for word in words if word in text})


def _tables(driver: Driver) -> Iterator[tuple[str, str]]:
    names = driver.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s)"
        " and has_table_privilege(format('%%I.%%I', schemaname, tablename), 'select')",
        [SCHEMAS],
    ).fetchall()
    for schema, table in names:
        if table in NOT_THE_CLUBS:
            continue
        name = sql.Identifier(schema, table)
        for (row,) in driver.execute(sql.SQL("select t::text from {} as t").format(name)):
            yield f"{schema}.{table}", row
    for (packed,) in driver.execute("select vector from sync.club_vector"):
        yield "sync.club_vector", str(pl.read_ipc(io.BytesIO(packed)).to_dicts())


def _statistics(driver: Driver) -> Iterator[tuple[str, str]]:
    for view in ("pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"):
        query = sql.SQL(
            "select schemaname || '.' || tablename, s::text from {} as s where schemaname = any(%s)"
        ).format(sql.Identifier(view))
        for table, row in driver.execute(query, [SCHEMAS]):
            if table.removeprefix("base.") not in NOT_THE_CLUBS:
                yield f"{view} of {table}", row


def _rows_of_pages(driver: Driver) -> Iterator[tuple[str, bytes]]:
    tables = driver.execute(
        """
        select c.oid::regclass::text, pg_relation_size(c.oid) / current_setting('block_size')::int
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname = any(%s) and c.relkind = 'r'
        """,
        [SCHEMAS],
    ).fetchall()
    for table, blocks in tables:
        if table.removeprefix("base.") in NOT_THE_CLUBS:
            continue
        for block in range(blocks):
            query = (
                "select t_data from heap_page_items(get_raw_page(%s, %s)) where t_data is not null"
            )
            for (row,) in driver.execute(query, [table, block]):
                yield table, row


def _files(store: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(p for p in store.rglob("*") if p.is_file()):
        where = str(path.relative_to(store))
        yield where, where
        content = path.read_bytes()
        yield where, content.decode("utf-8", "replace")
        if content.startswith(b"PAR1"):
            try:
                yield where, str(pl.read_parquet(io.BytesIO(content)).to_dicts())
            except pl.exceptions.PolarsError:
                continue  # broken on purpose: its bytes were searched
        elif zipfile.is_zipfile(path):
            yield from _members(path, where)


def _members(path: Path, where: str) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            content = archive.read(member)
            if member.endswith(".arrows"):
                yield where, str(pl.read_ipc_stream(io.BytesIO(content)).to_dicts())
            else:
                yield where, content.decode()
