"""Wait for every club's first sync, and show what it did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from clubsync.config import ClubConfig, load_config
from stack.airflow_api import AirflowApi

FINISHED = {"success", "failed"}
MOST_ROWS = 40
Step = dict[str, Any]


def wait(api: AirflowApi, environment: Mapping[str, str], patience: float) -> dict[str, Step]:
    """Club id to what its newest finished run says of it.

    Returns when there is that of every club, or after ``patience`` seconds with what there is.
    """
    deadline = time.monotonic() + patience
    expected = {club.id: club.erp for club in _clubs(environment)}
    found: dict[str, Step] = {}
    seen: set[str] = set()
    while True:
        erps = {erp for club, erp in expected.items() if club not in found}
        for erp in erps:
            with contextlib.suppress(requests.RequestException):  # the Dag may not be there yet
                for run in api.runs(f"sync_{erp}"):
                    if run["state"] in FINISHED and run["dag_run_id"] not in seen:
                        for step in _steps(api, run):
                            found.setdefault(step["club"], step)
                        seen.add(run["dag_run_id"])
        if set(expected) <= set(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def show(console: Console, environment: Mapping[str, str], steps: Mapping[str, Step]) -> None:
    """A table with a line per club: what its first sync did, or why it failed."""
    table = Table("club", "ERP", "first sync", "result", title="Clubs", title_justify="left")
    clubs = _clubs(environment)
    for club in clubs[:MOST_ROWS]:
        step = steps.get(club.id)
        if step is None:
            table.add_row(club.name, club.erp, "[yellow]not yet", "see Airflow")
        elif step["error"]:
            table.add_row(club.name, club.erp, "[red]failed", str(step["error"]))
        else:
            counts = ", ".join(f"{name} {n}" for name, n in step["counts"].items() if n)
            held = f"; {step['held']} deactivations held" if step["held"] else ""
            table.add_row(club.name, club.erp, "[green]done", (counts or "no change") + held)
    console.print(table)
    if len(clubs) > MOST_ROWS:
        console.print(f"… and {len(clubs) - MOST_ROWS} more clubs.")


def _clubs(environment: Mapping[str, str]) -> tuple[ClubConfig, ...]:
    return load_config(Path(environment["CLUBSYNC_CONFIG"])).clubs


def _steps(api: AirflowApi, run: Mapping[str, Any]) -> list[Step]:
    """The last step of each club of a finished run: what a retry says goes over the batch's."""
    last: dict[str, Step] = {}
    instances = api.task_instances(run["dag_id"], run["dag_run_id"])
    for task in ("load", "failed", "retry_club"):
        for instance in instances:
            if instance["task_id"] == task and instance["state"] == "success":
                value = api.xcom(run["dag_id"], run["dag_run_id"], task, instance["map_index"])
                for step in value if isinstance(value, list) else [value]:
                    if step:
                        last[step["club"]] = step
    return list(last.values())
