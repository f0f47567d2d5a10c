"""R16, R25: a part of Airflow is killed in the middle of its work, and the clubs are synced as before."""

from __future__ import annotations

import psutil
import psycopg
import pytest

from stack.environment import Instance
from stack.supervision import Supervisor
from stack.sweep import left_behind
from tests.e2e.running import OURS, Stack, until, write_ours

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1500)]


def _scheduler(stack: Stack) -> psutil.Process:
    def running() -> psutil.Process | None:
        pid = Supervisor(Instance(stack.var)).pids().get("scheduler")
        return psutil.Process(pid) if pid else None

    return until(running)


def test_a_killed_scheduler_leaves_nothing_that_stops_the_next_one(stack: Stack) -> None:
    """Its idle workers lived on with its connections, and so with the rows of the Dag runs that it had locked."""
    scheduler = _scheduler(stack)
    workers = until(lambda: scheduler.children())
    assert workers
    airflow = stack.database.replace("/clubsync?", "/airflow?")
    with psycopg.connect(airflow, autocommit=True) as driver:
        # the moment between its transactions is short: its last one is held open by a lock that it waits for
        with driver.transaction():
            driver.execute("lock table dag_run in access exclusive mode")
            waiting = (
                "select count(*) from pg_locks where not granted and relation = 'dag_run'::regclass"
            )
            until(lambda: driver.execute(waiting).fetchone() != (0,))
            scheduler.kill()
            scheduler.wait()
        assert _scheduler(stack).pid != scheduler.pid

        def ended() -> bool:
            return not [p for p in workers if p.is_running() and p.status() != "zombie"]

        assert until(ended)
    ours = {p.pid for p in _scheduler(stack).children(recursive=True)}
    assert not [p for p in left_behind(stack.var, "airflow worker") if p.pid not in ours]
    write_ours(stack.var, range(100))
    assert stack.run("sync_csv", {"clubs": [OURS]})["state"] == "success"
