"""R30: sender, receiver and database are killed while changes are made and delivered.

Whatever was killed: nothing is lost, the order in each club is that of the audit, and what comes twice has the same
webhook-id and the same content.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from clubsync.errors import SyncError
from clubsync.feed import events
from clubsync.store import embedded
from clubsync.store.database import Base, queries
from tests.support.receiver import SECRET, is_signed

CLUBS = ("paris", "lyon", "nice")
#: Fast, and safe as long as the machine lives: what is killed here are processes.
SETTINGS = {"fsync": "off", "synchronous_commit": "on", "shared_buffers": "64MB"}
MODULE = "tests.faults.webhook_processes"


@dataclass
class Site:
    """A database, a sender and a receiver, and somebody who changes clubs meanwhile."""

    folder: Path
    port: int
    random: random.Random
    base: Base = field(init=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    written: int = 0

    def start(self) -> None:
        self.server = embedded.ensure_running(self.folder / "pg", settings=SETTINGS)
        self.server.create_database("webhooks")
        self.url = self.server.url("webhooks")
        self.base = Base(self.url)
        with (self.folder / "clubs.yaml").open("w") as file:
            club = {"erp": "csv", "connection": "none"}
            hook = {"id": "app", "connection": "app", "start": "beginning", "max_events": 4}
            clubs = [{"id": one, "name": one, **club} for one in CLUBS]
            YAML().dump({"clubs": clubs, "webhooks": [hook]}, file)
        at = datetime.now(UTC)
        with self.base.transaction() as driver:
            for one in CLUBS:
                queries().register_club(driver, club_id=one, name=one, erp="csv", now=at)
            self.numbers = {r["club_id"]: r["club"] for r in queries().club_numbers(driver)}
        for name in ("send", "receive"):
            self.spawn(name)

    def spawn(self, name: str) -> None:
        connection = {
            "conn_type": "http",
            "host": f"http://127.0.0.1:{self.port}/",
            "password": SECRET,
        }
        arguments = ["send"] if name == "send" else ["receive", str(self.got), str(self.port)]
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", MODULE, *arguments],
            env={
                **os.environ,
                "CLUBSYNC_DATABASE": self.url,
                "CLUBSYNC_CONFIG": str(self.folder / "clubs.yaml"),
                "AIRFLOW_CONN_APP": json.dumps(connection),
            },
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{name}.log").open("ab"),
        )

    @property
    def got(self) -> Path:
        return self.folder / "got.jsonl"

    def write(self) -> None:
        """Change clubs until it is over; a database that is away is waited for."""
        while not self.over.is_set():
            club = self.random.choice(CLUBS)
            with suppress(SyncError, embedded.EmbeddedPostgresError):
                self._write_one(self.numbers[club])
            time.sleep(0.15)

    def _write_one(self, club: int) -> None:
        sql, at = queries(), datetime.now(UTC)
        with self.base.club(club) as driver:
            sql.lock_club(driver, club=club)
            run = sql.start_run(driver, club=club, trigger="test", at=at)
            sql.enter_feed(driver, club=club, run=run)
            for customer in range(self.random.randint(1, 6)):
                sql.add_change(
                    driver,
                    club=club,
                    run=run,
                    at=at,
                    kind="addition",
                    customer=customer,
                    erp_id=str(customer),
                    before=None,
                    after='{"in_customers_group": true}',
                    reason="test",
                    actor="somebody",
                )
        self.written += 1

    def kill(self, what: str) -> None:
        """SIGKILL; then it is started again."""
        if what != "postgres":
            self.processes[what].kill()
            self.processes[what].wait()
            self.spawn(what)
            return
        pid = int((self.folder / "pg" / "data" / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(pid)
        server.suspend()  # else it starts again when a child of its dies
        processes = [*server.children(), server]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=60)
        embedded.ensure_running(self.folder / "pg", settings=SETTINGS)

    def audit(self) -> dict[str, list[str]]:
        """Ids of all events by club, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        after, more = "0", True
        while more:
            page = events.page(self.base, after, limit=1000)
            for event in page.events:
                found[event.club].append(event.id)
            after, more = str(page.next), page.more
        return found

    def wait_for_a_message(self) -> None:
        """Until one more has come: what is killed next was at work."""
        known, until = self._size(), time.monotonic() + 600
        while self._size() == known:
            assert time.monotonic() < until, "nothing arrives any more"
            time.sleep(0.01)

    def _size(self) -> int:
        return self.got.stat().st_size if self.got.exists() else 0

    def wait_until_delivered(self) -> None:
        """Until nothing is due, or it is not going to be."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with self.base.reader() as driver:
                far = datetime.max.replace(tzinfo=UTC)
                if not list(queries().lanes_to_serve(driver, webhook="app", now=far)):
                    return
            time.sleep(0.1)
        raise AssertionError("not everything is delivered after two minutes")

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.got.read_bytes().splitlines()]

    def end(self) -> None:
        self.over.set()
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.base.close()
        embedded.stop(self.folder / "pg")


@pytest.fixture
def site(unused_port: int) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="cs-hooks-"))
    folder.chmod(0o755)
    made = Site(folder, unused_port, random.Random(os.environ.get("SEED", "30")))
    made.start()
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


def kill_often(site: Site, times: int) -> None:
    writer = threading.Thread(target=site.write, daemon=True)
    writer.start()
    kinds = ["send", "receive", "postgres"]  # each at least once
    for n in range(times):
        site.wait_for_a_message()
        time.sleep(site.random.uniform(0, 0.3))
        what = kinds[n] if n < len(kinds) else site.random.choice(("send", *kinds))
        site.kill(what)
    site.over.set()
    writer.join(120)
    site.wait_until_delivered()
    check(site)


def check(site: Site) -> None:
    seen: dict[str, bytes] = {}
    arrived: dict[str, list[str]] = defaultdict(list)
    for one in site.messages():
        body = base64.b64decode(one["body"])
        assert is_signed(SECRET, one["headers"], body)
        message_id = one["headers"]["webhook-id"]
        if message_id in seen:
            assert seen[message_id] == body, "the same id, and another content"
            continue
        seen[message_id] = body
        data = json.loads(body)["data"]
        arrived[data["club"]] += [event["id"] for event in data["events"]]
    audit = site.audit()
    assert sum(map(len, audit.values())) > 0
    assert arrived == audit, "lost, doubled under another id, or out of order"
    print(
        f"{site.written} transactions, {sum(map(len, audit.values()))} events, {len(seen)} messages,"
        f" {len(site.messages()) - len(seen)} of them again"
    )


def test_nothing_is_lost_when_anything_is_killed(site: Site) -> None:
    kill_often(site, 6)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_nothing_is_lost_when_anything_is_killed_200_times(site: Site) -> None:
    kill_often(site, 200)
