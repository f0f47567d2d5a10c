"""What an ERP has said of each of its people, from when until when; and what a load may not do in face of it.

Told from the ERP's own state alone: no rule of the sync is repeated here. The loads are those of a running Airflow:
the test sees what each of them did in the audit, afterwards, and judges it by the moments at which its reading began
and it was written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.support.living_erp import LivingErp

#: Changes by which somebody gets access, where they did not have it.
ENTRIES = ("addition", "reactivation")


@dataclass(frozen=True)
class Was:
    """A record at a moment.

    :param alone: nobody else has that email.
    :param member: on a membership; true where the ERP has none.
    """

    email: str
    active: bool
    alone: bool
    member: bool

    @property
    def rightful(self) -> bool:
        return self.active and self.alone and self.member


@dataclass(frozen=True)
class Change:
    """A row of the audit.

    :param email: of an email change, the new one; None: they have none now.
    :param began: when the reading began that was loaded.
    :param at: when it was loaded.
    """

    erp_id: int
    kind: str
    email: str | None
    lost: bool
    began: datetime
    at: datetime


class Chronicle:
    """:param erp: whose lock is held while it is edited and `note` is called."""

    def __init__(self, erp: LivingErp) -> None:
        self._erp = erp
        #: record -> the moments from which it was as it then was, in their order; None: not in the ERP.
        self._times: dict[int, list[datetime]] = {}
        self._states: dict[int, list[Was | None]] = {}
        self.note()

    def note(self, at: datetime | None = None) -> None:
        """Call after each edit."""
        at = at or datetime.now(UTC)
        erp = self._erp
        emails = Counter(person.email for person in erp.people)
        members = {who for _, who in erp.memberships}
        now: dict[int, Was | None] = {
            p.id: Was(
                p.email, p.active, emails[p.email] == 1, not erp.by_memberships or p.id in members
            )
            for p in erp.people
        }
        for i in {*now, *self._states}:
            known = self._states.setdefault(i, [None])
            times = self._times.setdefault(i, [datetime.min.replace(tzinfo=UTC)])
            if known[-1] != now.get(i):
                known.append(now.get(i))
                times.append(at)

    def between(self, who: int, since: datetime, until: datetime) -> Sequence[Was | None]:
        """What a record was at any time from the one moment until the other."""
        if who not in self._states:
            return [None]
        times = self._times[who]
        first, last = bisect_right(times, since) - 1, bisect_right(times, until)
        return self._states[who][first:last]

    def throughout(self, change: Change, holds: Callable[[Was | None], bool]) -> bool:
        """Whether something held of a record from when the reading began until it was loaded."""
        return all(holds(was) for was in self.between(change.erp_id, change.began, change.at))

    def wrong(self, change: Change) -> str | None:
        """What a change did against what the ERP said all the while; None: nothing."""
        if change.lost and self.throughout(change, lambda was: was is not None and was.rightful):
            return "lost"
        if change.kind in ENTRIES and (
            self.throughout(change, lambda was: was is None or not was.active)
            or self.throughout(change, lambda was: was is None or not was.member)
        ):
            return "gained"
        if change.kind != "email_change":
            return None
        emails = {was.email for was in self.between(change.erp_id, change.began, change.at) if was}
        if emails and change.email is not None and change.email not in emails:
            return "foreign email"
        return None
