"""Whether clubs are being read, for monitors outside of Airflow: it does not need Airflow's scheduler, nor a login.

An alert comes from a task of Airflow. Where no task is begun any more, none comes; so a monitor asks here.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.store.database import queries
from plugins.web import context
from plugins.web.errors import problems
from plugins.web.registry import registry

KEPT = 5.0
"""Seconds for which one look at the base serves everybody: nobody is logged in here."""

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Counts and times; no club is named."""

    status: Literal["reading", "late"]
    oldest_due_seconds: float | None = Field(
        description="how long the club that waits longest has been due; null: none is due, or none was read yet"
    )
    overdue: int = Field(description="clubs that have been due for longer than the limit")
    failing: int = Field(
        description="clubs whose last sync failed; they are read, and alerts name them"
    )
    unread: int = Field(description="clubs of clubs.yaml that were never read")
    clubs: int = Field(description="clubs of clubs.yaml that are not paused")


@router.get("/health", responses=problems(422, 503))
def health(
    response: Response,
    limit: Annotated[
        int, Query(ge=60, le=86_400, description="seconds that a club may have been due for")
    ] = 300,
) -> Health:
    """How long the oldest due reading has been due. 503 if longer than the limit, or if the base is unreachable.

    A club that fails is read as well, and does not make this late: a key that was refused is the club's matter, and
    not that of whoever watches the machines.
    """
    waiting, failing, unread = _look()
    now = clock.now()
    ages = [max((now - due).total_seconds(), 0.0) for due in waiting if due is not None]
    late = [age for age in ages if age > limit]
    if late:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return Health(
        status="late" if late else "reading",
        oldest_due_seconds=max((age for age in ages if age > 0), default=None),
        overdue=len(late),
        failing=failing,
        unread=unread,
        clubs=len(waiting) + unread,
    )


_lock = threading.Lock()
_seen: tuple[float, tuple[list[datetime | None], int, int]] | None = None


def _look() -> tuple[list[datetime | None], int, int]:
    """When each club is due next, how many fail, and how many were never read."""
    global _seen  # one look for all requests of the process
    with _lock:
        if _seen is None or time.monotonic() - _seen[0] > KEPT:
            known = registry().clubs
            with context.base().reader() as driver:
                rows = [row for row in queries().due_times(driver) if row["club_id"] in known]
            due = [row["next_read_at"] for row in rows if not row["paused"]]
            failing = sum(row["failing"] and not row["paused"] for row in rows)
            _seen = (time.monotonic(), (due, failing, len(known) - len(rows)))
        return _seen[1]
