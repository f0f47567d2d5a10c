"""The JSON API under the pages: the same answers, for other programs. Errors are problem+json (RFC 9457).

Personal data are masked. `…/shown` answers with them, for those who may act, and is written into the audit. What
names a person by email or name is asked by POST: addresses end up in logs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field, StringConstraints, model_validator

from plugins.web.auth import Actor, Eraser, Reader
from plugins.web.context import TheClub
from plugins.web.errors import told
from plugins.web.services import actions, clubs, findings, holds, people, runs

VERSION = "/api/v1"

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Given = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
Code = Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Z_]*$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
Number = Annotated[int, Path(ge=1, le=2**62)]
Page = Annotated[int, Query(ge=1, le=100_000)]
Language = Annotated[Literal["en", "fr"], Query(description="of sentences")]

router = APIRouter(prefix=VERSION, responses=told(401, 403, 422, 503))
CLUB = told(404)
ACT = told(404, 409)


# --- across clubs -----------------------------------------------------------------------------


@router.get("/clubs", tags=["clubs"])
def list_clubs(
    _: Reader,
    words: Annotated[Text | None, Query(description="in the name or the id")] = None,
    erp: Text | None = None,
    state: clubs.State | None = None,
    sort: clubs.Sort = "state",
    down: bool = False,
    page: Page = 1,
    size: Annotated[int, Query(ge=1, le=200)] = clubs.PAGE_SIZE,
) -> clubs.Board:
    """Clubs with their state, a page at a time; by state the one that needs most comes first."""
    return clubs.board(words, erp, state, sort, down, page, size)


@router.get("/findings", tags=["findings"])
def list_findings(
    _: Reader,
    words: Annotated[Text | None, Query(description="in the club's name or id")] = None,
    erp: Text | None = None,
    code: Code | None = None,
    older_days: Annotated[int | None, Query(ge=0, le=36_500)] = None,
    sort: findings.Sort = "findings",
    down: bool = True,
    page: Page = 1,
) -> findings.FindingBoard:
    """Open findings across clubs: a row for each club and code."""
    return findings.board(words, erp, code, older_days, sort, down, page)


@router.get("/holds", tags=["holds"])
def list_holds(
    _: Reader, state: Literal["open", "decided"] = "open", page: Page = 1
) -> holds.HoldBoard:
    """Holds of all clubs."""
    return holds.board(state, page)


class Question(BaseModel):
    """Whom is it about?"""

    who: Given = Field(description="an email, an ERP id, or a name")


class Found(BaseModel):
    """The answer, where one club alone knows somebody by that; else who may be meant."""

    answer: people.Why | None
    candidates: list[people.Candidate]


@router.post("/why", tags=["why"])
def find_anywhere(_: Reader, question: Question, language: Language = "en") -> Found:
    """Why somebody is, or is not, a customer, in whichever club; masked. Changes nothing."""
    found = people.find(question.who, language)
    if isinstance(found, people.Why):
        return Found(answer=found, candidates=[])
    return Found(answer=None, candidates=found)


@router.get("/airflow", tags=["runs"])
def list_runs_of_airflow(
    _: Reader,
    dag: Given,
    run: Given,
    task: Text | None = None,
    index: Annotated[int | None, Query(ge=-1, le=1_000_000)] = None,
) -> list[runs.ClubRun]:
    """What a run of Airflow did, club by club; or what one of its tasks did."""
    return runs.of_dag_run(dag, run, task, index)


# --- a club -----------------------------------------------------------------------------------


@router.get("/clubs/{club}", tags=["clubs"], responses=CLUB)
def show_club(_: Reader, club: TheClub) -> clubs.ClubNow:
    """A club, as it is now."""
    return clubs.one(club)


@router.get("/clubs/{club}/readings", tags=["clubs"], responses=CLUB)
def show_readings(
    _: Reader, club: TheClub, days: Annotated[int, Query(ge=1, le=30)] = 7
) -> list[clubs.Hour]:
    """What came of its readings, by hour."""
    return clubs.readings(club, days)


@router.get("/clubs/{club}/changes", tags=["clubs"], responses=CLUB)
def show_changes(
    _: Reader, club: TheClub, days: Annotated[int, Query(ge=1, le=30)] = 7
) -> list[clubs.HourOfChanges]:
    """Its changes, by hour and kind."""
    return clubs.changes(club, days)


@router.get("/clubs/{club}/groups", tags=["clubs"], responses=CLUB)
def show_groups(_: Reader, club: TheClub) -> list[clubs.Group]:
    """Its groups. Counts every customer: in a club of a million that takes a second."""
    return clubs.groups(club)


@router.get("/clubs/{club}/acts", tags=["clubs"], responses=CLUB)
def show_acts(
    _: Reader, club: TheClub, how_many: Annotated[int, Query(ge=1, le=200)] = 20
) -> list[actions.Act]:
    """What people did here, the newest first."""
    return actions.recent(club, how_many)


@router.get("/clubs/{club}/acts/{act}", tags=["clubs"], responses=CLUB)
def show_act(_: Reader, club: TheClub, act: Number) -> actions.Act:
    """An act, and what came of it."""
    return actions.found(club, act)


@router.post("/clubs/{club}/sync-now", status_code=202, tags=["acts"], responses=ACT)
def sync_now(person: Actor, club: TheClub) -> actions.Act:
    """Read the club now, by a run of `sync_one`."""
    return actions.sync(club, person)


@router.post("/clubs/{club}/dry-run", status_code=202, tags=["acts"], responses=ACT)
def dry_run(person: Actor, club: TheClub) -> actions.Act:
    """Read the club now and plan, and write nothing: the plan is its run's, then."""
    return actions.dry_run(club, person)


@router.post("/clubs/{club}/pause", tags=["acts"], responses=ACT)
def pause(person: Actor, club: TheClub) -> actions.Act:
    """Stop reading the club."""
    return actions.pause(club, person, paused=True)


@router.post("/clubs/{club}/resume", tags=["acts"], responses=ACT)
def resume(person: Actor, club: TheClub) -> actions.Act:
    """Read the club again; ends a quarantine too."""
    return actions.pause(club, person, paused=False)


@router.post("/clubs/{club}/go", tags=["acts"], responses=ACT)
def go(person: Actor, club: TheClub) -> actions.Act:
    """The plan of the first sync was seen: the next one loads (R28)."""
    return actions.go(club, person)


@router.post("/clubs/{club}/test", tags=["acts"], responses=ACT)
def test(person: Actor, club: TheClub) -> actions.Act:
    """Test the club's connection: log in to the ERP and look, storing nothing."""
    return actions.test(club, person)


# --- people -----------------------------------------------------------------------------------


@router.post("/clubs/{club}/why", tags=["why"], responses=CLUB)
def ask(_: Reader, club: TheClub, question: Question, language: Language = "en") -> people.Why:
    """Why somebody is, or is not, a customer of this club; masked. Changes nothing."""
    return people.ask(club, question.who, language, shown=False)


@router.post("/clubs/{club}/why/shown", tags=["why"], responses=CLUB)
def ask_shown(
    person: Actor, club: TheClub, question: Question, language: Language = "en"
) -> people.Why:
    """The same with personal data; written into the audit."""
    return show_person(club, person, question.who, language)


def show_person(club: TheClub, person: Actor, who: str, language: str) -> people.Why:
    """The answer with personal data, after the asking was written down."""
    about = people.ask(club, who, language, shown=True)
    cards = [about.who] if about.who else about.candidates
    named = [card.erp_id or f"#{card.customer}" for card in cards]
    actions.show(club, person, "why", named)
    return about


@router.get("/clubs/{club}/requests", tags=["requests"], responses=CLUB)
def list_requests(_: Reader, club: TheClub) -> list[clubs.Request]:
    """Who asks in the app to be a customer (R11); masked."""
    return clubs.requests(club, shown=False)


@router.post("/clubs/{club}/requests/{request}/accept", tags=["requests"], responses=ACT)
def accept(person: Actor, club: TheClub, request: Number) -> actions.Act:
    """The user becomes a customer."""
    return actions.decide_request(club, person, request, accepted=True)


@router.post("/clubs/{club}/requests/{request}/refuse", tags=["requests"], responses=ACT)
def refuse(person: Actor, club: TheClub, request: Number) -> actions.Act:
    """The user stays out."""
    return actions.decide_request(club, person, request, accepted=False)


class Whom(BaseModel):
    """A person of a club: a base customer's id, or an ERP id."""

    customer: Annotated[int, Field(ge=1, le=2**62)] | None = None
    erp_id: Given | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Whom:
        if (self.customer is None) == (self.erp_id is None):
            raise ValueError("give customer or erp_id")
        return self


@router.post("/clubs/{club}/erase", tags=["people"], responses=ACT)
def erase(person: Eraser, club: TheClub, whom: Whom) -> actions.Act:
    """Erase a person from the club, for good (R20)."""
    return actions.erase(club, person, whom.customer, whom.erp_id)


# --- findings ---------------------------------------------------------------------------------


@router.get("/clubs/{club}/todo", tags=["findings"], responses=CLUB)
def show_todo(_: Reader, club: TheClub, language: Language = "en") -> list[findings.Todo]:
    """Its open findings by what is to be done."""
    return findings.todo(club, language)


@router.get("/clubs/{club}/findings", tags=["findings"], responses=CLUB)
def show_findings(
    _: Reader,
    club: TheClub,
    code: Code | None = None,
    page: Page = 1,
    language: Language = "en",
) -> list[findings.Finding]:
    """A page of its open findings, the oldest first; masked."""
    return findings.of_club(club, language, shown=False, code=code, page=page)


@router.post("/clubs/{club}/findings/shown", tags=["findings"], responses=CLUB)
def show_findings_shown(
    person: Actor,
    club: TheClub,
    code: Code | None = None,
    page: Page = 1,
    language: Language = "en",
) -> list[findings.Finding]:
    """The same with personal data; written into the audit."""
    found = findings.of_club(club, language, shown=True, code=code, page=page)
    actions.show(club, person, "findings", [f.erp_id for f in found], code=code, page=page)
    return found


@router.post(
    "/clubs/{club}/findings.csv",
    tags=["findings"],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The file"}, **CLUB},
)
def download_findings(person: Actor, club: TheClub) -> Response:
    """The file to send to the club, with personal data; written into the audit."""
    with actions.acting(club, person, "csv"):
        content = findings.csv_file(club)
    name = f"{club.id}-findings.csv"
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/clubs/{club}/similar", tags=["findings"], responses=CLUB)
def show_similar(
    _: Reader, club: TheClub, page: Page = 1, language: Language = "en"
) -> findings.SimilarPairs:
    """A page of pairs that look like one person (R23), the surest first; masked."""
    return findings.similar(club, language, shown=False, page=page)


@router.post("/clubs/{club}/similar/shown", tags=["findings"], responses=CLUB)
def show_similar_shown(
    person: Actor, club: TheClub, page: Page = 1, language: Language = "en"
) -> findings.SimilarPairs:
    """The same with personal data; written into the audit."""
    found = findings.similar(club, language, shown=True, page=page)
    named = [card.erp_id for pair in found.pairs for card in pair.records]
    actions.show(club, person, "similar", named, page=page)
    return found


class TwoPeople(BaseModel):
    """Two ERP ids, in either order."""

    one: Given
    other: Given


@router.post("/clubs/{club}/similar/ignore", tags=["findings"], responses=ACT)
def ignore(person: Actor, club: TheClub, pair: TwoPeople) -> actions.Act:
    """These are two people: never suggest them again."""
    return actions.ignore(club, person, pair.one, pair.other)


# --- holds ------------------------------------------------------------------------------------


@router.get("/clubs/{club}/holds", tags=["holds"], responses=CLUB)
def show_holds(_: Reader, club: TheClub) -> list[holds.ClubHold]:
    """Its holds, the newest first."""
    return holds.recent(club)


@router.get("/clubs/{club}/holds/{hold}", tags=["holds"], responses=CLUB)
def show_hold(
    _: Reader, club: TheClub, hold: Number, list_hash: Hash | None = None, page: Page = 1
) -> holds.Hold:
    """A hold with a page of the people on its list; masked."""
    return holds.one(club, hold, shown=False, list_hash=list_hash, page=page)


@router.post("/clubs/{club}/holds/{hold}/shown", tags=["holds"], responses=CLUB)
def show_hold_shown(
    person: Actor, club: TheClub, hold: Number, list_hash: Hash | None = None, page: Page = 1
) -> holds.Hold:
    """The same with personal data; written into the audit."""
    found = holds.one(club, hold, shown=True, list_hash=list_hash, page=page)
    named = [p.erp_id or f"#{p.customer}" for p in found.people]
    actions.show(club, person, "hold", named, hold=hold, page=page)
    return found


class Decision(BaseModel):
    """Binds to the list that was seen."""

    list_hash: Hash
    comment: Given = Field(description="why; kept with the decision")


@router.post("/clubs/{club}/holds/{hold}/approve", tags=["holds"], responses=ACT)
def approve(person: Actor, club: TheClub, hold: Number, decision: Decision) -> actions.Act:
    """Deactivate those of the list whom the newest reading still calls for, nobody else."""
    return actions.decide_hold(
        club, person, hold, decision.list_hash, approved=True, comment=decision.comment
    )


@router.post("/clubs/{club}/holds/{hold}/reject", tags=["holds"], responses=ACT)
def reject(person: Actor, club: TheClub, hold: Number, decision: Decision) -> actions.Act:
    """Keep the people of the list, and do not ask again for 30 days."""
    return actions.decide_hold(
        club, person, hold, decision.list_hash, approved=False, comment=decision.comment
    )


# --- runs -------------------------------------------------------------------------------------


@router.get("/clubs/{club}/runs", tags=["runs"], responses=CLUB)
def show_runs(
    _: Reader,
    club: TheClub,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    how_many: Annotated[int, Query(ge=1, le=200)] = 15,
) -> list[runs.Run]:
    """Its runs, the newest first."""
    return runs.recent(club, before, how_many)


@router.get("/clubs/{club}/runs/{run}", tags=["runs"], responses=CLUB)
def show_run(_: Reader, club: TheClub, run: Number) -> runs.Run:
    """One run."""
    return runs.one(club, run)


@router.get("/clubs/{club}/runs/{run}/changes", tags=["runs"], responses=CLUB)
def show_run_changes(
    _: Reader, club: TheClub, run: Number, kind: Text | None = None, page: Page = 1
) -> runs.Changes:
    """A page of what it changed; masked."""
    return runs.changes(club, run, shown=False, kind=kind, page=page)


@router.post("/clubs/{club}/runs/{run}/changes/shown", tags=["runs"], responses=CLUB)
def show_run_changes_shown(
    person: Actor, club: TheClub, run: Number, kind: Text | None = None, page: Page = 1
) -> runs.Changes:
    """The same with personal data; written into the audit."""
    found = runs.changes(club, run, shown=True, kind=kind, page=page)
    named = [c.erp_id or f"#{c.customer}" for c in found.changes]
    actions.show(club, person, "run", named, run=run, page=page)
    return found


@router.get("/clubs/{club}/runs/{run}/plan", tags=["runs"], responses=CLUB)
def show_plan(_: Reader, club: TheClub, run: Number, page: Page = 1) -> runs.Plan | None:
    """What it meant to do; null where that was nothing, or is not kept any more."""
    return runs.plan(club, run, page)


@router.get("/clubs/{club}/runs/{run}/undo", tags=["runs"], responses=CLUB)
def show_undo(_: Reader, club: TheClub, run: Number) -> runs.Undo:
    """What undoing it would do now."""
    return runs.undo_plan(club, run)


class UndoWish(BaseModel):
    """With the hash of the list that was seen, where more would lose access than pass by themselves."""

    list_hash: Hash | None = None


@router.post("/clubs/{club}/runs/{run}/undo", tags=["runs"], responses=ACT)
def undo(person: Actor, club: TheClub, run: Number, wish: UndoWish) -> actions.Act:
    """Undo it; who changed since is left alone (R18)."""
    runs.one(club, run)
    return actions.undo(club, person, run, wish.list_hash)
