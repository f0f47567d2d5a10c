"""R28: a first sync that a person wants to see before it loads, as it is shown for approval; see `holds`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.manual.holds import REMINDER_INTERVAL
from clubsync.store.database import Base, queries

if TYPE_CHECKING:
    from clubsync.store.queries import FirstSyncsWithoutRequestRow, ObsoleteFirstSyncsRow


def run_of(club_id: str, plan: str) -> str:
    """The run of Airflow that shows the plan of a club's first sync for approval."""
    return f"{club_id}-first-sync-{plan}"


@dataclass(frozen=True)
class FirstSyncRequest:
    """The plan of a first sync, as it is shown for approval: ids and counts, never names (R19).

    :param list_hash: of the plan; an approval names it.
    :param read: records that the reading has.
    """

    club: ClubConfig
    club_no: int
    run: int
    list_hash: str
    counts: Counter[str]
    read: int

    @property
    def subject(self) -> str:
        added = self.counts["addition"]
        return f"{self.club.name}: the first sync would add {added} customer{'s' * (added != 1)}"

    def markdown(self, link: str | None = None) -> str:
        """What a person needs for the decision.

        :param link: the page with everybody who gets access and who does not.
        """
        changes = ", ".join(
            f"{n} {kind.replace('_', ' ')}{'s' * (n != 1)}" for kind, n in self.counts.items() if n
        )
        lines = [
            f"The first sync of `{self.club.id}` awaits approval: {changes or 'no changes'}, of {self.read} records "
            "that were read. Nobody has access before it.",
            "",
            *(
                (f"[Who gets access, and who does not and why, by name]({link})", "")
                if link
                else ()
            ),
            "**Approve** loads this plan at once, and no other. Until then each sync makes the plan again; when it "
            "changes, a new request takes the place of this one.",
            "",
            f"Plan `{self.list_hash}` of run {self.run}.",
        ]
        return "\n".join(lines)

    def mark_shown(self, base: Base, run_id: str) -> None:
        """Record that a run shows this plan for approval."""
        with base.club(self.club_no) as driver:
            queries().mark_first_sync_requested(
                driver,
                club=self.club_no,
                club_id=self.club.id,
                run_id=run_id,
                plan=self.list_hash,
                at=clock.now(),
            )


def approval_request(base: Base, club: ClubConfig) -> FirstSyncRequest | None:
    """The plan that awaits approval, to be shown; None: the club awaits none."""
    sql = queries()
    with base.transaction() as driver:
        club_no = sql.find_club(driver, club_id=club.id)
    if club_no is None:
        return None
    with base.club(club_no) as driver:
        row = sql.first_sync_plan(driver, club=club_no)
        if row is None:
            return None
        snapshot = sql.snapshot(driver, club=club_no, snapshot=row["snapshot"])
    read = 0 if snapshot is None else snapshot["customers"]
    return FirstSyncRequest(
        club, club_no, row["run"], row["list_hash"], Counter(row["counts"]), read
    )


def unasked(base: Base) -> list[FirstSyncsWithoutRequestRow]:
    """First syncs that have no approval request. Call `claim` with each before its run is started."""
    with base.reader() as driver:
        return list(queries().first_syncs_without_request(driver))


def claim(base: Base, row: FirstSyncsWithoutRequestRow) -> str:
    """Record that a plan is about to be shown, so that no other one is; the run that will show it."""
    run_id = run_of(row["club_id"], row["plan"])
    with base.club(row["club"]) as driver:
        queries().claim_request(
            driver,
            club=row["club"],
            club_id=row["club_id"],
            run_id=run_id,
            hold=None,
            version=None,
            plan=row["plan"],
            at=clock.now(),
        )
    return run_id


def obsolete_requests(base: Base) -> list[ObsoleteFirstSyncsRow]:
    """Requests for another plan than awaits approval, or of a club that awaits none, and those whose run was lost.

    Each is returned once in ten minutes; the caller starts their runs again.
    """
    sql, now = queries(), clock.now()
    with base.reader() as driver:
        rows = list(sql.obsolete_first_syncs(driver, told_before=now - REMINDER_INTERVAL))
    for row in rows:
        with base.club(row["club"]) as driver:
            sql.mark_request_notified(driver, club=row["club"], run_id=row["run_id"], at=now)
    return rows
