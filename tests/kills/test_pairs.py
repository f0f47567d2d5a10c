"""R15, R16, R20: two workers on one club leave behind what one after the other would."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.kills.lab import Lab, Told
from tests.kills.pairs import Pair, Pairs

SAMPLE = [
    ("two: sync", "two: sync"),
    ("two: sync", "two: approve"),
    ("two: undo", "two: sync"),
    ("two: retention", "two: replay"),
    ("two: sync", "two: erase"),
    ("two: erase", "two: sync"),
    ("two: erase", "two: replay"),
]


#: What might bring somebody back who is erased beside it.
ERASING = ("two: sync", "two: replay", "two: backfill", "two: approve", "two: redo")


@pytest.fixture(scope="session")
def pairs(lab: Lab) -> Pairs:
    return Pairs(lab)


def _run(pairs: Pairs, wanted: Sequence[Pair]) -> Told:
    told = Told()
    for pair in wanted:
        told.add(pairs.run(pair))
    return told


@pytest.mark.parametrize(("first", "second"), SAMPLE)
def test_two_at_a_time(pairs: Pairs, first: str, second: str) -> None:
    points = pairs.points(first)
    point = points[len(first + second) % 7 + len(points) // 2]
    assert _run(pairs, [Pair(first, second, point)]).faults == []


@pytest.mark.long
@pytest.mark.timeout(14400)
@pytest.mark.parametrize("first", ERASING)
def test_nobody_is_resurrected_who_is_erased_at_any_point(pairs: Pairs, first: str) -> None:
    """R20: somebody is erased while a run, a replay, a decision or a redo stands at any of its points."""
    told = _run(pairs, [Pair(first, "two: erase", point) for point in pairs.points(first)])
    assert told.faults == []


@pytest.mark.long
@pytest.mark.timeout(14400)
@pytest.mark.parametrize("second", ERASING)
def test_nobody_is_resurrected_while_they_are_erased(pairs: Pairs, second: str) -> None:
    points = pairs.points("two: erase")
    told = _run(pairs, [Pair("two: erase", second, point) for point in points])
    assert told.faults == []


@pytest.mark.long
@pytest.mark.timeout(14400)
def test_a_thousand_pairs(pairs: Pairs) -> None:
    told = _run(pairs, pairs.sample(1000, 1))
    assert told.tries == 1000
    assert told.faults == []
