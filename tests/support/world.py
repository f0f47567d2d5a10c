"""A small ERP in which everything collides, beside its model; the engine is told what people do by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any, Protocol, Unpack

from tests.support.model import Model
from tests.support.promise import Promise
from tests.support.words import PEOPLE, Customer, Fields, Record, valid

IDS = [str(i) for i in range(1, 6)]
LETTERS = ["a", "b", "c"]
GROUPS = ["gold", "pool"]
PHONES = [None, "+33600000001", "+33600000002"]
STATUSES = ["active", "active", "active", "active", "archived", "unknown"]


class Engine(Protocol):
    """The base, by number, and what people do to it by hand."""

    base: dict[int, dict[str, Any]]

    def add_by_hand(self, email: str, phone: str | None) -> int: ...

    def detach(self, number: int) -> None: ...


@dataclass
class World:
    """One club. Ids, emails and groups bear its number, so that many fit into one plan."""

    number: int
    engine: Engine
    model: Model = field(default_factory=Model)
    erp: dict[str, Record] = field(default_factory=dict)
    users: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.groups: dict[str, bool | None] = {self.group(g): True for g in GROUPS}
        self.users = self.number * 1000
        self.dated = set[str]()  # who was ever in a group that ends
        self.today = date.min
        self.promise: Promise[str] = Promise(self.rightful, self.barred)

    def id(self, i: str) -> str:
        return f"{self.number}{i}" if self.number else i

    def email(self, letter: str) -> str:
        return f"{letter}{self.number}@x.fr" if len(letter) == 1 else letter

    def group(self, name: str) -> str:
        return f"{name}-{self.number}"

    # --- the ERP ------------------------------------------------------------------------------

    def put(self, i: str, letter: str | None, status: str) -> None:
        email = self.email(letter) if letter else None
        old = self.erp.get(self.id(i), Record(None))
        self.erp[self.id(i)] = replace(old, email=email, status=status)

    def rename(self, i: str, who: str) -> None:
        """The record is of another person from now on, or says so."""
        self.change(i, who=who)

    def reuse(self, i: str, who: str, letter: str) -> None:
        """The ERP gives the id to somebody else."""
        self.change(i, who=who, email=self.email(letter), phone=None)

    def change(self, i: str, **fields: Unpack[Fields]) -> None:
        if self.id(i) in self.erp:
            self.erp[self.id(i)] = replace(self.erp[self.id(i)], **fields)

    def vanish(self, i: str) -> None:
        self.erp.pop(self.id(i), None)

    def swap(self, i: str, j: str) -> None:
        one, two = self.id(i), self.id(j)
        if one in self.erp and two in self.erp:
            mine, theirs = self.erp[one].email, self.erp[two].email
            self.change(i, email=theirs)
            self.change(j, email=mine)

    def merge(self, i: str, j: str) -> None:
        """Vanish, leaving the email to another."""
        if self.id(i) in self.erp and i != j:
            gone = self.erp.pop(self.id(i))
            into = self.erp.get(self.id(j), replace(gone, replaced_by=None, guardian=None))
            self.erp[self.id(j)] = replace(into, email=gone.email)

    def adopt(self, i: str, j: str) -> None:
        """Become a member of somebody's family, with their email or none."""
        if self.id(j) in self.erp:
            email = self.erp[self.id(j)].email
            self.change(i, guardian=self.id(j), email=email if int(i) % 2 else None)

    def bereave(self, i: str) -> None:
        """Delete a record, and the ties to it."""
        self.vanish(i)
        for j in IDS:
            if self.id(j) in self.erp and self.erp[self.id(j)].guardian == self.id(i):
                self.change(j, guardian=None)

    def join(self, i: str, held: dict[str, date | None]) -> None:
        self.change(i, groups={self.group(g): day for g, day in held.items()})
        if any(held.values()):
            self.dated.add(self.id(i))

    def switch(self, name: str, active: bool | str | None) -> None:
        """Switch a group; a text takes it off the ERP's list."""
        self.groups.pop(self.group(name), None)
        if not isinstance(active, str):
            self.groups[self.group(name)] = active

    # --- the promise, told from the ERP's own state ---------------------------------------------

    def rightful(self) -> dict[str, str]:
        """Who is active without any doubt, under an email that nobody else has: id -> email."""
        emails = Counter(record.email for record in self.erp.values())
        return {
            i: record.email
            for i, record in self.erp.items()
            if record.status == "active"
            and record.email
            and valid(record.email)
            and emails[record.email] == 1
            and not (record.former or record.guardian or record.replaced_by)
            and (self._current(record, on=True) or not (record.groups or i in self.dated))
        }

    def barred(self) -> tuple[set[str], set[str]]:
        """Who is not in the ERP, or not active there, and who is there in groups that keep them out, without any
        doubt."""
        erp = self.erp.items()
        active = {i for i, record in erp if record.status == "active"}
        in_group = {
            i
            for i, record in erp
            if not record.former and (not record.groups or self._current(record, on=None))
        }
        return self.known_ids - active, self.known_ids - in_group

    def _current(self, record: Record, *, on: bool | None) -> bool:
        """Whether it is in a group that has not ended, and is active; None: or may be."""
        return any(
            (not day or day >= self.today)
            and (self.groups.get(g) is True or (on is None and self.groups.get(g) is None))
            for g, day in record.groups.items()
        )

    def people(self) -> dict[str, tuple[bool, str | None]]:
        """Of the base: id -> whether inside, and the email."""
        return {
            row["erp_id"]: (row["in_customers_group"], row["email"])
            for row in self.engine.base.values()
            if row["erp_id"] in self.known_ids
        }

    @property
    def known_ids(self) -> set[str]:
        return {self.id(i) for i in IDS}

    # --- the base -----------------------------------------------------------------------------

    def standing_for(self, i: str) -> Customer | None:
        return next((c for c in self.model.base if c.erp_id == self.id(i)), None)

    def add_by_hand(self, letter: str, phone: str | None) -> None:
        email = self.email(letter)
        if all(c.email != email for c in self.model.base):
            number = self.engine.add_by_hand(email, phone)
            made = Customer(number, None, email, inside=True, phone=phone, by_hand=True)
            self.model.base.append(made)

    def detach(self, i: str) -> None:
        c = self.standing_for(i)
        if c and c.number and not c.detached:
            self.engine.detach(c.number)
            c.inside, c.detached, c.over, c.groups = False, True, False, frozenset()
            self.model.lapsed.discard(self.id(i))

    def edit_base(self, i: str, phone: str | None) -> None:
        c = self.standing_for(i)
        if c and c.number:
            c.phone = self.engine.base[c.number]["phone"] = phone

    def link(self, i: str) -> None:
        c = self.standing_for(i)
        if c and c.number and not c.user:
            self.users += 1
            c.user = self.engine.base[c.number]["linked_user"] = self.users

    # --- by chance ----------------------------------------------------------------------------

    def mutate(self, dice: Random, today: date) -> None:
        """Anything may happen, as the dice will have it."""
        i, j = dice.choice(IDS), dice.choice(IDS)
        letter = dice.choice([*LETTERS, *LETTERS, None, "not an address"])
        phone = dice.choice(PHONES)
        ends = [None, None, today, today + timedelta(1), today + timedelta(3)]
        held = {g: dice.choice(ends) for g in dice.sample([*GROUPS, "nowhere"], dice.randint(0, 2))}
        acts: list[tuple[str, tuple[object, ...]]] = [
            ("put", (i, letter, dice.choice(STATUSES))),
            ("put", (j, dice.choice(LETTERS), "active")),
            ("vanish", (i,)),
            ("swap", (i, j)),
            ("merge", (i, j)),
            ("adopt", (i, j)),
            ("bereave", (i,)),
            ("join", (i, held)),
            ("switch", (dice.choice(GROUPS), dice.choice([True, True, False, None, "unlisted"]))),
            ("add_by_hand", (dice.choice(LETTERS), phone)),
            ("detach", (i,)),
            ("edit_base", (i, phone)),
            ("link", (i,)),
            ("rename", (i, dice.choice(list(PEOPLE)))),
            ("reuse", (i, dice.choice(list(PEOPLE)), dice.choice(LETTERS))),
        ]
        name, arguments = dice.choice(acts)
        if name == "swap" and dice.random() < 0.5:
            self.log.append(f"state_merge{(i, j)}")
            self.change(i, replaced_by=dice.choice([None, self.id(j)]))
            return
        if name == "edit_base" and dice.random() < 0.5:
            former = dice.random() < 0.4
            self.log.append(f"change({i}, {phone}, former={former})")
            self.change(i, phone=phone, former=former)
            return
        self.log.append(f"{name}{arguments}")
        getattr(self, name)(*arguments)

    # --- what came of it ----------------------------------------------------------------------

    def name_the_new(self, numbers: dict[str, int]) -> None:
        """New customers get their numbers from the engine; they are known by their record."""
        for c in self.model.base:
            if c.number is None and c.erp_id:
                c.number = numbers.get(c.erp_id)

    def expected(self) -> dict[int | None, tuple[object, ...]]:
        return {
            c.number: (
                *(c.erp_id, c.email, c.inside, c.groups, c.detached, c.user),
                *(c.phone, c.first, c.last),
            )
            for c in self.model.base
        }


def found(
    engine: Engine, only: Collection[int | None] | None = None
) -> dict[int, tuple[object, ...]]:
    """The engine's base in the words of `World.expected`. :param only: of these customers; None: of all."""
    rows = engine.base if only is None else {n: engine.base[n] for n in only if n in engine.base}
    return {
        n: (
            row["erp_id"],
            row["email"],
            row["in_customers_group"],
            frozenset(row["groups"]),
            row["detached"],
            row["linked_user"],
            *(row["phone"], row["first_name"], row["last_name"]),
        )
        for n, row in rows.items()
    }


def check(engine: Engine, before: set[int]) -> None:
    """What holds of any base, whatever the rules decide."""
    rows = list(engine.base.values())
    assert before <= set(engine.base)  # R1, R5: kept for ever, never deleted
    for column in ("email", "erp_id", "linked_user"):
        values = [row[column] for row in rows if row[column] is not None]
        assert len(values) == len(set(values)), column
    for row in rows:
        assert row["in_customers_group"] == (row["reason"] is None)
        assert not (row["in_customers_group"] and (row["detached"] or row["email"] is None))
        assert row["in_customers_group"] or not row["groups"]
