"""Cycles over many small clubs with a simulated ERP: first load, nothing changed, and 0.1 % changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from benchmarks import club, stage
from benchmarks.erp import SECRET
from benchmarks.gates import Book
from benchmarks.server import Server
from benchmarks.serving import serving
from clubsync.model import Step
from connectors.sdk.base import Connection

LATENCY = 0.005
SHARE = 0.001
#: Clubs per Airflow task at most; a batch keeps its frames from stage to stage.
BATCH = 200

#: Syncs a batch of clubs.
Way = Callable[[list[str]], tuple[club.Clock, list[Step]]]


@contextmanager
def simulated(clubs: int, customers: int) -> Iterator[str]:
    """Run the ERP; its address."""
    options = f"--clubs={clubs}", f"--customers={customers}", f"--latency={LATENCY}"
    with serving("benchmarks.erp", *options) as address:
        yield address


def measure(book: Book, server: Server, clubs: int, customers: int, cycles: int) -> None:
    """Measure the first load, then interleaved cycles without and with changes, by stage.

    Each cycle runs in one process, as in the shell, and in a process per stage, as under Airflow.
    """
    url = server.fresh("cycle")
    ids = [f"club-{n}" for n in range(clubs)]
    folder = server.folder / "cycle"
    with (
        simulated(clubs, customers) as address,
        club.pipeline(url, folder, club.config_of(ids)) as pipeline,
    ):
        pipeline.resolve = lambda conn_id: Connection(
            id=conn_id, host=address, login=conn_id, password=SECRET
        )
        pipeline.due("playtomic", club.long_ago())
        server.settle("cycle")

        def move(seed: int) -> int:
            body = {"share": SHARE, "seed": seed}
            answer = requests.post(f"{address}/_move", json=body, timeout=60)
            return int(answer.json()["clubs"])

        def in_one_process(batch: list[str]) -> tuple[club.Clock, list[Step]]:
            return club.sync(pipeline, batch)

        def in_a_process_per_stage(batch: list[str]) -> tuple[club.Clock, list[Step]]:
            clock, steps = club.Clock(), list[Step]()
            for name in stage.STAGES:
                done = stage.run(
                    name,
                    stage.Task(
                        url=url,
                        folder=str(folder),
                        address=address,
                        ids=ids,
                        batch=batch,
                        steps=steps,
                    ),
                )
                steps = done["steps"]
                clock.wall[name], clock.cpu[name] = done["wall"], done["cpu"]
            return clock, steps

        def cycle(kind: str, way: Way, changed: int) -> club.Clock:
            used, clock, written = server.cpu(), club.Clock(), 0
            for batch in stage.batches(ids, BATCH):
                part, done = way(batch)
                written += sum(step["rows_written"] for step in done)
                for name, value in part.wall.items():
                    clock.wall[name] = clock.wall.get(name, 0.0) + value
                    clock.cpu[name] = clock.cpu.get(name, 0.0) + part.cpu[name]
            book.note(
                f"cycle of {clubs} clubs x {customers}: {kind}",
                seconds=sum(clock.wall[name] for name in stage.STAGES),
                **{f"{name} s": value for name, value in clock.wall.items()},
                **{f"{name} cpu": value for name, value in clock.cpu.items()},
                base_cpu=server.cpu() - used,
                cpu_ms_a_club=sum(clock.cpu[name] for name in stage.STAGES) / clubs * 1000,
                clubs_touched=changed,
                rows_written=written,
            )
            return clock

        cycle("first load", in_one_process, 0)
        for number in range(cycles):
            cycle("quiet", in_one_process, 0)
            quiet = cycle("quiet, a process per stage", in_a_process_per_stage, 0)
            one = cycle("0.1 % changed", in_one_process, move(2 * number))
            touched = move(2 * number + 1)
            many = cycle("0.1 % changed, a process per stage", in_a_process_per_stage, touched)
            reading = quiet.cpu["extract"] / clubs
            book.add("quiet club, all stages : reading it, CPU", _cpu(quiet) / clubs / reading)
            if touched:
                beyond = (_cpu(many) - _cpu(quiet)) / touched
                book.add(
                    "touched club beyond a quiet one : reading a quiet club, CPU", beyond / reading
                )
            book.add(
                "load in a process of its own : in one process with the other stages, CPU",
                many.cpu["load"] / one.cpu["load"],
            )
    server.running.drop_database("cycle")


def _cpu(clock: club.Clock) -> float:
    """CPU seconds of all stages, without the database's."""
    return sum(clock.cpu[name] for name in stage.STAGES)
