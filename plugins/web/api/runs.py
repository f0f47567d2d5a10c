"""Runs of a club: what they planned and changed, and how to undo them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, Reading, TheClub
from plugins.web.parameters import LARGEST_ID, Hash, Id, Paged
from plugins.web.services import runs
from plugins.web.services import undo as undoing
from plugins.web.services.actions import Act

router = APIRouter(tags=["runs"])
ChangeList = Annotated[runs.ChangeList, Query()]


@router.get("/airflow")
def list_runs_of_airflow(
    _: Reader, reads: Reading, wanted: Annotated[runs.AirflowRun, Query()]
) -> list[runs.ClubRun]:
    """What a run of Airflow, or one of its tasks, came to, club by club: the last attempt of each, failed first."""
    return runs.of_dag_run(reads, wanted)


@router.get("/clubs/{club}/runs", responses=CLUB)
def show_runs(
    _: Reader,
    club: ReadClub,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    how_many: Annotated[int, Query(ge=1, le=200)] = 15,
) -> list[runs.Run]:
    """Its runs, the newest first."""
    return runs.recent(club, before, how_many)


@router.get("/clubs/{club}/runs/{run}", responses=CLUB)
def show_run(_: Reader, club: ReadClub, run: Id) -> runs.Run:
    """One run."""
    return runs.one(club, run)


@router.get("/clubs/{club}/runs/{run}/changes", responses=CLUB)
def show_run_changes(_: Reader, club: ReadClub, run: Id, wanted: ChangeList) -> runs.Changes:
    """A page of its changes; masked."""
    return runs.changes(club, run, wanted)


@router.post("/clubs/{club}/runs/{run}/changes/shown", responses=CLUB)
def show_run_changes_shown(
    user: Actor, club: ReadClub, run: Id, wanted: ChangeList
) -> runs.Changes:
    """The same with personal data; recorded in the audit."""
    return runs.changes(club, run, wanted, shown_to=user)


@router.get("/clubs/{club}/runs/{run}/plan", responses=CLUB)
def show_plan(
    _: Reader, club: ReadClub, run: Id, wanted: Annotated[Paged, Query()]
) -> runs.Plan | None:
    """What it planned; null where that was nothing, or is no longer kept."""
    return runs.plan(club, run, wanted.page)


@router.get("/clubs/{club}/runs/{run}/undo", responses=CLUB)
def show_undo(_: Reader, club: ReadClub, run: Id) -> undoing.Undo:
    """What undoing it would do now."""
    return undoing.plan(club, run)


class UndoWish(BaseModel):
    """With the hash of the list that was seen, where more than the automatic limit would lose access."""

    list_hash: Hash | None = None


@router.post("/clubs/{club}/runs/{run}/undo", responses=ACT)
def undo(user: Actor, club: TheClub, run: Id, wish: UndoWish) -> Act:
    """Undo it; customers who changed since are skipped (R18)."""
    return undoing.undo(club, user, run, wish.list_hash)
