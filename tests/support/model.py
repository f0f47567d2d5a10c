"""What the rules say a sync must make of the base, in plain Python: the measure of the engine (tests only).

Written from the rules, one record at a time. What each ERP record amounts to by itself is in `records`, what
people do by hand in `hands`. Where the rules leave room, this is how they are read:

- An email belongs to whom the ERP states it for. Who has access and holds it keeps it; then come those
  who would be eligible (R7); then who has access in doubt and states it; then who has access in doubt
  and has lost it in the ERP ("until another needs it", R2); last a customer without access, whose email
  follows the ERP where nobody else needs it, and never takes that of one added by hand (R11).
- A record without access and without a base customer needs no email; it can only be where a merge ends.
- In a partial snapshot a record that did not come keeps its email. A record that wants it waits; so
  does who wants what that one keeps, and so on (R14). Who is held, or put back by a person, keeps it too.
- In doubt a customer keeps access and groups, and loses access only with the email (another's need).
- A ward never takes over the customer of its vanished guardian, also where the ERP blanked the tie (R8).
- Gone and come back counts as activated afresh (R12): the record did not merely go on.
- Who moves to another record by a merge stays detached; who was not eligible before and signs up anew
  under another id is activated afresh like anybody else.
- Of several customers that end in one record without its own, one moves: whom the ERP states, then who
  has access, then who is linked, then the oldest. What it brings counts in the same run (R17).
- What people enter by hand is no record's witness: one added by hand is adopted whatever their name (R1).
- Vanishing is a change of the record: what a person decided of it before holds no longer (R15, R18).
- What a walk shows and does not prove is in `walks`: whoever is suspected waits, as in a partial snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tests.support.records import somebody_else, two_people
from tests.support.walks import Walks
from tests.support.words import Customer, Record, Snapshot

FIELDS = ("first", "last", "phone")


class Model(Walks):
    """A club: what is known of its ERP, and its base."""

    def __init__(self, limit: int = 10**6) -> None:
        super().__init__()
        self.limit = limit  # R15: how many may lose access in 24 hours
        self.base: list[Customer] = []
        self.hold = set[int | None]()
        self.left: list[tuple[datetime, int | None]] = []
        self.same_person: dict[int | None, Record] = {}  # R1: decided by a person, of these values

    def sync(self, snapshot: Snapshot, approved: frozenset[int | None] = frozenset()) -> None:
        """Take in one snapshot; too many who would lose access are held (R15), but for the approved."""
        self.look(snapshot)
        before, held, by_email = self.base, set[int | None](), set[int | None]()
        recent = {number for left, number in self.left if left > self.at - timedelta(hours=24)}
        self.plan(before, held)
        due = self.losing(before) - approved
        if due and (self.hold or len(due) + len(recent) > self.limit):
            due |= self.merged_by_email() - approved  # R15: "are held with them"
            while due:
                by_email |= self.merged_by_email() & due
                held |= due
                self.plan(before, held)
                due = (self.losing(before) | self.merged_by_email()) - approved - held
        silent = {c.number for c in self.base if c.erp_id in self.here - set(self.shown)}
        silent |= {c.number for c in self.base if c.erp_id in self.reused}
        awaited = {s for s in self.signs if s[0] in self.deferred | self.missing}
        silent |= {c.number for c in self.base if c.erp_id in {i for i, _ in awaited}}
        self.hold = held | ((self.hold - approved) & silent)
        waits = {c.erp_id for c in self.base if c.number in self.hold & by_email}
        silent_ids = self.merging & {c.erp_id for c in self.base if c.number in self.hold - held}
        self.merging = {i for i in waits | silent_ids if i}
        self.left += [(self.at, number) for number in due]
        self.keep_signs(awaited, snapshot.number)
        self.remember(self.waits, {c.erp_id for c in self.base if c.detached})
        for c in self.base:  # what was decided holds until the record is another
            if c.erp_id not in self.waits:
                c.kept = c.kept if self.same(c.kept, c.erp_id) else None
                c.undone = c.undone if self.same(c.undone, c.erp_id) else None

    def losing(self, before: list[Customer]) -> set[int | None]:
        """R15: who loses access, whatever it is called: not who ended in a customer with the same email and access."""
        inside = {c.number: c.email for c in before if c.inside}
        lost = [c for c in self.base if c.number in inside and not c.inside]
        survivors = {c.number: self.stands[c.into] for c in lost if c.into}
        return {
            c.number
            for c in lost
            if not c.into
            or not survivors[c.number].inside
            or survivors[c.number].email != inside[c.number]
        }

    def merged_by_email(self) -> set[int | None]:
        return {c.number for c in self.base if c.by_email}

    def plan(self, before: list[Customer], held: set[int | None]) -> None:
        """The base after a plan; customers in `held` stay as they are."""
        self.base = [replace(c, was=None, merged=False, by_email=False, into=None) for c in before]
        self.own = own = {c.erp_id: c for c in self.base if c.erp_id}
        still = {i for i, c in own.items() if c.number in held or self.decided(c)}
        self.reused = {i for i in self.shown if self.another(i)}
        self.signs = self.unproved(before)
        self.suspected = {i for i, _ in self.signs - self.shown_twice}
        waits = {i for i in self.shown if self.unsettled(i)} | (self.suspected & set(self.shown))
        waits |= {
            sign[10:] for _, sign in self.signs - self.shown_twice if sign[:10] == "dependant:"
        }
        self.deferred, self.waits = set(waits), waits | self.reused
        self.frozen = (self.here - set(self.shown)) | self.waits | still
        self.incoming = self.incoming_by_merge()
        while True:  # R14: who wants what somebody waiting keeps waits too
            self.holder = self.email_winners()
            self.wins = {i: email for email, i in self.holder.items()}
            stuck = {i for i in self.here - self.frozen - self.waits if self.stuck(i)}
            if not stuck:  # who would move by a merge to one that waits, waits with it
                stuck = {
                    i
                    for i in own
                    if self.ends(i)
                    and self.merge_targets.get(i) in (self.waits | self.missing) - {*own}
                }
                self.frozen |= stuck
                self.incoming = self.incoming_by_merge()
            if not stuck:
                break
            self.waits |= stuck
            self.deferred |= stuck
            self.frozen |= stuck & set(own)
        self.move()
        for c in self.base:
            self.apply_rules(c)
        self.link(before)

    def decided(self, c: Customer) -> bool:
        """R15, R18: a person said that they stay so, and the record is still the one it was said of."""
        return self.same(c.kept, c.erp_id) or self.same(c.undone, c.erp_id)

    def unsettled(self, i: str) -> bool:
        """R14, R12: what only a certified snapshot may say of a customer: merged, or activated afresh."""
        c = self.own.get(i)
        fresh = i in self.lapsed and self.access[i] == "yes"
        lapses = i not in self.lapsed and self.not_eligible_itself(i)
        off = bool(c and c.detached) and (fresh or lapses)
        return bool(c) and not self.whole and (i in self.merge_targets or off)

    def another(self, i: str) -> bool:
        """R1: the id shows somebody else, and nobody has said that they are the same person."""
        c = self.own.get(i)
        same = c is not None and self.same_person.get(c.number) == self.now[i]
        was = self.known.get(i)
        return bool(c and was and somebody_else(was, self.now[i])) and not same

    def incoming_by_merge(self) -> dict[str, Customer]:
        """R10: for each record without a customer, the one that a stated merge moves to it."""
        ends = [
            (c, self.merge_targets[i])
            for i, c in self.own.items()
            if self.ends(i) and i in self.merge_targets
        ]
        ends = sorted(
            (e for e in ends if e[1] not in self.own), key=lambda e: e[0].precedence, reverse=True
        )
        return {to: c for c, to in ends}

    def ends(self, i: str) -> bool:
        """Whether the customer of this record may move by a merge."""
        return self.whole and i not in self.frozen and not self.own[i].over

    def email_winners(self) -> dict[str, str]:
        """R2, R7: who has each email."""
        by_hand = {c.email for c in self.base if not c.erp_id}
        refused = {
            c.undone.about for c in self.base if c.undone and not c.erp_id and self.decided(c)
        }
        claims = []
        for i in self.here | self.frozen:
            c = self.own.get(i) or self.incoming.get(i)
            said, keeps, inside = self.email_of(i), c.email if c else None, self.inside(i)
            if i in self.frozen:
                said, rank = keeps, 0
            elif said is None and inside and i not in self.owner:
                said, rank = keeps, 4
            elif inside:
                rank = 1 if keeps == said else 2 if self.access[i] == "yes" else 3
            else:
                rank = 7 if c is None else 5 if keeps == said else 6
            if said and (rank < 5 or said not in by_hand) and (c or i not in refused):
                claims.append((said, rank, int(i)))
        return {email: str(i) for email, _, i in sorted(claims, reverse=True)}

    def inside(self, i: str) -> bool:
        """Would have access but for the email, or has it and keeps it in doubt."""
        c = self.own.get(i) or self.incoming.get(i)
        return self.access[i] == "yes" or (self.access[i] == "doubt" and bool(c and c.inside))

    def stuck(self, i: str) -> bool:
        wants = self.access[i] != "no" or i in self.own
        return wants and self.holder.get(self.email_of(i) or "") in self.frozen

    def survivor(self, i: str) -> str | None:
        """R10: where a record has ended; R8: never under one of its own dependants."""
        if not self.ends(i) or i in self.merge_targets:
            return self.merge_targets.get(i) if self.ends(i) else None
        email = self.known[i].email if i in self.vanished else None
        to = self.holder.get(email or "")  # who is held may keep it, and be gone themselves
        lives_on = to in self.shown and self.email_of(to or "") == email
        if not to or not lives_on or self.ward(to, i):
            return None
        return None if two_people(self.known[i], self.now[to]) else to

    def move(self) -> None:
        """R10: merges; R1: adoption, swallowing, addition: `erp_id` becomes whom each stands for."""
        by_email = {c.email: c for c in self.base if c.email}
        ended = [(c, to) for i, c in self.own.items() if (to := self.survivor(i))]
        stands = dict(self.own)
        order = sorted(
            ended, key=lambda e: (e[0].erp_id not in self.merge_targets, *e[0].precedence)
        )
        for c, to in order:
            c.merged, c.by_email = True, c.erp_id not in self.merge_targets
            if to in stands:
                c.into = to
            else:
                c.was, c.erp_id, stands[to] = c.erp_id, to, c
        for email, i in self.holder.items():
            has = by_email.get(email)
            if i not in self.shown or i in self.frozen or not self.inside(i):
                continue
            if i in stands:
                if has and not has.erp_id and not self.different_people(has, i):
                    has.merged, has.into = True, i
            elif has and not has.merged and self.adoptable(has, i):
                has.was, has.erp_id, stands[i] = has.erp_id or "", i, has
            else:
                stands[i] = Customer(None, i, None, inside=False)
                self.base.append(stands[i])
        free = {c.was for c in self.base if c.was}
        for c, to in order:  # the survivor's own customer went elsewhere in this very run
            if c.into in free and to not in {b.erp_id for b in self.base if not b.into}:
                c.was, c.erp_id, c.into = c.erp_id, to, None
        self.stands = {c.erp_id: c for c in self.base if c.erp_id and not c.into}

    def adoptable(self, c: Customer, by: str) -> bool:
        """R1: without an ERP id, or its own record is gone or no longer eligible."""
        i = c.erp_id
        if self.different_people(c, by):
            return False
        if i is None or i in self.frozen or (i not in self.here and self.ward(by, i)):
            return i is None
        lost = self.access[i] == "yes" and i not in self.wins
        return self.access[i] == "no" or lost or (self.access[i] == "doubt" and not c.inside)

    def different_people(self, c: Customer, by: str) -> bool:
        """R1: two people by the records' own witness; what people enter by hand witnesses nothing."""
        if c.erp_id:
            return two_people(self.now[c.erp_id], self.now[by])
        return c.apart and two_people(c, self.now[by])

    def apply_rules(self, c: Customer) -> None:
        """R3 to R6, R9, R12, R13: the customer after this plan."""
        i, taken = c.erp_id or "", self.holder.get(c.email or "")
        given_up = taken in self.stands and taken not in self.frozen
        if c.into:
            c.inside, c.groups, c.over = False, frozenset(), True
            c.email = None if given_up else c.email
        elif i and i not in self.frozen:
            before = {i, c.was} if c.was and not c.merged else {i}
            sure = self.access[i] == "yes" and i in self.wins
            c.detached = c.detached and not (sure and self.whole and before & self.lapsed)
            c.email = self.wins.get(i) or (None if given_up else c.email)
            in_doubt = self.access[i] == "doubt" and c.email is not None
            c.inside = (sure or (in_doubt and c.inside)) and not c.detached
            c.over = c.over and not c.inside
            fed = {g for g in self.current(i) if self.groups.get(g)}
            odd = {g for g in c.groups & self.current(i) if self.groups.get(g) is None}
            c.groups = c.groups if in_doubt else frozenset(fed | odd)
            c.groups = c.groups if c.inside else frozenset()
        elif c.apart and given_up:
            c.email = None
        if i in set(self.shown) - self.waits and not c.into:
            for name in FIELDS:
                setattr(c, name, self.field(c, name))

    def link(self, before: list[Customer]) -> None:
        """R10: the survivor inherits the app link; `hands` knows the app's users."""
        for c in sorted((c for c in self.base if c.into and c.user), key=lambda c: c.number or 0):
            heir = self.stands[c.into or ""]
            if not heir.user:
                heir.user, c.user = c.user, None
