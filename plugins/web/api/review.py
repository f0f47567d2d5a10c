"""R28: a first sync that awaits approval: who gets access, and who does not and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from plugins.web.api.responses import CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub
from plugins.web.parameters import Language
from plugins.web.services import review

router = APIRouter(tags=["clubs"])


class ReviewPage(review.ReviewList):
    """A page of a review, with sentences."""

    language: Language = "en"


Wanted = Annotated[ReviewPage, Query()]


@router.get("/clubs/{club}/first-sync", responses=CLUB)
def show_first_sync(_: Reader, club: ReadClub, wanted: Wanted) -> review.Review | None:
    """Who gets access by the first sync that awaits approval, and who does not and why; masked. Null: none does."""
    return review.of_club(club, wanted, wanted.language)


@router.post("/clubs/{club}/first-sync/shown", responses=CLUB)
def show_first_sync_shown(user: Actor, club: ReadClub, wanted: Wanted) -> review.Review | None:
    """The same with personal data; recorded in the audit."""
    return review.of_club(club, wanted, wanted.language, shown_to=user)
