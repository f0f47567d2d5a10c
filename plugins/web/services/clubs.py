"""The status of all clubs, and of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.explain.standing import State, broken_promises, state_of
from clubsync.store.database import queries
from connectors.sdk.quoted import quoted
from plugins.web.context import OpenClub, Reads, numbers, unlisted
from plugins.web.parameters import Sentences, Text, Unset, pages_of
from plugins.web.registry import registry
from plugins.web.services import reasons
from plugins.web.services.reasons import Reason

Sort = Literal["state", "name", "age", "customers", "findings"]
PARTS = 28
"""Of a sparkline: six hours each, seven days together."""
PART = timedelta(hours=6)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
UNREAD_NAMED = 20


class ClubRow(BaseModel):
    """One club of the list."""

    club: str
    name: str
    erp: str
    state: State
    certified_at: datetime | None = Field(description="the last complete sync")
    read_at: datetime | None
    failing_since: datetime | None
    quarantined_until: datetime | None
    error: str | None
    reason: Reason | None = Field(description="why the club needs attention; null: it needs none")
    failures: int = Field(description="failed syncs in the last hour")
    customers: int = Field(description="in the Customers group")
    findings: int = Field(description="open ones that count as open")
    changes: list[int] = Field(description="of the last seven days, in parts of six hours")


class ErpFailures(BaseModel):
    """The clubs of an ERP in the last hour.

    :param failing: clubs with a failed sync; failures: failed syncs.
    """

    erp: str
    clubs: int
    failing: int
    failures: int


class Board(BaseModel):
    """A page of clubs.

    `states` and `erps` count the clubs that the other filters leave.
    """

    clubs: list[ClubRow]
    total: int
    page: int
    pages: int
    states: dict[str, int]
    erps: dict[str, int]
    failures: list[ErpFailures] = Field(
        description="of the last hour, whatever the filters: ERPs with failed syncs"
    )
    unread: list[str] = Field(
        description="ids of clubs of clubs.yaml that were never synced; at most 20"
    )
    unread_total: int = Field(description="how many were never synced")


class ClubList(Sentences):
    """Which clubs, in which order: by `state` the one that needs most comes first; `down` reverses any order."""

    words: Annotated[Text | None, Unset, Field(description="in the name or the id")] = None
    erp: Annotated[Text | None, Unset] = None
    state: Annotated[State | None, Unset] = None
    sort: Sort = "state"
    down: bool = False
    size: int = Field(default=50, ge=1, le=200)


def board(reads: Reads, wanted: ClubList, language: str | None = None) -> Board:
    """Clubs, filtered and sorted in the database, a page at a time.

    :param language: of the reasons; None: the one that is wanted.
    """
    at, known, driver = clock.now(), registry(), reads.across()
    ids = numbers()
    others = {ids[club_id]: n for club_id, n in known.others.items() if club_id in ids}
    rows = list(
        queries().club_board(
            driver,
            at=at,
            clubs=list(others),
            of=list(others.values()),
            reads=[_seconds(p.read) for p in known.promises],
            completes=[_seconds(p.complete) for p in known.promises],
            datas=[_seconds(p.data) for p in known.promises],
            read=known.promise.read,
            complete=known.promise.complete,
            data=known.promise.data,
            unlisted=unlisted(),
            words=wanted.words,
            erp=wanted.erp,
            state=wanted.state,
            sort=wanted.sort,
            down=wanted.down,
            max_rows=wanted.size,
            skip=(wanted.page - 1) * wanted.size,
        )
    )
    # beyond the last page there is one row, with the counts alone
    shown: list[Mapping[str, Any]] = [row for row in rows if row["club"] is not None]
    sparks = _sparks(driver, [row["club"] for row in shown], at)
    told = reasons.of_clubs(driver, shown, at, language or wanted.language)
    unread = [club_id for club_id in known.clubs if club_id not in ids]
    states = rows[0]["states"]
    total = states.get(wanted.state, 0) if wanted.state else sum(states.values())
    return Board(
        clubs=[
            ClubRow(
                club=row["club_id"],
                name=row["name"],
                erp=row["erp"],
                state=row["state"],
                certified_at=row["certified_at"],
                read_at=row["last_success_at"],
                failing_since=row["failing_since"],
                quarantined_until=row["quarantined_until"],
                error=row["last_error"],
                reason=told[row["club"]].reason,
                failures=told[row["club"]].failures,
                customers=row["customers"],
                findings=row["findings"],
                changes=sparks[row["club"]],
            )
            for row in shown
        ],
        total=total,
        page=wanted.page,
        pages=pages_of(total, wanted.size),
        states=states,
        erps=rows[0]["erps"],
        failures=[one for one in outages(reads) if one.failures],
        unread=unread[:UNREAD_NAMED],
        unread_total=len(unread),
    )


def outages(reads: Reads) -> list[ErpFailures]:
    """Of each ERP, how many clubs had failed syncs in the last hour."""
    since = clock.now() - HOUR
    rows = queries().failures_by_erp(reads.across(), since=since, unlisted=unlisted())
    return [ErpFailures(**row) for row in rows]


def outage(reads: Reads, erp: str) -> ErpFailures | None:
    """The same of one ERP; None: it had none."""
    return next((one for one in outages(reads) if one.erp == erp and one.failures), None)


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _sparks(driver: Any, clubs: list[int], at: datetime) -> dict[int, list[int]]:
    """Changes of the last week of each club, the oldest part first."""
    whole = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    start = whole - PARTS * PART
    sparks = {club: [0] * PARTS for club in clubs}
    for row in queries().changes_by_part_of_day(driver, clubs=clubs, since=start):
        for place, changes in zip(row["parts"], row["changes"], strict=True):
            if place < PARTS:
                sparks[row["club"]][place] = changes
    return sparks


class Promise(BaseModel):
    """One promise of freshness (R25)."""

    kind: Literal["late", "incomplete", "old data"]
    seconds: float = Field(description="how old it may be")
    last: datetime | None
    kept: bool


class FirstSync(BaseModel):
    """The plan of a first sync that awaits approval; an approval names its hash."""

    run: int
    list_hash: str
    additions: int
    made_at: datetime


class ClubNow(BaseModel):
    """One club, as it is now."""

    club: str
    name: str
    erp: str
    state: State
    every_seconds: float
    timezone: str
    certified_at: datetime | None
    certified_as_of: datetime | None = Field(
        description="the time of the data of the last complete sync"
    )
    read_at: datetime | None
    tried_at: datetime | None
    next_read_at: datetime | None
    failing_since: datetime | None
    failures: int
    quarantined_until: datetime | None
    error: str | None
    paused: bool
    remove_at: datetime | None
    first_sync_waits: bool = Field(description="for approval (R28)")
    first_sync_plan: FirstSync | None = Field(
        description="the plan to approve; null: none is stored"
    )
    customers: int
    findings: int
    similar: int
    all_compared: bool = Field(
        description="whether every record was compared for similar ones (R23)"
    )
    hold: int | None
    promises: list[Promise]


def _first_sync(club: OpenClub) -> FirstSync | None:
    row = queries().first_sync_plan(club.driver, club=club.number)
    if row is None:
        return None
    return FirstSync(
        run=row["run"],
        list_hash=row["list_hash"],
        additions=row["counts"].get("addition", 0),
        made_at=row["made_at"],
    )


def one(club: OpenClub) -> ClubNow:
    """A club with its state, by the same rules as in the list."""
    sql, at, driver = queries(), clock.now(), club.driver
    row = sql.club_facts(driver, club=club.number)
    promised, broken = club.config.promised, broken_promises(club.config, row, at)
    kinds: list[tuple[Literal["late", "incomplete", "old data"], timedelta | None, datetime | None]]
    kinds = [
        ("late", promised.read, row["last_success_at"]),
        ("incomplete", promised.complete, row["certified_at"]),
        ("old data", promised.data, row["certified_as_of"]),
    ]
    return ClubNow(
        club=club.id,
        name=club.config.name,
        erp=club.config.erp,
        state=state_of(row, late=bool(broken)),
        every_seconds=club.config.every.total_seconds(),
        timezone=club.config.timezone,
        read_at=row["last_success_at"],
        tried_at=row["last_attempt_at"],
        error=row["last_error"],
        all_compared=row["similar_upto"] is None,
        promises=[
            Promise(kind=kind, seconds=length.total_seconds(), last=when, kept=kind not in broken)
            for kind, length, when in kinds
            if length is not None
        ],
        certified_at=row["certified_at"],
        certified_as_of=row["certified_as_of"],
        next_read_at=row["next_read_at"],
        failing_since=row["failing_since"],
        failures=row["failures"],
        quarantined_until=row["quarantined_until"],
        paused=row["paused"],
        first_sync_waits=row["first_sync_waits"],
        first_sync_plan=_first_sync(club) if row["first_sync_waits"] else None,
        remove_at=row["remove_at"],
        customers=row["customers"],
        findings=row["findings"],
        similar=row["similar"],
        hold=row["hold"],
    )


class Hour(BaseModel):
    """The readings of an hour and their results."""

    hour: datetime
    readings: int
    failed: int
    complete: int


class HourOfChanges(BaseModel):
    hour: datetime
    kind: str
    changes: int


def readings(club: OpenClub, days: int = 7) -> list[Hour]:
    """By hour, the oldest first; an hour without any is left out."""
    since = clock.now() - timedelta(days=days)
    rows = queries().readings_by_hour(club.driver, club=club.number, since=since)
    return [Hour.model_validate(row) for row in rows]


def failures(club: OpenClub) -> int:
    """Failed syncs in the last hour."""
    since = clock.now() - HOUR
    return queries().count_failures(club.driver, club=club.number, since=since)


def changes(club: OpenClub, days: int = 7) -> list[HourOfChanges]:
    """By hour and kind, the oldest first."""
    since = clock.now() - timedelta(days=days)
    rows = queries().changes_by_hour(club.driver, club=club.number, since=since)
    return [HourOfChanges.model_validate(row) for row in rows]


class Group(BaseModel):
    """A group of the club base.

    `active` is what the ERP says of the one that feeds it; null: nothing, or there is none. A name that looks like an
    email, a phone or a date is masked: the settings may take people for groups.
    """

    name: str
    kind: Literal["automatic", "manual", "team"]
    active: bool | None
    listed: bool | None = Field(description="whether the ERP's last complete list has it")
    customers: int


def groups(club: OpenClub) -> list[Group]:
    """Counts every customer of the club: quick in a club of thousands, a second in one of a million."""
    rows = queries().groups_with_counts(club.driver, club=club.number)
    return [Group.model_validate({**row, "name": quoted(row["name"])}) for row in rows]
