"""The words in which world, engine and model speak of a club: an ERP record, a base customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypedDict

from clubsync.model import Proof

#: Who a record is of: first name, last name, birth date.
PEOPLE: Mapping[str, tuple[str, str, date | None]] = {
    "anybody": ("First", "Last", None),
    "mother": ("Marie", "Durand", date(1982, 5, 4)),
    "child": ("Léa", "Durand", date(2017, 6, 1)),
    "stranger": ("Zoe", "Zola", None),
}


@dataclass(frozen=True)
class Record:
    """An ERP record; `groups`: id -> last day, or None; `former`: in a group of former customers; `who`: one of
    `PEOPLE`."""

    email: str | None
    status: str = "active"
    groups: Mapping[str, date | None] = field(default_factory=dict)
    guardian: str | None = None
    replaced_by: str | None = None
    phone: str | None = None
    former: bool = False
    who: str = "anybody"

    @property
    def first(self) -> str:
        return PEOPLE[self.who][0]

    @property
    def last(self) -> str:
        return PEOPLE[self.who][1]

    @property
    def born(self) -> date | None:
        return PEOPLE[self.who][2]


class Fields(TypedDict, total=False):
    """Some fields of a record, to change."""

    email: str | None
    status: str
    groups: Mapping[str, date | None]
    guardian: str | None
    replaced_by: str | None
    phone: str | None
    former: bool
    who: str


Groups = Mapping[str, bool | None]


@dataclass(frozen=True)
class Snapshot:
    """One reading of the ERP: records, groups (id -> active), whether certified, when.

    :param number: of readings that follow one another, it rises; one that is planned again keeps its own.
    :param proof: what it proves (R14); None: all of it shows one moment.
    """

    shown: Mapping[str, Record]
    groups: Groups
    whole: bool
    at: datetime
    number: int = 0
    proof: Proof | None = None


@dataclass(frozen=True)
class Decision:
    """What a person decided of a customer while its record was this one (None: gone): it holds until the
    record is another, or until then."""

    about: str | None
    record: Record | None
    until: datetime | None = None
    run: int | None = None


@dataclass
class Customer:
    """A base customer; `number` is None until the engine has named a new one."""

    number: int | None
    erp_id: str | None
    email: str | None
    inside: bool
    groups: frozenset[str] = frozenset()
    phone: str | None = None
    first: str | None = None
    last: str | None = None
    by_hand: bool = False
    detached: bool = False
    user: int | None = None
    over: bool = False  # ended in another by a merge, and not back since
    kept: Decision | None = None  # R15: a person rejected a hold
    undone: Decision | None = None  # R18: a person undid a run
    # what one sync does to it
    was: str | None = None  # whose record it was before it moved; "" for one added by hand
    merged: bool = False  # moved by a merge, or ended in one
    by_email: bool = False  # merged through an email
    into: str | None = None  # the record whose customer it ended in

    @property
    def apart(self) -> bool:
        """R1: its ERP id has become another person's."""
        return self.erp_id is None and not self.by_hand

    @property
    def precedence(self) -> tuple[bool, bool, int]:
        """Who moves first where several end in one."""
        return (not self.inside, not self.user, self.number or 0)


def valid(email: str | None) -> bool:
    """Enough of R2 for the addresses of these tests."""
    return email is not None and "@" in email


def walk(pairs: Mapping[str, str | None], start: str) -> list[str]:
    """Where following the pairs leads: each step once."""
    path: list[str] = []
    at = pairs.get(start)
    while at is not None and at not in path:
        path.append(at)
        at = pairs.get(at)
    return path
