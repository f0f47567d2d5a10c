"""Rate limits: how long a server asks us to wait, and this process's own limit per host."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from connectors.sdk import moments
from connectors.sdk.http.limits import HttpLimits

#: statuses that mean "too many requests"; 421 is Virtuagym's own (docs/erps/virtuagym.md).
THROTTLED = {429, 421}

#: a server that asks us to wait longer is asked again then.
LONGEST_WAIT = timedelta(days=2)

#: families of counters that some gateways send instead of Retry-After (docs/erps/resamania.md).
RESET_FAMILIES = ("RateLimit", "X-RateLimit", "X-Rate-Limit", "X-Quota", "X-Spike-Arrest")


def requested_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a response asks us to wait; None: it does not say.

    Retry-After (seconds or an HTTP date) takes precedence; otherwise the latest reset of those counters that
    are used up (or do not say how much is left). A reset is an epoch in milliseconds or seconds, or a number of
    seconds. Dates are compared with the server's own clock if it sends a Date: ours may differ, or be that of a
    replay.
    """
    now = _date(headers.get("Date", "")) or now
    if "Retry-After" in headers:
        wait = _retry_after(headers["Retry-After"].strip(), now)
        if wait is not None:
            return min(wait, LONGEST_WAIT)
    waits = (_reset_of(family, headers, now) for family in RESET_FAMILIES)
    longest = max((wait for wait in waits if wait is not None), default=None)
    return None if longest is None else min(longest, LONGEST_WAIT)


def _date(value: str) -> datetime | None:
    """A date of HTTP, in UTC; None: it is none."""
    try:
        return moments.in_range(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError, LookupError):
        return None


def _seconds(value: str) -> float | None:
    """A number; None: it is none, or no finite one."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _retry_after(value: str, now: datetime) -> timedelta | None:
    seconds = _seconds(value)
    if seconds is not None:
        return timedelta(seconds=min(max(0.0, seconds), LONGEST_WAIT.total_seconds()))
    at = _date(value)
    return None if at is None else max(timedelta(0), at - now)


def _reset_of(family: str, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    reset = _seconds(headers.get(f"{family}-Reset", ""))
    remaining = _seconds(headers.get(f"{family}-Remaining", "0"))
    if reset is None or remaining is None or remaining > 0:
        return None
    if reset > 1e11:
        reset = reset / 1000 - now.timestamp()
    elif reset > 1e9:
        reset -= now.timestamp()
    return timedelta(seconds=min(max(0.0, reset), LONGEST_WAIT.total_seconds()))


class HostThrottle:
    """This process's requests to one host: at most a number of them concurrently and per second."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active = 0
        self._next = 0.0

    @contextmanager
    def slot(
        self, limits: HttpLimits, seconds_left: float, sleep: Callable[[float], None]
    ) -> Iterator[None]:
        """Wait for a free slot and hold it while the block runs.

        :param seconds_left: the longest wait.
        :raises TimeoutError: no slot was free by then.
        """
        with self._changed:
            allowed = limits.connections
            if allowed is not None and not self._changed.wait_for(
                lambda: self._active < allowed, seconds_left
            ):
                raise TimeoutError
            self._active += 1
            pause = 0.0
            if limits.per_second is not None:
                now = time.monotonic()
                start = max(now, self._next)
                self._next, pause = start + 1 / limits.per_second, start - now
        try:
            if pause:
                sleep(pause)
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()


_THROTTLES: dict[str, HostThrottle] = {}


def throttle_of(base: str) -> HostThrottle:
    """The throttle that all readings of this process share for the host of an address."""
    # setdefault is atomic, also between threads
    return _THROTTLES.setdefault(urlsplit(base).netloc, HostThrottle())
