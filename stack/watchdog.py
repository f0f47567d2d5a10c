"""Kill a part of Airflow that stands still; supervisord starts it again.

    python -m stack.watchdog

A process can live and do nothing: a scheduler that waits, while it ends, for a worker that was killed; workers that
wait for a lock that a killed one held, so that nothing that is queued ever begins. Airflow's own database shows both:
a part that has not said for two minutes that it is alive, and tasks that have waited for a minute while none began.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil
import psycopg
import sqlalchemy as sa

from stack.environment import Instance
from stack.supervision import Supervisor

#: How long a part may be silent, and how long it has from its start. Loaded machines are slow.
PATIENCE = timedelta(seconds=120)
#: How long tasks may wait while none begins: the scheduler queues no more of them than it has idle workers.
QUEUE_PATIENCE = timedelta(seconds=60)
INTERVAL = 10.0
#: process -> the job by which Airflow knows it.
JOBS: Mapping[str, str] = {
    "scheduler": "SchedulerJob",
    "triggerer": "TriggererJob",
    "dag-processor": "DagProcessorJob",
}


@dataclass(frozen=True)
class Signs:
    """What Airflow's database shows at a moment.

    :param beats: job -> when it last said that it is alive.
    :param queued: since when the task waits that has waited longest for the executor; None: none waits.
    :param began: when a task last began.
    """

    now: datetime
    beats: Mapping[str, datetime]
    queued: datetime | None
    began: datetime | None


def standing_still(signs: Signs, uptimes: Mapping[str, float], *, local: bool) -> dict[str, str]:
    """Process -> why it has to be killed.

    :param uptimes: seconds since its start, of each process that runs.
    :param local: tasks are begun by the scheduler's own workers; those of others may have a reason to wait.
    """
    found = {}
    for name, job in JOBS.items():
        beat = signs.beats.get(job)
        if uptimes.get(name, 0.0) < PATIENCE.total_seconds():
            continue
        if beat is not None and signs.now - beat > PATIENCE:
            found[name] = f"no heartbeat since {beat:%H:%M:%S}"
    waits = signs.queued is not None and signs.now - signs.queued > QUEUE_PATIENCE
    begins = signs.began is not None and signs.now - signs.began <= QUEUE_PATIENCE
    had_time = uptimes.get("scheduler", 0.0) >= QUEUE_PATIENCE.total_seconds()
    if local and waits and not begins and had_time:
        found.setdefault("scheduler", f"tasks wait since {signs.queued:%H:%M:%S}, and none begins")
    return found


def look(url: sa.URL) -> Signs:
    """:param url: of Airflow's database."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, connect_timeout=5) as driver:
        beats = driver.execute(
            "select job_type, max(latest_heartbeat) from job where state = 'running' group by job_type"
        ).fetchall()
        row = driver.execute(
            "select now(), min(queued_dttm),"
            " (select max(start_date) from task_instance where start_date > now() - interval '1 hour')"
            " from task_instance where state = 'queued'"
        ).fetchone()
    assert row is not None
    now, queued, began = row
    return Signs(now, dict(beats), queued, began)


def main() -> None:
    """Look every ten seconds, until SIGTERM."""
    supervisor = Supervisor(Instance.from_environment())
    url = sa.make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    local = os.environ.get("AIRFLOW__CORE__EXECUTOR") == "LocalExecutor"
    while True:
        time.sleep(INTERVAL)
        # PostgreSQL or supervisord is not there: they are looked after by others
        with suppress(psycopg.Error, OSError):
            still = standing_still(look(url), supervisor.uptimes(), local=local)
            pids = supervisor.pids()
            for name, why in still.items():
                if name in pids:
                    print(f"{name} stands still ({why}): it is started again.", flush=True)
                    with suppress(psutil.NoSuchProcess):
                        psutil.Process(pids[name]).kill()


if __name__ == "__main__":
    main()
