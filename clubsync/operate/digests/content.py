"""What a digest tells: what is new, what is still open, what was fixed since the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from clubsync.config import ClubConfig
from clubsync.explain.export import theirs
from clubsync.explain.todo import general_advice
from clubsync.store.database import Driver, queries
from connectors.sdk.visible import visible

What = Literal["new", "fixed", "open"]
#: People that a digest names for each thing to do; the others are counted.
NAMED = 25


@dataclass(frozen=True)
class Person:
    """Whom a finding is about: as the ERP has them, made visible (R19).

    :param erp_id: None where the ERP has no ids.
    """

    name: str
    email: str
    erp_id: str | None
    since: datetime | None


@dataclass(frozen=True)
class Group:
    """Findings with one thing to do.

    :param oldest: since when; of what was fixed None.
    :param people: at most `NAMED`; nobody unless the club's contact gets names.
    """

    what: What
    code: str
    severity: str
    advice: str
    findings: int
    oldest: datetime | None
    people: tuple[Person, ...]

    @property
    def more(self) -> int:
        """How many it does not name."""
        return self.findings - len(self.people)


@dataclass(frozen=True)
class Content:
    """A digest before it has words.

    :param first: the club was told nothing before: all of it is new to it.
    """

    groups: tuple[Group, ...]
    first: bool

    def of(self, what: What) -> list[Group]:
        return [group for group in self.groups if group.what == what]

    def count(self, what: What) -> int:
        return sum(group.findings for group in self.of(what))


def read(driver: Driver, club_no: int, club: ClubConfig, digest: int) -> Content:
    """What a digest tells, as the records are now.

    :param driver: inside a transaction of this club.
    """
    sql, named = queries(), club.contact is not None and club.contact.names
    people: dict[tuple[str, str, str], list[Person]] = {}
    rows = sql.digest_people(driver, club=club_no, digest=digest, most=NAMED) if named else ()
    for row in rows:
        name = " ".join(filter(None, (row["first_name"], row["last_name"])))
        person = Person(
            visible(name),
            visible(row["email"] or ""),
            visible(found) if (found := theirs(row["erp_id"])) else None,
            row["since"],
        )
        people.setdefault((row["what"], row["code"], row["severity"]), []).append(person)
    groups = [
        Group(
            what,
            row["code"],
            row["severity"],
            general_advice(row["code"], row["severity"], club.language),
            row["findings"],
            row["oldest"],
            tuple(people.get((what, row["code"], row["severity"]), ())),
        )
        for what in _WHATS
        for row in sql.digest_counts(driver, club=club_no, digest=digest)
        if row["what"] == what
    ]
    return Content(tuple(groups), first=not sql.was_told(driver, club=club_no))


_WHATS: Sequence[What] = get_args(What)
