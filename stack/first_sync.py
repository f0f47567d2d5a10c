"""Wait for the first sync of every club, and show the results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clubsync.cli.terminal import text
from clubsync.config import ClubConfig, load_config
from clubsync.errors import SyncError
from clubsync.store import handed_on
from clubsync.store.database import Base
from stack.airflow_api import AirflowApi

FINISHED = {"success", "failed"}
MOST_ROWS = 40
Step = dict[str, Any]


def wait(
    api: AirflowApi,
    environment: Mapping[str, str],
    *,
    since: datetime | None,
    patience: float,
) -> dict[str, Step]:
    """Club id -> the result of its first successful sync since then, else of its last failed one.

    :param since: start of the stack; None: use the newest finished run instead.
    :param patience: seconds, after which the results so far are returned.
    """
    if since is not None and _finished(api, None, before=since):
        since = None  # a restart: there are results already, so nothing to wait for
    deadline = time.monotonic() + patience
    expected = {club.id for club in _clubs(environment)}
    found: dict[str, Step] = {}
    seen: set[tuple[str, str]] = set()
    with closing(Base(environment["CLUBSYNC_DATABASE"], pool_size=1)) as base:
        while True:
            runs = [] if expected <= set(found) else _finished(api, since)
            for run in runs:
                key = (run["dag_id"], run["dag_run_id"])
                for step in _steps(api, base, run) if key not in seen else ():
                    if step["club"] not in found or (since and found[step["club"]]["error"]):
                        found[step["club"]] = step
                seen.add(key)
            if expected <= set(found) or time.monotonic() > deadline:
                return found
            time.sleep(1.0)


def _finished(
    api: AirflowApi, since: datetime | None, *, before: datetime | None = None
) -> list[dict[str, Any]]:
    """The finished runs of the sync Dags: since a moment, oldest first; else all, newest first."""
    try:
        newest_first = api.runs("~")
    except requests.RequestException:  # still starting, or busy
        return []
    finished = [
        run
        for run in newest_first
        if run["state"] in FINISHED and run["dag_id"].startswith("sync_")
    ]
    if since is None:
        return finished
    return [run for run in reversed(finished) if datetime.fromisoformat(run["start_date"]) >= since]


def show(console: Console, environment: Mapping[str, str], steps: Mapping[str, Step]) -> None:
    """Print one row per club: what its first (or last) sync did, or why it failed."""
    table = Table("club", "ERP", "sync", "result", title="Clubs", title_justify="left")
    clubs = _clubs(environment)
    for club in clubs[:MOST_ROWS]:
        table.add_row(text(club.name), text(club.erp), *_result(steps.get(club.id)))
    console.print(table)
    if len(clubs) > MOST_ROWS:
        console.print(f"… and {len(clubs) - MOST_ROWS} more clubs.")


def _result(step: Step | None) -> tuple[Text, Text]:
    """How a sync ended, and what it did; an error may quote what an ERP wrote (R19)."""
    if step is None:
        return text("not yet", "yellow"), text("see Airflow")
    if step["error"]:
        return text("failed", "red"), text(str(step["error"]))
    if not step["used"]:  # R16: no success
        return text("not used", "yellow"), text("newer data are loaded")
    counts = ", ".join(f"{name} {n}" for name, n in step["counts"].items() if n)
    held = f"; {step['held']} deactivations held" if step["held"] else ""
    return text("done", "green"), text((counts or "no change") + held)


def _clubs(environment: Mapping[str, str]) -> tuple[ClubConfig, ...]:
    return load_config(Path(environment["CLUBSYNC_CONFIG"])).clubs


def _steps(api: AirflowApi, base: Base, run: Mapping[str, Any]) -> list[Step]:
    """The last step of each club in a finished run: a retry overrides the batch."""
    last: dict[str, Step] = {}
    instances = api.task_instances(run["dag_id"], run["dag_run_id"])
    for task in ("load", "collect_failures", "retry_club"):
        for instance in instances:
            if instance["task_id"] == task and instance["state"] == "success":
                value = api.xcom(run["dag_id"], run["dag_run_id"], task, instance["map_index"])
                for ref in value if isinstance(value, list) else [value]:
                    if ref:
                        last.update({step["club"]: step for step in _taken(base, ref)})
    return list(last.values())


def _taken(base: Base, ref: Mapping[str, Any]) -> list[Step]:
    """What a task has handed on; nothing, if it was deleted meanwhile.

    :param ref: `plugins.orchestration.handing.Ref`.
    """
    try:
        steps = handed_on.take(base, ref["handed_on"])
    except SyncError:
        return []
    return [steps[ref["place"]]] if "place" in ref else steps
