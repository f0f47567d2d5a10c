"""R24: why a person is, or is not, a customer; in one club, or in any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from pydantic import BaseModel, Field

from clubsync import emails
from clubsync.chains import chains
from clubsync.explain.lookup import hashes_of, in_clubs
from clubsync.explain.standing import State
from clubsync.explain.why import Answer, why
from clubsync.i18n import _, translations
from clubsync.store.database import queries
from clubsync.store.people import resolve_person
from clubsync.validate import similarity, suites
from connectors.sdk.words import tidy
from plugins.web.auth import User
from plugins.web.context import OpenClub, Reads, find_club
from plugins.web.registry import registry
from plugins.web.services import actions, masking

if TYPE_CHECKING:
    from clubsync.store.queries import PeopleByKeyRow

SEARCHED = 50_000
"""Up to this number of records, a part of a name is searched for; among more, a whole name is found by its key."""
FOUND = 50

_SEVERAL = _("{n} people of {club} have that name. Search by email or ERP id.")
_NOBODY = _(
    "Nobody of {club} has exactly that name. Search by first and last name together, by email, or by ERP id."
)


class Candidate(BaseModel):
    """A possible match."""

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


class Question(BaseModel):
    """One of the four questions that support asks, with its answer."""

    about: Literal["record", "access", "email", "account"]
    question: str
    answer: Literal["yes", "no", "unknown"] = Field(
        description="unknown: what was read does not decide it"
    )
    says: str
    rests_on: str = Field(description="what the answer rests on; empty where that is plain")
    to_do: str = Field(description="what would change the answer; empty: nothing need be done")
    others: list[str] = Field(description="ERP ids of the records that the answer names")


class Membership(BaseModel):
    """A group of the ERP record, by its name."""

    group: str
    gives: bool | None = Field(description="whether it gives access; null: unknown")
    says: str


class Standing(BaseModel):
    """How the club stands, which every answer depends on."""

    state: State
    as_of: datetime | None = Field(description="the time of the data of the last complete reading")
    sentences: list[str]


class Why(BaseModel):
    """The answer.

    `sentence` says why, and what to do next, in one go; `headline` the verdict alone, and `questions` the rest.
    `similar` and `requests` can be acted on; `elsewhere` are the same email or ERP id in other clubs, where this club
    has nobody.
    """

    club: str | None
    club_name: str | None
    verdict: Literal["in", "out", "unknown"]
    reasons: list[str]
    sentence: str
    headline: str
    standing: Standing | None
    questions: list[Question]
    groups: list[Membership]
    timeline: list[Moment]
    who: Who | None
    similar: list[Pair]
    requests: list[int] = Field(description="ids of pending requests")
    candidates: list[Candidate]
    elsewhere: list[Candidate]


def ask(
    club: OpenClub,
    words: str | None,
    language: str,
    *,
    erp_id: str | None = None,
    customer: int | None = None,
    shown_to: User | None = None,
    tell_erased: bool = False,
    by_name: bool = False,
) -> Why:
    """Why, in one club.

    :param words: an email, an ERP id, or a name.
    :param by_name: the asker may see personal data, and so may search by it; else by the exact email or ERP id (R19).
    :param erp_id: an ERP id, instead, also where it looks like an email; customer: a base customer's id.
    :param shown_to: with personal data, for this person, which is recorded.
    :param tell_erased: the asker may see personal data: say that somebody was erased at their request (R24).
    """
    tell_erased = tell_erased or shown_to is not None
    shown = shown_to is not None
    if erp_id is not None:
        answer = _why(club, erp_id, language, shown, by_id=True, tell_erased=tell_erased)
    else:
        words = _known_as(club, customer) if words is None else words.strip()
        if "@" in words:
            words = _record_of(club, words) or words
        by_name = by_name or shown
        if by_name and _is_name(club, words) and not (tell_erased and _was_erased(club, words)):
            answer = _of_name(club, words, language, shown)
        else:
            answer = _why(club, words, language, shown, tell_erased=tell_erased, by_name=by_name)
    elsewhere = _elsewhere(club, words) if words and answer["verdict"] == "unknown" else []
    found = _complete(club, answer, language, shown, elsewhere)
    if shown_to:
        cards = [found.who] if found.who else found.candidates
        named = [card.erp_id or f"#{card.customer}" for card in cards]
        actions.disclose(club, shown_to, "why", named)
    return found


def _why(
    club: OpenClub,
    words: str,
    language: str,
    shown: bool,
    *,
    by_id: bool = False,
    tell_erased: bool = False,
    by_name: bool = False,
) -> Answer:
    return why(
        *(club.driver, club.number, club.config, words, language),
        by_id=by_id,
        masked=str if shown else masking.address,
        tell_erased=tell_erased,
        to_viewer=not shown,
        by_name=by_name,
        chain=chain.key if (chain := chains(registry().config.clubs).get(club.id)) else None,
    )


def _was_erased(club: OpenClub, words: str) -> bool:
    key = queries().club_state(club.driver, club=club.number)["hash_key"]
    hashes = hashes_of(key, words)
    order = queries().erasure_of_person(club.driver, club=club.number, key_hashes=hashes)
    return order is not None


def _clubs_that_erased(reads: Reads, words: str) -> list[str]:
    """Ids of the clubs that erased somebody with this email or ERP id (R20)."""
    hashes = [
        (row["club"], key_hash)
        for row in queries().hash_keys(reads.across())
        for key_hash in hashes_of(row["hash_key"], words)
    ]
    found = queries().clubs_that_erased(
        reads.across(),
        clubs=[club for club, _ in hashes],
        key_hashes=[key_hash for _, key_hash in hashes],
    )
    return [row["club_id"] for row in found if row["club_id"] in registry().clubs]


def _known_as(club: OpenClub, customer: int | None) -> str:
    row = queries().person(club.driver, club=club.number, customer=customer, erp_id=None)
    return (row and (row["erp_id"] or row["email"])) or f"#{customer}"


def _record_of(club: OpenClub, words: str) -> str | None:
    """The ERP id of the only record with an email. Row-level security of the club would not use the index."""
    email = emails.normalise(words)
    if email is None:
        return None
    rows = list(queries().records_of_email(club.reads.across(), club=club.number, email=email))
    holders = [row for row in rows if row["holds"]] or rows
    return holders[0]["erp_id"] if len(holders) == 1 else None


def _is_name(club: OpenClub, words: str) -> bool:
    """Whether the words are no email or ERP id of a club that is too large to search for part of a name."""
    if "@" in words or queries().count_records(club.driver, club=club.number) <= SEARCHED:
        return False
    return not resolve_person(club.driver, club.number, words)[1]


def _of_name(club: OpenClub, words: str, language: str, shown: bool) -> Answer:
    """The people of a large club with exactly that name, by the key that records are compared by (R23)."""
    people = _by_key(club, words)
    if len(people) == 1 and people[0]["erp_id"]:
        return _why(club, people[0]["erp_id"], language, shown, by_id=True)
    text = _SEVERAL if people else _NOBODY
    sentence = translations(language).gettext(text).format(n=len(people), club=club.name)
    return Answer(verdict="unknown", reasons=[], sentence=sentence, timeline=[], candidates=people)


def _by_key(club: OpenClub, words: str) -> list[PeopleByKeyRow]:
    person = {"erp_id": "?", "first_name": words}
    keys = similarity.keys(pl.DataFrame([person], schema=similarity.PEOPLE, orient="row"))
    found = (
        queries().people_by_key(club.driver, club=club.number, key=key, max_rows=FOUND)
        for key in keys["key"]
    )
    return [row for rows in found for row in rows]


def _elsewhere(club: OpenClub, words: str) -> list[Candidate]:
    """The same email or ERP id in other clubs, masked: the caller may have named the wrong club."""
    others = [one for one in registry().clubs if one != club.id]
    return _candidates(in_clubs(club.reads.across(), others, words, FOUND))


def _candidates(rows: Iterable[Mapping[str, Any]]) -> list[Candidate]:
    return [
        Candidate(club=row["club_id"], club_name=row["name"], **_card(row, shown=False))
        for row in rows
    ]


def _complete(
    club: OpenClub, answer: Answer, language: str, shown: bool, elsewhere: list[Candidate]
) -> Why:
    """The answer with what can be done about it."""
    sql, driver = queries(), club.driver
    erp_id, customer = answer.get("erp_id"), answer.get("customer")
    who, pairs = None, []
    waiting = [answer["request"]] if answer.get("request") else []
    if erp_id or customer:
        row = sql.person(driver, club=club.number, customer=customer, erp_id=erp_id)
        if row and row["email"]:
            email = row["email"]
            waiting += [
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
        club_name=club.name,
        verdict=answer["verdict"],
        reasons=answer["reasons"],
        sentence=answer["sentence"],
        headline=answer.get("headline") or answer["sentence"],
        standing=Standing.model_validate(answer["standing"]) if "standing" in answer else None,
        questions=[Question.model_validate(one) for one in answer.get("questions", ())],
        groups=[Membership.model_validate(one) for one in answer.get("groups", ())],
        timeline=[Moment(**event) for event in answer["timeline"]],
        who=who,
        similar=pairs,
        requests=waiting,
        candidates=[
            Candidate(club=club.id, club_name=club.name, **_card(row, shown))
            for row in answer.get("candidates", [])
        ],
        elsewhere=elsewhere,
    )


def _card(row: Mapping[str, Any], shown: bool) -> dict[str, Any]:
    names = ("customer", "erp_id", "first_name", "last_name", "email", "in_customers_group")
    return masking.row({name: row.get(name) for name in names}, shown)


def find(
    reads: Reads, words: str, language: str, *, tell_erased: bool = False, by_name: bool = False
) -> Why | list[Candidate]:
    """In any club: the answer, where there is one match; otherwise the possible matches, masked.

    A name is searched for across clubs only while they have few customers together: among millions, one name has
    too many matches.

    :param tell_erased, by_name: see `ask`.
    """
    words, sql, known = words.strip(), queries(), list(registry().clubs)
    rows: list[Mapping[str, Any]] = [*in_clubs(reads.across(), known, words, FOUND)]
    if (
        by_name
        and not rows
        and "@" not in words
        and sql.count_all_records(reads.across()) <= SEARCHED
    ):
        name = tidy(words)
        rows = list(sql.people_by_name(reads.across(), clubs=known, fragment=name, max_rows=FOUND))
    if not rows and tell_erased and (clubs := _clubs_that_erased(reads, words)):
        club = OpenClub.of(find_club(clubs[0]), reads)
        return ask(club, words, language, tell_erased=True)
    if len(rows) != 1:
        return _candidates(rows)
    (row,) = rows
    club = OpenClub.of(find_club(row["club_id"]), reads)
    if "first_name" in row:  # found by name
        return ask(club, None, language, erp_id=row["erp_id"], customer=row["customer"])
    return ask(club, words, language, tell_erased=tell_erased, by_name=by_name)
