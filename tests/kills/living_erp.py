"""An ERP that people edit while it is read, over HTTP, in every kind of paging; and who has a right to what.

Whoever is active, with an email of their own, from before a reading begins, and is let in by it, must not lose
access for as long as that holds; whoever was never active must never get in. That is the promise, told from the
ERP's own state alone: no rule of the sync is repeated here.
"""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.model import Reading
from tests.support.servers import serving

PAGE = 5
#: kind of paging -> `paging` of the settings of `rest`. All but the last go by position.
PAGING: dict[str, dict[str, Any]] = {
    "page number": {"kind": "page", "size": PAGE, "size_param": "size"},
    "offset": {"kind": "offset", "size": PAGE, "size_param": "size"},
    "hidden offset": {"kind": "cursor", "at": "next", "param": "cursor"},
    "Link header": {"kind": "link"},
    "next address": {"kind": "next_url", "at": "next_url"},
    "Range header": {"kind": "range", "size": PAGE},
    "ascending id": {"kind": "keyset", "at": "id", "size": PAGE, "size_param": "size"},
}


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
    :param between: called before each page but the first of a list.
    """

    dice: Random
    newest_first: bool = False
    by_memberships: bool = False
    between: Callable[[], None] = lambda: None
    people: list[Person] = field(default_factory=list)
    memberships: list[tuple[int, int]] = field(default_factory=list)
    removed: list[Person] = field(default_factory=list)
    ids: int = 0
    #: who has been active, under an email that nobody else had, since the reading began; and whose email has stayed
    #: the same.
    steady: set[int] = field(default_factory=set)
    unchanged: set[int] = field(default_factory=set)
    #: who was let in, and has been steady since: they may not be out; nor under another email, where it is the same.
    kept: set[int] = field(default_factory=set)
    named: dict[int, str] = field(default_factory=dict)
    ever_active: set[int] = field(default_factory=set)
    lost: Counter[str] = field(default_factory=Counter)

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

    def edited(self) -> None:
        """Call after each edit: who has no right to access at this moment is steady no more."""
        now = self.may_enter()
        self.kept &= set(now)
        self.steady &= set(now)
        self.named = {i: email for i, email in self.named.items() if now.get(i) == email}
        self.unchanged = {i for i in self.unchanged if now.get(i) == self._before[i]}

    def begin(self) -> None:
        """A reading begins."""
        self._before = self.may_enter()
        self.steady, self.unchanged = set(self._before), set(self._before)

    def watch(self, base: Mapping[int, tuple[bool, str | None]]) -> tuple[set[int], set[int]]:
        """A reading has been loaded: who has lost access, or their email, wrongly, and who has got in wrongly.

        :param base: id -> whether inside, and the email, of base customers.
        """
        inside = {i: email for i, (there, email) in base.items() if there}
        renamed = {i for i, email in self.named.items() if i in inside and inside[i] != email}
        lost, gained = (self.kept - set(inside)) | renamed, set(inside) - self.ever_active
        self.kept |= self.steady & set(inside)
        self.named |= {
            i: self._before[i] for i in self.unchanged if inside.get(i) == self._before[i]
        }
        for i in lost:  # told once
            self.kept.discard(i)
            self.named.pop(i, None)
        return lost, gained

    # --- over HTTP ------------------------------------------------------------------------------

    def app(self) -> Starlette:
        lists = {"/people": self._people, "/passes": self._passes}
        lock = threading.Lock()

        def answer(request: Request) -> Response:
            with lock:
                rows = lists[request.url.path]
                start, size = self._asked(request)
                if start:
                    self.between()
                return self._page(request, rows(), start, size)

        return Starlette(routes=[Route(path, answer) for path in lists])

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

    def _asked(self, request: Request) -> tuple[int, int]:
        """Where the page starts (a position, or behind an id), and its size."""
        query = request.query_params
        if "cursor" in query:
            return int(base64.b64decode(query["cursor"])), PAGE
        if "page" in query:
            return (int(query["page"]) - 1) * PAGE, PAGE
        if span := request.headers.get("Range"):
            first, _, last = span.removeprefix("items=").partition("-")
            return int(first), int(last) - int(first) + 1
        return int(query.get("offset") or query.get("after") or 0), PAGE

    def _page(
        self, request: Request, rows: list[dict[str, Any]], start: int, size: int
    ) -> Response:
        keyset = "keyset" in request.query_params
        if keyset:
            there = sorted((r for r in rows if r["id"] > start), key=lambda r: int(r["id"]))
            return JSONResponse({"rows": there[:size], "total": None})
        page, following = rows[start : start + size], start + size
        body: dict[str, Any] = {"rows": page, "total": len(rows), "next": None, "next_url": None}
        headers = {"Content-Range": f"items {start}-{start + len(page) - 1}/{len(rows)}"}
        if following < len(rows):
            body["next"] = base64.b64encode(str(following).encode()).decode()
            body["next_url"] = f"{request.url.path}?offset={following}"
            headers["Link"] = f'<{request.url.path}?offset={following}>; rel="next"'
        return JSONResponse(body, headers=headers)


@contextmanager
def read_by(erp: LivingErp, paging: str) -> Iterator[Callable[[], Reading]]:
    """What reads the ERP with the `rest` connector, in that kind of paging."""
    keyset = paging == "ascending id"
    listing: dict[str, Any] = {
        "path": "/people",
        "records": "rows",
        "paging": PAGING[paging],
        **({"params": {"keyset": 1}} if keyset else {"total": "total"}),
    }
    if paging == "Range header":
        del listing["total"]
    settings: dict[str, Any] = {
        "customers": listing,
        "fields": {"id": "id", "email": "mail", "first_name": "first", "last_name": "last"},
        "status": {"at": "state", "active": ["active"], "former": ["archived"]},
        "http": {"attempts": 1},
    }
    if erp.by_memberships:
        passes = listing | {"path": "/passes"}
        settings["groups"] = {"held": {"list": passes, "customer": "who", "id": "plan"}}
    club = Club("gym", ZoneInfo("Europe/Paris"), "FR")
    with serving(erp.app()) as url:
        connection, parsed = Connection("gym", url), RestSettings.model_validate(settings)

        def read() -> Reading:
            now = datetime.now(UTC)
            return RestConnector(connection, parsed, club, now=lambda: now).read(full=True)

        yield read
