"""The diff against the model: small ERP worlds in which everything collides, run after run.

Two ways: hundreds of worlds side by side in one plan, by seed, for the numbers; and a state machine on
one world, which shrinks what it finds to a few steps. Both run deep where tests marked long do.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from connectors.sdk.model import Consistency
from tests.support.erp_rules import ErpMachine, ids, letters, phones
from tests.support.memory import Memory, Walked
from tests.support.walking import walked
from tests.support.words import Record, Snapshot
from tests.support.world import World, check, found

TODAY = date(2026, 3, 2)
WORLDS = 150
RUNS = 25


def seen(
    shown: dict[str, Record], groups: dict[str, bool | None], whole: bool, today: date
) -> Snapshot:
    """The reading as the model takes it."""
    return Snapshot(dict(shown), dict(groups), whole, datetime.combine(today, time(12), UTC))


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 40))]
)
def test_many_worlds_at_once(seed: int) -> None:
    """Every run, every world has the base that the rules ask for; and the same snapshot again changes nothing."""
    dice, today, engine = Random(seed), TODAY, Memory()
    worlds = [World(n, engine) for n in range(100, 100 + WORLDS)]
    for _ in range(RUNS):
        whole = dice.random() < 0.75
        today += timedelta(dice.choice([0, 0, 1, 2]))
        shown: dict[str, Record] = {}
        groups: dict[str, bool | None] = {}
        mine: dict[int, dict[str, Record]] = {}
        for world in worlds:
            for _ in range(dice.randint(0, 5)):
                world.mutate(dice, today)
            lost = set() if whole else set(dice.sample(sorted(world.erp), len(world.erp) // 2))
            mine[world.number] = {i: r for i, r in world.erp.items() if i not in lost}
            world.log.append(f"sync(whole={whole}, today={today}, lost={sorted(lost)})")
            shown |= mine[world.number]
            groups |= world.groups
        before = set(engine.base)
        engine.sync(shown, groups, whole, today)
        check(engine, before)
        numbers = {row["erp_id"]: n for n, row in engine.base.items() if row["erp_id"]}
        base = found(engine)
        expected: dict[int | None, tuple[object, ...]] = {}
        for world in worlds:
            world.model.sync(seen(mine[world.number], world.groups, whole, today))
            world.name_the_new(numbers)
            now = world.expected()
            mine_too = {n for n, row in base.items() if row[0] in world.model.now}
            assert {n: base.get(n or 0) for n in {*now, *mine_too}} == now, "\n".join(world.log)
            expected |= now
        assert set(base) == set(expected)
        again = engine.plan(engine.snapshot(shown, groups, whole), today)
        restless = [*again.changes.to_dicts(), *again.records.to_dicts()]
        stories = [
            "\n".join(w.log) for w in worlds if {r["erp_id"] for r in restless} & set(w.model.now)
        ]
        assert not restless, (restless, *stories)
        assert again.customers.is_empty()


#: How a reading is made, and how often.
HOW = (
    *[Consistency.BY_POSITION] * 4,
    *[Consistency.BY_ID] * 2,
    Consistency.MOMENT,
)
#: Worlds of the short test, and lives of the long one.
FEW, LIVES = 40, 250


@pytest.mark.parametrize("seed", [0])
def test_r14_worlds_that_are_edited_while_they_are_read(seed: int) -> None:
    told = walk_through(seed, FEW, 20)
    assert told["walks"] > 100
    assert told["confirmed"] > 10


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, 9))
def test_r14_two_thousand_lives_that_are_edited_while_they_are_read(seed: int) -> None:
    """Eight times 250."""
    assert walk_through(seed, LIVES, 25)["walks"] > 1000


def walk_through(seed: int, lives: int, runs: int) -> Counter[str]:
    """Let worlds live side by side, each edited between the pages of its own walk.

    After every run every world has the base that the model asks for, and the promise holds, told from the ERP's
    state alone; the same snapshot again changes nothing.

    :returns: how often what happened.
    """
    dice, today, engine, told = Random(seed), TODAY, Memory(), Counter[str]()
    worlds = [World(n, engine) for n in range(100, 100 + lives)]
    for run in range(1, 1 + runs):
        whole, how = dice.random() < 0.85, dice.choice(HOW)
        joined = how is not Consistency.MOMENT and dice.random() < 0.3
        today += timedelta(dice.choice([0, 0, 0, 1]))
        shown: dict[str, Record] = {}
        groups: dict[str, bool | None] = {}
        mine: dict[int, tuple[dict[str, Record], dict[str, bool | None]]] = {}
        for world in worlds:
            world.today = today
            world.promise.edited()
            for _ in range(dice.randint(0, 3)):
                live_on(world, dice, today)
            listed = dict(world.groups)
            there, proved = read(world, dice, how, joined=joined, busy=True)
            told["walks"] += how is not Consistency.MOMENT
            if whole and not proved:
                listed = dict(world.groups)
                there, proved = read(world, dice, how, joined=joined, busy=False)
                assert proved
            world.log.append(f"run {run}: {how}, {whole=}, {joined=}, {sorted(there)}")
            mine[world.number] = there, listed
            shown |= there
            groups |= listed
        before = {n for n, row in engine.base.items() if row["in_customers_group"]}
        words = Walked(
            number=run,
            consistency=str(how),
            memberships=(str(how) if whole else "incomplete") if joined else None,
        )
        known = len(engine.suspicions)
        engine.sync(shown, groups, whole, today, **words)
        told["suspected"] += len(engine.suspicions)
        told["confirmed"] += max(known - len(engine.suspicions), 0)
        snapshot = engine.snapshot(shown, groups, whole, **words)
        entered = {
            row["erp_id"]
            for n, row in engine.base.items()
            if row["in_customers_group"] and n not in before
        }
        numbers = {row["erp_id"]: n for n, row in engine.base.items() if row["erp_id"]}
        for world in worlds:
            there, listed = mine[world.number]
            story = "\n".join(world.log)
            at = datetime.combine(today, time(12), UTC)
            world.model.sync(Snapshot(there, listed, whole, at, run, snapshot.head.proof))
            world.name_the_new(numbers)
            now = world.expected()
            base = found(engine, now)
            assert base == now, story
            broken, gained = (
                world.promise.broken(world.people()),
                world.promise.gained(entered, joined=joined),
            )
            assert (broken, gained) == (set(), set()), story
        again = engine.plan(snapshot, today)
        restless = set(again.changes["erp_id"])
        stories = ["\n".join(w.log) for w in worlds if restless & w.known_ids]
        assert again.changes.is_empty(), (again.changes.to_dicts(), *stories)
    return told


def live_on(world: World, dice: Random, today: date) -> None:
    """Anything happens; what people do to the base by hand is no promise broken."""
    world.mutate(dice, today)
    world.promise.edited()
    world.promise.by_hand(world.people())


def read(
    world: World, dice: Random, how: Consistency, *, joined: bool, busy: bool
) -> tuple[dict[str, Record], bool]:
    """One reading of a world. :param busy: people edit it meanwhile."""
    world.promise.begin()

    def edit() -> None:
        if busy and dice.random() < 0.7:
            live_on(world, dice, world.today)

    newest_first = bool(world.number % 2)
    return walked(world, how, newest_first=newest_first, joined=joined, edit=edit)


class Machine(ErpMachine):
    """One world, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Memory()
        self.world = World(0, self.engine)
        self.today = TODAY

    @rule(letter=letters, phone=phones)
    def add_by_hand(self, letter: str, phone: str | None) -> None:
        self.world.add_by_hand(letter, phone)

    @rule(i=ids)
    def detach(self, i: str) -> None:
        self.world.detach(i)

    @rule(i=ids, phone=phones)
    def edit_base(self, i: str, phone: str | None) -> None:
        self.world.edit_base(i, phone)

    @rule(i=ids)
    def link(self, i: str) -> None:
        self.world.link(i)

    @rule(days=st.sampled_from([1, 2]))
    def pass_time(self, days: int) -> None:
        self.today += timedelta(days)

    @rule()
    def sync(self) -> None:
        self.run_over(self.world.erp, whole=True)

    @precondition(lambda self: self.world.erp)
    @rule(lost=st.sets(ids, min_size=1, max_size=3))
    def sync_in_part(self, lost: set[str]) -> None:
        shown = {i: r for i, r in self.world.erp.items() if i not in lost}
        self.run_over(shown, whole=False)

    def run_over(self, shown: dict[str, Record], *, whole: bool) -> None:
        before, groups = set(self.engine.base), dict(self.world.groups)
        self.engine.sync(shown, groups, whole, self.today)
        self.world.model.sync(seen(shown, groups, whole, self.today))
        rows = self.engine.base.items()
        self.world.name_the_new({row["erp_id"]: n for n, row in rows if row["erp_id"]})
        assert found(self.engine) == self.world.expected()
        check(self.engine, before)
        again = self.engine.plan(self.engine.snapshot(shown, groups, whole), self.today)
        assert again.changes.is_empty(), again.changes
        assert again.records.is_empty(), again.records


def run_machine(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_step_by_step() -> None:
    run_machine(examples=8, steps=25)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_step_by_step_deep() -> None:
    run_machine(examples=600, steps=50)
