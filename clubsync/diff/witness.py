"""R1: what two ERP records themselves say of whether they are one person: their names and birth dates.

Names are compared in the one form of words (R3). A blank is unknown, and what is unknown differs from nothing;
nor do a first and a last name in each other's place. Where neither record has a first name (a club with one
column for the whole name), that column is the whole name: another one where no word is in both.
"""

from __future__ import annotations

import polars as pl

from connectors.sdk.words import word

#: What a record says of the person, and what the other one says, as `o_` and the same name.
WITNESS = ("first_name", "last_name", "birth_date")
_NAMES = ("first_name", "last_name", "o_first_name", "o_last_name")


def two_people(pairs: pl.DataFrame) -> pl.Series:
    """Whether an email that both records had makes them nobody's: both have a first name and a birth date, or a
    last name where a birth date is unknown, and both differ.

    :param pairs: `WITNESS`, and as `o_*` what the other record says.
    :returns: Boolean, in order, never null.
    """
    if pairs.is_empty():
        return pl.Series("two", dtype=pl.Boolean)
    birth, other = pl.col("birth_date"), pl.col("o_birth_date")
    dated = birth.is_not_null() & other.is_not_null()
    second = pl.when(dated).then(birth != other).otherwise("last_differs")
    return _named(pairs).select((pl.col("first_differs") & second).alias("two"))["two"]


def other_names(pairs: pl.DataFrame) -> pl.Series:
    """Whether first and last name both differ; `pairs` and the answer as of `two_people`."""
    both = pl.col("first_differs") & pl.col("last_differs")
    return _named(pairs).select(both.alias("other"))["other"]


def _named(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs with `first_differs` and `last_differs`."""
    pairs = pairs.with_columns(words(pairs[name]) for name in _NAMES)
    first, last, o_first, o_last = (pl.col(name) for name in _NAMES)
    one_field = (first.is_null() & o_first.is_null()) | (last.is_null() & o_last.is_null())
    mine = pl.coalesce(first, last).str.split(" ").list.sort()
    theirs = pl.coalesce(o_first, o_last).str.split(" ").list.sort()
    swapped = ((first == o_last) & (last == o_first)).fill_null(False)
    apart = mine.list.set_intersection(theirs).list.len() == 0
    return pairs.with_columns(
        first_differs=pl.when(one_field)
        .then(mine.list.join(" ") != theirs.list.join(" "))
        .otherwise((first != o_first) & ~swapped)
        .fill_null(False),
        last_differs=pl.when(one_field)
        .then(apart)
        .otherwise((last != o_last) & ~swapped)
        .fill_null(False),
    )


def words(names: pl.Series) -> pl.Series:
    """Names in the form in which words are compared (R3); null where there is nothing left of one."""
    table = {name: word(name) or None for name in names.drop_nulls().unique().to_list()}
    return names.replace_strict(table, return_dtype=pl.String) if table else names
