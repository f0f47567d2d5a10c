"""The sentences of `why` for one club, in a reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from clubsync.explain.sentences import (
    ASKED,
    EVENTS,
    MEMBERSHIPS,
    OUT,
    REASONS,
    SELF_EVIDENT,
    SITUATIONS,
    STANDING,
    SUSPICIONS,
    WORDS,
)
from clubsync.i18n import Messages, date_and_time, day, translations
from clubsync.model import WITHOUT_ID, Situation
from connectors.sdk.quoted import quoted


@dataclass(frozen=True)
class Words:
    """:param club: the club's name; zone: the clock on which moments are told.
    :param masked: makes of an email what the reader may see of it.
    :param to_viewer: the reader sees personal data masked (R19).
    """

    club: str
    zone: ZoneInfo
    language: str
    masked: Callable[[str], str]
    to_viewer: bool

    def say(self, key: str, **values: Any) -> str:
        return self._text(WORDS[key]).format(club=self.club, **values)

    def answer(self, key: str, **values: Any) -> str:
        """The answer to one of the four questions."""
        return self._text(ASKED[key]).format(club=self.club, **values)

    def standing(self, key: str, **values: Any) -> str:
        """What the club's state means for an answer."""
        return self._text(STANDING[key]).format(**values)

    def worth(self, state: str) -> str:
        """What a group of a record is worth."""
        return self._text(MEMBERSHIPS[state])

    def name(self, erp_id: str | None) -> str:
        if erp_id and not erp_id.startswith(WITHOUT_ID):
            return self.say("named", erp_id=erp_id)
        return self.say("nameless")

    def out(self, reason: str) -> str:
        """Why somebody has no access; a reason without a sentence is a status of the ERP."""
        if reason in OUT:
            return self._text(OUT[reason])
        return self.say("status", status=reason)

    def suspicion(self, sign: str, read_at: datetime) -> str:
        """What awaits a second reading (R14).

        :param sign: of `clubsync.diff.suspicion`.
        """
        kind, _, what = sign.partition(":")
        if kind == "email":
            what = self.masked(what.partition("|")[0])
        elif self.to_viewer:
            what = quoted(what)
        return self._text(SUSPICIONS[kind]).format(what=what, when=self.when(read_at))

    def in_situation(self, situation: Situation) -> str:
        """Why a record is where it is, as the end of a sentence."""
        return self._text(SITUATIONS[situation])

    def situation(self, situation: Situation) -> str:
        return self.say("situation", situation=self.in_situation(situation))

    def _text(self, english: str) -> str:
        return translations(self.language).gettext(english)

    def message(self, text: str) -> str:
        return Messages(self.language, self.zone).translate(text)

    def event(self, kind: str, reason: str | None, after: Mapping[str, Any]) -> str:
        """A change, as the history names it.

        :param after: the values that the change set.
        """
        if kind == "profile_change" and reason == "app":
            return self.say("account_linked" if after.get("linked_user") else "account_unlinked")
        event = self._text(EVENTS[kind]) if kind in EVENTS else kind.replace("_", " ")
        if reason is None or reason in SELF_EVIDENT or (kind, reason) == ("merge", "merged"):
            return event
        if reason in REASONS:
            return self.say("event", event=event, reason=self._text(REASONS[reason]))
        return self.say("event", event=event, reason=self.say("erp_status", status=reason))

    def when(self, moment: datetime) -> str:
        return date_and_time(moment, self.zone, self.language)

    def day(self, of: date) -> str:
        return day(of, self.language)

    def group(self, name: str) -> str:
        """A group's name, masked for viewers where it looks like a person's data."""
        return quoted(name) if self.to_viewer else name
