"""The diff against the model: small ERP worlds in which everything collides, run after run.

Two ways: hundreds of worlds side by side in one plan, by seed, for the numbers; and a state machine on
one world, which shrinks what it finds to a few steps. Both run deep where tests marked long do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.support.erp_rules import ErpMachine, ids, letters, phones
from tests.support.memory import Memory
from tests.support.words import Record, Snapshot
from tests.support.world import World, check, found

TODAY = date(2026, 3, 2)
WORLDS = 300
RUNS = 25


def seen(
    shown: dict[str, Record], groups: dict[str, bool | None], whole: bool, today: date
) -> Snapshot:
    """The reading as the model takes it."""
    return Snapshot(dict(shown), dict(groups), whole, datetime.combine(today, time(12), UTC))


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 40))]
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
    run_machine(examples=15, steps=25)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_step_by_step_deep() -> None:
    run_machine(examples=600, steps=50)
