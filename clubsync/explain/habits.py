"""How a country writes lists: the delimiter of CSV files, dates and phones, as its spreadsheets read them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import phonenumbers
from babel import Locale, UnknownLocaleError, dates
from babel.languages import get_official_languages

if TYPE_CHECKING:
    from clubsync.config import ClubConfig

#: Countries with a decimal point whose spreadsheets separate columns by semicolons all the same.
_SEMICOLON_TOO = frozenset({"CH", "LI"})


@dataclass(frozen=True)
class Habits:
    """How a club writes.

    :param delimiter: of the columns of a CSV file: a comma where the decimals have a point, else a semicolon.
    :param locale: whose dates it writes.
    :param country: whose phones need no prefix.
    :param day_format: strptime pattern of the club's own files, if its settings name one.
    """

    delimiter: str
    locale: Locale
    country: str
    day_format: str | None = None

    def day(self, value: date) -> str:
        """A day as the club writes it: 28/11/2026."""
        if self.day_format is not None:
            return value.strftime(self.day_format)
        return str(dates.format_date(value, _pattern(self.locale), locale=self.locale))

    def phone(self, text: str) -> str:
        """A phone as the club dials it: 06 12 34 56 78, of another country +34 612 34 56 78.

        :param text: E.164, or what could not be parsed, which stays as it is.
        """
        if not text.startswith("+"):
            return text
        try:
            number = phonenumbers.parse(text)
        except phonenumbers.NumberParseException:
            return text
        own = phonenumbers.country_code_for_region(self.country) == number.country_code
        form = phonenumbers.PhoneNumberFormat
        return phonenumbers.format_number(number, form.NATIONAL if own else form.INTERNATIONAL)


def of_club(club: ClubConfig) -> Habits:
    """How this club writes, by its country, its language, and the `date_format` of its settings."""
    locale = _locale(club.language, club.country)
    semicolon = club.country in _SEMICOLON_TOO or _decimal(locale) != "."
    return Habits(
        ";" if semicolon else ",",
        locale,
        club.country,
        _day_format(club.settings),
    )


def _day_format(settings: Mapping[str, Any]) -> str | None:
    """The pattern of the club's own dates, unless it has a time of day, which most of its dates lack."""
    pattern = settings.get("date_format")
    timed = isinstance(pattern, str) and any(f"%{letter}" in pattern for letter in "HIMSfpzZcX")
    return pattern if isinstance(pattern, str) and not timed else None


@functools.cache
def _locale(language: str, country: str) -> Locale:
    """The country's, in the club's language where that is one of the country's."""
    spoken = language if language in get_official_languages(country) else "und"
    for name in (f"{spoken}_{country}", f"und_{country}", language):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")


@functools.cache
def _pattern(locale: Locale) -> str:
    """The locale's short date, with a year of four digits."""
    pattern = dates.get_date_format("short", locale=locale).pattern
    return pattern.replace("yy", "y") if "yyyy" not in pattern else pattern


def _decimal(locale: Locale) -> str:
    symbols = locale.number_symbols
    return str(symbols.get("latn", symbols).get("decimal", "."))
