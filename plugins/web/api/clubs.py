"""Clubs and their status."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from plugins.web.api.responses import CLUB
from plugins.web.auth import Reader
from plugins.web.context import ReadClub, Reading
from plugins.web.parameters import Id
from plugins.web.services import actions, clubs

router = APIRouter(tags=["clubs"])
Days = Annotated[int, Query(ge=1, le=30)]


@router.get("/clubs")
def list_clubs(
    _: Reader, reads: Reading, wanted: Annotated[clubs.ClubList, Query()]
) -> clubs.Board:
    """Clubs with their state, a page at a time; by state the one that needs most comes first."""
    return clubs.board(reads, wanted)


@router.get("/clubs/{club}", responses=CLUB)
def show_club(_: Reader, club: ReadClub) -> clubs.ClubNow:
    """A club, as it is now."""
    return clubs.one(club)


@router.get("/clubs/{club}/readings", responses=CLUB)
def show_readings(_: Reader, club: ReadClub, days: Days = 7) -> list[clubs.Hour]:
    """The results of its readings, by hour."""
    return clubs.readings(club, days)


@router.get("/clubs/{club}/changes", responses=CLUB)
def show_changes(_: Reader, club: ReadClub, days: Days = 7) -> list[clubs.HourOfChanges]:
    """Its changes, by hour and kind."""
    return clubs.changes(club, days)


@router.get("/clubs/{club}/groups", responses=CLUB)
def show_groups(_: Reader, club: ReadClub) -> list[clubs.Group]:
    """Its groups. Counts every customer: in a club of a million that takes a second."""
    return clubs.groups(club)


@router.get("/clubs/{club}/acts", responses=CLUB)
def show_activity(
    _: Reader, club: ReadClub, how_many: Annotated[int, Query(ge=1, le=200)] = 20
) -> list[actions.Act]:
    """Activity: manual actions in this club, the newest first."""
    return actions.recent(club, how_many)


@router.get("/clubs/{club}/acts/{act}", responses=CLUB)
def show_act(_: Reader, club: ReadClub, act: Id) -> actions.Act:
    """An action, and its result."""
    return actions.found(club, act)
