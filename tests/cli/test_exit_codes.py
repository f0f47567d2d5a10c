"""What commands exit with, and how often a backfill reads; the engine is made up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from clubsync.cli import app
from clubsync.config import ClubConfig, Config
from clubsync.model import Step, new_step

PARIS = ClubConfig(id="paris", name="Paris", erp="eversports", connection="paris")
MERGES = {"hold": 3, "deactivations": 0, "causes": ["merged by an email: 2 customers"]}


class Engine:
    """An engine whose syncs come to what the test says.

    :param ends: of the intervals that were filled.
    """

    def __init__(self, **step: Any) -> None:
        self.config = Config(clubs=(PARIS,))
        self.step: Step = {**new_step("paris", "Paris"), **step}  # type: ignore[typeddict-item]  # what the test says
        self.ends: list[datetime] = []
        self.progress = lambda *_: None

    def sync(self, *_: object, **__: object) -> list[Step]:
        return [self.step]

    def backfill(self, _: object, start: datetime, end: datetime, *, dry_run: bool) -> list[Step]:
        self.ends.append(end)
        return [self.step]


def _run(monkeypatch: pytest.MonkeyPatch, engine: Engine, *arguments: str) -> Any:
    @contextmanager
    def opened(quiet: bool) -> Iterator[Engine]:
        yield engine

    for name in ("sync", "history"):  # functions of the same names hide the modules
        monkeypatch.setattr(sys.modules[f"clubsync.cli.{name}"], "open_pipeline", opened)
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({}, 0),
        ({"held": 2, "hold": {**MERGES, "deactivations": 2}}, 3),
        ({"held": 0, "hold": MERGES}, 3),
        ({"held": 2, "hold": MERGES, "error": "It failed.", "remedy": "Wait."}, 1),
    ],
)
def test_r15_whatever_is_held_is_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, step: dict[str, Any], code: int
) -> None:
    """A hold of which only merges are left is one too; a failure comes first."""
    result = _run(monkeypatch, Engine(**step), "sync", "paris", "--json")
    assert result.exit_code == code, result.output


def test_r26_a_backfill_reads_nothing_for_intervals_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLUBSYNC_NOW", "2026-03-02T10:00:00Z")
    engine = Engine()
    times = ("--from", "2026-03-02T09:00:00Z", "--to", "2027-01-01T00:00:00Z", "--every", "30")
    result = _run(monkeypatch, engine, "backfill", "paris", *times)
    assert result.exit_code == 0, result.output
    assert [f"{end:%H:%M}" for end in engine.ends] == ["09:30", "10:00"]
    late = _run(monkeypatch, engine, "backfill", "paris", "--from", "2026-03-02T11:00:00Z")
    assert late.exit_code == 2
