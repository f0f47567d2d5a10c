"""Long unrest under a real Airflow: clubs that never rest, faults on every side, kills, and the promise watched.

    python -m tests.e2e.unrest --minutes 20

Every club is due each minute. Their ERPs answer the `rest` connector over HTTP in several kinds of paging, and are
edited between the pages and between the readings; one club exports a file, which is written in place while it may be
read. ERPs answer with errors, with half of an answer, with nobody, or not at all. Processes of tasks and of Airflow
are killed, and PostgreSQL with them; connections are cut; the snapshot store is gone for a while; people start syncs
of single clubs beside the schedule. In the end all of that stops, and the base has to become what the ERPs say.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import psutil
import psycopg
import requests
from ruamel.yaml import YAML
from starlette.types import ASGIApp, Receive, Scope, Send

from stack.environment import Instance
from stack.supervision import Supervisor
from tests.e2e.running import ROOT, Stack, started
from tests.support.chronicle import Change, Chronicle
from tests.support.living_erp import EDITS, PAGE, LivingErp
from tests.support.paged_lists import listing
from tests.support.servers import serving

PAGE_OF_RESULTS = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: unrest -->", "<!-- end: unrest -->"
PEOPLE = 40
#: club -> how its ERP pages, and whether memberships are a list of their own.
CLUBS = {
    "by-offset": ("offset", False),
    "by-number": ("page number", True),
    "by-cursor": ("hidden offset", False),
    "by-link": ("Link header", True),
    "by-id": ("ascending id", False),
    "at-once": ("single answer", False),
}
FILE_CLUB = "by-file"
#: How long an export may take to be written, which is how much older than its file's time its people may be.
WRITING = timedelta(seconds=3)
#: What a killed process of Airflow is called by supervisord.
PARTS = ("scheduler", "dag-processor", "triggerer", "api-server")


@dataclass
class Mood:
    """How the server of an ERP is: it fails now and then, and for a while altogether.

    :param outage: what it answers until `until`: `error`, `refused` (the login), `nobody`, `cut` or `late`.
    """

    app: ASGIApp
    dice: Random
    calm: bool = False
    outage: str = ""
    until: float = 0.0
    failed: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = self._kind()
        if not kind:
            await self.app(scope, receive, send)
            return
        self.failed += 1
        if kind == "late":
            await asyncio.sleep(4)
        if kind == "cut":
            length = [(b"content-length", b"5000"), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            half = {"type": "http.response.body", "body": b'{"rows": [{"id": 1, "ma'}
            await send({**half, "more_body": True})
            raise ConnectionResetError
        status, body = {
            "refused": (401, b"{}"),
            "nobody": (200, b'{"rows": [], "total": 0, "next": null, "next_url": null}'),
        }.get(kind, (503, b"busy"))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _kind(self) -> str:
        if self.calm:
            return ""
        if time.monotonic() < self.until:
            return self.outage
        return self.dice.choice(("error", "cut", "late")) if self.dice.random() < 0.02 else ""


@dataclass
class Club:
    """An ERP with its chronicle; `mood` of a server, `folder` of exports."""

    name: str
    erp: LivingErp
    chronicle: Chronicle
    mood: Mood | None = None
    folder: Path | None = None

    def edit(self, dice: Random) -> None:
        with self.erp.lists.lock:
            if len(self.erp.people) < PEOPLE - 8:
                self.erp.come()
            else:
                dice.choice(EDITS)(self.erp)
            self.chronicle.note()

    def export(self, dice: Random, *, at_once: bool = False) -> None:
        """Write the file again, in place and in two parts, or at once."""
        assert self.folder is not None
        with self.erp.lists.lock:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(["id", "email", "first", "last", "status"])
            for p in self.erp.people:
                status = "active" if p.active else "archived"
                writer.writerow([p.id, p.email, f"First{p.id}", f"Last{p.id}", status])
        whole = text.getvalue()
        half = len(whole) if at_once else dice.randrange(len(whole))
        with (self.folder / "customers.csv").open("w") as file:
            file.write(whole[:half])
            file.flush()
            if half < len(whole):
                time.sleep(dice.random() * 2)
                file.write(whole[half:])


@dataclass
class Report:
    """What came of it.

    :param wrong: what loads did against what the ERPs said all the while.
    :param unexplained: access got or lost without a row of the audit.
    :param unsettled: who was not as the ERP has them in the end.
    :param samples: of what may not grow, every ten seconds.
    """

    minutes: float = 0.0
    edits: int = 0
    loads: int = 0
    judged: int = 0
    erp_faults: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0
    unsettled: int = -1
    settled_after: float = 0.0
    internal: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)

    def quarters(self, name: str) -> tuple[float, float]:
        """The medians of the second quarter and the last one; the first is the start."""
        values = [one[name] for one in self.samples if name in one]
        quarter = max(1, len(values) // 4)
        return median(values[quarter : 2 * quarter] or values), median(values[-quarter:])


class Unrest:
    """:param stack: whose clubs these are."""

    def __init__(self, stack: Stack, clubs: Mapping[str, Club], seed: int) -> None:
        self.stack, self.clubs, self.dice = stack, clubs, Random(seed)
        self.report = Report()
        self.supervisor = Supervisor(Instance(stack.var))
        self._stop = threading.Event()
        self._calm = threading.Event()
        self._last_change = 0
        self._inside: dict[tuple[str, int], int | None] = {}

    # --- the whole ------------------------------------------------------------------------------

    def live(self, minutes: float) -> Report:
        begun = time.monotonic()
        threads = [
            threading.Thread(target=self._people, args=(club,)) for club in self.clubs.values()
        ]
        self._watch()  # the first sync: nobody had been let in before
        for thread in threads:
            thread.start()
        for club in self.clubs.values():
            if club.mood:
                club.mood.calm = False
        try:
            self._disturb(begun + minutes * 60)
            self._rest()
            self._settle()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        self.report.minutes = (time.monotonic() - begun) / 60
        self.report.erp_faults = sum(club.mood.failed for club in self.clubs.values() if club.mood)
        self._look_for_leftovers()
        return self.report

    def _disturb(self, until: float) -> None:
        next_fault, next_sample = time.monotonic() + 5, time.monotonic()
        while (now := time.monotonic()) < until:
            self._watch()
            if now >= next_sample:
                self._sample()
                self._say(f"{until - now:.0f} s of unrest left")
                next_sample = now + 10
            if now >= next_fault:
                self._fault()
                next_fault = now + self.dice.uniform(4, 12)
            time.sleep(0.3)

    def _say(self, what: str) -> None:
        report = self.report
        bad = sum(report.wrong.values()) + report.unexplained
        told = f"{report.judged} changes, {sum(report.faults.values())} faults, {bad} wrong"
        print(f"{what}: {report.edits} edits, {told}", file=sys.stderr, flush=True)

    def _rest(self) -> None:
        """From here on nobody edits and nothing fails."""
        self._calm.set()
        for club in self.clubs.values():
            if club.mood:
                club.mood.calm = True
            else:
                with club.erp.lists.lock:
                    club.export(self.dice, at_once=True)

    def _people(self, club: Club) -> None:
        """Those who work in a club's ERP, until the rest."""
        dice = Random(f"{club.name} {self.dice.random()}")
        while not self._stop.is_set() and not self._calm.is_set():
            # mostly little by little, at times a lot at once
            for _ in range(1 if dice.random() < 0.9 else 6):
                club.edit(dice)
                self.report.edits += 1
            if club.folder and not self._calm.is_set():
                club.export(dice)
            self._stop.wait(dice.expovariate(1 / 6))

    # --- faults ---------------------------------------------------------------------------------

    def _fault(self) -> None:
        kinds: dict[str, tuple[int, Callable[[], bool]]] = {
            "task killed": (30, self._kill_a_task),
            "part of Airflow killed": (5, self._kill_a_part),
            "connections cut": (12, self._cut),
            "PostgreSQL killed": (2, self._crash),
            "store gone": (5, self._without_store),
            "ERP out": (20, self._outage),
            "sync by hand": (12, self._sync_now),
        }
        kind = self.dice.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
        with contextlib.suppress(
            psutil.Error, OSError, psycopg.OperationalError, requests.RequestException
        ):
            if kinds[kind][1]():
                self.report.faults[kind] += 1

    def _part(self, name: str) -> psutil.Process | None:
        pid = self.supervisor.pids().get(name)
        return psutil.Process(pid) if pid else None

    def _kill_a_task(self) -> bool:
        """A process that the scheduler has started for a task, or one of that."""
        scheduler = self._part("scheduler")
        if scheduler is None:
            return False
        workers = [
            p for p in scheduler.children(recursive=True) if "multiprocessing" not in _command(p)
        ]
        if not workers:
            return False
        self.dice.choice(workers).kill()
        return True

    def _kill_a_part(self) -> bool:
        process = self._part(self.dice.choice(PARTS))
        if process is None:
            return False
        process.kill()
        return True

    def _cut(self) -> bool:
        cut = self.stack.query(
            "select pg_terminate_backend(pid) from (select pid from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            " order by random() limit %s) chosen",
            self.dice.randint(1, 6),
        )
        return bool(cut)

    def _crash(self) -> bool:
        launcher = self._part("postgres")
        if launcher is None:
            return False
        for process in launcher.children():
            process.kill()
        return True

    def _without_store(self) -> bool:
        store, away = self.stack.var / "snapshots", self.stack.var / "snapshots-away"
        store.rename(away)
        try:
            time.sleep(self.dice.uniform(1, 6))
        finally:
            # what was written meanwhile goes where everything is
            if store.exists():
                for path in sorted(store.rglob("*")):
                    if path.is_file():
                        there = away / path.relative_to(store)
                        there.parent.mkdir(parents=True, exist_ok=True)
                        path.rename(there)
                subprocess.run(["rm", "-r", str(store)], check=True)
            away.rename(store)
        return True

    def _outage(self) -> bool:
        club = self.dice.choice([club for club in self.clubs.values() if club.mood])
        assert club.mood is not None
        club.mood.outage = self.dice.choice(("error", "refused", "nobody", "cut", "late"))
        club.mood.until = time.monotonic() + self.dice.uniform(10, 90)
        return True

    def _sync_now(self) -> bool:
        self.stack.api.trigger("sync_one", {"club": self.dice.choice(list(self.clubs))})
        return True

    # --- watching -------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Judge what has been loaded since the last time."""
        with contextlib.suppress(psycopg.OperationalError), self._reading() as driver:
            # both of one moment: a load between the two would be unexplained
            rows = driver.execute(
                "select club_id, change, erp_id, kind, after::json->>'email', access_lost, customer,"
                " coalesce(s.began_at, s.as_of, r.started_at), ch.at, s.as_of"
                " from sync.change ch join base.club using (club) join sync.run r using (club, run)"
                " left join sync.snapshot s on s.club = r.club and s.snapshot = r.snapshot"
                " where change > %s order by change",
                [self._last_change],
            ).fetchall()
            ((loads,),) = driver.execute(
                "select count(*) from sync.run where stage = 'load' or state in ('done', 'held')"
            ).fetchall()
            people = {
                (club, customer): (int(erp_id) if erp_id else None)
                for club, customer, erp_id in driver.execute(
                    "select club_id, customer, erp_id from base.customer join base.club using (club)"
                    " where in_customers_group"
                )
            }
        if "people" not in locals():
            return
        self.report.loads = loads
        explained = set()
        for club, number, erp_id, kind, email, lost, customer, began, at, as_of in rows:
            self._last_change = max(self._last_change, number)
            explained.add((club, customer))
            if erp_id is None or club not in self.clubs:
                continue
            self.report.judged += 1
            if self.clubs[club].folder:
                began = (as_of or began) - WRITING
            change = Change(int(erp_id), kind, email, bool(lost), began, at)
            with self.clubs[club].erp.lists.lock:
                wrong = self.clubs[club].chronicle.wrong(change)
            if wrong:
                self.report.wrong[wrong] += 1
                was = self.clubs[club].chronicle.between(change.erp_id, began, at)
                self.report.stories.append(f"{club}: {wrong}: {change}; the ERP said {was}")
        for key in {*people} ^ {*self._inside}:
            if key not in explained:
                self.report.unexplained += 1
                self.report.stories.append(f"{key} went in or out without a row of the audit")
        self._inside = people

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.stack.database) as driver:
            driver.execute("set transaction isolation level repeatable read read only")
            yield driver

    def _sample(self) -> None:
        sample: dict[str, float] = {}
        with contextlib.suppress(OSError, psutil.Error, psycopg.Error):
            processes = [p for p in psutil.process_iter() if self._ours(p)]
            sample["processes"] = len(processes)
            for name in PARTS:
                part = self._part(name)
                if part is not None:
                    sample[f"memory of {name}, MB"] = part.memory_info().rss / 1e6
                    sample[f"open files of {name}"] = part.num_fds()
            ((connections,),) = self.stack.query(
                "select count(*) from pg_stat_activity where backend_type = 'client backend'"
            )
            sample["connections"] = connections
        sample["stray files"] = sum(
            1 for p in (self.stack.var / "snapshots").rglob("*.part") if p.is_file()
        )
        self.report.samples.append(sample)

    def _ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get("CLUBSYNC_STACK") == str(self.stack.var)
        return False

    # --- the end --------------------------------------------------------------------------------

    def _settle(self, patience: float = 600.0) -> None:
        """The base has to become what the ERPs say, with what is held approved by a person."""
        begun = time.monotonic()
        while True:
            self._watch()
            wrong = {name: self._unsettled(club) for name, club in self.clubs.items()}
            self.report.unsettled = sum(map(len, wrong.values()))
            self.report.settled_after = time.monotonic() - begun
            if not self.report.unsettled:
                return
            self._say(f"{self.report.unsettled} people not yet as the ERPs say")
            if time.monotonic() - begun > patience:
                self.report.stories.append(f"in the end: {wrong}")
                return
            self._approve()
            self._confirm()
            time.sleep(5)

    def _unsettled(self, club: Club) -> set[int]:
        inside = {
            int(erp_id): email
            for erp_id, email in self.stack.query(
                "select erp_id, email from base.customer join base.club using (club)"
                " where club_id = %s and in_customers_group and erp_id is not null",
                club.name,
            )
        }
        rightful = club.erp.may_enter()
        undecided = {p.id for p in club.erp.people if p.active} - set(rightful)
        emails = {i for i in rightful if inside.get(i) != rightful[i]}
        return emails | (set(inside) - set(rightful) - undecided)

    def _approve(self) -> None:
        for (hold,) in self.stack.query("select hold from sync.hold where state = 'open'"):
            done = self._shell("approve", str(hold), "--by", "Ann", "--json")
            self.report.faults["hold approved"] += done.returncode == 0

    def _confirm(self) -> None:
        """Where most of the people are others, a person has to say that it is the club's own ERP (R21)."""
        doubtful = (
            "select distinct on (club) club_id, runbook from sync.run join base.club using (club)"
            " where state <> 'running' order by club, run desc"
        )
        for club, runbook in self.stack.query(doubtful):
            if runbook == "other-club":
                self._shell("clubs", "confirm-source", club)
                self._shell("clubs", "resume", club)
                self.report.faults["source confirmed"] += 1

    def _shell(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clubsync.cli", *arguments],
            cwd=ROOT,
            env=self.stack.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _look_for_leftovers(self) -> None:
        """What a kill left, after upkeep: nothing."""
        upkeep = self._shell("upkeep", "--json")
        if upkeep.returncode:
            self.report.internal[f"upkeep: {upkeep.stderr.strip()[-300:]}"] += 1
        stored = {
            Path(path).name
            for (path,) in self.stack.query("select path from sync.snapshot where path is not null")
        }
        store = self.stack.var / "snapshots"
        self.report.left["stray files"] = sum(1 for p in store.rglob("*.part") if p.is_file())
        self.report.left["snapshots"] = len(stored)
        ((old,),) = self.stack.query(
            "select count(*) from sync.run where state = 'running' and started_at < now() - interval '3 minutes'"
        )
        self.report.left["runs still under way"] = old
        for error, count in self.stack.query(
            "select error, count(*) from sync.run where error like 'Internal error%%' group by error"
        ):
            self.report.internal[error] += count
        for sentence, count in self.stack.query(
            "select left(error, 100), count(*) from sync.run where error is not null group by 1 order by 2 desc"
        ):
            self.report.stories.append(f"told {count} times: {sentence}")


def _command(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


@contextmanager
def unrest(seed: int) -> Iterator[Unrest]:
    """Clubs with living ERPs, and a stack that syncs them every minute."""
    with ExitStack() as stack:
        clubs, connections = {}, {}
        for name, (_, by_memberships) in CLUBS.items():
            dice = Random(f"{seed} {name}")
            erp = _born(dice, newest_first=name == "by-offset", by_memberships=by_memberships)
            mood = Mood(erp.lists.app(), dice, calm=True)
            club = clubs[name] = Club(name, erp, Chronicle(erp), mood)
            erp.between = _editing(club, dice)
            url = stack.enter_context(serving(mood))
            connections[name] = {"conn_type": "clubsync_rest", "host": url}
        erp = _born(Random(f"{seed} {FILE_CLUB}"))

        def written(var: Path) -> Path:
            folder = var / FILE_CLUB
            folder.mkdir()
            club = clubs[FILE_CLUB] = Club(FILE_CLUB, erp, Chronicle(erp), folder=folder)
            club.export(erp.dice, at_once=True)
            host = {"conn_type": "clubsync_csv", "host": folder.as_uri()}
            variables[f"AIRFLOW_CONN_{_env(FILE_CLUB)}"] = json.dumps(host)
            return _clubs_yaml(var)

        variables = {
            f"AIRFLOW_CONN_{_env(name)}": json.dumps(found) for name, found in connections.items()
        }
        running = stack.enter_context(started(variables, written))
        yield Unrest(running, clubs, seed)


def _born(dice: Random, *, newest_first: bool = False, by_memberships: bool = False) -> LivingErp:
    erp = LivingErp(dice, newest_first=newest_first, by_memberships=by_memberships)
    for n in range(PEOPLE):
        erp.come(active=n % 6 != 5)
    return erp


def _editing(club: Club, dice: Random) -> Callable[[], None]:
    """Whoever edits between two pages."""

    def edit() -> None:
        if club.mood and not club.mood.calm and dice.random() < 0.3:
            club.edit(dice)

    return edit


def _env(name: str) -> str:
    return name.replace("-", "_").upper()


def _clubs_yaml(var: Path) -> Path:
    common = {"every": "1m", "timezone": "UTC", "guard": {"share": "10%", "at_least": 5}}
    clubs: list[dict[str, Any]] = []
    for name, (paging, by_memberships) in CLUBS.items():
        settings: dict[str, Any] = {
            "customers": listing(paging, "/people", PAGE),
            "fields": {"id": "id", "email": "mail", "first_name": "first", "last_name": "last"},
            "status": {"at": "state", "active": ["active"], "former": ["archived"]},
            "http": {"attempts": 2, "backoff": 0.1, "longest_wait": 0.5, "read_timeout": 3},
        }
        if by_memberships:
            passes = listing(paging, "/passes", PAGE)
            settings["groups"] = {"held": {"list": passes, "customer": "who", "id": "plan"}}
        clubs.append(
            {
                "id": name,
                "name": name.replace("-", " ").title(),
                "erp": "rest",
                "connection": name.replace("-", "_"),
                **common,
                "group_required": by_memberships,
                "settings": settings,
            }
        )
    fields = {"id": "id", "email": "email", "first_name": "first", "last_name": "last"}
    clubs.append(
        {
            "id": FILE_CLUB,
            "name": "By File",
            "erp": "csv",
            "connection": _env(FILE_CLUB).lower(),
            **common,
            "settings": {
                "customers": "customers.csv",
                "fields": {**fields, "status": "status"},
                "active_status": ["active"],
                "inactive_status": ["archived"],
            },
        }
    )
    path = var / "clubs.yaml"
    with path.open("w") as file:
        YAML().dump({"clubs": clubs}, file)
    return path


def lines(report: Report) -> Iterator[str]:
    """The table of the page."""
    yield "| | |"
    yield "|---|--:|"
    yield f"| minutes | {report.minutes:.0f} |"
    yield f"| edits in the ERPs | {report.edits:,} |"
    yield f"| answers that the ERPs spoiled | {report.erp_faults:,} |"
    for name, count in sorted(report.faults.items()):
        yield f"| {name} | {count:,} |"
    yield f"| changes of the base, each compared | {report.judged:,} |"
    for name in ("lost", "gained", "foreign email"):
        yield f"| **{name}** | {report.wrong[name]} |"
    yield f"| **access changed without a row of the audit** | {report.unexplained} |"
    yield f"| **not as the ERP says in the end** | {report.unsettled} |"
    yield f"| seconds from the last fault until the base was what the ERPs say | {report.settled_after:.0f} |"
    yield f"| **told as a fault of the program** | {sum(report.internal.values())} |"
    for name in ("stray files", "runs still under way"):
        yield f"| {name} in the end | {report.left[name]} |"
    for name in sorted({name for one in report.samples for name in one}):
        early, late = report.quarters(name)
        yield f"| {name}: second quarter, last quarter | {early:.0f}, {late:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.unrest", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of unrest (default: 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--print", action="store_true", help="print the table, and leave the page")
    options = parser.parse_args()
    with unrest(options.seed) as here:
        report = here.live(options.minutes)
    table = "\n".join(lines(report))
    print(table, *report.stories, *report.internal.items(), sep="\n")
    if not options.print:
        before, _, rest = PAGE_OF_RESULTS.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        text = f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
        PAGE_OF_RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
