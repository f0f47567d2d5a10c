"""The four stages over many clubs: extract, validate, diff, load.

Airflow runs each stage as a task over a batch of clubs, the shell runs all four. What goes from stage
to stage is a `Step` per club: ids, counts and sentences, never a frame or a person's data. A club
that fails in a stage passes through the rest with its error and leaves the others alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock, connections
from clubsync.config import ClubConfig, Config, load_config
from clubsync.errors import ConcurrentChange, SyncError, place_of
from clubsync.extract.reader import Reader, believe
from clubsync.model import COVERED, FROM_ERP, HELD, READ_NOW, STORED, Decision, Origin, Step
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, RateLimited

if TYPE_CHECKING:
    import polars as pl

    from clubsync.model import Plan, Policy
    from clubsync.store.database import Base, Driver
    from clubsync.store.queries import ClubStateRow
    from clubsync.store.snapshots import Snapshot, Store
    from clubsync.validate.affected import Affected
    from connectors.sdk.model import Reading

log = logging.getLogger(__name__)

READERS = 16
#: Goes up whenever the engine evaluates the same facts differently from before: every record is looked at again.
RULES_VERSION = 1
ATTEMPTS = 3
#: A nudge starts a run of its own at once; one that still waits after this long has lost it.
NUDGE_PATIENCE = timedelta(seconds=30)


@dataclass
class _Work:
    """What the stages of one run hand on inside one process; made again where it is missing."""

    snapshot: Snapshot | None = None
    unchanged: bool = False
    affected: Affected | None = None
    evaluated: pl.DataFrame | None = None
    findings: pl.DataFrame | None = None
    plan: Plan | None = None
    held: pl.DataFrame | None = None
    limit: int = 0
    customers: int = 0
    decision: Decision | None = None


@dataclass
class Pipeline:
    """:param resolve: connection id -> Connection.
    :param progress: called with (club id, stage, rows so far, total where known) on long work.
    :param origin: the task of Airflow that the runs are part of; None: none.
    """

    config: Config
    base: Base
    store: Store
    resolve: Callable[[str], Connection] = connections.resolve
    progress: Callable[[str, str, int, int | None], None] = lambda *_: None
    origin: Origin | None = None
    _work: dict[int, _Work] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

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
        from clubsync.store.database import Base
        from clubsync.store.snapshots import Store

        config = load_config()
        base = Base(pool_size=READERS)
        try:
            yield cls(config, base, Store(), resolve=connections, progress=progress)
        finally:
            base.close()

    # --- when ---------------------------------------------------------------------------------

    def due(self, erp: str, at: datetime, clubs: Sequence[str] | None = None) -> list[str]:
        """Ids of the clubs of that ERP to read now (R25), the longest unread first.

        :param at: the moment, UTC.
        :param clubs: ids or names asked for by hand: these, whatever their cadence.
        """
        of_erp = self.config.of_erp(erp)
        if clubs:
            wanted = set(clubs)
            return [c.id for c in of_erp if c.id in wanted or c.name in wanted]
        from clubsync.store.database import queries

        with self.base.reader() as driver:
            states = {row["club_id"]: row for row in queries().club_states(driver)}
            # R27: a nudge whose own run has not come is not lost
            late = clock.now() - NUDGE_PATIENCE
            nudged = {row["club_id"] for row in queries().nudged_clubs(driver, before=late)}
        never = datetime.min.replace(tzinfo=UTC)

        def last(club: ClubConfig) -> datetime:
            state = states.get(club.id)
            return (state and state["last_attempt_at"]) or never

        def is_due(club: ClubConfig) -> bool:
            state = states.get(club.id)
            if state is None:
                return True
            if state["paused"]:
                return False
            due = state["next_read_at"] is None or state["next_read_at"] <= at
            return due or club.id in nudged

        return [c.id for c in sorted(of_erp, key=last) if is_due(c)]

    def alive(self, erp: str, clubs: Sequence[str] | None = None) -> list[str]:
        """Ids of the clubs of that ERP that are not paused, or those asked for: whom a backfill is about."""
        of_erp = self.config.of_erp(erp)
        if clubs:
            return [c.id for c in of_erp if c.id in set(clubs)]
        from clubsync.store.database import queries

        with self.base.reader() as driver:
            paused = {row["club_id"] for row in queries().club_states(driver) if row["paused"]}
        return [c.id for c in of_erp if c.id not in paused]

    # --- the stages ---------------------------------------------------------------------------

    def extract(self, club_ids: Sequence[str], trigger: str, full: bool = False) -> list[Step]:
        """Read the clubs' ERPs, several at a time, and store a snapshot of each."""
        steps = [self._start(club_id, trigger) for club_id in club_ids]
        with ThreadPoolExecutor(max_workers=min(READERS, max(1, len(steps)))) as pool:
            return list(
                pool.map(lambda step: self._stage("extract", step, self._extract, full), steps)
            )

    def validate(self, steps: Sequence[Step]) -> list[Step]:
        """Judge the records that moved, all clubs in one run of Great Expectations."""
        out = [self._stage("validate", step, self._find_affected) for step in steps]
        evaluated = {}
        for step in out:
            work = self._of(step)
            if step["error"] is None and work.evaluated is not None and work.affected is not None:
                evaluated[step["club"]] = (work.evaluated, work.affected.policy)
        if not evaluated:
            return out
        from clubsync.validate import suites

        found = suites.findings(evaluated)
        for step in out:
            if step["club"] in found:
                self._of(step).findings = found[step["club"]]
        return [self._stage("validate", step, self._store_findings) for step in out]

    def diff(self, steps: Sequence[Step]) -> list[Step]:
        """Make and store each club's plan; a dry run stops here."""
        return [self._stage("diff", step, self._diff) for step in steps]

    def load(self, steps: Sequence[Step], dry_run: bool = False) -> list[Step]:
        """Load each club's plan, one transaction per club."""
        return [self._stage("load", step, self._load, dry_run) for step in steps]

    def sync(
        self, club_ids: Sequence[str], trigger: str, full: bool = False, dry_run: bool = False
    ) -> list[Step]:
        """All four stages."""
        steps = self.extract(club_ids, trigger, full)
        return self.load(self.diff(self.validate(steps)), dry_run)

    def refill(
        self, club_ids: Sequence[str], start: datetime, end: datetime, trigger: str = "backfill"
    ) -> list[Step]:
        """R26: the first stage of a backfill: take up what the ERP said in an interval of the past.

        From the snapshot stored then, else from the ERP where it keeps its past, else the interval is
        covered by a later reading; only where there is none is the club read, once, however many
        intervals are filled at a time. The other stages follow as ever, and newest wins (R16).

        :param start, end: the interval, its end not included, UTC.
        """
        steps = [self._start(club_id, trigger, attempt=False) for club_id in club_ids]
        with ThreadPoolExecutor(max_workers=min(READERS, max(1, len(steps)))) as pool:
            return list(
                pool.map(lambda step: self._stage("extract", step, self._refill, start, end), steps)
            )

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
        steps = self.refill(club_ids, start, end, trigger)
        return self.load(self.diff(self.validate(steps)), dry_run)

    # --- what a person decides ------------------------------------------------------------------

    def approve(
        self, hold: int, by: str, list_hash: str | None = None, comment: str | None = None
    ) -> Step:
        """R15: deactivate those of the seen list whom the newest snapshot still calls for, nobody else.

        :param list_hash: of the list that was seen; None: the list as it is now.
        :raises ActionRejected: no such hold or list, or it was decided already.
        """
        from clubsync.manual import holds

        club, decision = holds.decision_on(self.base, hold, by, list_hash, comment)
        step = self._start(club, f"hold {hold} approved by {by}", attempt=False)
        number = self._number(self.config.club(club))
        with self.base.club(number) as driver:
            step["snapshot"] = holds.newest_snapshot(driver, number)
        self._of(step).decision = decision
        return self.load(self.diff([step]))[0]

    def reject(
        self, hold: int, by: str, list_hash: str | None = None, comment: str | None = None
    ) -> dict[str, Any]:
        """R15: keep the people of the seen list, and do not ask about them for 30 days.

        :raises ActionRejected: no such hold or list, or it was decided already.
        """
        from clubsync.manual import holds

        return holds.reject(self.base, *holds.decision_on(self.base, hold, by, list_hash, comment))

    def redo(self, run: int, by: str) -> Step:
        """R18: let what was undone of a run come back, from the newest snapshot.

        :raises ActionRejected: nothing of that run is undone.
        """
        from clubsync.manual import undo

        club = undo.allow_redo(self.base, self.config, run)
        return self._again(club.id, f"redo of run {run} by {by}")

    def replay(
        self, club_id: str, start: datetime | None = None, until: datetime | None = None
    ) -> list[Step]:
        """R16: the club's stored snapshots again, oldest first; harmless in any order."""
        from clubsync.store.database import queries

        number = self._number(self.config.club(club_id))
        with self.base.club(number) as driver:
            rows = list(queries().snapshots_between(driver, club=number, start=start, until=until))
        return [self._again(club_id, "replay", row["snapshot"]) for row in rows]

    def _again(self, club_id: str, trigger: str, snapshot: int | None = None) -> Step:
        """Plan and load a stored snapshot; None: the newest that was loaded."""
        from clubsync.manual import holds
        from clubsync.store.database import queries

        step = self._start(club_id, trigger, attempt=False)
        number = self._number(self.config.club(club_id))
        with self.base.club(number) as driver:
            step["snapshot"] = wanted = snapshot or holds.newest_snapshot(driver, number)
            row = wanted and queries().snapshot(driver, club=number, snapshot=wanted)
        if row:
            step["certified"], step["read"] = row["certified"], row["customers"]
            step["as_of"] = row["as_of"].isoformat()
        return self.load(self.diff([step]))[0]

    # --- one club in one stage ----------------------------------------------------------------

    def _start(self, club_id: str, trigger: str, *, attempt: bool = True) -> Step:
        step = Step(
            club=club_id,
            name=club_id,
            run=None,
            snapshot=None,
            plan=None,
            certified=False,
            as_of=None,
            read=0,
            counts=_no_counts(),
            rows_written=0,
            findings={},
            hold=None,
            held=0,
            notes=[],
            error=None,
            remedy=None,
            runbook=None,
            transient=False,
            retry_after=None,
        )

        def begin(step: Step) -> None:
            from clubsync.store.database import queries

            club = self.config.club(club_id)
            step["name"] = club.name
            number = self._number(club)
            at = clock.now()
            with self.base.club(number) as driver:
                run = queries().start_run(driver, club=number, trigger=trigger, at=at)
                step["run"] = run
                if self.origin is not None:
                    queries().set_airflow_run(
                        driver, club=number, number=run, **asdict(self.origin)
                    )
                if attempt:
                    slot = self._slot(club, at)
                    queries().attempt_club(driver, club=number, at=at, next_read_at=slot)
                    queries().answer_nudges(driver, club=number, run=run, at=at)
                else:
                    step["again"] = True

        return self._stage("extract", step, begin)

    def _stage(self, stage: str, step: Step, work: Callable[..., None], *args: Any) -> Step:
        """Run one stage for one club; whatever goes wrong becomes the step's error."""
        if step["error"] is not None or step.get("past") == COVERED:
            return step
        try:
            work(step, *args)
        except (SyncError, ConnectorError) as error:
            retry_after = error.retry_after if isinstance(error, RateLimited) else None
            self._failed(
                stage, step, error.what, error.remedy, error.runbook, error.transient, retry_after
            )
        except Exception as error:
            log.critical("%s: internal error in %s: %s", step["club"], stage, place_of(error))
            self._failed(
                stage,
                step,
                f"A fault in clubsync itself ({type(error).__name__}) stopped the {stage} of {step['name']}.",
                "Nothing was written. An engineer has to look at the log above this line.",
                "contract-changed",
                False,
                None,
            )
        return step

    def _failed(
        self,
        stage: str,
        step: Step,
        what: str,
        remedy: str,
        runbook: str,
        transient: bool,
        retry_after: timedelta | None,
    ) -> None:
        step["error"], step["remedy"], step["runbook"] = what, remedy, runbook
        step["transient"] = transient
        step["retry_after"] = retry_after.total_seconds() if retry_after else None
        log.error("%s (%s): %s %s", step["name"], stage, what, remedy)
        if step["run"] is not None:
            self._work.pop(step["run"], None)
        if step["run"] is None or step["club"] not in self._numbers:
            return
        from clubsync.extract.schedule import pause
        from clubsync.store.database import queries

        number, at = self._numbers[step["club"]], clock.now()
        try:
            with self.base.club(number) as driver:
                self._end_run(driver, number, step, "failed", stage)
                if step.get("again"):
                    return  # not the ERP's fault, and no reading that failed
                since = queries().club_failed(
                    driver,
                    club=number,
                    at=at,
                    error=what,
                    next_read_at=at + retry_after if retry_after else None,
                )
                assert since is not None  # the query has just set it
                wait = pause(since, at, self.config.club(step["club"]).every)
                if wait is not None:
                    until = at + max(wait, retry_after or timedelta(0))
                    queries().quarantine_club(driver, club=number, until=until, next_read_at=until)
                    step["until"] = until.isoformat(timespec="minutes")
            step["since"] = since.isoformat(timespec="minutes")
        except SyncError as error:
            log.error("%s: the failure could not be written down: %s", step["club"], error.what)

    def _end_run(self, driver: Driver, number: int, step: Step, state: str, stage: str) -> None:
        from clubsync.store.database import queries

        if step["run"] is None:
            return  # it failed before it began
        queries().end_run(
            driver,
            club=number,
            run=step["run"],
            at=clock.now(),
            state=state,
            stage=stage,
            snapshot=step["snapshot"],
            plan=step["plan"],
            read=step["read"],
            counts=json.dumps(step["counts"]),
            rows_written=step["rows_written"],
            error=step["error"],
            remedy=step["remedy"],
            runbook=step["runbook"],
        )

    def _number(self, club: ClubConfig) -> int:
        """The club's number in the base, registered at its first mention."""
        if club.id not in self._numbers:
            from clubsync.store.database import queries

            with self.base.transaction() as driver:
                number = queries().register_club(
                    driver, club_id=club.id, name=club.name, erp=club.erp, now=clock.now()
                )
                was = queries().club_row(driver, club=number)["erp"]
                queries().rename_club(driver, club=number, name=club.name, erp=club.erp)
            if was != club.erp:
                self._moved(number)
            self._numbers[club.id] = number
        return self._numbers[club.id]

    def _moved(self, number: int) -> None:
        """clubs.yaml names another ERP than before: its ids are another source's (R1)."""
        from clubsync.manual import lifecycle
        from clubsync.store.database import queries

        with self.base.club(number) as driver:
            sql, at = queries(), clock.now()
            sql.lock_club(driver, club=number)
            lifecycle.start_epoch(driver, number, at)
            sql.summarise_club(driver, club=number, customers=None, at=at)

    @property
    def _reader(self) -> Reader:
        return Reader(self.base, self.store, self.resolve, self.progress)

    def _of(self, step: Step) -> _Work:
        return self._work.setdefault(step["run"] or 0, _Work())

    # --- extract ------------------------------------------------------------------------------

    def _extract(self, step: Step, full: bool) -> None:
        club = self.config.club(step["club"])
        self._take(step, self._reader.read(club, self._number(club), full=full))

    def _refill(self, step: Step, start: datetime, end: datetime) -> None:
        from clubsync.store.database import queries
        from connectors.sdk.errors import FileMissing

        club, sql = self.config.club(step["club"]), queries()
        number = self._number(club)
        interval = f"{start:%d %B, %H:%M} to {end:%H:%M} UTC"
        with self.base.club(number) as driver:
            # of several the newest: the others are older, and would only be history
            stored = sql.newest_snapshot_in(driver, club=number, start=start, until=end)
        if stored is not None:
            step["snapshot"], step["past"] = stored["snapshot"], STORED
            step["certified"], step["read"] = stored["certified"], stored["customers"]
            step["as_of"] = stored["as_of"].isoformat()
            step["notes"].append(f"{interval}: from the snapshot stored then.")
            return
        connector = self._reader.connector(club, until=end - timedelta(microseconds=1))
        if connector.answers_past:
            try:
                reading = connector.read()
            except FileMissing:
                reading = None
            if reading is not None and reading.as_of >= start:
                step["past"] = FROM_ERP
                step["notes"].append(f"{interval}: from what the ERP had written by then.")
                self._take(step, reading)
                return
        at = clock.now()
        with self.base.club(number) as driver:
            # several intervals are filled at a time: the first of them reads, for all
            sql.lock_club(driver, club=number)
            state = sql.club_state(driver, club=number)
            last = state["last_success_at"]
            begun = state["failing_since"] is None and state["last_attempt_at"]
            covered = max(filter(None, (last, begun or None)), default=None)
            if covered is not None and covered >= end:
                step["past"] = COVERED
                step["notes"].append(
                    f"{interval}: nothing was stored then and {connector.title} answers for the present "
                    f"only; the reading of {covered:%d %B, %H:%M} UTC covers it (R26)."
                )
                self._end_run(driver, number, step, "done", "extract")
                return
            sql.attempt_club(driver, club=number, at=at, next_read_at=self._slot(club, at))
            sql.answer_nudges(driver, club=number, run=_run_of(step), at=at)
        step["past"], step["again"] = READ_NOW, False
        step["notes"].append(
            f"{interval}: nothing was stored then; one reading now stands for all that was missed (R26)."
        )
        self._extract(step, full=True)

    @staticmethod
    def _slot(club: ClubConfig, at: datetime) -> datetime:
        """When the club is due next, by its cadence."""
        every = club.every.total_seconds()
        return datetime.fromtimestamp((at.timestamp() // every + 1) * every, UTC)

    def _take(self, step: Step, read: Reading) -> None:
        """Store a reading as a snapshot, unless it cannot be believed (R14)."""
        from clubsync.store import snapshots
        from clubsync.store.database import queries

        club = self.config.club(step["club"])
        number = self._number(club)
        reading = self._reader.identified(read, number)
        customers, content_hash = snapshots.prepare(reading)
        certificate = reading.certificate
        step["certified"], step["as_of"] = certificate.complete, reading.as_of.isoformat()
        step["read"] = customers.height
        step["notes"].extend((*read.notes, *certificate.doubts))
        with self.base.club(number) as driver:
            state = queries().club_state(driver, club=number)
            if reading.since is None:  # that little has changed, or only newcomers, is no outage
                believe(
                    club, customers, reading.conflicting_ids, content_hash, state, driver, number
                )
            path = snapshots.path_of(club.id, content_hash)
            self._keep(path, customers, reading)
            taken = queries().add_snapshot(
                driver,
                club=number,
                as_of=reading.as_of,
                read_at=clock.now(),
                certified=certificate.complete,
                doubts=list(certificate.doubts),
                customers=customers.height,
                rows_read=certificate.rows,
                content_hash=content_hash,
                path=path,
                epoch=state["epoch"],
                columns=list(reading.columns),
                column_of=json.dumps(dict(reading.column_of)),
            )
            queries().run_snapshot(
                driver, club=number, run=_run_of(step), snapshot=taken, read=step["read"]
            )
        step["snapshot"] = taken
        self._of(step).snapshot = snapshots.Snapshot(
            club=club.id,
            number=taken,
            as_of=reading.as_of,
            certified=certificate.complete,
            customers=customers,
            groups=reading.groups,
            conflicting_ids=reading.conflicting_ids,
            content_hash=content_hash,
            path=path,
            epoch=state["epoch"],
        )

    def _keep(self, path: str, customers: pl.DataFrame, reading: Reading) -> None:
        """Store the reading's content, unless a reading of the same content is stored."""
        import polars as pl

        if self.store.exists(path, "customers.parquet"):
            return
        self.store.write(path, "groups.parquet", reading.groups)
        conflicting = pl.DataFrame(
            {"erp_id": list(reading.conflicting_ids)}, schema={"erp_id": pl.String}
        )
        self.store.write(path, "conflicting.parquet", conflicting)
        self.store.write(
            path, "customers.parquet", customers
        )  # last: it says that the rest is there

    # --- validate -----------------------------------------------------------------------------

    def policy(self, club: ClubConfig, certified: bool) -> Policy:
        """The club's own rules, on its own calendar day."""
        from clubsync.validate.policy import policy_of

        return policy_of(club, certified)

    def _policy_hash(self, policy: Policy) -> str:
        parts = [
            RULES_VERSION,
            sorted(policy.access_statuses),
            policy.group_required,
            sorted(policy.former_groups),
            policy.phone_centred,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def _snapshot(self, step: Step, driver: Driver, number: int) -> Snapshot:
        work = self._of(step)
        if work.snapshot is None:
            from clubsync.store import snapshots
            from clubsync.store.database import queries

            assert step["snapshot"] is not None  # extract has taken it
            row = queries().snapshot(driver, club=number, snapshot=step["snapshot"])
            assert row is not None  # retention leaves the newest alone
            work.snapshot = snapshots.load(self.store, step["club"], row)
        return work.snapshot

    def _find_affected(self, step: Step) -> None:
        """Find what has to be looked at, and evaluate the facts of it."""
        from clubsync.store.database import queries
        from clubsync.validate import affected, facts

        club = self.config.club(step["club"])
        number = self._number(club)
        work = self._of(step)
        with self.base.club(number) as driver:
            sql = queries()
            snapshot = self._snapshot(step, driver, number)
            state = sql.club_state(driver, club=number)
            if affected.is_old(snapshot, state):
                work.unchanged = True
                step["notes"].append(
                    "A newer complete snapshot is loaded already: history only (R16)."
                )
                return
            policy = self.policy(club, snapshot.certified)
            policy_hash = self._policy_hash(policy)
            if affected.is_unchanged(
                snapshot,
                state,
                policy_hash,
                policy.today,
                rechecks=next(iter(sql.rechecks(driver, club=number)), None) is not None
                or sql.any_rejection_expired(driver, club=number, now=clock.now()),
                held=sql.open_hold(driver, club=number) is not None,
            ):
                work.unchanged = True
                return
            decided = list(sql.rejected_members(driver, club=number))
            undone = list(sql.undone_customers(driver, club=number))
            kept = [row for row in decided if row["until"] > clock.now()]
            over = [row["erp_id"] for row in decided if row not in kept and row["erp_id"]]
            # another policy counts from a certified snapshot on, which shows everybody
            other_policy = snapshot.certified and state["policy_hash"] != policy_hash
            work.affected = affected.build(
                driver,
                number,
                snapshot,
                policy,
                state,
                everything=other_policy,
                keep={row["customer"]: (row["erp_id"], row["row_hash"]) for row in kept},
                undone={row["customer"]: (row["erp_id"], row["row_hash"]) for row in undone},
                more=over,
            )
        work.evaluated = facts.evaluate(work.affected.records, work.affected.groups, policy)

    def _findings_file(self, step: Step, revision: int) -> tuple[str, str]:
        return f"{step['club']}/runs/{step['run']}", f"findings-{revision}.parquet"

    def _store_findings(self, step: Step) -> None:
        work = self._of(step)
        if work.findings is not None and work.affected is not None:
            self.store.write(*self._findings_file(step, work.affected.revision), work.findings)

    # --- diff ---------------------------------------------------------------------------------

    def _validated(self, step: Step) -> None:
        """Make affected records, facts and findings where this process does not have them."""
        work = self._of(step)
        if work.unchanged or work.findings is not None:
            return
        self._find_affected(step)
        if work.unchanged or work.affected is None or work.evaluated is None:
            return
        path, name = self._findings_file(step, work.affected.revision)
        if self.store.exists(path, name):
            work.findings = self.store.read(path, name)
            return
        from clubsync.validate import suites

        found = suites.findings({step["club"]: (work.evaluated, work.affected.policy)})
        work.findings = found[step["club"]]

    def _diff(self, step: Step) -> None:
        self._validated(step)
        work = self._of(step)
        if work.unchanged or work.affected is None:
            return
        self._plan(step, work)
        work.evaluated = work.findings = (
            None  # the plan says it all, and a large club's facts are large
        )
        self._store_plan(step, work)

    def _plan(self, step: Step, work: _Work) -> None:
        """Plan; where the guard holds the deactivations, plan again with those customers kept (R15)."""
        import polars as pl

        from clubsync import diff
        from clubsync.diff import guard
        from clubsync.store.database import queries

        assert work.affected is not None
        assert work.evaluated is not None
        assert work.findings is not None
        club, affected = self.config.club(step["club"]), work.affected
        number = self._number(club)
        certified = affected.snapshot.certified
        evaluated, base, findings = work.evaluated, affected.base, work.findings
        plan = diff.plan(evaluated, findings, base, certified=certified)
        held = pl.DataFrame(schema=HELD)
        approved = work.decision.customers if work.decision else []

        def waiting(plan: Plan) -> pl.DataFrame:
            listed = guard.held(plan, evaluated, affected.groups)
            return listed.filter(~pl.col("customer").is_in(approved))

        due = waiting(plan)
        with self.base.club(number) as driver:
            sql = queries()
            since = clock.now() - timedelta(hours=24)
            work.customers = sql.customers_in_group(driver, club=number)
            verdict = guard.verdict(
                club.guard,
                deactivations=due.height,
                last_24_hours=sql.deactivated_since(driver, club=number, since=since),
                customers=work.customers,
                hold_is_open=sql.open_hold(driver, club=number) is not None,
            )
        while verdict.holds and due.height:
            held = pl.concat([held, due])
            kept = pl.col("keep") | pl.col("customer").is_in(held["customer"].implode())
            plan = diff.plan(evaluated, findings, base.with_columns(keep=kept), certified=certified)
            due = waiting(plan)
        held = pl.concat([held, self._unheard(number, evaluated, base, held, approved)])
        work.plan, work.held, work.limit = plan, held, verdict.limit
        step["counts"], step["held"] = plan.counts(), held.height

    def _unheard(
        self,
        number: int,
        evaluated: pl.DataFrame,
        base: pl.DataFrame,
        held: pl.DataFrame,
        approved: Sequence[int],
    ) -> pl.DataFrame:
        """R15: members of the open hold of whom this snapshot says nothing: they stay held (R14)."""
        import polars as pl

        from clubsync.model import CONFLICTING, UNSEEN
        from clubsync.store.database import fetch, queries

        with self.base.club(number) as driver:
            columns = {**HELD, "row_hash": pl.Int64()}
            members = fetch(driver, queries().open_members, columns, club=number)
        if members.is_empty():
            return pl.DataFrame(schema=HELD)
        members = members.with_columns(pl.col("row_hash").reinterpret(signed=False))
        silent = evaluated.filter(pl.col("presence").is_in([UNSEEN, CONFLICTING]))["erp_id"]
        theirs = base.filter(pl.col("erp_id").is_in(silent.implode()))["customer"]
        known = pl.concat([held["customer"], pl.Series("customer", approved, dtype=pl.Int64)])
        return members.filter(
            pl.col("customer").is_in(theirs.implode()) & ~pl.col("customer").is_in(known.implode())
        )

    def _store_plan(self, step: Step, work: _Work) -> None:
        """Keep the plan: ids and kinds, hashed; personal values in a file of their own."""
        from clubsync.store.database import queries

        assert work.affected is not None
        assert work.plan is not None
        assert work.held is not None
        assert step["snapshot"] is not None
        plan, number = work.plan, self._numbers[step["club"]]
        if plan.changes.is_empty() and work.held.is_empty():
            return
        path = f"{step['club']}/runs/{step['run']}"
        listed = plan.changes.select("kind", "customer", "erp_id", "reason")
        self.store.write(path, "changes.parquet", listed)
        self.store.write(path, "values.parquet", plan.changes.select("erp_id", "before", "after"))
        self.store.write(path, "held.parquet", work.held)
        with self.base.club(number) as driver:
            step["plan"] = queries().add_plan(
                driver,
                club=number,
                run=_run_of(step),
                snapshot=step["snapshot"],
                made_at=clock.now(),
                revision=work.affected.revision,
                list_hash=_list_hash(listed),
                counts=json.dumps(step["counts"]),
                customers=work.customers,
                held=work.held.height,
                path=path,
            )

    # --- load ---------------------------------------------------------------------------------

    def _load(self, step: Step, dry_run: bool) -> None:
        number = self._number(self.config.club(step["club"]))
        for _ in range(ATTEMPTS):
            work = self._of(step)
            if not work.unchanged and work.plan is None:
                self._diff(step)
            if dry_run:
                self._dry(step, number)
                break
            if self._waits_for_review(step, number):
                break
            with self.base.club(number, plan_tables=True) as driver:
                if self._loaded(step, work, driver, number):
                    break
            # somebody wrote to the club's base since the plan was made: plan anew
            self._work[step["run"] or 0] = _Work(snapshot=work.snapshot, decision=work.decision)
        else:
            raise ConcurrentChange(
                f"{step['name']}: the club's base was changed {ATTEMPTS} times while a plan was loaded.",
                remedy="Nothing was written; the next run tries again by itself.",
            )
        self._work.pop(step["run"] or 0, None)

    def _waits_for_review(self, step: Step, number: int) -> bool:
        """R28: whether this is a first sync that a person wants to see before it loads."""
        from clubsync.store.database import queries

        club, work = self.config.club(step["club"]), self._of(step)
        if club.first_sync != "review" or work.plan is None:
            return False
        with self.base.club(number) as driver:
            state = queries().club_state(driver, club=number)
            if state["reviewed"] or state["certified_snapshot"] is not None:
                return False
            added = step["counts"]["addition"]
            step["hold"] = {
                "hold": None,
                "deactivations": 0,
                "causes": [
                    f"the first sync waits for a go: {added} additions; `clubsync clubs go {club.id}`"
                ],
            }
            step["held"] = step["held"] or 1
            self._end_run(driver, number, step, "held", "diff")
        return True

    def _loaded(self, step: Step, work: _Work, driver: Driver, number: int) -> bool:
        """Load inside the transaction; False when the plan is of an older revision."""
        import polars as pl

        from clubsync.load import transaction
        from clubsync.manual import holds
        from clubsync.store.database import queries
        from clubsync.validate import affected

        sql, at = queries(), clock.now()
        sql.lock_club(driver, club=number)
        state = sql.club_state(driver, club=number)
        snapshot = self._snapshot(step, driver, number)
        if work.unchanged:
            old = affected.is_old(snapshot, state)
            if not old and state["content_hash"] != snapshot.content_hash:
                return False
            self._watermark(
                driver, number, snapshot, state, at, newer=not old, read=not step.get("again")
            )
        else:
            assert work.affected is not None
            assert work.plan is not None
            assert work.held is not None
            if work.affected.revision != state["revision"] or affected.is_old(snapshot, state):
                return False
            if work.decision is not None:
                holds.close(driver, number, work.decision, "approved", at)
            done = transaction.load(
                driver,
                number,
                step["run"] or 0,
                work.affected,
                work.plan,
                work.held,
                at=at,
                limit=work.limit,
                policy_hash=self._policy_hash(work.affected.policy),
                decision=work.decision,
                read=not step.get("again"),
            )
            step["rows_written"], step["hold"] = done.rows_written, done.hold
            # the revision says that nobody has come or gone since they were counted
            moved = work.plan.customers.select(
                pl.col("in_customers_group").cast(int) - pl.col("was_in").fill_null(False).cast(int)
            )
            sql.summarise_club(
                driver, club=number, customers=work.customers + moved.sum().item(), at=at
            )
            sql.add_change_counts(driver, club=number, at=at, counts=json.dumps(step["counts"]))
            step["notes"].extend(done.notes)
        step["held"] = step["hold"]["deactivations"] if step["hold"] else 0
        step["findings"] = transaction.open_findings(driver, number)
        if step["plan"] is not None:
            sql.plan_loaded(driver, club=number, plan=step["plan"], at=at)
        self._end_run(driver, number, step, "held" if step["held"] else "done", "load")
        return True

    def _watermark(
        self,
        driver: Driver,
        number: int,
        snapshot: Snapshot,
        state: ClubStateRow,
        at: datetime,
        newer: bool,
        read: bool,
    ) -> None:
        """Nothing to write but that the club was read."""
        from clubsync.store.database import queries

        queries().club_loaded(
            driver,
            club=number,
            at=at,
            snapshot=snapshot.number,
            certified=snapshot.certified,
            as_of=snapshot.as_of,
            rows=snapshot.customers.height,
            content_hash=snapshot.content_hash,
            next_recheck=state["next_recheck"],
            policy_hash=state["policy_hash"],
            moved=False,
            newer=newer,
            read=read,
        )

    def _dry(self, step: Step, number: int) -> None:
        """What would be done, and held, is said; nothing is written (the run itself is kept as dry)."""
        from clubsync.diff import guard
        from clubsync.load import transaction

        work = self._of(step)
        if work.held is not None and work.held.height:
            step["hold"] = {
                "hold": None,
                "deactivations": work.held.height,
                "causes": guard.causes(work.held),
            }
        with self.base.club(number) as driver:
            step["findings"] = transaction.open_findings(driver, number)
            self._end_run(driver, number, step, "dry", "diff")


def _list_hash(listed: pl.DataFrame) -> str:
    """16 hex digits over ids and kinds; part by part, for the text of a million is large."""
    digest = hashlib.sha256()
    for part in listed.sort("kind", "customer", "erp_id").iter_slices(100_000):
        digest.update(part.write_ndjson().encode())
    return digest.hexdigest()[:16]


def _run_of(step: Step) -> int:
    """The number of a run that has begun."""
    assert step["run"] is not None
    return step["run"]


def _no_counts() -> dict[str, int]:
    from clubsync.model import KINDS

    return dict.fromkeys(KINDS, 0)


def failed(steps: Iterable[Step]) -> list[Step]:
    """Those that ended in an error."""
    return [step for step in steps if step["error"] is not None]
