"""The words of a digest, as HTML and as text, in the club's language."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clubsync.config import ClubConfig
from clubsync.explain import habits
from clubsync.i18n import plural, translations
from clubsync.operate.digests.content import Content
from connectors.sdk.visible import visible

_TEMPLATES = Path(__file__).parent / "templates"
_NEW = plural("%(num)d new finding", "%(num)d new findings")
_FIXED = plural("%(num)d fixed", "%(num)d fixed")
_OPEN = plural("%(num)d still to fix", "%(num)d still to fix")
_TO_FIX = plural("%(num)d record to fix", "%(num)d records to fix")
#: What a language writes between the club and what is said of it.
_COLON = {"en": ": ", "fr": " : "}


@dataclass(frozen=True)
class Attachment:
    """The list of R22, to be attached."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """A digest in words.

    :param subject: one line.
    """

    subject: str
    html: str
    text: str
    attachment: Attachment | None = None


def write(
    club: ClubConfig,
    content: Content,
    *,
    link: str | None,
    attachment: Attachment | None = None,
    too_large: bool = False,
) -> Letter:
    """:param link: the page with the list; None: nobody knows the address of the pages.
    :param too_large: the list was to be attached, and is too large for a mail.
    """
    how, summary = habits.of_club(club), _summary(club, content)

    def day(moment: datetime) -> str:
        return how.day(moment.astimezone(club.zone).date())

    values = {
        "club": visible(club.name),
        "language": club.language,
        "content": content,
        "summary": summary,
        "link": link,
        "attachment": attachment,
        "too_large": too_large,
        "day": day,
    }
    subject = visible(f"{club.name}{_COLON[club.language]}{summary}")
    html = _environment(club.language, True).get_template("digest.html").render(values)
    text = _environment(club.language, False).get_template("digest.txt").render(values)
    return Letter(subject, html, text, attachment)


def _summary(club: ClubConfig, content: Content) -> str:
    """3 new findings, 2 fixed, 12 still to fix."""
    said: Callable[[str, str, int], str] = translations(club.language).ngettext
    parts = (
        ((_TO_FIX, content.count("new")),)
        if content.first
        else (
            (_NEW, content.count("new")),
            (_FIXED, content.count("fixed")),
            (_OPEN, content.count("open")),
        )
    )
    return ", ".join(said(*words, n) % {"num": n} for words, n in parts if n)


@functools.cache
def _environment(language: str, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,  # noqa: S701  # the other template is plain text
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    return environment
