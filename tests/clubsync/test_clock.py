"""The clock of tests and replays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clubsync import clock
from clubsync.errors import ConfigError


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:05:00Z",
        "2026-11-21T10:05:00",
        "2026-11-21T11:05:00+01:00",
        "2026-11-21 10:05",
    ],
)
def test_set_by_the_environment(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Without an offset it is UTC."""
    monkeypatch.setenv("CLUBSYNC_NOW", text)
    assert clock.now() == datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
    assert clock.now().utcoffset() == timedelta(0)


def test_else_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUBSYNC_NOW", raising=False)
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)


def test_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUBSYNC_NOW", "yesterday")
    with pytest.raises(ConfigError, match="'yesterday' is not an ISO 8601 time"):
        clock.now()


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Paris", 22), ("America/Martinique", 21), ("Pacific/Auckland", 22), ("UTC", 21)],
)
def test_the_clubs_own_day(monkeypatch: pytest.MonkeyPatch, zone: str, day: int) -> None:
    """R3: half past eleven in London is tomorrow in Paris."""
    monkeypatch.setenv("CLUBSYNC_NOW", "2026-11-21T23:30:00Z")
    assert clock.today(ZoneInfo(zone)) == date(2026, 11, day)
