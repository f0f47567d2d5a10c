"""R15: replay the guard over the stored plans with another limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from clubsync.config import Guard
from clubsync.store.database import Driver, queries
from clubsync.store.snapshots import Store

DAY = timedelta(hours=24)


def replay(driver: Driver, store: Store, club_no: int, guard: Guard) -> list[dict[str, Any]]:
    """Evaluate each stored plan with deactivations against another limit.

    A customer counts once, in the first plan that deactivates them.

    :returns: one row per plan, oldest first: run, at, deactivations, last_24_hours (earlier deactivations that
        count for the limit), customers (in the Customers group before), limit, held, was_held.
    """
    seen: set[int] = set()
    passed: list[tuple[datetime, int]] = []
    rows = []
    for plan in queries().plans(driver, club=club_no):
        if not plan["counts"].get("deactivation") and not plan["held"]:
            continue
        due = _due(store, plan["path"]) - seen
        if not due:
            continue
        seen |= due
        recent = sum(n for at, n in passed if at > plan["made_at"] - DAY)
        limit = guard.limit(plan["customers"])
        held = len(due) + recent > limit
        if not held:
            passed.append((plan["made_at"], len(due)))
        rows.append(
            {
                "run": plan["run"],
                "at": plan["made_at"],
                "deactivations": len(due),
                "last_24_hours": recent,
                "customers": plan["customers"],
                "limit": limit,
                "held": held,
                "was_held": plan["held"] > 0,
            }
        )
    return rows


def _due(store: Store, path: str) -> set[int]:
    """Customers that a stored plan deactivates or holds."""
    changes = store.read(path, "changes.parquet")
    gone = changes.filter(pl.col("kind") == "deactivation")["customer"]
    return set(gone.to_list()) | set(store.read(path, "held.parquet")["customer"].to_list())
