"""Five years of audit and findings: `python -m benchmarks.years`.

Fills the audit of many clubs with what five years bring, and says how many pages of PostgreSQL the questions of one
club read after a month and after five years, and how large the tables are. Pages, because they depend on no machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.server import server
from clubsync.store.database import Base
from clubsync.store.statements import queries

DAYS = 1_826

_CLUBS = """
insert into base.club (club_id, name, erp, created_at)
select 'club-' || n, 'Club ' || n, 'held', now() from generate_series(1, %(clubs)s::int) as n
"""
_CHANGES = """
insert into sync.change (club, run, at, kind, customer, erp_id, before, after, reason, access_lost)
select
    c.club, d.day * %(clubs)s::int + c.club, timestamptz '2021-01-01' + d.day * interval '1 day',
    (array['email_change', 'profile_change', 'deactivation', 'reactivation', 'addition'])[n %% 5 + 1],
    c.club * 10000 + (d.day * 7 + n * 131) %% 500, 'p' || (d.day * 7 + n * 131) %% 500,
    '{"email": "somebody.before@example.org", "in_customers_group": true, "groups": ["Gold", "Silver"]}',
    '{"email": "somebody.after@example.org", "in_customers_group": false, "groups": ["Gold"]}',
    'inactive', n %% 5 = 2
from generate_series(%(first)s::int, %(last)s::int) as d (day)
cross join base.club as c
cross join generate_series(1, %(a_day)s::int) as n
"""
_FINDINGS = """
insert into sync.finding (club, erp_id, code, severity, since, run, closed_at, closed_run)
select
    c.club, 'p' || d.day %% 500, 'EMAIL_INVALID', 'error', timestamptz '2021-01-01' + d.day * interval '1 day',
    d.day * %(clubs)s::int + c.club,
    case when d.day %% 100 > 0 then timestamptz '2021-01-02' + d.day * interval '1 day' end,
    d.day * %(clubs)s::int + c.club
from generate_series(%(first)s::int, %(last)s::int) as d (day) cross join base.club as c
on conflict do nothing
"""


def pages(driver: psycopg.Connection[Any], name: str, **given: Any) -> int:
    """The pages that a query reads, found in memory or not."""
    statement = getattr(queries(), name).sql
    row = driver.execute(f"explain (analyze, buffers, format json) {statement}", given).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def asked(driver: psycopg.Connection[Any], day: int, clubs: int) -> dict[str, int]:
    """Question -> pages, of one club, after that many days."""
    club, now = 7, datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
    return {
        "the changes of one customer (why)": pages(
            driver, "changes_of", club=club, customer=club * 10_000 + 7
        ),
        "the changes of one run": pages(
            driver,
            "changes_of_run_page",
            club=club,
            run=(day - 1) * clubs + club,
            kind=None,
            skip=0,
            max_rows=50,
        ),
        "what the guard counts (24 hours)": pages(
            driver, "access_lost_since", club=club, since=now
        ),
        "the open findings": pages(driver, "findings", club=club, include_all=False),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clubs", type=int, default=200)
    parser.add_argument(
        "--a-day",
        type=int,
        default=5,
        help="changes of a club; 5 of 500 customers is one in a hundred",
    )
    given = parser.parse_args()
    told: dict[int, dict[str, int]] = {}
    with server() as running:
        url = running.fresh("years")
        base = Base(url)
        base.upgrade()
        base.close()
        with psycopg.connect(running.conninfo("years"), autocommit=True) as driver:
            size = {"clubs": given.clubs, "a_day": given.a_day}
            driver.execute("alter table sync.change disable trigger user")  # no feed
            driver.execute(_CLUBS, size)
            for first, last in ((1, 30), (31, DAYS)):
                for statement in (_CHANGES, _FINDINGS):
                    driver.execute(statement, {**size, "first": first, "last": last})
                driver.execute("vacuum analyze")
                told[last] = asked(driver, last, given.clubs)
            sizes = driver.execute(
                "select pg_total_relation_size('sync.change'), count(*), pg_total_relation_size('sync.finding') "
                "from sync.change"
            ).fetchone()
    assert sizes is not None
    table = Table("question of one club", "pages after 30 days", f"after {DAYS} days")
    for question in told[DAYS]:
        table.add_row(question, str(told[30][question]), str(told[DAYS][question]))
    Console().print(table)
    findings = given.clubs * DAYS
    print(
        json.dumps(
            {
                "rows": sizes[1],
                "bytes a change": round(sizes[0] / sizes[1]),
                "bytes a finding": round(sizes[2] / findings),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
