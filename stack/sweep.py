"""Start a process of the stack, after what its predecessor has left is ended.

    python -m stack.sweep TITLE COMMAND...

The scheduler forks the processes that run tasks. Killed, it leaves them: idle ones wait for work that never comes, and
each of them holds the scheduler's connection to the database open, and with it the rows that it had locked. The next
scheduler passes over locked rows, so those Dags would never run again. A Celery worker leaves the tasks that it had
begun, which nobody listens to any more; those of another worker keep running.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

from stack import checks
from stack.environment import Instance
from stack.supervision import Supervisor


def left_behind(var: Path, title: str) -> list[psutil.Process]:
    """Processes of this stack whose command lines begin like that, and that no longer descend from supervisord."""
    found = []
    keeper = Supervisor(Instance(var)).pid
    for process in checks.leftovers(var):
        with contextlib.suppress(psutil.Error):
            kept = keeper in {one.pid for one in process.parents()}
            if not kept and " ".join(process.cmdline()).startswith(title):
                found.append(process)
    return found


def main() -> None:
    """Sweep, then become the command."""
    title, *command = sys.argv[1:]
    found = left_behind(Path(os.environ["CLUBSYNC_STACK"]), title)
    if found:
        print(f"Ending {len(found)} processes that a killed one has left.", flush=True)
        checks.end(found, patience=3.0)
    os.execvp(command[0], command)  # noqa: S606 - the command is the supervisor's own


if __name__ == "__main__":
    main()
