"""The pages' words in English and French, by the catalogue of `clubsync.i18n`; times, ages and numbers by Babel.

The language is Airflow's own, which its pages keep in the browser (`pages.js` hands it on in a cookie); before
that, the browser's.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers, units
from babel.core import negotiate_locale
from fastapi import Request

from clubsync import clock
from clubsync.i18n import LANGUAGES, Messages, _, translations

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
    "new": _("never read"),
    "gone": _("not in clubs.yaml"),
}
"""The words for a club's state, those that need most first."""

RUN_STATES = {
    "running": _("running"),
    "done": _("done"),
    "held": _("held"),
    "failed": _("failed"),
    "dry": _("dry run"),
    "open": _("open"),
    "approved": _("approved"),
    "rejected": _("rejected"),
    "emptied": _("closed itself"),
}

KINDS = {
    "addition": _("additions"),
    "reactivation": _("reactivations"),
    "adoption": _("adoptions"),
    "deactivation": _("deactivations"),
    "merge": _("merges"),
    "email_change": _("email changes"),
    "profile_change": _("profile changes"),
    "group_change": _("group changes"),
    "similar_ignored": _("ignored pairs"),
    "erasure": _("erasures"),
}

ACTS = {
    "sync": _("Sync now"),
    "dry_run": _("Dry run"),
    "pause": _("Pause"),
    "resume": _("Resume"),
    "go": _("Go for the first sync"),
    "test": _("Connection test"),
    "ignore": _("Similar pair ignored"),
    "accept": _("Request accepted"),
    "refuse": _("Request refused"),
    "approve": _("Hold approved"),
    "reject": _("Hold rejected"),
    "undo": _("Undo"),
    "erase": _("Erasure"),
    "show": _("Personal data shown"),
    "csv": _("Findings downloaded"),
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
}

PROMISES = {
    "late": _("read"),
    "incomplete": _("read completely"),
    "old data": _("data renewed"),
}

TRIGGERS = {
    "scheduled": _("scheduled"),
    "manual": _("by hand"),
    "backfill": _("backfill"),
    "replay": _("replay"),
}

GROUP_KINDS = {"automatic": _("automatic"), "manual": _("manual"), "team": _("team")}


@functools.lru_cache(maxsize=10_000)
def _ago(minutes: int, language: str) -> str:
    """A list of clubs says the same few ages again and again."""
    return str(
        dates.format_timedelta(
            timedelta(minutes=minutes),
            granularity="minute",
            threshold=1.5,
            add_direction=True,
            locale=language,
        )
    )


@functools.lru_cache(maxsize=10_000)
def _number(value: float, language: str) -> str:
    return str(numbers.format_decimal(value, locale=language))


@functools.lru_cache(maxsize=10_000)
def _moment(moment: datetime, pattern: str, zone: ZoneInfo, language: str) -> str:
    return str(dates.format_datetime(moment, pattern, tzinfo=zone, locale=language))


class Voice:
    """How a page in a language says things.

    :param zone: of the times that it shows.
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

    def word(self, table: dict[str, str], key: str | None) -> str:
        """The word for a key; what has none is shown as it is."""
        if key is None:
            return ""
        return self.gettext(table[key]) if key in table else key.replace("_", " ")

    def age(self, moment: datetime | None) -> str:
        """How long ago, or how soon, in one unit."""
        if moment is None:
            return "–"
        delta = moment - clock.now()
        if abs(delta) < timedelta(minutes=1):
            return self.gettext("just now") if delta <= timedelta(0) else self.gettext("now")
        return _ago(round(delta.total_seconds() / 60), self.language)

    def length(self, seconds: float) -> str:
        """A promised length of time, in the largest unit that it is whole in."""
        per = {"day": 86_400, "hour": 3_600, "minute": 60}
        unit = next((name for name, size in per.items() if seconds % size == 0), "minute")
        n = round(seconds / per[unit])
        return str(units.format_unit(n, f"duration-{unit}", locale=self.locale))

    def moment(self, moment: datetime | None) -> str:
        """A day and a time on the club's own clock."""
        if moment is None:
            return "–"
        return _moment(
            moment.replace(second=0, microsecond=0), "d MMM y, HH:mm", self.zone, self.language
        )

    def day(self, moment: datetime) -> str:
        return _moment(moment, "EEE d", self.zone, self.language)

    def hour(self, moment: datetime) -> str:
        return _moment(moment, "EEE d MMM, HH:mm", self.zone, self.language)

    def number(self, value: float) -> str:
        return _number(value, self.language)

    def percent(self, share: float) -> str:
        return str(numbers.format_percent(share, locale=self.locale))


ERRORS = (
    _("Not found"),
    _("Unauthorized"),
    _("Not allowed"),
    _("Not from this page"),
    _("Not understood"),
    _("Internal error"),
    _("No such club"),
    _("Never read"),
    _("No such act"),
    _("No such hold"),
    _("No such list"),
    _("No such run"),
)
"""Titles of problems, as `problems` says them."""
