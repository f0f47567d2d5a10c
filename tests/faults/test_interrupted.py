"""A run whose process was killed does not stay "running": the next run or upkeep closes it, and says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from clubsync.model import Origin
from clubsync.pipeline import interrupted
from clubsync.store.database import Base
from tests.support.club import Club, install
from tests.support.owner import as_owner

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = (
    "Interrupted: the process of this run ended before the run did. Nothing of it was loaded."
)


@pytest.fixture
def club(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Club:
    install(monkeypatch)
    made = Club(shared_base, tmp_path, monkeypatch)
    made.erp.put("1", "ana@example.com")
    made.sync()
    return made


def started_by_a_killed_process(club: Club) -> int:
    """A run that a real process began, before it was killed by SIGKILL."""
    url = club._base.engine.url.render_as_string(hide_password=False)
    code = f"""
import os, signal, sys
from clubsync import clock
from clubsync.store.database import Base, queries
base, sql = Base({url!r}), queries()
with base.club({club.number}) as driver:
    run = sql.start_run(driver, club={club.number}, trigger="shell", at=clock.now())
    sql.hold_run(driver, club={club.number}, run=run, holder=base.holder)
print(run, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return int(done.stdout)


def state(club: Club, run: int) -> tuple[object, ...]:
    ((*found,),) = club.rows(
        "select state, error from sync.run where club = %s and run = %s", club.number, run
    )
    return tuple(found)


def started(club: Club, origin: Origin | None, trigger: str = "scheduled") -> int:
    """A run that this process began and still runs."""
    pipeline = club.pipeline()
    pipeline.origin = origin
    step = pipeline.start(club.id, trigger)
    assert step["run"] is not None
    return step["run"]


def test_the_next_run_closes_it(club: Club) -> None:
    run = started_by_a_killed_process(club)
    assert state(club, run) == ("running", None)
    club.later()
    club.sync()
    assert state(club, run) == ("failed", SENTENCE)


def test_upkeep_closes_it(club: Club, shared_base: Base) -> None:
    run = started_by_a_killed_process(club)
    interrupted.close_all(shared_base)
    assert state(club, run) == ("failed", SENTENCE)


def test_a_run_that_is_under_way_is_left_alone(club: Club, shared_base: Base) -> None:
    run = started(club, None)
    club.later()
    club.sync()
    interrupted.close_all(shared_base)
    assert state(club, run) == ("running", None)


def test_a_run_of_airflow_is_closed_by_the_next_one_of_its_dag_only(
    club: Club, shared_base: Base
) -> None:
    """Between its tasks nobody holds it."""
    run = started(club, Origin("sync_csv", "one", "extract", 0))
    started(club, Origin("sync_one", "two", "sync", -1))
    interrupted.close_all(shared_base)
    assert state(club, run) == ("running", None)
    started(club, Origin("sync_csv", "one", "retry_club", 0))
    assert state(club, run) == ("failed", SENTENCE)


def test_several_runs_of_a_backfill_may_be_under_way(club: Club) -> None:
    run = started(club, Origin("sync_csv", "one", "extract", 0), "backfill")
    started(club, Origin("sync_csv", "two", "extract", 0), "backfill")
    assert state(club, run) == ("running", None)


def test_no_run_takes_longer_than_a_day(club: Club, shared_base: Base) -> None:
    run = started(club, Origin("sync_csv", "one", "extract", 0), "backfill")
    with as_owner(shared_base) as driver:
        driver.execute(
            "update sync.run set started_at = started_at - %s where run = %s",
            [interrupted.LONGEST + timedelta(hours=1), run],
        )
    interrupted.close_all(shared_base)
    assert state(club, run) == ("failed", SENTENCE)


def test_a_process_that_lost_its_lock_gets_another(club: Club, shared_base: Base) -> None:
    """PostgreSQL was restarted: a run that begins afterwards is not taken for a killed one."""
    before = shared_base.holder
    assert shared_base.holder == before
    with as_owner(shared_base) as driver:
        driver.execute(
            "select pg_terminate_backend(pid, 60000) from pg_locks where classid = 7255 and objid::bigint = %s",
            [before],
        )
    run = started(club, None)
    assert shared_base.holder != before
    interrupted.close_all(shared_base)
    assert state(club, run) == ("running", None)
