"""The clock for status dates, runs and audit rows.

`CLUBSYNC_NOW` (ISO 8601; UTC unless it has an offset) fixes it, for tests and replays.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from clubsync.errors import ConfigError
from connectors.sdk import moments


def now() -> datetime:
    """The current time, in UTC.

    :raises ConfigError: CLUBSYNC_NOW is set and is not an ISO 8601 time, or one that cannot be stored.
    """
    fixed = os.environ.get("CLUBSYNC_NOW")
    if not fixed:
        return datetime.now(UTC)
    moment = moments.of_text(fixed)
    if moment is None:
        raise ConfigError(
            f"CLUBSYNC_NOW={fixed!r} is not an ISO 8601 time between the years 1800 and 9000.",
            remedy="Write a time like 2026-11-21T10:05:00Z, or unset the variable.",
        )
    return moment


def stamped_now(moment: datetime) -> bool:
    """Whether the clock is fixed, and this machine's own clock made that time within the last day.

    A fixed clock does not fix the file system's: what was written since is not of the future.
    """
    real = datetime.now(UTC)
    return bool(os.environ.get("CLUBSYNC_NOW")) and real - timedelta(days=1) <= moment <= real


def today(timezone: ZoneInfo, moment: datetime | None = None) -> date:
    """The club's own calendar day, with which dates are compared (R3)."""
    return (moment or now()).astimezone(timezone).date()
