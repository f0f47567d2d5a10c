"""R14 as a hypothesis state machine on PostgreSQL: an ERP that people edit between the pages of a reading.

It is read by the real `rest` and `csv` connectors, in every kind of paging, beside what people do by hand, lost pages,
replays, holds and their decisions, undo and redo. After each step the base equals the model, and the promise holds,
told from the ERP's own state: nobody who was active all along has been out, nobody inactive all along has got in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from clubsync.model import SnapshotHead
from tests.clubsync.test_engine_machine import EngineMachine, run_machine
from tests.support.erp_rules import ids, letters
from tests.support.memory import FORMER_GROUP
from tests.support.rules import NewClub
from tests.support.servers import serving
from tests.support.words import Record
from tests.support.world import GROUPS, IDS, LETTERS, STATUSES
from tests.support.world_erp import FILE, KINDS, WorldErp, as_records

#: What one person does between two pages: the name of a method of `World`, and what it takes.
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("vanish"), st.tuples(ids)),
        st.tuples(st.just("put"), st.tuples(ids, letters, st.sampled_from(STATUSES))),
        st.tuples(st.just("swap"), st.tuples(ids, ids)),
        st.tuples(st.just("merge"), st.tuples(ids, ids)),
        st.tuples(st.just("adopt"), st.tuples(ids, ids)),
        st.tuples(
            st.just("join"),
            st.tuples(ids, st.dictionaries(st.sampled_from(GROUPS), st.none(), max_size=2)),
        ),
        st.tuples(
            st.just("switch"), st.tuples(st.sampled_from(GROUPS), st.sampled_from([True, False]))
        ),
    ),
    max_size=6,
)
#: What has nothing to do with readings is the other machine's.
LEFT_OUT = (
    *("register", "confirm", "set_email", "request", "accept", "refuse"),
    *("edit_email", "rename", "bereave", "sync_twice"),
)


class WalkMachine(EngineMachine):
    """One club whose ERP is read page by page."""

    served: ClassVar[WorldErp]
    folder: ClassVar[Path]
    left: list[Any]

    @initialize(
        limit=st.sampled_from([1, 2, 1000]),
        filled=st.just(True),
        before=st.booleans(),
        after=st.booleans(),
    )
    def found(self, limit: int, filled: bool, before: bool = True, after: bool = True) -> None:
        self.left = []
        super().found(limit=limit, filled=filled, before=before, after=after)

    def anchored(self) -> dict[str, Record]:
        """R14: a list of memberships whose holders are no customers is refused; there is always one who is."""
        gold = {self.world.group(GROUPS[0]): None}
        return {i: replace(record, groups=gold) for i, record in super().anchored().items()}

    @rule(kind=st.sampled_from(KINDS), joined=st.booleans(), newest=st.booleans(), edits=EDITS)
    def walk(self, kind: str, joined: bool, newest: bool, edits: list[Any]) -> None:
        """A reading between whose pages people edit the ERP."""
        kind = self.possible(kind)
        self.left = list(edits)
        self.served.newest_first = newest
        self.take(lambda: self.walked(kind, joined), joined=joined)

    @rule(kind=st.sampled_from(KINDS), joined=st.booleans(), gone=ids, edits=EDITS)
    def walk_twice(self, kind: str, joined: bool, gone: str, edits: list[Any]) -> None:
        """Somebody leaves; one reading suspects, the next one confirms, though people go on editing."""
        self.vanish(gone)
        self.walk(kind, joined, False, edits)
        self.walk(kind, joined, False, edits[:1])

    def walked(self, kind: str, joined: bool) -> dict[str, Any]:
        """Read, and load what was read."""
        club, world, erp = self.club, self.world, self.served
        erp.records = lambda: {**world.erp, **self.anchor}
        erp.groups = lambda: world.groups
        erp.between = self.somebody_edits
        moment = club.now + timedelta(minutes=5)
        reading = replace(
            erp.read(kind, joined=joined, folder=self.folder, now=moment), as_of=moment
        )
        shown = as_records(reading)
        groups = dict(reading.groups.select("id", "active").iter_rows())
        groups.pop(FORMER_GROUP, None)
        club.erp.reading = lambda since=None: reading  # type: ignore[method-assign]  # it was read already
        try:
            step = self.synced(club.sync)
        finally:
            del club.erp.reading
        self.reached[f"walk: {kind}"] += 1
        self.reached["suspected"] += step["suspected"]
        self.load(dict(step), shown, groups)
        return dict(step)

    def somebody_edits(self) -> None:
        if self.left:
            name, arguments = self.left.pop(0)
            getattr(self.world, name)(*arguments)
            self.world.promise.edited()
            self.reached["edited meanwhile"] += 1

    def load(
        self, step: dict[str, Any], shown: dict[str, Record], groups: dict[str, bool | None]
    ) -> None:
        """Tell the model what was read, and what it proves."""
        ((certified, consistency, memberships),) = self.club.rows(
            "select certified, consistency, memberships from sync.snapshot where club = %s"
            " and snapshot = %s",
            self.me,
            step["snapshot"],
        )
        now = self.club.now
        head = SnapshotHead(
            *(0, now, certified, 0, "", 1, now, now),
            consistency=consistency,
            memberships=memberships,
        )
        self.tell(step, shown, groups, head.proof)

    # --- the promise ------------------------------------------------------------------------------

    def read(self, lost: set[str]) -> int:
        """The readings of the other machine's rules are walks too, but for some."""
        dice = Random(f"{self.readings} {len(self.world.erp)}")
        if lost or dice.random() < 0.3:
            return self.take(lambda: self.read_whole(lost))
        self.left = [self.an_edit(dice) for _ in range(dice.randint(0, 4))]
        kind, joined = self.possible(dice.choice(KINDS)), dice.random() < 0.3
        self.served.newest_first = dice.random() < 0.5
        return self.take(lambda: self.walked(kind, joined), joined=joined)

    def an_edit(self, dice: Random) -> tuple[str, tuple[Any, ...]]:
        """What one person does between two pages."""
        i, j, letter = dice.choice(IDS), dice.choice(IDS), dice.choice(LETTERS)
        return dice.choice(
            [
                ("vanish", (i,)),
                ("put", (j, letter, dice.choice(STATUSES))),
                ("swap", (i, j)),
                ("merge", (i, j)),
                ("adopt", (i, j)),
                ("join", (i, {dice.choice(GROUPS): None})),
            ]
        )

    def possible(self, kind: str) -> str:
        """A file has no place for the days of groups."""
        dated = any(day for r in self.world.erp.values() for day in r.groups.values())
        return "single answer" if kind == FILE and dated else kind

    def take(self, run: Callable[[], dict[str, Any]], *, joined: bool = False) -> int:
        """A reading; nobody loses or gains access by it wrongly."""
        self.world.today = (self.club.now + timedelta(minutes=5)).date()
        promise = self.world.promise
        promise.edited()
        promise.begin()
        before = {row["id"] for row in self.club.base().values() if row["in_customers_group"]}
        written = self.counted(run)
        rows = [r for r in self.club.base().values() if r["in_customers_group"]]
        entered = {r["erp_id"] for r in rows if r["id"] not in before and r["erp_id"]}
        assert promise.broken(self.people()) == set()
        assert promise.gained(entered, joined=joined) == set()
        return written

    def people(self) -> dict[str, tuple[bool, str | None]]:
        rows = self.club.base().values()
        return {r["erp_id"]: (r["in_customers_group"], r["email"]) for r in rows if r["erp_id"]}

    @precondition(lambda self: self.model.hold)
    @rule()
    def approve(self) -> None:
        """What a person approves takes access from nobody who is active throughout."""
        super().approve()
        assert self.world.promise.broken(self.people()) == set()

    @invariant()
    def the_promise_goes_on(self) -> None:
        """What people do by hand, or undo, breaks no promise; it holds from there on."""
        self.world.promise.edited()
        self.world.promise.by_hand(self.people())


@pytest.fixture(scope="module")
def served() -> Iterator[WorldErp]:
    erp = WorldErp()
    with serving(erp.lists.app()) as erp.url:
        yield erp


def run(
    new_club: NewClub, served: WorldErp, folder: Path, examples: int, steps: int, *, same: bool
) -> Counter[str]:
    left_out = dict.fromkeys(LEFT_OUT)
    machine = type("Walks", (WalkMachine,), {"served": served, "folder": folder, **left_out})
    return run_machine(new_club, examples, steps, same=same, machine=machine, shrink=not same)


@pytest.mark.timeout(1200)
def test_r14_an_erp_that_is_edited_while_it_is_read(
    new_club: NewClub, served: WorldErp, tmp_path: Path
) -> None:
    reached = run(new_club, served, tmp_path, examples=4, steps=14, same=True)
    assert reached["edited meanwhile"] > 10, reached
    assert reached["suspected"], reached


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_r14_an_erp_that_is_edited_while_it_is_read_deep(
    new_club: NewClub, served: WorldErp, tmp_path: Path
) -> None:
    reached = run(new_club, served, tmp_path, examples=200, steps=50, same=False)
    for kind in KINDS:
        assert reached[f"walk: {kind}"], reached
    for what in ("held", "approved", "rejected", "undone", "redone", "replayed", "suspected"):
        assert reached[what], reached
