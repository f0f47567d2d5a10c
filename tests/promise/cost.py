"""What certainty costs: how long a departure takes, and how many requests, by the engine's own schedule.

The whole engine reads an ERP over HTTP with the real `rest` connector and loads into a real PostgreSQL. Time is the
test's: every minute it asks the engine what Airflow would. At the club's cadence it asks which clubs are due
(`extract.schedule.due`, as a Dag `sync_<erp>` does), and every minute which nudges have no run yet
(`operate.nudges.stranded`, as the Dag `upkeep` does). Airflow itself does not run. A reading takes no time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from clubsync.config import ClubConfig, Config, Guard
from clubsync.extract.schedule import NUDGE_PATIENCE, due
from clubsync.operate import nudges
from clubsync.pipeline.engine import Pipeline
from clubsync.store import embedded
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from tests.support.living_erp import PAGE, LivingErp
from tests.support.paged_lists import listing
from tests.support.servers import Recorder, serving

MINUTE = timedelta(minutes=1)
BEGAN = datetime(2026, 3, 2, 10, tzinfo=UTC)
PEOPLE = 40
#: Kinds of paging that differ in what they prove.
KINDS = ("page number", "offset by id, pages overlap", "ascending id", "single answer")
CADENCES = (1, 5)


@dataclass
class Cost:
    """Of some departures.

    :param minutes: until each had no access.
    :param readings: how many readings were made out of turn, and `requests` for them.
    :param usual: requests of one reading.
    """

    minutes: list[float]
    readings: int = 0
    requests: int = 0
    usual: int = 0

    def told(self) -> str:
        """A cell of the table: mean and longest time, requests for each departure."""
        mean, longest = sum(self.minutes) / len(self.minutes), max(self.minutes)
        return (
            f"{mean:.1f} | {longest:.1f} | {self.requests / len(self.minutes):.0f} of {self.usual}"
        )


class Clock:
    """The engine's clock."""

    def __init__(self) -> None:
        self.now = BEGAN

    def tick(self) -> None:
        self.now += MINUTE
        os.environ["CLUBSYNC_NOW"] = self.now.isoformat()


@contextmanager
def club(base: Base, folder: Path, paging: str, every: int) -> Iterator[tuple[Any, ...]]:
    """A club of that cadence, read in that way: its ERP, the requests it gets, and what syncs it."""
    erp = LivingErp(Random(1))
    for _ in range(PEOPLE):
        erp.come()
    recorder = Recorder(erp.lists.app())
    with serving(recorder) as url:
        config = ClubConfig(
            id=f"{KINDS.index(paging)}-every-{every}",
            name=paging,
            erp="rest",
            connection="gym",
            every=timedelta(minutes=every),
            guard=Guard(at_least=1000, at_most=1000),
            settings={
                "customers": listing(paging, "/people", PAGE),
                "fields": {"id": "id", "email": "mail", "first_name": "first", "last_name": "last"},
                "status": {"at": "state", "active": ["active"], "former": ["archived"]},
            },
        )
        pipeline = Pipeline(
            Config(clubs=(config,)),
            base,
            Store(str(folder)),
            resolve=lambda _: Connection("gym", url),
        )
        yield erp, recorder, config, pipeline


def cost(base: Base, folder: Path, paging: str, every: int, departures: int) -> Cost:
    """Let people leave at random moments, one after the other."""
    dice, clock, told = Random(f"{paging} {every}"), Clock(), Cost([])
    with club(base, folder, paging, every) as (erp, recorder, config, pipeline):

        def sync() -> None:
            (step,) = pipeline.sync([config.id], "schedule")
            assert step["error"] is None, step["error"]

        def tick() -> bool:
            """One minute: what is due is read; whether it was a reading out of turn."""
            clock.tick()
            scheduled = clock.now.minute % every == 0
            clubs = [config.id] if nudges.stranded(base, NUDGE_PATIENCE) else []
            if scheduled and due(base, [config], clock.now):
                sync()
            elif clubs:
                sync()
                return True
            return False

        def inside() -> int:
            with base.reader() as driver:
                (row,) = driver.execute(
                    "select count(*) from base.customer join base.club using (club)"
                    " where club_id = %s and in_customers_group",
                    [config.id],
                ).fetchall()
            return int(row[0])

        while clock.now.minute % every or not recorder.times:
            tick()
        told.usual = len(recorder.times)
        there = inside()
        assert there == PEOPLE
        for _ in range(departures):
            left = clock.now + timedelta(minutes=dice.random() * every)
            gone = dice.choice(erp.people)
            while inside() == there:
                if gone in erp.people and left < clock.now + MINUTE:
                    erp.leave(gone)
                asked = len(recorder.times)
                out_of_turn = tick()
                told.readings += out_of_turn
                told.requests += (len(recorder.times) - asked) * out_of_turn
            there -= 1
            told.minutes.append((clock.now - left).total_seconds() / 60)
    return told


def rows(departures: int) -> Iterator[str]:
    """The lines of the table."""
    yield "| paging | cadence | minutes on average | at most | requests more |"
    yield "|---|--:|--:|--:|--:|"
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    server = embedded.ensure_running(folder, settings={"fsync": "off", "shared_buffers": "64MB"})
    kept = os.environ.get("CLUBSYNC_NOW")
    try:
        server.create_database("cost")
        base = Base(server.url("cost"))
        for paging in KINDS:
            for every in CADENCES:
                with tempfile.TemporaryDirectory() as snapshots:
                    told = cost(base, Path(snapshots), paging, every, departures)
                yield f"| {paging} | {every} | {told.told()} |"
        base.close()
    finally:
        os.environ.pop("CLUBSYNC_NOW", None)
        if kept is not None:
            os.environ["CLUBSYNC_NOW"] = kept
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
