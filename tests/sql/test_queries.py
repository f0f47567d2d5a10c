"""The queries fit the schema, and their types are what the database says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from aiosql.types import SQLOperationType

from clubsync.store.database import Base, Driver
from clubsync.store.statements import SQL
from tests.sql.typed_queries import MODULE, Query, every_query, module, prepare


@pytest.fixture(scope="module")
def club(migrated: Base) -> Iterator[Driver]:
    """A transaction as a run of a club has it: its role, and the tables of the plan."""
    with migrated.club(1, plan_tables=True) as driver:
        yield driver


@pytest.mark.parametrize(
    "query",
    [q for q in every_query() if q.operation != SQLOperationType.SCRIPT],
    ids=lambda query: query.name,
)
def test_a_query_fits_the_schema(club: Driver, query: Query) -> None:
    """The server finds what it names, and a type for each parameter."""
    with club.transaction(force_rollback=True):
        parameters, _ = prepare(club, query)
    assert len(parameters) == len(query.declared)


def test_no_two_queries_have_one_name() -> None:
    """aiosql takes the last one, whichever file it is in."""
    names = [
        name
        for file in sorted((SQL / "queries").glob("*.sql"))
        for name in re.findall(r"^-- name: (\w+)", file.read_text(), re.MULTILINE)
    ]
    assert len(names) > 400
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_the_types_of_the_queries_are_up_to_date(
    migrated: Base, request: pytest.FixtureRequest
) -> None:
    with migrated.club(1, plan_tables=True) as driver:
        driver.execute("set local role none")
        expected = module(driver)
    if request.config.getoption("write_queries", False):
        MODULE.write_text(expected, encoding="utf-8")
        pytest.skip("it is being written")
    assert MODULE.read_text(encoding="utf-8") == expected, "run `make queries`"
