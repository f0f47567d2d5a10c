"""Server time of each Clubs page, with 10,000 clubs and 5,000,000 customers in the base.

    python -m benchmarks.pages [--clubs N] [--customers N] [--rounds N]

Bound: 200 ms at the 95th percentile for every page. The application is called in this process, without network or
browser; every request is for another club. Writes `results/pages.md`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TypeAlias

import aiosql
import httpx2
import psycopg
from fastapi.testclient import TestClient
from psycopg.rows import TupleRow
from ruamel.yaml import YAML

from benchmarks.server import server

BOUND = 0.200
HERE = Path(__file__).parent
FINDINGS = 20
READINGS = 168

Request: TypeAlias = Callable[[], httpx2.Response]
#: A request for a page, or a preparation that returns the request.
Page: TypeAlias = Callable[[], "httpx2.Response | Request"]


def fill(
    driver: psycopg.Connection[TupleRow], clubs: int, customers: int, readings: int = READINGS
) -> None:
    """Fill a migrated, empty base."""
    sql, now = aiosql.from_path(HERE / "pages.sql", "psycopg"), datetime.now(UTC)
    sql.fill_clubs(driver, clubs=clubs, now=now)
    sql.fill_states(driver, now=now)
    sql.fill_groups(driver, now=now)
    sql.fill_erp_groups(driver, now=now)
    sql.fill_customers(driver, customers=customers, now=now)
    sql.fill_records(driver, now=now)
    sql.fill_snapshots(driver, readings=readings, now=now)
    sql.latest_snapshots(driver)
    sql.fill_runs(driver, now=now)
    sql.fill_changes(driver)
    sql.fill_change_hours(driver)
    sql.fill_findings(driver, each=FINDINGS, now=now)
    sql.fill_pairs(driver)
    sql.fill_holds(driver, now=now)
    sql.fill_hold_versions(driver, now=now)
    sql.fill_hold_members(driver)
    sql.fill_summaries(driver, now=now)
    sql.fill_finding_summaries(driver)
    driver.commit()


def clubs_yaml(folder: Path, clubs: int) -> Path:
    """A clubs.yaml with this many clubs, an eighth of which have their own interval."""
    path = folder / "clubs.yaml"
    erps = ("playtomic", "eversports", "planity", "tryton", "csv")
    kinds = ("Padel", "Boulder", "Yoga", "Aviron", "Salon", "Tennis", "Escalade", "Judo")
    rows = [
        {
            "id": f"club-{i}",
            "name": f"{kinds[i % 8]} {i}",
            "erp": erps[i % 5],
            "connection": f"club_{i}",
            **({"every": "15m"} if i % 8 == 0 else {}),
        }
        for i in range(1, clubs + 1)
    ]
    with path.open("w") as file:
        YAML(typ="safe").dump({"defaults": {"every": "5m"}, "clubs": rows}, file)
    return path


@contextmanager
def application(url: str, folder: Path, clubs: int) -> Iterator[TestClient]:
    """A client of the pages, logged in as support."""
    os.environ["CLUBSYNC_DATABASE"] = url
    os.environ["CLUBSYNC_CONFIG"] = str(clubs_yaml(folder, clubs))
    os.environ.setdefault("AIRFLOW_HOME", str(folder / "airflow"))
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import get_user

    from plugins.web.app import application as made

    create_auth_manager()
    app = made()
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(
        username="support", role="USER"
    )
    with TestClient(app) as client:
        client.headers["Authorization"] = "Bearer of-a-benchmark"
        yield client


def requests(client: TestClient, clubs: int, customers: int) -> dict[str, Page]:
    """Each page as a request for a random club or person."""
    chance = random.Random(7)

    def club() -> str:
        return f"/pages/clubs/club-{chance.randint(1, clubs)}"

    def of_a_club(path: str) -> Request:
        return lambda: client.get(f"{club()}{path}")

    def why(who: Callable[[], str]) -> Request:
        return lambda: client.post("/pages/why", data={"who": who()})

    def email() -> str:
        return f"p{chance.randint(1, customers)}.{chance.randint(1, clubs)}@mail.example.org"

    held = [i for i in range(1, clubs + 1) if i % 71 == 0 or i % 73 == 0]
    numbers = {i: n for n, i in enumerate(held, 1)}

    def hold() -> httpx2.Response:
        one = chance.choice(held)
        return client.get(f"/pages/clubs/club-{one}/holds/{numbers[one]}")

    def run() -> Request:
        # runs are numbered in the order of the snapshots, so their numbers are looked up first
        one = chance.randint(1, clubs)
        listed = client.get(f"/api/v1/clubs/club-{one}/runs").json()
        return lambda: client.get(f"/pages/clubs/club-{one}/runs/{listed[0]['run']}")

    return {
        "Clubs": lambda: client.get("/pages/clubs"),
        "Clubs, by customers, page 50": lambda: client.get(
            "/pages/clubs?sort=customers&down=true&page=50"
        ),
        "Clubs, searched": lambda: client.get(f"/pages/clubs?words=padel {chance.randint(1, 99)}"),
        "A club": of_a_club(""),
        "A club: its groups": of_a_club("/groups"),
        "A club: its runs": of_a_club("/runs"),
        "Why, by email, anywhere": why(email),
        "Why, by ERP id, in a club": lambda: client.get(
            f"{club()}/person?erp_id={chance.randint(1, customers)}"
        ),
        "Findings": lambda: client.get("/pages/findings"),
        "Findings, by code, ERP and age": lambda: client.get(
            "/pages/findings?code=EMAIL_MISSING&erp=planity&older_days=30&sort=age"
        ),
        "Findings of a club": of_a_club("/findings"),
        "Similar pairs of a club": of_a_club("/similar"),
        "Holds": lambda: client.get("/pages/holds"),
        "A hold": hold,
        "A run": run,
    }


def measure(page: Page, rounds: int) -> list[float]:
    """Seconds of each request, after two warm-up requests."""
    taken = []
    for n in range(rounds + 2):
        begun = time.perf_counter()
        answer = page()
        if not isinstance(answer, httpx2.Response):  # that was the preparation
            begun = time.perf_counter()
            answer = answer()
        if n >= 2:
            taken.append(time.perf_counter() - begun)
        assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    return taken


def _filled(stack: ExitStack, clubs: int, customers: int) -> str:
    """Create and fill a base; returns its URL."""
    from clubsync.store.database import Base

    running = stack.enter_context(server())
    url = running.fresh("pages")
    base = Base(url)
    begun = time.perf_counter()
    base.upgrade()
    base.close()
    with psycopg.connect(running.conninfo("pages")) as driver:  # as the owner
        fill(driver, clubs, customers)
    running.settle("pages")
    print(f"filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return url


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--clubs", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=500, help="customers per club")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--base", help="URL of a base that is already filled; it is not modified")
    given = parser.parse_args()
    lines = [
        f"{given.clubs:,} clubs of {given.customers} customers, {READINGS} readings each; {given.rounds} "
        "requests per page, one after another.",
        "",
        "| page | median, ms | p95, ms |",
        "|---|--:|--:|",
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clubsync-pages-")))
        url = given.base or _filled(stack, given.clubs, given.customers)
        client = stack.enter_context(application(url, folder, given.clubs))
        begun = time.perf_counter()
        client.get("/pages/clubs")
        print(f"first page {time.perf_counter() - begun:.1f} s", file=sys.stderr)
        broken = False
        for name, page in requests(client, given.clubs, given.customers).items():
            taken = measure(page, given.rounds)
            p95 = quantiles(taken, n=20)[-1]
            broken |= p95 > BOUND
            mark = " **over**" if p95 > BOUND else ""
            lines.append(f"| {name} | {median(taken) * 1000:.0f} | {p95 * 1000:.0f}{mark} |")
            print(lines[-1], file=sys.stderr)
    (HERE / "results" / "pages.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
