"""An ERP that people edit while it is read, over HTTP, in every kind of paging; and who has a right to what.

Whoever is active, with an email of their own, from before a reading begins, and is let in by it, must not lose
access for as long as that holds; whoever was never active must never get in. That is the promise, told from the
ERP's own state alone: no rule of the sync is repeated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.model import Reading
from tests.support.paged_lists import PagedLists, listing
from tests.support.promise import Promise
from tests.support.servers import serving

PAGE = 5


@dataclass(frozen=True)
class Person:
    """A record: its names never change; memberships, where the ERP has them, are a list of their own."""

    id: int
    email: str
    active: bool = True


@dataclass
class LivingErp:
    """One club's ERP.

    :param newest_first: newcomers stand at the beginning of the list, and move everybody else.
    :param by_memberships: who is on no membership has no access; they are a list of their own.
    :param between: called before each request of a reading but the first.
    """

    dice: Random
    newest_first: bool = False
    by_memberships: bool = False
    between: Callable[[], None] = lambda: None
    people: list[Person] = field(default_factory=list)
    memberships: list[tuple[int, int]] = field(default_factory=list)
    removed: list[Person] = field(default_factory=list)
    ids: int = 0
    ever_active: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.promise: Promise[int] = Promise(self.may_enter)
        lists = {"/people": self._people, "/passes": self._passes}
        self.lists = PagedLists(lists, lambda: self.between(), PAGE)

    # --- edits --------------------------------------------------------------------------------

    def come(self, *, active: bool = True, email: str | None = None) -> Person:
        self.ids += 1
        person = Person(self.ids, email or f"p{self.ids}@x.fr", active)
        self._put(person)
        if self.by_memberships and active:
            self.join(person)
        return person

    def _put(self, person: Person) -> None:
        self.people.insert(0 if self.newest_first else len(self.people), person)
        self.ever_active |= {person.id} if person.active else set()

    def join(self, person: Person) -> None:
        number = max((n for n, _ in self.memberships), default=0) + 1
        self.memberships.insert(
            0 if self.newest_first else len(self.memberships), (number, person.id)
        )

    def leave(self, person: Person | None = None) -> None:
        if self.people:
            gone = person or self.dice.choice(self.people)
            self.people.remove(gone)
            self.removed.append(gone)
            self.memberships = [one for one in self.memberships if one[1] != gone.id]

    def change(self, person: Person, **fields: Any) -> Person:
        now = replace(person, **fields)
        self.people[self.people.index(person)] = now
        self.ever_active |= {now.id} if now.active else set()
        return now

    def swap(self) -> None:
        """Two exchange their emails."""
        if len(self.people) > 1:
            one, two = self.dice.sample(self.people, 2)
            self.change(one, email=two.email)
            self.change(two, email=one.email)

    def hand_on(self) -> None:
        """One takes another email, and a second one takes the first one's."""
        if len(self.people) > 1:
            one, two = self.dice.sample(self.people, 2)
            self.ids += 1
            self.change(one, email=f"new{self.ids}@x.fr")
            self.change(two, email=one.email)

    def share(self) -> None:
        """One takes on the email of another, who keeps it."""
        if len(self.people) > 1:
            one, two = self.dice.sample(self.people, 2)
            self.change(one, email=two.email)

    def renew(self) -> None:
        """One is deleted and entered again under another id."""
        if self.people:
            old = self.dice.choice(self.people)
            self.leave(old)
            self.come(active=old.active, email=old.email)

    def come_back(self) -> None:
        if self.removed:
            person = self.removed.pop(self.dice.randrange(len(self.removed)))
            self._put(person)
            if self.by_memberships and person.active:
                self.join(person)

    def switch(self) -> None:
        """One is set inactive, or active again."""
        if self.people:
            person = self.dice.choice(self.people)
            self.change(person, active=not person.active)

    def end_and_begin(self) -> None:
        """A membership ends, and another begins."""
        if self.memberships:
            self.memberships.remove(self.dice.choice(self.memberships))
            self.join(self.dice.choice(self.people))

    def replace_one(self) -> None:
        """One leaves and one comes: every total stays right."""
        self.leave()
        self.come(active=self.dice.random() < 0.8)

    # --- who has a right to what ----------------------------------------------------------------

    def may_enter(self) -> dict[int, str]:
        """Who is active under an email that nobody else has: id -> email."""
        emails = Counter(person.email for person in self.people)
        members = {who for _, who in self.memberships}
        return {
            person.id: person.email
            for person in self.people
            if person.active
            and emails[person.email] == 1
            and (not self.by_memberships or person.id in members)
        }

    def begin(self) -> None:
        """A reading begins."""
        self.lists.begin()
        self.promise.begin()

    def never_active(self, inside: set[int]) -> set[int]:
        """Who of these was never active."""
        return inside - self.ever_active

    # --- over HTTP ------------------------------------------------------------------------------

    def _people(self) -> list[dict[str, Any]]:
        return [
            {
                "id": person.id,
                "mail": person.email,
                "first": f"First{person.id}",
                "last": f"Last{person.id}",
                "state": "active" if person.active else "archived",
            }
            for person in self.people
        ]

    def _passes(self) -> list[dict[str, Any]]:
        return [{"id": number, "who": who, "plan": "gold"} for number, who in self.memberships]


#: Everything that people do in an ERP.
EDITS = (
    LivingErp.replace_one,
    LivingErp.leave,
    LivingErp.come,
    LivingErp.come_back,
    LivingErp.swap,
    LivingErp.hand_on,
    LivingErp.share,
    LivingErp.renew,
    LivingErp.switch,
    LivingErp.end_and_begin,
)


@contextmanager
def read_by(erp: LivingErp, paging: str) -> Iterator[Callable[[], Reading]]:
    """What reads the ERP with the `rest` connector, in that kind of paging."""
    settings: dict[str, Any] = {
        "customers": listing(paging, "/people", PAGE),
        "fields": {"id": "id", "email": "mail", "first_name": "first", "last_name": "last"},
        "status": {"at": "state", "active": ["active"], "former": ["archived"]},
        "http": {"attempts": 1},
    }
    if erp.by_memberships:
        passes = listing(paging, "/passes", PAGE)
        settings["groups"] = {"held": {"list": passes, "customer": "who", "id": "plan"}}
    club = Club("gym", ZoneInfo("Europe/Paris"), "FR")
    with serving(erp.lists.app()) as url:
        connection, parsed = Connection("gym", url), RestSettings.model_validate(settings)

        def read() -> Reading:
            now = datetime.now(UTC)
            return RestConnector(connection, parsed, club, now=lambda: now).read(full=True)

        yield read
