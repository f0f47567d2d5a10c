"""The demo as a whole: its registry, its connections, and the process that simulates its ERPs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from clubsync.config import load_config
from clubsync.connections import parse
from connectors.registry import CONNECTORS, connector_class
from connectors.sdk.base import Club
from connectors.sdk.errors import ConnectorError, FileBroken, RateLimited
from connectors.sdk.model import Reading
from sandbox.demo import CLUBS, Sandbox, clubs_yaml, connections

ROOT = Path(__file__).resolve().parents[2]


def test_the_registry_is_the_demo_s() -> None:
    """`config/clubs.yaml` is what the demo says; it loads, and each connector takes its settings."""
    assert (ROOT / "config" / "clubs.yaml").read_text(encoding="utf-8") == clubs_yaml()
    clubs = load_config(ROOT / "config" / "clubs.yaml").clubs
    assert {c.erp for c in clubs} <= set(CONNECTORS)
    for club in clubs:
        connector_class(club.erp).settings_type(**club.settings)


def test_the_environment_goes_round(tmp_path: Path) -> None:
    """A process is started with the intended settings."""
    meant = Sandbox(tmp_path, 1, 2, 3, 4.0, 5.0, 6, tryton=False)
    assert Sandbox.from_environment(meant.environment()) == meant
    assert Sandbox.from_environment({}) == replace(Sandbox(), folder=Sandbox().folder.absolute())


def test_every_club_has_a_connection(tmp_path: Path) -> None:
    """One each, of its own connection type, as `clubsync.connections` reads them."""
    made = connections(Sandbox(tmp_path))
    for club in CLUBS:
        value = made[f"AIRFLOW_CONN_{club.connection.upper()}"]
        assert f'"conn_type": "clubsync_{club.erp}"' in value
        assert club.id in parse(club.connection, value).host + str(club.options)
    assert len(made) == len(CLUBS)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The process, without Tryton; stopped by TERM, as a supervisor does."""
    ports = []
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    http, files, tryton = ports
    folder = tmp_path_factory.mktemp("sandbox")
    sandbox = Sandbox(folder, http, files, tryton, tick=0.2, tryton=False)
    environment = {**os.environ, **sandbox.environment(), "PYTHONPATH": str(ROOT)}
    with (sandbox.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox"], env=environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: health(sandbox).get("ready"), process)
        yield sandbox
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def health(sandbox: Sandbox) -> dict[str, Any]:
    try:
        said: dict[str, Any] = requests.get(f"{sandbox.url}/health", timeout=5).json()
    except requests.ConnectionError:
        return {}
    return said


def wait_until(
    condition: Callable[[], object], process: subprocess.Popen[bytes] | None = None
) -> None:
    """Until it holds; pytest's own limit ends an endless wait."""
    while not condition():
        assert process is None or process.poll() is None, "the sandbox ended"
        time.sleep(0.05)


def read(sandbox: Sandbox, club_id: str) -> Reading:
    (club,) = [c for c in load_config(ROOT / "config" / "clubs.yaml").clubs if c.id == club_id]
    value = connections(sandbox)[f"AIRFLOW_CONN_{club.connection.upper()}"]
    cls = connector_class(club.erp)
    settings = dict(club.settings)
    if club.erp == "playtomic":
        settings["http"] = {"attempts": 1}
    return cls(
        parse(club.connection, value),
        cls.settings_type(**settings),
        Club(club.id, club.zone, club.country),
        now=lambda: datetime.now(UTC),
    ).read()


def fault(sandbox: Sandbox, club: str, kind: str) -> requests.Response:
    return requests.post(f"{sandbox.url}/_faults/{club}", json={"kind": kind}, timeout=5)


@pytest.mark.parametrize("club", [c.id for c in CLUBS if c.erp != "tryton"])
def test_every_club_can_be_read(running: Sandbox, club: str) -> None:
    """With the connections and the registry as they are, SFTP and its host key included."""
    reading = read(running, club)
    assert reading.certificate.complete
    assert reading.customers.height > 100


def test_a_fault_of_an_api(running: Sandbox) -> None:
    """On, seen, off, gone."""
    assert fault(running, "padel-bordeaux", "throttled-seconds").status_code == 201
    assert list(requests.get(f"{running.url}/_faults", timeout=5).json()) == ["padel-bordeaux"]
    with pytest.raises(RateLimited):
        read(running, "padel-bordeaux")
    assert read(running, "padel-chamartin").certificate.complete
    assert requests.delete(f"{running.url}/_faults/padel-bordeaux", timeout=5).status_code == 204
    assert read(running, "padel-bordeaux").certificate.complete


def test_a_fault_of_an_export(running: Sandbox) -> None:
    """The file is cut at the next tick, stays so, and is whole again when the fault is off."""

    def fails() -> bool:
        try:
            return not read(running, "salon-graslin").certificate.complete
        except FileBroken:
            return True
        except ConnectorError:
            return False

    fault(running, "salon-graslin", "truncated")
    wait_until(fails)
    requests.delete(f"{running.url}/_faults", timeout=5)
    wait_until(lambda: not fails())


def test_faults_that_do_not_exist(running: Sandbox) -> None:
    """Neither the club nor the kind."""
    assert fault(running, "nowhere", "html").status_code == 404
    assert fault(running, "padel-bordeaux", "earthquake").status_code == 422
    assert requests.get(f"{running.url}/_faults", timeout=5).json() == {}
