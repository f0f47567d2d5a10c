"""The operations on frames that are ours."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clubsync import frames

_values = st.lists(st.none() | st.text("ab", max_size=2))


def _counted(values: list[str | None]) -> list[bool]:
    counts = Counter(values)
    return [value is not None and counts[value] > 1 for value in values]


@given(_values)
def test_repeated_is_what_occurs_more_than_once(values: list[str | None]) -> None:
    assert frames.repeated(pl.Series(values, dtype=pl.String)).to_list() == _counted(values)


@given(_values)
def test_values_of_one_hash_are_not_taken_for_one(values: list[str | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Series, "hash", lambda self: pl.zeros(self.len(), pl.UInt64, eager=True))
        assert frames.repeated(pl.Series(values, dtype=pl.String)).to_list() == _counted(values)


_records = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3))


@given(now=_records, before=_records)
def test_a_comparison_is_what_dictionaries_give(
    now: dict[str, int], before: dict[str, int]
) -> None:
    """Also where records share a hash."""
    compared = frames.compare(
        _hashed(now), _hashed(before).with_columns(next_date=pl.lit(None, dtype=pl.Date))
    )
    rows = compared.rows.select("erp_id", "row_hash", "was").rows()
    assert sorted(rows) == sorted((i, h, before.get(i)) for i, h in now.items())
    assert sorted(compared.absent) == sorted(before.keys() - now.keys())


def _hashed(records: dict[str, int]) -> pl.DataFrame:
    schema = {"erp_id": pl.String, "row_hash": pl.UInt64}
    return pl.DataFrame(sorted(records.items()), schema=schema, orient="row")
