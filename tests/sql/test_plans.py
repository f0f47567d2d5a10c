"""How many rows PostgreSQL looks at for a club that its statistics do not know yet.

Until the next ANALYZE, a minute away at best, the planner takes a club's first rows for one row. A plan that joins two
tables of the club by nothing but the club then looks at each row for each row: a first sync of 500 customers took four
seconds. Time says little on a busy machine; PostgreSQL itself says how many rows each step of a plan has looked at
(auto_explain).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from clubsync.store import embedded
from clubsync.store.database import Base, queries
from sandbox.names import FR
from tests.support.club import Club, install
from tests.support.owner import as_owner

RECORDS = 600
#: Rows looked at for each record by one statement: some have four keys, and each is looked up.
MOST = 40

#: What people look at first in a new club: statements of the pages, of `why` and of the export.
READ: dict[str, dict[str, Any]] = {
    "customers": {},
    "findings": {"include_all": False},
    "records_with_findings": {"include_all": False},
    "findings_of_code": {"code": None, "skip": 0, "max_rows": 10_000},
    "finding_groups": {},
    "groups_with_counts": {},
    "similar_pairs": {},
    "similar_pairs_page": {"skip": 0, "max_rows": 50},
    "people_of_club_by_name": {"fragment": "a"},
    "find_person": {"erp_id": "7", "email": "x.7@x.example.org", "candidates": ["7", "8"]},
}

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_parameter_max_length": "0",
}


class Watched:
    """A base that tells of each statement how many rows it has looked at."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.looked: dict[str, int] = {}
        sa.event.listen(base.engine, "connect", self._listen)

    def _listen(self, driver: psycopg.Connection[Any], _: object) -> None:
        driver.add_notice_handler(self._hear)

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        text = notice.message_primary or ""
        if "plan:" in text:
            plan = json.loads(text.partition("plan:")[2])
            statement = " ".join(plan["Query Text"].split())
            rows = _rows(plan["Plan"])
            self.looked[statement] = max(rows, self.looked.get(statement, 0))

    def worst(self) -> list[tuple[int, str]]:
        """Rows and statement, most first; from now on it counts from nothing."""
        found = sorted(((rows, text[:300]) for text, rows in self.looked.items()), reverse=True)
        self.looked.clear()
        return found


def _rows(node: dict[str, Any]) -> int:
    """The rows that a step has made or thrown away, and those of the steps below it."""
    counted = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    each = sum(float(node.get(name, 0)) for name in counted)
    return round(each * int(node["Actual Loops"])) + sum(map(_rows, node.get("Plans", ())))


@pytest.fixture
def watched(postgres: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    install(monkeypatch)
    postgres.create_database("plans")
    Base(postgres.url("plans")).upgrade()
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as driver:
        for name, value in _SETTINGS.items():
            driver.execute(f"alter database plans set {name} = '{value}'")
    base = Base(postgres.url("plans"))
    try:
        yield Watched(base)
    finally:
        base.close()
        postgres.drop_database("plans")


def _fill(club: Club, records: int) -> None:
    """Customers, one in twenty of whom is there twice (R23), and one in three without an email."""
    club.erp.group("gold")
    rng = random.Random(records)
    who: dict[str, str] = {}
    for number in range(records):
        if number % 20 != 1:
            who = {
                "first_name": rng.choice(FR.female),
                "last_name": rng.choice(FR.last),
                "phone": f"+336{rng.randrange(10_000_000, 99_999_999)}",
            }
        # R2, R22: who has no email is a finding
        email = f"{club.id}.{number}@x.example.org" if number % 3 else None
        club.erp.put(str(number), email, groups=["gold"], **who)


def _check(watched: Watched) -> None:
    worst = watched.worst()
    assert len(worst) > 9, "nothing was told"
    assert worst[0][0] < MOST * RECORDS, worst[0]


def test_no_statement_compares_each_row_of_a_new_club_with_each(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new(records: int) -> Club:
        club = Club(watched.base, tmp_path / "snapshots", monkeypatch)
        _fill(club, records)
        return club

    for _ in range(2):
        new(20).sync()
    with as_owner(watched.base) as driver:
        driver.execute("analyze")
    watched.looked.clear()

    club, neighbour = new(RECORDS), new(RECORDS)
    club.after.append(neighbour)
    club.sync()
    _check(watched)
    with watched.base.reader() as reader:
        for name, more in READ.items():
            list(getattr(queries(), name)(reader, club=club.number, **more))
    _check(watched)
    with watched.base.club(club.number) as driver:
        pairs = driver.execute("select count(*) from sync.similar_pair").fetchone()
    assert pairs is not None
    assert pairs[0] > 5, "no similar records: their statements had no work"

    for number in range(0, RECORDS, 4):
        club.erp.change(str(number), email=f"new.{club.id}.{number}@x.example.org", phone=None)
    club.erp.remove(*(str(number) for number in range(1, RECORDS, 20)))
    club.sync()
    _check(watched)
    for number in range(0, RECORDS, 50):
        club.erp.change(str(number), first_name=f"Other {number}")
    club.sync()
    _check(watched)
