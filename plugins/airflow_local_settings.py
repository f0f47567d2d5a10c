"""Run once at the start of every Airflow process, which finds it by its name.

The scheduler (LocalExecutor) and the Celery worker's parent process fork a process per task. Tasks need not import
what their parent has imported: a validate task then takes 0.4 s instead of 2.6, and a third of the memory. Other
processes never need these libraries, and do not import them.

Polars starts threads, which a fork does not copy: it may be imported here, but not used.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings

__all__: list[str] = []  # nothing here overrides a setting of Airflow's

FORKS_TASKS = (["scheduler"], ["celery", "worker"])


def _preload() -> None:
    command = sys.argv[1:3]
    if not any(command[: len(parent)] == parent for parent in FORKS_TASKS):
        return
    for name in ("great_expectations", "pandas", "polars", "clubsync.pipeline.engine"):
        try:
            importlib.import_module(name)
        except ImportError as error:  # the log of the task that needs it has the details
            print(f"{name} is not preloaded: {error}", file=sys.stderr)
            return
    from clubsync.store.database import preload

    preload()


# Airflow's own use of a library, which the log of every task would begin with
warnings.filterwarnings("ignore", "GitWildMatchPattern", DeprecationWarning)
# logs, snapshots and whatever else the process and its tasks write: personal data (R19)
os.umask(0o077)
_preload()
