"""A batch of clubs in one frame: each gets the plan that it gets alone, row for row (R16, R17, R21).

The clubs have the same ids, emails, groups and app users, so that whatever one club saw of another would show.
"""

from __future__ import annotations

import itertools
from dataclasses import fields
from datetime import date, timedelta
from random import Random

import polars as pl
import pytest

from clubsync.diff import plan
from clubsync.diff.together import PlanInput, plans
from clubsync.model import FINDINGS, Plan
from connectors.sdk.model import Consistency
from tests.support.memory import Memory, Walked
from tests.support.words import Customer
from tests.support.world import World

CLUBS = 12
RUNS = 20
_WALKS = [Consistency.MOMENT, Consistency.BY_ID, Consistency.BY_POSITION]


class Club(World):
    """A world whose people find the customers in the base itself, for there is no model of it here."""

    def standing_for(self, i: str) -> Customer | None:
        for number, row in self.engine.base.items():
            if row["erp_id"] == self.id(i):
                user, detached = row["linked_user"], row["detached"]
                return Customer(
                    number, self.id(i), row["email"], inside=True, user=user, detached=detached
                )
        return None

    def add_by_hand(self, letter: str, phone: str | None) -> None:
        if all(row["email"] != self.email(letter) for row in self.engine.base.values()):
            self.engine.add_by_hand(self.email(letter), phone)


def clubs_alike() -> list[World]:
    """Worlds whose records, emails and groups have the same names, and their bases numbers of their own."""
    worlds: list[World] = []
    for n in range(CLUBS):
        engine = Memory(group_required=n % 3 == 0)
        engine._numbers = itertools.count(1 + n * 1_000_000)
        worlds.append(Club(0, engine))
    return worlds


def different(batch: Plan, alone: Plan) -> list[str]:
    """The names of the parts in which two plans differ, in their rows or in the order of these."""
    names = [field.name for field in fields(Plan)]
    parts = [(name, getattr(batch, name), getattr(alone, name)) for name in names]
    return [name for name, one, other in parts if not _same(one, other)]


def _same(one: pl.DataFrame | pl.Series, other: pl.DataFrame | pl.Series) -> bool:
    if isinstance(one, pl.DataFrame) and isinstance(other, pl.DataFrame):
        return one.schema == other.schema and one.equals(other)
    assert isinstance(one, pl.Series)
    assert isinstance(other, pl.Series)
    return one.name == other.name and one.equals(other)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 40))]
)
def test_r21_a_batch_is_planned_as_its_clubs_alone(seed: int) -> None:
    """Whole and partial readings, moments and walks, side by side; suspicions, swaps, merges and families in them."""
    dice, today, worlds = Random(seed), date(2026, 3, 2), clubs_alike()
    kinds = set[str]()
    for run in range(1, RUNS + 1):
        today += timedelta(dice.choice([0, 0, 1, 2]))
        snapshots, inputs = {}, {}
        for n, world in enumerate(worlds):
            for _ in range(dice.randint(0, 4)):
                world.mutate(dice, today)
            whole = dice.random() < 0.75
            lost = set() if whole else set(dice.sample(sorted(world.erp), len(world.erp) // 2))
            shown = {i: r for i, r in world.erp.items() if i not in lost}
            walk = dice.choice(_WALKS)
            how: Walked = {"number": run, "consistency": walk, "memberships": None}
            engine = world.engine
            assert isinstance(engine, Memory)
            snapshots[n] = snapshot = engine.snapshot(shown, dict(world.groups), whole, **how)
            inputs[n] = PlanInput(
                engine.evaluated(snapshot, today),
                FINDINGS.to_frame(),
                engine.frame(),
                snapshot.head.proof,
                engine.confirmed(snapshot),
            )
        for n, batch in plans(inputs).items():
            one = inputs[n]
            alone = plan(one.records, one.findings, one.base, one.proof, one.confirmed)
            assert different(batch, alone) == [], (run, n)
            kinds |= set(alone.changes["kind"]) | set(alone.suspected["sign"].str.slice(0, 5))
            engine = worlds[n].engine
            assert isinstance(engine, Memory)
            engine._apply(alone, snapshots[n])
    assert {"addition", "deactivation", "merge", "email_change", "adoption"} <= kinds
    assert {"absen", "email"} <= kinds, "nothing was suspected"
