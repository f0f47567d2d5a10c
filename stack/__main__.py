"""``python -m stack up|cluster|down|status``, and ``python -m stack airflow ...`` for Airflow's own command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import requests
from rich.console import Console
from rich.table import Table

from clubsync import permissions
from clubsync.store import embedded
from clubsync.store.embedded import EmbeddedPostgresError
from stack import accounts
from stack.airflow_api import AirflowApi
from stack.down import down
from stack.environment import Instance
from stack.processes import BIN
from stack.supervision import StackError, Supervisor
from stack.up import settings, show_address, up


def status(instance: Instance, console: Console) -> int:
    """Print which processes run, since when, and the health of Airflow.

    :returns: exit code: 0 if everything runs and Airflow is healthy, else 3.
    """
    supervisor = Supervisor(instance)
    if supervisor.pid is None:
        console.print("Not running. `make up` starts it.")
        return 3
    states, uptimes = supervisor.states(), supervisor.uptimes()
    health = AirflowApi(instance.url).health()
    table = Table("process", "state", "uptime", "health")
    parts = {"api-server": "metadatabase", "dag-processor": "dag_processor"}
    for name, state in states.items():
        uptime = f"{uptimes[name] / 60:.0f} min" if name in uptimes else ""
        table.add_row(name, state.lower(), uptime, health.get(parts.get(name, name), ""))
    console.print(table)
    show_address(instance, console, accounts.stored(settings(instance)))
    return 0 if set(states.values()) == {"RUNNING"} and "healthy" in health.values() else 3


def airflow(instance: Instance, arguments: Sequence[str]) -> NoReturn:
    """Become the `airflow` command with the settings of this stack.

    :raises StackError: its database does not run.
    """
    if embedded.status(instance.postgres) is None:
        raise StackError("Not running. `make up` starts it.")
    supervisor = Supervisor(instance)
    if supervisor.pid is not None and "redis" in supervisor.states():
        instance = replace(instance, cluster=True)
    program = str(BIN / "airflow")
    os.execve(program, [program, *arguments], settings(instance))  # noqa: S606  # our own program, without a shell


def main() -> int:
    """Run the command line, and report an expected error in one sentence."""
    permissions.private()
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("action", choices=["up", "cluster", "down", "status", "airflow"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of airflow")
    given = parser.parse_args()
    action = given.action
    instance, console = Instance.from_environment(cluster=action == "cluster"), Console()
    try:
        if action == "airflow":
            airflow(instance, given.arguments)
        if action == "status":
            return status(instance, console)
        (down if action == "down" else up)(instance, console)
    except (StackError, EmbeddedPostgresError) as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except requests.RequestException as error:
        console.print(
            f"Airflow did not respond in time ({type(error).__name__}); the machine may be busy. The processes keep "
            f"running: run `make {action}` again to wait for them. Logs are in {instance.logs}.",
            markup=False,
            soft_wrap=True,
        )
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. `make down` stops everything that was started.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
