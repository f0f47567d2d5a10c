"""``python -m stack up|down|status``"""

from __future__ import annotations

import argparse
import sys

import requests
from rich.console import Console
from rich.table import Table

from clubsync.embedded import EmbeddedPostgresError
from stack.airflow_api import AirflowApi
from stack.down import down
from stack.environment import Place, logins
from stack.supervision import StackError, Supervisor
from stack.up import show_address, up


def status(place: Place, console: Console) -> int:
    """What runs, since when, and whether Airflow is healthy. 0: all of it; 3: not."""
    supervisor = Supervisor(place)
    if supervisor.pid is None:
        console.print("Nothing runs. `make up` starts it.")
        return 3
    states, uptimes = supervisor.states(), supervisor.uptimes()
    health = AirflowApi(place.url, "admin", logins(place)["admin"]).health()
    table = Table("process", "state", "since", "health")
    parts = {"api-server": "metadatabase", "dag-processor": "dag_processor"}
    for name, state in states.items():
        since = f"{uptimes[name] / 60:.0f} min" if name in uptimes else ""
        table.add_row(name, state.lower(), since, health.get(parts.get(name, name), ""))
    console.print(table)
    show_address(place, console)
    return 0 if set(states.values()) == {"RUNNING"} and "healthy" in health.values() else 3


def main() -> int:
    """Parse the command line, act, and turn what went wrong into a plain sentence."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("action", choices=["up", "down", "status"])
    action = parser.parse_args().action
    place, console = Place.from_environment(), Console()
    try:
        if action == "status":
            return status(place, console)
        (up if action == "up" else down)(place, console)
    except (StackError, EmbeddedPostgresError) as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except requests.RequestException as error:
        console.print(
            f"Airflow does not answer in time ({type(error).__name__}): the machine may be busy. What has "
            f"started goes on; `make up` again waits for it. Logs are in {place.logs}.",
            soft_wrap=True,
        )
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. `make down` stops what has started.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
