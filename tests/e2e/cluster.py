"""Kill each part of a running stack, and measure how long its clubs then wait for their next reading (R25).

    python -m tests.e2e.cluster            Celery: `make cluster`
    python -m tests.e2e.cluster --local    the local executor: `make up`
    python -m tests.e2e.cluster --clubs 1000 --every 5m    clubs of the simulated Playtomic

Every club is due each minute, and exports a file. As soon as a part is killed, in every club one person comes and one
leaves: what has been read before cannot show them. So when the base has them, every club was read again. Simulated
clubs are left as they are, and have a reading that began later.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import redis
from ruamel.yaml import YAML

from benchmarks.registry import CUSTOMERS, serving
from stack.environment import Instance, redis_password
from stack.supervision import Supervisor
from tests.e2e.running import Stack, started, until

PEOPLE = 200
CLUBS = ("north", "east", "south")
WAITING = (
    "select count(*) from task_instance where state = 'queued'"
    " and queued_dttm < now() - interval '{} seconds'"
)
"""How many tasks have waited for longer than so many seconds, in Airflow's database."""


EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Club:
    """A club that exports a file.

    :param inside: numbers of its people; below `first` they have left, in this order.
    """

    name: str
    folder: Path
    first: int = 0
    behind: int = PEOPLE

    @property
    def inside(self) -> set[str]:
        return {f"p{n}@{self.name}.example.org" for n in range(self.first, self.behind)}

    def move_on(self) -> None:
        """One leaves and one comes."""
        self.first, self.behind = self.first + 1, self.behind + 1
        self.export()

    def export(self) -> None:
        self.folder.mkdir(exist_ok=True)
        draft = self.folder / ".part"
        rows = (f"{n},p{n}@{self.name}.example.org\n" for n in range(self.first, self.behind))
        draft.write_text("id,email\n" + "".join(rows))
        draft.replace(self.folder / "customers.csv")


@dataclass
class Cluster:
    """A running stack, and how it is hurt.

    :param simulated: how many clubs of the simulated Playtomic it has besides.
    :param waited: what was killed -> seconds until the last club was read again and its base was right.
    """

    stack: Stack
    clubs: list[Club]
    local: bool = False
    simulated: int = 0
    since: datetime = EVER
    waited: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.instance = Instance(
            self.stack.var, redis_port=int(self.stack.environment["CLUBSYNC_REDIS_PORT"])
        )
        self.supervisor = Supervisor(self.instance)

    # --- what is hurt ---------------------------------------------------------------------------

    def kinds(self) -> dict[str, Callable[[], None]]:
        """What can be killed -> how."""
        parts = ("scheduler", "dag-processor", "triggerer", "api-server")
        kinds = {part: self._killing(part) for part in parts} | {"PostgreSQL": self.postgresql}
        if self.local:
            return {"a process of the scheduler, with its task": self.task_begun} | kinds
        return {
            "a worker, with tasks taken": self.worker_with_taken,
            "a worker, with tasks begun": self.worker_with_begun,
            "both workers": self.both_workers,
            **kinds,
            "Redis": self._killing("redis"),
            "Redis emptied": self.empty_redis,
        }

    def part(self, name: str) -> psutil.Process:
        def running() -> psutil.Process | None:
            pid = self.supervisor.pids().get(name)
            return psutil.Process(pid) if pid else None

        return until(running)

    def _killing(self, part: str) -> Callable[[], None]:
        return lambda: self.part(part).kill()

    def worker_with_taken(self) -> None:
        """Its pool is halted, so that it takes tasks and begins none."""
        worker = self.part("worker-1")
        for process in worker.children():
            process.suspend()
        until(self._taken)
        worker.kill()

    def worker_with_begun(self) -> None:
        self._working("worker-1", "worker-2").kill()

    def both_workers(self) -> None:
        self._working("worker-1", "worker-2")
        for name in ("worker-1", "worker-2"):
            self.part(name).kill()

    def task_begun(self) -> None:
        """The process of the local executor that runs a task, and not the task itself."""
        scheduler = self.part("scheduler")

        def busy() -> psutil.Process | None:
            with suppress(psutil.Error):
                for child in scheduler.children():
                    if child.children():
                        return child
            return None

        until(busy, pause=0.02).kill()

    def postgresql(self) -> None:
        for process in self.part("postgres").children():
            process.kill()

    def empty_redis(self) -> None:
        """While a worker has tasks, and others may wait."""
        self._working("worker-1", "worker-2")
        with self.redis() as client:
            client.flushall()

    def redis(self) -> redis.Redis:
        return redis.Redis(port=self.instance.redis_port, password=redis_password(self.instance))

    def _working(self, *names: str) -> psutil.Process:
        """One of these workers, while it runs a task."""

        def busy() -> psutil.Process | None:
            running = self.supervisor.pids()
            for name in names:
                with suppress(psutil.Error, KeyError):
                    worker = psutil.Process(running[name])
                    if any(process.children() for process in worker.children()):
                        return worker
            return None

        return until(busy, pause=0.02)

    def _taken(self) -> bool:
        """Whether a task has left Redis, and waits in a worker."""
        with self.redis() as client:
            waiting = int(client.llen("default"))
        query = WAITING.format(3)
        return not waiting and self.airflow(query) > 0

    # --- what came of it ------------------------------------------------------------------------

    def airflow(self, query: str) -> int:
        """A number, of Airflow's database."""
        address = self.stack.database.replace("/clubsync?", "/airflow?")
        with psycopg.connect(address, autocommit=True) as driver:
            row = driver.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def hurt(self, *names: str) -> float:
        """Kill these, and wait until every club was read again; seconds."""
        kinds = self.kinds()
        until(self.calm, patience=1800)
        for name in names:
            kinds[name]()
        since, self.since = time.monotonic(), datetime.now(UTC)
        for club in self.clubs:
            club.move_on()
        until(self.right, patience=1200)
        self.waited[" and ".join(names)] = time.monotonic() - since
        return time.monotonic() - since

    def right(self) -> bool:
        """Whether the base has of every club whom its file has."""
        with suppress(psycopg.OperationalError):
            rows = self.stack.query(
                "select club_id, email from base.customer join base.club using (club) where in_customers_group"
            )
            found: dict[str, set[str]] = {}
            for club, email in rows if self.clubs else ():
                found.setdefault(club, set()).add(email)
            right = all(found.get(club.name) == club.inside for club in self.clubs)
            return right and self.read() >= self.simulated + len(self.clubs)
        return False

    def read(self) -> int:
        """How many clubs have a reading that began since the last kill, and was loaded."""
        query = "select count(distinct club) from sync.run where state = 'done' and started_at > %s"
        ((count,),) = self.stack.query(query, self.since)
        return int(count)

    def calm(self) -> bool:
        """Whether everything runs, and no task has waited for long."""
        query = WAITING.format(5)
        with suppress(psycopg.OperationalError, OSError):
            running = set(self.supervisor.states().values()) == {"RUNNING"}
            return running and self.right() and self.airflow(query) == 0
        return False

    def unexplained(self) -> list[str]:
        """What the audit has too often or not at all (R17, R18); empty: every change stands in it once."""
        found = []
        for club in self.clubs:
            counted = {
                kind: (rows, people)
                for kind, rows, people in self.stack.query(
                    "select kind, count(*), count(distinct customer) from sync.change join base.club using (club)"
                    " where club_id = %s group by kind",
                    club.name,
                )
            }
            wanted = {"addition": (club.behind, club.behind)}
            if club.first:
                wanted["deactivation"] = (club.first, club.first)
            if counted != wanted:
                found.append(f"{club.name}: {counted}, and not {wanted}")
        return found

    def lines(self) -> Iterator[str]:
        """The table of docs/operating.md."""
        yield "| killed | seconds until every club was read again |"
        yield "|---|--:|"
        for what, seconds in self.waited.items():
            yield f"| {what} | {seconds:.0f} |"


@contextmanager
def simulated_clubs(number: int, every: str) -> Iterator[Cluster]:
    """A cluster with clubs of the simulated Playtomic."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(number, CUSTOMERS, every, Path(folder)) as variables,
    ):
        given = Path(variables.pop("CLUBSYNC_CONFIG"))
        with started(variables, lambda var: given, action="cluster") as stack:
            yield Cluster(stack, [], simulated=number)


@contextmanager
def cluster(*, local: bool = False) -> Iterator[Cluster]:
    """A stack with clubs that are due each minute."""
    clubs: list[Club] = []
    variables: dict[str, str] = {}

    def written(var: Path) -> Path:
        entries = []
        for name in CLUBS:
            club = Club(name, var / name)
            club.export()
            clubs.append(club)
            connection = {"conn_type": "clubsync_csv", "host": club.folder.as_uri()}
            variables[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
            entries.append(
                {
                    "id": name,
                    "name": name.title(),
                    "erp": "csv",
                    "connection": name,
                    "every": "1m",
                    "timezone": "UTC",
                    "settings": {
                        "customers": "customers.csv",
                        "fields": {"id": "id", "email": "email"},
                    },
                }
            )
        path = var / "clubs.yaml"
        with path.open("w") as file:
            YAML().dump({"clubs": entries}, file)
        return path

    with started(variables, written, action="up" if local else "cluster") as stack:
        yield Cluster(stack, clubs, local=local)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.cluster", description=__doc__)
    parser.add_argument("--local", action="store_true", help="the local executor")
    parser.add_argument("--only", action="append", help="what to kill (default: everything)")
    parser.add_argument("--clubs", type=int, help="of the simulated Playtomic")
    parser.add_argument("--every", default="5m", help="their cadence (default: 5m)")
    options = parser.parse_args()
    number = options.clubs
    with simulated_clubs(number, options.every) if number else cluster(local=options.local) as here:
        for kind in options.only or here.kinds():
            begun = datetime.now(UTC)
            print(f"{begun:%H:%M:%S} {kind}: {here.hurt(kind):.0f} s", flush=True)
        until(here.calm)
        print(*here.lines(), *here.unexplained(), sep="\n")


if __name__ == "__main__":
    main()
