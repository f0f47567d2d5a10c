"""R3: dates as ERPs write them, by the one door that all connectors share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sdk import dates as sdk_dates
from connectors.sdk.base import Club
from connectors.sdk.dates import UNREADABLE_DATE, Dates, Kind

ZONES = ("Europe/Paris", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC")


def dates(zone: str = "Europe/Paris", country: str = "FR", **more: Any) -> Dates:
    club = Club("club", ZoneInfo(zone), country, no_end=more.pop("no_end", ()))
    return Dates(club, **more)


def column(*values: str | None, kind: Kind = Kind.SPAN, **club: Any) -> list[object]:
    """A column as days; UNREADABLE_DATE where it says that it cannot be read."""
    days, words = dates(**club).days(pl.Series(values, dtype=pl.String), kind)
    return [day if word is None else UNREADABLE_DATE for day, word in zip(days, words, strict=True)]


def test_forms_of_one_day() -> None:
    forms = (
        *("2026-11-01", "2026-11-1", "2026/11/01", "2026.11.01", "20261101", "+2026-11-01"),
        *("01/11/2026", "1.11.2026", "01-11-2026", "1/11/26", "01.11.26"),
        *("2026-11-01 10:05:00", "2026-11-01T10:05", "01/11/2026 10:05", "1.11.2026, 10:05"),
        *("01/11/2026 10h05", "1/11/2026 3:45 PM", "2026-11-01T10:05:00.123456"),
        *("2026-11-01T10:05:00+01:00", "2026-11-01 10:05:00 UTC", "20261101T100500Z"),
        *("/Date(1793523900000)/", "1793523900", "1793523900000", "1793523900000000"),
    )
    for form in forms:
        assert dates().day(form) == date(2026, 11, 1), form
        assert column(form) == [date(2026, 11, 1)], form


NEVER = (
    *("0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "0001-01-01", "01.01.0001"),
    *("0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("1899-12-30", "1899-12-31", "1900-01-01", "1899-12-30T00:00:00Z", "30/12/1899"),
    *("1970-01-01", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "01/01/1970 00:00"),
    *(
        "1969-12-31",
        "1969-12-31 19:00:00",
        "0",
        "0.0",
        "00000000",
        "2999-12-31",
        "2999-01-01",
        "9999-12-31",
        "31/12/9999",
        "9999",
    ),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59", "9999-12-31T23:59:59.999999-12:00"),
    *("9999-12-31T23:59:59.9999999+00:00", "12/31/9999", "99991231", "99991231235959"),
    *("+275760-09-13T00:00:00.000Z", "253402300799", "253402300799999", "9223372036854775807"),
    *(
        "infinity",
        "-infinity",
        "NaT",
        "NULL",
        "null",
        "n/a",
        "N/A",
        "None",
        "nan",
        "\\N",
        "-",
        "--",
    ),
    *("", "  ", "  /  /    ", "__.__.____", "Illimité", "ILLIMITÉ", "unlimited", "sans fin"),
    *("never", "jamais", "unbefristet", "∞", "Permanent"),
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("written", NEVER)
def test_no_date_is_not_a_date(written: str, zone: str) -> None:
    """Both ends of the calendar, with and without time and offset, in every time zone."""
    read = dates(zone, no_end=("permanent",))
    assert read.day(written) is None
    assert read.moment(written) is None
    days, words = read.days(pl.Series([written, "2026-11-01"]))
    assert (days.to_list(), words.to_list()) == ([None, date(2026, 11, 1)], [None, None])
    stamps, words = read.days(pl.Series([written, "2026-11-01"]), Kind.STAMP)
    assert (stamps[0], words[0]) == (None, None)


@pytest.mark.parametrize("value", [0, 0.0, None, float("nan"), float("inf"), 253402300799, 10**30])
def test_numbers_that_are_no_date(value: object) -> None:
    assert dates().day(value) is None


def test_a_small_number_is_no_end() -> None:
    """Where numbers are Unix times: of a birth it is one."""
    assert dates(unix=True).day(20261128) is UNREADABLE_DATE
    assert dates(unix=True).day(20261128, Kind.BIRTH) == date(1970, 8, 23)
    assert dates(unix=True).day(-86400 * 365, Kind.BIRTH) == date(1969, 1, 1)


def test_a_birth_in_1970_is_a_date() -> None:
    """As an end or a start, the same date stands for none."""
    assert column("1970-01-01", kind=Kind.BIRTH) == [date(1970, 1, 1)]
    assert column("1970-01-01") == [None]
    assert column("1900-01-01", "0000-09-21", kind=Kind.BIRTH) == [None, None]


@pytest.mark.parametrize(
    "written",
    [
        *(
            "soon",
            "2026-02-30",
            "31/02/2026",
            "2026-13-01",
            "0026-11-28",
            "bientôt",
            "?",
            "x" * 500,
        ),
        *("#N/A", "#VALUE!", "#NV", "########", "99/99/2026", "2026", "1,5", "12345", "26-11-28"),
        *("2026-11-28T25:00", "2026-11-28T10:61", "٢٠٢٦"),
    ],
)
def test_what_is_there_and_no_date_cannot_be_read(written: str) -> None:
    assert dates().day(written) is UNREADABLE_DATE
    assert column(written, "2026-11-01")[0] is UNREADABLE_DATE


@pytest.mark.parametrize(
    ("written", "zone", "day"),
    [
        ("2026-11-28T23:00:00.000Z", "Europe/Paris", date(2026, 11, 29)),
        ("2026-11-28T23:00:00.000Z", "America/New_York", date(2026, 11, 28)),
        ("2026-11-29T00:00:00Z", "America/New_York", date(2026, 11, 28)),
        ("2026-11-29T00:00:00+01:00", "Europe/Paris", date(2026, 11, 29)),
        ("2026-11-29T00:00:00", "America/New_York", date(2026, 11, 29)),
        ("2026-11-29 23:59:59", "Europe/Paris", date(2026, 11, 29)),
        ("2026-11-29T24:00:00", "Europe/Paris", date(2026, 11, 29)),
        ("1795906800", "Europe/Paris", date(2026, 11, 29)),
    ],
)
def test_a_moment_is_turned_into_the_clubs_own_day(written: str, zone: str, day: date) -> None:
    """A midnight without an offset is its own day, whatever the ERP's clock."""
    assert dates(zone).day(written) == day
    assert column(written, zone=zone) == [day]
    if not written.endswith("Z"):
        assert dates(zone, clock=ZoneInfo("UTC")).day(written) == day


def test_a_time_without_an_offset_is_by_the_erps_clock() -> None:
    assert dates(clock=ZoneInfo("UTC")).day("2026-11-28T23:30:00") == date(2026, 11, 29)
    assert dates().day("2026-11-28T23:30:00") == date(2026, 11, 28)


@pytest.mark.parametrize(
    ("values", "read"),
    [
        # one cell proves the order for all of its column
        (["01/02/2026", "28/11/2026"], [date(2026, 2, 1), date(2026, 11, 28)]),
        (["01/02/2026", "11/28/2026"], [date(2026, 1, 2), date(2026, 11, 28)]),
        (["01-02-2026 10:00", "11-28-2026"], [date(2026, 1, 2), date(2026, 11, 28)]),
        (["1/2/26", "11/28/26 3:45 PM"], [date(2026, 1, 2), date(2026, 11, 28)]),
        # both are proved: what proves neither cannot be read
        (
            ["01/02/2026", "28/11/2026", "11/28/2026", "03/03/2026", "2026-12-24"],
            [
                UNREADABLE_DATE,
                date(2026, 11, 28),
                date(2026, 11, 28),
                date(2026, 3, 3),
                date(2026, 12, 24),
            ],
        ),
    ],
)
def test_a_column_has_one_order_of_day_and_month(values: list[str], read: list[object]) -> None:
    assert column(*values) == read


def test_where_nothing_proves_it_the_country_decides() -> None:
    assert column("01/02/2026") == [date(2026, 2, 1)]
    assert column("01/02/2026", country="US", zone="America/New_York") == [date(2026, 1, 2)]
    assert column("28/11/2026", "01/02/2026", country="US") == [
        date(2026, 11, 28),
        date(2026, 2, 1),
    ]


def test_the_columns_of_one_reading_help_each_other() -> None:
    """The ends are all on the first of a month; the births say how the export writes dates."""
    frame = pl.DataFrame(
        {"birth_date": ["11/28/1990", "01/02/1990"], "valid_until": ["01/02/2026", "02/01/2026"]}
    )
    read = dates().read(frame)
    assert read["valid_until"].to_list() == [date(2026, 1, 2), date(2026, 2, 1)]


def test_a_given_format_comes_first() -> None:
    assert column("11/01/2026", "2026-12-24", formats=["%m/%d/%Y"]) == [
        date(2026, 11, 1),
        date(2026, 12, 24),
    ]
    assert column("1 Nov 2026", formats=["%d %b %Y"]) == [date(2026, 11, 1)]


def test_a_spreadsheets_count_of_days() -> None:
    """Only where the column holds nothing else."""
    assert column("45987", "46000.5", None, "0") == [
        date(2025, 11, 26),
        date(2025, 12, 9),
        None,
        None,
    ]
    assert column("45987", "2026-11-01") == [UNREADABLE_DATE, date(2026, 11, 1)]
    assert column("45987", "soon") == [UNREADABLE_DATE, UNREADABLE_DATE]


def test_moments_without_an_offset_are_the_clubs_clock() -> None:
    values = {
        "2026-07-01T10:00:00Z": datetime(2026, 7, 1, 10, tzinfo=UTC),
        "2026-07-01T10:00:00+02:00": datetime(2026, 7, 1, 8, tzinfo=UTC),
        "2026-07-01 10:00": datetime(2026, 7, 1, 8, tzinfo=UTC),
        "01/07/2026 10:00:30": datetime(2026, 7, 1, 8, 0, 30, tzinfo=UTC),
        "2026-01-01": datetime(2025, 12, 31, 23, tzinfo=UTC),
        "2026-10-25 02:30": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        "1782900000": datetime(2026, 7, 1, 10, tzinfo=UTC),
    }
    stamps, words = dates().days(pl.Series(list(values)), Kind.STAMP)
    assert stamps.to_list() == list(values.values())
    assert words.null_count() == len(values)
    for written, moment in values.items():
        assert dates().moment(written) == moment


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.binary()
    | st.from_regex(r"[0-9]{1,20}", fullmatch=True)
    | st.from_regex(
        r"-?[0-9]{1,6}[-/.][0-9]{1,2}[-/.][0-9]{1,6}( [0-9:.]{1,12}(Z|[+-][0-9:]{1,8})?)?"
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@example("9999-12-31T23:59:59-23:59", Kind.SPAN, "Pacific/Kiritimati")
@example("0001-01-02T00:00:00+23:59", Kind.SPAN, "Pacific/Pago_Pago")
@example("2026-01-01T00:00:00+99:99", Kind.STAMP, "UTC")
@example("\ud83d", Kind.SPAN, "UTC")
@example("9" * 5000, Kind.STAMP, "UTC")
@given(ANYTHING, st.sampled_from(list(Kind)), st.sampled_from(ZONES))
def test_the_door_is_total(value: object, kind: Kind, zone: str) -> None:
    """Whatever stands in place of a date: a day, missing, or unreadable; no error, and nothing out of range."""
    day = dates(zone).day(value, kind)
    assert day is None or day is UNREADABLE_DATE or (type(day) is date and 1900 <= day.year < 2999)
    moment = dates(zone, unix=True).moment(value)
    assert moment is None or moment is UNREADABLE_DATE or isinstance(moment, datetime)


@given(
    st.lists(
        st.none()
        | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
        | st.from_regex(
            r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}( [0-9]{2}:[0-9]{2}(Z|\+02:00)?)?"
        ),
        max_size=6,
    ),
    st.sampled_from(list(Kind)),
)
def test_a_column_of_anything_is_read(values: list[str | None], kind: Kind) -> None:
    """Each cell is a day, missing, or unreadable, as it would be by itself but for the column's order."""
    series = pl.Series(values, dtype=pl.String)
    read, words = dates().days(series, kind)
    assert read.len() == words.len() == series.len()
    assert not (read.is_not_null() & words.is_not_null()).any()
    read.to_list()


@given(st.dates(min_value=date(1901, 1, 1), max_value=date(2199, 12, 31)))
def test_a_day_is_read_as_it_was_written(day: date) -> None:
    if day in (date(1970, 1, 1), date(1969, 12, 31)):
        return
    for form in (day.isoformat(), f"{day:%Y%m%d}", f"{day:%Y-%m-%d} 00:00:00", f"{day:%Y/%m/%d}"):
        assert column(form) == [day]
    assert column(f"{day:%d/%m/%Y}", "28/11/2026")[0] == day
    assert column(f"{day:%m/%d/%Y}", "11/28/2026")[0] == day


_SAME_TEXTS = st.lists(
    st.tuples(
        st.sampled_from(("2026-03-04", "03/04/2026", "1970-01-01", "9999-12-31", "soon", "vie")),
        st.sampled_from(Kind),
        st.sampled_from((None, "day", "month")),
    ),
    max_size=30,
)


@pytest.mark.parametrize("no_end", [(), ("vie",)])
@given(asked=_SAME_TEXTS)
def test_a_text_that_was_read_before_is_read_as_the_first_time(
    no_end: tuple[str, ...], asked: list[tuple[str, Kind, Any]]
) -> None:
    """Also after more texts than are remembered, and of another kind or order."""
    ours = dates(no_end=no_end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk_dates, "_REMEMBERED", 3)
        for text, kind, order in asked:
            alone = dates(no_end=no_end).day(text, kind, order)
            assert ours.day(text, kind, order) == alone


def test_a_clubs_own_word_is_noted_whenever_it_is_met() -> None:
    ours = dates(no_end=("vie",))
    for _ in range(2):
        with sdk_dates.no_end_met() as met:
            assert ours.day("vie") is None
        assert met == {"vie"}
