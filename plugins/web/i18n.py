"""The pages' words in English and French, by the catalogue of `clubsync.i18n`; times, ages and numbers by Babel.

The language is Airflow's own, which its pages keep in the browser (`pages.js` hands it on in a cookie); before
that, the browser's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers, units
from babel.core import negotiate_locale
from fastapi import Request

from clubsync import clock
from clubsync.explain import sentences
from clubsync.explain.sentences import EVENTS, REASONS
from clubsync.i18n import LANGUAGES, Messages, _, plural, translations
from clubsync.manual.action import BY_HAND as BY_HAND_PREFIX

__all__ = ["EVENTS", "Voice", "language_of"]

COOKIE = "clubsync_language"


def language_of(request: Request) -> str:
    chosen = request.cookies.get(COOKIE, "")[:2]
    if chosen in LANGUAGES:
        return chosen
    asked = [
        part.split(";")[0].strip().replace("-", "_")
        for part in request.headers.get("accept-language", "").split(",")
    ]
    try:
        return (negotiate_locale(asked, LANGUAGES, sep="_") or "en")[:2]
    except (ValueError, UnknownLocaleError):
        return "en"


STATES = {
    "fresh": _("fresh"),
    "late": _("late"),
    "held": _("held"),
    "failing": _("failing"),
    "quarantined": _("quarantined"),
    "paused": _("paused"),
    "new": _("never synced"),
    "gone": _("not in clubs.yaml"),
}
"""States of a club."""

RUN_STATES = {
    "running": _("running"),
    "done": _("done"),
    "held": _("held"),
    "failed": _("failed"),
    "dry": _("dry run"),
}

ANSWERS = {"yes": _("yes"), "no": _("no"), "unknown": _("unclear")}
"""Answers to the questions about a person."""

SITUATIONS = {
    **{str(key): text for key, text in sentences.SITUATIONS.items()},
    "without_record": _("not in the ERP: added by hand, or from a request"),
}
"""Situations of a club's people."""

HOLD_STATES = {
    "open": _("open"),
    "approved": _("approved"),
    "rejected": _("rejected"),
    "emptied": _("closed automatically"),
}

KINDS = {
    "addition": plural("addition", "additions"),
    "reactivation": plural("reactivation", "reactivations"),
    "adoption": plural("adoption", "adoptions"),
    "deactivation": plural("deactivation", "deactivations"),
    "merge": plural("merge", "merges"),
    "email_change": plural("email change", "email changes"),
    "profile_change": plural("profile change", "profile changes"),
    "group_change": plural("group change", "group changes"),
    "similar_ignored": plural("ignored pair", "ignored pairs"),
    "same_person": plural("confirmed identity", "confirmed identities"),
    "erasure": plural("erasure", "erasures"),
}
"""Kinds of changes, after their number."""

ACTIONS = {
    "sync": _("Sync now"),
    "dry_run": _("Dry run"),
    "pause": _("Syncs paused"),
    "resume": _("Syncs resumed"),
    "go": _("First sync approved"),
    "confirm_empty": _("Confirmed as empty"),
    "confirm_source": _("Source confirmed"),
    "webhook_replay": _("Webhook message sent again"),
    "webhook_skip": _("Webhook message skipped"),
    "test": _("Connection test"),
    "ignore": _("Similar pair ignored"),
    "identity_keep": _("Reused ERP id: same person"),
    "identity_replace": _("Reused ERP id: another person"),
    "accept": _("Request accepted"),
    "refuse": _("Request rejected"),
    "approve": _("Hold approved"),
    "reject": _("Hold rejected"),
    "undo": _("Undo"),
    "erase": _("Erasure"),
    "show": _("Personal data viewed"),
    "csv": _("Findings downloaded"),
    "hold_csv": _("List of a hold downloaded"),
    "digest": _("Digest sent"),
}

BUTTONS = {
    "sync": _("Sync now"),
    "test": _("Test connection"),
    "resume": _("Resume"),
    "confirm-source": _("This is the right source"),
    "confirm-empty": _("Really empty"),
}
"""Buttons of a club's, as runbooks name them in italics."""

CONFIRMED = {
    "resume": (
        _("Syncs of this club start again at its next turn. A quarantine ends too."),
        None,
    ),
    "confirm-source": (
        _(
            "The next snapshot is accepted as this club's, once, even if few of its customers are known. If it is "
            "another club's, every customer of this one looks gone."
        ),
        _("The ERP or the club has confirmed that these data are this club's."),
    ),
    "confirm-empty": (
        _(
            "The next empty response is accepted, once. If more customers would lose access than the limit allows, "
            "they are held for approval."
        ),
        _("The club has confirmed that it has no customers any more."),
    ),
}
"""Buttons that ask first: what happens then, and what the person states by ticking a box, if anything."""

PLACES = {
    "holds": _("Holds"),
    "connections": _("Connections"),
    "dags": _("Dags"),
    "reused": _("Compare the people and decide"),
    "runs": _("Recent runs"),
    "people": _("Customers and ERP records"),
    "club": _("The club's page"),
}
"""Pages, as runbooks name them in italics."""

#: What a run's time is spent on (`clubsync.store.profile.PARTS`).
SPENT_ON = {
    "airflow": _("waiting for Airflow"),
    "erp": _("waiting for the ERP"),
    "parse": _("parsing"),
    "evaluate": _("evaluating"),
    "plan": _("planning"),
    "load": _("loading"),
    "database": _("waiting for PostgreSQL"),
    "store": _("snapshot store"),
    "turn": _("waiting its turn"),
    "others": _("other clubs of the batch"),
}
FIELDS = {
    "email": _("email"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "phone": _("phone"),
    "birth_date": _("birth date"),
    "in_customers_group": _("in the Customers group"),
    "groups": _("groups"),
    "reason": _("reason"),
    "detached": _("detached"),
    "erp_id": _("ERP id"),
    "linked_user": _("app account"),
    "not_the_same_as": _("not the same as"),
    "same_person": _("same person"),
}

PROMISES = {
    "late": _("Last sync"),
    "incomplete": _("Last complete sync"),
    "old data": _("Data as of"),
}

TRIGGERS = {
    "scheduled": _("scheduled"),
    "manual": _("manual"),
    "operator_triggered": _("by upkeep"),  # a nudge, or a second reading (R14, R27)
    "backfill": _("backfill"),
    "replay": _("replay"),
    "similar records": _("search for similar records"),
    "shell": _("from the shell"),
    "moves within the chain": _("moves between clubs"),
}

BY_HAND = _("by hand: %(what)s")
#: What people do by hand, as the triggers of their runs call it after `action.BY_HAND`.
MANUAL = {
    "add": _("customer added"),
    "edit": _("customer edited"),
    "detach": _("customer detached"),
    "request": _("request"),
    "accept": _("request accepted"),
    "refuse": _("request refused"),
    "ignore similar": _("similar records ignored"),
    "app": _("change in the app"),
    "paused": _("paused"),
    "resumed": _("resumed"),
    "confirmed empty": _("confirmed as empty"),
    "snapshot confirmed": _("source confirmed"),
    "first sync approved": _("first sync approved"),
    "moved to another ERP": _("moved to another ERP"),
    "removal scheduled": _("removal scheduled"),
    "removal cancelled": _("removal cancelled"),
    "erasure": _("person erased"),
}
#: Triggers with numbers and names in them, by hand or of the run that follows.
_TRIGGER_FORMS = (
    (re.compile(r"hold (?P<n>\d+) approved by (?P<by>.+)"), _("hold %(n)s approved by %(by)s")),
    (re.compile(r"first sync approved by (?P<by>.+)"), _("first sync approved by %(by)s")),
    (re.compile(r"undo of run (?P<n>\d+)"), _("undo of run %(n)s")),
    (re.compile(r"redo of run (?P<n>\d+)"), _("redo of run %(n)s")),
    (re.compile(r"redo of run (?P<n>\d+) by (?P<by>.+)"), _("redo of run %(n)s by %(by)s")),
    (re.compile(r"id reused: keep"), _("reused ID: same person")),
    (re.compile(r"id reused: replace"), _("reused ID: another person")),
    (re.compile(r"id reused: keep, by (?P<by>.+)"), _("reused ID: same person, by %(by)s")),
    (re.compile(r"id reused: replace, by (?P<by>.+)"), _("reused ID: another person, by %(by)s")),
)

GROUP_KINDS = {"automatic": _("automatic"), "manual": _("manual"), "team": _("team")}

_EVERY = {
    "day": plural("every day", "every %(num)s days"),
    "hour": plural("every hour", "every %(num)s hours"),
    "minute": plural("every minute", "every %(num)s minutes"),
}
_LENGTHS = {"day": 86_400, "hour": 3_600, "minute": 60}


def _in_units(seconds: float) -> tuple[str, int]:
    unit = next((name for name, size in _LENGTHS.items() if seconds % size == 0), "minute")
    return unit, round(seconds / _LENGTHS[unit])


@functools.lru_cache(maxsize=10_000)
def _minutes(minutes: int, direction: bool, language: str) -> str:
    """A list of clubs contains the same few ages again and again."""
    return str(
        dates.format_timedelta(
            timedelta(minutes=minutes),
            granularity="minute",
            threshold=1.5,
            add_direction=direction,
            locale=language,
        )
    )


@functools.lru_cache(maxsize=10_000)
def _number(value: float, language: str) -> str:
    return str(numbers.format_decimal(value, locale=language))


def _seconds(value: float, language: str) -> str:
    """To the millisecond below a second; above ten, to the tenth."""
    rounded = round(value, 1 if value >= 10 else 3)
    return f"{numbers.format_decimal(rounded, locale=language)} s"


@functools.lru_cache(maxsize=10_000)
def _moment(moment: datetime, pattern: str, zone: ZoneInfo, language: str) -> str:
    return str(dates.format_datetime(moment, pattern, tzinfo=zone, locale=language))


class Voice:
    """Words, times and numbers of a page in its language.

    :param zone: of its times.
    """

    def __init__(self, language: str, zone: ZoneInfo | None = None) -> None:
        self.language = language
        self.zone = zone or ZoneInfo("UTC")
        self.locale = Locale.parse(language)
        self.gettext = translations(language).gettext
        self.ngettext = translations(language).ngettext
        self._messages = Messages(language, self.zone)

    def message(self, text: str | None) -> str:
        """A stored message: an error, a remedy, a cause; nothing for None."""
        return self._messages.translate(text) if text else ""

    def word(self, table: Mapping[str, str | tuple[str, str]], key: str | None) -> str:
        """The word for a key; a key without one is shown as it is."""
        if key is None:
            return ""
        word = table.get(key, key.replace("_", " "))
        return self.gettext(word if isinstance(word, str) else word[0])

    def trigger(self, text: str) -> str:
        """What started a run."""
        if text.startswith(BY_HAND_PREFIX):
            what = text.removeprefix(BY_HAND_PREFIX)
            known = self.gettext(MANUAL[what]) if what in MANUAL else self._form(what)
            return self.gettext(BY_HAND) % {"what": known or what}
        return self._form(text) or self.word(TRIGGERS, text)

    def _form(self, text: str) -> str | None:
        for form, wording in _TRIGGER_FORMS:
            if match := form.fullmatch(text):
                return self.gettext(wording) % match.groupdict()
        return None

    def counted(self, table: Mapping[str, tuple[str, str]], key: str, number: int) -> str:
        """The word for that many of a key, without the number."""
        one, many = table.get(key) or (key.replace("_", " "),) * 2
        return self.ngettext(one, many, number)

    def reason(self, text: str | None) -> str:
        """The reason of a change: a word for its code, or a message."""
        return self.word(REASONS, text) if text in REASONS else self.message(text)

    def age(self, moment: datetime | None) -> str:
        """How long ago, or how soon, in one unit."""
        if moment is None:
            return "–"
        delta = moment - clock.now()
        if abs(delta) < timedelta(minutes=1):
            return self.gettext("just now") if delta <= timedelta(0) else self.gettext("now")
        return _minutes(round(delta.total_seconds() / 60), True, self.language)

    def lasted(self, since: datetime) -> str:
        """How long something has lasted, in one unit."""
        delta = clock.now() - since
        if delta < timedelta(minutes=1):
            return self.gettext("under a minute")
        return _minutes(round(delta.total_seconds() / 60), False, self.language)

    def retry(self, moment: datetime) -> str:
        """When a club that failed is synced again."""
        if moment <= clock.now() + timedelta(minutes=1):
            return self.gettext("retrying now")
        return self.gettext("retrying %(when)s") % {"when": self.age(moment)}

    def length(self, seconds: float) -> str:
        """A length of time, in the largest unit that it is a whole number of."""
        unit, n = _in_units(seconds)
        return str(units.format_unit(n, f"duration-{unit}", locale=self.locale))

    def every(self, seconds: float) -> str:
        """An interval, in the largest unit that it is a whole number of."""
        unit, n = _in_units(seconds)
        return self.ngettext(*_EVERY[unit], n) % {"num": self.number(n)}

    def moment(self, moment: datetime | None) -> str:
        """A day and a time on the club's own clock."""
        if moment is None:
            return "–"
        return _moment(
            moment.replace(second=0, microsecond=0), "d MMM y, HH:mm", self.zone, self.language
        )

    def date(self, text: str | None) -> str | None:
        """A calendar day that is stored as 2026-11-28; other text, as of a masked one, stays."""
        try:
            found = date.fromisoformat(text or "")
        except ValueError:
            return text
        return str(dates.format_date(found, "d MMM y", locale=self.language))

    def day(self, moment: datetime) -> str:
        return _moment(moment, "EEE d", self.zone, self.language)

    def hour(self, moment: datetime) -> str:
        return _moment(moment, "EEE d MMM, HH:mm", self.zone, self.language)

    def number(self, value: float) -> str:
        return _number(value, self.language)

    def seconds(self, value: float) -> str:
        """A measured time: `0.012 s`."""
        return _seconds(value, self.language)

    def percent(self, share: float) -> str:
        return str(numbers.format_percent(share, locale=self.locale))
