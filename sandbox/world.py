"""A seeded world of clubs, whose people join, leave and change as simulated time passes.

The state of a club is a pure function of (seed, club, epoch, events per hour, time): separate processes agree on
it without communicating. It is computed by replaying the club's stream of events from the epoch, so requests for
increasing times are cheap (only new events are played); an earlier time than the last one restarts the replay.

Events: sign-ups, departures, returns, a new email, two people who swap theirs, an email deleted or added, a change
of membership, pauses that end by themselves, memberships that are renewed or expire, a child added to a family, a
duplicate record of the same person, two records merged, corrections of names and phones, archiving.

Emails are under example.com, .org and .net; phones come from ranges that are not assigned.
"""

from __future__ import annotations

import heapq
import random
import threading
import unicodedata
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Literal

from sandbox.names import COUNTRIES, FR, Country

Status = Literal["active", "prospect", "paused", "former", "archived"]
Gender = Literal["male", "female"]

DOMAINS = ("example.com", "example.org", "example.net")


@dataclass(frozen=True, slots=True)
class ClubSpec:
    """A club of the world.

    :param customers: number of records at the epoch.
    :param country: ISO 3166 alpha-2; FR, ES, DE and AT have their own names, other countries get French ones.
    """

    id: str
    name: str
    customers: int
    country: str = "FR"


@dataclass(frozen=True, slots=True)
class Product:
    """What a club sells; ERPs call it a product, membership, benefit, category or group."""

    id: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """One period of one product; both days included, open-ended if `end` is None."""

    product_id: str
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Person:
    """One customer record of a club.

    :param number: id of the record in the club, from 1, never reused.
    :param phone: E.164.
    :param status: the status in the ERP. It does not change when a membership expires: the person becomes
        `former` when the club cleans up, some weeks later.
    :param memberships: oldest first; a pause is a gap between two periods of one product.
    :param guardian: number of the family owner; such a record has no email, or that of the owner.
    :param replaced_by: number of the record that this one was merged into; its status is then `archived`.
    :param modified_at: last change of any value.
    """

    number: int
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    birth_date: date | None
    gender: Gender | None
    status: Status
    memberships: tuple[Membership, ...]
    guardian: int | None
    replaced_by: int | None
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class ClubState:
    """A club at one moment.

    :param people: every record ever created, by number, including archived and merged ones; each simulated ERP
        decides which of them it lists.
    """

    people: list[Person]
    products: list[Product]
    at: datetime

    def person(self, number: int) -> Person:
        """The record with this number (numbers start at 1 and have no gaps)."""
        return self.people[number - 1]


class World:
    """The simulated clubs.

    :param epoch: start of the simulation; earlier times have the same state.
    :param events_per_hour: average number of events per club; renewals and the ends of pauses and memberships
        are additional, on their own days.
    """

    def __init__(
        self,
        seed: int,
        clubs: Sequence[ClubSpec],
        epoch: datetime,
        events_per_hour: float = 6.0,
    ) -> None:
        if epoch.tzinfo is None:
            raise ValueError("epoch needs a time zone")
        if len({c.id for c in clubs}) != len(clubs):
            raise ValueError("duplicate club id")
        self.seed = seed
        self.clubs = tuple(clubs)
        self.epoch = epoch.astimezone(UTC)
        self.events_per_hour = events_per_hour
        self._specs = {c.id: c for c in clubs}
        self._simulations: dict[str, _Simulation] = {}
        self._lock = threading.Lock()

    def club(self, club_id: str, at: datetime) -> ClubState:
        """The state of a club at a moment.

        :param at: with a time zone.
        :raises KeyError: unknown club.
        """
        if at.tzinfo is None:
            raise ValueError("at needs a time zone")
        moment = max(at.astimezone(UTC), self.epoch)
        spec = self._specs[club_id]
        with self._lock:
            simulation = self._simulations.get(club_id)
            if simulation is None or simulation.at > moment:
                simulation = _Simulation(self.seed, spec, self.epoch, self.events_per_hour)
                self._simulations[club_id] = simulation
            simulation.advance(moment)
            return ClubState(list(simulation.people), list(simulation.products), at=moment)


def slug(text: str) -> str:
    """A name as the local part of an email: plain ASCII letters, words joined by dots."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ı", "i"))
    kept = "".join(c if c.isalnum() else "." for c in plain if not unicodedata.combining(c))
    return ".".join(part for part in kept.lower().split(".") if part)


_SPREAD = 7919  # a prime: consecutive records do not have consecutive phones


@dataclass
class _Simulation:
    """One club: its people, its queue of scheduled events, and its random generator."""

    seed: int
    spec: ClubSpec
    epoch: datetime
    events_per_hour: float
    people: list[Person] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed}:{self.spec.id}")
        self.country: Country = COUNTRIES.get(self.spec.country, FR)
        self.at = self.epoch
        self.products = [Product(key, name, key != "old") for key, name in self.country.products]
        self.pairs: list[tuple[int, int]] = []
        self.emails: set[str] = set()
        self.slugs: dict[str, str] = {}
        self.scheduled: list[tuple[datetime, int, str, int]] = []
        self.order = 0
        for _ in range(self.spec.customers):
            self._add_initial()
        self.next_event = self._next_event_after(self.epoch)

    # time

    def _next_event_after(self, moment: datetime) -> datetime | None:
        if self.events_per_hour <= 0:
            return None
        return moment + timedelta(hours=self.rng.expovariate(self.events_per_hour))

    def advance(self, moment: datetime) -> None:
        """Play all events up to and including that moment, in chronological order."""
        while True:
            due = self.scheduled[0][0] if self.scheduled else None
            if (
                due is not None
                and due <= moment
                and (not self.next_event or due <= self.next_event)
            ):
                when, _, what, number = heapq.heappop(self.scheduled)
                self.at = when
                _SCHEDULED[what](self, number)
            elif self.next_event is not None and self.next_event <= moment:
                self.at = self.next_event
                event = _EVENTS[bisect(_EVENT_WEIGHTS, self.rng.random() * _EVENT_WEIGHTS[-1])]
                if not event(self) and self.people:
                    self.profile_edit()
                self.next_event = self._next_event_after(self.next_event)
            else:
                self.at = moment
                return

    def _schedule(self, day: date, what: str, number: int) -> None:
        self.order += 1
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        heapq.heappush(self.scheduled, (max(moment, self.at), self.order, what, number))

    # people

    def _pick(self, wanted: Callable[[Person], bool]) -> Person | None:
        """A random person for whom `wanted` is true; None if 60 attempts find nobody."""
        for _ in range(60):
            if not self.people:
                return None
            person = self.people[int(self.rng.random() * len(self.people))]
            if wanted(person):
                return person
        return None

    def _store(self, person: Person) -> None:
        if person.number > len(self.people):
            self.people.append(person)
        else:
            self.people[person.number - 1] = replace(person, modified_at=self.at)

    def _choose(self, words: Sequence[str]) -> str:
        return words[int(self.rng.random() * len(words))]

    def _slug(self, name: str) -> str:
        found = self.slugs.get(name)
        if found is None:
            found = self.slugs[name] = slug(name)
        return found

    def _email(self, first: str, last: str) -> str:
        """A new email that nobody in the club has; one in thirty is capitalised."""
        r = self.rng.random()
        a, b = self._slug(first), self._slug(last)
        local = f"{a}.{b}" if r < 0.6 else f"{a[0]}{b}" if r < 0.8 else f"{b}.{a}"
        domain = self._choose(DOMAINS)
        email = f"{local}@{domain}"
        n = 1
        while email in self.emails:
            n += 1 + int(self.rng.random() * 90)
            email = f"{local}{n}@{domain}"
        self.emails.add(email)
        return email.title() if r * 1000 % 1 < 1 / 30 else email

    def _phone(self, number: int) -> str:
        prefixes = self.country.phones
        digits = prefixes[0][1]
        prefix = prefixes[number // 10**digits % len(prefixes)][0]
        return f"{prefix}{number * _SPREAD % 10**digits:0{digits}}"

    def _new(
        self,
        created: datetime,
        *,
        child_of: Person | None = None,
        status: Status = "active",
    ) -> Person:
        """A new record without memberships, not yet stored."""
        rng = self.rng
        number = len(self.people) + 1
        gender: Gender = "female" if rng.random() < 0.5 else "male"
        first = self._choose(self.country.female if gender == "female" else self.country.male)
        year = self.epoch.year
        if child_of is None:
            last = self._choose(self.country.last)
            born = date(year - 16 - int(rng.random() ** 1.5 * 60), 1, 1)
            # Two records in a hundred have no email.
            email = None if rng.random() < 0.02 else self._email(first, last)
            phone = None if rng.random() < 0.08 else self._phone(number)
        else:
            last = child_of.last_name
            born = date(year - 4 - int(rng.random() * 12), 1, 1)
            email = child_of.email if rng.random() < 0.4 else None
            phone = None
        birth = born + timedelta(days=int(rng.random() * 365))
        return Person(
            number=number,
            first_name=first,
            last_name=last,
            email=email,
            phone=phone,
            birth_date=None if rng.random() < 0.15 else birth,
            gender=None if rng.random() < 0.1 else gender,
            status=status,
            memberships=(),
            guardian=child_of.number if child_of else None,
            replaced_by=None,
            created_at=created,
            modified_at=created,
        )

    def _term(self, number: int, start: date, product: str | None = None) -> Membership:
        """A membership from that day; if it has an end, its renewal is scheduled."""
        key = (
            product
            or _PRODUCT_IDS[bisect(_PRODUCT_WEIGHTS, self.rng.random() * _PRODUCT_WEIGHTS[-1])]
        )
        if key in ("monthly", "old") or self.rng.random() < 0.3:
            return Membership(key, start, None)
        end = start + timedelta(days=(90 if key == "ten" else 365) - 1)
        self._schedule(end - timedelta(days=3), "renewal", number)
        return Membership(key, start, end)

    def _add_initial(self) -> None:
        """Store one of the people that the club has at the epoch."""
        rng = self.rng
        created = self.epoch - timedelta(seconds=int(rng.random() * 3 * 365 * 86400))
        today = self.epoch.date()
        r = rng.random()
        if r < 0.05 and self.people:
            owner = self.people[int(rng.random() * len(self.people))]
            if owner.guardian is None and owner.email and owner.status == "active":
                child = self._new(max(created, owner.created_at), child_of=owner)
                self._store(
                    replace(child, memberships=(self._term(child.number, today, "family"),))
                )
                return
        if r > 0.985 and self.people:
            twin = self.people[int(rng.random() * len(self.people))]
            if twin.guardian is None and twin.status == "active":
                self._store(self._copy(twin, created))
                return
        status = _STATUSES[bisect(_STATUS_SHARES, rng.random())]
        person = self._new(created, status=status)
        # The current term started at most a term ago, or on signing up.
        began = max(created.date(), today - timedelta(days=int(rng.random() * 360)))
        if status in ("active", "paused"):
            term = self._term(person.number, began)
            if term.end is not None and term.end < today and rng.random() < 0.8:
                term = self._term(
                    person.number, today - timedelta(days=int(rng.random() * 80)), "ten"
                )
            person = replace(person, memberships=(term,))
            if status == "paused":
                person = self._paused(
                    person, today, today + timedelta(days=5 + int(rng.random() * 60))
                )
        elif status in ("former", "archived"):
            ended = min(today - timedelta(days=1), began + timedelta(days=int(rng.random() * 200)))
            if ended >= began:
                person = replace(person, memberships=(Membership("annual", began, ended),))
        self._store(person)

    def _copy(self, twin: Person, created: datetime) -> Person:
        """A duplicate record of the same person, with the same email, or the same phone and another email."""
        number = len(self.people) + 1
        same = self.rng.random() < 0.4
        self.pairs.append((number, twin.number))
        return replace(
            twin,
            number=number,
            email=twin.email if same else self._email(twin.first_name, twin.last_name),
            memberships=(self._term(number, self.at.date(), "ten"),),
            created_at=created,
            modified_at=created,
            status="active",
            replaced_by=None,
        )

    def _paused(self, person: Person, first: date, back: date) -> Person:
        """Remove the days from `first` up to `back` (exclusive) from the memberships of a person."""
        spans: list[Membership] = []
        for m in person.memberships:
            if (m.end is not None and m.end < first) or m.start >= back:
                spans.append(m)
                continue
            if m.start < first:
                spans.append(replace(m, end=first - timedelta(days=1)))
            if m.end is None or m.end >= back:
                spans.append(replace(m, start=back))
        self._schedule(back, "resume", person.number)
        return replace(person, status="paused", memberships=tuple(spans))

    # scheduled events

    def resume(self, number: int) -> None:
        """A pause ends."""
        person = self.people[number - 1]
        if person.status == "paused":
            self._store(replace(person, status="active"))

    def renewal(self, number: int) -> None:
        """Three days before the end of a term, three in four renew; the others become former later."""
        person = self.people[number - 1]
        if person.status not in ("active", "paused") or not person.memberships:
            return
        last = person.memberships[-1]
        if last.end is None or abs((last.end - self.at.date()).days) > 3:
            return
        if self.rng.random() < 0.75:
            longer = replace(
                last, end=last.end + timedelta(days=90 if last.product_id == "ten" else 365)
            )
            self._store(replace(person, memberships=(*person.memberships[:-1], longer)))
            assert longer.end is not None
            self._schedule(longer.end - timedelta(days=3), "renewal", number)
        else:
            self._schedule(last.end + timedelta(days=30), "tidy", number)

    def tidy(self, number: int) -> None:
        """The club marks somebody whose membership expired a month ago as a former customer."""
        person = self.people[number - 1]
        if person.status == "active" and not _holds(person, self.at.date()):
            self._store(replace(person, status="former"))

    # random events; each returns whether it was possible

    def sign_up(self) -> bool:
        """A new person; one in six is only a prospect."""
        person = self._new(self.at, status="prospect" if self.rng.random() < 1 / 6 else "active")
        if person.status == "active":
            person = replace(person, memberships=(self._term(person.number, self.at.date()),))
        self._store(person)
        return True

    def join(self) -> bool:
        """A prospect buys."""
        person = self._pick(lambda p: p.status == "prospect")
        if person is None:
            return False
        term = self._term(person.number, self.at.date())
        self._store(replace(person, status="active", memberships=(*person.memberships, term)))
        return True

    def leave(self) -> bool:
        """Somebody leaves today; one in four is archived at once."""
        person = self._pick(lambda p: p.status in ("active", "paused"))
        if person is None:
            return False
        today = self.at.date()
        ended = tuple(
            replace(m, end=today) if m.end is None or m.end > today else m
            for m in person.memberships
            if m.start <= today
        )
        status: Status = "archived" if self.rng.random() < 0.25 else "former"
        self._store(replace(person, status=status, memberships=ended))
        return True

    def archive(self) -> bool:
        """The club archives a former customer."""
        person = self._pick(lambda p: p.status == "former")
        if person is None:
            return False
        self._store(replace(person, status="archived"))
        return True

    def come_back(self) -> bool:
        """A former customer buys again, with the old record."""
        person = self._pick(lambda p: p.status in ("former", "archived") and p.replaced_by is None)
        if person is None:
            return False
        term = self._term(person.number, self.at.date())
        self._store(replace(person, status="active", memberships=(*person.memberships, term)))
        return True

    def new_email(self) -> bool:
        """Somebody gets another email, and the children who share it with them."""
        person = self._pick(_has_own_email)
        if person is None:
            return False
        email = self._email(person.first_name, person.last_name)
        if person.email == email:
            return False
        self._set_email(person, email)
        return True

    def swap_emails(self) -> bool:
        """The emails of two people, entered the wrong way round, are swapped."""
        one, other = self._pick(_has_own_email), self._pick(_has_own_email)
        if one is None or other is None or one.email == other.email:
            return False
        self._set_email(one, other.email)
        self._set_email(other, one.email)
        return True

    def email_lost(self) -> bool:
        """The email is deleted from a record."""
        person = self._pick(lambda p: _has_own_email(p) and p.number % 7 == 0)
        if person is None:
            return False
        self._set_email(person, None)
        return True

    def email_given(self) -> bool:
        """Somebody without an email provides one."""
        person = self._pick(
            lambda p: p.email is None and p.guardian is None and p.status == "active"
        )
        if person is None:
            return False
        self._set_email(person, self._email(person.first_name, person.last_name))
        return True

    def _set_email(self, person: Person, email: str | None) -> None:
        self._store(replace(person, email=email))
        if person.status != "active" or person.email is None:
            return
        for child in self.people:
            if child.guardian == person.number and child.email == person.email:
                self._store(replace(child, email=email))

    def change_group(self) -> bool:
        """Somebody changes from one product to another today."""
        person = self._pick(
            lambda p: p.status == "active" and bool(p.memberships) and not p.guardian
        )
        if person is None:
            return False
        today = self.at.date()
        kept = tuple(
            replace(m, end=today - timedelta(days=1)) if m.end is None or m.end >= today else m
            for m in person.memberships
            if m.start < today
        )
        term = self._term(person.number, today)
        self._store(replace(person, memberships=(*kept, term)))
        return True

    def extra_product(self) -> bool:
        """Somebody buys a second product."""
        person = self._pick(lambda p: p.status == "active" and len(p.memberships) == 1)
        if person is None or person.memberships[0].product_id == "coaching":
            return False
        extra = Membership("coaching", self.at.date(), None)
        self._store(replace(person, memberships=(extra, *person.memberships)))
        return True

    def pause(self) -> bool:
        """Somebody pauses from today, for one to ten weeks."""
        today = self.at.date()
        person = self._pick(lambda p: p.status == "active" and _holds(p, today))
        if person is None:
            return False
        back = today + timedelta(days=7 + int(self.rng.random() * 63))
        self._store(self._paused(person, today, back))
        return True

    def cancel(self) -> bool:
        """An open-ended membership is cancelled: it expires within two weeks."""
        person = self._pick(
            lambda p: p.status == "active" and bool(p.memberships) and p.memberships[-1].end is None
        )
        if person is None:
            return False
        last = person.memberships[-1]
        end = max(last.start, self.at.date() + timedelta(days=int(self.rng.random() * 14)))
        self._store(replace(person, memberships=(*person.memberships[:-1], replace(last, end=end))))
        self._schedule(end + timedelta(days=30), "tidy", person.number)
        return True

    def child(self) -> bool:
        """A family adds a child."""
        owner = self._pick(lambda p: _has_own_email(p) and p.status == "active")
        if owner is None:
            return False
        child = self._new(self.at, child_of=owner)
        term = self._term(child.number, self.at.date(), "family")
        self._store(replace(child, memberships=(term,)))
        return True

    def duplicate(self) -> bool:
        """Somebody signs up twice."""
        person = self._pick(lambda p: _has_own_email(p) and p.status == "active")
        if person is None:
            return False
        self._store(self._copy(person, self.at))
        return True

    def merge(self) -> bool:
        """The club merges two records of one person into the newer one, which may take the older one's email."""
        if not self.pairs:
            return False
        newer, older = self.pairs.pop(int(self.rng.random() * len(self.pairs)))
        gone, kept = self.people[older - 1], self.people[newer - 1]
        if gone.replaced_by is not None or kept.replaced_by is not None:
            return False
        email = gone.email if gone.email and self.rng.random() < 0.5 else kept.email
        both = tuple(sorted((*gone.memberships, *kept.memberships), key=lambda m: m.start))
        self._store(replace(gone, status="archived", replaced_by=newer))
        self._store(replace(kept, email=email, memberships=both))
        for child in self.people:
            if child.guardian == older:
                self._store(replace(child, guardian=newer))
        return True

    def profile_edit(self) -> bool:
        """A name or a phone is corrected."""
        person = self._pick(lambda p: p.replaced_by is None and p.guardian is None)
        if person is None:
            return False
        if self.rng.random() < 0.4:
            self._store(replace(person, last_name=self._choose(self.country.last)))
        else:
            self._store(
                replace(person, phone=self._phone(person.number + int(self.rng.random() * 5000)))
            )
        return True


def _has_own_email(person: Person) -> bool:
    return (
        person.email is not None
        and person.guardian is None
        and person.replaced_by is None
        and person.status in ("active", "paused", "prospect")
    )


def _holds(person: Person, day: date) -> bool:
    """Whether the person has a membership on that day."""
    return any(m.start <= day and (m.end is None or m.end >= day) for m in person.memberships)


#: Statuses at the epoch, with their cumulative shares.
_STATUSES: tuple[Status, ...] = ("active", "prospect", "paused", "former", "archived")
_STATUS_SHARES = (0.80, 0.85, 0.88, 0.96)

_EVENT_TABLE: tuple[tuple[Callable[[_Simulation], bool], int], ...] = (
    (_Simulation.sign_up, 14),
    (_Simulation.join, 4),
    (_Simulation.leave, 14),
    (_Simulation.archive, 3),
    (_Simulation.come_back, 7),
    (_Simulation.new_email, 11),
    (_Simulation.swap_emails, 2),
    (_Simulation.email_lost, 1),
    (_Simulation.email_given, 2),
    (_Simulation.change_group, 11),
    (_Simulation.extra_product, 3),
    (_Simulation.pause, 5),
    (_Simulation.cancel, 4),
    (_Simulation.child, 3),
    (_Simulation.duplicate, 2),
    (_Simulation.merge, 3),
    (_Simulation.profile_edit, 6),
)
_EVENTS = tuple(event for event, _ in _EVENT_TABLE)
_EVENT_WEIGHTS = list(accumulate(weight for _, weight in _EVENT_TABLE))

_SCHEDULED: dict[str, Callable[[_Simulation, int], None]] = {
    "resume": _Simulation.resume,
    "renewal": _Simulation.renewal,
    "tidy": _Simulation.tidy,
}

_PRODUCTS = (
    ("annual", 35),
    ("monthly", 30),
    ("ten", 14),
    ("student", 12),
    ("coaching", 6),
    ("old", 3),
)
_PRODUCT_IDS = tuple(key for key, _ in _PRODUCTS)
_PRODUCT_WEIGHTS = list(accumulate(weight for _, weight in _PRODUCTS))
