"""After a year of runs Airflow's database and logs hold a month of them, and whatever is still open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from clubsync.operate import keeping
from clubsync.store import embedded
from stack import tidy

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
A_YEAR = 365 * 24
"""Runs of one Dag: every hour stands for its sixty minutes."""

TASKS = ("find_due", "extract", "validate", "diff", "load", "collect_failures", "outcome")


# --- what a year leaves -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def airflow(
    postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.URL]:
    """Airflow's database, migrated by Airflow, which this process and those it starts are told of."""
    home = tmp_path_factory.mktemp("airflow")
    postgres.create_database("a_year")
    url = postgres.url("a_year", driver="psycopg2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(home / "none"))
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        patch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(home / "logs"))
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=240)
        yield sa.make_url(url)
    postgres.drop_database("a_year")


@pytest.fixture(scope="module")
def driver(airflow: sa.URL) -> Iterator[psycopg.Connection]:
    with tidy._connected(airflow) as opened:
        yield opened


RUNS = """
insert into dag_run (dag_id, run_id, run_type, state, logical_date, run_after, queued_at, start_date, end_date)
select %(dag)s, %(kind)s || '__' || n, %(kind)s, %(state)s, %(first)s + n * %(every)s, %(first)s + n * %(every)s,
    %(first)s + n * %(every)s, %(first)s + n * %(every)s, %(first)s + n * %(every)s + interval '20 s'
from generate_series(0, %(count)s - 1) as n
"""
OF_RUNS = (
    """
    insert into task_instance (id, dag_id, run_id, task_id, map_index, state, try_number, pool, pool_slots, start_date,
        end_date, dag_version_id)
    select gen_random_uuid(), r.dag_id, r.run_id, t.task, -1, %(task_state)s, 1, 'default_pool', 1, r.start_date,
        r.end_date, (select v.id from dag_version as v where v.dag_id = r.dag_id and v.created_at <= r.start_date
        order by v.created_at desc limit 1)
    from dag_run as r cross join unnest(%(tasks)s::text[]) as t (task)
    where r.dag_id = %(dag)s and r.run_type = %(kind)s
    """,
    """
    insert into xcom (dag_run_id, dag_id, run_id, task_id, key, value, timestamp)
    select r.id, r.dag_id, r.run_id, t.task_id, 'return_value', '{"handed_on": 12345, "clubs": 400, "failed": 0}',
        t.start_date
    from task_instance as t inner join dag_run as r using (dag_id, run_id)
    where r.dag_id = %(dag)s and r.run_type = %(kind)s
    """,
    """
    insert into rendered_task_instance_fields (dag_id, run_id, task_id, map_index, rendered_fields)
    select dag_id, run_id, task_id, map_index, '{"op_args": [], "op_kwargs": {}}' from task_instance
    where dag_id = %(dag)s and run_id like %(kind)s || '%%'
    """,
    """
    insert into task_instance_history (task_instance_id, dag_id, run_id, task_id, map_index, try_number, state, pool,
        pool_slots, start_date)
    select gen_random_uuid(), dag_id, run_id, task_id, map_index, 1, 'failed', 'default_pool', 1, start_date
    from task_instance where dag_id = %(dag)s and task_id = 'outcome' and run_id like %(kind)s || '%%'
    """,
    """
    insert into log (dttm, dag_id, run_id, task_id, event)
    select start_date, dag_id, run_id, task_id, e from task_instance cross join unnest(array['running', 'success']) as e
    where dag_id = %(dag)s and run_id like %(kind)s || '%%'
    """,
    """
    with made as (
        insert into callback (id, type, fetch_method, data, priority_weight, created_at, state)
        select md5(dag_id || run_id)::uuid, 'triggerer', 'import_path', '{}', 1, start_date,
            case when id %% 2 = 0 then 'success' else 'scheduled' end
        from dag_run where dag_id = %(dag)s and run_type = %(kind)s
        returning id
    )
    insert into deadline (id, created_at, last_updated_at, dagrun_id, deadline_time, missed, callback_id)
    select gen_random_uuid(), r.start_date, r.start_date, r.id, r.start_date + interval '15 min', false, made.id
    from made inner join dag_run as r on made.id = md5(r.dag_id || r.run_id)::uuid
    """,
    """
    with made as (
        insert into asset_event (asset_id, extra, source_dag_id, source_run_id, source_task_id, timestamp)
        select (select min(id) from asset), '{}', dag_id, run_id, 'load', start_date
        from dag_run where dag_id = %(dag)s and run_type = %(kind)s
        returning id, source_run_id
    )
    insert into dagrun_asset_event (dag_run_id, event_id)
    select r.id, made.id from made inner join dag_run as r on r.dag_id = %(dag)s and r.run_id = made.source_run_id
    """,
    "insert into job (job_type, state, start_date, latest_heartbeat) select 'SchedulerJob', 'success', start_date,"
    " start_date from dag_run where dag_id = %(dag)s and run_type = %(kind)s and id %% 24 = 0",
)


def _a_dag(driver: psycopg.Connection, dag: str) -> None:
    """A Dag, with a version of each week."""
    driver.execute(
        "insert into dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info,"
        " max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits, last_parsed_time)"
        " values (%s, false, false, 'dags-folder', 'cron', '{}', 16, 0, false, %s)",
        [dag, NOW],
    )
    driver.execute(
        "insert into dag_version (id, version_number, dag_id, bundle_name, created_at, last_updated)"
        " select gen_random_uuid(), n, %s, 'dags-folder', %s::timestamptz + n * interval '7 days', %s"
        " from generate_series(0, 52) as n",
        [dag, NOW - 366 * DAY, NOW],
    )


def _runs(
    driver: psycopg.Connection,
    dag: str,
    count: int,
    first: datetime,
    every: timedelta = HOUR,
    **how: str,
) -> None:
    given = {"dag": dag, "count": count, "first": first, "every": every, "tasks": list(TASKS)}
    given |= {"kind": "scheduled", "state": "success", "task_state": "success", **how}
    for statement in (RUNS, *OF_RUNS):
        driver.execute(statement.encode(), given)


def _ask(driver: psycopg.Connection, dag: str) -> None:
    """The run of a decision that nobody has made: its task waits for an answer."""
    driver.execute(
        "insert into hitl_detail (ti_id, options, subject, params, params_input, created_at)"
        " select id, '[]', 'Padel Lyon: 12 deactivations', '{}', '{}', start_date from task_instance"
        " where dag_id = %s and state = 'awaiting_input' and task_id = 'find_due'",
        [dag],
    )


@pytest.fixture(scope="module")
def a_year(driver: psycopg.Connection) -> dict[str, int]:
    """A year of two Dags, and of some that run seldom; rows by table."""
    for table in ("dag_bundle", "asset"):
        fields = {
            "dag_bundle": "(name)",
            "asset": '(name, uri, "group", extra, created_at, updated_at)',
        }
        values = {"dag_bundle": "('dags-folder')", "asset": "('a', 'a', '', '{}', now(), now())"}
        driver.execute(
            f"insert into {table} {fields[table]} values {values[table]} on conflict do nothing".encode()
        )
    for dag in ("sync_csv", "upkeep", "held_changes", "first_syncs", "sync_one", "sync_planity"):
        _a_dag(driver, dag)
    for dag in ("sync_csv", "upkeep"):
        _runs(driver, dag, A_YEAR, NOW - 365 * DAY)
    # decisions all year; one has been open since January, and one has a task that is deferred
    _runs(driver, "held_changes", 90, NOW - 360 * DAY, 4 * DAY, kind="manual")
    opened = {"state": "running", "task_state": "awaiting_input"}
    _runs(driver, "held_changes", 1, NOW - 300 * DAY - HOUR / 2, HOUR, kind="asked", **opened)
    _ask(driver, "held_changes")
    _runs(driver, "first_syncs", 1, NOW - 350 * DAY, kind="manual")
    _runs(
        driver,
        "first_syncs",
        1,
        NOW - 90 * DAY,
        kind="late",
        state="running",
        task_state="deferred",
    )
    # nobody has synced a club by hand since spring; the last club of an ERP left in summer
    _runs(driver, "sync_one", 40, NOW - 250 * DAY, kind="manual")
    _runs(driver, "sync_planity", 1_000, NOW - 200 * DAY)
    return _rows(driver)


def _rows(driver: psycopg.Connection) -> dict[str, int]:
    found = driver.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    rows = {}
    for (table,) in found:
        rows[table] = _count(driver, f'"{table}"')
    return rows


def _count(driver: psycopg.Connection, what: str, *given: object) -> int:
    row = driver.execute(f"select count(*) from {what}".encode(), given).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.timeout(600)
def test_after_a_year_a_month_is_left_and_what_is_open(
    airflow: sa.URL, driver: psycopg.Connection, a_year: dict[str, int]
) -> None:
    # sizes of a real database, for docs/operating.md
    (size,) = driver.execute(
        "select sum(pg_total_relation_size(c.oid)) from pg_class as c where c.relkind = 'r'"
        " and c.relnamespace = 'public'::regnamespace"
    ).fetchone() or (0,)
    print(
        f"{a_year['dag_run']} runs of {len(TASKS)} tasks: {int(size) / a_year['dag_run']:.0f} bytes each"
    )
    tidy.clean(NOW)
    left, month = _rows(driver), 30 * 24
    # the two Dags of every minute: exactly the last thirty days, with all that belongs to them
    for dag in ("sync_csv", "upkeep"):
        assert _count(driver, "dag_run where dag_id = %s", dag) == month
        assert (
            _count(driver, "dag_run where dag_id = %s and start_date < %s", dag, NOW - 30 * DAY)
            == 0
        )
        for table in ("task_instance", "xcom", "rendered_task_instance_fields"):
            assert _count(driver, f"{table} where dag_id = %s", dag) == month * len(TASKS)
    # open requests, with everything that they need to go on
    for dag, run in (("held_changes", "asked__0"), ("first_syncs", "late__0")):
        mine = "where dag_id = %s and run_id = %s"
        assert _count(driver, f"dag_run {mine} and state = 'running'", dag, run) == 1
        for table in ("task_instance", "xcom", "task_instance_history"):
            expected = 1 if table == "task_instance_history" else len(TASKS)
            assert _count(driver, f"{table} {mine}", dag, run) == expected
    assert left["hitl_detail"] == 1
    # a Dag with an open run is cleaned up to its beginning, and not further: 75 of 90 decisions are younger than it
    assert (
        _count(driver, "dag_run where dag_id = 'held_changes' and start_date < %s", NOW - 301 * DAY)
        == 0
    )
    assert _count(driver, "dag_run where dag_id = 'held_changes'") == 75 + 1
    assert _count(driver, "dag_run where dag_id = 'first_syncs'") == 1
    # the newest run of a Dag that runs no more, whole
    for dag, run in (("sync_one", "manual__39"), ("sync_planity", "scheduled__999")):
        found = driver.execute("select run_id from dag_run where dag_id = %s", [dag]).fetchall()
        assert found == [(run,)]
        assert _count(driver, "task_instance where dag_id = %s", dag) == len(TASKS)
    # and no table has kept its year
    share = 40 / 365
    grown = {t: (n, left[t]) for t, n in a_year.items() if n > 500 and left.get(t, 0) > n * share}
    assert grown == {}
    assert not [table for table in left if table.startswith("_airflow_deleted")]
    assert (
        max(left[t] for t in ("log", "job", "asset_event", "deadline", "callback")) < 2 * month * 15
    )
    assert _count(driver, "log where dttm < %s", NOW - 30 * DAY) == 0
    assert _count(driver, "asset_event where timestamp < %s", NOW - 30 * DAY) == 0
    assert _count(driver, "dag_version where dag_id = 'sync_csv'") <= 7
    # the next day there is a day's work
    tidy.clean(NOW + DAY)
    assert _count(driver, "dag_run where dag_id = 'sync_csv'") == month - 24


@pytest.mark.parametrize("setting", list(keeping.DEFAULTS))
def test_zero_days_means_for_good(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keeping.days(setting) == keeping.DEFAULTS[setting]
    for given, expected in (("0", None), ("7", 7), ("a week", keeping.DEFAULTS[setting])):
        monkeypatch.setenv(setting, given)
        assert keeping.days(setting) == expected


def test_nothing_is_deleted_where_everything_is_kept(
    airflow: sa.URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in keeping.DEFAULTS:
        monkeypatch.setenv(setting, "0")

    def fail(*_: object) -> None:
        raise AssertionError("nothing is to be deleted")

    monkeypatch.setattr(tidy, "_db_clean", fail)
    monkeypatch.setattr(tidy, "sweep_logs", fail)
    tidy.clean(NOW)


def test_what_airflow_could_not_delete_is_said(airflow: sa.URL) -> None:
    with pytest.raises(
        tidy.TidyError, match=r"`airflow db clean` ended with 2: .*--no-such-option"
    ):
        tidy._db_clean(["log"], NOW, "--no-such-option")


# --- logs -----------------------------------------------------------------------------------------


def _log(folder: Path, path: str, age: timedelta) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"event": "…"}))
    at = (NOW - age).timestamp()
    for one in (file, *file.parents):
        if one == folder:
            break
        os.utime(one, (at, at))
    return file


def test_logs_of_old_runs_go_but_for_those_that_are_open_or_young(tmp_path: Path) -> None:
    old = _log(tmp_path, "dag_id=sync_csv/run_id=scheduled__1/task_id=load/attempt=1.log", 20 * DAY)
    young = _log(
        tmp_path, "dag_id=sync_csv/run_id=scheduled__2/task_id=load/attempt=1.log", 2 * DAY
    )
    asked = _log(
        tmp_path, "dag_id=held_changes/run_id=asked/task_id=decide/attempt=1.log", 90 * DAY
    )
    # begun long ago, and cleared yesterday
    again = _log(
        tmp_path, "dag_id=sync_one/run_id=manual__1/task_id=sync_club/attempt=1.log", 30 * DAY
    )
    second = _log(tmp_path, "dag_id=sync_one/run_id=manual__1/task_id=sync_club/attempt=2.log", DAY)
    for folder in second.parents[:2]:
        at = (NOW - 30 * DAY).timestamp()
        os.utime(folder, (at, at))
    gone = _log(
        tmp_path, "dag_id=sync_planity/run_id=scheduled__1/task_id=load/attempt=1.log", 99 * DAY
    )
    parsed = _log(tmp_path, "dag_processor/2026-11-01/dags-folder/dags/sync_csv.py.log", 29 * DAY)
    today = _log(tmp_path, "dag_processor/2026-11-30/dags-folder/dags/sync_csv.py.log", HOUR)
    others = _log(tmp_path, "mine/notes.txt", 400 * DAY)
    (tmp_path / "dag_processor" / "latest").symlink_to(parsed.parents[2])
    elsewhere = _log(tmp_path / "elsewhere", "run_id=x/notes.txt", 400 * DAY)
    (tmp_path / "dag_id=linked").symlink_to(tmp_path / "elsewhere")
    assert tidy.sweep_logs(tmp_path, NOW - 14 * DAY, {("held_changes", "asked")}) == 2
    assert not old.parents[1].exists()
    assert not gone.parents[2].exists(), "an ERP that is gone leaves no empty folder"
    assert not parsed.exists()
    for file in (young, asked, again, second, today, others, elsewhere):
        assert file.exists(), file


def test_logs_that_are_not_there_are_no_error(tmp_path: Path) -> None:
    assert tidy.sweep_logs(tmp_path / "none", NOW, set()) == 0
