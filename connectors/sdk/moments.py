"""Moments and days that can be kept: the one range for every clock, file, request and stored row (R3).

Python knows the years 1 to 9999, and PostgreSQL others; a moment at either end of Python's range leaves it as soon as
it is shown on another clock. What is stored, or compared with the clock, lies between `FIRST` and `LAST`, which every
time zone can show. `sql/migrations/0018_moments.sql` says the same to the database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

#: The first and last day that is kept.
FIRST, LAST = date(1800, 1, 1), date(9000, 12, 31)
_FROM = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
_UNTIL = datetime(LAST.year, LAST.month, LAST.day, 23, 59, 59, tzinfo=UTC)


def in_range(moment: datetime) -> datetime | None:
    """A moment in UTC; None: it is out of range.

    :param moment: with or without an offset; without one it is UTC.
    """
    try:
        found = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if _FROM <= found <= _UNTIL else None


def of_timestamp(seconds: float) -> datetime | None:
    """The moment of a Unix time; None: it is out of range, or no number."""
    try:
        return in_range(datetime.fromtimestamp(seconds, tz=UTC))
    except (ValueError, OverflowError, OSError):
        return None


def of_text(text: str) -> datetime | None:
    """The moment that an ISO 8601 text names, in UTC; None: it names none, or one that is out of range."""
    try:
        return in_range(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def day_in_range(day: date) -> bool:
    """Whether a day can be kept."""
    return FIRST <= day <= LAST
