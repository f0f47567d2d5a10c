"""Dates and moments as ERPs write them: one door for every connector, and it is total (R3).

Whatever stands in place of a date - text, a number, an object, nothing - is one of three:

- **a day**, or a moment;
- **missing**: blank, or what systems write for "never" and "none": the year 0, 1, and those from 2999 on, 1899-12-30
  and the other zeros of databases and spreadsheets, 1970-01-01 and the number 0 (of a birth date, 1970-01-01 is a
  date), and the club's own `no_end` words and days; all of them with or without a time and an offset;
- **unreadable**: there, and neither: unknown, never "no end".

How a date is read:

- The settings' `date_format` comes first. Otherwise ISO 8601, year first with `/` or `.`, and day and month in either
  order with `/`, `.` or `-`; two digits of a year with `/` and `.`; each with or without a time, AM and PM, an offset.
- **A column has one order of day and month.** A first number above 12 proves day first, a second one month first; where
  both are proved, only the cells that prove theirs are read. Where a column proves neither, the other columns of the
  same reading decide, where they agree, and else the club's country: month first in the US, day first elsewhere.
- Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, by their size, or 20261128. A column of
  nothing but numbers from 20000 to 80000 is a spreadsheet's count of days.
- **A moment is turned into the club's own day.** With an offset, by the club's time zone: `2026-11-28T23:00:00Z` is
  29 November in Paris. Without one it is by the ERP's clock; a midnight, or the last minute of a day, is its own day
  whatever the clock, because that is how systems write a date that has to have a time.
- An end is never read as exclusive: a last day at midnight is that day. An ERP that means the day before has a
  setting for it (`until_included` of `rest`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import AfterValidator

from connectors.sdk import cells
from connectors.sdk.base import Club
from connectors.sdk.messages import message
from connectors.sdk.model import noted, with_notes
from connectors.sdk.words import word


class Kind(StrEnum):
    """What a date is the date of."""

    BIRTH = "birth"
    #: the first or last day of a status, a membership.
    SPAN = "span"
    #: when a record was created or changed.
    STAMP = "stamp"


def _is_pattern(value: str) -> str:
    """A strptime pattern that has a whole day.

    :raises ValueError: it has not.
    """
    day = datetime(2031, 11, 28, 13, 45, 59, tzinfo=UTC)
    try:
        found = datetime.strptime(day.strftime(value), value)  # noqa: DTZ007  # its day only
    except ValueError:
        found = None
    if found is None or found.date() != day.date():
        raise ValueError(message("write year, month and day, such as %d/%m/%Y or %Y-%m-%d %H:%M"))
    return value


#: A strptime pattern of days or moments, checked when the settings are read.
DateFormat = Annotated[str, AfterValidator(_is_pattern)]

KINDS = {
    "birth_date": Kind.BIRTH,
    "valid_from": Kind.SPAN,
    "valid_until": Kind.SPAN,
    "created_at": Kind.STAMP,
    "modified_at": Kind.STAMP,
}

#: A stamp that changes nothing: that it cannot be read is not told either.
_UNTOLD = ("modified_at",)
#: The first year that means "never"; 9999 and a database's last days are among those that follow.
NEVER_FROM = 2999
#: The first and last year of a birth.
_BIRTHS = (1900, 2199)
#: Days that systems write for "none": the zeros of spreadsheets and databases, their first days.
_NONE = frozenset(
    {
        *((1899, 12, 30), (1899, 12, 31), (1900, 1, 1)),
        *((1000, 1, 1), (1601, 1, 1), (1753, 1, 1)),
    }
)
#: The zero of Unix times, and the same moment as servers west of Greenwich write it: no end, no start, no stamp.
_EPOCH = frozenset({(1970, 1, 1), (1969, 12, 31)})
#: Words for "never ends", in every club, in the languages of our clubs' ERPs.
NO_END = (
    *("unlimited", "never", "no end", "no expiry", "does not expire", "lifetime", "\u221e"),
    *(
        "illimit\u00e9",
        "illimit\u00e9e",
        "illimit\u00e9(e)",
        "sans fin",
        "sans limite",
        "jamais",
        "\u00e0 vie",
    ),
    *("unbefristet", "unbegrenzt", "nie", "ohne ende"),
    *("ilimitado", "ilimitada", "indefinido", "indefinida", "sin fin", "nunca"),
    *("illimitato", "illimitata", "mai", "onbeperkt", "nooit"),
)
#: Text that means "none" or "never" to databases.
_WORDS = frozenset({"infinity", "-infinity", "inf", "-inf", "+inf", "nat"})
#: Words that mean "never" or "none" to every club, in the form in which words are compared.
_NEVER = _WORDS | {word(one) for one in (*cells.BLANK, *NO_END)}
#: The last day of a membership that gives no access, where the ERP does not say which one it was: the same in every
#: reading. What somebody held and is over is a group (R3); not to hold any is another thing.
LONG_AGO = date(1970, 1, 1)
#: What Excel calls 9999-12-31.
_LAST_SERIAL = 2_958_465
#: What it calls the first day of `NEVER_FROM`.
_NEVER_SERIAL = (date(NEVER_FROM, 1, 1) - date(1899, 12, 30)).days
_SERIALS = (20_000, 80_000)
_LARGEST = 2**63 - 1
#: How many texts are remembered.
_REMEMBERED = 10_000

Order = Literal["day", "month", "both"]


class _Unreadable:
    def __repr__(self) -> str:
        return "UNREADABLE"


#: A value is there, and is not a date.
UNREADABLE_DATE: Final = _Unreadable()

_SEP = r"[-/.\u2010-\u2015]"
_TIME = (
    r"(?P<h>\d{1,2})[:hH.](?P<mi>\d{2})(?:[:.](?P<s>\d{2})(?:[.,](?P<f>\d+))?)?"
    r"\s*(?P<ap>[AaPp]\.?\s?[Mm]\.?)?\s*(?P<off>[Zz]|UTC|GMT|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?"
    r"(?:\[[\w/+-]+\])?"
)
_YEAR_FIRST = re.compile(
    rf"(?P<y>[+-]?\d{{4,6}})(?P<sep>{_SEP})(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}})(?:(?:[T_]|,?\s+){_TIME})?"
)
_YEAR_LAST = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<sep>{_SEP})(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|\d{{2}})(?:(?:T|,?\s+){_TIME})?"
)
_COMPACT = re.compile(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T?(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})(?P<off>Z|[+-]\d{4})?)?"
)
_MICROSOFT = re.compile(r"\\?/Date\((-?\d+)(?:[+-]\d{4})?\)\\?/")
_NUMBER = re.compile(r"([+-]?\d+)(?:[.,](\d+))?")
#: The frame of a date without its digits: `  /  /    `, `__.__.____`, `0000-00-00` has them.
_NOTHING = re.compile(r"[-\s/._:,|\u2010-\u2015]*")
#: A longer text is no date, whatever it says.
_LONGEST = 100


@dataclass(frozen=True)
class _Written:
    """A date as it was written. :param at: its time; :param offset: of that time, where it says so."""

    year: int
    month: int
    day: int
    at: tuple[int, int, int, int] | None = None
    offset: timedelta | None = None


@dataclass(frozen=True)
class Dates:
    """How the dates of one club's ERP are read.

    :param club: its time zone, its country, and its `no_end` words.
    :param formats: strptime patterns that come first.
    :param clock: the time zone of moments without an offset; None: the club's.
    :param unix: numbers are Unix times, however small.
    """

    club: Club
    formats: Sequence[str] = ()
    clock: ZoneInfo | None = None
    unix: bool = False
    #: the club's `no_end` words, by the form in which words are compared.
    _own: Mapping[str, str] = field(init=False, repr=False, compare=False)
    #: the days among them.
    _last_days: Mapping[tuple[int, int, int], str] = field(init=False, repr=False, compare=False)
    #: what `day` has made of a text: memberships end on the same days.
    _read_days: dict[tuple[str, Kind, Order | None], date | _Unreadable | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_own", {word(one): one for one in self.club.no_end})
        days = {one: self._parsed(one.strip(), Kind.SPAN, "day") for one in self.club.no_end}
        written = {
            (d.year, d.month, d.day): one for one, d in days.items() if isinstance(d, _Written)
        }
        object.__setattr__(self, "_last_days", written)

    # one value

    def day(
        self, value: object, kind: Kind = Kind.SPAN, order: Order | None = None
    ) -> date | _Unreadable | None:
        """One value as a day of the club's calendar: the day, None where there is none, or `UNREADABLE_DATE`.

        Never raises, whatever the value.

        :param order: of day and month; None: the one that it proves, else the country's.
        """
        # a club's own words are noted whenever they are met
        if not isinstance(value, str) or self._own:
            return self._day_of(value, kind, order)
        key = (value, kind, order)
        if key not in self._read_days:
            if len(self._read_days) == _REMEMBERED:
                self._read_days.clear()
            self._read_days[key] = self._day_of(value, kind, order)
        return self._read_days[key]

    def _day_of(self, value: object, kind: Kind, order: Order | None) -> date | _Unreadable | None:
        found = self._read(value, kind, order)
        return found if found is None or isinstance(found, _Unreadable) else self._day(found, kind)

    def moment(self, value: object, order: Order | None = None) -> datetime | _Unreadable | None:
        """One value as a moment, in UTC; a date alone is its start in the club's calendar. Otherwise as `day`."""
        found = self._read(value, Kind.STAMP, order)
        if found is None or isinstance(found, _Unreadable):
            return found
        day = self._day(found, Kind.STAMP)
        return day if day is None or isinstance(day, _Unreadable) else self._moment(found)

    def _read(
        self, value: object, kind: Kind, order: Order | None
    ) -> _Written | _Unreadable | None:
        if isinstance(value, datetime):
            return _of_datetime(value)
        if isinstance(value, date):
            return _Written(value.year, value.month, value.day)
        text = _text(value)
        if text is None or isinstance(text, _Unreadable):
            return text
        if self._is_none(text):
            return None
        return self._parsed(text, kind, order or self._order_of_one(text))

    def _is_none(self, text: str) -> bool:
        form = word(text)
        if (own := self._own.get(form)) is not None:
            _note(own)
            return True
        return _NOTHING.fullmatch(text) is not None or form in _NEVER

    def _parsed(self, text: str, kind: Kind, order: Order) -> _Written | _Unreadable | None:
        for pattern in self.formats:
            found = _by_pattern(text, pattern)
            if found is not None:
                return found
        if match := _YEAR_FIRST.fullmatch(text):
            return _with_time(match, int(match["y"]), int(match["m"]), int(match["d"]))
        if match := _YEAR_LAST.fullmatch(text):
            return _in_order(match, kind, order)
        if match := _MICROSOFT.fullmatch(text):
            return _since_1970(int(match[1]), 1000, kind)
        if match := _NUMBER.fullmatch(text):
            return self._number(text, match, kind)
        if match := _COMPACT.fullmatch(text):
            return _with_time(match, int(match["y"]), int(match["m"]), int(match["d"]))
        return UNREADABLE_DATE

    def _number(self, text: str, match: re.Match[str], kind: Kind) -> _Written | _Unreadable | None:
        """0 is none; 8 digits are a date, 14 a date and time, 4 a year that means never; longer ones a Unix time."""
        whole = int(match[1])
        if whole == 0 or abs(whole) >= _LARGEST or whole == _LAST_SERIAL:
            return None
        unsigned = text.isdecimal() and not self.unix
        if unsigned and len(text) in (8, 14) and (compact := _COMPACT.fullmatch(text)):
            return _with_time(compact, int(compact["y"]), int(compact["m"]), int(compact["d"]))
        if unsigned and len(text) == 4 and whole >= NEVER_FROM:
            return None
        # a small number is the time of a birth, never the end of a membership: that would take access away
        if abs(whole) >= 100_000_000 or (self.unix and kind is not Kind.SPAN):
            return _since_1970(whole, _unit(whole), kind)
        return UNREADABLE_DATE

    def _order_of_one(self, text: str) -> Order:
        """The order that a date by itself proves, else the country's."""
        match = _YEAR_LAST.fullmatch(text)
        if match is None or (int(match["a"]) <= 12) == (int(match["b"]) <= 12):
            return self._country_order
        return "day" if int(match["a"]) > 12 else "month"

    @property
    def _country_order(self) -> Order:
        return "month" if self.club.country == "US" else "day"

    # what was written -> the club's day, a moment

    def _day(self, found: _Written, kind: Kind) -> date | _Unreadable | None:
        if self._is_no_date(found.year, found.month, found.day, kind):
            return None
        try:
            written = date(found.year, found.month, found.day)
            if found.at is None:
                return _plausible(written, kind)
            hour, minute, second, _ = found.at
            on_the_edge = (hour, minute) in ((0, 0), (23, 59), (24, 0)) and found.offset is None
            if hour == 24 and (minute or second):
                return UNREADABLE_DATE
            if second > 59 or minute > 59 or hour > 24:
                return UNREADABLE_DATE
            if on_the_edge or (found.offset is None and self.clock in (None, self.club.timezone)):
                return _plausible(written, kind)
            moment = self._moment(found)
            if isinstance(moment, _Unreadable):
                return moment
            local = moment.astimezone(self.club.timezone).date()
        except (ValueError, OverflowError, OSError):
            return UNREADABLE_DATE
        days = {moment.date(), local}
        if any(self._is_no_date(d.year, d.month, d.day, kind) for d in days):
            return None
        return _plausible(local, kind)

    def _is_no_date(self, year: int, month: int, day: int, kind: Kind) -> bool:
        own = self._last_days.get((year, month, day)) if kind is Kind.SPAN else None
        if own is not None:
            _note(own)
            return True
        return _is_no_date(year, month, day, kind)

    def _moment(self, found: _Written) -> datetime | _Unreadable:
        try:
            hour, minute, second, fraction = found.at or (0, 0, 0, 0)
            midnight = datetime(found.year, found.month, found.day)  # noqa: DTZ001  # the zone comes below
            wall = midnight + timedelta(
                hours=hour, minutes=minute, seconds=second, microseconds=fraction
            )
            if found.offset is not None:
                return (wall - found.offset).replace(tzinfo=UTC)
            zone = self.clock if found.at is not None and self.clock else self.club.timezone
            return wall.replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return UNREADABLE_DATE

    # columns

    def read(self, frame: pl.DataFrame, columns: Mapping[str, Kind] | None = None) -> pl.DataFrame:
        """A frame of texts with its dates read, and those that cannot be read noted in `unreadable`.

        :param columns: which columns are dates, and of what; None: the canonical ones among them.
        :returns: the frame; days as Date, stamps as Datetime in UTC.
        """
        kinds = {n: k for n, k in (columns or KINDS).items() if n in frame.columns}
        texts = {name: _texts(frame[name]) for name in kinds}
        orders = self._orders(texts)
        notes, read = [], []
        for name, kind in kinds.items():
            values, words = self._column(texts[name], kind, orders[name])
            read.append(values.alias(name))
            if words is not None and name not in _UNTOLD:
                notes.append(noted(name, words))
        return with_notes(frame.with_columns(read), notes)

    def days(
        self, values: pl.Series, kind: Kind = Kind.SPAN, others: Sequence[pl.Series] = ()
    ) -> tuple[pl.Series, pl.Series]:
        """A column of texts as days, and the words of those that cannot be read (null where they can be).

        :param others: columns of the same reading, whose dates are in the same order if this one proves none.
        """
        texts = {"it": _texts(values), **{str(i): _texts(o) for i, o in enumerate(others)}}
        days, words = self._column(texts["it"], kind, self._orders(texts)["it"])
        nothing = pl.Series([None] * values.len(), dtype=pl.String)
        return days.alias(values.name), words if words is not None else nothing

    def _orders(self, texts: Mapping[str, pl.Series]) -> dict[str, Order]:
        """The order of day and month in each column."""
        proved = {name: order_of(values) for name, values in texts.items()}
        known = {order for order in proved.values() if order is not None}
        usual: Order = known.pop() if len(known) == 1 else self._country_order
        if usual == "both":
            usual = self._country_order
        return {name: order or usual for name, order in proved.items()}

    def _column(
        self, values: pl.Series, kind: Kind, order: Order
    ) -> tuple[pl.Series, pl.Series | None]:
        """One column, each distinct text looked at once; the words are None where all can be read."""
        stamp = kind is Kind.STAMP
        dtype = pl.Datetime("us", "UTC") if stamp else pl.Date()
        distinct = values.drop_nulls().unique()
        if distinct.is_empty():
            return pl.Series([None] * values.len(), dtype=dtype), None
        table = self._plain(distinct, kind)
        left = table.filter(pl.col("value").is_null() & ~pl.col("none"))["text"]
        serial = left.len() == table.height and _are_serials(
            text for text in left if not self._is_none(text)
        )
        read: list[Any] = []
        odd: list[str] = []
        for text in left:
            value = _of_serial(text) if serial else text
            found = self.moment(value, order) if stamp else self.day(value, kind, order)
            read.append(None if isinstance(found, _Unreadable) else found)
            if isinstance(found, _Unreadable):
                odd.append(text)
        rest = pl.DataFrame({"text": left, "other": pl.Series(read, dtype=dtype)})
        table = table.join(rest, on="text", how="left").select(
            "text", value=pl.coalesce("value", "other")
        )
        out = (
            values.to_frame("text")
            .join(table, on="text", how="left", maintain_order="left")["value"]
            .cast(dtype)
        )
        if not odd:
            return out, None
        return out, values.to_frame("t").select(
            pl.when(pl.col("t").is_in(odd)).then(pl.col("t"))
        ).to_series()

    def _plain(self, distinct: pl.Series, kind: Kind) -> pl.DataFrame:
        """The texts in the forms that nearly all have, read at once: text, value, `none` (it is no date)."""
        frame = distinct.to_frame("text")
        if self.formats:
            dtype = pl.Datetime("us", "UTC") if kind is Kind.STAMP else pl.Date
            return frame.with_columns(value=pl.lit(None, dtype=dtype), none=pl.lit(False))
        if kind is Kind.STAMP:
            value = self._plain_moments(frame)
            local = pl.col("value").dt.convert_time_zone(str(self.club.timezone)).dt.date()
            days = [pl.col("value").dt.date(), local]
        else:
            iso = pl.col("text").str.contains(r"^\d{4}-\d{2}-\d{2}$")
            value = frame.select(
                value=pl.when(iso).then(pl.col("text")).str.to_date("%Y-%m-%d", strict=False)
            )["value"]
            days = [pl.col("value")]
        own = [date(*parts) for parts in self._last_days] if kind is Kind.SPAN else []
        if own and _met.get() is not None:
            self._note_days(value.unique())
        none = pl.any_horizontal([_none(day, kind, own) for day in days]).fill_null(value=False)
        table = frame.with_columns(value=value).with_columns(none=none)
        # what is out of range is left to the one by one, which says what it is
        fits = _in_range(days[0], kind) & ~pl.col("none")
        return table.with_columns(value=pl.when(fits).then("value"))

    def _note_days(self, days: pl.Series) -> None:
        for day in days.drop_nulls():
            if (own := self._last_days.get((day.year, day.month, day.day))) is not None:
                _note(own)

    def _plain_moments(self, frame: pl.DataFrame) -> pl.Series:
        """ISO moments; null for all other texts."""
        clock = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
        offset = r"(?:Z|[+-]\d{2}:?\d{2})"
        text = pl.col("text").str.replace(r"^(\d{4}-\d{2}-\d{2})T", "$1 ")
        plain = pl.col("iso").str.contains(rf"^\d{{4}}-\d{{2}}-\d{{2}} {clock}{offset}?$")
        frame = frame.select(iso=text).select(iso=pl.when(plain).then("iso"))
        aware = pl.col("iso").str.contains(rf"{offset}$")
        halves = frame.select(
            aware=pl.when(aware)
            .then("iso")
            .str.replace(r"Z$", "+0000")
            .str.replace(r"([+-]\d{2}):(\d{2})$", "$1$2"),
            naive=pl.when(~aware).then("iso"),
        )
        return halves.select(
            value=pl.coalesce(
                _parsed_moments(halves["aware"], "%z"),
                _parsed_moments(halves["naive"], "")
                .dt.replace_time_zone(
                    str(self.clock or self.club.timezone),
                    ambiguous="earliest",
                    non_existent="null",
                )
                .dt.convert_time_zone("UTC"),
            )
        )["value"]


def _parsed_moments(texts: pl.Series, offset: str) -> pl.Series:
    """ISO moments with or without seconds, each distinct form tried only where it is needed."""
    zone = "UTC" if offset else None
    out = pl.Series(texts.name, [None] * texts.len(), dtype=pl.Datetime("us", zone))
    for time in ("%H:%M:%S%.f", "%H:%M"):
        if out.null_count() == texts.null_count():
            break
        form = f"%Y-%m-%d {time}{offset}"
        read = texts.str.to_datetime(form, strict=False, time_unit="us", time_zone=zone)
        out = out.zip_with(out.is_not_null(), read)
    return out


class RowDates:
    """The dates of one record, read one by one.

    :param unreadable: what could not be read, for the column `unreadable` of the record's row.
    """

    def __init__(self, dates: Dates) -> None:
        self._dates = dates
        self.unreadable: list[dict[str, str | None]] = []

    def day(
        self, value: object, name: str, kind: Kind = Kind.SPAN, group: str | None = None
    ) -> date | None:
        """A day; None, and noted, where it cannot be read.

        :param name: the canonical field; :param group: of a membership's day, its group.
        """
        found = self._dates.day(value, kind)
        if not isinstance(found, _Unreadable):
            return found
        self.unreadable.append({"field": name, "word": _told(value, kind), "group": group})
        return None

    def moment(self, value: object, name: str) -> datetime | None:
        """A moment in UTC; None, and noted, where it cannot be read."""
        found = self._dates.moment(value)
        if not isinstance(found, _Unreadable):
            return found
        if name in _UNTOLD:
            return None
        told = _told(value, Kind.STAMP)
        self.unreadable.append({"field": name, "word": told, "group": None})
        return None

    def note(self, name: str, word: str | None, group: str | None = None) -> None:
        """Note a value that is unknown for another reason than the way it is written."""
        told = None if word is None else cells.shown(word)
        self.unreadable.append({"field": name, "word": told, "group": group})


def _told(value: object, kind: Kind) -> str | None:
    """A value that is not a date, as a finding shows it; nothing of a birth."""
    if not isinstance(value, str):
        return cells.NOT_TEXT if isinstance(value, dict | list) else str(value)[:20]
    if kind is Kind.SPAN or cells.is_unreadable(value):
        return cells.shown(value.encode("utf-8", "replace").decode().strip())
    return None


def order_of(values: pl.Series) -> Order | None:
    """The order of day and month that a column proves; None: it proves neither."""
    parts = (
        values.drop_nulls()
        .unique()
        .to_frame("text")
        .select(
            pl.col("text").str.extract_groups(
                rf"^(\d{{1,2}}){_SEP}(\d{{1,2}}){_SEP}\d{{2,4}}(?:\D|$)"
            )
        )
        .to_series()
        .struct.unnest()
    )
    first, second = (parts[name].cast(pl.Int32, strict=False) for name in parts.columns[:2])
    high_first = bool(((first > 12) & (first <= 31) & (second <= 12)).any())
    high_second = bool(((second > 12) & (second <= 31) & (first <= 12)).any())
    if high_first and high_second:
        return "both"
    if high_first or high_second:
        return "day" if high_first else "month"
    return None


# parts -----------------------------------------------------------------------------------------


def _texts(values: pl.Series) -> pl.Series:
    """A column as text, stripped of white space and of what nobody sees; blank is null."""
    if values.dtype != pl.String:
        values = values.cast(pl.String, strict=False)
    text = pl.col("t").str.replace_all("[\u200b\u200e\u200f\u2060\ufeff\0]", "").str.strip_chars()
    return (
        values.to_frame("t")
        .select(pl.when((text != "") & ~cells.blank(text)).then(text))
        .to_series()
    )


def _text(value: object) -> str | _Unreadable | None:
    """One value as text; numbers without a needless decimal point."""
    if value is None:
        return None
    if isinstance(value, bool):
        return UNREADABLE_DATE
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        # larger ones than any clock's are "never", and Python does not write them out
        return str(value) if abs(value) < _LARGEST else None
    if not isinstance(value, str) or len(value) > _LONGEST:
        return UNREADABLE_DATE
    if value.isascii() and value.isprintable():
        return value.strip() or None
    text = "".join(c for c in value if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return text.strip() or None


def _of_datetime(value: datetime) -> _Written:
    at = (value.hour, value.minute, value.second, value.microsecond)
    return _Written(value.year, value.month, value.day, at, value.utcoffset())


def _by_pattern(text: str, pattern: str) -> _Written | None:
    try:
        found = datetime.strptime(text, pattern)  # noqa: DTZ007  # the offset, where there is one, is kept
    except (ValueError, OverflowError):
        return None
    if not re.search(r"%[HIcXTR]", pattern):
        return _Written(found.year, found.month, found.day)
    return _of_datetime(found)


def _with_time(match: re.Match[str], year: int, month: int, day: int) -> _Written | _Unreadable:
    parts = match.groupdict()
    if parts.get("h") is None:
        return _Written(year, month, day)
    hour = int(parts["h"])
    half = (parts.get("ap") or "").lower()[:1]
    if half:
        if not 1 <= hour <= 12:
            return UNREADABLE_DATE
        hour = hour % 12 + (12 if half == "p" else 0)
    fraction = int(((parts.get("f") or "") + "000000")[:6])
    at = (hour, int(parts["mi"]), int(parts["s"] or 0), fraction)
    return _Written(year, month, day, at, _offset(parts.get("off")))


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    digits = re.sub(r"[^0-9]", "", text)
    if not digits:
        return timedelta(0)
    hours, minutes = int(digits[:2]), int(digits[2:4] or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if "-" in text else offset


def _in_order(match: re.Match[str], kind: Kind, order: Order) -> _Written | _Unreadable:
    """Day and month in the column's order; where a column has both, only what proves its own."""
    first, second, year = int(match["a"]), int(match["b"]), match["y"]
    if len(year) == 2 and match["sep"] not in "/.":
        return UNREADABLE_DATE
    full = int(year) if len(year) == 4 else _century(int(year), kind)
    if order == "both":
        if first <= 12 and second <= 12 and first != second:
            return UNREADABLE_DATE
        order = "month" if second > 12 else "day"
    day, month = (first, second) if order == "day" else (second, first)
    return _with_time(match, full, month, day)


def _century(year: int, kind: Kind) -> int:
    """A year of two digits: nobody is born in the future, and nothing else lies more than 30 years before 2000."""
    if kind is Kind.BIRTH:
        return 2000 + year if year <= datetime.now(UTC).year % 100 else 1900 + year
    return 2000 + year if year < 70 else 1900 + year


def _unit(number: int) -> int:
    """How many of a Unix time's units a second has: by size, as seconds until the year 5138."""
    size = abs(number)
    return next(unit for limit, unit in _UNITS if size < limit)


_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (2**64, 10**9))
#: 9999 in seconds has the digits of 1978 in milliseconds, and in milliseconds those of 1978 in microseconds.
_LAST_DAYS = (253_370_764_800, 253_402_387_200)


def _since_1970(number: int, unit: int, kind: Kind) -> _Written | _Unreadable | None:
    """A Unix time; the zero, and those from 2999 on, are none."""
    first, last = _LAST_DAYS
    if number == 0 or any(first * u <= number < last * u for u in (1, 1000)):
        return None
    seconds, rest = divmod(number, unit)
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=seconds, microseconds=rest * 10**6 // unit
        )
    except OverflowError:
        return None if number > 0 else UNREADABLE_DATE
    if moment.year >= NEVER_FROM and kind is Kind.BIRTH and unit == 1:
        return _since_1970(number, 1000, kind)
    return _of_datetime(moment)


def _is_no_date(year: int, month: int, day: int, kind: Kind) -> bool:
    if year <= 1 or year >= NEVER_FROM or (year, month, day) in _NONE:
        return True
    return kind is not Kind.BIRTH and (year, month, day) in _EPOCH


def _none(day: pl.Expr, kind: Kind, own: Sequence[date]) -> pl.Expr:
    """`_is_no_date` of a column of days.

    :param own: days that mean "never" to the club.
    """
    written = [date(*parts) for parts in _NONE] + [*own]
    if kind is not Kind.BIRTH:
        written += [date(*parts) for parts in _EPOCH]
    return (day.dt.year() <= 1) | (day.dt.year() >= NEVER_FROM) | day.is_in(written)


def _plausible(day: date, kind: Kind) -> date | _Unreadable:
    """A day, unless nobody can have been born then, or it is of a year that was mistyped (0026)."""
    first, last = _BIRTHS if kind is Kind.BIRTH else (1900, NEVER_FROM - 1)
    return day if first <= day.year <= last else UNREADABLE_DATE


def _in_range(day: pl.Expr, kind: Kind) -> pl.Expr:
    first, last = _BIRTHS if kind is Kind.BIRTH else (1900, NEVER_FROM - 1)
    return day.dt.year().is_between(first, last)


def _of_serial(text: str) -> date | str:
    """The day that a spreadsheet counts so."""
    match = _NUMBER.fullmatch(text)
    whole = int(match[1]) if match else 0
    return date(1899, 12, 30) + timedelta(days=whole) if whole else text


def _are_serials(texts: Iterable[str]) -> bool:
    """Whether all are a spreadsheet's count of days, beside those that mean none."""
    found = False
    for text in texts:
        match = _NUMBER.fullmatch(text)
        days = int(match[1]) if match else -1
        if days == 0 or _NEVER_SERIAL <= days <= _LAST_SERIAL:
            continue
        if not _SERIALS[0] <= days <= _SERIALS[1]:
            return False
        found = True
    return found


# what a club's own words were met in ----------------------------------------------------------

_met: ContextVar[set[str] | None] = ContextVar("met", default=None)


@contextmanager
def no_end_met() -> Iterator[set[str]]:
    """Which of the club's own `no_end` words stood in place of a date, of what is read while the block runs."""
    met: set[str] = set()
    token = _met.set(met)
    try:
        yield met
    finally:
        _met.reset(token)


def _note(own: str) -> None:
    met = _met.get()
    if met is not None:
        met.add(own)


def is_usual(text: str) -> bool:
    """Whether a word means "never" or "none" to every club."""
    return _NOTHING.fullmatch(text.strip()) is not None or word(text) in _NEVER
