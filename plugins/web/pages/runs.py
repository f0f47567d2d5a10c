"""Runs of a club: what they planned and changed, and how to undo them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Actor, Reader, ShownTo
from plugins.web.context import ReadClub, Reading, TheClub
from plugins.web.pages import charts
from plugins.web.pages.rendering import back, render
from plugins.web.parameters import LARGEST_ID, Hash, Id, RequiredText, Text
from plugins.web.services import runs
from plugins.web.services import undo as undoing

router = APIRouter()


@router.get("/airflow")
def of_airflow(
    request: Request,
    user: Reader,
    reads: Reading,
    dag: RequiredText,
    run: RequiredText,
    task: Text | None = None,
    index: Text | None = None,
) -> HTMLResponse:
    # in the address of a task that is not mapped, Airflow leaves {MAP_INDEX} as it stands
    mapped = int(index) if index and index.isdecimal() and len(index) < 9 else None
    wanted = runs.AirflowRun(dag=dag, run=run, task=task, index=mapped)
    found = runs.of_dag_run(reads, wanted)
    return render(request, "airflow.html", user, found=found, wanted=wanted)


@router.get("/clubs/{club}/runs")
def recent(
    request: Request,
    user: Reader,
    club: ReadClub,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> HTMLResponse:
    found = runs.recent(club, before, max_rows=50)
    return render(request, "runs.html", user, club=club, recent=found)


@router.api_route("/clubs/{club}/runs/{run}", methods=["GET", "POST"])
def one_run(
    request: Request,
    user: Reader,
    shown_to: ShownTo,
    club: ReadClub,
    run: Id,
    wanted: Annotated[runs.ChangeList, Query()],
) -> HTMLResponse:
    changes, it = runs.changes(club, run, wanted, shown_to), runs.one(club, run)
    planned = runs.plan(club, run, wanted.page) if it.state in ("dry", "held") else None
    return render(
        request,
        "run.html",
        user,
        club=club,
        it=it,
        changes=changes,
        plan=planned,
        kind=wanted.kind or "",
        shown=shown_to is not None,
        spent=charts.spent(it.profile) if it.profile else [],
    )


@router.get("/clubs/{club}/runs/{run}/undo")
def undo_plan(request: Request, user: Reader, club: ReadClub, run: Id) -> HTMLResponse:
    plan = undoing.plan(club, run)
    return render(request, "undo.html", user, club=club, it=runs.one(club, run), plan=plan)


@router.post("/clubs/{club}/runs/{run}/undo")
def undo(
    request: Request,
    user: Actor,
    club: TheClub,
    run: Id,
    list_hash: Annotated[Hash | Literal[""], Form()] = "",
) -> RedirectResponse:
    act = undoing.undo(club, user, run, list_hash or None)
    return back(request, club, act, f"/runs/{act.detail['run']}")
