"""Records that look like one person (R23)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, TheClub
from plugins.web.parameters import RequiredText, Sentences
from plugins.web.services import similar
from plugins.web.services.actions import Act

router = APIRouter(tags=["findings"])


@router.get("/clubs/{club}/similar", responses=CLUB)
def show_similar(
    _: Reader, club: ReadClub, wanted: Annotated[Sentences, Query()]
) -> similar.SimilarPairs:
    """A page of pairs that look like one person (R23), the highest score first; masked."""
    return similar.pairs(club, wanted.language, wanted.page)


@router.post("/clubs/{club}/similar/shown", responses=CLUB)
def show_similar_shown(
    user: Actor, club: ReadClub, wanted: Annotated[Sentences, Query()]
) -> similar.SimilarPairs:
    """The same with personal data; recorded in the audit."""
    return similar.pairs(club, wanted.language, wanted.page, shown_to=user)


class TwoPeople(BaseModel):
    """Two ERP ids, in either order."""

    one: RequiredText
    other: RequiredText


@router.post("/clubs/{club}/similar/ignore", responses=ACT)
def ignore(user: Actor, club: TheClub, pair: TwoPeople) -> Act:
    """These are two people: never suggest the pair again."""
    return similar.ignore(club, user, pair.one, pair.other)
