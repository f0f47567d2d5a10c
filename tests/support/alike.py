"""Clubs whose ids, emails and groups have the same names, so that whatever one club saw of another would show."""

from __future__ import annotations

import itertools
from datetime import date
from random import Random

from clubsync.store.snapshots import Snapshot
from connectors.sdk.model import Consistency
from tests.support.memory import Memory, Walked
from tests.support.words import Customer
from tests.support.world import World

_WALKS = [Consistency.MOMENT, Consistency.BY_ID, Consistency.BY_POSITION]


class AlikeClub(World):
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


def clubs_alike(number: int) -> list[World]:
    """Worlds whose base customers have numbers of their own."""
    worlds: list[World] = []
    for n in range(number):
        engine = Memory(group_required=n % 3 == 0)
        engine._numbers = itertools.count(1 + n * 1_000_000)
        worlds.append(AlikeClub(0, engine))
    return worlds


def memory_of(world: World) -> Memory:
    assert isinstance(world.engine, Memory)
    return world.engine


def next_snapshot(world: World, dice: Random, run: int, today: date) -> Snapshot:
    """Some changes, and what a reading shows: all or half of it, at a moment or on a walk."""
    for _ in range(dice.randint(0, 4)):
        world.mutate(dice, today)
    whole = dice.random() < 0.75
    lost = set() if whole else set(dice.sample(sorted(world.erp), len(world.erp) // 2))
    shown = {i: r for i, r in world.erp.items() if i not in lost}
    how: Walked = {"number": run, "consistency": dice.choice(_WALKS), "memberships": None}
    return memory_of(world).snapshot(shown, dict(world.groups), whole, **how)
