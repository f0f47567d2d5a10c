"""The log of a sync: a line for each club and stage, a failure said once, and nobody named (R19)."""

from __future__ import annotations

import logging
import re

import pytest

from clubsync.config import Config
from clubsync.pipeline.engine import Pipeline
from clubsync.pipeline.runs import counted, in_words, named
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club
from tests.support.rules import NewClub

pytestmark = pytest.mark.usefixtures("at_info")
STAGES = ["extract", "validate", "diff", "load"]


@pytest.fixture
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clubsync.pipeline")


@pytest.fixture
def pair(new_club: NewClub) -> tuple[Club, Club]:
    """Two clubs with a customer each."""
    clubs = new_club(), new_club()
    for club in clubs:
        club.erp.put("1", "one@x.fr", first_name="Zoé", last_name="Durand")
        club._say(True, None, (), ())
    return clubs


def together(*clubs: Club) -> Pipeline:
    first = clubs[0].pipeline()
    config = Config(clubs=tuple(c.config.model_copy(update={"name": f"The {c.id}"}) for c in clubs))
    return Pipeline(config, first.base, first.store, resolve=first.resolve)


def lines(caplog: pytest.LogCaptureFixture, of: Club) -> list[str]:
    return [r.getMessage() for r in caplog.records if f"The {of.id}" in r.getMessage()]


@pytest.mark.parametrize("in_tasks", [True, False])
def test_each_club_has_one_line_for_each_stage(
    pair: tuple[Club, Club], caplog: pytest.LogCaptureFixture, in_tasks: bool
) -> None:
    engine = together(*pair)
    steps = engine.extract([club.id for club in pair], "scheduled")
    for stage in ("validate", "diff"):
        steps = getattr(engine, stage)(steps, store=in_tasks)
    engine.load(steps)
    for club in pair:
        told = lines(caplog, club)
        assert [line.split(": ")[1] for line in told] == STAGES
        assert all(re.search(r", \d+\.\d s$", line) for line in told)
        assert "1 record, complete" in told[0]
        assert "1 affected record" in told[1]
        assert "1 change (addition 1)" in told[2]
        assert "1 change (addition 1), 2 rows written" in told[3]
    assert not re.search("one@x|Zoé|Durand", caplog.text)


def test_a_failure_is_said_once_with_the_name_once(
    pair: tuple[Club, Club], caplog: pytest.LogCaptureFixture
) -> None:
    down, good = pair
    down.erp.fault = ErpUnreachable(f"The {down.id}: the ERP did not respond.")
    engine = together(*pair)
    engine.sync([club.id for club in pair], "scheduled")
    (line,) = lines(caplog, down)
    assert line.startswith(f"The {down.id}: extract: the ERP did not respond.")
    assert line.count(down.id) == 1
    assert len(lines(caplog, good)) == len(STAGES)
    assert not any(record.exc_info for record in caplog.records)


def test_whoever_explains_a_failure_is_the_only_one(
    pair: tuple[Club, Club], caplog: pytest.LogCaptureFixture
) -> None:
    """A task for one club ends its log with what happened and what to do."""
    down, _ = pair
    down.erp.fault = ErpUnreachable("It did not respond.")
    engine = together(down)
    engine.explain = False
    (step,) = engine.sync([down.id], "scheduled")
    assert step["error"] is not None
    assert lines(caplog, down) == []


def test_words_of_the_log() -> None:
    assert in_words({"addition": 1200, "merge": 0}) == "1,200 changes (addition 1200)"
    assert in_words({"merge": 1}) == "1 change (merge 1)"
    assert in_words({"merge": 0}) == "no changes"
    assert counted(1, "row") == "1 row"
    assert named("Paris", "load: Paris was changed.") == "load: Paris was changed."
    assert named("Paris", "load: It was changed.") == "Paris: load: It was changed."
