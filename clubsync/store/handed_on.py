"""What the tasks of a run of Airflow hand on: club ids or steps, as many as there are clubs, in the club base.

Airflow keeps what a task returns in its own database, and copies it into each task that takes it; thousands of steps
do not belong there. A task returns the number of what it has handed on. It is JSON, compressed, without any person's
data (R19), and stays for three days: so long can a task be cleared and run again by itself.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from clubsync import clock
from clubsync.errors import HandedOnGone
from clubsync.store.database import Base, queries

KEPT = timedelta(days=3)


def put(base: Base, content: Sequence[Any]) -> int:
    """Store what is handed on.

    :param content: JSON values: club ids, or steps.
    :returns: its number.
    """
    with base.transaction() as driver:
        return queries().hand_on(driver, content=pack(content), at=clock.now())


def take(base: Base, number: int) -> list[Any]:
    """What was handed on. It stays: a task that is cleared takes it again.

    :raises HandedOnGone: it was deleted.
    """
    with base.transaction() as driver:
        content = queries().handed_on(driver, number=number)
    if content is None:
        raise HandedOnGone(
            f"What the task before this one handed on was deleted after {KEPT.days} days.",
            remedy="Clear the whole run, from its first task, or leave it: a later run has synced the clubs since.",
        )
    return unpack(content)


def delete_old(base: Base, now: datetime) -> int:
    """Delete what no task takes any more; how many."""
    with base.transaction() as driver:
        return queries().delete_old_handed_on(driver, before=now - KEPT)


def pack(content: Sequence[Any]) -> bytes:
    """As it is stored."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode())


def unpack(content: bytes) -> list[Any]:
    """What was stored."""
    return list(json.loads(zlib.decompress(content)))
