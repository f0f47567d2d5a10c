"""Asset events: a club that a load has changed wakes the Dags that are scheduled on it (R30).

An event says that there is something to read, with ids and counts; what has changed is in the feed. Airflow may join
events that come together into one run, so nothing may rely on one run for each event.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, get_current_context

from plugins.orchestration import notes

if TYPE_CHECKING:
    from clubsync.model import Step

CHANGED = AssetAlias("clubsync_changes")
"""The outlet of every task that loads: which clubs it will change is not known before it runs."""


def asset_of(club_id: str) -> Asset:
    """The asset of a club: what other Dags are scheduled on."""
    return Asset(f"clubsync://base/{club_id}")


def announce(steps: Iterable[Step]) -> int:
    """An event for each of these clubs that was changed, with the task's success; how many there are.

    Its extra has the run, the changes by kind, which reading they come from, and of a backfill what the interval was
    filled from.

    :param steps: after their load. A dry run, and a plan that awaits approval, have written nothing.
    """
    events, told = get_current_context()["outlet_events"][CHANGED], 0
    for step in steps:
        changes = {kind: n for kind, n in step["counts"].items() if n}
        if step["error"] is not None or not step["rows_written"] or not changes:
            continue
        extra: dict[str, Any] = {"club": step["club"], "run": step["run"], "changes": changes}
        extra["reading"] = {name: step[name] for name in ("as_of", "snapshot", "certified")}
        if source := notes.filled_from(step):
            extra["filled_from"] = source
        events.add(asset_of(step["club"]), extra=extra)
        told += 1
    return told
