"""R25: when a club is read: its cadence, and how long a failing club is left alone."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST_PAUSE = timedelta(hours=1)
#: A club that fails is looked at again after this part of the time that it has failed for.
PAUSE_PART = 4


def pause(failing_since: datetime, at: datetime, every: timedelta) -> timedelta | None:
    """How long a failing club is left alone, or None while it keeps its cadence.

    A quarter of the time that it has failed for, an hour at most: an ERP that is down for long is
    asked ever more rarely, and back up it is noticed within a quarter of its outage.
    """
    wait = min((at - failing_since) / PAUSE_PART, LONGEST_PAUSE)
    return wait if wait > every else None
