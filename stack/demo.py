"""The demo: simulated ERPs beside the stack, and the connections to them.

It runs when a club in clubs.yaml uses one of its connections. ``python -m stack.demo`` stores the connections in
Airflow's database, for deployments whose environment we do not control.
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
from stack.environment import Instance, config_path
from stack.processes import Process

PORTS = {"PORT": "port", "SFTP_PORT": "sftp_port", "TRYTON_PORT": "tryton_port"}


def sandbox(instance: Instance) -> Sandbox | None:
    """The sandbox of this stack; None if no club needs it."""
    used = {club.connection for club in load_config(config_path()).clubs}
    if not used & {club.connection for club in CLUBS}:
        return None
    found = Sandbox.from_environment()
    if PREFIX + "DIR" in os.environ:
        return found
    return replace(found, folder=instance.var / "sandbox")


def environment(instance: Instance) -> dict[str, str]:
    """The environment that the processes need for it: its settings and the connections."""
    found = sandbox(instance)
    return {**found.environment(), **connections(found)} if found else {}


def processes(instance: Instance) -> list[Process]:
    """The process that serves all simulated ERPs; Tryton is its child."""
    return [Process("sandbox", [sys.executable, "-m", "sandbox"], 20)] if sandbox(instance) else []


def ports(instance: Instance) -> dict[str, int]:
    """Environment variable -> the port that it sets."""
    found = sandbox(instance)
    return {PREFIX + name: getattr(found, field) for name, field in PORTS.items()} if found else {}


def ready(instance: Instance) -> bool:
    """Whether every simulated ERP can be read."""
    found = sandbox(instance)
    if found is None:
        return True
    try:
        with requests.Session() as session:
            session.trust_env = False
            return bool(session.get(f"{found.url}/health", timeout=5).json()["ready"])
    except (requests.RequestException, ValueError):
        return False


def addresses(instance: Instance) -> list[str]:
    """The addresses of the sandbox, for display."""
    found = sandbox(instance)
    return [f"Simulated ERPs: {found.url} (faults: {found.url}/_faults)"] if found else []


def main() -> int:
    """Store the connections in Airflow's database, replacing those with the same id."""
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
