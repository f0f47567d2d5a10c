"""What the rules say the base must be, in plain Python: the measure of the diff (tests only).

Written from the rules, one record at a time. Where they leave room, this is how they are read:

- An email belongs to whom the ERP states it for. Who has access and holds it keeps it; then come those
  who would be eligible (R7); then who has access in doubt and states it; then who has access in doubt
  and has lost it in the ERP ("until another needs it", R2); last a customer without access, whose email
  follows the ERP where nobody else needs it, and never takes that of one added by hand (R11).
- A record without access and without a base customer needs no email; it can only be where a merge ends.
- In a partial snapshot a record that did not come keeps its email. A record that wants it waits; so
  does who wants what that one keeps, and so on (R14).
- In doubt a customer keeps access and groups, and loses access only with the email (another's need).
- A ward never takes over the customer of its vanished guardian, also where the ERP blanked the tie (R8).
- Gone and come back counts as activated afresh (R12): the record did not merely go on.
- Who moves to another record by a merge stays detached; who was not eligible before and signs up anew
  under another id is activated afresh like anybody else.
- Of several customers that end in one record without its own, one moves: whom the ERP states, then who
  has access, then who is linked, then the oldest. What it brings counts in the same run (R17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

Groups = Mapping[str, bool | None]


@dataclass(frozen=True)
class Record:
    """An ERP record; `groups`: id -> last day, or None; `former`: in a group of former customers."""

    email: str | None
    status: str = "active"
    groups: Mapping[str, date | None] = field(default_factory=dict)
    guardian: str | None = None
    replaced_by: str | None = None
    phone: str | None = None
    former: bool = False


@dataclass
class Customer:
    """A base customer; `number` is None until the engine has named a new one."""

    number: int | None
    erp_id: str | None
    email: str | None
    inside: bool
    groups: frozenset[str] = frozenset()
    phone: str | None = None
    detached: bool = False
    user: int | None = None
    was: str | None = None  # whose record it was before it moved; "" for one added by hand
    merged: bool = False  # moved by a merge, or ended in one, in this run
    over: bool = False  # ended in another by a merge, and not back since


class Model:
    """A club: what is known of its ERP, and its base."""

    def __init__(self) -> None:
        self.known: dict[str, Record] = {}
        self.gone: set[str] = set()
        self.lapsed: set[str] = set()
        self.memory: dict[str, dict[str, date]] = {}
        self.groups: Groups = {}
        self.base: list[Customer] = []

    def sync(self, shown: Mapping[str, Record], groups: Groups, whole: bool, today: date) -> None:
        """Take in one snapshot; `whole`: certified."""
        self.groups = groups if whole else {**groups, **self.groups}
        self.now, self.shown, self.whole, self.today = {**self.known, **shown}, shown, whole, today
        self.vanished = {i for i in self.known if whole and i not in shown} - self.gone
        self.here = set(shown) | (set() if whole else set(self.known) - self.gone)
        self.own = {c.erp_id: c for c in self.base if c.erp_id}
        self.ties()
        held = {i: self.remembered(i) for i in self.now}
        self.access = {i: self.judge(i, held[i]) for i in self.now}
        self.heirs = self.inheriting()
        waits = set() if whole else {i for i in shown if i in self.own and self.unsettled(i)}
        self.frozen = (self.here - set(shown)) | waits
        while True:  # R14: who wants what somebody waiting keeps waits too
            self.holder = self.contest()
            stuck = {i for i in self.here - self.frozen - waits if self.stuck(i)}
            if not stuck:
                break
            waits |= stuck
            self.frozen |= stuck & set(self.own)
        self.move()
        self.settle()
        for i in set(shown) - waits:
            self.known[i], self.memory[i] = shown[i], held[i]
        self.gone = (self.gone | self.vanished) - (set(shown) - waits)
        if whole:
            self.remember_lapses(held)

    def ties(self) -> None:
        """R8: whose dependant; R10: replaced by whom, in the end."""
        now, here = self.now, self.here
        owner = {i: now[i].guardian for i in here if now[i].guardian in here - {i}}
        self.owner = {
            i: o
            for i, o in owner.items()
            if now[i].email is None or (valid(now[i].email) and now[i].email == now[o].email)
        }
        self.owner = {i: o for i, o in self.owner.items() if i not in walk(self.owner, i)}
        heir = {i: r.replaced_by for i, r in now.items() if r.replaced_by}
        ends = {i: walk(heir, i)[-1] for i in heir}
        self.heir = {i: e for i, e in ends.items() if e in here and e not in heir}

    def remembered(self, i: str) -> dict[str, date]:
        """R3: dated groups, "also when the ERP has stopped listing" them."""
        listed = self.known[i].groups if i in self.known else {}
        dated = {**self.memory.get(i, {}), **{g: d for g, d in listed.items() if d}}
        return {g: d for g, d in dated.items() if g not in self.now[i].groups}

    def current(self, i: str) -> set[str]:
        return {g for g, end in self.now[i].groups.items() if not end or end >= self.today}

    def expired(self, i: str, memory: Mapping[str, date]) -> bool:
        over = bool(self.now[i].groups) or any(end < self.today for end in memory.values())
        return not self.current(i) and over

    def judge(self, i: str, memory: Mapping[str, date]) -> str:
        """R3: a plain no is stronger than a doubt, a doubt than a yes."""
        r, states = self.now[i], {self.groups.get(g) for g in self.current(i)}
        if i not in self.here or i in self.heir or i in self.owner or r.former:
            return "no"
        if r.status not in ("active", "unknown") or states == {False} or self.expired(i, memory):
            return "no"
        odd = None in states and True not in states
        return "doubt" if odd or r.status == "unknown" or not valid(r.email) else "yes"

    def unsettled(self, i: str) -> bool:
        """R14, R12: what only a certified snapshot may say of a customer: merged, or activated afresh."""
        fresh = self.own[i].detached and i in self.lapsed and self.access[i] == "yes"
        return i in self.heir or fresh

    def email_of(self, i: str) -> str | None:
        """The email that the ERP states for this record as its own."""
        mine = valid(self.now[i].email) and i not in self.owner and i not in self.heir
        return self.now[i].email if mine else None

    def inside(self, i: str) -> bool:
        """Would have access but for the email, or has it and keeps it in doubt."""
        c = self.own.get(i) or self.heirs.get(i)
        return self.access[i] == "yes" or (self.access[i] == "doubt" and c is not None and c.inside)

    def inheriting(self) -> dict[str, Customer]:
        """R10: which customer comes to a record without one by a stated merge."""
        ends = [(self.own[i], to) for i, to in self.heir.items() if i in self.own and self.whole]
        best = sorted((e for e in ends if not e[0].over), key=precedence, reverse=True)
        return {to: c for c, to in best if to not in self.own}

    def contest(self) -> dict[str, str]:
        """R7: who has each email."""
        by_hand, claims = {c.email for c in self.base if not c.erp_id}, []
        for i in self.here:
            c = self.own.get(i) or self.heirs.get(i)
            said, inside = self.email_of(i), self.inside(i)
            if i in self.frozen:
                said, rank = (c.email if c else None), 0
            elif said is None and inside and i not in self.owner:
                said, rank = (c.email if c else None), 4
            elif inside:
                rank = 1 if c and c.email == said else 2 if self.access[i] == "yes" else 3
            else:
                rank = 7 if c is None else 5 if c.email == said else 6
            if said and (rank < 5 or said not in by_hand):
                claims.append((said, rank, int(i)))
        return {email: str(i) for email, _, i in sorted(claims, reverse=True)}

    def wins(self, i: str) -> str | None:
        """The email that the record has won."""
        return next((e for e, w in self.holder.items() if w == i), None)

    def stuck(self, i: str) -> bool:
        email = self.email_of(i)
        wants = email is not None and (self.access[i] != "no" or i in self.own)
        return wants and self.holder.get(email or "") in self.frozen

    def ward(self, i: str, owner: str | None) -> bool:
        """R8: recorded under that one, now or until now."""
        was = self.known[i].guardian if i in self.known else None
        return owner is not None and owner in (self.now[i].guardian, was)

    def survivor(self, i: str) -> str | None:
        """R10: where a record has ended."""
        if not self.whole or i in self.heir:
            return self.heir.get(i) if self.whole else None
        email = self.known[i].email if i in self.known else None
        to = self.holder.get(email or "") if i in self.vanished else None
        return to if to and self.email_of(to) == email and not self.ward(to, i) else None

    def move(self) -> None:
        """R10: merges; R1: adoption, swallowing, addition: `erp_id` becomes whom each stands for."""
        by_email = {c.email: c for c in self.base if c.email}
        ended = [(c, to) for i, c in self.own.items() if not c.over and (to := self.survivor(i))]
        for c in self.base:
            c.was, c.merged = None, any(c is e for e, _ in ended)
        absorbed: list[tuple[Customer, str]] = []
        stands = dict(self.own)
        for c, to in sorted(ended, key=lambda e: (e[0].erp_id not in self.heir, *precedence(e))):
            if to in stands:
                absorbed.append((c, to))
            else:
                c.was, c.erp_id, stands[to] = c.erp_id, to, c
        for email, i in self.holder.items():
            c, there = by_email.get(email), i in self.shown and i not in self.frozen
            if not there or not self.inside(i):
                continue
            c = None if c and c.merged else c
            if i in stands:
                if c and not c.erp_id:
                    c.merged = True
                    absorbed.append((c, i))
            elif c and self.adoptable(c, i):
                c.was, c.erp_id = c.erp_id or "", i
            else:
                self.base.append(Customer(None, i, None, inside=False))
        self.ended = [c for c, _ in absorbed]
        now = {c.erp_id: c for c in self.base if not any(c is e for e in self.ended)}
        for c, to in sorted(absorbed, key=lambda a: a[0].number or 0):
            c.inside, c.groups, c.over = False, frozenset(), True
            heir = now.get(to)
            if c.user and heir and not heir.user:
                heir.user, c.user = c.user, None

    def adoptable(self, c: Customer, by: str) -> bool:
        """R1: without an ERP id, or its own record is gone or no longer eligible."""
        i = c.erp_id
        if i is None:
            return True
        if i in self.frozen or (self.ward(by, i) and i not in self.here):
            return False
        lost = self.access[i] == "yes" and not self.wins(i)
        return self.access[i] == "no" or lost or (self.access[i] == "doubt" and not c.inside)

    def settle(self) -> None:
        """R3 to R6, R9, R12, R13: what each customer is from now on."""
        stands = {c.erp_id: c for c in self.base if c.erp_id and c not in self.ended}
        won = {e for e, i in self.holder.items() if i in stands and i not in self.frozen}
        for c in self.base:
            i = c.erp_id
            ended = any(c is e for e in self.ended)
            if not ended and (i is None or i in self.frozen):
                continue
            email = None if ended else self.wins(i or "")
            c.email = email or (None if c.email in won else c.email)
            if ended or i is None:
                continue
            lapsed = i in self.lapsed or (bool(c.was) and not c.merged and c.was in self.lapsed)
            sure = self.access[i] == "yes" and email is not None
            if sure and self.whole and lapsed:
                c.detached = False
            in_doubt = self.access[i] == "doubt" and c.email is not None
            c.inside = (sure or (in_doubt and c.inside)) and not c.detached
            c.over = c.over and not c.inside
            on = {g for g in self.current(i) if self.groups.get(g)}
            odd = {g for g in self.current(i) if self.groups.get(g) is None}
            follows = c.groups if in_doubt else frozenset(on | (odd & c.groups))
            c.groups = follows if c.inside else frozenset()
            if i in self.shown:
                self.phone(c, self.shown[i].phone)

    def phone(self, c: Customer, said: str | None) -> None:
        """R13: three-way; R1: adopted by hand, the ERP fills the blank."""
        before = c.erp_id if c.was is None else c.was
        if before == "":
            c.phone = c.phone or said
        elif c.number is None or self.known[before or ""].phone != said:
            c.phone = said or c.phone if c.was else said

    def remember_lapses(self, held: Mapping[str, Mapping[str, date]]) -> None:
        """R12: not eligible "by its own status, dates or groups", whatever the groups' own state."""
        detached = {c.erp_id for c in self.base if c.detached}
        for i in set(self.shown) | self.vanished:
            r = self.now[i]
            out = r.status not in ("active", "unknown") or r.former or self.expired(i, held[i])
            if out or i in self.vanished:
                self.lapsed.add(i)
            elif r.status == "active" and i not in detached:
                self.lapsed.discard(i)


def precedence(end: tuple[Customer, str]) -> tuple[bool, bool, int]:
    """Who moves first where several end in one."""
    return (not end[0].inside, not end[0].user, end[0].number or 0)


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
