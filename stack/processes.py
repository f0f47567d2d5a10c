"""The processes of the stack, in the order in which they start; they stop in reverse."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.environment import Instance

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Process:
    """One process under the supervisor.

    :param order: lower ones start first and stop last.
    :param patience: seconds from SIGTERM to SIGKILL.
    :param group: whether the signal is sent to its children as well; the launcher of PostgreSQL stops its child
        itself.
    :param leaves: how the command lines of those begin that it leaves behind when it is killed; they are ended before
        it starts again.
    """

    name: str
    command: Sequence[str]
    order: int
    patience: int = 30
    group: bool = True
    leaves: str = ""


WORKERS = ("worker-1", "worker-2")
"""The workers of ``make cluster``."""


def airflow(executor: str, workers: Sequence[str] = ("worker",)) -> list[Process]:
    """The processes of Airflow.

    Logs are on the local disk, so the log servers are off: they would listen on every interface.

    :param executor: value of ``AIRFLOW__CORE__EXECUTOR``; the Celery executor adds the workers.
    :param workers: their names; if there are several, Celery knows them by these.
    """
    command = str(BIN / "airflow")
    celery = workers if executor == "CeleryExecutor" else ()
    return [
        Process("api-server", [command, "api-server"], 30),
        Process(
            "scheduler",
            [command, "scheduler", "--skip-serve-logs"],
            40,
            patience=50,
            leaves="airflow worker --" if executor == "LocalExecutor" else "",
        ),
        Process("dag-processor", [command, "dag-processor"], 40),
        Process("triggerer", [command, "triggerer", "--skip-serve-logs"], 40),
        *(_worker(command, name, alone=len(celery) == 1) for name in celery),
    ]


def _worker(command: str, name: str, *, alone: bool) -> Process:
    """A Celery worker: on SIGTERM, it finishes its running tasks."""
    named = [] if alone else ["--celery-hostname", name]
    return Process(
        name,
        [command, "celery", "worker", "--skip-serve-logs", *named],
        40,
        patience=600,
        leaves="airflow worker --",
    )


def postgres(instance: Instance) -> Process:
    command = [
        sys.executable,
        "-m",
        "clubsync.store.embedded",
        "run",
        "--data",
        str(instance.postgres),
    ]
    return Process("postgres", command, 10, patience=120, group=False)


def watchdog() -> Process:
    """Starts parts of Airflow again that stand still."""
    return Process("watchdog", [sys.executable, "-m", "stack.watchdog"], 50, patience=10)


def tidy() -> Process:
    """Deletes the history of Airflow that is too old."""
    return Process("tidy", [sys.executable, "-m", "stack.tidy"], 50)
