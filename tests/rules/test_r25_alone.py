"""R25: a club whose records cannot be evaluated fails alone, in a batch and in the shell, in upkeep too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import pytest

from clubsync.config import Config
from clubsync.load import similar_pairs
from clubsync.operate.retention import upkeep
from clubsync.pipeline.engine import Pipeline
from clubsync.validate import suites
from tests.support.club import Club
from tests.support.rules import NewClub


@pytest.fixture
def pair(new_club: NewClub) -> tuple[Club, Club]:
    """Two clubs with a customer each."""
    clubs = new_club(), new_club()
    for club in clubs:
        club.erp.put("1", "one@x.fr")
        club._say(True, None, (), ())
    return clubs


def _together(*clubs: Club) -> Pipeline:
    first = clubs[0].pipeline()
    return Pipeline(
        Config(clubs=tuple(c.config for c in clubs)), first.base, first.store, resolve=first.resolve
    )


@pytest.mark.parametrize("in_tasks", [True, False])
def test_r25_one_clubs_records_do_not_stop_the_others(
    pair: tuple[Club, Club], monkeypatch: pytest.MonkeyPatch, in_tasks: bool
) -> None:
    """Great Expectations evaluates all clubs of a batch in one run, which one of them ends."""
    odd, good = pair
    findings = suites.findings

    def some(clubs: Mapping[str, Any], together: Collection[str]) -> Any:
        if odd.id in clubs:
            raise TypeError("one@x.fr")
        return findings(clubs, together)

    monkeypatch.setattr(suites, "findings", some)
    engine = _together(odd, good)
    steps = engine.extract([odd.id, good.id], "scheduled")
    for stage in ("validate", "diff"):
        steps = getattr(engine, stage)(steps, store=in_tasks)
    one, other = engine.load(steps)
    assert one["error"] is not None
    assert "Internal error (TypeError) in the validate stage" in one["error"]
    assert other["error"] is None
    assert good.inside() == {"1"}
    assert odd.rows("select state, stage from sync.run where club = %s", odd.number) == [
        ("failed", "validate")
    ]
    ((failing,),) = odd.rows("select failing_since is not null from sync.club_state")
    assert failing, "it is not called fresh"


def test_r25_upkeep_of_one_club_does_not_stop_that_of_others(
    pair: tuple[Club, Club], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is told and raised, after the other clubs."""
    odd, good = pair
    engine = _together(odd, good)
    engine.sync([odd.id, good.id], "scheduled")
    compared = []

    def catch_up(base: object, number: int, config: object) -> int:
        if number == odd.number:
            raise KeyError("one@x.fr")
        compared.append(number)
        return 0

    monkeypatch.setattr(similar_pairs, "catch_up", catch_up)
    assert odd.number < good.number
    with pytest.raises(KeyError):
        upkeep(engine.base, engine.store, engine.config, timedelta(days=30))
    assert compared == [good.number]
    assert f"{odd.id}: internal error in upkeep: KeyError" in caplog.text
    assert "one@x.fr" not in caplog.text
