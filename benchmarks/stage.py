"""One stage in a process of its own, as Airflow runs it: steps as JSON on standard input and output.

What the stage costs is measured from after the imports, which Airflow's scheduler has done before it forks a
task, to its end: opening the database and reading what the stage before has stored are in it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from benchmarks import club
from benchmarks.erp import SECRET
from clubsync.model import Step
from connectors.sdk.base import Connection
from stack.environment import SHARED

STAGES = ("extract", "validate", "diff", "load")
#: How many threads a task of Airflow has.
_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS")


class Task(TypedDict):
    """What a process is given.

    :param ids: all clubs of the benchmark.
    :param batch: the clubs to extract.
    :param steps: what the stage before made of them.
    """

    url: str
    folder: str
    address: str
    ids: list[str]
    batch: list[str]
    steps: list[Step]


class Done(TypedDict):
    """What a process did, with its seconds."""

    steps: list[Step]
    wall: float
    cpu: float


def run(stage: str, task: Task) -> Done:
    """Run a stage of a batch in a new process.

    :raises RuntimeError: the process failed, or a club in it did.
    """
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.stage", stage],
        env={**os.environ, **{name: SHARED[name] for name in _THREADS}},
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"{stage} failed: {process.stderr[-2000:]}")
    done: Done = json.loads(process.stdout.splitlines()[-1])
    errors = [step["error"] for step in done["steps"] if step["error"]]
    if errors:
        raise RuntimeError(f"{len(errors)} clubs failed in {stage}: {errors[0]}")
    return done


def batches(ids: Sequence[str], size: int) -> Iterable[list[str]]:
    """The clubs in batches."""
    return (list(ids[at : at + size]) for at in range(0, len(ids), size))


def _preload() -> None:
    """Import what a task is forked with (`plugins.airflow_local_settings`)."""
    import great_expectations  # noqa: F401  # imported to be there
    import pandas  # noqa: F401  # imported to be there

    import clubsync.pipeline.engine  # noqa: F401  # imported to be there
    from clubsync.store.database import preload

    preload()


def main() -> int:
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    stage, task = sys.argv[1], json.loads(sys.stdin.read())
    _preload()
    config = club.config_of(task["ids"])
    wall, cpu = time.perf_counter(), time.process_time()
    with club.pipeline(task["url"], Path(task["folder"]), config) as pipeline:
        pipeline.resolve = lambda conn_id: Connection(
            id=conn_id, host=task["address"], login=conn_id, password=SECRET
        )
        if stage == "extract":
            steps = pipeline.extract(task["batch"], "benchmark")
        else:
            steps = getattr(pipeline, stage)(task["steps"])
    done = Done(steps=steps, wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)
    print(json.dumps(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
