"""What a killed scheduler leaves behind is ended before the next one starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from stack import processes
from stack.environment import ROOT, Instance
from stack.supervision import Supervisor
from stack.sweep import left_behind

TITLE = "airflow worker --"
#: Renames itself as Airflow's processes do, says so, and waits; a signal does not end it.
LEFT = """
import signal, sys, time
from setproctitle import setproctitle
signal.signal(signal.SIGTERM, signal.SIG_IGN)
setproctitle(sys.argv[1])
print("ready", flush=True)
time.sleep(600)
"""


def _process(stack: ExitStack, var: Path, title: str) -> psutil.Process:
    made = subprocess.Popen(
        [sys.executable, "-c", LEFT, title],
        env={**os.environ, "CLUBSYNC_STACK": str(var), "SPT_NOENV": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(made.wait)
    stack.callback(made.kill)
    assert made.stdout is not None
    stack.callback(made.stdout.close)
    assert made.stdout.readline() == "ready\n"
    return psutil.Process(made.pid)


@pytest.fixture
def left(tmp_path: Path) -> Iterator[dict[str, psutil.Process]]:
    with ExitStack() as stack:
        yield {
            "worker": _process(stack, tmp_path, f"{TITLE} LocalExecutor: <idle>"),
            "triggerer": _process(stack, tmp_path, "airflow triggerer"),
            "another stack's": _process(
                stack, tmp_path / "other", f"{TITLE} LocalExecutor: <idle>"
            ),
        }


def test_what_is_left_is_ended_before_the_command_begins(
    tmp_path: Path, left: dict[str, psutil.Process]
) -> None:
    assert left_behind(tmp_path, TITLE) == [left["worker"]]
    done = subprocess.run(
        [sys.executable, "-m", "stack.sweep", TITLE, "echo", "the scheduler"],
        cwd=ROOT,
        env={**os.environ, "CLUBSYNC_STACK": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Ending 1 processes that a killed one has left.\nthe scheduler\n"
    running = [
        name
        for name, process in left.items()
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]
    assert running == ["triggerer", "another stack's"]


#: A supervisord that has started a process.
KEEPER = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2]])
"""


def test_the_tasks_of_another_worker_keep_running(
    tmp_path: Path, left: dict[str, psutil.Process]
) -> None:
    """They descend from supervisord, and those of a killed worker do not."""
    supervisor = Supervisor(Instance(tmp_path))
    supervisor.folder.mkdir()
    with ExitStack() as stack:
        keeper = subprocess.Popen(
            [sys.executable, "-c", KEEPER, LEFT, f"{TITLE} a task", str(supervisor.config)],
            env={**os.environ, "CLUBSYNC_STACK": str(tmp_path), "SPT_NOENV": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(keeper.wait)
        stack.callback(keeper.kill)
        assert keeper.stdout is not None
        stack.callback(keeper.stdout.close)
        assert keeper.stdout.readline() == "ready\n"
        (task,) = psutil.Process(keeper.pid).children()
        stack.callback(task.kill)
        supervisor.pid_file.write_text(str(keeper.pid))
        assert left_behind(tmp_path, TITLE) == [left["worker"]]
        supervisor.pid_file.unlink()
        assert set(left_behind(tmp_path, TITLE)) == {left["worker"], task}


@pytest.mark.parametrize(("executor", "leaves"), [("LocalExecutor", TITLE), ("CeleryExecutor", "")])
def test_tasks_of_celery_workers_outlive_the_scheduler(executor: str, leaves: str) -> None:
    (scheduler,) = [p for p in processes.airflow(executor) if p.name == "scheduler"]
    assert scheduler.leaves == leaves
