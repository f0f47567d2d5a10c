"""How long the history of Airflow is kept: its runs, and the logs of its tasks.

`python -m stack.tidy` deletes what is older, and the pages do not link to it any more.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

RUNS, LOGS = "CLUBSYNC_KEEP_RUNS_DAYS", "CLUBSYNC_KEEP_LOGS_DAYS"
"""Settings, in days; 0: nothing is deleted."""

DEFAULTS = {RUNS: 30, LOGS: 14}


def days(setting: str) -> int | None:
    """The days of a setting, or its default where it is no number; None: nothing is deleted."""
    try:
        given = int(os.environ.get(setting) or DEFAULTS[setting])
    except ValueError:
        given = DEFAULTS[setting]
    return given if given > 0 else None


def log_is_gone(ended: datetime, now: datetime) -> int | None:
    """After how many days the log of a task that ended then was deleted; None: it is there, or may be."""
    kept = [found for setting in (RUNS, LOGS) if (found := days(setting)) is not None]
    if not kept or now - ended <= timedelta(days=min(kept)):
        return None
    return min(kept)
