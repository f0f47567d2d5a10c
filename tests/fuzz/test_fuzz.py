"""Every parser at the door takes any input: no traceback that is not ours, and no limit that does not hold.

That nothing hangs is seen by the suite's own timeout. `make test-long` gives them 20,000 inputs.
"""

from __future__ import annotations

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS, Target, books, parse_sheet

INPUTS = 20_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_sample(target: Target) -> None:
    many = 40 if target.share else 4
    assert fuzz(target, many).inputs >= many // 2


def test_whole_workbooks_are_read() -> None:
    whole = Target("whole workbooks", books(), parse_sheet)
    assert fuzz(whole, 4).told == 0


@pytest.mark.long
def test_twenty_thousand_inputs() -> None:
    whole = sum(target.share for target in TARGETS)
    assert whole == 100
    counted = [fuzz(target, max(INPUTS * target.share // 100, 50)) for target in TARGETS]
    assert sum(one.inputs for one in counted) >= INPUTS
