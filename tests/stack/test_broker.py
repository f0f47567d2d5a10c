"""`make cluster`: Redis from the packages of the system, and two workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import broker, processes
from stack.environment import Instance
from stack.supervision import StackError


def test_without_redis_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="apt-get install redis-server"):
        broker.processes(Instance(tmp_path, cluster=True))
    assert broker.processes(Instance(tmp_path)) == [], "`make up` needs none"


def test_its_workers_have_names_of_their_own() -> None:
    """Celery knows a worker by its name, and answers for another one of the same."""
    commands = {
        process.name: list(process.command)[-2:]
        for process in processes.airflow("CeleryExecutor", processes.WORKERS)
        if process.name.startswith("worker")
    }
    assert commands == {name: ["--celery-hostname", name] for name in processes.WORKERS}
