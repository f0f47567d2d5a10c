"""Cycles over many small clubs with a simulated ERP: first load, nothing changed, and 0.1 % changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from benchmarks import club
from benchmarks.erp import SECRET
from benchmarks.gates import Book
from benchmarks.server import Server
from clubsync.config import Config
from connectors.sdk.base import Connection

LATENCY = 0.005
SHARE = 0.001
#: Clubs per Airflow task at most; a batch keeps its frames from stage to stage.
BATCH = 200


@contextmanager
def simulated(clubs: int, customers: int) -> Iterator[str]:
    """Run the ERP in a separate process; returns its URL."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.erp",
            f"--clubs={clubs}",
            f"--customers={customers}",
            f"--latency={LATENCY}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)


def measure(book: Book, server: Server, clubs: int, customers: int, cycles: int) -> None:
    """Measure the first load, then interleaved cycles without and with changes, by stage."""
    url = server.fresh("cycle")
    ids = [f"club-{n}" for n in range(clubs)]
    config = _config(ids)
    with (
        simulated(clubs, customers) as address,
        club.pipeline(url, server.folder / "cycle", config) as pipeline,
    ):
        pipeline.resolve = lambda conn_id: Connection(
            id=conn_id, host=address, login=conn_id, password=SECRET
        )
        pipeline.due("playtomic", club.long_ago())
        server.settle("cycle")
        kinds = ["first load", *["quiet", "0.1 % changed"] * cycles]
        for number, kind in enumerate(kinds):
            touched = 0
            if kind == "0.1 % changed":
                body = {"share": SHARE, "seed": number}
                answer = requests.post(f"{address}/_move", json=body, timeout=60)
                touched = answer.json()["clubs"]
            used = server.cpu()
            clock, steps = club.Clock(), 0
            written = 0
            for at in range(0, clubs, BATCH):
                part, done = club.sync(pipeline, ids[at : at + BATCH])
                steps += len(done)
                written += sum(step["rows_written"] for step in done)
                for stage, value in part.wall.items():
                    clock.wall[stage] = clock.wall.get(stage, 0.0) + value
                    clock.cpu[stage] = clock.cpu.get(stage, 0.0) + part.cpu[stage]
            stages = ("extract", "validate", "diff", "load")
            book.note(
                f"cycle of {clubs} clubs x {customers}: {kind}",
                seconds=sum(clock.wall[stage] for stage in stages),
                **{f"{stage} s": value for stage, value in clock.wall.items()},
                **{f"{stage} cpu": value for stage, value in clock.cpu.items()},
                base_cpu=server.cpu() - used,
                cpu_ms_a_club=sum(clock.cpu[stage] for stage in stages) / clubs * 1000,
                clubs_touched=touched,
                rows_written=written,
            )
    server.running.drop_database("cycle")


def _config(ids: list[str]) -> Config:
    plain = club.config(ids, "playtomic")
    return plain.model_copy(
        update={
            "clubs": tuple(
                c.model_copy(update={"connection": c.id, "settings": {"venue_id": c.id}})
                for c in plain.clubs
            )
        }
    )
