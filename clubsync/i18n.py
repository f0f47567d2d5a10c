"""The languages of clubsync: one gettext catalogue per language; dates, numbers and plurals by Babel.

English is written in the code; `locale/fr.po` has the French of all of it, pages, sentences and messages alike:

- Texts of pages and sentences that are made for a reader are marked with `_()` (in templates by Jinja's own i18n) and
  looked up where they are shown.
- **Messages** (why a sync stopped and what to do about it, why a snapshot is incomplete, the causes of a hold, the
  result of a connection test) are made where nobody knows who will read them, and are stored, logged and printed as
  JSON in English. Their code stays a plain f-string; the catalogue has it as a template with numbered placeholders
  (`There is no hold {0}.`, context `message`), and `Messages.translate` finds the template of a stored text and fills
  in its translation. So no table has a column per language, a row keeps what was said at the time, and what the
  catalogue does not know is shown in English. Values may be messages themselves.

`python -m stack.translations` collects all of them and updates the catalogue; a test compares the two.
"""

from __future__ import annotations

import functools
import gettext
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from connectors.sdk import moments

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

# Babel is imported where it is used: every task of Airflow imports this module, by way of the suites, and
# Babel would cost each of them 0.2 seconds.

LANGUAGES = ("en", "fr")
CATALOGUES = Path(__file__).parent / "locale"
MESSAGE = "message"
"""The gettext context of messages."""

PLACEHOLDER = re.compile(r"\{(\d+)\}")
_SEMICOLON = {"en": "; ", "fr": " ; "}
_SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=\S)")
_MOMENT = re.compile(
    r"\b(?P<day>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?: UTC|\+00:00|Z)"
)
_THOUSANDS = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w,-])")


def _(text: str) -> str:
    """Mark a text for the catalogue; it is translated where it is shown."""
    return text


def plural(one: str, many: str) -> tuple[str, str]:
    """Mark a text with a number for the catalogue: for one, and for any other number."""
    return one, many


@functools.cache
def _catalogue(language: str) -> Catalog | None:
    path = CATALOGUES / f"{language}.po"
    if not path.exists():
        return None
    from babel.messages.pofile import read_po

    with path.open("rb") as text:
        return read_po(text, locale=language)


@functools.cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue as gettext takes it, compiled from its text: there is no second file to forget."""
    catalogue = _catalogue(language)
    if catalogue is None:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    binary = io.BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return gettext.GNUTranslations(binary)


def date_and_time(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """A moment on a club's own clock: 28 November 2026, 21:38."""
    return _pattern(moment.replace(second=0, microsecond=0), "d MMMM y, HH:mm", zone, language)


def day(of: date, language: str) -> str:
    """A calendar day: 28 November 2026."""
    from babel import dates

    return str(dates.format_date(of, "d MMMM y", locale=language))


@functools.lru_cache(maxsize=10_000)
def _pattern(moment: datetime, pattern: str, zone: ZoneInfo, language: str) -> str:
    from babel import dates

    return str(dates.format_datetime(moment, pattern, tzinfo=zone, locale=language))


@dataclass(frozen=True)
class _Template:
    pattern: re.Pattern[str]
    translation: str

    def fill(self, match: re.Match[str], say: Callable[[str], str]) -> str:
        values = [say(value) for value in match.groups()]
        return PLACEHOLDER.sub(lambda place: values[int(place[1])], self.translation)


class Messages:
    """Stored messages in a reader's language.

    :param zone: the clock on which moments within them are shown, which are stored as `2026-11-28 20:38 UTC`.
    """

    def __init__(self, language: str, zone: ZoneInfo | None = None) -> None:
        self.language = language
        self.zone = zone or ZoneInfo("UTC")

    def translate(self, text: str) -> str:
        """The text, in the reader's language as far as the catalogue has its messages."""
        return self._localized(_translated(text, self.language))

    def _localized(self, text: str) -> str:
        """Moments on the reader's clock, numbers of thousands by the reader's rules."""

        def moment(found: re.Match[str]) -> str:
            at = moments.of_text(f"{found['day']}T{found['time']}")
            return found[0] if at is None else date_and_time(at, self.zone, self.language)

        def number(found: re.Match[str]) -> str:
            from babel import numbers

            value = int(found[0].replace(",", ""))
            return str(numbers.format_decimal(value, locale=self.language))

        return _THOUSANDS.sub(number, _MOMENT.sub(moment, text))


@functools.lru_cache(maxsize=10_000)
def _translated(text: str, language: str) -> str:
    """Sentences that are messages of their own come first: the values of a message rarely hold a full stop."""
    for start in _SENTENCE_END.finditer(text):
        first = _whole(text[: start.start()], language)
        rest = None if first is None else _rest(text[start.end() :], language)
        if first is not None and rest is not None:
            return f"{first} {rest}"
    if "; " in text and (found := _listed(text, language)):
        return found
    return _whole(text, language) or _listed(text, language) or text


def _listed(text: str, language: str) -> str | None:
    """A list of messages, as of the problems of clubs.yaml: with semicolons between them and a full stop at the end."""
    found = [_whole(part, language) for part in text.removesuffix(".").split("; ")]
    said = [one for one in found if one]
    return (
        _SEMICOLON[language].join(said) + "." * text.endswith(".")
        if len(said) == len(found)
        else None
    )


def _rest(text: str, language: str) -> str | None:
    found = _translated(text, language)
    return None if found == text else found


def _whole(text: str, language: str) -> str | None:
    """One message from beginning to end; None: the catalogue does not have it."""

    def say(value: str) -> str:
        parts = value.split("; ")
        said = [_translated(part, language) if " " in part else part for part in parts]
        return _SEMICOLON[language].join(said)

    for template in _templates(language):
        if match := template.pattern.fullmatch(text):
            return template.fill(match, say)
    return None


@functools.cache
def _templates(language: str) -> tuple[_Template, ...]:
    """Those with the most text of their own first."""
    found = sorted(
        messages(language), key=lambda pair: len(PLACEHOLDER.sub("", pair[0])), reverse=True
    )
    return tuple(
        _Template(re.compile(pattern_of(english), re.DOTALL), own) for english, own in found
    )


def messages(language: str) -> Iterator[tuple[str, str]]:
    """The messages of a catalogue: template and translation."""
    for entry in _catalogue(language) or ():
        if entry.context == MESSAGE and isinstance(entry.string, str) and entry.string:
            yield str(entry.id), entry.string


def pattern_of(template: str) -> str:
    """What a message of this template looks like, as a regular expression with a group for each placeholder."""
    parts = PLACEHOLDER.split(template)
    return "".join(
        re.escape(part) if place % 2 == 0 else "(.+?)" for place, part in enumerate(parts)
    )
