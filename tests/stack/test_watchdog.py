"""A part of Airflow that lives and does nothing is started again; one that is slow is not."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from stack import watchdog
from stack.watchdog import JOBS, Signs, look, standing_still

NOW = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
LONG = dict.fromkeys(JOBS, 1000.0)


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _signs(queued: float | None = None, began: float | None = 5, **beats: float) -> Signs:
    """:param beats, queued, began: seconds ago."""
    known = {"scheduler": 3.0, "triggerer": 3.0, "dag_processor": 3.0} | beats
    return Signs(
        NOW,
        {JOBS[name.replace("_", "-")]: _ago(seconds) for name, seconds in known.items()},
        None if queued is None else _ago(queued),
        None if began is None else _ago(began),
    )


@pytest.mark.parametrize(
    ("signs", "uptimes", "killed"),
    [
        (_signs(), LONG, []),
        (_signs(scheduler=90), LONG, []),
        (_signs(scheduler=130), LONG, ["scheduler"]),
        (_signs(scheduler=130), LONG | {"scheduler": 60.0}, []),
        (_signs(triggerer=300, dag_processor=300), LONG, ["dag-processor", "triggerer"]),
        (_signs(queued=300, began=300), LONG, ["scheduler"]),
        (_signs(queued=300, began=None), LONG, ["scheduler"]),
        (_signs(queued=300, began=20), LONG, []),
        (_signs(queued=50, began=300), LONG, []),
        (_signs(queued=70, began=70), LONG, ["scheduler"]),
        (_signs(began=3000), LONG, []),
        (_signs(queued=300, began=300), LONG | {"scheduler": 50.0}, []),
    ],
    ids=[
        "all is well",
        "slow",
        "no heartbeat",
        "just started",
        "others",
        "nothing begins",
        "nothing ever began",
        "a long queue",
        "not yet",
        "a minute",
        "nothing to do",
        "started again already",
    ],
)
def test_what_stands_still(signs: Signs, uptimes: Mapping[str, float], killed: list[str]) -> None:
    assert sorted(standing_still(signs, uptimes, local=True)) == killed


def test_a_celery_worker_that_is_idle_while_tasks_wait_is_started_again() -> None:
    """After Redis was another one; a worker that runs a task is alive, and its machine may be slow."""
    signs, ages = _signs(queued=300, began=300), LONG | {"worker-1": 500.0, "worker-2": 500.0}
    assert standing_still(signs, ages, local=False) == {}
    assert set(standing_still(signs, ages, local=False, idle=["worker-2"])) == {"worker-2"}
    assert standing_still(_signs(queued=300), ages, local=False, idle=["worker-2"]) == {}
    young = ages | {"worker-2": 20.0}
    assert standing_still(signs, young, local=False, idle=["worker-2"]) == {}


WORKER = """
import subprocess, sys
wait = [sys.executable, "-c", "input()"]
inner = "import subprocess; subprocess.run(" + repr(wait) + ")" if sys.argv[1] == "busy" else "input()"
if sys.argv[1] != "starting":
    subprocess.Popen([sys.executable, "-c", inner])
print("ready", flush=True)
input()
"""


@pytest.mark.parametrize("what", ["starting", "young", "busy", "idle"])
def test_only_a_worker_that_could_work_is_idle(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes minutes to start on a slow machine would else never come to its first task."""
    if what != "young":
        monkeypatch.setattr(watchdog, "QUEUE_PATIENCE", timedelta(0))
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as made:
        assert made.stdout is not None
        made.stdout.readline()
        worker = psutil.Process(made.pid)
        while what == "busy" and not worker.children()[0].children():
            time.sleep(0.05)
        assert watchdog.is_idle(worker) == (what == "idle")
        for process in reversed(worker.children(recursive=True)):
            process.kill()
        made.kill()


@pytest.mark.parametrize(
    ("unsent", "began", "killed"),
    [(300, 300, {"scheduler"}), (300, 20, set()), (60, 300, set()), (None, 300, set())],
)
def test_a_scheduler_that_has_no_slot_left_is_started_again(
    unsent: float | None, began: float, killed: set[str]
) -> None:
    signs = replace(_signs(began=began), unsent=None if unsent is None else _ago(unsent))
    assert set(standing_still(signs, LONG, local=False)) == killed
    assert standing_still(signs, LONG | {"scheduler": 60.0}, local=False) == {}


KEY = "dag_id text, task_id text, run_id text, map_index int, try_number int"
TABLES = (
    "create table job (job_type text, state text, latest_heartbeat timestamptz, hostname text)",
    f"create table task_instance ({KEY}, state text, queued_dttm timestamptz, start_date timestamptz,"
    " scheduled_dttm timestamptz)",
    f"create table log ({KEY}, event text, dttm timestamptz)",
)


def test_in_a_container_it_looks_once_and_kills_what_stands_still(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sa.make_url(database).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", address)
    with (
        psycopg.connect(address, autocommit=True) as driver,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
    ):
        for table in TABLES:
            driver.execute(table.encode())
        monkeypatch.setattr(watchdog, "_of_the_container", lambda: psutil.Process(process.pid))
        monkeypatch.setattr(watchdog, "PATIENCE", timedelta(0))
        job = "insert into job values ('SchedulerJob', 'running', %s, %s)"
        driver.execute(job, [_ago(0), "another machine"])
        assert watchdog.check("scheduler", kill=True) == 0
        driver.execute(job, [datetime.now(UTC) - timedelta(hours=1), socket.gethostname()])
        assert watchdog.check("triggerer", kill=True) == 0
        assert watchdog.check("scheduler", kill=False) == 1
        assert process.poll() is None
        assert watchdog.check("scheduler", kill=True) == 1
        assert process.wait(30) == -signal.SIGKILL
        assert "scheduler stands still (no heartbeat since" in capsys.readouterr().out


def test_no_database_is_no_reason_to_end_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:9/airflow"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", nowhere)
    monkeypatch.setattr(watchdog, "_of_the_container", psutil.Process)
    assert watchdog.check("scheduler", kill=True) == 0


def test_the_signs_are_those_of_airflows_tables(database: str) -> None:
    url = sa.make_url(database)
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as driver:
        for table in TABLES:
            driver.execute(table.encode())
        assert look(url).queued is None
        driver.execute("insert into job values ('SchedulerJob', 'running', %s, 'here')", [NOW])
        driver.execute("insert into job values ('SchedulerJob', 'failed', now(), 'here')")
        task = "insert into task_instance values ('sync_csv', %s, 'run', -1, 1, %s, %s, %s)"
        driver.execute(task, ["extract", "queued", NOW, None])
        driver.execute(task, ["find_due", "success", _ago(60), datetime.now(UTC)])
        found = look(url)
        assert found.beats == {"SchedulerJob": NOW}
        assert found.queued == NOW
        assert found.began is not None
        assert look(url, ["here"]).beats == {"SchedulerJob": NOW}
        assert look(url, ["elsewhere"]).beats == {}
        # sent again, it waits for as long as it has waited altogether
        sent = datetime.now(UTC) - timedelta(seconds=20)
        driver.execute("update task_instance set queued_dttm = now() where state = 'queued'")
        row = "insert into log values ('sync_csv', %s, 'run', -1, 1, 'stuck in queued reschedule', %s)"
        driver.execute(row, ["extract", sent])
        driver.execute(row, ["find_due", sent - timedelta(minutes=5)])
    assert look(url).queued == sent - timedelta(seconds=30)
    with psycopg.connect(address, autocommit=True) as driver:
        driver.execute("update task_instance set scheduled_dttm = %s", [NOW])
        driver.execute(task, ["upkeep", "scheduled", None, None])
        driver.execute(
            "update task_instance set scheduled_dttm = %s where task_id = 'upkeep'", [NOW]
        )
        assert look(url).unsent is None, "another one is queued"
        driver.execute("update task_instance set state = 'success' where state = 'queued'")
    assert look(url).unsent == NOW
