"""What the rules say of each ERP record at this moment, in plain Python (tests only): see `model`."""

from __future__ import annotations

from datetime import date

from clubsync.model import Proof
from tests.support.words import Customer, Decision, Groups, Record, Snapshot, valid, walk

#: What a walk shows of a record and does not prove (R14): its id, and which sign it is.
Sign = tuple[str, str]


class Records:
    """What is known of a club's ERP: its records, who is gone, its groups."""

    def __init__(self) -> None:
        self.known: dict[str, Record] = {}
        self.listed: dict[str, dict[str, date | None]] = {}  # the groups each was ever seen in
        self.gone, self.lapsed = set[str](), set[str]()
        self.groups: Groups = {}
        self.judged: dict[str, str] = {}  # access, as last said
        self.merging = set[str]()  # R15: gone, and their merge by an email is held
        self.reused = set[str]()
        self.shown_before: dict[
            Sign, int
        ] = {}  # R14: what a walk has shown -> the reading that did first

    def look(self, snapshot: Snapshot) -> None:
        """Who is there, whose dependant (R8), replaced by whom in the end (R10), and eligible (R3)."""
        shown, whole = snapshot.shown, snapshot.whole
        self.shown, self.whole, self.at = shown, whole, snapshot.at
        self.groups = snapshot.groups if whole else {**snapshot.groups, **self.groups}
        self.now = now = {**self.known, **shown}
        gone = self.gone - self.merging
        self.proof = snapshot.proof or Proof(certified=whole)
        self.shown_twice = {
            s for s, n in self.shown_before.items() if whole and n < snapshot.number
        }
        absent = set(self.known) - set(shown) - gone if whole else set()
        proved = {i for i, sign in self.shown_twice if sign == "absent"}
        self.vanished = absent if self.proof.absence else absent & proved
        self.missing = absent - self.vanished
        self.here = here = set(now) - self.vanished - (self.gone - set(shown))
        replaced = {i: r.replaced_by for i, r in now.items() if r.replaced_by}
        self.merge_targets = {
            i: end for i in replaced if (end := walk(replaced, i)[-1]) in here - set(replaced)
        }
        owner = {i: now[i].guardian for i in here if now[i].guardian in here - {i}}
        owner = {i: o for i, o in owner.items() if now[i].email in (None, now[o or ""].email)}
        owner = {i: o for i, o in owner.items() if not now[i].email or valid(now[i].email)}
        self.owner = {i: o for i, o in owner.items() if i not in walk(owner, i)}
        self.access = {i: self.judge(i) for i in now}

    def current(self, i: str) -> set[str]:
        return {g for g, end in self.now[i].groups.items() if not end or end >= self.at.date()}

    def not_eligible_itself(self, i: str) -> bool:
        """R12: "by its own status, dates or groups"; R3: "also when the ERP has stopped listing it"."""
        r, ended = self.now[i], [d for d in self.listed.get(i, {}).values() if d]
        expired = bool(r.groups) or any(day < self.at.date() for day in ended)
        no_access = r.status not in ("active", "unknown") or r.former
        return no_access or (expired and not self.current(i)) or self.moved_out(i)

    def moved_out(self, i: str) -> bool:
        """R12: "moving to an inactive group … counts, a group that is itself switched off … does not"."""
        was, now = self.known.get(i), self.now[i]
        if was is None or not self.off(i):
            return False
        return (set(was.groups), was.former) != (set(now.groups), now.former)

    def off(self, i: str) -> bool:
        return {self.groups.get(g) for g in self.current(i)} == {False}

    def judge(self, i: str) -> str:
        """R3: a plain no is stronger than a doubt, a doubt than a yes."""
        r, states = self.now[i], {self.groups.get(g) for g in self.current(i)}
        if i not in self.here or i in self.merge_targets or i in self.owner:
            return "no"
        if self.not_eligible_itself(i) or states == {False}:
            return "no"
        odd = None in states and True not in states
        return "doubt" if odd or r.status == "unknown" or not valid(r.email) else "yes"

    def email_of(self, i: str) -> str | None:
        """The email that the ERP states for this record as its own."""
        mine = valid(self.now[i].email) and i not in self.owner and i not in self.merge_targets
        return self.now[i].email if mine else None

    def ward(self, i: str, owner: str) -> bool:
        """R8: recorded under that one, now or until now."""
        return owner in (self.now[i].guardian, i in self.known and self.known[i].guardian)

    def present(self, i: str | None) -> Record | None:
        """The record as it is; None: gone."""
        return self.now[i] if i in self.here and i else None

    def remember(self, waits: set[str], detached: set[str | None]) -> None:
        """What the next snapshot is compared with; R12: who is not eligible by its own doing."""
        taken = set(self.shown) - waits
        for i in taken | self.vanished if self.whole else ():
            if i in self.vanished or self.not_eligible_itself(i):
                self.lapsed.add(i)
            elif self.now[i].status == "active" and i not in detached and not self.off(i):
                self.lapsed.discard(i)
        for i in taken:
            self.known[i] = self.shown[i]
            self.listed[i] = {**self.listed.get(i, {}), **self.shown[i].groups}
        self.judged |= {i: self.access[i] for i in taken | self.vanished}
        self.gone = (self.gone | self.vanished) - taken

    def mirrored(self, i: str | None) -> Record | None:
        """The record as it was last seen; None: gone."""
        return self.known.get(i or "") if i not in self.gone else None

    def same(self, decision: Decision | None, i: str | None) -> bool:
        """R15, R18: whether the record is still the one that a person decided about."""
        if decision is None or i not in (None, decision.about):
            return False
        over = decision.until is not None and decision.until <= self.at
        return not over and decision.record == self.present(decision.about)

    def field(self, c: Customer, name: str) -> str | None:
        """R13: three-way, also across a merge, where what was edited by hand stays; R1: of one added by hand the
        ERP fills the blanks."""
        said: str | None = getattr(self.now[c.erp_id or ""], name)
        has: str | None = getattr(c, name)
        if c.was == "":
            return (has or said) if c.by_hand else (said or has)
        known = self.known.get(c.was or c.erp_id or "")
        if c.number is None or known is None:
            return said or (has if c.was else None)
        last = getattr(known, name)
        if c.was:
            return has if has != last else said
        return has if last == said else said


def two_people(one: Record | Customer, other: Record) -> bool:
    """R1: the records' own witness: another first name, and another birth date, or last name where one is unknown."""
    births = {one.born, other.born} if isinstance(one, Record) else {None}
    second = len(births) == 2 if None not in births else one.last != other.last
    return bool(one.first) and one.first != other.first and second and bool(one.last)


def somebody_else(was: Record, now: Record) -> bool:
    """R1: an id alone proves nobody: another email and other names, and no phone or birth date that agrees."""
    agrees = (was.phone and was.phone == now.phone) or (was.born and was.born == now.born)
    names = was.first != now.first and was.last != now.last
    return bool(valid(was.email) and now.email and was.email != now.email and names and not agrees)
