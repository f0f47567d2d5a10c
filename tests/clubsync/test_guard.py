"""R15, the pure part: when deactivations are held, and how their causes read."""

from __future__ import annotations

import polars as pl
import pytest

from clubsync.config import Guard
from clubsync.diff import guard


@pytest.mark.parametrize(
    ("due", "before", "open_hold", "holds"),
    [
        (0, 0, False, False),
        (0, 0, True, False),
        (10, 0, False, False),
        (11, 0, False, True),
        (5, 5, False, False),
        (5, 6, False, True),
        (1, 0, True, True),
    ],
)
def test_over_the_limit_or_joining_an_open_hold(
    due: int, before: int, open_hold: bool, holds: bool
) -> None:
    """More than 10% of a hundred within 24 hours; while a hold is open, whoever falls due joins it."""
    check = guard.limit_check(
        Guard(), deactivations=due, last_24_hours=before, customers=100, hold_is_open=open_hold
    )
    assert (check.holds, check.limit) == (holds, 10)


def test_causes_the_largest_first() -> None:
    """In plain words, counted; equal counts by name."""
    held = pl.DataFrame({"cause": ["b", "a", "c", "c", "c"], "reason": "archived", "loses": True})
    assert guard.causes(held, 100) == ["c: 3 customers", "a: 1 customer", "b: 1 customer"]


def test_a_list_is_known_by_whom_it_names() -> None:
    """Not by their order; one more or one less is another list."""
    one = guard.list_hash(pl.Series([3, 1, 2]))
    assert one == guard.list_hash(pl.Series([1, 2, 3]))
    assert one != guard.list_hash(pl.Series([1, 2]))
    assert one != guard.list_hash(pl.Series([1, 23]))
