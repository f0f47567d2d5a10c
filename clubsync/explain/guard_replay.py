"""R15: replay the guard over the stored plans with another limit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from clubsync.config import Guard
from clubsync.store.database import Driver, queries
from clubsync.store.packages import stored_plan
from clubsync.store.snapshots import Store

DAY = timedelta(hours=24)


def replay(driver: Driver, store: Store, club: int, guard: Guard) -> list[dict[str, Any]]:
    """Each stored plan that would take access away, and whether that limit would have held it.

    Who would have been held is not asked about again in later plans, and counts once: in the plan in
    which they first fell due.

    :returns: one row a plan, oldest first: run, at, deactivations (who fell due), last_24_hours,
        customers (in the group before), limit, held (Boolean), was_held.
    """
    seen: set[int] = set()
    passed: list[tuple[datetime, int]] = []
    rows = []
    for plan in queries().plans(driver, club=club):
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
    plan = stored_plan(store, path)
    gone = plan.changes.filter(pl.col("kind") == "deactivation")["customer"]
    return set(gone.to_list()) | set(plan.held["customer"].to_list())
