"""Why a club needs attention, in a line: what support sees beside its state in the list of clubs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from clubsync.explain.standing import broken_promises
from clubsync.store.database import Driver, queries
from plugins.web.i18n import PROMISES, Voice
from plugins.web.registry import registry

HOUR = timedelta(hours=1)
Kind = Literal[
    "failing", "first sync", "hold", "late", "suspected", "incomplete", "paused", "new", "gone"
]


class Reason(BaseModel):
    """Why a club needs attention."""

    kind: Kind
    text: str = Field(description="in a line, on the club's own clock")
    runbook: str | None = Field(default=None, description="what to do: a page of docs/runbooks")
    run: int | None = Field(default=None, description="the run that shows it")
    hold: int | None = Field(default=None, description="what awaits approval")


@dataclass(frozen=True)
class Told:
    """What is told of a club.

    :param failures: failed syncs in the last hour.
    """

    reason: Reason | None
    failures: int


def of_clubs(
    driver: Driver, clubs: Sequence[Mapping[str, Any]], at: datetime, language: str
) -> Mapping[int, Told]:
    """Of a page of clubs.

    :param clubs: rows of the query `club_board`.
    """
    numbers = [row["club"] for row in clubs]
    causes = {
        row["club"]: row
        for row in queries().reasons_of_clubs(driver, clubs=numbers, since=at - HOUR)
    }
    return {
        row["club"]: Told(
            _Teller(row, causes[row["club"]], at, language).reason(),
            causes[row["club"]]["failures"] or 0,
        )
        for row in clubs
    }


class _Teller:
    """Finds the reason of one club.

    :param row: of the query `club_board`; cause: of `reasons_of_clubs`.
    """

    def __init__(
        self, row: Mapping[str, Any], cause: Mapping[str, Any], at: datetime, language: str
    ) -> None:
        self._row, self._cause, self._at = row, cause, at
        self._config = registry().clubs.get(row["club_id"])
        self._voice = Voice(language, self._config.zone if self._config else None)

    def reason(self) -> Reason | None:
        of_state = {
            "failing": self._failing,
            "quarantined": self._failing,
            "held": self._held,
            "late": self._late,
            "paused": self._paused,
            "new": self._new,
            "gone": self._gone,
        }.get(self._row["state"])
        found = of_state() if of_state else None
        return found or self._of_last_reading()

    def _failing(self) -> Reason:
        return Reason(
            kind="failing",
            text=self._voice.message(self._row["last_error"]),
            runbook=self._cause["runbook"],
            run=self._cause["failed_run"],
        )

    def _held(self) -> Reason:
        say, cause = self._voice, self._cause
        if cause["hold"] is None:
            n = cause["additions"] or 0
            text = say.ngettext(
                "First sync: %(num)s customer awaits approval.",
                "First sync: %(num)s customers await approval.",
                n,
            )
            return Reason(
                kind="first sync", text=text % {"num": say.number(n)}, run=cause["first_run"]
            )
        n = cause["held"] or 0
        text = say.ngettext(
            "%(num)s removal awaits approval: %(cause)s",
            "%(num)s removals await approval: %(cause)s",
            n,
        )
        causes = "; ".join(say.message(one) for one in cause["causes"] or ())
        return Reason(
            kind="hold",
            text=text % {"num": say.number(n), "cause": causes},
            hold=cause["hold"],
            runbook="held-deactivations",
        )

    def _late(self) -> Reason | None:
        if self._config is None:
            return None
        say = self._voice
        broken = broken_promises(self._config, self._row, self._at)
        promised = self._config.promised
        lengths = {
            "late": promised.read,
            "incomplete": promised.complete,
            "old data": promised.data,
        }
        for kind, last in broken.items():
            length = lengths[kind]
            assert length is not None  # or it could not be broken
            return Reason(
                kind="late",
                text=say.gettext("%(what)s: %(when)s; promised: at most %(time)s ago")
                % {
                    "what": say.word(PROMISES, kind),
                    "when": say.age(last),
                    "time": say.length(length.total_seconds()),
                },
            )
        return None

    def _paused(self) -> Reason:
        say, cause = self._voice, self._cause
        values = {"when": say.moment(cause["paused_at"]), "who": cause["paused_by"]}
        text = say.gettext("Paused on %(when)s by %(who)s.") % values
        if not cause["paused_by"]:
            text = say.gettext("Paused on %(when)s.") % values
        if self._row["remove_at"]:
            deleted = say.gettext("Its data will be deleted on %(when)s.")
            text = f"{text} {deleted % {'when': say.moment(self._row['remove_at'])}}"
        return Reason(kind="paused", text=text)

    def _new(self) -> Reason:
        return Reason(kind="new", text=self._voice.gettext("Waiting for its first sync."))

    def _gone(self) -> Reason:
        text = self._voice.gettext("Not in clubs.yaml: it is no longer synced, its data are kept.")
        return Reason(kind="gone", text=text)

    def _of_last_reading(self) -> Reason | None:
        """What a club that keeps its promises still awaits (R14)."""
        say, cause = self._voice, self._cause
        if n := cause["suspected"] or 0:
            text = say.ngettext(
                "%(num)s customer awaits a second reading before access is removed.",
                "%(num)s customers await a second reading before access is removed.",
                n,
            )
            values = {"num": say.number(n)}
            return Reason(kind="suspected", text=text % values, run=cause["read_run"])
        if cause["doubts"]:
            doubts = " ".join(say.message(one) for one in cause["doubts"])
            text = say.gettext("The last sync is incomplete: %(why)s") % {"why": doubts}
            return Reason(kind="incomplete", text=text, runbook="incomplete", run=cause["read_run"])
        return None
