"""What `upkeep` does beside alerts and nudges."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from clubsync import clock
from clubsync.extract import resume
from clubsync.store.snapshots import Store
from plugins.orchestration import upkeep_tasks


def test_a_reading_whose_time_is_over_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", str(tmp_path))
    now, minute = clock.now(), timedelta(minutes=1)
    store = Store()
    over = resume.Folder("a", now - 6 * minute, now - minute, "0a")
    lasts = resume.Folder("b", now - minute, now + 4 * minute, "0b")
    for folder in (over, lasts):
        store.put(folder.path, "000000-ff", b"{}")
    upkeep_tasks._sweep()
    assert resume.folders(store) == [lasts]


def test_a_store_that_is_away_stops_neither_alerts_nor_nudges(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", "ftp://127.0.0.1:1/snapshots")
    with caplog.at_level(logging.ERROR):
        upkeep_tasks._sweep()
    assert "The snapshot store is unreachable (ConnectionRefusedError)" in caplog.text
