"""The real thing: `make up` with the simulated ERPs, one of which breaks and comes back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from stack.airflow_api import AirflowApi

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    "CLUBSYNC_PORT",
    "CLUBSYNC_SANDBOX_PORT",
    "CLUBSYNC_SANDBOX_SFTP_PORT",
    "CLUBSYNC_SANDBOX_TRYTON_PORT",
)

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1500)]


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

        return _until(ended)

    def steps(self, run: dict[str, Any], task: str) -> dict[str, Any]:
        """Club id to what a task returned of it."""
        found = {}
        for index in range(len(self.instances(run, task))):
            value = self.api.xcom(run["dag_id"], run["dag_run_id"], task, index)
            found |= {step["club"]: step for step in value or []}
        return found

    def instances(self, run: dict[str, Any], task: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self.api.task_instances(run["dag_id"], run["dag_run_id"])
            if one["task_id"] == task
        ]


def _until(ready: Callable[[], Any], patience: float = 300.0) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not after {patience:.0f} s")


def _free_ports(names: tuple[str, ...]) -> dict[str, str]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {n: str(p.getsockname()[1]) for n, p in zip(names, probes, strict=True)}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    var = Path(tempfile.mkdtemp(prefix="cs-up-"))
    var.chmod(0o755)  # PostgreSQL may run as another user
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CLUBSYNC"))}
    environment = {**own, **_free_ports(PORTS), "CLUBSYNC_VAR": str(var), "COLUMNS": "160"}

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
        started = command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield Stack(var, environment, started.stdout)
    finally:
        stopped = command("down")
        left = _processes_of(var)
        shutil.rmtree(var, ignore_errors=True)
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        assert left == []


def _processes_of(var: Path) -> list[str]:
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


def test_every_club_is_synced_at_the_start(stack: Stack) -> None:
    assert "failed" not in stack.said, stack.said
    assert "not yet" not in stack.said, stack.said
    assert stack.said.count("done") == 7, stack.said


def test_one_club_fails_by_name_the_others_are_loaded_and_it_heals(stack: Stack) -> None:
    both = {"clubs": ["padel-bordeaux", "padel-chamartin"], "full": True}
    stack.fault("padel-bordeaux", "server-error")
    run = stack.run("sync_playtomic", both)
    assert run["state"] == "failed"
    assert stack.steps(run, "load")["padel-chamartin"]["error"] is None
    (retry,) = stack.instances(run, "retry_club")
    assert retry["rendered_map_index"] == "Padel Bordeaux Lac"
    assert retry["state"] == "failed"
    assert retry["try_number"] == 4
    log = stack.api.log("sync_playtomic", run["dag_run_id"], "retry_club", index=0, attempt=4)
    assert "Padel Bordeaux Lac (padel-bordeaux) was not synced" in log
    assert "Runbook: docs/runbooks/erp-down.md" in log

    stack.fault("padel-bordeaux", None)
    assert stack.run("sync_playtomic", both)["state"] == "success"


def test_a_refused_key_fails_at_once_and_is_healed_by_clearing_that_row(stack: Stack) -> None:
    stack.fault("padel-chamartin", "unauthorized")
    run = stack.run("sync_playtomic", {"clubs": ["padel-chamartin"]})
    assert run["state"] == "failed"
    (retry,) = stack.instances(run, "retry_club")
    assert (retry["state"], retry["try_number"]) == ("failed", 1)

    stack.fault("padel-chamartin", None)
    stack.api.clear("sync_playtomic", run["dag_run_id"], "retry_club", 0)

    def healed() -> bool:
        runs = {one["dag_run_id"]: one["state"] for one in stack.api.runs("sync_playtomic")}
        return bool(runs[run["dag_run_id"]] == "success")

    assert _until(healed)


def test_one_club_by_itself_does_not_wait_for_the_others(stack: Stack) -> None:
    run = stack.run("sync_one", {"club": "aviron-annecy"})
    assert run["state"] == "success"


def test_up_a_second_time_is_harmless(stack: Stack) -> None:
    before = {p for p in _processes_of(stack.var) if "airflow" in p}
    again = subprocess.run(
        [sys.executable, "-m", "stack", "up"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "stopping" not in again.stdout
    assert before


def test_a_test_of_a_connection_tells_good_from_bad(stack: Stack) -> None:
    """As the list of connections asks for it: without a port, which it sends as 0."""
    sandbox = f"http://127.0.0.1:{stack.environment['CLUBSYNC_SANDBOX_PORT']}/playtomic"
    wanted = {
        "connection_id": "padel_lyon",
        "conn_type": "clubsync_playtomic",
        "host": sandbox,
        "login": "padel-bordeaux",
        "password": "sandbox-demo",
        "extra": json.dumps({"webhook_secret": "whsec_of-a-test", "known_hosts": None}),
    }
    admin = stack.api_as("admin")
    admin.add_connection(wanted)
    listed = {**wanted, "password": "***", "port": 0, "schema": "", "description": ""}

    good = admin.test_connection(listed)
    assert (good["status"], good["message"].startswith("Log-in works.")) == (True, True)
    assert "No club in clubs.yaml names this connection yet" in good["message"]

    bad = admin.test_connection({**wanted, "password": "an old one"})
    assert bad["status"] is False
    assert "put it into the Airflow connection" in bad["message"]
    assert "an old one" not in bad["message"]

    # The club that names it is found although Airflow tests under an id of its own.
    named = {**listed, "connection_id": "padel_bordeaux"}
    message = "Padel Bordeaux Lac (padel-bordeaux): Log-in works: the venue has players."
    assert admin.test_connection(named) == {"status": True, "message": message}

    with pytest.raises(requests.HTTPError) as refused:
        stack.api.test_connection(wanted)
    assert refused.value.response.status_code == requests.codes.forbidden
