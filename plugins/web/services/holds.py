"""Deactivations awaiting approval (R15)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from clubsync.config import ClubConfig
from clubsync.diff import guard
from clubsync.errors import ActionRejected
from clubsync.explain import export
from clubsync.i18n import _, translations
from clubsync.model import Step
from clubsync.operate import reminders
from clubsync.store.database import Driver, queries
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, Reads, engine, unlisted
from plugins.web.errors import ProblemError
from plugins.web.parameters import Hash, Paged, pages_of
from plugins.web.services import actions, masking
from plugins.web.services.actions import Act

if TYPE_CHECKING:
    from clubsync.store.queries import FindHoldRow, HoldVersionByHashRow

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


class Reminder(BaseModel):
    """A reminder of a hold that nobody had decided."""

    sent_at: datetime
    told: str = Field(description="which alert connection it went to, and over which services")


class Hold(BaseModel):
    """A hold with a page of the people on one of its lists; a decision names the list by its hash."""

    hold: int
    state: State
    opened_at: datetime
    version: int
    list_hash: str
    newest: bool = Field(description="whether this is the current list")
    causes: list[str]
    check_first: str | None = Field(description="what the numbers suggest to check first")
    requested_at: datetime | None = Field(
        description="when its newest list was shown under Airflow's Required Actions"
    )
    reminders: list[Reminder]
    next_reminder_at: datetime | None = Field(
        description="unless somebody decides; null: none, see `guard.remind_after` of clubs.yaml"
    )
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
    version = _version(club, hold, wanted.list_hash or row["list_hash"])
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
    customers = sql.club_facts(club.driver, club=club.number)["customers"]
    gone = sum(one["losing"] for one in causes if one["cause"] == guard.GONE)
    reminded = list(sql.reminders_of_hold(club.driver, club=club.number, hold=hold))
    asked = sql.request_of_hold(club.driver, club=club.number, hold=hold)
    due = reminders.next_at(
        row["opened_at"], [reminder["sent_at"] for reminder in reminded], club.config
    )
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
        causes=[guard.with_number(one["cause"], one["people"]) for one in causes],
        check_first=guard.vanished(gone, customers) if row["state"] == "open" else None,
        requested_at=asked["asked_at"] if asked and asked["version"] == row["version"] else None,
        reminders=[Reminder.model_validate(reminder) for reminder in reminded],
        next_reminder_at=due if row["state"] == "open" else None,
        size=version["size"],
        losing=sum(one["losing"] for one in causes),
        customers=customers,
        limit=row["limit_was"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        comment=row["comment"],
        people=held,
        page=wanted.page,
        pages=pages_of(version["size"], PAGE_SIZE),
    )


def _version(club: OpenClub, hold: int, list_hash: str) -> HoldVersionByHashRow:
    found = queries().hold_version_by_hash(
        club.driver, club=club.number, hold=hold, list_hash=list_hash
    )
    if found is None:
        raise ProblemError(404, "No such list", f"Hold {hold} never had that list.")
    return found


class HoldFile(BaseModel):
    """Which of its lists; default: the current one."""

    list_hash: Hash | None = None


def csv_file(club: OpenClub, hold: int, wanted: HoldFile, shown_to: User) -> bytes:
    """The list to send to the club: its own columns and why, as its country writes them; recorded.

    :raises ProblemError: 404: this club has no such hold, or it never had that list.
    """
    return _file(club, hold, wanted, shown_to, export.save_csv)


def workbook(club: OpenClub, hold: int, wanted: HoldFile, shown_to: User) -> bytes:
    """The same as a workbook (XLSX); recorded.

    :raises ProblemError: 404: this club has no such hold, or it never had that list.
    """
    title = translations(club.config.language).gettext(_("Access to decide on"))
    return _file(
        club,
        hold,
        wanted,
        shown_to,
        lambda path, table, of: export.save_xlsx(path, table, of, title),
    )


def _file(
    club: OpenClub,
    hold: int,
    wanted: HoldFile,
    shown_to: User,
    save: Callable[[Path, export.Listing, ClubConfig], int],
) -> bytes:
    listed = wanted.list_hash or _find(club.driver, club, hold)["list_hash"]
    version = _version(club, hold, listed)["version"]
    actions.record_hold_download(club, shown_to, hold, listed)
    table = export.of_hold(club.driver, club.number, club.config, hold=hold, version=version)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        save(path, table, club.config)
        return path.read_bytes()


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
