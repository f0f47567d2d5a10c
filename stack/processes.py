"""Which processes make up the stack, in the order in which they start (they stop in reverse)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.environment import Place

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Process:
    """One process under the supervisor.

    ``order``: the lower ones start first and stop last. ``group``: whether a stop goes to its
    children as well; PostgreSQL's launcher passes it on itself, in its own way.
    """

    name: str
    command: Sequence[str]
    order: int
    patience: int = 30
    """Seconds from TERM to KILL."""
    group: bool = True


def airflow(executor: str) -> list[Process]:
    """Airflow. Logs are on our own disk, so nothing needs to serve them: the servers for that would
    listen on every interface.

    :param executor: as ``AIRFLOW__CORE__EXECUTOR`` says; Celery's has a worker beside the rest.
    """
    command = str(BIN / "airflow")
    workers = []
    if executor == "CeleryExecutor":
        worker = [command, "celery", "worker", "--skip-serve-logs"]
        # told to stop, it finishes what it has begun
        workers.append(Process("worker", worker, 40, patience=600))
    return [
        Process("api-server", [command, "api-server"], 30),
        Process("scheduler", [command, "scheduler", "--skip-serve-logs"], 40, patience=50),
        Process("dag-processor", [command, "dag-processor"], 40),
        Process("triggerer", [command, "triggerer", "--skip-serve-logs"], 40),
        *workers,
    ]


def postgres(place: Place) -> Process:
    command = [sys.executable, "-m", "clubsync.embedded", "run", "--data", str(place.postgres)]
    return Process("postgres", command, 10, patience=120, group=False)
