"""The pipeline: the four stages over many clubs, and what people decide about them.

Airflow runs each stage as a task over a batch of clubs, in a process of its own, and what a stage makes goes
to the next one through the store; the shell runs all four in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clubsync import connections
from clubsync.config import load_config
from clubsync.extract import schedule
from clubsync.model import COVERED, Step
from clubsync.pipeline import backfill, diff, extract, load, validate
from clubsync.pipeline.runs import Runs, counted, in_words, take_from
from clubsync.pipeline.timing import Timing
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection

if TYPE_CHECKING:
    from clubsync.manual.identity import Decision

READERS = extract.READERS


class Pipeline(Runs):
    """All that can be done with many clubs."""

    @classmethod
    @contextmanager
    def from_environment(
        cls,
        connections: Callable[[str], Connection] = connections.resolve,
        progress: Callable[[str, str, int, int | None], None] = lambda *_: None,
    ) -> Iterator[Pipeline]:
        """The pipeline that the environment describes (CLUBSYNC_CONFIG, _DATABASE, _SNAPSHOTS).

        :raises ConfigError, BaseUnreachable: with what to do.
        """
        timing = Timing()
        timing.opened()
        config = load_config()
        base = Base(pool_size=READERS)
        store = Store(base=base)
        try:
            yield cls(config, base, store, resolve=connections, progress=progress, timing=timing)
        finally:
            base.close()

    # --- when ---------------------------------------------------------------------------------

    def due(self, erp: str, at: datetime, clubs: Sequence[str] | None = None) -> list[str]:
        """Ids of the clubs of that ERP to read now (R25), the longest unread first.

        :param at: the moment, UTC.
        :param clubs: ids or names asked for by hand: these, whatever their cadence.
        """
        return schedule.due(self.base, self.config.of_erp(erp), at, clubs)

    def alive(self, erp: str, clubs: Sequence[str] | None = None) -> list[str]:
        """Ids of the clubs of that ERP that are not paused, or those asked for: whom a backfill is about."""
        return schedule.alive(self.base, self.config.of_erp(erp), clubs)

    # --- the stages ---------------------------------------------------------------------------

    def extract(self, club_ids: Sequence[str], trigger: str, full: bool = False) -> list[Step]:
        """Read the clubs' ERPs, several at a time, and store a snapshot of each."""
        with self.timing.batch("extract") as clubs:
            self.find_numbers(club_ids)
            steps = extract.extract(self, club_ids, trigger, full=full)
            clubs.extend(steps)
        self.tell("extract", steps, _read)
        return steps

    def refill(
        self, club_ids: Sequence[str], start: datetime, end: datetime, trigger: str = "backfill"
    ) -> list[Step]:
        """R26: the first stage of a backfill: take up what the ERP said in an interval of the past.

        :param start, end: the interval, its end not included, UTC.
        """
        with self.timing.batch("extract") as clubs:
            steps = backfill.refill(self, club_ids, start, end, trigger)
            clubs.extend(steps)
        self.tell("extract", steps, _taken_up)
        return steps

    def validate(self, steps: Sequence[Step], *, store: bool = True) -> list[Step]:
        """Evaluate the affected records, all clubs in one run of Great Expectations.

        :param store: store what `diff` needs, which another process does; False: this one does.
        """
        with self.timing.batch("validate", steps):
            return validate.validate(self, steps, store=store)

    def diff(self, steps: Sequence[Step], *, store: bool = True) -> list[Step]:
        """Make each club's plan.

        :param store: store it at once, for another process to load; False: `load` stores it.
        """
        with self.timing.batch("diff", steps):
            self.find_numbers(step["club"] for step in steps)
            diff.diff_batch(self, steps, store=store)
        self.tell("diff", steps, _planned)
        return list(steps)

    def load(self, steps: Sequence[Step], dry_run: bool = False) -> list[Step]:
        """Load each club's plan, one transaction per club; a dry run ends with the stored plan.

        R29: of a chain those clubs come last whose customers others take over, so that nobody is without access in
        between; where two clubs take over customers of each other, the first is planned once more.
        """
        with self.timing.batch("load", steps):
            self.find_numbers(step["club"] for step in steps)
            ordered = sorted(steps, key=lambda one: bool(one.get("moving")))
            load.load_batch(self, ordered, dry_run)
        if not dry_run:
            for step in steps:
                self._let_go(step)
        self.tell("load", steps, _planned if dry_run else _loaded)
        return list(steps)

    def _let_go(self, step: Step) -> None:
        """R29: plan the club once more if others have taken over customers of its since."""
        if step["error"] is not None or not load.have_arrived(self, step):
            return
        again = self.replay_snapshot(step["club"], "moves within the chain", step["snapshot"])
        if again["error"] is not None:
            return  # the next sync tries again
        for kind, n in again["counts"].items():
            step["counts"][kind] += n
        step["rows_written"] += again["rows_written"]
        for name in ("suspected", "hold", "held", "findings"):
            step[name] = again[name]

    def sync(
        self, club_ids: Sequence[str], trigger: str, full: bool = False, dry_run: bool = False
    ) -> list[Step]:
        """All four stages in this process."""
        return self._from_snapshots(self.extract(club_ids, trigger, full), dry_run)

    def backfill(
        self,
        club_ids: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        trigger: str = "backfill",
        dry_run: bool = False,
    ) -> list[Step]:
        """R26: one interval of the past through all four stages; harmless in any order (R16)."""
        return self._from_snapshots(self.refill(club_ids, start, end, trigger), dry_run)

    def _from_snapshots(self, steps: Sequence[Step], dry_run: bool = False) -> list[Step]:
        """The three stages after extract, in this process."""
        validated = self.validate(steps, store=False)
        return self.load(self.diff(validated, store=False), dry_run)

    # --- what a person decides ------------------------------------------------------------------

    def approve(
        self, hold: int, by: str, list_hash: str | None = None, comment: str | None = None
    ) -> Step:
        """R15: deactivate those of the seen list who are still not eligible in the newest snapshot, nobody else.

        :param list_hash: of the list that was seen; None: the list as it is now.
        :raises ActionRejected: no such hold or list, or it was decided already.
        """
        from clubsync.manual import holds

        club, decision = holds.decision_on(self.base, hold, by, list_hash, comment)
        step = self.start(club, f"hold {hold} approved by {by}", attempt=False)
        if step["error"] is not None:
            return step
        club_no = self.club_no(self.config.club(club))
        with self.base.club(club_no) as driver:
            step["snapshot"] = holds.newest_snapshot(driver, club_no)
        handed = self.handed(step)
        handed.decision, handed.newest = decision, True
        return self._from_snapshots([step])[0]

    def reject(
        self, hold: int, by: str, list_hash: str | None = None, comment: str | None = None
    ) -> dict[str, Any]:
        """R15: keep the people of the seen list, and do not ask about them for 30 days.

        :raises ActionRejected: no such hold or list, or it was decided already.
        """
        from clubsync.manual import holds

        return holds.reject(self.base, *holds.decision_on(self.base, hold, by, list_hash, comment))

    def approve_first_sync(self, club_id: str, by: str, list_hash: str) -> Step:
        """R28: load the plan of a first sync that a person has seen, and no other.

        If a manual edit has changed the plan in between, the step is held again.

        :param list_hash: of the plan that was seen.
        :raises ActionRejected: no first sync awaits approval, or its plan is another.
        """
        from clubsync.manual import lifecycle

        club = self.config.club(club_id)
        snapshot = lifecycle.approve_first_sync(self.base, club, list_hash, by)
        return self.replay_snapshot(club_id, f"first sync approved by {by}", snapshot)

    def decide_identity(self, club_id: str, erp_id: str, decision: Decision, by: str) -> Step:
        """R1: decide whose a reused ERP id is, and carry it out on the newest snapshot.

        :raises ActionRejected: the id awaits no decision.
        """
        from clubsync.manual import identity

        identity.decide(self.base, self.config.club(club_id), erp_id, decision, by=by)
        return self.replay_snapshot(club_id, f"id reused: {decision}, by {by}")

    def redo(self, run: int, by: str) -> Step:
        """R18: bring back what was undone of a run, from the audit and the newest snapshot.

        :raises ActionRejected: nothing of that run is undone.
        """
        from clubsync.manual import undo

        done = undo.redo(self.base, self.config, run, by)
        step = self.replay_snapshot(done.club.id, f"redo of run {run} by {by}")
        step["rows_written"] += done.rows_written
        for kind, n in done.kinds.items():
            step["counts"][kind] = step["counts"].get(kind, 0) + n
        return step

    def replay(
        self, club_id: str, start: datetime | None = None, until: datetime | None = None
    ) -> list[Step]:
        """R16: the club's stored snapshots again, oldest first; harmless in any order."""
        club_no = self.club_no(self.config.club(club_id))
        with self.base.club(club_no) as driver:
            rows = list(queries().snapshots_between(driver, club=club_no, start=start, until=until))
        return [self.replay_snapshot(club_id, "replay", row["snapshot"]) for row in rows]

    def replay_snapshot(self, club_id: str, trigger: str, snapshot: int | None = None) -> Step:
        """Plan and load a stored snapshot again; None: the newest that was loaded."""
        from clubsync.manual import holds

        step = self.start(club_id, trigger, attempt=False)
        if step["error"] is not None:
            return step
        club_no = self.club_no(self.config.club(club_id))
        with self.base.club(club_no) as driver:
            step["snapshot"] = wanted = snapshot or holds.newest_snapshot(driver, club_no)
            row = wanted and queries().snapshot(driver, club=club_no, snapshot=wanted)
        if row:
            take_from(step, row)
        self.handed(step).newest = snapshot is None
        return self._from_snapshots([step])[0]


def failed(steps: Iterable[Step]) -> list[Step]:
    """Those that ended in an error."""
    return [step for step in steps if step["error"] is not None]


# --- what a stage came to, for its line in the log ------------------------------------------------


def _read(step: Step) -> str:
    complete = "complete" if step["certified"] else "incomplete"
    return f"{counted(step['read'], 'record')}, {complete}"


def _taken_up(step: Step) -> str:
    """Of a backfill: the notes name the interval, and what it was filled from."""
    if step.get("past") == COVERED:
        return " ".join(step["notes"])
    return " ".join((_read(step) + ".", *step["notes"]))


def _planned(step: Step) -> str:
    held = f", {step['held']:,} held" if step["held"] else ""
    return in_words(step["counts"]) + held


def _loaded(step: Step) -> str:
    rows = counted(step["rows_written"], "row")
    return f"{_planned(step)}, {rows} written"
