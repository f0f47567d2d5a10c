"""Operations on frames that Polars does not have. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


def attach(left: pl.DataFrame, right: pl.DataFrame, on: str) -> pl.DataFrame:
    """A left join that keeps the order of rows, and is free if `right` is empty.

    :param right: its values of `on` are unique.
    """
    if right.is_empty():
        return left.with_columns(
            [pl.lit(None, dtype=t).alias(n) for n, t in right.schema.items() if n != on]
        )
    # join the keys only: the other columns of the left side are not copied
    # lists of several chunks are put together ten times as slowly
    joined = left.select(on).join(right.rechunk(), on=on, how="left", maintain_order="left")
    return left.hstack(joined.drop(on))


def literals(kind: pl.Enum) -> Callable[[str], pl.Expr]:
    """What makes literals of a type of few words: they take a byte a row, text takes sixteen."""
    return lambda word: pl.lit(word, dtype=kind)


def some(rows: pl.DataFrame, which: pl.Expr, condition: pl.Expr) -> pl.Series:
    """A condition that costs more than it finds: evaluated only on those rows that another one leaves.

    :param which: few rows.
    :returns: Boolean, in order: both hold; never null.
    """
    found = rows.select(which.fill_null(False).alias("which"))["which"]
    if not found.any():
        return found
    few = rows.filter(found).select(condition.fill_null(False).alias("holds"))["holds"]
    return found.scatter(found.arg_true(), few)


def repeated(values: pl.Series) -> pl.Series:
    """Whether each value occurs more than once; null never does. Boolean, in the order of `values`.

    Hashes are compared first: sorting numbers costs a tenth of grouping text, and leaves few values to compare.
    """
    if values.null_count() == values.len():
        return pl.repeat(False, values.len(), dtype=pl.Boolean, eager=True)
    hashes = values.hash()
    in_order = hashes.sort()
    twice = in_order.filter(in_order == in_order.shift())
    maybe = hashes.is_in(twice.unique().implode()) & values.is_not_null()
    if not maybe.any():
        return maybe
    # different values may share a hash
    return maybe.scatter(maybe.arg_true(), values.filter(maybe).is_duplicated())


def compacted(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame, with nothing in its memory of rows and values that were taken out of it.

    A filter leaves texts where they are, out of sight, and Arrow IPC writes them along with the rest.
    """
    return frame.with_columns(
        _compacted(frame[name])
        for name, dtype in frame.schema.items()
        if dtype == pl.String or dtype.is_nested()
    )


def _compacted(column: pl.Series) -> pl.Series:
    missing = column.is_null()
    if column.dtype == pl.String:
        column = column.fill_null("")
    # the older layout holds what is seen, one value after the other
    copied = pl.Series(column.name, column.to_arrow(compat_level=pl.CompatLevel.oldest()))
    if column.dtype == pl.String and missing.any():
        copied = copied.scatter(missing.arg_true(), None)
    return copied


@dataclass(frozen=True)
class Comparison:
    """Two versions of a club's records, compared by row hash.

    :param rows: the records of `now`, in no order: erp_id, row_hash, and from `before` the columns was
        (the former row hash) and next_date, both null for a new record.
    :param absent: erp_ids of `before` that `now` does not have.
    """

    rows: pl.DataFrame
    absent: pl.Series


def compare(now: pl.DataFrame, before: pl.DataFrame) -> Comparison:
    """Compare records by their row hashes.

    Joining a million ids costs as much as everything else together. So records whose row hash is on both sides
    are set aside first; as both sides are sorted by id, comparing them position by position proves that they are
    unchanged. Only the rest is joined.

    :param now: erp_id, row_hash (and more), sorted by erp_id.
    :param before: erp_id, row_hash, next_date (and more), sorted by erp_id.
    """
    now = now.select("erp_id", "row_hash")
    before = before.select("erp_id", "next_date", was="row_hash")
    if now.is_empty() or before.is_empty():
        return Comparison(
            attach(now, before.select("erp_id", "was", "next_date"), "erp_id"), before["erp_id"]
        )
    kept_now = now["row_hash"].is_in(before["was"].implode())
    kept_before = before["was"].is_in(now["row_hash"].implode())
    same, same_before = now.filter(kept_now), before.filter(kept_before)
    if not same["erp_id"].equals(same_before["erp_id"]) or not same["row_hash"].equals(
        same_before["was"]
    ):
        # two records may share a hash; too rare for more than a full join
        kept_now, kept_before = kept_now & False, kept_before & False
        same, same_before = now.clear(), before.clear()
    moved, moved_before = now.filter(~kept_now), before.filter(~kept_before)
    moved = attach(moved, moved_before.select("erp_id", "was", "next_date"), "erp_id")
    absent = moved_before.join(moved, on="erp_id", how="anti")["erp_id"]
    rows = pl.concat(
        [same.with_columns(was="row_hash").with_columns(same_before["next_date"]), moved]
    )
    return Comparison(rows, absent)
