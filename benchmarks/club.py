"""The real pipeline over readings held in memory, with the time of each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from clubsync.config import ClubConfig, Config, Guard
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from clubsync.validate import suites
from connectors import registry
from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.model import Reading

#: Club id -> the reading of its ERP, or a function that makes it.
READINGS: dict[str, Reading | Callable[[], Reading]] = {}


class HeldConnector(Connector[Settings]):
    """An ERP that responds immediately."""

    name: ClassVar[str] = "held"
    title: ClassVar[str] = "Held"
    settings_type: ClassVar[type[Settings]] = Settings

    def read(self, *, full: bool = False) -> Reading:
        held = READINGS[self.club.id]
        return held if isinstance(held, Reading) else held()

    def check(self) -> str:
        return "Held."


@dataclass
class Clock:
    """Seconds of wall and CPU time by name.

    :param used: returns the CPU seconds used so far by all processes that count.
    """

    used: Callable[[], float] = time.process_time
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), self.used()
        try:
            yield
        finally:
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - wall
            self.cpu[name] = self.cpu.get(name, 0.0) + self.used() - cpu


def long_ago() -> datetime:
    return datetime(2000, 1, 1, tzinfo=UTC)


def config(clubs: list[str], erp: str = "held") -> Config:
    """Clubs with a guard that never holds anything, because a hold would not be loaded and measured."""
    guard = Guard(share=1.0, at_least=1_000_000, at_most=10_000_000)
    return Config(
        clubs=tuple(
            ClubConfig(id=club, name=club, erp=erp, connection=erp, guard=guard, settings={})
            for club in clubs
        )
    )


def config_of(ids: list[str]) -> Config:
    """The clubs of the simulated ERP."""
    return Config(
        club.model_copy(update={"connection": club.id, "settings": {"venue_id": club.id}})
        for club in config(ids, "playtomic").clubs
    )


@contextmanager
def pipeline(
    url: str, folder: Path, config: Config, connection: Connection | None = None
) -> Iterator[Pipeline]:
    """A pipeline on this database, with its snapshots in this folder."""
    if any(one.erp == HeldConnector.name for one in config.clubs):
        registry.CONNECTORS[HeldConnector.name] = f"{__name__}:{HeldConnector.__name__}"
    base = Base(url)
    found = connection or Connection(id="held", host="held")
    try:
        yield Pipeline(config, base, Store(str(folder)), resolve=lambda _: found)
    finally:
        base.close()


@contextmanager
def expectations_on(clock: Clock) -> Iterator[None]:
    """Measure the share of Great Expectations in `validate` separately."""
    plain: Callable[..., Any] = suites.findings

    def timed(clubs: Any, together: Any = ()) -> Any:
        with clock.measure("expectations"):
            return plain(clubs, together)

    suites.findings = timed
    try:
        yield
    finally:
        suites.findings = plain


def sync(
    pipeline: Pipeline, clubs: list[str], used: Callable[[], float] = time.process_time
) -> tuple[Clock, list[Step]]:
    """Run and time all four stages in this process; `validate` includes `expectations`.

    :raises RuntimeError: a club failed.
    """
    clock = Clock(used)
    with expectations_on(clock):
        with clock.measure("extract"):
            steps = pipeline.extract(clubs, "benchmark")
        with clock.measure("validate"):
            steps = pipeline.validate(steps, store=False)
        with clock.measure("diff"):
            steps = pipeline.diff(steps, store=False)
        with clock.measure("load"):
            steps = pipeline.load(steps)
    errors = [step["error"] for step in steps if step["error"]]
    if errors:
        raise RuntimeError(f"{len(errors)} clubs failed: {errors[0]}")
    return clock, steps
