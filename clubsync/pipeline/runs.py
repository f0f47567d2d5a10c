"""A club's run through the stages: started, failed and ended the same way in each of them.

What goes from stage to stage is a `Step` per club: ids, counts and sentences, never a frame or a person's
data. Frames go through stored packages; inside one process a stage finds those of the stage before it in
memory. A club that fails in a stage passes through the rest with its error and leaves the others alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clubsync import clock, connections
from clubsync.chains import Chain, chains
from clubsync.config import ClubConfig, Config
from clubsync.errors import SnapshotGone, SyncError, place_of
from clubsync.extract.reader import Reader
from clubsync.extract.schedule import next_slot, pause
from clubsync.model import COVERED, Decision, Origin, Step, new_step
from clubsync.pipeline import interrupted
from clubsync.pipeline.timing import Timing, seconds_in
from clubsync.store import trouble
from clubsync.store.database import Base, Driver, queries
from clubsync.store.round_trip import RoundTrip
from clubsync.store.snapshots import Snapshot, Store
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, RateLimited
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.load.small import Rows
    from clubsync.model import Affected, Plan, Planned
    from clubsync.store.queries import NewestSnapshotInRow, SnapshotRow

log = logging.getLogger(__name__)


@dataclass
class Handed:
    """What the stages of one run hand on inside one process.

    :param plan: made of `affected`, as it is, before the guard has looked at it.
    :param stored: whether the plan is in the store, with its row in sync.plan.
    :param rows: of `planned`, made with those of other clubs.
    :param newest: the run carries something out on the newest snapshot, whichever that is by now.
    """

    snapshot: Snapshot | None = None
    affected: Affected | None = None
    plan: Plan | None = None
    planned: Planned | None = None
    rows: Rows | None = None
    stored: bool = False
    decision: Decision | None = None
    newest: bool = False


@dataclass
class Runs:
    """What every stage works with.

    :param resolve: connection id -> Connection.
    :param progress: called with (club id, stage, rows so far, total where known) on long work.
    :param origin: the task of Airflow that the runs are part of; None: none.
    :param explain: log what went wrong in a club, and what to do; False: whoever calls says so.
    """

    config: Config
    base: Base
    store: Store
    resolve: Callable[[str], Connection] = connections.resolve
    progress: Callable[[str, str, int, int | None], None] = lambda *_: None
    origin: Origin | None = None
    explain: bool = True
    timing: Timing = field(default_factory=Timing)
    _handed: dict[int, Handed] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        return Reader(self.base, self.store, self.resolve, self.progress, self.chains)

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """R29: club id -> its chain, of the clubs that are in one."""
        return chains(self.config.clubs)

    def club(self, step: Step) -> ClubConfig:
        return self.config.club(step["club"])

    def find_numbers(self, club_ids: Iterable[str]) -> None:
        """Ask for the numbers of a batch of clubs at once, of those that are registered as clubs.yaml has them.

        Whatever goes wrong here goes wrong again in `club_no`, and is that club's error (R25).
        """
        unknown = [club_id for club_id in club_ids if club_id not in self._numbers]
        if not unknown:
            return
        with suppress(Exception), self.base.transaction() as driver:
            for row in queries().registered_clubs(driver, club_ids=unknown):
                club = self.config.club(row["club_id"])
                if (row["name"], row["erp"]) == (club.name, club.erp):
                    self._numbers[club.id] = row["club"]

    def number_of(self, club_id: str) -> int | None:
        """A club's number in the base, where it is known already."""
        return self._numbers.get(club_id)

    def club_no(self, club: ClubConfig) -> int:
        """The club's number in the base, registered when it is first named."""
        if club.id not in self._numbers:
            with self.base.transaction() as driver:
                number = queries().register_club(
                    driver, club_id=club.id, name=club.name, erp=club.erp, now=clock.now()
                )
                row = queries().club_row(driver, club=number)
                queries().rename_club(driver, club=number, name=club.name, erp=club.erp)
            if row["erp"] != club.erp:
                self._change_erp(number)
            self._numbers[club.id] = number
        return self._numbers[club.id]

    def _change_erp(self, club_no: int) -> None:
        """clubs.yaml names another ERP than before: its ids are another source's (R1)."""
        from clubsync.manual import lifecycle

        with self.base.club(club_no) as driver:
            sql, at = queries(), clock.now()
            sql.lock_club(driver, club=club_no)
            lifecycle.start_epoch(driver, club_no, at)
            sql.summarise_club(driver, club=club_no, customers=None, at=at)

    # --- what is handed on ---------------------------------------------------------------------

    def handed(self, step: Step) -> Handed:
        """What this process knows of the run; a run is unknown where another process began it."""
        return self.handed_by(step["run"] or 0)

    def handed_by(self, run: int) -> Handed:
        """The same, by the run's number."""
        return self._handed.setdefault(run, Handed())

    def forget(self, step: Step) -> None:
        """Free what the run has handed on."""
        self._handed.pop(step["run"] or 0, None)

    # --- start, fail, end ------------------------------------------------------------------------

    def start(self, club_id: str, trigger: str, *, attempt: bool = True) -> Step:
        """Start a run of a club.

        :param attempt: the ERP is to be read; False: a stored snapshot is planned again.
        """
        step = new_step(club_id, club_id)

        def begin(step: Step) -> None:
            club = self.config.club(club_id)
            step["name"] = club.name
            club_no, at, sql = self.club_no(club), clock.now(), queries()
            holder = self.base.holder if self.origin is None else 0
            with self.base.club(club_no) as driver:
                run = step["run"] = sql.start_run(driver, club=club_no, trigger=trigger, at=at)
                if self.origin is not None:
                    sql.set_airflow_run(driver, club=club_no, number=run, **asdict(self.origin))
                else:
                    sql.hold_run(driver, club=club_no, run=run, holder=holder)
                interrupted.close(driver, club_no)
                if attempt:
                    slot = next_slot(club.every, at)
                    sql.attempt_club(driver, club=club_no, at=at, next_read_at=slot)
                    sql.answer_nudges(driver, club=club_no, run=run, at=at)
                else:
                    step["again"] = True

        return self.stage("extract", step, begin)

    def stage(self, name: str, step: Step, work: Callable[..., None], *args: Any) -> Step:
        """Run one stage for one club; whatever goes wrong becomes the step's error."""
        if step["error"] is not None or step.get("past") == COVERED:
            return step
        with self.timing.club(name, step):
            try:
                work(step, *args)
            except Exception as error:
                self._failed(name, step, error)
        return step

    def tell(self, name: str, steps: Sequence[Step], came_to: Callable[[Step], str]) -> None:
        """Log one line for each club that has been through a stage.

        :param came_to: what the stage came to for a club: counts, no names.
        """
        for step in steps:
            seconds = seconds_in(name, step)
            if seconds is not None and step["error"] is None:
                told = came_to(step).rstrip(".")
                log.info("%s: %s: %s, %.1f s", step["name"], name, told, seconds)

    def fail_together(self, name: str, steps: Sequence[Step], error: Exception) -> None:
        """R29: one failure of the clubs of a chain that were read together: told once, with its clubs named."""
        names = ", ".join(step["name"] for step in steps)
        log.error("One reading failed for %d clubs of a chain: %s.", len(steps), names)
        for n, step in enumerate(steps):
            step["together"] = [one["club"] for one in (step, *steps[:n], *steps[n + 1 :])]
            self._failed(name, step, error, told=n > 0)

    def _failed(self, name: str, step: Step, error: Exception, *, told: bool = False) -> None:
        """Whatever went wrong becomes the step's error.

        :param told: it is in the log already.
        """
        if isinstance(error, SyncError | ConnectorError):
            retry_after = error.retry_after if isinstance(error, RateLimited) else None
            said = (error.what, error.remedy, error.runbook, error.transient, retry_after)
        elif (known := trouble.explained(error)) is not None:
            said = (known.what, known.remedy, known.runbook, known.transient, None)
        else:
            if not told:
                log.critical("%s: internal error in %s: %s", step["club"], name, place_of(error))
            said = (
                message(
                    f"Internal error ({type(error).__name__}) in the {name} stage of {step['name']}."
                ),
                message("Nothing was written. An engineer has to look at the log above this line."),
                "contract-changed",
                False,
                None,
            )
        self._fail(name, step, *said, told=told)

    def _fail(
        self,
        stage: str,
        step: Step,
        what: str,
        remedy: str,
        runbook: str,
        transient: bool,
        retry_after: timedelta | None,
        *,
        told: bool,
    ) -> None:
        step["error"], step["remedy"], step["runbook"] = what, remedy, runbook
        step["transient"] = transient
        step["retry_after"] = retry_after.total_seconds() if retry_after else None
        if self.explain and not told:
            said = what.removeprefix(f"{step['name']}: ")
            log.error("%s %s", named(step["name"], f"{stage}: {said}"), remedy)
        self.forget(step)
        if step["run"] is None or step["club"] not in self._numbers:
            return
        try:
            self._record_failure(step, stage, what, retry_after)
        except SyncError as error:
            log.error("%s: the failure could not be written down: %s", step["club"], error.what)

    def _record_failure(
        self, step: Step, stage: str, what: str, retry_after: timedelta | None
    ) -> None:
        club_no, at, sql = self._numbers[step["club"]], clock.now(), queries()
        with self.base.club(club_no) as driver:
            self.end(driver, club_no, step, "failed", stage)
            if step.get("again"):
                return  # not the ERP's fault, and no reading that failed
            since = sql.club_failed(
                driver,
                club=club_no,
                at=at,
                error=what,
                next_read_at=at + retry_after if retry_after else None,
            )
            assert since is not None  # the query has just set it
            wait = pause(since, at, self.club(step).every)
            if wait is not None:
                until = at + max(wait, retry_after or timedelta(0))
                sql.quarantine_club(driver, club=club_no, until=until, next_read_at=until)
                step["until"] = until.isoformat(timespec="minutes")
        step["since"] = since.isoformat(timespec="minutes")

    def end(self, driver: Driver, club_no: int, step: Step, state: str, stage: str) -> None:
        """Write down how the run ended.

        :param driver: inside a transaction of the club.
        """
        trip = RoundTrip(driver)
        self.add_end(trip, club_no, step, state, stage)
        trip.send()

    def add_end(self, trip: RoundTrip, club_no: int, step: Step, state: str, stage: str) -> None:
        """The same, with other statements."""
        trip.add(
            queries().end_run,
            club=club_no,
            run=run_of(step),
            at=clock.now(),
            state=state,
            stage=stage,
            snapshot=step["snapshot"],
            plan=step["plan"],
            read=step["read"],
            counts=json.dumps(step["counts"]),
            rows_written=step["rows_written"],
            used=step["used"],
            suspected=step["suspected"],
            error=step["error"],
            remedy=step["remedy"],
            runbook=step["runbook"],
            profile=self.timing.so_far(step),
        )


def named(name: str, sentence: str) -> str:
    """The sentence with the name of its club before it, unless it has the name."""
    return sentence if name in sentence else f"{name}: {sentence}"


def counted(number: int, what: str) -> str:
    """A number and its noun, of which an `s` makes the plural."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def in_words(counts: Mapping[str, int]) -> str:
    """Changes by kind: `3 changes (addition 2, merge 1)`."""
    kinds = {kind: n for kind, n in counts.items() if n}
    if not kinds:
        return "no changes"
    listed = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
    return f"{counted(sum(kinds.values()), 'change')} ({listed})"


def run_of(step: Step) -> int:
    """The number of a run that was started."""
    assert step["run"] is not None
    return step["run"]


def snapshot_row(driver: Driver, club_no: int, step: Step) -> SnapshotRow:
    """The row of the run's snapshot.

    :raises SnapshotGone: retention, or a purge, has deleted it meanwhile.
    """
    assert step["snapshot"] is not None  # extract has taken it
    row = queries().snapshot(driver, club=club_no, snapshot=step["snapshot"])
    if row is None:
        raise SnapshotGone(
            f"Snapshot {step['snapshot']} of {step['name']} was deleted meanwhile.",
            remedy="Nothing of it was loaded. The newest snapshots are always kept; sync the club for a new one.",
        )
    return row


def take_from(step: Step, row: SnapshotRow | NewestSnapshotInRow) -> None:
    """Let a step be about a stored snapshot.

    :param row: of sync.snapshot.
    """
    as_of: datetime = row["as_of"]
    step["snapshot"] = row["snapshot"]
    step["certified"], step["read"] = row["certified"], row["customers"]
    step["as_of"] = as_of.isoformat()
    step["doubts"] = list(row["doubts"])
