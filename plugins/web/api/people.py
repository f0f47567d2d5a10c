"""Why a person is a customer, or not; and erasure."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Eraser, Reader
from plugins.web.context import ReadClub, Reading, TheClub
from plugins.web.parameters import LARGEST_ID, Language, RequiredText
from plugins.web.services import erasure, people
from plugins.web.services.actions import Act

router = APIRouter()


class Question(BaseModel):
    """The person to search for."""

    who: RequiredText = Field(
        description="an email, an ERP id, or, for those who may see personal data, a name"
    )


class Found(BaseModel):
    """The answer, where there is one match in one club; otherwise the possible matches."""

    answer: people.Why | None
    candidates: list[people.Candidate]


@router.post("/why", tags=["why"])
def find_anywhere(
    user: Reader, reads: Reading, question: Question, language: Language = "en"
) -> Found:
    """Why a person is, or is not, a customer, in any club; masked. Changes nothing."""
    found = people.find(
        reads, question.who, language, tell_erased=user.may_act, by_name=user.may_act
    )
    if isinstance(found, people.Why):
        return Found(answer=found, candidates=[])
    return Found(answer=None, candidates=found)


@router.post("/clubs/{club}/why", tags=["why"], responses=CLUB)
def ask(user: Reader, club: ReadClub, question: Question, language: Language = "en") -> people.Why:
    """Why a person is, or is not, a customer of this club; masked. Changes nothing.

    That somebody was erased at their request is told only to those who may see personal data.
    """
    return people.ask(club, question.who, language, tell_erased=user.may_act, by_name=user.may_act)


@router.post("/clubs/{club}/why/shown", tags=["why"], responses=CLUB)
def ask_shown(
    user: Actor, club: ReadClub, question: Question, language: Language = "en"
) -> people.Why:
    """The same with personal data; recorded in the audit."""
    return people.ask(club, question.who, language, shown_to=user)


class Whom(BaseModel):
    """A person of a club: a base customer's id, or an ERP id."""

    customer: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    erp_id: RequiredText | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Whom:
        if (self.customer is None) == (self.erp_id is None):
            raise ValueError("give customer or erp_id")
        return self


@router.post("/clubs/{club}/erase", tags=["people"], responses=ACT)
def erase(user: Eraser, club: TheClub, whom: Whom) -> Act:
    """Erase a person's data from the club (R20). This cannot be undone."""
    return erasure.erase(club, user, whom.customer, whom.erp_id)


@router.get("/clubs/{club}/erasures", tags=["people"], responses=CLUB)
def erasures(
    _: Reader, club: ReadClub, everything: Annotated[bool, Query(alias="all")] = False
) -> list[erasure.Erasure]:
    """Erasures that are not complete, or all: what remains, and what could not be reached. Names nobody."""
    return erasure.orders(club, include_all=everything)
