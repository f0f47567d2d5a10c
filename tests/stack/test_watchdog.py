"""A part of Airflow that lives and does nothing is started again; one that is slow is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

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


def test_celery_workers_may_have_reasons_to_wait() -> None:
    assert standing_still(_signs(queued=300, began=300), LONG, local=False) == {}


def test_the_signs_are_those_of_airflows_tables(database: str) -> None:
    url = sa.make_url(database)
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as driver:
        driver.execute("create table job (job_type text, state text, latest_heartbeat timestamptz)")
        driver.execute(
            "create table task_instance (state text, queued_dttm timestamptz, start_date timestamptz)"
        )
        assert look(url).queued is None
        driver.execute("insert into job values ('SchedulerJob', 'running', %s)", [NOW])
        driver.execute("insert into job values ('SchedulerJob', 'failed', now())")
        driver.execute("insert into task_instance values ('queued', %s, null)", [NOW])
        driver.execute("insert into task_instance values ('success', %s, now())", [_ago(60)])
    found = look(url)
    assert found.beats == {"SchedulerJob": NOW}
    assert found.queued == NOW
    assert found.began is not None
