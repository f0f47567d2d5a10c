"""R15: replay the guard over the stored plans with another limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from clubsync.config import Guard
from clubsync.errors import SnapshotUnreadable
from clubsync.store.database import Driver, queries
from clubsync.store.packages import stored_plan
from clubsync.store.snapshots import Store

DAY = timedelta(hours=24)


def replay(driver: Driver, store: Store, club: int, guard: Guard) -> list[dict[str, Any]]:
    """Each stored plan that would take access away, and whether that limit would have held it.

    Who would have been held is not asked about again in later plans, and counts once: in the plan in
    which they first fell due.

    Plans that cannot be read any more, which another version wrote, are left out.

    :returns: one row a plan, oldest first: run, at, deactivations (who fell due), last_24_hours,
        customers (in the group before), limit, held (Boolean), was_held.
    """
    seen: set[int] = set()
    passed: list[tuple[datetime, int]] = []
    rows = []
    for plan in queries().plans(driver, club=club):
        counts = plan["counts"]
        if not (counts.get("deactivation") or counts.get("merge") or plan["held"]):
            continue
        try:
            due = _due(store, plan["path"]) - seen
        except SnapshotUnreadable:
            continue
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
    """Customers that a stored plan takes access from, or holds."""
    plan = stored_plan(store, path)
    both = pl.concat([plan.losses, plan.held.select(plan.losses.columns)])
    return set(both.filter("loses")["customer"].to_list())
