"""The demo: simulated ERPs beside the stack, and the connections that lead to them.

It runs when a club of clubs.yaml uses one of its connections. ``python -m stack.demo`` puts those
connections into Airflow's own data base, for deployments whose environment is not ours to make.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import requests

from clubsync.config import load_config
from sandbox.demo import CLUBS, PREFIX, Sandbox, connections
from stack.environment import Place, config_path
from stack.processes import Process

PORTS = {"PORT": "port", "SFTP_PORT": "sftp_port", "TRYTON_PORT": "tryton_port"}


def sandbox(place: Place) -> Sandbox | None:
    """The sandbox of this place, or None when no club needs it."""
    used = {club.connection for club in load_config(config_path()).clubs}
    if not used & {club.connection for club in CLUBS}:
        return None
    found = Sandbox.from_environment()
    if PREFIX + "DIR" in os.environ:
        return found
    return replace(found, folder=place.var / "sandbox")


def environment(place: Place) -> dict[str, str]:
    """What the processes have to know of it: its settings and the connections."""
    found = sandbox(place)
    return {**found.environment(), **connections(found)} if found else {}


def processes(place: Place) -> list[Process]:
    """One process serves all ERPs; Tryton is its child."""
    return [Process("sandbox", [sys.executable, "-m", "sandbox"], 20)] if sandbox(place) else []


def ports(place: Place) -> dict[str, int]:
    """Environment variable to the port that it chooses."""
    found = sandbox(place)
    return {PREFIX + name: getattr(found, field) for name, field in PORTS.items()} if found else {}


def ready(place: Place) -> bool:
    """Whether every simulated ERP can be read."""
    found = sandbox(place)
    if found is None:
        return True
    try:
        with requests.Session() as session:
            session.trust_env = False
            return bool(session.get(f"{found.url}/health", timeout=5).json()["ready"])
    except (requests.RequestException, ValueError):
        return False


def addresses(place: Place) -> list[str]:
    """Where the sandbox is, for people."""
    found = sandbox(place)
    return [f"Simulated ERPs: {found.url} (faults: {found.url}/_faults)"] if found else []


def main() -> int:
    """Write the connections into Airflow's data base; connections of the same id are replaced."""
    given = connections(Sandbox.from_environment())
    document = {
        name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(value)
        for name, value in given.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "connections.json"
        file.write_text(json.dumps(document))
        airflow = Path(sys.executable).with_name("airflow")
        command = [str(airflow), "connections", "import", "--overwrite", str(file)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
