"""R26: a backfill fills the past from what was stored, from what the ERP kept, or says that it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clubsync.config import ClubConfig, Config, Guard
from clubsync.model import COVERED, FROM_ERP, READ_NOW, STORED, Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club

FIVE = timedelta(minutes=5)
Interval = tuple[datetime, datetime]


def _intervals(start: datetime, count: int) -> list[Interval]:
    return [(start + n * FIVE, start + (n + 1) * FIVE) for n in range(count)]


def _fill(club: Club, start: datetime, end: datetime) -> Step:
    (step,) = club.pipeline().backfill([club.id], start, end)
    assert step["error"] is None
    return step


def _orders() -> dict[str, Callable[[list[Interval]], list[Interval]]]:
    return {
        "forwards": list,
        "backwards": lambda of: of[::-1],
        "shuffled": lambda of: of[1::2] + of[::2],
    }


@pytest.mark.parametrize("order", _orders())
def test_r26_24_intervals_in_any_order_leave_the_base_alone(club: Club, order: str) -> None:
    """Half of the past was stored, half was missed in an outage: nothing of the base moves."""
    start = club.now
    for n in range(12):
        club.erp.put(str(n), f"p{n}@x.fr")
        if n > 3:
            club.erp.remove(str(n - 3))
        club.sync()
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    club.later(minutes=60)
    club.erp.fault = None
    club.erp.put("99", "late@x.fr")
    club.sync()
    base, changes = club.base(), club.changes()
    steps = [_fill(club, *one) for one in _orders()[order](_intervals(start, 24))]
    assert (club.base(), club.changes()) == (base, changes)
    assert {step["past"] for step in steps} == {STORED, COVERED}
    assert sum(step["rows_written"] for step in steps) == 0
    assert [step["past"] for step in steps].count(STORED) == 12
    covered = next(step for step in steps if step["past"] == COVERED)
    assert "answers for the present only" in covered["notes"][0]


def test_r26_runs_at_a_time_read_the_erp_once(club: Club) -> None:
    """Nothing is stored and nothing was read since: one reading stands for all that was missed."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    start = club.now + FIVE
    club.erp.put("2", "b@x.fr")
    club.later(hours=2)
    club.erp.as_of = club.now
    with ThreadPoolExecutor(4) as pool:
        steps = list(pool.map(lambda one: _fill(club, *one), _intervals(start, 20)))
    read = [step for step in steps if step["past"] == READ_NOW]
    assert len(read) == 1
    assert "one reading now stands for all that was missed" in read[0]["notes"][0]
    assert club.inside() == {"1", "2"}


def test_r26_backfills_side_by_side_read_a_failing_erp_once_and_count_what_they_wrote(
    club: Club,
) -> None:
    """After an outage, with an interval that has not ended: one reading for all of them, and each change is told by
    the run that wrote it."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.fault = ErpUnreachable("down", remedy="wait")
    assert club.attempt()["error"] is not None
    club.erp.fault = None
    for n in range(2, 6):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.later(hours=2)
    club.erp.as_of = club.now
    end = club.now + FIVE
    with ThreadPoolExecutor(4) as pool:
        steps = list(pool.map(lambda _: _fill(club, club.now - FIVE, end), range(4)))
    assert [step["past"] for step in steps].count(READ_NOW) == 1
    assert sum(step["counts"]["addition"] for step in steps) == 4
    assert sum(step["rows_written"] > 0 for step in steps) == 1
    assert len(club.rows("select snapshot from sync.snapshot where club = %s", club.number)) == 2


def test_r26_an_interval_of_a_dry_run_writes_nothing(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.put("2", "b@x.fr")
    club.later(hours=1)
    club.erp.as_of = club.now
    (step,) = club.pipeline().backfill([club.id], club.now - FIVE, club.now, dry_run=True)
    assert step["counts"]["addition"] == 1
    assert club.inside() == {"1"}


def test_r26_an_erp_that_keeps_its_old_exports_is_asked_for_them(
    club: Club, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of dated exports answers for the past: each interval takes the file of its time."""
    folder = tmp_path / "drop"
    folder.mkdir()
    start = club.now

    def export(name: str, at: datetime, *people: str) -> None:
        file = folder / f"customers-{name}.csv"
        file.write_text("id,email\n" + "".join(f"{p},{p}@x.fr\n" for p in people))
        os.utime(file, (at.timestamp(), at.timestamp()))

    export("1", start + timedelta(minutes=2), "a")
    export("2", start + timedelta(minutes=7), "a", "b")
    export("3", start + timedelta(minutes=17), "b", "c")
    config = ClubConfig(
        id=f"{club.id}-csv",
        name="Files",
        erp="csv",
        connection="drop",
        guard=Guard(at_least=99),
        settings={"customers": "customers-*.csv", "fields": {"id": "id", "email": "email"}},
    )

    def engine() -> Pipeline:
        return Pipeline(
            Config(clubs=(config,)),
            club._base,
            Store(str(tmp_path / "store")),
            resolve=lambda conn_id: Connection(id=conn_id, host=folder.as_uri()),
        )

    club.later(minutes=30)
    (step,) = engine().sync([config.id], "test")
    assert step["counts"]["addition"] == 2
    found = [
        step
        for one in reversed(_intervals(start, 4))
        for step in engine().backfill([config.id], *one)
    ]
    # the newest file was stored when it was read; the others come from the folder; one interval has none
    assert [step["past"] for step in found] == [
        STORED,
        COVERED,
        FROM_ERP,
        FROM_ERP,
    ]
    assert [step["read"] for step in found] == [2, 0, 2, 1]
    assert sum(step["rows_written"] for step in found) == 0
