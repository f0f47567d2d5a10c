"""A stack that `make up` has started for the tests: Airflow, the simulated ERPs, and a club of our own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
import requests
from dotenv import dotenv_values
from ruamel.yaml import YAML

from clubsync.store import embedded, handed_on, logins
from stack.airflow_api import AirflowApi

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    "CLUBSYNC_PORT",
    "CLUBSYNC_REDIS_PORT",
    "CLUBSYNC_SANDBOX_PORT",
    "CLUBSYNC_SANDBOX_SFTP_PORT",
    "CLUBSYNC_SANDBOX_TRYTON_PORT",
)

T = TypeVar("T")

OURS = "our-own"
"""A csv club whose export the tests write, so that nobody comes or leaves but by them."""


@dataclass(frozen=True)
class Stack:
    """A running stack of the test's own."""

    var: Path
    environment: dict[str, str]
    said: str
    """What `make up` printed."""

    @property
    def api(self) -> AirflowApi:
        return self.api_as("support")

    def api_as(self, user: str) -> AirflowApi:
        passwords = json.loads((self.var / "airflow" / "passwords.json").read_text())
        url = f"http://127.0.0.1:{self.environment['CLUBSYNC_PORT']}"
        return AirflowApi(url, user, passwords[user])

    def fault(self, club: str, kind: str | None) -> None:
        """Switch a fault of a club's simulated ERP on, or off."""
        url = f"http://127.0.0.1:{self.environment['CLUBSYNC_SANDBOX_PORT']}/_faults/{club}"
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(url, json={"kind": kind}) if kind else session.delete(url)
        answer.raise_for_status()

    def run(self, dag: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Start a run by hand and wait for its end."""
        started = self.api.trigger(dag, conf)

        def ended() -> dict[str, Any] | None:
            runs = {run["dag_run_id"]: run for run in self.api.runs(dag)}
            run = runs[started["dag_run_id"]]
            return run if run["state"] in ("success", "failed") else None

        return until(ended)

    @property
    def database(self) -> str:
        """The club base's address for its owner, for psycopg."""
        settings = dotenv_values(self.var / "clubsync.env")
        url = str(settings["CLUBSYNC_DATABASE"]).replace("+psycopg", "")
        return url.replace(f"{logins.LOGIN}@", f"{embedded.SUPERUSER}@")

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the club base, as its owner."""
        with psycopg.connect(self.database, autocommit=True) as driver:
            return driver.execute(statement, parameters or None).fetchall()

    def steps(self, run: dict[str, Any], task: str) -> dict[str, Any]:
        """Club id to what a task handed on of it."""
        found: dict[str, Any] = {}
        for index in range(len(self.instances(run, task))):
            ref = self.api.xcom(run["dag_id"], run["dag_run_id"], task, index)
            for content in self._handed_on(ref["handed_on"]) if ref else ():
                found |= {step["club"]: step for step in handed_on.unpack(content)}
        return found

    def _handed_on(self, number: int) -> list[bytes]:
        rows = self.query("select content from sync.handed_on where number = %s", number)
        return [content for (content,) in rows]

    def instances(self, run: dict[str, Any], task: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self.api.task_instances(run["dag_id"], run["dag_run_id"])
            if one["task_id"] == task
        ]


def until(ready: Callable[[], T | None], patience: float = 600.0, pause: float = 0.5) -> T:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(pause)
    raise AssertionError(f"not after {patience:.0f} s")


def free_ports(*names: str) -> dict[str, str]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {n: str(p.getsockname()[1]) for n, p in zip(names, probes, strict=True)}


@contextmanager
def started(
    settings: Mapping[str, str],
    clubs: Callable[[Path], Path] | None = None,
    *,
    action: str = "up",
) -> Iterator[Stack]:
    """A stack in a folder and on ports of its own.

    :param settings: of its environment, besides; they are looked at when clubs.yaml is there.
    :param clubs: writes clubs.yaml into the folder; default: the demo's, with a club of our own.
    :param action: `up`, or `cluster` for Celery.
    """
    var = Path(tempfile.mkdtemp(prefix="cs-up-"))
    var.chmod(0o755)  # PostgreSQL may run as another user
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CLUBSYNC"))}
    connection = {"conn_type": "clubsync_csv", "host": (var / "our-own").as_uri()}
    config = (clubs or clubs_with_ours)(var)
    environment = {
        **own,
        **free_ports(*PORTS),
        "CLUBSYNC_VAR": str(var),
        "CLUBSYNC_CONFIG": str(config),
        "AIRFLOW_CONN_OUR_OWN": json.dumps(connection),
        "COLUMNS": "160",
        **settings,
    }

    def command(action: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stack", action],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        up = command(action)
        assert up.returncode == 0, up.stdout + up.stderr
        yield Stack(var, environment, up.stdout)
    finally:
        stopped = command("down")
        left = processes_of(var)
        shutil.rmtree(var, ignore_errors=True)
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        assert left == []


def processes_of(var: Path) -> list[str]:
    """Command lines of processes that still run for this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(var) in command or process.environ().get("CLUBSYNC_STACK") == str(var):
                found.append(command)
        except (psutil.Error, OSError):
            continue
    return found


def clubs_with_ours(var: Path, *others: dict[str, object]) -> Path:
    """The demo's clubs.yaml with the club of our own, whose folder is made.

    :param others: entries of more clubs.
    """
    yaml = YAML()
    document = yaml.load((ROOT / "config" / "clubs.yaml").read_text())
    for club in document["clubs"]:
        if club.get("every") == "1m":
            # no test awaits their schedule; every minute they take most of two cores from what tests start
            club["every"] = "15m"
    document["clubs"].append(
        {
            "id": OURS,
            "name": "Our Own",
            "erp": "csv",
            "connection": "our_own",
            "every": "1d",  # between what a test writes and what it looks at, nobody else reads the club
            "settings": {"customers": "customers.csv", "fields": {"id": "id", "email": "email"}},
        }
    )
    document["clubs"].extend(others)
    path = var / "clubs.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    write_ours(var, range(100))
    return path


def write_ours(var: Path, people: Iterable[int]) -> None:
    """What our own club's ERP exports from now on."""
    folder = var / "our-own"
    folder.mkdir(exist_ok=True)
    part = folder / ".customers.part"
    part.write_text("id,email\n" + "".join(f"{n},person{n}@our.example.org\n" for n in people))
    part.replace(folder / "customers.csv")
