"""Requests to become a customer, made in the app (R11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from plugins.web.api.responses import ACT, CLUB
from plugins.web.auth import Actor, Reader
from plugins.web.context import ReadClub, TheClub
from plugins.web.parameters import Id, Paged
from plugins.web.services import requests
from plugins.web.services.actions import Act

router = APIRouter(tags=["requests"])


@router.get("/clubs/{club}/requests", responses=CLUB)
def list_requests(
    _: Reader, club: ReadClub, wanted: Annotated[Paged, Query()]
) -> list[requests.Request]:
    """A page of 100 pending requests to become a customer, the oldest first; masked."""
    return requests.pending(club, wanted.page)


@router.post("/clubs/{club}/requests/{request}/accept", responses=ACT)
def accept(user: Actor, club: TheClub, request: Id) -> Act:
    """The user becomes a customer."""
    return requests.decide(club, user, request, accepted=True)


@router.post("/clubs/{club}/requests/{request}/refuse", responses=ACT)
def refuse(user: Actor, club: TheClub, request: Id) -> Act:
    """The user does not become a customer."""
    return requests.decide(club, user, request, accepted=False)
