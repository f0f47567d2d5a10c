"""One club of a million customers: first load, unchanged rerun, 1 % changed, each compared with a raw COPY."""

from __future__ import annotations

import time
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from benchmarks import club, data
from benchmarks.gates import Book
from benchmarks.raw import Executemany, RawCopy
from benchmarks.server import Server
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline

CLUB, BESIDE = "one", "beside"
SHARE = 0.01
#: Great Expectations has its own gate: its time is listed, but not counted here.
_ENGINE = ("validate", "diff", "load")


@dataclass
class _Timing:
    clock: club.Clock
    wall: float
    cpu: float
    step: Step


def measure(book: Book, server: Server, rows: int, rounds: int) -> None:
    """Measure interleaved rounds, each in its own database: COPY, first load, rerun, changes, executemany."""
    before = data.customers(rows)
    after = data.changed(before, SHARE, seed=7)
    copy = RawCopy(before)
    for number in range(rounds):
        name = f"engine_{number}"
        url = server.fresh(name)
        with club.pipeline(url, server.folder / name, club.config([CLUB, BESIDE])) as pipeline:
            _round(book, server, name, pipeline, copy, before, after, last=number == rounds - 1)
        server.running.drop_database(name)


def _round(
    book: Book,
    server: Server,
    name: str,
    pipeline: Pipeline,
    copy: RawCopy,
    before: pl.DataFrame,
    after: pl.DataFrame,
    *,
    last: bool,
) -> None:
    def cpu() -> float:
        return time.process_time() + server.cpu()

    def sync(frame: pl.DataFrame, whose: str = CLUB) -> _Timing:
        """Time one sync; the engine's share is from the stored snapshot to the commit."""
        club.READINGS[whose] = data.reading(frame)
        server.settle(name)
        clock, steps = club.sync(pipeline, [whose], cpu)
        apart = clock.wall.get("expectations", 0.0), clock.cpu.get("expectations", 0.0)
        return _Timing(
            clock,
            sum(clock.wall[stage] for stage in _ENGINE) - apart[0],
            sum(clock.cpu[stage] for stage in _ENGINE) - apart[1],
            steps[0],
        )

    pipeline.due("held", club.long_ago())  # creates the tables, before anything is timed
    wall, used = copy(server.conninfo(name), cpu)
    book.note("raw COPY", seconds=wall, cpu=used)

    first = sync(before)
    book.add("first load with audit : raw COPY", first.wall / wall, first.cpu / used)
    _stages(book, "first load", first)

    again = sync(before)
    # including extract, because row hashes and the comparison are most of a rerun
    whole = again.wall + again.clock.wall["extract"], again.cpu + again.clock.cpu["extract"]
    book.add("rerun of an unchanged club : raw COPY", whole[0] / wall, whole[1] / used)
    book.add("rerun of an unchanged club: rows written", again.step["rows_written"])
    _stages(book, "unchanged rerun", again)

    server.settle(name)
    pipeline.base.engine.dispose()
    start = f"{name}_start"
    url = server.copied(start, name)

    moved = sync(after)
    book.add("diff, load and audit of 1 % changed : raw COPY", moved.wall / wall, moved.cpu / used)
    _stages(book, "1 % changed", moved)

    after_it = sa.make_url(server.running.url(name))
    many = Executemany(after_it, sa.make_url(url), moved.step["run"] or 0)
    server.settle(start)
    by_hand = many()
    server.running.drop_database(start)
    book.add("load of 1 % changes : SQLAlchemy executemany", moved.clock.wall["load"] / by_hand)
    book.note("SQLAlchemy executemany", seconds=by_hand, rows=many.rows)

    if last:
        # a first load without exclusive use of the tables; once, because it takes as long as the rest of a round
        beside = sync(before, BESIDE)
        book.note("first load beside as many", **{"times raw COPY": beside.wall / wall})
        _stages(book, "first load beside as many", beside)


def _stages(book: Book, group: str, timing: _Timing) -> None:
    book.note(
        group,
        **{f"{stage} s": value for stage, value in timing.clock.wall.items()},
        **{f"{stage} cpu": value for stage, value in timing.clock.cpu.items()},
        rows_written=timing.step["rows_written"],
    )
