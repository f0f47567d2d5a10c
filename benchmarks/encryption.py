"""What encrypting the snapshot store costs: writing and reading the customers of a snapshot, with a key and without.

    python -m benchmarks.encryption [--customers N]

In this process, on the disk of the temporary folder; the CPU time of the best of five. Stores no result.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import data
from clubsync.store import snapshots
from clubsync.store.encryption import VARIABLE, new_key
from clubsync.store.snapshots import Store

ROUNDS = 5
NAME = "customers.parquet"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    rows = parser.parse_args().customers
    frame, _ = snapshots.prepare(data.reading(data.customers(rows)))
    print(f"{rows:,} customers, best of {ROUNDS}")
    for title, key in (("plain", ""), ("encrypted", new_key())):
        os.environ[VARIABLE] = key
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            written = _best(partial(store.write, "club/x", NAME, frame))
            read = _best(partial(store.read, "club/x", NAME))
            size = (Path(folder) / "club/x" / NAME).stat().st_size
        print(f"{title:>10}: written in {written:.2f} s, read in {read:.2f} s, {size / 1e6:.1f} MB")
    return 0


def _best(work: Callable[[], object]) -> float:
    """Seconds of CPU time of the fastest round: it is not the disk that encryption is a cost to."""
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    sys.exit(main())
