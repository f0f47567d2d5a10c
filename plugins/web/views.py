"""The pages: HTML made on the server, from the same answers as the API.

A page is read by GET, with personal data masked; the same page by POST shows them, and the asking is written
down. An act is a POST that ends in a redirect to a page which says what came of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from clubsync import clock
from clubsync.store.database import queries
from plugins.web import api, charts, i18n
from plugins.web.auth import Actor, Eraser, Person, Reader
from plugins.web.context import Club, TheClub, base, find_club
from plugins.web.errors import PAGES, Refused
from plugins.web.services import actions, clubs, findings, holds, people, runs

HERE = Path(__file__).parent
STATIC = StaticFiles(directory=HERE / "static")

router = APIRouter(prefix=PAGES, include_in_schema=False, default_response_class=HTMLResponse)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)


@pass_context
def _gettext(context: Context, text: str) -> str:
    voice: i18n.Voice = context["voice"]
    return str(voice.gettext(text))


@pass_context
def _ngettext(context: Context, one: str, many: str, n: int) -> str:
    voice: i18n.Voice = context["voice"]
    return str(voice.ngettext(one, many, n))


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # given by the i18n extension
        _gettext, _ngettext, newstyle=True
    )
    environment.globals.update(texts=i18n, spark=charts.spark, static=_static)
    return environment


@functools.cache
def _static(name: str) -> str:
    """The path of a file, with what changes when it does: browsers may keep it for ever."""
    content = (HERE / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def render(
    request: Request,
    template: str,
    person: Person | None,
    *,
    club: Club | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page, or a part of one.

    :param club: whose page it is; its times are on that club's clock.
    """
    root = request.scope.get("root_path", "")
    language = i18n.language_of(request)
    html = (
        _templates()
        .get_template(template)
        .render(
            root=root,
            pages=root + PAGES,
            airflow=root.removesuffix("/clubsync"),
            path=request.url.path,
            query=dict(request.query_params),
            with_query=_with_query(request),
            voice=i18n.Voice(language, club.config.zone if club else None),
            person=person,
            club=club,
            now=clock.now(),
            status=status,
            act=None if club is None else _act_told(request, club),
            **context,
        )
    )
    return HTMLResponse(
        html,
        status,
        headers={
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Cookie, Accept-Language, HX-Request",
        },
    )


def _with_query(request: Request) -> Callable[..., str]:
    """Makes addresses of this page with other filters; None takes one away."""

    def made(**other: Any) -> str:
        values = {**request.query_params, **other}
        values.pop("act", None)
        kept = {k: v for k, v in values.items() if v not in (None, "")}
        return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path

    return made


def error_page(request: Request, status: int, title: str, detail: str) -> HTMLResponse:
    title = i18n.Voice(i18n.language_of(request)).gettext(title)
    return render(request, "error.html", None, status=status, title=title, detail=detail)


def _act_told(request: Request, club: Club) -> dict[str, Any] | None:
    """The act that led to this page, and how far its run is."""
    number = request.query_params.get("act", "")
    if not number.isdigit() or len(number) > 18:
        return None
    try:
        return _progress(club, actions.found(club, int(number)))
    except Refused:
        return None


def _progress(club: Club, act: actions.Act) -> dict[str, Any]:
    started = act.detail.get("airflow_run")
    run = runs.of_airflow(club, started) if started else None
    waits = bool(started) and (run is None or run.state == "running")
    # a run that is lost is not waited for for ever
    waits = waits and (clock.now() - act.at).total_seconds() < 600
    return {"act": act, "run": run, "waits": waits}


def _back(request: Request, club: Club, act: actions.Act, to: str = "") -> RedirectResponse:
    """To a page of the club, which says what came of an act."""
    root = request.scope.get("root_path", "")
    joined = "&" if "?" in to else "?"
    return RedirectResponse(
        f"{root}{PAGES}/clubs/{club.id}{to}{joined}act={act.act}", status_code=303
    )


def _text(value: str | None) -> str | None:
    return value.strip() or None if value else None


# --- across clubs -----------------------------------------------------------------------------


@router.get("", name="home")
@router.get("/")
def home(request: Request, _: Reader) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{PAGES}/clubs", status_code=307)


@router.get("/clubs")
def all_clubs(
    request: Request,
    person: Reader,
    words: api.Text | None = None,
    erp: api.Text | None = None,
    state: clubs.State | Literal[""] | None = None,
    sort: clubs.Sort = "state",
    down: bool = False,
    page: api.Page = 1,
) -> HTMLResponse:
    board = clubs.board(_text(words), _text(erp), state or None, sort, down, page)
    whole = request.headers.get("hx-target") != "rows"
    return render(
        request,
        "clubs.html" if whole else "_clubs.html",
        person,
        board=board,
        words=words or "",
        erp=erp or "",
        state=state or "",
        sort=sort,
        down=down,
    )


@router.get("/findings")
def all_findings(
    request: Request,
    person: Reader,
    words: api.Text | None = None,
    erp: api.Text | None = None,
    code: api.Code | None = None,
    older_days: Annotated[int, Query(ge=0, le=36_500)] | Literal[""] | None = None,
    sort: findings.Sort = "findings",
    down: bool = True,
    page: api.Page = 1,
) -> HTMLResponse:
    board = findings.board(
        _text(words), _text(erp), code or None, older_days or None, sort, down, page
    )
    with base().reader() as driver:
        erps = [row["erp"] for row in queries().erps(driver)]
    whole = request.headers.get("hx-target") != "rows"
    return render(
        request,
        "findings.html" if whole else "_findings.html",
        person,
        board=board,
        erps=erps,
        words=words or "",
        erp=erp or "",
        code=code or "",
        older_days=older_days or "",
        sort=sort,
        down=down,
    )


@router.get("/holds")
def all_holds(
    request: Request,
    person: Reader,
    state: Literal["open", "decided"] = "open",
    page: api.Page = 1,
) -> HTMLResponse:
    return render(request, "holds.html", person, board=holds.board(state, page), state=state)


@router.get("/airflow")
def airflow_run(
    request: Request,
    person: Reader,
    dag: api.Given,
    run: api.Given,
    task: api.Text | None = None,
    index: api.Text | None = None,
) -> HTMLResponse:
    # of a task that is not mapped, Airflow leaves {MAP_INDEX} as it stands
    mapped = int(index) if index and index.isdecimal() and len(index) < 9 else None
    found = runs.of_dag_run(dag, run, _text(task), mapped)
    return render(request, "airflow.html", person, found=found, dag=dag, run=run, task=task)


@router.get("/why")
def why_form(request: Request, person: Reader) -> HTMLResponse:
    return render(request, "why.html", person, about=None, found=None, shown=False)


@router.post("/why")
def why(
    request: Request,
    person: Reader,
    who: Annotated[api.Given, Form()],
    club: Annotated[api.Text, Form()] = "",
) -> HTMLResponse:
    """Changes nothing, so that a viewer may ask; by POST, because addresses end up in logs (R19)."""
    language = i18n.language_of(request)
    if club:
        the_club = find_club(club)
        about = people.ask(the_club, who, language, shown=False)
        return render(
            request, "why.html", person, club=the_club, about=about, found=None, shown=False
        )
    found = people.find(who, language)
    if isinstance(found, people.Why):
        the_club = find_club(found.club or "")
        return render(
            request, "why.html", person, club=the_club, about=found, found=None, shown=False
        )
    return render(request, "why.html", person, about=None, found=found, shown=False)


# --- a club -----------------------------------------------------------------------------------


@router.get("/clubs/{club}")
def one_club(request: Request, person: Reader, club: TheClub) -> HTMLResponse:
    with club.at_once():
        return _club(request, person, club)


def _club(request: Request, person: Person, club: Club) -> HTMLResponse:
    language, now = i18n.language_of(request), clock.now()
    hours, rows = clubs.readings(club), clubs.changes(club)
    bars, top = charts.stacked(rows, now)
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.kind] = totals.get(row.kind, 0) + row.changes
    return render(
        request,
        "club.html",
        person,
        club=club,
        it=clubs.one(club),
        week=charts.week(hours, now, club.config.zone),
        share=charts.share_complete(hours),
        bars=bars,
        top=top,
        totals=totals,
        recent=runs.recent(club),
        todo=findings.todo(club, language),
        holds=holds.recent(club),
        done=actions.recent(club, 10),
        requests=len(clubs.requests(club, shown=False)),
    )


@router.get("/clubs/{club}/groups")
def club_groups(request: Request, person: Reader, club: TheClub) -> HTMLResponse:
    return render(request, "_groups.html", person, club=club, groups=clubs.groups(club))


@router.get("/clubs/{club}/runs")
def club_runs(
    request: Request,
    person: Reader,
    club: TheClub,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> HTMLResponse:
    return render(
        request, "runs.html", person, club=club, recent=runs.recent(club, before, how_many=50)
    )


@router.get("/clubs/{club}/acts/{act}")
def club_act(request: Request, person: Reader, club: TheClub, act: api.Number) -> HTMLResponse:
    told = _progress(club, actions.found(club, act))
    return render(request, "_act.html", person, club=club, told=told)


@router.post("/clubs/{club}/do/{what}")
def do(
    request: Request,
    person: Actor,
    club: TheClub,
    what: Literal["sync", "dry-run", "pause", "resume", "go", "test"],
) -> RedirectResponse:
    carried_out: dict[str, Callable[[], actions.Act]] = {
        "sync": lambda: actions.sync(club, person),
        "dry-run": lambda: actions.dry_run(club, person),
        "pause": lambda: actions.pause(club, person, paused=True),
        "resume": lambda: actions.pause(club, person, paused=False),
        "go": lambda: actions.go(club, person),
        "test": lambda: actions.test(club, person),
    }
    return _back(request, club, carried_out[what]())


# --- people -----------------------------------------------------------------------------------


@router.get("/clubs/{club}/person")
def person_page(
    request: Request,
    person: Reader,
    club: TheClub,
    erp_id: api.Given | None = None,
    customer: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> HTMLResponse:
    return _person(request, person, club, erp_id, customer, shown=False)


@router.post("/clubs/{club}/person")
def person_shown(
    request: Request,
    person: Actor,
    club: TheClub,
    erp_id: api.Given | None = None,
    customer: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> HTMLResponse:
    return _person(request, person, club, erp_id, customer, shown=True)


def _person(
    request: Request,
    person: Person,
    club: Club,
    erp_id: str | None,
    customer: int | None,
    *,
    shown: bool,
) -> HTMLResponse:
    if erp_id is None and customer is None:
        raise Refused(422, "Not understood", "Give erp_id or customer.")
    language = i18n.language_of(request)
    about = people.ask(club, erp_id, language, shown=shown, customer=customer)
    if shown:
        actions.show(club, person, "why", [erp_id or f"#{customer}"])
    return render(request, "why.html", person, club=club, about=about, found=None, shown=shown)


@router.post("/clubs/{club}/erase")
def erase(
    request: Request,
    person: Eraser,
    club: TheClub,
    erp_id: Annotated[api.Text, Form()] = "",
    customer: Annotated[api.Text, Form()] = "",
    sure: Annotated[api.Text, Form()] = "",
) -> Response:
    if sure != "yes":
        raise Refused(422, "Not understood", "Tick the box that says that it is for good.")
    number = int(customer) if customer.isdigit() and len(customer) < 19 else None
    return _back(request, club, actions.erase(club, person, number, erp_id or None))


@router.get("/clubs/{club}/requests")
def requests(request: Request, person: Reader, club: TheClub) -> HTMLResponse:
    rows = clubs.requests(club, shown=False)
    return render(request, "requests.html", person, club=club, rows=rows, shown=False)


@router.post("/clubs/{club}/requests")
def requests_shown(request: Request, person: Actor, club: TheClub) -> HTMLResponse:
    rows = clubs.requests(club, shown=True)
    actions.show(club, person, "requests", [], requests=[row.id for row in rows])
    return render(request, "requests.html", person, club=club, rows=rows, shown=True)


@router.post("/clubs/{club}/requests/{number}/{what}")
def decide_request(
    request: Request,
    person: Actor,
    club: TheClub,
    number: api.Number,
    what: Literal["accept", "refuse"],
) -> RedirectResponse:
    act = actions.decide_request(club, person, number, accepted=what == "accept")
    return _back(request, club, act, "/requests")


# --- findings ---------------------------------------------------------------------------------


@router.get("/clubs/{club}/findings")
def club_findings(
    request: Request,
    person: Reader,
    club: TheClub,
    code: api.Code | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    return _findings(request, person, club, code, page, shown=False)


@router.post("/clubs/{club}/findings")
def club_findings_shown(
    request: Request,
    person: Actor,
    club: TheClub,
    code: api.Code | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    return _findings(request, person, club, code, page, shown=True)


def _findings(
    request: Request, person: Person, club: Club, code: str | None, page: int, *, shown: bool
) -> HTMLResponse:
    language = i18n.language_of(request)
    rows = findings.of_club(club, language, shown, code or None, page)
    if shown:
        named = [row.erp_id for row in rows]
        actions.show(club, person, "findings", named, code=code, page=page)
    todo = findings.todo(club, language)
    total = sum(t.findings for t in todo if not code or t.code == code)
    return render(
        request,
        "club_findings.html",
        person,
        club=club,
        rows=rows,
        todo=todo,
        code=code or "",
        page=page,
        total=total,
        pages_of=max(1, -(-total // findings.PAGE_SIZE)),
        shown=shown,
    )


@router.post("/clubs/{club}/findings.csv")
def findings_csv(person: Actor, club: TheClub) -> Response:
    return api.download_findings(person, club)


@router.get("/clubs/{club}/similar")
def similar(request: Request, person: Reader, club: TheClub, page: api.Page = 1) -> HTMLResponse:
    return _similar(request, person, club, page, shown=False)


@router.post("/clubs/{club}/similar")
def similar_shown(
    request: Request, person: Actor, club: TheClub, page: api.Page = 1
) -> HTMLResponse:
    return _similar(request, person, club, page, shown=True)


def _similar(
    request: Request, person: Person, club: Club, page: int, *, shown: bool
) -> HTMLResponse:
    found = findings.similar(club, i18n.language_of(request), shown, page)
    if shown:
        named = [card.erp_id for pair in found.pairs for card in pair.records]
        actions.show(club, person, "similar", named, page=page)
    return render(
        request,
        "similar.html",
        person,
        club=club,
        found=found,
        it=clubs.one(club),
        page=page,
        pages_of=max(1, -(-found.total // findings.PAGE_SIZE)),
        shown=shown,
    )


@router.post("/clubs/{club}/similar/ignore")
def ignore(
    request: Request,
    person: Actor,
    club: TheClub,
    one: Annotated[api.Given, Form()],
    other: Annotated[api.Given, Form()],
    back: Annotated[Literal["similar", "person"], Form()] = "similar",
) -> RedirectResponse:
    act = actions.ignore(club, person, one, other)
    to = "/similar" if back == "similar" else f"/person?{urlencode({'erp_id': one})}"
    return _back(request, club, act, to)


# --- holds ------------------------------------------------------------------------------------


@router.get("/clubs/{club}/holds/{hold}")
def one_hold(
    request: Request,
    person: Reader,
    club: TheClub,
    hold: api.Number,
    list_hash: api.Hash | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    found = holds.one(club, hold, shown=False, list_hash=list_hash, page=page)
    return render(request, "hold.html", person, club=club, hold=found, shown=False)


@router.post("/clubs/{club}/holds/{hold}")
def one_hold_shown(
    request: Request,
    person: Actor,
    club: TheClub,
    hold: api.Number,
    list_hash: api.Hash | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    found = api.show_hold_shown(person, club, hold, list_hash, page)
    return render(request, "hold.html", person, club=club, hold=found, shown=True)


@router.post("/clubs/{club}/holds/{hold}/decide")
def decide_hold(
    request: Request,
    person: Actor,
    club: TheClub,
    hold: api.Number,
    what: Annotated[Literal["approve", "reject"], Form()],
    list_hash: Annotated[api.Hash, Form()],
    comment: Annotated[api.Given, Form()],
) -> RedirectResponse:
    approved = what == "approve"
    act = actions.decide_hold(club, person, hold, list_hash, approved=approved, comment=comment)
    return _back(request, club, act, f"/holds/{hold}")


# --- runs -------------------------------------------------------------------------------------


@router.get("/clubs/{club}/runs/{run}")
def one_run(
    request: Request,
    person: Reader,
    club: TheClub,
    run: api.Number,
    kind: api.Text | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    changes = runs.changes(club, run, shown=False, kind=_text(kind), page=page)
    return _run(request, person, club, run, kind, changes, shown=False)


@router.post("/clubs/{club}/runs/{run}")
def one_run_shown(
    request: Request,
    person: Actor,
    club: TheClub,
    run: api.Number,
    kind: api.Text | None = None,
    page: api.Page = 1,
) -> HTMLResponse:
    changes = api.show_run_changes_shown(person, club, run, _text(kind), page)
    return _run(request, person, club, run, kind, changes, shown=True)


def _run(
    request: Request,
    person: Person,
    club: Club,
    run: int,
    kind: str | None,
    changes: runs.Changes,
    *,
    shown: bool,
) -> HTMLResponse:
    it = runs.one(club, run)
    return render(
        request,
        "run.html",
        person,
        club=club,
        it=it,
        changes=changes,
        plan=runs.plan(club, run, changes.page) if it.state in ("dry", "held") else None,
        kind=kind or "",
        shown=shown,
    )


@router.get("/clubs/{club}/runs/{run}/undo")
def undo_plan(request: Request, person: Reader, club: TheClub, run: api.Number) -> HTMLResponse:
    plan = runs.undo_plan(club, run)
    return render(request, "undo.html", person, club=club, it=runs.one(club, run), plan=plan)


@router.post("/clubs/{club}/runs/{run}/undo")
def undo(
    request: Request,
    person: Actor,
    club: TheClub,
    run: api.Number,
    list_hash: Annotated[api.Hash | Literal[""], Form()] = "",
) -> RedirectResponse:
    runs.one(club, run)
    act = actions.undo(club, person, run, list_hash or None)
    return _back(request, club, act, f"/runs/{act.detail['run']}")
