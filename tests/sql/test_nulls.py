"""What may be null is read from PostgreSQL's query tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiosql.types import SQLOperationType

from clubsync.store.database import Base
from tests.sql.nulls import Catalog, Nulls, always_one_row, asked_about, outputs
from tests.sql.query_tree import Node
from tests.sql.typed_queries import Query, prepare, query_tree
from tests.support.owner import as_owner


def tree_of(base: Base, statement: str) -> tuple[Node, Catalog]:
    query = Query(
        *("it", Path("it.sql"), 1, SQLOperationType.SELECT, statement),
        *((), (), frozenset(), False),
    )
    with as_owner(base) as driver:
        parameters, _ = prepare(driver, query)
        return query_tree(driver, query, parameters), Catalog(driver)


@pytest.mark.parametrize(
    ("statement", "null"),
    [
        ("select name, last_error from base.club inner join sync.club_state using (club)", [0, 1]),
        ("select c.name, u.at from base.club as c left join sync.club_summary as u using (club)", [0, 1]),
        ("select u.at, c.name from base.club as c right join sync.club_summary as u using (club)", [0, 1]),
        ("select coalesce(u.findings, 0) from base.club as c left join sync.club_summary as u using (club)", [0]),
        ("select last_error from sync.club_state where last_error is not null", [0]),
        ("select last_error from sync.club_state where last_error = $1", [0]),
        ("select last_error from sync.club_state where last_error = $1 or paused", [1]),
        ("select s.e from (select last_error as e from sync.club_state) as s", [1]),
        ("with s as (select name from base.club) select name from s", [0]),
        ("select name from base.club union all select null", [1]),
        ("select link from base.customer_link", [0]),
        ("select detail ->> 'others', detail is null from sync.finding", [1, 0]),
        ("select name || erp, name || null from base.club", [0, 1]),
        ("select case when paused then 'paused' end from sync.club_state", [1]),
        ("select case when paused then 'paused' else 'due' end from sync.club_state", [0]),
        ("select count(*), max(created_at) from base.club", [0, 1]),
        ("select erp, max(created_at), max(created_at) filter (where club > 1) from base.club group by erp", [0, 0, 1]),
        ("select (select h.hold from sync.hold as h where h.club = c.club) from base.club as c", [1]),
        ("select (select count(*) from sync.hold as h where h.club = c.club) from base.club as c", [0]),
        ("select array(select club from base.club), exists (select from base.club)", [0, 0]),
        ("insert into base.club (club_id, name, erp, created_at) values ($1, $2, $3, $4) returning club", [0]),
        ("delete from sync.recheck returning recheck, email", [0, 1]),
    ],
)  # fmt: skip
def test_columns(migrated: Base, statement: str, null: list[int]) -> None:
    """Those marked by 1 may be null."""
    tree, catalog = tree_of(migrated, statement)
    known = Nulls(catalog)
    assert [int(known.column(tree, n)) for n in range(len(outputs(tree)))] == null


@pytest.mark.parametrize(
    ("statement", "always"),
    [
        ("select count(*) from base.club", True),
        ("select count(*) from base.club group by erp", False),
        ("select max(club) from base.club where club > 5", True),
        ("select max(club) from base.club limit 1", False),
        ("select exists (select from base.club)", True),
        ("select club from base.club", False),
        ("select 1 where false", False),
        ("insert into sync.recheck (club, why) values (1, '') returning recheck", True),
        ("insert into sync.recheck (club, why) select club, '' from base.club returning recheck", False),
        ("insert into sync.recheck (club, why) values (1, '') on conflict do nothing returning recheck", False),
        ("update sync.recheck set why = '' returning recheck", False),
    ],
)  # fmt: skip
def test_a_row_whatever_the_tables_hold(migrated: Base, statement: str, always: bool) -> None:
    tree, _ = tree_of(migrated, statement)
    assert always_one_row(tree) is always


def test_parameters(migrated: Base) -> None:
    """One that is asked about, and one that has a substitute, may be null; one that is compared may not."""
    tree, _ = tree_of(
        migrated,
        "select name from base.club"
        " where ($1::text is null or erp = $1) and club = $2 and created_at > coalesce($3, now())",
    )
    assert asked_about(tree) == {1, 3}
