"""Facts and findings of a batch of clubs in one frame: each club has what it has alone, row for row (R21, R22).

The clubs have the same ids, emails and groups, and rules of their own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest

from clubsync.diff import plan
from clubsync.model import BASE, FINDINGS, SIGNS, Affected, Basis, Policy
from clubsync.store.record_index import RECORD_INDEX
from clubsync.store.snapshots import Snapshot
from clubsync.validate import facts, suites, together
from connectors.sdk.model import CUSTOMER_SCHEMA
from tests.support.alike import clubs_alike, memory_of, next_snapshot
from tests.support.memory import FORMER_GROUP
from tests.support.world import GROUPS, IDS, LETTERS, World

CLUBS = 12
RUNS = 5
#: Rules of the clubs, each of several of them.
RULES: list[dict[str, Any]] = [
    {},
    {"access_groups": frozenset({"gold-0"}), "former_groups": frozenset({"POOL-0 ", "renamed"})},
    {"automatic_groups": (("gold-0", "Members"), ("pool-0", "Members"), (FORMER_GROUP, None))},
    {"access_groups": frozenset({"gold-0"})},
    {"phone_centred": True, "placeholder_emails": frozenset({"a*@x.fr"}), "shared_email_limit": 1},
]


CODES = {"EMAIL_DUPLICATE", "RECORD_MERGED", "GROUP_UNKNOWN", "EMAIL_PLACEHOLDER"}
STATES = {"active", "none", "former", "unreadable", "inactive", "other"}


def _affected(
    snapshot: Snapshot, records: pl.DataFrame, groups: pl.DataFrame, policy: Policy
) -> Affected:
    """As `affected.build` finds it, where only the records matter."""
    ids = pl.Series("erp_id", [], dtype=pl.String)
    nothing = RECORD_INDEX.to_frame()
    basis = Basis(
        *(snapshot.head, policy, "", 0, True, 0, False, (), groups, nothing, ids, ids, ids)
    )
    return Affected(basis, records, BASE.to_frame(), FINDINGS.to_frame(), SIGNS.to_frame())


def _in_doubt(dice: Random, records: pl.DataFrame) -> pl.DataFrame:
    """Some records with a field, or the days of a group, that cannot be read (R3)."""

    def doubt() -> list[dict[str, str | None]]:
        if dice.random() < 0.88:
            return []
        field = dice.choice(["email", "groups", "valid_until", "guardian_id", "phone"])
        group = dice.choice(["gold-0", "pool-0"]) if field == "valid_until" else None
        return [{"field": field, "word": "?", "group": group}]

    kind = CUSTOMER_SCHEMA["unreadable"]
    doubts = pl.Series("unreadable", [doubt() for _ in range(records.height)], dtype=kind)
    # and some that the ERP says were replaced (R10)
    ids = records["erp_id"].to_list()
    into = [dice.choice(ids) if dice.random() < 0.05 else None for _ in ids]
    replaced = pl.Series("into", into, dtype=pl.String)
    return records.with_columns(doubts, replaced_by=pl.coalesce(replaced, "replaced_by"))


def _fill(world: World, dice: Random) -> None:
    """People with memberships, for whom chance alone would take long."""
    for i in IDS:
        world.put(i, dice.choice(LETTERS), "active")
        if dice.random() < 0.8:
            world.join(i, {dice.choice([*GROUPS, "nowhere"]): None})
    for name in GROUPS:
        world.switch(name, dice.random() < 0.7)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 20))]
)
def test_r21_a_batch_is_evaluated_as_its_clubs_alone(seed: int) -> None:
    dice, today, worlds = Random(seed), date(2026, 3, 2), clubs_alike(CLUBS)
    for world in worlds:
        _fill(world, dice)
    codes, states, dependants = set[str](), set[str](), 0
    for run in range(1, 8 * RUNS + 1):
        if run > RUNS and dependants and codes >= CODES and states >= STATES:
            break  # chance has shown whatever has to be seen
        today += timedelta(dice.choice([0, 0, 1, 2]))
        snapshots, batch, alone = {}, {}, {}
        for n, world in enumerate(worlds):
            snapshot = next_snapshot(world, dice, run, today)
            records, groups, policy = memory_of(world).presented(snapshot, today)
            policy = replace(policy, **RULES[n % len(RULES)])
            if dice.random() < 0.3:
                policy = replace(policy, absent_groups=frozenset({"renamed"}))
            records = _in_doubt(dice, records)
            snapshots[f"{n}"] = snapshot
            batch[f"{n}"] = _affected(snapshot, records, groups, policy)
            alone[f"{n}"] = (facts.evaluate(records, groups, policy), policy)
        findings, found = suites.findings(alone), together.evaluated(batch)
        assert list(found) == list(batch)
        for club, (records, _) in alone.items():
            one = found[club]
            assert one.records.schema == records.schema
            for name in records.columns:
                assert one.records[name].equals(records[name]), (run, club, name)
            assert one.findings.schema == findings[club].schema
            assert one.findings.equals(findings[club]), (run, club)
            codes |= set(findings[club]["code"])
            states |= set(records["group_state"].cast(pl.String))
            dependants += records["owner_id"].count()
            engine = memory_of(worlds[int(club)])
            nobody, proof = FINDINGS.to_frame(), snapshots[club].head.proof
            signs = engine.confirmed(snapshots[club])
            made = plan(records, nobody, engine.frame(), proof, signs)
            engine._apply(made, snapshots[club])
    assert dependants > 0
    assert codes >= CODES
    assert states >= STATES


def test_r21_a_large_club_is_evaluated_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shares a frame with no other club, whatever its rules are."""
    today, worlds, batch = date(2026, 3, 2), clubs_alike(3), {}
    for n, world in enumerate(worlds):
        world.put("1", "a", "active")
        if n == 1:
            world.put("2", "b", "active")
        snapshot = memory_of(world).snapshot(world.erp, dict(world.groups), True, number=1)
        records, groups, policy = memory_of(world).presented(snapshot, today)
        batch[f"{n}"] = _affected(snapshot, records, groups, replace(policy, group_required=False))
    monkeypatch.setattr(together, "SMALL", 1)
    assert together._parts(batch) == [["0", "2"], ["1"]]
    found = together.evaluated(batch)
    assert [found[club].records.height for club in batch] == [1, 2, 1]
