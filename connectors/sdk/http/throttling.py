"""Rate limits: how long a server asks us to wait, and this process's own limit per host."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from connectors.sdk import moments
from connectors.sdk.http.limits import HttpLimits

#: statuses that mean "too many requests"; 421 is Virtuagym's own (docs/erps/virtuagym.md), 420 was Twitter's.
THROTTLED = {429, 420, 421}

#: a server that asks us to wait longer is asked again then.
LONGEST_WAIT = timedelta(days=2)

#: families of counters that some gateways send instead of Retry-After (docs/erps/resamania.md).
RESET_FAMILIES = ("RateLimit", "X-RateLimit", "X-Rate-Limit", "X-Quota", "X-Spike-Arrest")

#: Above it a number of seconds is a time: Unix seconds, or milliseconds above `_MILLISECONDS`.
_EPOCH, _MILLISECONDS = 1e9, 1e11
#: A parameter of the IETF's RateLimit header: `remaining=0`, and `r=0` of the newer drafts.
_PARAMETER = re.compile(r"\s*([a-z_][a-z0-9_-]*)\s*=\s*(\d+(?:\.\d+)?)\s*", re.IGNORECASE)


def requested_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a response asks us to wait; None: it does not say.

    Retry-After (seconds, an HTTP date or an epoch) takes precedence; otherwise the latest reset of those counters
    that are used up (or do not say how much is left): `…-Reset` and `…-Reset-After` beside `…-Remaining`, and the
    IETF's `RateLimit`, as `limit=10, remaining=0, reset=30` or `"default";r=0;t=30`. A reset is an epoch in
    milliseconds or seconds, or a number of seconds. Dates are compared with the server's own clock if it sends a Date:
    ours may differ, or be that of a replay.
    """
    now = _date(headers.get("Date", "")) or now
    if "Retry-After" in headers:
        wait = _retry_after(headers["Retry-After"].strip(), now)
        if wait is not None:
            return min(wait, LONGEST_WAIT)
    waits = [
        *(_reset_of(family, headers, now) for family in RESET_FAMILIES),
        *(
            _until(reset, now)
            for remaining, reset in _policies(headers.get("RateLimit", ""))
            if not remaining and reset is not None
        ),
    ]
    longest = max((wait for wait in waits if wait is not None), default=None)
    return None if longest is None else min(longest, LONGEST_WAIT)


def is_used_up(headers: Mapping[str, str]) -> bool:
    """Whether a response says that a limit is used up: by Retry-After, or by a counter of which nothing is left.

    Some ERPs answer 403 then, which otherwise means that we have no permission.
    """
    counters = (_seconds(headers.get(f"{family}-Remaining", "")) for family in RESET_FAMILIES)
    policies = (remaining for remaining, _ in _policies(headers.get("RateLimit", "")))
    return "Retry-After" in headers or any(left == 0 for left in (*counters, *policies))


def _policies(value: str) -> list[tuple[float | None, float | None]]:
    """(remaining, reset) of each limit in the IETF's RateLimit header; None: it does not say."""
    if '"' not in value and ";" not in value:
        found = _parameters(value.split(","))
        return [(found.get("remaining"), found.get("reset"))] if found else []
    limits = [_parameters(one.split(";")) for one in value.split(",")]
    return [(found.get("r"), found.get("t")) for found in limits if found]


def _parameters(parts: Iterable[str]) -> dict[str, float]:
    found = (_PARAMETER.fullmatch(part) for part in parts)
    return {one[1].lower(): float(one[2]) for one in found if one}


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
        return _until(seconds, now)
    at = _date(value)
    return None if at is None else max(timedelta(0), at - now)


def _reset_of(family: str, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    reset = _seconds(headers.get(f"{family}-Reset", headers.get(f"{family}-Reset-After", "")))
    remaining = _seconds(headers.get(f"{family}-Remaining", "0"))
    if reset is None or remaining is None or remaining > 0:
        return None
    return _until(reset, now)


def _until(reset: float, now: datetime) -> timedelta:
    """How long it is until a reset: an epoch in milliseconds or seconds, or a number of seconds."""
    if reset > _MILLISECONDS:
        reset = reset / 1000 - now.timestamp()
    elif reset > _EPOCH:
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
