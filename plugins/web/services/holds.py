"""Deactivations awaiting approval (R15)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from clubsync.diff.guard import with_number
from clubsync.errors import ActionRejected
from clubsync.model import Step
from clubsync.store.database import Driver, queries
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, Reads, engine, unlisted
from plugins.web.errors import ProblemError
from plugins.web.parameters import Hash, Paged, pages_of
from plugins.web.services import actions, masking
from plugins.web.services.actions import Act

if TYPE_CHECKING:
    from clubsync.store.queries import FindHoldRow

PAGE_SIZE = 50
State = Literal["open", "approved", "rejected", "emptied"]


class HoldList(Paged):
    """Which holds."""

    state: Literal["open", "decided"] = "open"


class HoldRow(BaseModel):
    """A hold of the list."""

    club: str
    name: str
    erp: str
    hold: int
    state: State
    opened_at: datetime
    causes: list[str]
    people: int = Field(description="on its newest list")
    customers: int = Field(description="in the club's Customers group now")
    limit: int = Field(description="how many are deactivated automatically within 24 hours")
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None


class HoldBoard(BaseModel):
    holds: list[HoldRow]
    total: int
    page: int
    pages: int


def board(reads: Reads, wanted: HoldList) -> HoldBoard:
    """Holds of all clubs: open ones the oldest first, decided ones the newest first."""
    rows = list(
        queries().hold_board(
            reads.across(),
            state=wanted.state,
            unlisted=unlisted(),
            max_rows=PAGE_SIZE,
            skip=(wanted.page - 1) * PAGE_SIZE,
        )
    )
    total = rows[0]["total"] if rows else 0
    return HoldBoard(
        holds=[
            HoldRow(
                club=row["club_id"],
                name=row["name"],
                erp=row["erp"],
                hold=row["hold"],
                state=row["state"],
                opened_at=row["opened_at"],
                causes=row["causes"],
                people=row["size"] or 0,
                customers=row["customers"],
                limit=row["limit_was"],
                decided_at=row["decided_at"],
                decided_by=row["decided_by"],
                comment=row["comment"],
            )
            for row in rows
        ],
        total=total,
        page=wanted.page,
        pages=pages_of(total, PAGE_SIZE),
    )


class ClubHold(BaseModel):
    """A hold, in its club."""

    hold: int
    opened_at: datetime
    state: State
    causes: list[str]
    size: int | None
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None


def recent(club: OpenClub, max_rows: int = 10) -> list[ClubHold]:
    """The newest first."""
    rows = queries().holds_of(club.driver, club=club.number, max_rows=max_rows)
    return [ClubHold.model_validate(row) for row in rows]


class Held(BaseModel):
    """A customer who would lose access."""

    customer: int
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    cause: str


class Hold(BaseModel):
    """A hold with a page of the people on one of its lists; a decision names the list by its hash."""

    hold: int
    state: State
    opened_at: datetime
    version: int
    list_hash: str
    newest: bool = Field(description="whether this is the current list")
    causes: list[str]
    size: int
    losing: int = Field(
        description="how many of them would lose access; the others are merges found through an email"
    )
    customers: int
    limit: int
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    people: list[Held]
    page: int
    pages: int


class HeldList(Paged):
    """Which page of which of its lists; default: of the current one."""

    list_hash: Hash | None = None


def one(club: OpenClub, hold: int, wanted: HeldList, shown_to: User | None = None) -> Hold:
    """A hold with people on its list.

    :param shown_to: with personal data, for this person, which is recorded.
    :raises ProblemError: 404: this club has no such hold, or it never had that list.
    """
    sql, row = queries(), _find(club.driver, club, hold)
    listed = wanted.list_hash or row["list_hash"]
    version = sql.hold_version_by_hash(club.driver, club=club.number, hold=hold, list_hash=listed)
    if version is None:
        raise ProblemError(404, "No such list", f"Hold {hold} never had that list.")
    people = sql.people_of_hold(
        club.driver,
        club=club.number,
        hold=hold,
        version=version["version"],
        max_rows=PAGE_SIZE,
        skip=(wanted.page - 1) * PAGE_SIZE,
    )
    causes = list(
        sql.causes_of_hold(club.driver, club=club.number, hold=hold, version=version["version"])
    )
    facts = sql.club_facts(club.driver, club=club.number)
    held = [
        Held(**masking.row({k: v for k, v in p.items() if k != "reason"}, shown_to is not None))
        for p in people
    ]
    if shown_to:
        named = [p.erp_id or f"#{p.customer}" for p in held]
        actions.disclose(club, shown_to, "hold", named, hold=hold, page=wanted.page)
    return Hold(
        hold=row["hold"],
        state=row["state"],
        opened_at=row["opened_at"],
        version=version["version"],
        list_hash=version["list_hash"],
        newest=version["list_hash"] == row["list_hash"],
        causes=[with_number(one["cause"], one["people"]) for one in causes],
        size=version["size"],
        losing=sum(one["losing"] for one in causes),
        customers=facts["customers"],
        limit=row["limit_was"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        comment=row["comment"],
        people=held,
        page=wanted.page,
        pages=pages_of(version["size"], PAGE_SIZE),
    )


def _find(driver: Driver, club: Club, hold: int) -> FindHoldRow:
    row = queries().find_hold(driver, hold=hold)
    if row is None:  # row-level security shows a club its own
        raise ProblemError(404, "No such hold", f"{club.name} has no hold {hold}.")
    return row


def _approved(step: Step) -> int:
    """How many customers an approval deactivated or merged."""
    return step["counts"]["deactivation"] + step["counts"]["merge"]


def decide(club: Club, user: User, hold: int, list_hash: str, approved: bool, comment: str) -> Act:
    """Decide on the exact list that the person saw.

    :raises ActionRejected: no such hold or list, or somebody was first.
    :raises ProblemError: 404: this club has no such hold.
    """
    with club.transaction() as driver:
        _find(driver, club, hold)
    kind = "approve" if approved else "reject"
    with actions.action(club, user, kind, hold=hold, list=list_hash, comment=comment) as begun:
        if approved:
            step = engine().approve(hold, user.name, list_hash, comment)
            if step["error"]:
                raise ActionRejected(step["error"], remedy=step["remedy"] or "")
            begun.detail |= {"run": step["run"], "customers": _approved(step)}
        else:
            made = engine().reject(hold, user.name, list_hash, comment)
            begun.detail |= {"customers": made["kept"]}
    return begun.recorded
