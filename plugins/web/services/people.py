"""R24: why somebody is, or is not, a customer; in one club, or wherever they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from clubsync import emails
from clubsync.explain.why import Answer, why
from clubsync.i18n import _, translations
from clubsync.store.database import Driver, queries
from clubsync.store.people import resolve_person
from clubsync.validate import suites
from plugins.web.context import Club, base, find_club, registry
from plugins.web.services import masking

if TYPE_CHECKING:
    from clubsync.store.queries import PeopleByKeyRow

SEARCHED = 50_000
"""Records up to which a part of a name is searched for; among more, a whole name is found by its key."""
FOUND = 50

_SEVERAL = _("{n} people of {club} have that name. Search by email or ERP id.")
_NOBODY = _(
    "Nobody of {club} has exactly that name. Search by first and last name together, by email, or by ERP id."
)


class Candidate(BaseModel):
    """Somebody who may be meant."""

    club: str
    club_name: str
    customer: int | None
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    in_customers_group: bool | None = Field(description="null: not looked up")


class Moment(BaseModel):
    """Something that happened, in the language that was asked for."""

    at: datetime
    what: str
    run: int | None


class Pair(BaseModel):
    """R23: another record that looks like the same person."""

    other: str
    reasons: list[str]


class Who(BaseModel):
    """The person that the answer is about."""

    customer: int | None
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    origin: str | None
    status: str | None


class Why(BaseModel):
    """The answer.

    `sentence` says why, and what to do next; `similar` and `requests` can be acted on.
    """

    club: str | None
    club_name: str | None
    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    timeline: list[Moment]
    who: Who | None
    similar: list[Pair]
    requests: list[int] = Field(description="ids of attachment requests that wait")
    candidates: list[Candidate]


def ask(
    club: Club, words: str | None, language: str, shown: bool, customer: int | None = None
) -> Why:
    """Why, in one club.

    :param words: an email, an ERP id, or a name.
    :param customer: a base customer's id, in its place.
    """
    sql = queries()
    if words is not None and "@" in words:
        words = _record_of(club, words) or words
    with club.driver() as driver:
        if words is None:
            row = sql.person(driver, club=club.number, customer=customer, erp_id=None)
            words = (row and (row["erp_id"] or row["email"])) or f"#{customer}"
        words = words.strip()
        answer = _of_name(driver, club, words, language) if _is_name(driver, club, words) else None
        if answer is None:
            zone = club.config.zone
            answer = why(driver, club.number, club.config.name, words, zone, language)
        return _told(driver, club, answer, language, shown)


def _record_of(club: Club, words: str) -> str | None:
    """The ERP id that an email stands for, where it is one alone: found by index, however large the club."""
    email = emails.normalise(words)
    if email is None:
        return None
    with base().reader() as driver:
        rows = list(queries().records_of_email(driver, club=club.number, email=email))
    holders = [row for row in rows if row["holds"]] or rows
    return holders[0]["erp_id"] if len(holders) == 1 else None


def _is_name(driver: Driver, club: Club, words: str) -> bool:
    """Whether the words mean nobody by email or ERP id, in a club that is too large for part of a name."""
    sql = queries()
    if "@" in words or sql.count_records(driver, club=club.number) <= SEARCHED:
        return False
    return not resolve_person(driver, club.number, words)[1]


def _of_name(driver: Driver, club: Club, words: str, language: str) -> Answer | None:
    """Who has that whole name in a large club, by the key that records are compared by (R23)."""
    people = _by_key(driver, club, words)
    if len(people) == 1 and people[0]["erp_id"]:
        name, zone = club.config.name, club.config.zone
        return why(driver, club.number, name, people[0]["erp_id"], zone, language)
    text = _SEVERAL if people else _NOBODY
    sentence = translations(language).gettext(text).format(n=len(people), club=club.config.name)
    return Answer(verdict="unknown", reasons=[], sentence=sentence, timeline=[], candidates=people)


def _by_key(driver: Driver, club: Club, words: str) -> list[PeopleByKeyRow]:
    import polars as pl

    from clubsync.validate import similarity

    person = {"erp_id": "?", "first_name": words}
    keys = similarity.keys(pl.DataFrame([person], schema=similarity.PEOPLE, orient="row"))
    found = (
        queries().people_by_key(driver, club=club.number, key=key, how_many=FOUND)
        for key in keys["key"]
    )
    return [row for rows in found for row in rows]


def _told(driver: Driver, club: Club, answer: Answer, language: str, shown: bool) -> Why:
    sql, erp_id, customer = queries(), answer.get("erp_id"), answer.get("customer")
    who, pairs, waiting = None, [], []
    if erp_id or customer:
        row = sql.person(driver, club=club.number, customer=customer, erp_id=erp_id)
        if row and row["email"]:
            email = row["email"]
            waiting = [
                r["id"] for r in sql.requests_of_person(driver, club=club.number, email=email)
            ]
        who = Who(**masking.row(row, shown)) if row else None
    if erp_id:
        pairs = [
            Pair(other=p["other"], reasons=suites.similarity(p["reasons"], language))
            for p in sql.pairs_of_person(driver, club=club.number, erp_id=erp_id)
        ]
    return Why(
        club=club.id,
        club_name=club.config.name,
        verdict=answer["verdict"],
        reasons=answer["reasons"],
        sentence=answer["sentence"],
        timeline=[Moment(**event) for event in answer["timeline"]],
        who=who,
        similar=pairs,
        requests=waiting,
        candidates=[
            Candidate(club=club.id, club_name=club.config.name, **_card(row, shown))
            for row in answer.get("candidates", [])
        ],
    )


def _card(row: Mapping[str, Any], shown: bool) -> dict[str, Any]:
    names = ("customer", "erp_id", "first_name", "last_name", "email", "in_customers_group")
    return masking.row({name: row.get(name) for name in names}, shown)


def find(words: str, language: str) -> Why | list[Candidate]:
    """Wherever somebody is: the answer, where one club alone knows them; else who may be meant, masked.

    A name is searched for across clubs only while they are few people in all: people of one name
    are many in five millions.
    """
    words, sql, known = words.strip(), queries(), registry().clubs
    email = emails.normalise(words) if "@" in words else None
    with base().reader() as driver:
        erp_id = None if "@" in words else words
        rows = list(sql.clubs_of_person(driver, erp_id=erp_id, email=email, how_many=FOUND))
        if not rows and "@" not in words and sql.count_all_records(driver) <= SEARCHED:
            rows = list(sql.people_by_name(driver, fragment=words, how_many=FOUND))
    rows = [row for row in rows if row["club_id"] in known]
    if len(rows) == 1:
        club, by_name = find_club(rows[0]["club_id"]), "first_name" in rows[0]
        if not by_name:
            return ask(club, words, language, shown=False)
        erp_id, customer = rows[0]["erp_id"], rows[0]["customer"]
        return ask(club, erp_id, language, shown=False, customer=customer)
    return [
        Candidate(club=row["club_id"], club_name=row["name"], **_card(row, shown=False))
        for row in rows
    ]
