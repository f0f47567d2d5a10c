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
    ("two: approve", "two: reject"),
    ("two: sync", "two: detach"),
    ("two: redo", "two: sync"),
    ("two: erase", "two: replay"),
    ("two: backfill", "two: sync"),
]


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
def test_a_thousand_pairs(pairs: Pairs) -> None:
    told = _run(pairs, pairs.sample(1000, 1))
    assert told.tries == 1000
    assert told.faults == []
