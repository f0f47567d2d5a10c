"""R19: a made-up person and made-up secrets go through the tasks of a running Airflow; then all it keeps is searched.

Two clubs join the stack for this test: one is read over HTTP, one from a file. They are synced, their ERPs answer
with what they know, one list is held; webhooks and strangers bring the values too.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql
from ruamel.yaml import YAML

from clubsync.store import embedded
from sandbox import courtside
from sandbox.demo import CLUBS
from sandbox.faults import Faults
from tests.e2e.running import Stack, until
from tests.support import canary
from tests.support.canary import MARKS, PERSON, SECRETS, WORDS, Searcher
from tests.support.canary_clubs import API, DROP, MOUTHY, Talkative, clubs, people, rows, write
from tests.support.collector import Collector
from tests.support.servers import serving

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1500)]

TABLES = {
    "xcom": "XCom",
    "rendered_task_instance_fields": "rendered templates",
    "task_instance_note": "notes",
    "dag_run_note": "notes",
    "asset_event": "asset events",
}
"""Places that are one table of Airflow's database each; `Airflow's database` is all others."""
#: Not logs: the base itself, the store, and what ERPs export.
NO_LOGS = ("postgres/", "snapshots/", "sandbox/", "our-own/", "canary-drop/", "clubs.yaml")


@dataclass
class Two:
    """The two clubs, and the ERPs behind them."""

    stack: Stack
    place: courtside.Place
    erp: Talkative
    drop: Path

    def sync(self, *, good: bool = True) -> None:
        """One run for each club, side by side."""
        runs = [
            ("sync_one", self.stack.api.trigger("sync_one", {"club": API})),
            ("sync_csv", self.stack.api.trigger("sync_csv", {"clubs": [DROP]})),
        ]
        for dag, run in runs:
            state = until(_ended(self.stack, dag, run["dag_run_id"]))
            assert (state == "success") == good, (dag, state)


def _ended(stack: Stack, dag: str, run_id: str) -> Callable[[], str | None]:
    def ended() -> str | None:
        state: str = {run["dag_run_id"]: run["state"] for run in stack.api.runs(dag)}[run_id]
        return state if state in ("success", "failed") else None

    return ended


@pytest.fixture
def two(stack: Stack) -> Iterator[Two]:
    """Both clubs stand in clubs.yaml, their connections in Airflow, for this test only."""
    configured = stack.var / "clubs.yaml"
    before = configured.read_text()
    yaml = YAML()
    document = yaml.load(before)
    document["clubs"].extend({**club, "every": "1d"} for club in clubs())
    place, admin = courtside.Place(SECRETS["login"], SECRETS["password"]), stack.api_as("admin")
    erp, drop = Talkative(courtside.create_app({"club": place}, Faults())), stack.var / DROP
    extra = {"webhook_secret": SECRETS["webhook secret"], "api_key": SECRETS["API key"]}
    with serving(erp) as url:
        for id_, host, more in (
            (
                "canary_api",
                f"{url}/club",
                {"login": SECRETS["login"], "password": SECRETS["password"]},
            ),
            ("canary_drop", drop.as_uri(), {}),
        ):
            kind = {
                "conn_type": "clubsync_rest" if more else "clubsync_csv",
                "extra": json.dumps(extra),
            }
            admin.add_connection({"connection_id": id_, "host": host, **kind, **more})
        with configured.open("w") as file:
            yaml.dump(document, file)
        people(place)
        write(drop / "customers.csv", rows())
        yield Two(stack, place, erp, drop)
    configured.write_text(before)


def _strangers(stack: Stack, searcher: Searcher) -> None:
    """Nobody, a viewer, and webhooks that are not signed, each with the values."""
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
    told = {**PERSON, **SECRETS}
    passwords = json.loads((stack.var / "airflow" / "passwords.json").read_text())
    with requests.Session() as session:
        session.trust_env = False
        login = {"username": "viewer", "password": passwords["viewer"]}
        token = session.post(f"{url}/auth/token", json=login, timeout=60).json()["access_token"]
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            for method, path, sent in (
                ("GET", f"/clubsync/api/v1/clubs/{DROP}/findings", None),
                ("GET", f"/clubsync/pages/clubs/{DROP}/findings", None),
                ("GET", f"/clubsync/pages/clubs/{DROP}", None),
                ("POST", f"/clubsync/api/v1/clubs/{DROP}/why/shown", {"who": PERSON["email"]}),
                ("POST", f"/clubsync/api/v1/clubs/{DROP}/erase", {"email": PERSON["email"]}),
                ("GET", "/api/v2/connections/canary_api", None),
                ("POST", f"/clubsync/webhooks/{CLUBS[0].id}", told),
            ):
                answer = session.request(
                    method, url + path, json=sent, headers=headers, timeout=120
                )
                searcher.text(
                    "refused responses", f"{method} {path}", f"{answer.headers}{answer.text}"
                )
        unknown = session.post(f"{url}/clubsync/api/v1/why", json={"who": told}, timeout=60)
        searcher.text("error pages", "why", unknown.text)


def _airflows_database(stack: Stack) -> Iterator[tuple[str, list[Any]]]:
    """Every table of Airflow's own database, with its rows as texts."""
    url = embedded.locate(stack.var / "postgres").url("airflow").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as driver:
        names = driver.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        ).fetchall()
        for (table,) in names:
            query = sql.SQL("select t::text from {} as t").format(sql.Identifier(table))
            found = [row for (row,) in driver.execute(query)]
            if table == "task_instance":
                shown = "select rendered_map_index from task_instance"
                yield "rendered_task_instance_fields", list(driver.execute(shown))
            yield table, found


def test_a_running_airflow_keeps_nothing_of_a_person_and_no_secret(
    two: Two, collector: Collector
) -> None:
    started = time.monotonic()
    secrets = {name: value for name, value in SECRETS.items() if name != "login"}
    searcher = Searcher({**PERSON, **MARKS, **secrets, "status": WORDS["status"]})
    # A finding quotes the word that was not understood, to viewers too.
    quoted = ("marked ERP id", "marked birth date", "status")
    seen = Searcher({n: v for n, v in searcher.values.items() if n not in quoted})
    with canary.process_list(searcher):
        two.sync()
        for kind in ("status 401", "rows with other keys"):
            two.erp.instead = MOUTHY[kind]
            write(two.drop / "customers.csv", rows(), header=None)
            two.sync(good=False)
        two.erp.instead = None
        write(two.drop / "customers.csv", rows(status="left"))
        two.sync()
        _strangers(two.stack, seen)
    tokens = {f"session token {n}": token for n, token in enumerate(two.place.sessions)}
    assert tokens, "the ERP was logged in to"
    everything = Searcher({**searcher.values, **tokens})
    everything.leaks = searcher.leaks | seen.leaks
    everything.searched = searcher.searched | seen.searched
    for table, found in _airflows_database(two.stack):
        everything.rows(TABLES.get(table, "Airflow's database"), table, found)
    steps = two.stack.query("select content from sync.handed_on")
    everything.rows("XCom", "steps", (zlib.decompress(content).decode() for (content,) in steps))
    everything.logs(two.stack.var, but=NO_LOGS)
    for log in (two.stack.var / "postgres").glob("*.log"):
        everything.text("logs", log.name, log.read_bytes())
    for folder in ("snapshots", "logs", "airflow"):
        everything.names(two.stack.var / folder)
    everything.text("metrics and traces", "collector", b"\n".join(collector.bodies))
    assert everything.told() == [], f"searched within {time.monotonic() - started:.0f} s"
    wanted = set(TABLES.values()) | {
        *("logs", "file names", "process list", "Airflow's database", "metrics and traces"),
        *("error pages", "refused responses"),
    }
    assert set(everything.searched) >= wanted
    ((inside,),) = two.stack.query(
        "select count(*) from sync.erp_customer as c join base.club as b using (club)"
        " where b.club_id = %s and c.last_name = %s",
        *(DROP, PERSON["last name"]),
    )
    assert inside, "the person was there"
