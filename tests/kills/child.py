"""What runs in a child process: one action, counted, killed or stopped at a point.

The fork server imports this module, and with it all that the actions need, before it makes any child: a kill costs
little processor time. Nothing here uses Polars or a connection while it is imported, so no thread is lost by a fork.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import alembic.command
import alembic.config
import great_expectations
import psycopg
import sqlalchemy.dialects.postgresql.psycopg

from clubsync.explain import why
from clubsync.store.database import SQL, queries
from clubsync.validate import suites
from tests.kills.actions import ACTIONS, PAIRED
from tests.kills.points import (
    Points,
    clock_at,
    crash_at,
    cut_at,
    fail_at,
    kill_at,
    stop_at,
    unanswered_at,
)
from tests.kills.world import World

__all__ = ["SQL", "alembic", "great_expectations", "psycopg", "sqlalchemy", "suites", "why"]

CLOCK_JUMP = timedelta(hours=2)

queries()


def _nothing(name: str) -> None:
    """The points are only counted."""


def run(
    world: World, action: str, out: Path, *, fault: str = "", point: str = "", postmaster: int = 0
) -> None:
    """Do it; what came of it goes into `out`, where the process lives to write it.

    :param fault: what happens at the point; "": nothing.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["CLUBSYNC_VAR"] = str(world.store.parent / "var")
    url = world.url.replace("+psycopg:", ":", 1)
    acts: dict[str, Callable[[], Callable[[str], None]]] = {
        "": lambda: _nothing,
        "kill": lambda: kill_at(point),
        "stop": lambda: stop_at(point),
        "cut": lambda: cut_at(point, url),
        "unanswered": lambda: unanswered_at(point, url),
        "clock back": lambda: clock_at(point, -CLOCK_JUMP),
        "clock ahead": lambda: clock_at(point, CLOCK_JUMP),
        "crash": lambda: crash_at(point, postmaster),
        "full": lambda: fail_at(point, errno.ENOSPC),
        "read-only": lambda: fail_at(point, errno.EROFS),
    }
    points = Points(world.store, acts[fault]())
    points.install()
    error = None
    try:
        {**ACTIONS, **PAIRED}[action].act(world)
    except Exception:
        error = traceback.format_exc()
    with out.open("w") as file:
        json.dump({"points": points.seen, "error": error}, file)
