"""Phones, dates, moments, names and words, as ERPs write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sdk import fields

PARIS = ZoneInfo("Europe/Paris")


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


def test_dates_iso_first_then_day_before_month() -> None:
    cells = strings("2026-11-01", "01/11/2026", "1.11.2026", "20261101", "2026-11-01 10:05:00")
    assert fields.dates(cells).to_list() == [date(2026, 11, 1)] * 5


def test_what_is_no_date_is_null() -> None:
    cells = strings("0000-00-00", "31/02/2026", "11/25/2026", "soon", "1.11.26", "", None)
    assert fields.dates(cells).null_count() == 7


def test_a_given_date_format_comes_first() -> None:
    cells = strings("11/01/2026", "2026-12-24")
    assert fields.dates(cells, ["%m/%d/%Y"]).to_list() == [date(2026, 11, 1), date(2026, 12, 24)]


def test_moments_without_an_offset_are_the_clubs_clock() -> None:
    cells = strings(
        "2026-07-01T10:00:00Z",
        "2026-07-01T10:00:00+02:00",
        "2026-07-01 10:00",
        "01/07/2026 10:00:30",
        "2026-01-01",
    )
    assert fields.moments(cells, PARIS).to_list() == [
        datetime(2026, 7, 1, 10, tzinfo=UTC),
        datetime(2026, 7, 1, 8, tzinfo=UTC),
        datetime(2026, 7, 1, 8, tzinfo=UTC),
        datetime(2026, 7, 1, 8, 0, 30, tzinfo=UTC),
        datetime(2025, 12, 31, 23, tzinfo=UTC),
    ]


def test_an_hour_that_came_twice_is_its_first_and_one_that_never_came_is_null() -> None:
    """The nights in which the clocks change."""
    cells = strings("2026-10-25 02:30", "2026-03-29 02:30")
    assert fields.moments(cells, PARIS).to_list() == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        None,
    ]


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
