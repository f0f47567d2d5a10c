"""Thousands of clubs under a real Airflow: `python -m benchmarks.whole --clubs 10000`.

Starts what `make up` starts, with a clubs.yaml of its own and a simulated ERP (`benchmarks.fleet`), in a folder of its
own. Waits for the first sync of every club, then changes a share of all players before each of several cycles, and
says how long the run of the sync Dag took, what CPU went where, and how much memory was used. After each cycle the club
base is compared with the truth of the simulated ERP, club by club. At the end everything is stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests
from rich.console import Console

from benchmarks.fleet import venue_id
from benchmarks.serving import serving
from clubsync.store import embedded
from stack.airflow_api import AirflowApi
from stack.environment import ROOT, Instance

DAG = "sync_playtomic"
RESULTS = Path(__file__).parent / "results"
PORT = 8190
PATIENCE = timedelta(minutes=20)

#: What a process is counted as, by a part of its name or command line; the first that fits.
KINDS = (
    ("simulated ERP", "benchmarks.fleet"),
    ("PostgreSQL", "postgres"),
    ("scheduler", "airflow scheduler"),
    ("api-server", "api-server"),
    ("api-server", "airflow api_server"),
    ("dag-processor", "dag-processor"),
    ("triggerer", "triggerer"),
)

TRUTH = """
select club.club_id, coalesce(md5(string_agg(customer.email, ',' order by customer.email collate "C")), '')
from base.club left join base.customer on customer.club = club.club and customer.in_customers_group
group by club.club_id
"""
_SIZE = "select pg_database_size('clubsync'), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_LOADED = "select count(*) from sync.club_state where certified_as_of is not null"


@dataclass
class Sample:
    """One look at the machine: CPU seconds since its start, and bytes, by kind."""

    at: datetime
    cpu: dict[str, float]
    memory: dict[str, int]


@dataclass
class Watch:
    """Looks at the processes every few seconds, from a thread."""

    samples: list[Sample] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ended.wait(2):
            self.samples.append(look())

    def between(self, start: datetime, end: datetime) -> tuple[dict[str, float], dict[str, float]]:
        """CPU seconds and the highest GiB by kind, between two moments."""
        before = max(
            (s for s in self.samples if s.at <= start), key=lambda s: s.at, default=self.samples[0]
        )
        after = min(
            (s for s in self.samples if s.at >= end), key=lambda s: s.at, default=self.samples[-1]
        )
        inside = [s for s in self.samples if before.at <= s.at <= after.at]
        cpu = {kind: after.cpu[kind] - before.cpu.get(kind, 0.0) for kind in after.cpu}
        cpu["tasks"] = cpu["all"] - sum(used for kind, used in cpu.items() if kind != "all")
        kinds = {kind for sample in inside for kind in sample.memory}
        memory = {kind: max(s.memory.get(kind, 0) for s in inside) / 2**30 for kind in kinds}
        memory["all"] = max(sum(s.memory.values()) for s in inside) / 2**30
        return _rounded(cpu), _rounded(memory)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in sorted(figures.items())}


def look() -> Sample:
    """CPU and memory now. What is none of the named kinds is a task, or a process that starts them."""
    busy = psutil.cpu_times()
    cpu = {"all": busy.user + busy.system}
    memory: dict[str, int] = {}
    ours = os.getpid()
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                line = " ".join([process.name(), *process.cmdline()])
                times, used = process.cpu_times(), process.memory_info()
                size = used.rss - used.shared
        except psutil.Error:
            continue
        kind = next((kind for kind, part in KINDS if part in line), None)
        if process.pid == ours:
            kind = "this program"
        if kind is None:
            memory["tasks"] = memory.get("tasks", 0) + (size if "airflow" in line else 0)
            continue
        memory[kind] = memory.get(kind, 0) + size
        seconds = times.user + times.system
        if kind == "PostgreSQL":  # its backends come and go
            seconds += times.children_user + times.children_system
        cpu[kind] = cpu.get(kind, 0.0) + seconds
    return Sample(datetime.now(UTC), cpu, memory)


class Fleet:
    """The simulated ERP, from outside."""

    def __init__(self, address: str) -> None:
        self.address, self._session = address, requests.Session()

    def move(self, share: float, seed: int) -> int:
        return int(self._post("_move", share=share, seed=seed)["venues"])

    def edit(self, venue: int, at: int, kind: str, tag: str) -> str | None:
        email: str | None = self._post("_edit", venue=venue, at=at, kind=kind, tag=tag)["email"]
        return email

    def requests(self) -> int:
        """Pages asked for so far."""
        return int(self._session.get(f"{self.address}/_requests", timeout=60).json())

    def truth(self) -> dict[str, set[str]]:
        """Club -> the digests that are right: now, and with those who left with the last move."""
        found = self._session.get(f"{self.address}/_truth", timeout=300).json()
        return {f"club-{venue}": set(digests) for venue, *digests in found}

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self._session.post(f"{self.address}/{path}", json=body, timeout=300)
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def simulated(clubs: int, customers: int, latency: float) -> Iterator[Fleet]:
    """Run the simulated ERP."""
    options = f"--venues={clubs}", f"--customers={customers}", f"--latency={latency}"
    with serving("benchmarks.fleet", *options) as address:
        yield Fleet(address)


@dataclass
class Whole:
    """The stack of this benchmark.

    :param since: when it was started.
    """

    instance: Instance
    fleet: Fleet
    clubs: int
    console: Console
    since: datetime

    @property
    def api(self) -> AirflowApi:
        passwords = json.loads(self.instance.passwords.read_text())
        return AirflowApi(self.instance.url, "admin", passwords["admin"])

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        url = embedded.locate(self.instance.postgres).conninfo("clubsync")
        with psycopg.connect(url, autocommit=True) as driver:
            return driver.execute(statement).fetchall()

    def finished(self, since: datetime) -> dict[str, Any] | None:
        """The first finished run of the sync Dag that began after a moment."""
        runs = [run for run in self.api.runs(DAG) if run["start_date"] and run["end_date"]]
        later = [run for run in runs if datetime.fromisoformat(run["start_date"]) >= since]
        return min(later, key=lambda run: run["start_date"], default=None)

    def next_run(self, since: datetime, patience: timedelta) -> dict[str, Any]:
        """Wait until the first run that began after a moment has ended.

        :raises TimeoutError: it has not.
        """
        end = datetime.now(UTC) + patience
        while datetime.now(UTC) < end:
            try:
                if run := self.finished(since):
                    return run
            except requests.RequestException as error:
                self.console.log(f"Airflow does not answer: {type(error).__name__}")
            time.sleep(3)
        raise TimeoutError(
            f"No run of {DAG} that began after {since:%H:%M:%S} has ended in {patience}."
        )

    def idle(self, patience: timedelta) -> None:
        """Wait until no run is under way, and the next one is not about to start."""
        end = datetime.now(UTC) + patience
        while datetime.now(UTC) < end:
            running = any(run["state"] in ("running", "queued") for run in self.api.runs(DAG))
            if not running and 300 - time.time() % 300 > 10:
                return
            time.sleep(2)
        raise TimeoutError(f"The runs of {DAG} do not end.")

    def wrong(self) -> list[str]:
        """Clubs whose base is not what the simulated ERP says."""
        truth, found = self.fleet.truth(), dict(self.query(TRUTH))
        return sorted(club for club, right in truth.items() if found.get(club) not in right)

    def size(self) -> tuple[int, int]:
        """Bytes of the club base, and of WAL written since the server was made."""
        database, wal = self.query(_SIZE)[0]
        return database, wal

    def stages(self, run: dict[str, Any]) -> dict[str, float]:
        """Seconds from the first start to the last end of the tasks of each kind, in a run."""
        spans: dict[str, list[datetime]] = {}
        for one in self.api.task_instances(DAG, run["dag_run_id"]):
            if one["start_date"] and one["end_date"]:
                span = spans.setdefault(one["task_id"], [])
                span += [datetime.fromisoformat(one[name]) for name in ("start_date", "end_date")]
        return {task: round((max(s) - min(s)).total_seconds(), 1) for task, s in spans.items()}


def clubs_yaml(clubs: int, every: str) -> str:
    """The registry."""
    lines = [
        f"defaults: {{every: {every}, timezone: Europe/Paris, country: FR}}",
        "clubs:",
        *(
            f'  - {{id: club-{venue_id(n)}, name: "Club {venue_id(n)}", erp: playtomic, connection: fleet, '
            f'settings: {{venue_id: "{venue_id(n)}"}}}}'
            for n in range(clubs)
        ),
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def whole(
    folder: Path, fleet: Fleet, clubs: int, every: str, console: Console, secret: str | None = None
) -> Iterator[Whole]:
    """Start everything, and stop it at the end.

    :param folder: is created, and removed at the end.
    :param secret: of the webhooks of the ERP.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o711)
    config = folder / "clubs.yaml"
    config.write_text(clubs_yaml(clubs, every))
    variables = {
        "CLUBSYNC_VAR": str(folder),
        "CLUBSYNC_PORT": str(PORT),
        "CLUBSYNC_CONFIG": str(config),
        "AIRFLOW_CONN_FLEET": json.dumps(
            {
                "conn_type": "clubsync_playtomic",
                "host": fleet.address,
                "login": "fleet",
                "password": "fleet",
                "extra": {"webhook_secret": secret} if secret else {},
            }
        ),
    }
    os.environ.update(variables)
    since = datetime.now(UTC)
    # whoever ends it ends what it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        subprocess.run([sys.executable, "-m", "stack", "up"], cwd=ROOT, check=True)
        yield Whole(Instance(folder, PORT), fleet, clubs, console, since)
    finally:
        subprocess.run([sys.executable, "-m", "stack", "down"], cwd=ROOT, check=False)
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(folder, ignore_errors=True)


def first_load(it: Whole, watch: Watch, patience: timedelta) -> dict[str, Any]:
    """Wait for the first sync of every club."""
    end = datetime.now(UTC) + patience
    while (loaded := it.query(_LOADED)[0][0]) < it.clubs:
        if datetime.now(UTC) > end:
            raise TimeoutError(f"{loaded} of {it.clubs} clubs are loaded after {patience}.")
        it.console.log(f"first load: {loaded} of {it.clubs} clubs")
        time.sleep(10)
    it.idle(patience)
    run = it.finished(it.since)
    assert run is not None
    return described(it, watch, run)


def described(it: Whole, watch: Watch, run: dict[str, Any]) -> dict[str, Any]:
    """What a run of the sync Dag took."""
    start, end = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    time.sleep(3)
    cpu, memory = watch.between(start, end)
    return {
        "state": run["state"],
        "began": f"{start:%H:%M:%S}",
        "seconds": round((end - start).total_seconds(), 1),
        "stages": it.stages(run),
        "cpu": cpu,
        "memory": memory,
        "wrong": len(it.wrong()),
    }


def cycles(
    it: Whole, watch: Watch, count: int, share: float, *, at_once: bool
) -> Iterator[dict[str, Any]]:
    """Change, wait for the run, compare; several times, and once more without a change: whoever left has left.

    :param at_once: start each run when the one before it has ended, and do not await the schedule.
    """
    for number in range(count + 1):
        it.idle(PATIENCE)
        touched = it.fleet.move(share if number < count else 0, number)
        since, (size, wal), requests_before = datetime.now(UTC), it.size(), it.fleet.requests()
        if at_once:
            it.api.trigger(DAG)
        run = it.next_run(since, PATIENCE)
        size_now, wal_now = it.size()
        told = {
            "touched": touched,
            **described(it, watch, run),
            "requests": it.fleet.requests() - requests_before,
            "database MB": round((size_now - size) / 1e6, 1),
            "wal MB": round((wal_now - wal) / 1e6, 1),
        }
        it.console.log(told)
        yield told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clubs", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.001, help="of all players changed")
    parser.add_argument(
        "--at-once", action="store_true", help="do not await the schedule between cycles"
    )
    parser.add_argument("--latency", type=float, default=0.02, help="seconds of each answer")
    parser.add_argument("--folder", type=Path, required=True, help="for data; is removed")
    parser.add_argument("--result", type=Path, help="JSON file")
    given = parser.parse_args()
    console, watch = Console(), Watch()
    threading.Thread(target=watch.run, daemon=True).start()
    with (
        simulated(given.clubs, given.customers, given.latency) as fleet,
        whole(given.folder.absolute(), fleet, given.clubs, "5m", console) as it,
    ):
        first = first_load(it, watch, timedelta(minutes=90))
        console.log("first load", first)
        loaded_size = it.size()
        result: dict[str, Any] = {
            "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            "clubs": given.clubs,
            "customers": given.customers,
            "share": given.share,
            "cores": os.cpu_count(),
            "first load": first,
            "database GB": round(loaded_size[0] / 1e9, 2),
            "wal GB": round(loaded_size[1] / 1e9, 2),
            "cycles": [],
        }
        for cycle in cycles(it, watch, given.cycles, given.share, at_once=given.at_once):
            result["cycles"].append(cycle)
            if given.result:  # what is measured is kept, whatever comes
                given.result.write_text(json.dumps(result, indent=1) + "\n")
    watch.ended.set()
    console.print_json(data=result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
