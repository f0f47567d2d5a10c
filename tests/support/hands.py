"""What people do to a club, in the model: by hand (R11 to R13), in the app (R9), in hindsight (R15, R18).

Each act says whether it may be done; what it does is written from the rules. What its effect on the next
sync is, `model` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tests.support.model import Model
from tests.support.words import Customer, Decision, Snapshot

ACCESS = ("inside", "groups", "detached", "over")
PROFILE = ("first", "last", "phone", "user", "email")


class Hands(Model):
    """A club, and all that people do in it. A request is its user and its state."""

    def __init__(self, limit: int = 10**6) -> None:
        super().__init__(limit)
        self.users: dict[int, tuple[str, bool]] = {}  # email, whether confirmed
        self.requests: dict[int, tuple[int, str]] = {}
        self.runs: dict[int, list[tuple[Customer | None, Customer]]] = {}

    def run(
        self, number: int, snapshot: Snapshot, approved: frozenset[int | None] = frozenset()
    ) -> None:
        """A sync, kept for its undo."""
        before, self.last = self.base, snapshot
        self.sync(snapshot, approved)
        new = [None] * (len(self.base) - len(before))
        after = [replace(c) for c in self.base]
        self.runs[number] = list(zip([*before, *new], after, strict=True))
        self.answer()

    def name(self, run: int, numbers: Mapping[str, int]) -> None:
        """New customers get their numbers from the engine; they are known by their record."""
        for c in [*self.base, *(c for _, c in self.runs[run])]:
            if c.number is None:
                c.number = numbers[c.erp_id or ""]

    def of(self, email: str | None) -> Customer | None:
        return next((c for c in self.base if email and c.email == email), None)

    def linked(self, user: int | None) -> Customer | None:
        return next((c for c in self.base if user and c.user == user), None)

    def confirmed(self, email: str | None) -> int | None:
        return next((u for u, known in self.users.items() if known == (email, True)), None)

    def link(self, before: list[Customer]) -> None:
        """R9: in a sync, a new email that is a person's own links them, where they are not linked yet."""
        super().link(before)
        emails = {c.number: c.email for c in before}
        for c in self.base:
            user = self.confirmed(c.email)
            new = c.email != emails.get(c.number)
            if new and not c.user and user and all(user != was.user for was in before):
                c.user = user

    # --- by hand ------------------------------------------------------------------------------

    def let_in(
        self,
        email: str,
        phone: str | None,
        user: int | None,
        name: tuple[str | None, str | None] = (None, None),
    ) -> Customer | None:
        """R11, R12, R18: a new customer, or one whom a person took out; None: out because of the ERP, or of an id
        that awaits a decision (R1)."""
        c = self.of(email)
        if c is None:
            c = Customer(None, None, email, inside=True, phone=phone, by_hand=True)
            c.first, c.last = name
            self.base.append(c)
        else:
            undone = c.undone if c.undone and c.undone.about == c.erp_id else None
            decided = c.detached or (undone and (undone.record or not c.erp_id))
            let_in = not c.erp_id or (decided and self.judged.get(c.erp_id) != "no")
            if c.inside or c.erp_id in self.reused or not let_in:
                return None
            c.inside, c.detached, c.by_hand = True, False, c.by_hand or not c.erp_id
            c.undone = None if undone else c.undone
            return c
        c.user = user if not self.linked(user) else None
        return c

    def add(self, email: str, phone: str | None) -> bool:
        return self.let_in(email, phone, self.confirmed(email), ("Hand", "Made")) is not None

    def decidable(self) -> list[Customer]:
        """R1: whose id shows somebody else, as the last sync saw it."""
        return [c for c in self.base if c.erp_id in self.reused]

    def keep(self, c: Customer) -> None:
        """R1: the same person, whose new values are taken by the next sync."""
        self.same_person[c.number] = self.now[c.erp_id or ""]

    def replace(self, c: Customer) -> None:
        """R1: somebody else's id; who had it before is out, and keeps the email until another needs it."""
        self.reused.discard(c.erp_id or "")
        c.erp_id, c.inside, c.groups = None, False, frozenset()

    def detach(self, c: Customer) -> bool:
        if c.detached:
            return False
        c.inside, c.detached, c.over, c.groups = False, True, False, frozenset()
        self.lapsed.discard(c.erp_id or "")
        return True

    def edit_email(self, c: Customer, email: str) -> bool:
        """Of one without ERP id only; R9: a person whose email it is, is linked."""
        if c.email == email:
            return True
        if c.erp_id or self.of(email):
            return False
        c.email = email
        if not c.user and not self.linked(self.confirmed(email)):
            c.user = self.confirmed(email)
        return True

    # --- the app ------------------------------------------------------------------------------

    def register(self, user: int | None, email: str, sure: bool) -> bool:
        if self.confirmed(email):
            return False
        if user:
            self.set_email(user, email, sure)
        return True

    def set_email(self, user: int, email: str, sure: bool) -> bool:
        """R9: only the user's own newly confirmed email moves them to another customer."""
        if sure and self.confirmed(email) not in (None, user):
            return False
        self.users[user] = (email, sure)
        c, before = self.of(email), self.linked(user)
        if sure and c and not c.user:
            if before:
                before.user = None
            c.user = user
        return True

    def request(self, number: int | None, user: int) -> bool:
        if self.linked(user):
            return False
        if number:
            self.requests.setdefault(number, (user, "pending"))
            self.answer()
            c = self.of(self.users[user][0])
            if self.requests[number][1] == "accepted" and c and not c.user:
                c.user = user
        return True

    def accept(self, number: int) -> bool:
        user = self.requests[number][0]
        email, sure = self.users[user]
        c = self.of(email)
        if c is None or not c.inside:
            c = self.let_in(email, None, user if sure else None)
            if c is None:
                return False
        if sure and not c.user and not self.linked(user):
            c.user = user
        self.requests[number] = (user, "accepted")
        return True

    def answer(self) -> None:
        """R11: accepted when its confirmed email is that of a customer who is in."""
        for number, (user, state) in self.requests.items():
            email, sure = self.users[user]
            c = self.of(email)
            if state == "pending" and sure and c and c.inside:
                self.requests[number] = (user, "accepted")

    def link_of(self, c: Customer) -> str:
        """R9: the link is live while the two emails agree."""
        email, sure = self.users[c.user] if c.user else (None, False)
        if c.user and email != c.email:
            return "email_mismatch"
        if c.user:
            return "linked" if sure else "email_unconfirmed"
        return "email_unconfirmed" if (c.email, False) in self.users.values() else "not_registered"

    # --- in hindsight -------------------------------------------------------------------------

    def approve(self, number: int, at: datetime) -> None:
        """R15: out goes whom the newest snapshot still calls for."""
        self.run(number, replace(self.last, at=at), frozenset(self.hold))

    def reject(self, at: datetime) -> None:
        """R15: they stay, and are not asked about for 30 days or until their record changes."""
        for c in self.base:
            if c.number in self.hold:
                c.kept = Decision(c.erp_id, self.mirrored(c.erp_id), at + timedelta(days=30))
        self.hold = set()

    def undo(self, run: int, reworded: set[int]) -> set[int | None]:
        """R18: everybody gets back what the run took, but for who changed since, or in whose way somebody
        stands; the numbers of those.

        :param reworded: who is out for another reason than then, as the engine says; no reason is known here.
        """
        old = {c.number: c for c in self.base}
        changed = {c.number: (was, c, differing(was, c)) for was, c in self.runs[run]}
        changed = {n: both for n, both in changed.items() if both[2]}
        back: dict[int | None, Customer] = {}
        for n, (was, became, fields) in changed.items():
            if n in reworded and not old[n].inside and not became.inside:
                continue
            if all(getattr(old[n], f) == getattr(became, f) for f in fields):
                before = was or replace(became, inside=False, groups=frozenset())
                back[n] = replace(old[n], **{f: getattr(before, f) for f in fields})
                if back[n].inside and not back[n].email:
                    del back[n]
        while stopped := {n for n in back if in_the_way(n, old, back)}:
            back = {n: c for n, c in back.items() if n not in stopped}
        self.base = [back.get(c.number, c) for c in self.base]
        for n, c in back.items():
            about = c.erp_id or (changed[n][1].erp_id if changed[n][1].was == "" else None)
            c.undone = Decision(about, self.mirrored(about), run=run)
        return set(changed) - set(back)

    def redo(self, run: int, number: int, at: datetime) -> bool:
        """R18: what was undone of that run may come back, from the newest snapshot."""
        mine = [c for c in self.base if c.undone and c.undone.run == run]
        told = {became.number: (was, became) for was, became in self.runs[run] if was}
        for c in mine:
            c.undone = None
            was, became = told.get(c.number, (c, c))
            for name in ("first", "last", "phone") if "phone" in differing(was, became) else ():
                if getattr(c, name) == getattr(was, name):
                    setattr(c, name, getattr(became, name))
        if mine:
            self.run(number, replace(self.last, at=at))
        return bool(mine)


def differing(was: Customer | None, c: Customer) -> set[str]:
    """The fields that a run's audit tells of the customer, by the kinds of its changes (R18)."""
    if was is None:
        return {"email", "inside", "groups"}
    moved = c.was is not None or c.merged
    fields: set[str] = set()

    def differ(*names: str) -> bool:
        return any(getattr(was, n) != getattr(c, n) for n in names)

    if moved and differ("erp_id", "email", "user", *ACCESS):
        fields |= {"erp_id", "email", "user", *ACCESS}
    if not moved and was.inside != c.inside:
        fields |= set(ACCESS)
    elif not moved and c.inside and differ("groups"):
        fields |= {"groups"}
    if not c.into and differ("email"):
        fields |= {"email"}
    if not c.into and differ("first", "last", "phone", "user"):
        fields |= set(PROFILE)
    return fields


def in_the_way(
    n: int | None, old: Mapping[int | None, Customer], back: Mapping[int | None, Customer]
) -> bool:
    """Whether somebody who does not give it back has what this one would get back."""
    for name in ("email", "erp_id", "user"):
        mine = getattr(back[n], name)
        for m, c in old.items():
            stays = getattr(back.get(m, c), name) == getattr(c, name)
            if m != n and mine is not None and stays and getattr(c, name) == mine:
                return True
    return False
