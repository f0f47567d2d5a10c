"""The whole engine on PostgreSQL against the model, step by step, as a hypothesis state machine.

Random ERP histories, what people do by hand and in the app, lost pages, replays, holds and their decisions,
undo and redo. After each step the base equals the model, every id there was is there, and a run's rows
written are the rows changed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from clubsync.config import Config, Guard
from clubsync.errors import ActionRejected
from clubsync.manual import app_users, customers, identity, requests
from clubsync.manual.undo import undo
from clubsync.model import Proof, Step
from clubsync.store.database import Base
from tests.support.club import Club
from tests.support.erp_rules import ErpMachine, ids, letters, phones
from tests.support.hands import Hands
from tests.support.memory import FORMER_GROUP
from tests.support.narrow import present
from tests.support.neighbour import Neighbour, write_erp
from tests.support.rules import NewClub
from tests.support.words import Customer, Record, Snapshot
from tests.support.world import IDS, World

TABLES = {
    "customer": "customer",
    "customer_group": "group_id",
    "membership": "customer || ' ' || group_id",
    "attachment_request": "request_id",
}
picks = st.integers(0, 5)
_numbers = itertools.count(100)


class EngineMachine(ErpMachine):
    """One club; the ERP always has one customer who never changes, so that it is never empty.

    It is synced in one batch with up to two others, which have customers of the same ids and emails (R25, R21).
    """

    new_club: ClassVar[NewClub]
    #: How often each kind of thing has happened, in all examples: a machine that reaches nothing proves nothing.
    reached: ClassVar[Counter[str]]

    @initialize(
        limit=st.sampled_from([1, 2, 1000]),
        filled=st.booleans(),
        before=st.booleans(),
        after=st.booleans(),
    )
    def found(self, limit: int, filled: bool, before: bool = True, after: bool = True) -> None:
        guard = Guard(share=0, at_least=limit, at_most=limit)
        self.club: Club = self.new_club(former_groups=(FORMER_GROUP,), timezone="UTC", guard=guard)
        self.club.pipeline().club_no(self.club.config)  # known to the base before its first sync
        self.model = Hands(limit)
        # the engine is this machine itself: the world only keeps the ERP
        self.world = World(next(_numbers), None, self.model)  # type: ignore[arg-type]  # no engine
        self.anchor = self.anchored()
        self.neighbours = [Neighbour(self.new_club, 1000) for beside in (before, after) if beside]
        clubs = [neighbour.club for neighbour in self.neighbours]
        self.club.before, self.club.after = (clubs[:1], clubs[1:]) if before else ([], clubs)
        self.shown_last: tuple[dict[str, Record], dict[str, bool | None]] = self.anchor, {}
        self.snapshots: list[tuple[int, bool]] = []
        self.readings = 0
        self.ever: set[int] = set()
        self.changing: list[int] = []
        if filled:
            for i, letter in zip(IDS, "abcde", strict=True):
                self.world.put(i, letter, "active")
        self.sync()

    def anchored(self) -> dict[str, Record]:
        """The customer who never changes."""
        return {self.world.id("9"): Record(f"anchor{self.world.number}@x.fr")}

    @property  # a plain attribute where time stands still; here the club's clock says it
    def today(self) -> date:  # type: ignore[override]  # there an attribute
        return self.club.now.date()

    # --- syncs --------------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        self.read(set())

    @rule()
    def sync_twice(self) -> None:
        """R17: what is read again unchanged writes nothing."""
        self.read(set())
        assert self.read(set()) == 0

    @rule(lost=st.sets(ids, min_size=1, max_size=3))
    def sync_in_part(self, lost: set[str]) -> None:
        self.read({self.world.id(i) for i in lost})

    @rule(
        gone=st.sets(ids, min_size=2, max_size=4),
        then=st.sampled_from(["approve", "reject", "wait", "undo"]),
    )
    def many_leave(self, gone: set[str], then: str) -> None:
        """Enough for the guard of a small club; and what a person makes of it."""
        for i in gone:
            self.world.vanish(i)
        self.read(set())
        if then == "undo":
            self.undo(0)
        elif self.model.hold and then == "approve":
            self.approve()
        elif self.model.hold and then == "reject":
            self.reject()

    @rule(back=st.dictionaries(ids, letters, min_size=2, max_size=4))
    def many_come(self, back: dict[str, str]) -> None:
        for i, letter in back.items():
            self.world.put(i, letter, "active")
        self.read(set())

    def read(self, lost: set[str]) -> int:
        """One run; rows written."""
        return self.counted(lambda: self.read_whole(lost))

    def read_whole(self, lost: set[str]) -> dict[str, Any]:
        """A reading of one moment, but for records on a page that is lost."""
        erp = {**self.world.erp, **self.anchor}
        write_erp(self.club, erp, self.world.groups)
        lost &= set(erp)
        shown = {i: r for i, r in erp.items() if i not in lost}
        step = self.synced(lambda: self.club.sync(lost=tuple(lost)))
        proof = Proof(certified=not lost, absence=not lost)
        self.tell(step, shown, dict(self.world.groups), proof)
        return step

    def synced(self, sync: Callable[[], Step]) -> dict[str, Any]:
        """Sync the batch. The other clubs read what this one's ERP had one reading ago."""
        for neighbour in self.neighbours:
            neighbour.show(*self.shown_last)
        self.shown_last = {**self.world.erp, **self.anchor}, dict(self.world.groups)
        step = dict(sync())
        for neighbour in self.neighbours:
            neighbour.loaded()
            self.reached["neighbours"] += 1
        return step

    def tell(
        self,
        step: dict[str, Any],
        shown: dict[str, Record],
        groups: dict[str, bool | None],
        proof: Proof,
    ) -> None:
        """Tell the model what was read and loaded, and what it proves."""
        self.readings += 1
        snapshot = Snapshot(shown, groups, proof.certified, self.club.now, self.readings, proof)
        self.model.run(present(step["run"]), snapshot)
        self.snapshots.append((present(step["snapshot"]), proof.certified))

    def counted(self, run: Callable[[], dict[str, Any]]) -> int:
        """R17, R18: rows written are rows changed, and one audit row for each customer and kind."""
        before, audit = self.rows(), self.audit()
        step = run()
        assert step.get("error") is None, step
        after, now = self.rows(), self.audit()
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert step["rows_written"] == len(changed) + len(now) - len(audit), (step, changed)
        assert len(set(now)) == len(now)
        counts = step.get("counts") or step.get("changes") or {}
        if any(counts.values()) and step["run"] in self.model.runs:
            self.changing.append(step["run"])
        self.reached.update({kind: n for kind, n in counts.items() if n})
        self.reached["held"] += bool(self.model.hold)
        if step["run"] in self.model.runs:
            self.model.name(step["run"], self.numbers())
        return int(step["rows_written"])

    @precondition(lambda self: any(whole for _, whole in self.snapshots[1:]))
    @rule(pick=st.integers(0, 50))
    def replay(self, pick: int) -> None:
        """R16: an older snapshot than the last certified one changes nothing."""
        last = max(k for k, (_, whole) in enumerate(self.snapshots) if whole)
        number, _ = self.snapshots[pick % last]
        before = self.rows()
        self.reached["replayed"] += 1
        step = self.club.pipeline().replay_snapshot(self.club.id, "replay", number)
        assert (step["error"], step["rows_written"]) == (None, 0)
        assert self.rows() == before

    @rule(days=st.sampled_from([1, 1, 2, 31]))
    def pass_time(self, days: int) -> None:
        self.club.later(days=days)

    # --- decisions ----------------------------------------------------------------------------

    def hold(self) -> int | None:
        found = self.club.rows(
            "select hold from sync.hold where club = %s and state = 'open'", self.me
        )
        return found[0][0] if found else None

    @precondition(lambda self: self.model.hold)
    @rule()
    def approve(self) -> None:
        def run() -> dict[str, Any]:
            self.reached["approved"] += 1
            step = self.club.pipeline().approve(self.hold() or 0, "Ann")
            if step["run"]:
                self.model.approve(step["run"], self.club.now)
            return dict(step)

        self.counted(run)

    @precondition(lambda self: self.model.hold)
    @rule()
    def reject(self) -> None:
        self.reached["rejected"] += 1
        self.club.pipeline().reject(self.hold() or 0, "Ann")
        self.model.reject(self.club.now)

    @precondition(lambda self: len(self.snapshots) > 2)
    @rule(pick=st.integers(0, 3))
    def undo(self, pick: int) -> None:
        """R18: one of the last runs; too many who would lose access is what the person saw and approved."""
        runs = self.changing or sorted(self.model.runs)
        run = runs[-1 - pick % len(runs)]
        config = Config(clubs=(self.club.config,))
        held = undo(self.base, config, run, dry_run=True)["held"]
        seen = held["list"] if held else None

        def back() -> dict[str, Any]:
            report = undo(self.base, config, run, list_hash=seen, by="Ann")
            self.reached["undone"] += any(report["changes"].values())
            skipped = {skip["customer"]: skip["why"] for skip in report["skipped"]}
            reworded = {
                c
                for c, why in skipped.items()
                if why == "changed since: reason for having no access"
            }
            assert set(skipped) == self.model.undo(run, reworded)
            return report

        self.counted(back)
        self.model.answer()

    @precondition(lambda self: self.model.runs)
    @rule(pick=st.integers(0, 3))
    def redo(self, pick: int) -> None:
        runs = [present(c.undone.run) for c in self.model.base if c.undone]
        run = runs[pick % len(runs)] if runs else min(self.model.runs)

        def again() -> dict[str, Any]:
            self.reached["redone"] += 1
            step = self.club.pipeline().redo(run, "Ann")
            assert self.model.redo(run, present(step["run"]), self.club.now)
            return dict(step)

        if runs:
            self.counted(again)
        else:
            with pytest.raises(ActionRejected):
                self.club.pipeline().redo(run, "Ann")

    @precondition(lambda self: self.model.decidable())
    @rule(pick=picks, same=st.booleans())
    def decide_an_id(self, pick: int, same: bool) -> None:
        """R1: it is the same person, or somebody else."""
        waiting = self.model.decidable()
        c = waiting[pick % len(waiting)]
        erp_id, decision = c.erp_id or "", "keep" if same else "replace"
        identity.decide(self.base, self.club.config, erp_id, decision, by="Ann")  # type: ignore[arg-type]  # one of the words
        self.reached[decision] += 1
        self.model.keep(c) if same else self.model.replace(c)

    # --- by hand ------------------------------------------------------------------------------

    @property
    def me(self) -> int:
        return self.club.number

    @property
    def base(self) -> Base:
        return self.club._base

    def done(
        self, act: Callable[..., dict[str, Any]], *arguments: object, **how: object
    ) -> int | None:
        """Do it; the id of what it made, or None where it was refused."""
        try:
            return int(act(self.base, self.club.config, *arguments, **how)["id"])
        except ActionRejected as refusal:
            note(refusal.what)
            return None

    def somebody(self, pick: int) -> Customer | None:
        return self.model.base[pick % len(self.model.base)] if self.model.base else None

    @rule(letter=letters, phone=phones)
    def add_by_hand(self, letter: str, phone: str | None) -> None:
        email = self.world.email(letter)
        made = self.done(customers.add, email, "Hand", "Made", phone)
        assert (made is not None) == self.model.add(email, phone)
        if made is not None:
            added = self.model.of(email)
            assert added is not None
            added.number = made
            self.model.answer()

    @rule(pick=picks)
    def detach(self, pick: int) -> None:
        if c := self.somebody(pick):
            assert (self.done(customers.detach, str(c.number)) is not None) == self.model.detach(c)

    @rule(pick=picks, phone=phones)
    def edit_phone(self, pick: int, phone: str | None) -> None:
        if c := self.somebody(pick):
            assert self.done(customers.edit, str(c.number), phone=phone or "") is not None
            c.phone = phone

    @rule(pick=picks, letter=letters)
    def edit_email(self, pick: int, letter: str) -> None:
        if c := self.somebody(pick):
            email = self.world.email(letter)
            done = self.done(customers.edit, str(c.number), email=email) is not None
            assert done == self.model.edit_email(c, email)
            self.model.answer()

    # --- the app ------------------------------------------------------------------------------

    def in_app(
        self, act: Callable[..., dict[str, Any]], *arguments: object, **how: object
    ) -> int | None:
        try:
            return int(act(self.base, {self.me: self.club.config}, *arguments, **how)["id"])
        except ActionRejected as refusal:
            note(refusal.what)
            return None

    def user(self, pick: int) -> int:
        return sorted(self.model.users)[pick % len(self.model.users)]

    @rule(letter=letters, sure=st.booleans())
    def register(self, letter: str, sure: bool) -> None:
        email = self.world.email(letter)
        made = self.in_app(app_users.register, email, confirmed=sure)
        assert (made is not None) == self.model.register(made, email, sure)
        self.model.answer()

    @precondition(lambda self: self.model.users)
    @rule(pick=picks)
    def confirm(self, pick: int) -> None:
        user = self.user(pick)
        done = self.in_app(app_users.confirm, str(user)) is not None
        assert done == self.model.set_email(user, self.model.users[user][0], True)
        self.model.answer()

    @precondition(lambda self: self.model.users)
    @rule(pick=picks, letter=letters, sure=st.booleans())
    def set_email(self, pick: int, letter: str, sure: bool) -> None:
        user, email = self.user(pick), self.world.email(letter)
        done = self.in_app(app_users.set_email, str(user), email, confirmed=sure) is not None
        assert done == self.model.set_email(user, email, sure)
        self.model.answer()

    @precondition(lambda self: self.model.users)
    @rule(pick=picks)
    def request(self, pick: int) -> None:
        user = self.user(pick)
        made = self.done(requests.request, str(user))
        assert (made is not None) == self.model.request(made, user)

    def pending(self) -> list[int]:
        return sorted(n for n, (_, state) in self.model.requests.items() if state == "pending")

    @precondition(lambda self: self.pending())
    @rule(pick=picks)
    def accept(self, pick: int) -> None:
        number = self.pending()[pick % len(self.pending())]
        email = self.model.users[self.model.requests[number][0]][0]
        done = self.done(requests.accept, str(number)) is not None
        assert done == self.model.accept(number)
        if done:
            c = self.model.of(email)
            assert c is not None
            rows = self.club.rows("select customer from base.customer where email = %s", email)
            c.number = rows[0][0]
            self.model.answer()

    @precondition(lambda self: self.pending())
    @rule(pick=picks)
    def refuse(self, pick: int) -> None:
        number = self.pending()[pick % len(self.pending())]
        assert self.done(requests.refuse, str(number)) == number
        user, _ = self.model.requests[number]
        self.model.requests[number] = (user, "refused")

    # --- what must hold -----------------------------------------------------------------------

    def rows(self) -> dict[tuple[str, str], str]:
        """Every row of the club in schema base, but for the time it was touched."""
        found = {}
        for table, key in TABLES.items():
            sql = f"select ({key})::text, to_jsonb(t) - 'updated_at' from base.{table} as t where club = %s"
            for name, row in self.club.rows(sql, self.me):
                found[(table, name)] = json.dumps(row, sort_keys=True)
        return found

    def audit(self) -> list[tuple[object, ...]]:
        return self.club.rows(
            "select run, customer, kind from sync.change where club = %s", self.me
        )

    def numbers(self) -> dict[str, int]:
        sql = "select erp_id, customer from base.customer where club = %s and erp_id is not null"
        return {row[0]: row[1] for row in self.club.rows(sql, self.me)}

    @invariant()
    def the_base_is_the_models(self) -> None:
        base = {
            row["id"]: (
                row["erp_id"],
                row["email"],
                row["in_customers_group"],
                set(row["groups"]),
                (row["phone"], row["first_name"], row["last_name"]),
                row["detached"],
                row["link"],
            )
            for row in self.club.base().values()
        }
        model = self.model
        assert base == {
            c.number: (
                c.erp_id,
                c.email,
                c.inside,
                set(c.groups),
                (c.phone, c.first, c.last),
                c.detached,
                model.link_of(c),
            )
            for c in model.base
        }
        users = self.club.rows(
            "select customer, linked_user from base.customer where club = %s", self.me
        )
        assert dict(users) == {c.number: c.user for c in model.base}
        assert self.ever <= set(base), "ids are for ever"
        self.ever = set(base)

    @invariant()
    def holds_and_requests_are_the_models(self) -> None:
        held = self.club.rows(
            "select m.customer from sync.hold as h join sync.hold_member as m using (club, hold)"
            " where club = %s and h.state = 'open' and m.left_version is null",
            self.me,
        )
        assert {row[0] for row in held} == self.model.hold
        requests = self.club.rows(
            "select request_id, user_id, state from base.attachment_request where club = %s",
            self.me,
        )
        assert {n: (user, state) for n, user, state in requests} == self.model.requests

    @invariant()
    def the_summary_counts_what_is_open(self) -> None:
        sql = "select code, findings from sync.finding_summary where club = %s"
        open_now = (code for codes in self.club.findings().values() for code in codes)
        assert dict(self.club.rows(sql, self.me)) == Counter(open_now)


def run_machine(
    new_club: NewClub,
    examples: int,
    steps: int,
    *,
    same: bool,
    machine: type[EngineMachine] = EngineMachine,
    shrink: bool = True,
) -> Counter[str]:
    """How often each kind of thing happened.

    :param same: the same examples each time.
    :param shrink: what fails is made shorter, which takes minutes; else it is told as it was found.
    """
    reached: Counter[str] = Counter()
    machine = type("Machine", (machine,), {"new_club": staticmethod(new_club), "reached": reached})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=same,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=list(Phase) if shrink else [Phase.generate],
        ),
    )
    return reached


def test_decisions_in_turn_against_the_model(new_club: NewClub) -> None:
    """What chance reaches rarely, one after the other: approved, rejected, undone, redone."""
    reached: Counter[str] = Counter()
    machine = type(
        "Machine", (EngineMachine,), {"new_club": staticmethod(new_club), "reached": reached}
    )()
    machine.found(limit=1, filled=True)
    steps: list[Callable[[], None]] = [
        lambda: machine.many_leave(gone={"1", "2"}, then="approve"),
        lambda: machine.many_come(back={"1": "a", "2": "b"}),
        lambda: machine.many_leave(gone={"3", "4"}, then="reject"),
        machine.sync_twice,
        lambda: machine.many_come(back={"3": "c", "4": "f"}),
        lambda: machine.register(letter="g", sure=True),
        lambda: machine.put("5", "g", "active"),
        machine.sync,
        lambda: machine.undo(0),
        machine.sync_twice,
        lambda: machine.redo(0),
        lambda: machine.many_leave(gone={"1", "2", "3"}, then="wait"),
        lambda: machine.sync_in_part(lost={"4"}),
        lambda: machine.replay(1),
        lambda: machine.many_come(back={"1": "b", "2": "a"}),
    ]
    for step in steps:
        step()
        machine.the_base_is_the_models()
        machine.holds_and_requests_are_the_models()
    for what in ("held", "approved", "rejected", "undone", "redone", "replayed", "neighbours"):
        assert reached[what], (what, reached)


def test_the_engine_against_the_model(new_club: NewClub) -> None:
    """The state machine; hypothesis shrinks what it finds to a few steps."""
    reached = run_machine(new_club, examples=3, steps=30, same=True)
    assert reached["addition"], reached


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_the_engine_against_the_model_deep(new_club: NewClub) -> None:
    reached = run_machine(new_club, examples=300, steps=60, same=False)
    decided = ("held", "approved", "rejected", "undone", "redone", "replayed")
    for what in ("email_change", "merge", "adoption", *decided):
        assert reached[what], reached
