"""The whole engine on PostgreSQL against the model: what the plan over a few records must not miss.

After every run the base is the model's, and a plan over everything would change nothing more: the work in
proportion to change (`affected`) saw all that it should. Old snapshots are replayed in between and change
nothing (R16). The long ones run it deep.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.support.club import Club
from tests.support.memory import FORMER_GROUP, canonical, group_list
from tests.support.model import Model
from tests.support.rules import NewClub
from tests.support.words import Customer, Record, Snapshot
from tests.support.world import World

RUNS = 8
WORLDS = 6


class ByHand:
    """The base of a real club, as `World` changes it by hand; that is all of the engine that it has."""

    def __init__(self, club: Club) -> None:
        self.club = club
        self.base: dict[int, dict[str, Any]] = {}

    def add_by_hand(self, email: str, phone: str | None) -> int:
        return self.club.add_by_hand(email)

    def detach(self, number: int) -> None:
        self.club.detach(self.club.customer(number)["erp_id"])


class EngineWorld(World):
    """A `World` whose hands work on a real club: no phones, and links by real accounts are not played."""

    def edit_base(self, i: str, phone: str | None) -> None:
        """Not played here."""

    def link(self, i: str) -> None:
        """Not played here."""

    def add_by_hand(self, letter: str, phone: str | None) -> None:
        super().add_by_hand(letter, None)


def show(club: Club, worlds: list[World], lost: set[str]) -> None:
    """Put the worlds' records into the club's ERP."""
    club.erp.records = {}
    club.erp.groups = {}
    for world in worlds:
        for i, record in world.erp.items():
            row = canonical(i, record)
            row["groups"] = [(g["id"], g["valid_until"]) for g in row["groups"]]
            club.erp.records[i] = row
        for group in group_list(world.groups):
            club.erp.groups[group["id"]] = group
    club.erp.lost = lost


def said(customers: list[Customer]) -> dict[int | None, tuple[object, ...]]:
    """The model's base in comparable words."""
    return {
        c.number: (c.erp_id, c.email, c.inside, sorted(c.groups), c.detached) for c in customers
    }


@pytest.mark.parametrize("seed", range(1))
def test_several_worlds_in_one_club(new_club: NewClub, seed: int) -> None:
    """Run after run, in whole and in part."""
    live(new_club, seed, RUNS)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 21))
def test_several_worlds_in_one_club_for_long(new_club: NewClub, seed: int) -> None:
    live(new_club, seed, 60)


def live(new_club: NewClub, seed: int, runs: int) -> None:
    """Let the worlds go on for that many runs."""
    dice = Random(1000 + seed)
    club = new_club(former_groups=(FORMER_GROUP,), timezone="UTC")
    club.erp.put("0", "first@x.fr")
    club.sync()
    club.erp.remove("0")
    club.erp.put("9", "anchor@x.fr")
    club.sync()
    anchor = club.erp.records["9"]
    hands = ByHand(club)
    worlds: list[World] = [EngineWorld(n, hands) for n in range(100, 100 + WORLDS)]
    for run in range(runs):
        if dice.random() < 0.3:
            club.later(days=dice.choice([1, 2]))
        for world in worlds:
            for _ in range(dice.randint(0, 4)):
                world.mutate(dice, club.now.date())
        whole = dice.random() < 0.75
        ids = sorted(i for world in worlds for i in world.erp)
        lost = set() if whole else set(dice.sample(ids, len(ids) // 2))
        show(club, worlds, lost)
        club.erp.records["9"] = anchor
        club.sync(certified=whole, lost=tuple(lost))
        compare(club, worlds, lost, whole)
        assert club.unsettled() == {}, "\n".join(line for world in worlds for line in world.log)
        if dice.random() < 0.3:
            before = club.base()
            show(club, worlds[: WORLDS // 2], set())
            club.erp.records["9"] = anchor
            old = club.now - timedelta(hours=dice.randint(1, 5), days=run)
            certified = club.rows(
                "select certified_as_of from sync.club_state where club = %s", club.number
            )
            if old < certified[0][0]:
                club.sync(as_of=old)
                assert club.base() == before


def compare(club: Club, worlds: list[World], lost: set[str], whole: bool) -> None:
    """The base is the model's, every email stands once, and who is out has a reason or a finding (R22).

    The count that the guard's share is of (R15) is that of the base.
    """
    every = club.base().values()
    counted = "select customers from sync.club_summary where club = %s"
    assert club.rows(counted, club.number) == [(sum(r["in_customers_group"] for r in every),)]
    rows = [row for row in every if row["erp_id"] not in ("0", "9")]
    numbers = {row["erp_id"]: row["id"] for row in rows if row["erp_id"]}
    expected: dict[int | None, tuple[object, ...]] = {}
    for world in worlds:
        shown = {i: r for i, r in world.erp.items() if i not in lost}
        world.model.sync(Snapshot(shown, dict(world.groups), whole, club.now))
        world.name_the_new(numbers)
        expected |= said(world.model.base)
    base = {
        r["id"]: (
            r["erp_id"],
            r["email"],
            r["in_customers_group"],
            sorted(r["groups"]),
            r["detached"],
        )
        for r in rows
    }
    assert base == expected, "\n".join(line for world in worlds for line in world.log)
    if whole:
        findings, inside = club.findings(all=True), club.inside()
        for world in worlds:
            for i, record in world.erp.items():
                assert i in inside or plain(record, world.model) or i in findings, (i, record)


def plain(record: Record, model: Model) -> bool:
    """Out by its plain status: needs no finding."""
    return record.status not in ("active", "unknown")
