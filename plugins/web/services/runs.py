"""What a run of a club planned and changed; and the club runs of a run of Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.errors import SnapshotUnreadable
from clubsync.explain.profile import document
from clubsync.operate.keeping import log_is_gone
from clubsync.store.database import Driver, queries
from clubsync.store.packages import stored_plan
from plugins.dag_ids import SYNC_ONE
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, Reads, engine
from plugins.web.errors import ProblemError
from plugins.web.parameters import Paged, RequiredText, Text, Unset, pages_of
from plugins.web.registry import registry
from plugins.web.services import actions, masking

PAGE_SIZE = 100


class StageProfile(BaseModel):
    """What a stage of a run has spent."""

    stage: Literal["extract", "validate", "diff", "load"]
    seconds: float
    cpu: float
    clubs: int = Field(description="among how many clubs it divided what it did for all at once")
    parts: dict[str, float] = Field(description="seconds by what they were spent on")


class Profile(BaseModel):
    """Where the time of a run went, in seconds."""

    elapsed: float = Field(description="from when it was due to start until it ended")
    work: float = Field(description="of it, what its stages took")
    cpu: float
    requests: int = Field(description="that the ERP answered, or files of it")
    received: int = Field(description="bytes of the ERP")
    parts: dict[str, float]
    stages: list[StageProfile]


class Run(BaseModel):
    """A run of one club."""

    run: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    state: Literal["running", "done", "held", "failed", "dry"]
    stage: str | None
    read: int | None
    certified: bool | None
    suspected: int = Field(
        description="access losses that only a second complete reading will confirm (R14)"
    )
    used: bool = Field(
        description="false: the data were older than what is loaded, or dated later than now (R16)"
    )
    doubts: list[str]
    counts: dict[str, int]
    rows_written: int
    filled_from: Literal["stored", "read", "covered"] | None = Field(
        default=None,
        description="of a backfill: what the interval was filled from: a stored snapshot, a reading of the ERP made for"
        " it, or nothing of its own, because a later reading covers it (R26)",
    )
    as_of: datetime | None = Field(default=None, description="the age of the data of its snapshot")
    error: str | None
    remedy: str | None
    runbook: str | None
    log: str | None = Field(description="of its task in Airflow: a path below Airflow's address")
    log_deleted_after: int | None = Field(
        default=None, description="days: the log of its task was deleted, because it is older"
    )
    profile: Profile | None = Field(
        default=None, description="null: it has not ended, or was interrupted"
    )


def _run(row: Mapping[str, Any]) -> Run:
    log, gone = _log(row), log_is_gone(row["finished_at"] or row["started_at"], clock.now())
    return Run(
        counts={kind: n for kind, n in row["counts"].items() if n},
        certified=row["certified"],
        doubts=row["doubts"] or [],
        filled_from=_filled_from(row),
        as_of=row["as_of"],
        log=log if gone is None else None,
        log_deleted_after=gone if log is not None else None,
        profile=Profile(**document(row["profile"])) if row["profile"] else None,
        **{
            name: row[name]
            for name in (
                "run",
                "trigger",
                "started_at",
                "finished_at",
                "state",
                "stage",
                "read",
                "rows_written",
                "suspected",
                "used",
                "error",
                "remedy",
                "runbook",
            )
        },
    )


STAGES = frozenset({"extract", "validate", "diff", "load"})
"""Tasks that a batch has one of each of: a club's run is recorded with the first."""


def _filled_from(row: Mapping[str, Any]) -> Literal["stored", "read", "covered"] | None:
    """R26: what the interval of a backfill was filled from."""
    if row["trigger"] != "backfill" or row["state"] in ("running", "failed"):
        return None
    if row["read_at"] is None:
        return "covered"
    return "read" if row["read_at"] >= row["started_at"] else "stored"


def _log(row: Mapping[str, Any]) -> str | None:
    """Where in Airflow the log of the last stage of a run is."""
    if row["airflow_run"] is None:
        return None
    group, dot, task = row["airflow_task"].rpartition(".")
    if task in STAGES:  # a retry runs all of them in one task
        task = row["stage"] or task
    path = f"dags/{row['airflow_dag']}/runs/{quote(row['airflow_run'], safe='')}/tasks/{group}{dot}{task}"
    return f"{path}/mapped/{row['airflow_index']}" if row["airflow_index"] >= 0 else path


def recent(club: OpenClub, before: int | None = None, max_rows: int = 15) -> list[Run]:
    """The newest first.

    :param before: older than that run.
    """
    rows = queries().runs_of(club.driver, club=club.number, before=before, max_rows=max_rows)
    return [_run(row) for row in rows]


def one(club: OpenClub, run: int) -> Run:
    """:raises ProblemError: 404: this club has no such run."""
    return find(club.driver, club, run)


def find(driver: Driver, club: Club, run: int) -> Run:
    """:raises ProblemError: 404: this club has no such run."""
    rows = list(queries().runs_of(driver, club=club.number, before=run + 1, max_rows=1))
    if not rows or rows[0]["run"] != run:
        raise ProblemError(404, "No such run", f"{club.name} has no run {run}.")
    return _run(rows[0])


def last_failure(club: OpenClub) -> Run | None:
    """The newest run that failed, of a club that fails; None: it does not."""
    rows = queries().last_failed_run(club.driver, club=club.number)
    return next((_run(row) for row in rows), None)


def of_airflow(club: OpenClub, airflow_run: str) -> Run | None:
    """The newest run of the club in that run of Airflow; None: it has not started."""
    rows = queries().runs_of_airflow(club.driver, dag=SYNC_ONE, run=airflow_run)
    return next((_run(row) for row in rows), None)


class Change(BaseModel):
    """R18: one row of the audit, with what was and what is in the fields that changed."""

    at: datetime
    kind: str
    customer: int
    erp_id: str | None
    fields: list[tuple[str, Any, Any]] = Field(description="field, before, after")
    reason: str | None
    actor: str | None


class Changes(BaseModel):
    changes: list[Change]
    kinds: dict[str, int]
    page: int
    pages: int


class ChangeList(Paged):
    """Which changes of a run."""

    kind: Annotated[Text | None, Unset] = None


def changes(club: OpenClub, run: int, wanted: ChangeList, shown_to: User | None = None) -> Changes:
    """A page of what a run changed.

    :param shown_to: with personal data, for this person, which is recorded.
    :raises ProblemError: 404: this club has no such run.
    """
    one(club, run)
    sql, driver = queries(), club.driver
    kinds = {
        row["kind"]: row["changes"]
        for row in sql.changes_of_run_by_kind(driver, club=club.number, run=run)
    }
    rows = sql.changes_of_run_page(
        driver,
        club=club.number,
        run=run,
        kind=wanted.kind,
        max_rows=PAGE_SIZE,
        skip=(wanted.page - 1) * PAGE_SIZE,
    )
    found = [_change(row, shown_to is not None) for row in rows]
    if shown_to:
        named = [change.erp_id or f"#{change.customer}" for change in found]
        actions.disclose(club, shown_to, "run", named, run=run, page=wanted.page)
    total = kinds.get(wanted.kind, 0) if wanted.kind else sum(kinds.values())
    return Changes(changes=found, kinds=kinds, page=wanted.page, pages=pages_of(total, PAGE_SIZE))


_SAME = {"email_raw"}
"""Fields that repeat another one."""


def _change(row: Mapping[str, Any], shown: bool) -> Change:
    before = masking.row(row["before"] or {}, shown)
    after = masking.row(row["after"] or {}, shown)
    names = [n for n in dict.fromkeys([*before, *after]) if n not in _SAME]
    return Change(
        fields=[(n, before.get(n), after.get(n)) for n in names],
        **{name: row[name] for name in ("at", "kind", "customer", "erp_id", "reason", "actor")},
    )


class Planned(BaseModel):
    kind: str
    customer: int | None
    erp_id: str | None
    reason: str | None


class Plan(BaseModel):
    """What a dry run found that a run would do: ids and kinds, no names."""

    list_hash: str = Field(description="names the plan; an approval of a first sync binds to it")
    counts: dict[str, int]
    held: int = Field(description="deactivations that would await approval")
    held_people: list[Planned]
    changes: list[Planned]
    page: int
    pages: int


def plan(club: OpenClub, run: int, page: int = 1) -> Plan | None:
    """What a run planned; None: nothing, or it is no longer kept.

    :raises ProblemError: 404: this club has no such run.
    """
    one(club, run)
    row = queries().plan_of_run(club.driver, club=club.number, run=run)
    if row is None:
        return None
    store = engine().store
    try:
        stored = stored_plan(store, row["path"])
    except SnapshotUnreadable:
        return None
    listed, held = stored.changes, stored.held
    start = (page - 1) * PAGE_SIZE
    part = listed.sort("kind", "erp_id").slice(start, PAGE_SIZE)
    people = held.select("kind", "customer", "erp_id", reason="cause").head(PAGE_SIZE)
    return Plan(
        list_hash=row["list_hash"],
        counts={kind: n for kind, n in row["counts"].items() if n},
        held=held.height,
        held_people=[Planned(**p) for p in people.iter_rows(named=True)],
        changes=[
            Planned(**p)
            for p in part.select("kind", "customer", "erp_id", "reason").iter_rows(named=True)
        ],
        page=page,
        pages=pages_of(listed.height, PAGE_SIZE),
    )


class ClubRun(Run):
    """A club's run in a run of Airflow."""

    club: str
    name: str
    listed: bool = Field(description="whether clubs.yaml still has the club: else it has no pages")


class AirflowRun(BaseModel):
    """A run of Airflow, or one of its tasks.

    :param task: that task, or the batch that it is part of; index: that mapped instance.
    """

    dag: RequiredText
    run: RequiredText
    task: Annotated[Text | None, Unset] = None
    index: int | None = Field(default=None, ge=-1, le=1_000_000)


ABOUT_ALL = frozenset({"due", "find_due", "collect_failures", "outcome"})
"""Tasks that are about all clubs of their run."""


def of_dag_run(reads: Reads, wanted: AirflowRun) -> list[ClubRun]:
    """What a run of Airflow came to, club by club: the last attempt of each, failed ones first."""
    rows = list(queries().runs_of_airflow(reads.across(), dag=wanted.dag, run=wanted.run))
    found = [row for row in rows if _is_of_task(row, wanted.task, wanted.index)]
    if wanted.task and not found:
        # a club that is not retried has no run in the task that says so: show what failed
        found = [row for row in rows if row["state"] == "failed"]
    last: dict[str, Mapping[str, Any]] = {}
    for row in found:  # of each club the newest comes first
        last.setdefault(row["club_id"], row)
    ended = sorted(last.values(), key=lambda row: row["state"] != "failed")
    known = registry().clubs
    return [
        ClubRun(
            club=row["club_id"],
            name=row["name"],
            listed=row["club_id"] in known,
            **_run(row).model_dump(),
        )
        for row in ended
    ]


def _is_of_task(row: Mapping[str, Any], task: str | None, index: int | None) -> bool:
    if task is None or task in ABOUT_ALL:
        return True
    theirs = row["airflow_task"] or ""
    asked, recorded = task.rpartition("."), theirs.rpartition(".")
    of_one_batch = asked[0] == recorded[0] and {asked[2], recorded[2]} <= STAGES
    if task != theirs and not of_one_batch:
        return False
    return index is None or index < 0 or row["airflow_index"] == index
