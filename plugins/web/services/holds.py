"""Deactivations that wait for a person (R15)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from clubsync.store.database import queries
from plugins.web.context import Club, base, strangers
from plugins.web.errors import Refused
from plugins.web.services import masking
from plugins.web.services.actions import of_club

PAGE_SIZE = 50


class HoldRow(BaseModel):
    """A hold of the list."""

    club: str
    name: str
    erp: str
    hold: int
    state: Literal["open", "approved", "rejected", "emptied"]
    opened_at: datetime
    causes: list[str]
    people: int = Field(description="on its newest list")
    customers: int = Field(description="in the club's Customers group now")
    limit: int = Field(description="how many would have passed by themselves within a day")
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None


class HoldBoard(BaseModel):
    holds: list[HoldRow]
    total: int
    page: int
    pages: int


def board(state: Literal["open", "decided"] = "open", page: int = 1) -> HoldBoard:
    """Holds of all clubs: open ones the oldest first, decided ones the newest first."""
    with base().reader() as driver:
        rows = list(
            queries().hold_board(
                driver,
                state=state,
                strangers=strangers(),
                how_many=PAGE_SIZE,
                skip=(page - 1) * PAGE_SIZE,
            )
        )
    total = rows[0]["total"] if rows else 0
    return HoldBoard(
        holds=[
            HoldRow(
                club=row["club_id"],
                people=row["size"] or 0,
                limit=row["limit_was"],
                **{
                    name: row[name]
                    for name in (
                        "name",
                        "erp",
                        "hold",
                        "state",
                        "opened_at",
                        "causes",
                        "customers",
                        "decided_at",
                        "decided_by",
                        "comment",
                    )
                },
            )
            for row in rows
        ],
        total=total,
        page=page,
        pages=max(1, -(-total // PAGE_SIZE)),
    )


class ClubHold(BaseModel):
    """A hold, in its club."""

    hold: int
    opened_at: datetime
    state: Literal["open", "approved", "rejected", "emptied"]
    causes: list[str]
    size: int | None
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None


def recent(club: Club, how_many: int = 10) -> list[ClubHold]:
    """The newest first."""
    with club.driver() as driver:
        return [
            ClubHold(**row)
            for row in queries().holds_of(driver, club=club.number, how_many=how_many)
        ]


class Held(BaseModel):
    """Somebody who would lose access."""

    customer: int
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    cause: str


class Hold(BaseModel):
    """A hold with a page of the people on one of its lists; a decision names the list by its hash."""

    hold: int
    state: Literal["open", "approved", "rejected", "emptied"]
    opened_at: datetime
    version: int
    list_hash: str
    newest: bool = Field(description="whether this is the list as it is now")
    causes: list[str]
    size: int
    customers: int
    limit: int
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    people: list[Held]
    page: int
    pages: int


def one(club: Club, hold: int, shown: bool, list_hash: str | None = None, page: int = 1) -> Hold:
    """:raises Refused: 404: this club has no such hold, or it never had that list."""
    sql, row = queries(), of_club(club, hold)
    with club.driver() as driver:
        wanted = list_hash or row["list_hash"]
        version = sql.hold_version_by_hash(driver, club=club.number, hold=hold, list_hash=wanted)
        if version is None:
            raise Refused(404, "No such list", f"Hold {hold} never had that list.")
        people = list(
            sql.people_of_hold(
                driver,
                club=club.number,
                hold=hold,
                version=version["version"],
                how_many=PAGE_SIZE,
                skip=(page - 1) * PAGE_SIZE,
            )
        )
        facts = sql.club_facts(driver, club=club.number)
    return Hold(
        version=version["version"],
        list_hash=version["list_hash"],
        newest=version["list_hash"] == row["list_hash"],
        size=version["size"],
        customers=facts["customers"],
        limit=row["limit_was"],
        people=[
            Held(**masking.row({k: v for k, v in p.items() if k != "reason"}, shown))
            for p in people
        ],
        page=page,
        pages=max(1, -(-version["size"] // PAGE_SIZE)),
        **{
            name: row[name]
            for name in (
                "hold",
                "state",
                "opened_at",
                "causes",
                "decided_at",
                "decided_by",
                "comment",
            )
        },
    )
