"""Kill a part of Airflow that stands still; whoever has started it starts it again.

    python -m stack.watchdog                    of `make up` and `make cluster`, every ten seconds
    python -m stack.watchdog --check scheduler  of a container, once: exit code 1 if it stands still
    python -m stack.watchdog --check scheduler --kill

A process can live and do nothing: a scheduler that waits, while it ends, for a worker that was killed; workers that
wait for a lock that a killed one held, or for a Redis that is another one by now, so that nothing that is queued ever
begins. Airflow's own database shows both: a part that has not said for two minutes that it is alive, and tasks that
have waited for a minute while none began. It needs neither Airflow's scheduler nor Redis.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil
import psycopg
import sqlalchemy as sa

from stack.environment import CELERY, Instance
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
WORKER = "worker"
"""How the names of Celery workers begin."""
#: What stands above the only process of a container.
INITS = {"docker-init", "tini", "dumb-init"}


@dataclass(frozen=True)
class Signs:
    """What Airflow's database shows at a moment.

    :param beats: job -> when it last said that it is alive.
    :param queued: since when the task waits that has waited longest for the executor, also if the scheduler has sent
        it again; None: none waits.
    :param began: when a task last began.
    :param unsent: since when the scheduler has not sent the task that has waited longest for it, while none is sent or
        runs; None: there is none.
    """

    now: datetime
    beats: Mapping[str, datetime]
    queued: datetime | None
    began: datetime | None
    unsent: datetime | None = None


def standing_still(
    signs: Signs, uptimes: Mapping[str, float], *, local: bool, idle: Collection[str] = ()
) -> dict[str, str]:
    """Process -> why it has to be killed.

    :param uptimes: seconds since its start, of each process that runs.
    :param local: tasks are begun by the scheduler's own workers, and not by Celery's.
    :param idle: Celery's workers that run no task; others may have a reason to let tasks wait.
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
    if waits and not begins:
        for name in ("scheduler",) if local else sorted(idle):
            if uptimes.get(name, 0.0) >= QUEUE_PATIENCE.total_seconds():
                why = f"tasks wait since {signs.queued:%H:%M:%S}, and none begins"
                found.setdefault(name, why)
    if _too_many_counted(signs) and uptimes.get("scheduler", 0.0) >= PATIENCE.total_seconds():
        found.setdefault("scheduler", f"it sends no task since {signs.unsent:%H:%M:%S}")
    return found


def _too_many_counted(signs: Signs) -> bool:
    """Whether the scheduler counts as running what has long ended, until it has no slot left.

    On an overloaded machine, workers may begin a task twice: Airflow lets only one of them run, and its executor never
    hears of the other.
    """
    if signs.unsent is None or signs.now - signs.unsent <= PATIENCE:
        return False
    return signs.began is None or signs.now - signs.began > PATIENCE


def look(url: sa.URL, hosts: Collection[str] = ()) -> Signs:
    """:param url: of Airflow's database.
    :param hosts: names of the machine whose parts are meant; default: all."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    patience = os.environ.get("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT")
    resent = float(patience or CELERY["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"])
    with psycopg.connect(address, autocommit=True, connect_timeout=5) as driver:
        beats = driver.execute(
            "select job_type, max(latest_heartbeat) from job where state = 'running'"
            " and (%(any)s or hostname = any(%(hosts)s)) group by job_type",
            {"any": not hosts, "hosts": list(hosts)},
        ).fetchall()
        row = driver.execute(
            "select now(), least(min(queued_dttm), ("
            "select min(l.dttm) - make_interval(secs => %s) from log as l join task_instance as t"
            " using (dag_id, task_id, run_id, map_index, try_number)"
            " where l.event = 'stuck in queued reschedule' and l.dttm > now() - interval '1 hour'"
            " and t.state in ('queued', 'scheduled'))),"
            " (select max(start_date) from task_instance where start_date > now() - interval '1 hour'),"
            " (select min(scheduled_dttm) from task_instance where state = 'scheduled' and not exists"
            " (select from task_instance where state in ('queued', 'running')))"
            " from task_instance where state = 'queued'",
            [resent],
        ).fetchone()
    assert row is not None
    now, queued, began, unsent = row
    return Signs(now, dict(beats), queued, began, unsent)


def is_idle(worker: psutil.Process) -> bool:
    """Whether a Celery worker has had its pool for a while, and runs no task: what runs one is the pool's child."""
    with suppress(psutil.Error):
        pool = worker.children()
        if not pool or any(process.children() for process in pool):
            return False
        youngest = max(process.create_time() for process in pool)
        return time.time() - youngest >= QUEUE_PATIENCE.total_seconds()
    return False


def guard(supervisor: Supervisor, url: sa.URL, *, local: bool) -> None:
    """Look once at the processes of this machine."""
    pids = supervisor.pids()
    idle = [
        name
        for name, pid in pids.items()
        if name.startswith(WORKER) and is_idle(psutil.Process(pid))
    ]
    for name, why in standing_still(
        look(url), supervisor.uptimes(), local=local, idle=idle
    ).items():
        if name in pids:
            print(f"{name} stands still ({why}): it is started again.", flush=True)
            _kill(psutil.Process(pids[name]))
    for name, state in supervisor.states().items():
        if state in ("FATAL", "EXITED"):
            print(f"{name} was given up: it is started again.", flush=True)
            supervisor.start(name)


def check(part: str, *, kill: bool) -> int:
    """Look once at the only process of this container.

    :param part: scheduler, triggerer, dag-processor or worker.
    :returns: exit code: 1 if it stands still.
    """
    url = sa.make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    process = _of_the_container()
    uptimes = {part: time.time() - process.create_time()}
    idle = [part] if part == WORKER and is_idle(process) else []
    try:
        signs = look(url, {socket.gethostname(), socket.getfqdn()})
    except psycopg.Error as error:
        print(
            f"The database does not respond ({type(error).__name__}), which is no reason to end anything."
        )
        return 0
    still = standing_still(signs, uptimes, local=False, idle=idle)
    if part not in still:
        return 0
    print(f"{part} stands still ({still[part]}).")
    if kill:
        _kill(process)
    return 1


def _of_the_container() -> psutil.Process:
    first = psutil.Process(1)
    return first.children()[0] if first.name() in INITS else first


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def main() -> int:
    """Look every ten seconds, until SIGTERM; or once, in a container."""
    parser = argparse.ArgumentParser(prog="python -m stack.watchdog", description=__doc__)
    parser.add_argument(
        "--check", choices=[*JOBS, WORKER], help="the only process of this container, once"
    )
    parser.add_argument("--kill", action="store_true", help="end it if it stands still")
    given = parser.parse_args()
    if given.check:
        return check(given.check, kill=given.kill)
    supervisor = Supervisor(Instance.from_environment())
    url = sa.make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    local = os.environ.get("AIRFLOW__CORE__EXECUTOR") == "LocalExecutor"
    while True:
        time.sleep(INTERVAL)
        # PostgreSQL or supervisord is not there: they are looked after by others
        with suppress(psycopg.Error, psutil.Error, OSError):
            guard(supervisor, url, local=local)


if __name__ == "__main__":
    sys.exit(main())
