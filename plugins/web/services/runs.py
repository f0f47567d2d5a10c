"""What a run changed, what it planned, and what undoing it would do; and the club runs of a run of Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from clubsync.errors import SnapshotUnreadable
from clubsync.manual import undo as undoing
from clubsync.store.database import queries
from clubsync.store.packages import stored_plan
from plugins.web.context import Club, base, engine, registry
from plugins.web.errors import Refused
from plugins.web.services import masking

PAGE_SIZE = 100


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
    doubts: list[str]
    counts: dict[str, int]
    rows_written: int
    error: str | None
    remedy: str | None
    runbook: str | None
    log: str | None = Field(description="of its task in Airflow: a path below Airflow's address")


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        counts={kind: n for kind, n in row["counts"].items() if n},
        certified=row.get("certified"),
        doubts=row.get("doubts") or [],
        log=_log(row),
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
                "error",
                "remedy",
                "runbook",
            )
        },
    )


def _log(row: Mapping[str, Any]) -> str | None:
    """Where in Airflow the log is of the stage that a run came to."""
    if row["airflow_run"] is None:
        return None
    group, dot, _ = row["airflow_task"].rpartition(".")
    # a batch goes through a task for each stage; who is tried again goes through all in one
    task = f"{group}{dot}{row['stage'] or 'extract'}" if group else row["airflow_task"]
    path = f"dags/{row['airflow_dag']}/runs/{quote(row['airflow_run'], safe='')}/tasks/{task}"
    return f"{path}/mapped/{row['airflow_index']}" if row["airflow_index"] >= 0 else path


def recent(club: Club, before: int | None = None, how_many: int = 15) -> list[Run]:
    """The newest first.

    :param before: older than that run.
    """
    with club.driver() as driver:
        return [
            _run(row)
            for row in queries().runs_of(driver, club=club.number, before=before, how_many=how_many)
        ]


def one(club: Club, run: int) -> Run:
    """:raises Refused: 404: this club has no such run."""
    with club.driver() as driver:
        rows = list(queries().runs_of(driver, club=club.number, before=run + 1, how_many=1))
    if not rows or rows[0]["run"] != run:
        raise Refused(404, "No such run", f"{club.config.name} has no run {run}.")
    return _run(rows[0])


def of_airflow(club: Club, airflow_run: str) -> Run | None:
    """The newest run of the club in that run of Airflow; None: it has not begun."""
    with club.driver() as driver:
        rows = queries().runs_of_airflow(driver, dag="sync_one", run=airflow_run)
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


def changes(club: Club, run: int, shown: bool, kind: str | None = None, page: int = 1) -> Changes:
    """A page of what a run changed.

    :raises Refused: 404: this club has no such run.
    """
    one(club, run)
    sql = queries()
    with club.driver() as driver:
        kinds = {
            row["kind"]: row["changes"]
            for row in sql.changes_of_run_by_kind(driver, club=club.number, run=run)
        }
        rows = sql.changes_of_run_page(
            driver,
            club=club.number,
            run=run,
            kind=kind,
            how_many=PAGE_SIZE,
            skip=(page - 1) * PAGE_SIZE,
        )
        found = [_change(row, shown) for row in rows]
    total = kinds.get(kind, 0) if kind else sum(kinds.values())
    return Changes(changes=found, kinds=kinds, page=page, pages=max(1, -(-total // PAGE_SIZE)))


_SAME = {"email_raw"}
"""Fields that say what another one says."""


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
    """What a dry run found that a run would do: ids and kinds; the people are not named."""

    counts: dict[str, int]
    held: int = Field(description="deactivations that would wait for a person")
    held_people: list[Planned]
    changes: list[Planned]
    page: int
    pages: int


def plan(club: Club, run: int, page: int = 1) -> Plan | None:
    """What a run meant to do; None: nothing, or it is not kept any more.

    :raises Refused: 404: this club has no such run.
    """
    one(club, run)
    with club.driver() as driver:
        row = queries().plan_of_run(driver, club=club.number, run=run)
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
    people = held.select("customer", "erp_id", reason="cause").head(PAGE_SIZE)
    return Plan(
        counts={kind: n for kind, n in row["counts"].items() if n},
        held=held.height,
        held_people=[Planned(kind="deactivation", **p) for p in people.iter_rows(named=True)],
        changes=[
            Planned(**p)
            for p in part.select("kind", "customer", "erp_id", "reason").iter_rows(named=True)
        ],
        page=page,
        pages=max(1, -(-listed.height // PAGE_SIZE)),
    )


class LeftAlone(BaseModel):
    customer: int
    erp_id: str | None
    why: str


class Undo(BaseModel):
    """What undoing a run would do now."""

    run: int
    changes: dict[str, int]
    skipped: list[LeftAlone] = Field(description="who is left alone, because they changed since")
    loses_access: list[int] = Field(
        description="customers who would lose access, where that is more than pass by themselves"
    )
    limit: int | None
    list_hash: str | None = Field(description="to be given with the undo then")


def undo_plan(club: Club, run: int) -> Undo:
    """:raises Refused: 404: this club has no such run."""
    one(club, run)
    made = undoing.undo(base(), registry().config, run, dry_run=True)
    held = made["held"] or {}
    return Undo(
        run=run,
        changes=made["changes"],
        skipped=[LeftAlone(**row) for row in made["skipped"]],
        loses_access=held.get("customers", []),
        limit=held.get("limit"),
        list_hash=held.get("list"),
    )


class ClubRun(Run):
    """A club's run in a run of Airflow."""

    club: str
    name: str


def of_dag_run(
    dag: str, run: str, task: str | None = None, index: int | None = None
) -> list[ClubRun]:
    """What a run of Airflow did, club by club.

    :param task: of that task alone, or of the batch that it is part of; index: of that mapped instance.
    """
    with base().reader() as driver:
        rows = list(queries().runs_of_airflow(driver, dag=dag, run=run))
    group = task.rpartition(".")[0] if task else None
    told = []
    for row in rows:
        theirs = row["airflow_task"] or ""
        same = task == theirs or (group and group == theirs.rpartition(".")[0])
        if task and not same and task in {"due", "failed", "outcome"}:
            same = True  # these are about all clubs of the run
        elif task and index is not None and index >= 0 and row["airflow_index"] != index:
            same = False
        if not task or same:
            told.append(ClubRun(club=row["club_id"], name=row["name"], **_run(row).model_dump()))
    if task and not told:
        # who is not worth trying again has no run in the task that says so: those that failed
        told = [
            ClubRun(club=row["club_id"], name=row["name"], **_run(row).model_dump())
            for row in rows
            if row["state"] == "failed"
        ]
    return told
