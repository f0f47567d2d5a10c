"""Phones, names and words, as ERPs write them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sdk import fields


def strings(*values: str | None) -> pl.Series:
    return pl.Series("cell", values, dtype=pl.String)


def each(expr: pl.Expr, *values: str | None) -> list[object]:
    return strings(*values).to_frame().select(expr).to_series().to_list()


CELL = pl.col("cell")


@pytest.mark.parametrize(
    ("written", "country", "e164"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "FR", "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("+34 600 123 456", "FR", "+34600123456"),
        ("600 123 456", "ES", "+34600123456"),
        ("0176 04069012", "DE", "+4917604069012"),
        # A spreadsheet took it for a number.
        ("612345678", "FR", "+33612345678"),
    ],
)
def test_a_phone_becomes_e164_with_the_clubs_country_as_default(
    written: str, country: str, e164: str
) -> None:
    assert fields.phones(strings(written), country).to_list() == [e164]


def test_what_is_no_phone_stays_as_it_came_and_blank_is_null() -> None:
    cells = strings(
        " voir sa mère ", "06 12", "0612345678 / 0698765432", "0612 FLOWERS", "  ", None
    )
    assert fields.phones(cells, "FR").to_list() == [
        "voir sa mère",
        "06 12",
        "0612345678 / 0698765432",
        "0612 FLOWERS",
        None,
        None,
    ]


@example(["001000"], "IT")
@given(
    st.lists(st.from_regex(r"(\+|00)?[0-9(][0-9 .()/-]{3,16}", fullmatch=True), max_size=8),
    st.sampled_from(["FR", "ES", "DE", "IT", "GB", "CH", "US", "BE", "AR"]),
)
def test_the_quick_way_says_what_the_library_says(cells: list[str], country: str) -> None:
    """Phones of the usual forms never reach the library: its answer must be the same."""
    quick = fields.phones(pl.Series(cells, dtype=pl.String), country).to_list()
    assert quick == [fields._library_phone(c.strip(), country) for c in cells]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ana Ruiz", "Ana", "Ruiz"),
        ("Marie Claire Dupont", "Marie Claire", "Dupont"),
        ("Anna van der Berg", "Anna", "van der Berg"),
        ("DUPONT Marie", "Marie", "DUPONT"),
        ("Marie DE LA TOUR", "Marie", "DE LA TOUR"),
        ("JEAN DUPONT", "JEAN", "DUPONT"),
        ("Ruiz, Ana María", "Ana María", "Ruiz"),
        ("Ana", "Ana", None),
    ],
)
def test_a_name_in_one_field_is_split(name: str, first: str, last: str | None) -> None:
    assert fields.split_name(name) == (first, last)


def test_names_are_split_row_by_row() -> None:
    frame = fields.split_names(strings("Ana Ruiz", None, "Ana Ruiz", "Bo Li"))
    assert frame.rows() == [("Ana", "Ruiz"), (None, None), ("Ana", "Ruiz"), ("Bo", "Li")]


def test_genders_in_four_languages_and_null_for_the_rest() -> None:
    words = ("M", "Femme", "hombre", "weiblich", "HIDDEN", None)
    assert each(fields.gender(CELL), *words) == ["male", "female", "male", "female", None, None]


def test_blanks_that_nobody_sees_are_stripped() -> None:
    assert each(fields.text(CELL), "\u00a0a@x.org\u200b ", "\ufeff", "a b") == [
        "a@x.org",
        None,
        "a b",
    ]
