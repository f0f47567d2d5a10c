"""Long unrest: two clubs that never rest, faults on every side, and the promise watched after every load.

Each stage runs in a process of its own, as Airflow starts them, with its steps handed on as JSON. The ERPs answer the
`rest` connector over HTTP, page by page, are edited between the pages, and fail now and then. Processes are killed at
any statement or file, connections are cut, PostgreSQL is killed, the store is full or read-only for a while, clocks
jump, and some runs have another one beside them.
"""

from __future__ import annotations

import json
import os
import resource
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, cast

import psutil
import psycopg
from starlette.types import ASGIApp, Receive, Scope, Send

from clubsync.config import ClubConfig, Config, Guard
from clubsync.model import Step
from clubsync.operate import retention
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from tests.kills.lab import Lab
from tests.kills.points import Points, crash_at_nth, cut_at_nth, fail_at_nth, kill_at_nth
from tests.support import living_erp
from tests.support.living_erp import PAGE, LivingErp
from tests.support.paged_lists import listing
from tests.support.servers import serving

PEOPLE = 23
KEEP = timedelta(seconds=45)
#: What people do there; it has no memberships.
EDITS = tuple(edit for edit in living_erp.EDITS if edit is not LivingErp.end_and_begin)
#: How often a process meets each fault; else none.
FAULTS = {"kill": 0.16, "cut": 0.05, "full": 0.03, "read-only": 0.03, "crash": 0.01}


@dataclass(frozen=True)
class Site:
    """What a process has to know: where everything is.

    :param urls: club id -> the address of its ERP, and its kind of paging.
    """

    database: str
    store: str
    var: str
    urls: dict[str, tuple[str, str]]

    @property
    def config(self) -> Config:
        return Config(clubs=tuple(_club(name, paging) for name, (_, paging) in self.urls.items()))


def _club(name: str, paging: str) -> ClubConfig:
    return ClubConfig(
        id=name,
        name=name,
        erp="rest",
        connection=name,
        timezone="UTC",
        guard=Guard(share=0, at_least=4, at_most=4),
        settings={
            "customers": listing(paging, "/people", PAGE),
            "fields": {"id": "id", "email": "mail", "first_name": "first", "last_name": "last"},
            "status": {"at": "state", "active": ["active"], "former": ["archived"]},
            "http": {"attempts": 1, "backoff": 0.01, "longest_wait": 0.1, "read_timeout": 10},
        },
    )


def work(site: Site, what: str, given: Any, out: Path, fault: str, nth: int, main: int) -> None:
    """One task, in a process of its own; what it hands on goes into `out`.

    :param fault: what happens at the nth statement or file.
    :param main: the process id of PostgreSQL.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["CLUBSYNC_VAR"] = site.var
    raw = site.database.replace("+psycopg:", ":", 1)
    acts: dict[str, Callable[[], Callable[[str], None]]] = {
        "kill": lambda: kill_at_nth(nth),
        "cut": lambda: cut_at_nth(nth, raw),
        "crash": lambda: crash_at_nth(nth, main),
        "full": lambda: fail_at_nth(nth, "full"),
        "read-only": lambda: fail_at_nth(nth, "read-only"),
    }
    if fault:
        Points(Path(site.store), acts[fault]()).install()
    told: dict[str, Any] = {"steps": None, "error": None}
    base = Base(site.database)
    try:
        store = Store(site.store, base=base)
        engine = Pipeline(site.config, base, store, lambda c: Connection(c, site.urls[c][0]))
        told["steps"] = _done(engine, what, given)
    except Exception:
        told["error"] = traceback.format_exc()
    finally:
        base.close()
    told["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told["open"] = psutil.Process().num_fds()
    part = out.with_suffix(".part")
    part.write_text(json.dumps(told, default=str))
    part.replace(out)


def _done(engine: Pipeline, what: str, given: Any) -> Any:
    match what:
        case "extract":
            return engine.extract(given, "scheduled")
        case "validate" | "diff" | "load":
            return getattr(engine, what)([cast("Step", step) for step in given])
        case "sync":
            return engine.sync(given, "retry")
        case "approve":
            return [engine.approve(given, "Ann")]
        case "replay":
            return engine.replay(given)
        case "retention":
            retention.upkeep(engine.base, engine.store, engine.config, KEEP)
            return []
        case _:
            raise ValueError(what)


class Moody:
    """An ERP's server that fails now and then: an error, an answer that is cut, one that never comes."""

    def __init__(self, app: ASGIApp, dice: Random) -> None:
        self.app, self.dice, self.calm, self.failed = app, dice, False, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.calm or self.dice.random() > 0.03:
            await self.app(scope, receive, send)
            return
        self.failed += 1
        if self.dice.random() < 0.5:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"busy"})
            return
        length = [(b"content-length", b"5000"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send(
            {"type": "http.response.body", "body": b'{"rows": [{"id": 1, "ma', "more_body": True}
        )
        raise ConnectionResetError


@dataclass
class Report:
    """What came of it.

    :param lost, gained: access lost and got wrongly, watched after every load.
    :param unsettled: who was not as the ERP has them in the end.
    :param internal: errors that say that clubsync itself is to blame.
    """

    minutes: float = 0.0
    edits: int = 0
    cycles: int = 0
    processes: int = 0
    loads: int = 0
    watched: int = 0
    approved: int = 0
    erp_faults: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    gained: int = 0
    unsettled: int = 0
    internal: Counter[str] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    samples: list[dict[str, int]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def growth(self, name: str) -> float:
        """The last quarter of the samples by the second one; the first quarter is the start."""
        values = [s[name] for s in self.samples]
        quarter = max(1, len(values) // 4)
        return median(values[-quarter:]) / max(1, median(values[quarter : 2 * quarter] or values))

    @property
    def memory_growth(self) -> float:
        quarter = max(1, len(self.memory) // 4)
        return median(self.memory[-quarter:]) / max(1, median(self.memory[:quarter]))


class Unrest:
    """:param lab: with a PostgreSQL that may be killed."""

    def __init__(self, lab: Lab, folder: Path, seed: int) -> None:
        self.lab, self.folder, self.dice = lab, folder, Random(seed)
        self.report = Report()
        self.erps: dict[str, LivingErp] = {}
        self.moods: list[Moody] = []
        self.site: Site
        self.shift = timedelta(0)
        self._number = 0

    # --- running --------------------------------------------------------------------------------

    def live(self, minutes: float) -> Report:
        with self._begun():
            begun = time.monotonic()
            while time.monotonic() - begun < minutes * 60:
                self._cycle()
                self.report.cycles += 1
                if self.report.cycles % 5 == 0:
                    self._sample()
            self._settle()
            self.report.minutes = (time.monotonic() - begun) / 60
        return self.report

    @contextmanager
    def _begun(self) -> Iterator[None]:
        name = f"unrest_{uuid.uuid4().hex[:8]}"
        self.lab.server.create_database(name)
        store = self.folder / "store"
        store.mkdir(parents=True)
        with ExitStack() as stack:
            urls = {}
            for club, paging in (("club-offset", "offset"), ("club-keyset", "ascending id")):
                dice = Random(self.dice.random())
                erp = LivingErp(dice, newest_first=paging == "offset")
                for n in range(PEOPLE):
                    erp.come(active=n % 6 != 5)
                mood = Moody(erp.lists.app(), dice)
                self.erps[club] = erp
                self.moods.append(mood)
                urls[club] = stack.enter_context(serving(mood)), paging
            var = str(self.folder / "var")
            self.site = Site(self.lab.server.url(name), str(store), var, urls)
            for erp in self.erps.values():
                erp.begin()
            self._calm(True)
            self._task("sync", list(self.erps), fault="")
            self._watch()
            self._calm(False)
            yield

    def _calm(self, calm: bool) -> None:
        for mood in self.moods:
            mood.calm = calm
        for erp in self.erps.values():
            erp.between = (lambda: None) if calm else self._disturbing(erp)

    def _disturbing(self, erp: LivingErp) -> Callable[[], None]:
        def disturb() -> None:
            if erp.dice.random() < 0.25 and len(erp.people) > 12:
                erp.dice.choice(EDITS)(erp)
                erp.promise.edited()
                self.report.edits += 1
            elif len(erp.people) <= 12:
                erp.come()

        return disturb

    def _cycle(self) -> None:
        """One run of both clubs as Airflow has it: four tasks, and each club that failed once more."""
        self.shift = timedelta(seconds=self.dice.choice([0, 0, 0, 0, 0, -20, 20]))
        for erp in self.erps.values():
            erp.begin()
        beside = self._start("sync", list(self.erps)) if self.dice.random() < 0.1 else None
        steps: Any = list(self.erps)
        for stage in ("extract", "validate", "diff", "load"):
            steps = self._task(stage, steps)
            if steps is None:
                break
        if beside is not None:
            self._end(beside, "sync")
        self._watch()
        failed = [s["club"] for s in steps or [] if s["error"]] if steps else list(self.erps)
        for club in failed:
            self.erps[club].begin()
            self._task("sync", [club])
            self._watch()
        self._people_and_upkeep()

    def _people_and_upkeep(self) -> None:
        what = self.dice.random()
        if what < 0.25:
            self._approve()
        elif what < 0.35:
            self._task("replay", self.dice.choice(list(self.erps)))
        elif what < 0.5:
            self._task("retention", None)
        else:
            return
        self._watch()

    def _approve(self, fault: str | None = None) -> None:
        with psycopg.connect(self._raw, autocommit=True) as driver:
            holds = driver.execute("select hold from sync.hold where state = 'open'").fetchall()
        for (hold,) in holds:
            self.report.approved += 1
            self._task("approve", hold, fault=fault)

    # --- tasks ----------------------------------------------------------------------------------

    @property
    def _raw(self) -> str:
        return self.site.database.replace("+psycopg:", ":", 1)

    def _start(
        self, what: str, given: Any, fault: str | None = None
    ) -> tuple[BaseProcess, Path, str]:
        if fault is None:
            dice = self.dice.random()
            fault = ""
            for name, share in FAULTS.items():
                if dice < share:
                    fault = name
                    break
                dice -= share
        self._number += 1
        out = self.folder / f"{self._number}.json"
        nth = self.dice.randrange(1, 260 if what in ("sync", "approve", "replay") else 110)
        process = self.lab._context.Process(
            target=_clocked,
            args=(self.shift, self.site, what, given, out, fault, nth, self.lab.postmaster),
        )
        process.start()
        self.report.processes += 1
        return process, out, fault

    def _task(self, what: str, given: Any, *, fault: str | None = None) -> Any:
        return self._end(self._start(what, given, fault), what)

    def _end(self, started: tuple[BaseProcess, Path, str], what: str) -> Any:
        process, out, fault = started
        process.join()
        process.close()
        if fault == "crash":
            self.lab.restart()
        if not out.exists():
            self.report.faults[fault] += 1
            return None
        told = json.loads(out.read_text())
        out.unlink()
        if fault in ("cut", "full", "read-only", "crash"):
            self.report.faults[fault] += 1
        self.report.memory.append(told["rss"])
        for step in told["steps"] or []:
            if what in ("load", "sync") and not step["error"]:
                self.report.loads += 1
            if "Internal error" in (step["error"] or ""):
                self.report.internal[step["error"]] += 1
        if told["error"] and "ActionRejected" not in told["error"]:
            self.report.internal[told["error"].strip().splitlines()[-1][:200]] += 1
        return told["steps"]

    # --- watching -------------------------------------------------------------------------------

    def _base(self, club: str) -> dict[int, tuple[bool, str | None]]:
        with psycopg.connect(self._raw, autocommit=True) as driver:
            rows = driver.execute(
                "select erp_id, in_customers_group, email from base.customer"
                " join base.club using (club) where club_id = %s and erp_id is not null",
                [club],
            )
            return {int(erp_id): (inside, email) for erp_id, inside, email in rows}

    def _watch(self) -> None:
        self.report.watched += 1
        for club, erp in self.erps.items():
            base = self._base(club)
            lost = erp.promise.broken(base)
            gained = erp.never_active({i for i, (there, _) in base.items() if there})
            self.report.lost += len(lost)
            self.report.gained += len(gained)
            if lost or gained:
                self.report.stories.append(
                    f"cycle {self.report.cycles}, {club}: lost {sorted(lost)}, gained {sorted(gained)}"
                )

    def _sample(self) -> None:
        """What may not grow, while nothing is under way."""
        me = psutil.Process()
        with psycopg.connect(self._raw, autocommit=True) as driver:
            row = driver.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            ).fetchone()
        assert row is not None
        server = psutil.Process(self.lab.postmaster)
        self.report.samples.append(
            {
                "connections": row[0],
                "backends": len(server.children()),
                "files": sum(1 for p in Path(self.site.store).rglob("*") if p.is_file()),
                "processes": len(me.children(recursive=True)),
                "open": me.num_fds(),
            }
        )

    def _settle(self) -> None:
        """Nobody edits, nothing fails: the base has to become what the ERP says."""
        self._calm(True)
        for _ in range(4):
            self.shift += timedelta(seconds=40)
            for erp in self.erps.values():
                erp.begin()
            for club in self.erps:
                self._task("sync", [club], fault="")
                self._watch()
            self._approve(fault="")
        self._task("retention", None, fault="")
        self.report.erp_faults = sum(mood.failed for mood in self.moods)
        for club, erp in self.erps.items():
            rightful = set(erp.may_enter())
            decided = {p.id for p in erp.people if not p.active} | rightful
            inside = {i for i, (there, _) in self._base(club).items() if there}
            wrong = {i for i in decided if (i in inside) != (i in rightful)}
            self.report.unsettled += len(wrong)
            if wrong:
                self.report.stories.append(f"{club} in the end: {sorted(wrong)}")


def _clocked(shift: timedelta, *arguments: Any) -> None:
    """The task under a clock that is off by so much, and goes on."""
    from clubsync import clock

    if shift:
        original = clock.now
        os.environ.pop("CLUBSYNC_NOW", None)
        clock.now = lambda: original() + shift
    os.environ.pop("CLUBSYNC_NOW", None)
    work(*arguments)
