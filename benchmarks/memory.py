"""Peak memory of the sync of one club, measured in a separate process.

The process first imports every library and syncs a club of a hundred customers, so that code, thread pools and the
database driver are loaded; its memory at that point is the floor. The peak is the kernel's high-water mark of
resident memory during the sync, minus the floor. The reading itself (from a Parquet file, inside the sync) counts,
as the response of an ERP would.

`python -m benchmarks.memory URL FOLDER CLUB PARQUET` prints bytes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl

from benchmarks import club, data
from benchmarks.gates import Book
from benchmarks.server import Server

_STATUS = Path("/proc/self/status")


def measure(book: Book, server: Server, rows: int) -> None:
    """Measure a first load, and 1 % changed after it, once each: memory hardly varies between rounds."""
    name = "memory"
    url = server.fresh(name)
    before = data.customers(rows)
    files = {"first load": server.folder / "before.parquet", "1 % changed": server.folder / "after"}
    before.write_parquet(files["first load"])
    data.changed(before, 0.01, seed=7).write_parquet(files["1 % changed"])
    del before
    for what, path in files.items():
        answer = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.memory",
                url,
                str(server.folder / name),
                "one",
                str(path),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        peak, floor = (int(word) for word in answer.stdout.split()[-2:])
        gate = f"peak memory of {'a ' if what == 'first load' else ''}{what}"
        book.add(f"{gate}, GB per 1,000,000 rows", (peak - floor) / 1e9 * (1e6 / rows))
        book.note(f"memory, {what}", peak_gb=peak / 1e9, floor_gb=floor / 1e9)
    server.running.drop_database(name)


def _status(field: str) -> int:
    line = next(x for x in _STATUS.read_text().splitlines() if x.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def main(url: str, folder: str, club_id: str, parquet: str) -> None:
    """Sync the club once and print the peak and the floor in bytes."""
    import great_expectations  # noqa: F401  # its memory belongs to the floor

    config = club.config(["floor", club_id])
    with club.pipeline(url, Path(folder), config) as pipeline:
        club.READINGS["floor"] = data.reading(data.customers(100, seed=3))
        club.sync(pipeline, ["floor"])
        club.READINGS[club_id] = lambda: data.reading(pl.read_parquet(parquet))
        floor = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        club.sync(pipeline, [club_id])
        sys.stdout.write(f"{_status('VmHWM')} {floor}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
