"""A batch of clubs in one frame: each gets the plan that it gets alone, row for row (R16, R17, R21).

The clubs have the same ids, emails, groups and app users, so that whatever one club saw of another would show.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta
from random import Random

import polars as pl
import pytest

from clubsync.diff import plan
from clubsync.diff.together import PlanInput, plans
from clubsync.model import FINDINGS, Plan
from tests.support.alike import clubs_alike, memory_of, next_snapshot

CLUBS = 12
RUNS = 8
#: Kinds of change, and the beginnings of the signs by which people are suspected to have left.
KINDS = {"addition", "deactivation", "merge", "email_change", "adoption", "absen", "email"}


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
    dice, today, worlds = Random(seed), date(2026, 3, 2), clubs_alike(CLUBS)
    kinds = set[str]()
    for run in range(1, 3 * RUNS + 1):
        if run > RUNS and kinds >= KINDS:
            break  # chance has shown whatever has to be seen
        today += timedelta(dice.choice([0, 0, 1, 2]))
        snapshots, inputs = {}, {}
        for n, world in enumerate(worlds):
            engine = memory_of(world)
            snapshots[n] = snapshot = next_snapshot(world, dice, run, today)
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
            memory_of(worlds[n])._apply(alone, snapshots[n])
    assert kinds >= KINDS
