"""Delete the history of Airflow that is older than it is kept: runs, by `airflow db clean`, and logs of tasks.

    python -m stack.tidy           every day, until SIGTERM
    python -m stack.tidy --now     once

Tasks have no access to Airflow's database, so this is a process of its own. A run that has not ended, such as one that
awaits approval, stays whatever its age, and so does the newest run of each Dag; both with all that belongs
to them. `airflow db clean` spares neither, but takes a time and Dags: a Dag that has such a run is cleaned up to the
beginning of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import sqlalchemy as sa

from clubsync.operate import keeping
from stack.processes import BIN

FIRST, INTERVAL, AFTER_FAILURE = 600.0, 86_400.0, 3600.0
"""Seconds: from the start to the first cleaning, to the next one, and after one that failed."""

BATCH = 10_000
"""Rows of one transaction."""

WITH_RUNS = ("dag_run", "dag_version")
"""Tables that are cleaned Dag by Dag, with all that refers to their rows: task instances, XComs, answers, notes."""

OTHERS = (
    *(
        "asset_event",
        "callback",
        "celery_taskmeta",
        "celery_tasksetmeta",
        "connection_test_request",
    ),
    *("import_error", "job", "log", "partitioned_asset_key_log", "revoked_token", "session"),
)
"""Tables that no run depends on. Not `trigger`: the tasks that wait for one are deleted with it, and Airflow deletes
those that no task needs. Not `dag`: there is one for each ERP."""

KEPT = """
with kept as (
    select dag_id, run_id from dag_run
    where state not in ('success', 'failed')
    union
    select dag_id, run_id from task_instance
    where state in (
        'queued', 'scheduled', 'running', 'restarting', 'up_for_retry', 'up_for_reschedule', 'deferred',
        'awaiting_input'
    )
    union
    (
        select distinct on (dag_id) dag_id, run_id from dag_run
        order by dag_id, coalesce(start_date, queued_at) desc nulls last, id desc
    )
)

select r.dag_id, r.run_id, least(
    r.start_date,
    r.queued_at,
    (
        select min(t.start_date) from task_instance as t
        where t.dag_id = r.dag_id and t.run_id = r.run_id
    ),
    (
        select min(h.start_date) from task_instance_history as h
        where h.dag_id = r.dag_id and h.run_id = r.run_id
    )
)
from dag_run as r
inner join kept using (dag_id, run_id)
"""

OLD = "select count(*) from dag_run where dag_id = any(%s) and start_date < %s"


class TidyError(Exception):
    """`airflow db clean` has failed; the message is for people."""


@dataclass(frozen=True)
class Kept:
    """A run that stays.

    :param began: when it began, or the first of its tasks; None: nothing of it has.
    """

    dag: str
    run: str
    began: datetime | None


@dataclass(frozen=True)
class Cleaning:
    """Runs of these Dags that began before then."""

    dags: tuple[str, ...]
    before: datetime
    runs: int


def main() -> None:
    """As the module says."""
    if "--now" in sys.argv[1:]:
        try:
            return clean()
        except TidyError as error:
            sys.exit(str(error))
    pause = FIRST
    while True:
        time.sleep(pause)
        try:
            clean()
            pause = INTERVAL
        except (TidyError, psycopg.Error, OSError) as error:
            said = error if isinstance(error, TidyError) else type(error).__name__
            print(f"Not everything was deleted: {said}. Next try in an hour.", flush=True)
            pause = AFTER_FAILURE


def clean(now: datetime | None = None) -> None:
    """Delete what is older than it is kept, and print how much it was.

    :param now: default: by the clock.
    :raises TidyError: `airflow db clean` has failed.
    """
    at = now or datetime.now(UTC)
    url = sa.make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    with _connected(url) as driver:
        kept = kept_runs(driver)
    logs, folder = keeping.days(keeping.LOGS), os.environ.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER")
    if logs is not None and folder:
        named = {(run.dag, run.run) for run in kept}
        swept = sweep_logs(Path(folder), at - timedelta(days=logs), named)
        print(f"Logs of {swept:,} runs were deleted, older than {logs} days.", flush=True)
    days = keeping.days(keeping.RUNS)
    if days is not None:
        deleted = clean_runs(url, kept, at - timedelta(days=days))
        print(f"{deleted:,} runs of Airflow were deleted, older than {days} days.", flush=True)


# --- Airflow's database -------------------------------------------------------------------------


def kept_runs(driver: psycopg.Connection) -> list[Kept]:
    """The runs that have not ended, and the newest of each Dag."""
    return [Kept(*row) for row in driver.execute(KEPT).fetchall()]


def clean_runs(url: sa.URL, kept: Iterable[Kept], before: datetime) -> int:
    """Delete the runs that began before then, but these, and what belongs to no run; how many runs it were.

    :raises TidyError: `airflow db clean` has failed, or has left runs.
    """
    with _connected(url) as driver:
        cleanings = list(_cleanings(driver, kept, before))
    deleted = 0
    for one in cleanings:
        _db_clean(WITH_RUNS, one.before, "--dag-ids", ",".join(one.dags))
        # with --dag-ids, Airflow 3.3.2 fails on `deadline`, which has no such column and goes with the runs. So it
        # is not asked for a failure's exit code; what it has left is counted
        with _connected(url) as driver:
            left = _old(driver, one.dags, one.before)
        # of each Dag it keeps the newest run that nobody has started by hand
        if left > len(one.dags):
            raise TidyError(f"`airflow db clean` left {left:,} runs of {', '.join(one.dags)}")
        deleted += one.runs - left
    _db_clean(OTHERS, before, "--error-on-cleanup-failure")
    return deleted


def _cleanings(
    driver: psycopg.Connection, kept: Iterable[Kept], before: datetime
) -> Iterator[Cleaning]:
    """What is to be deleted: Dags of the same time together."""
    until: dict[str, datetime] = {}
    for run in kept:
        until[run.dag] = min(until.get(run.dag, before), run.began or before)
    times: dict[datetime, list[str]] = {}
    for dag, time_ in sorted(until.items()):
        times.setdefault(time_, []).append(dag)
    for time_, dags in times.items():
        if runs := _old(driver, dags, time_):
            yield Cleaning(tuple(dags), time_, runs)


def _old(driver: psycopg.Connection, dags: Collection[str], before: datetime) -> int:
    row = driver.execute(OLD, [list(dags), before]).fetchone()
    assert row is not None
    return int(row[0])


def _db_clean(tables: Collection[str], before: datetime, *options: str) -> None:
    """:raises TidyError: it has failed."""
    command = [
        *(str(BIN / "airflow"), "db", "clean", "--yes", "--skip-archive"),
        *("--batch-size", str(BATCH), "--tables", ",".join(tables)),
        *("--clean-before-timestamp", before.isoformat(), *options),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next(iter(reversed(done.stderr.strip().splitlines())), "")
        raise TidyError(f"`airflow db clean` ended with {done.returncode}: {last}")


def _connected(url: sa.URL) -> psycopg.Connection:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, connect_timeout=30)


# --- logs ---------------------------------------------------------------------------------------


def sweep_logs(folder: Path, before: datetime, kept: Collection[tuple[str, str]]) -> int:
    """Delete the logs of runs, and of days of the dag-processor, that nothing was written to since then.

    :param folder: `AIRFLOW__LOGGING__BASE_LOG_FOLDER`.
    :param kept: (Dag, run) of the runs whose logs stay.
    :returns: of how many runs.
    """
    swept, limit = 0, before.timestamp()
    for dag in _folders(folder, "dag_id="):
        for run in _folders(dag, "run_id="):
            named = (dag.name.removeprefix("dag_id="), run.name.removeprefix("run_id="))
            if named not in kept and _unchanged(run, limit):
                shutil.rmtree(run, ignore_errors=True)
                swept += 1
        with suppress(OSError):  # there are others
            dag.rmdir()
    for day in _folders(folder / "dag_processor"):
        if _unchanged(day, limit):
            shutil.rmtree(day, ignore_errors=True)
    return swept


def _folders(folder: Path, prefix: str = "") -> list[Path]:
    """The folders in it, without links."""
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        return [
            Path(one.path)
            for one in found
            if one.name.startswith(prefix) and one.is_dir(follow_symlinks=False)
        ]
    return []


def _unchanged(folder: Path, limit: float) -> bool:
    """Whether nothing in it was written since then. A young folder is not looked through."""
    with suppress(FileNotFoundError):
        if folder.lstat().st_mtime >= limit:
            return False
        for place, _, files in os.walk(folder):
            if any((Path(place) / file).lstat().st_mtime >= limit for file in files):
                return False
    return True


if __name__ == "__main__":
    main()
