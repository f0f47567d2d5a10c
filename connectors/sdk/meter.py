"""Where the time of a thread's work goes: seconds spent on others, told by whoever waits for them.

A `Meter` belongs to the thread that works on one club. Without one, `part` only runs its block. Of parts within
each other the outer one counts, so that no second is counted twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Waiting for the ERP, or for the files that it exports: connecting, sending, receiving.
ERP = "erp"
#: Waiting for PostgreSQL.
DATABASE = "database"
#: Reading and writing the snapshot store.
STORE = "store"


@dataclass(slots=True)
class Meter:
    """What was spent so far.

    :param seconds: by part.
    :param requests: sent to the ERP, or files read of it.
    :param received: bytes of the ERP, decompressed.
    :param inside: a part is being measured.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    received: int = 0
    inside: bool = False


_of_thread = threading.local()


def current() -> Meter | None:
    """The meter of this thread."""
    found: Meter | None = getattr(_of_thread, "meter", None)
    return found


@contextmanager
def metering(meter: Meter) -> Iterator[Meter]:
    """What this thread spends is told to this meter, until the end of the block."""
    before = current()
    _of_thread.meter = meter
    try:
        yield meter
    finally:
        _of_thread.meter = before


@contextmanager
def part(name: str) -> Iterator[None]:
    """The time of a block is spent on that part. It may also decorate a function."""
    meter = current()
    if meter is None or meter.inside:
        yield
        return
    meter.inside, began = True, time.perf_counter()
    try:
        yield
    finally:
        meter.inside = False
        meter.seconds[name] = meter.seconds.get(name, 0.0) + time.perf_counter() - began


def received(size: int) -> None:
    """A request was answered, or a file was read.

    :param size: bytes.
    """
    meter = current()
    if meter is not None:
        meter.requests += 1
        meter.received += size
