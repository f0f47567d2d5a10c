"""R14, R16, R21: long unrest. How long: `CLUBSYNC_UNREST_MINUTES`, 20 unless told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kills.lab import Lab
from tests.kills.unrest import Unrest


@pytest.mark.long
@pytest.mark.timeout(14400)
def test_the_promise_holds_through_long_unrest(own_lab: Lab, tmp_path: Path) -> None:
    minutes = float(os.environ.get("CLUBSYNC_UNREST_MINUTES") or 20)
    report = Unrest(own_lab, tmp_path, seed=7).live(minutes)
    print(report)
    assert report.loads > report.cycles
    assert report.faults["kill"] > minutes
    assert (report.lost, report.gained, report.unsettled) == (0, 0, 0), report.stories
    assert report.internal == {}
    for name in ("connections", "backends", "files", "processes", "open"):
        assert report.growth(name) < 1.5, (name, report.samples)
    assert report.memory_growth < 1.2
