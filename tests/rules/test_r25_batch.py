"""R25, R16: a batch leaves each club as if it had been synced alone: base, mirror, audit, findings, holds, plan.

The clubs of a batch have the same ids, emails, groups and app users, and rules of their own (R21).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from random import Random
from typing import Any

import polars as pl
import pytest

from clubsync.config import Config, Guard
from clubsync.diff import together
from clubsync.errors import ActionRejected
from clubsync.manual import app_users, erasure, undo
from clubsync.model import Affected, Basis, Step
from clubsync.pipeline import batch, validate
from clubsync.pipeline.engine import Pipeline
from clubsync.store import packages
from tests.support.club import Club
from tests.support.memory import FORMER_GROUP
from tests.support.rules import NewClub

#: Rules of the clubs of a batch: one has a guard that holds at once, and one is read in pages by position.
RULES: list[dict[str, Any]] = [
    {},
    {"former_groups": (FORMER_GROUP,)},
    {"guard": Guard(share=0.01, at_least=1, at_most=1)},
    {},
    {"automatic_groups": {"gold": "Members", "pool": "Members"}, "group_required": True},
    {"access_groups": ("gold",)},
]
#: People whom chance leaves alone.
STAYING = ("31", "32", "33")
#: What is compared; ids of rows, which a sequence gives, aside.
STATE = {
    "base": """
        select c.erp_id, c.email, c.email_raw, c.first_name, c.last_name, c.phone, c.origin, c.in_customers_group,
            c.reason, c.reason_at, c.detached_at is not null, u.email, array(
                select g.name from base.customer_group as g where g.group_id = any(c.auto_groups) order by 1
            )
        from base.customer as c left join base.app_user as u on c.linked_user = u.user_id
        where c.club = %s""",
    "mirror": "select to_jsonb(m) - 'club' - 'snapshot' from sync.erp_customer as m where club = %s",
    "audit": """
        select kind, erp_id, before, after, reason, access_lost, actor, at from sync.change where club = %s""",
    "findings": """
        select erp_id, code, severity, detail, since, closed_at from sync.finding where club = %s""",
    "holds": "select state, causes, limit_was, version from sync.hold where club = %s",
    "held": """
        select c.erp_id, c.email, m.kind, m.reason, m.cause, m.loses, m.joined_version, m.left_version
        from sync.hold_member as m inner join base.customer as c using (club, customer) where club = %s""",
    "suspicions": "select erp_id, sign, loss from sync.suspicion where club = %s",
    "rechecks": "select erp_id, email, why from sync.recheck where club = %s",
    "pairs": "select erp_id_a, erp_id_b, score, reasons from sync.similar_pair where club = %s",
}


def state(club: Club) -> dict[str, list[str]]:
    """What a club's rows say."""
    numbered = re.compile(r'"(customer|linked_user|holder)": ?\d+')
    return {
        name: sorted(
            numbered.sub(r'"\1": n', str(row)) for row in club.rows(statement, club.number)
        )
        for name, statement in STATE.items()
    }


def planned(pipeline: Pipeline, step: Step) -> list[str]:
    """The changes, losses and held customers of a stored plan, in any order, without the numbers of customers."""
    if step["plan"] is None:
        return []
    path = packages.folder(step["club"], step["run"] or 0)
    plan = packages.stored_plan(pipeline.store, path)
    frames = (plan.changes, plan.losses, plan.held)
    return [row for frame in frames for row in sorted(map(str, frame.drop("customer").rows()))]


def pipeline_of(clubs: Sequence[Club]) -> Pipeline:
    first = clubs[0].pipeline()
    return Pipeline(
        Config(clubs=tuple(c.config for c in clubs)), first.base, first.store, resolve=first.resolve
    )


def run(clubs: Sequence[Club], *, in_tasks: bool) -> dict[str, Any]:
    """One batch; by club what its step says, and its stored plan.

    :param in_tasks: each stage takes up what the one before has stored.
    """
    engine = pipeline_of(clubs)
    steps = engine.extract([c.id for c in clubs], "test")
    for stage in ("validate", "diff"):
        steps = getattr(engine, stage)(steps, store=in_tasks)
        if in_tasks:
            engine = pipeline_of(clubs)
    steps = engine.load(steps)
    told = {"certified", "suspected", "counts", "rows_written", "findings", "held", "error"}
    return {
        step["club"]: ({k: v for k, v in step.items() if k in told}, planned(engine, step))
        for step in steps
    }


def mutate(dice: Random, clubs: Sequence[Club]) -> None:
    """The same change in each of these clubs' ERPs: arrivals, departures, swaps, merges, families, groups, doubts."""
    i, j = (str(dice.randint(1, 12)) for _ in range(2))
    email = f"{dice.choice('abcdefgh')}@x.fr"
    groups = dice.choice([[], ["gold"], ["pool"], ["gold", "pool"], [FORMER_GROUP], ["nowhere"]])
    act = dice.choice(
        ["put"] * 4 + ["remove", "swap", "merge", "family", "status", "name", "group"]
    )
    known = {"first_name": dice.choice(["Ann", "Anne", "Bob"]), "last_name": f"Martin {i}"}
    on, status = dice.random() < 0.7, dice.choice(["former", "unknown", "active"])
    for club in clubs:
        erp = club.erp
        if act == "put":
            erp.put(i, email, groups=groups, **known)
        elif act == "group":
            erp.group("pool", active=on)
        elif i in erp.records and act == "remove":
            erp.remove(i)
        elif i in erp.records and j in erp.records and i != j:
            one, other = erp.records[i], erp.records[j]
            if act == "swap":
                one["email"], other["email"] = other["email"], one["email"]
            elif act == "merge":
                one["replaced_by"] = j
            elif act == "family":
                one |= {"guardian_id": j, "email": other["email"]}
            elif act == "status":
                one["status"] = status
            else:
                one |= known


def by_hand(batch: Sequence[Club], alone: Sequence[Club]) -> None:
    """In both twins somebody is added, and of two clubs, one of them guarded, somebody is detached; two people use the
    app."""
    for clubs in (batch, alone):
        for club in clubs:
            with suppress(ActionRejected):  # a customer has that email already, in both twins
                club.add_by_hand("h@x.fr")
        for club in (clubs[0], clubs[2]):
            for erp_id in sorted(i for i in club.inside() if "@" not in i)[:1]:
                club.detach(erp_id)
    configured = {club.number: club.config for club in (*batch, *alone)}
    for email in ("a@x.fr", "b@x.fr"):
        app_users.register(batch[0].pipeline().base, configured, email)


def begin(clubs: Sequence[Club]) -> None:
    """Groups, and people whom chance leaves alone."""
    for club in clubs:
        for group in ("gold", "pool", FORMER_GROUP):
            club.erp.group(group)
        for n in STAYING:
            club.erp.put(n, f"{n}@y.fr", groups=["gold"], first_name="Eve", last_name=f"Blanc {n}")


@pytest.mark.parametrize(
    ("in_tasks", "batches", "seed"),
    [
        (True, 5, 7),
        *(pytest.param(n % 2 == 0, 12, n, marks=pytest.mark.long) for n in range(8)),
    ],
)
def test_r25_a_batch_leaves_each_club_as_it_would_be_alone(
    new_club: NewClub,
    in_tasks: bool,
    batches: int,
    seed: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Batch after batch, by chance; each club beside a twin that is synced alone."""
    dice = Random(seed)
    batch, alone = ([new_club(**rules) for rules in RULES] for _ in range(2))
    twins = list(zip(batch, alone, strict=True))
    begin((*batch, *alone))
    seen = set[str]()
    for number in range(batches):
        if number == 2:
            by_hand(batch, alone)
        for pair in twins:
            for _ in range(dice.randint(4, 8) if number < 2 else dice.randint(0, 3)):
                mutate(dice, pair)
            whole = dice.random() < 0.8 or number in (2, 3)
            for club in pair:
                club.later()
                club._say(whole, None, () if whole else ("3", "4"), ())
                club.erp.page_size = 1 if pair == twins[3] else None
        if number == 3:  # R14: missing from a walk by position; R15: more than a guard lets go
            for club in (*twins[2], *twins[3]):
                club.erp.remove(*STAYING[:2])
        made = run(batch, in_tasks=in_tasks)
        for together_, single in twins:
            own = run([single], in_tasks=in_tasks)[single.id]
            assert made[together_.id] == own, (number, together_.id)
            assert own[0]["error"] is None
            seen |= {kind for kind, n in own[0]["counts"].items() if n}
            seen |= {"held"} if own[0]["held"] else set()
            theirs, its = state(together_), state(single)
            for name in STATE:
                assert theirs[name] == its[name], (number, together_.id, name)
            seen |= {"suspected"} if its["suspicions"] else set()
    assert {"addition", "deactivation", "email_change", "held", "suspected"} <= seen
    assert "each is now" not in caplog.text, "the clubs were not evaluated or planned together"


def _rows(frame: pl.DataFrame) -> list[str]:
    """Rows in an order of their own; keys within lists as they are."""
    return sorted(str(row) for row in frame.rows())


def unlike(batch: Affected, alone: Affected) -> list[str]:
    """The names of the parts in which two findings of `affected` differ, whatever the order of rows."""
    parts = [(name, getattr(batch, name), getattr(alone, name)) for name in _FRAMES]
    parts += [
        (f.name, getattr(batch.basis, f.name), getattr(alone.basis, f.name)) for f in fields(Basis)
    ]
    different = []
    for name, one, other in parts:
        if isinstance(one, pl.DataFrame):
            same = one.schema == other.schema and _rows(one) == _rows(other)
        elif isinstance(one, pl.Series):
            same = one.name == other.name and sorted(one) == sorted(other)
        else:
            same = one == other
        if not same:
            different.append(name)
    return different


_FRAMES = ("records", "base", "findings", "confirmed")


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 12))]
)
def test_r21_what_is_affected_in_a_batch_is_what_is_affected_alone(
    new_club: NewClub, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Clubs with the same ids, emails and groups, of equal and of other rules: first readings, whole and partial ones,
    contradictions, holds, rejected and undone changes, and people who were erased."""
    dice = Random(seed)
    clubs = [new_club(**rules) for rules in [*RULES, {}, {}]]
    engine = pipeline_of(clubs)
    for club in clubs:
        for group in ("gold", "pool", FORMER_GROUP):
            club.erp.group(group)
        for n in range(20, 30):
            club.erp.put(f"{n}", f"p{n}@x.fr", groups=["gold"] if n % 2 else [])
    seen = set[str]()
    for number in range(7):
        for n, club in enumerate(clubs):
            idle = n == 5 and number > 3
            for _ in range(8 if number == 0 else 0 if idle else dice.randint(0, 3)):
                mutate(dice, [club])
            club.later()
            guarded = n == 2
            whole = guarded or idle or dice.random() < 0.75
            club.erp.page_size = 1 if n == 3 else None
            there = sorted(club.erp.records)
            lost = () if whole else tuple(dice.sample(there, len(there) // 2))
            if number and whole and not idle and (guarded or dice.random() < 0.5):
                club.erp.remove(*sorted(club.inside() & set(there))[:2])
            odd = number % 2 and not (guarded or idle)
            twice = tuple(sorted(club.erp.records)[:1]) if odd else ()
            club._say(whole, None, lost, twice)
        steps = engine.extract([club.id for club in clubs], "test")
        found = batch.find(engine, steps)
        assert "each is now" not in caplog.text
        assert len(found) >= len(clubs) - 1, "too few clubs were read together"
        for step in steps:
            assert step["error"] is None
            snapshot = engine.handed(step).snapshot
            validate._find_affected(engine, step)
            alone = engine.handed(step).affected
            engine.handed(step).snapshot = snapshot
            if step["run"] not in found:
                continue
            together_ = found[step["run"]]
            assert (together_ is None) == (alone is None), (number, step["club"])
            if together_ is None or alone is None:
                seen.add("quiet")
                step.pop("unchanged")
                continue
            assert unlike(together_, alone) == [], (number, step["club"])
            seen |= {name for name in ("keep", "undone") if _any(alone.base[name])}
            seen |= set(alone.records["presence"].cast(pl.String))
            seen |= {"everything"} if alone.basis.everything else set()
            seen |= {"signs"} if alone.confirmed.height else set()
        steps = engine.load(engine.diff(engine.validate(steps, store=False), store=False))
        assert [step["error"] for step in steps] == [None] * len(clubs)
        _decide(engine, clubs, steps, number)
    assert {"everything", "seen", "unseen", "vanished", "conflicting"} <= seen
    assert {"keep", "undone", "signs", "quiet"} <= seen


def _any(column: pl.Series) -> bool:
    return bool(column.any()) if column.dtype == pl.Boolean else column.count() > 0


def _decide(engine: Pipeline, clubs: Sequence[Club], steps: Sequence[Step], number: int) -> None:
    """What people do between two runs."""
    if number == 1:
        by_hand(clubs, clubs)
    for step in steps:
        if step["hold"]:
            engine.reject(step["hold"]["hold"], "somebody")
            break
    changed = [step for step in steps if step["counts"]["deactivation"] and not step["hold"]]
    if changed:
        undo.undo(engine.base, engine.config, changed[0]["run"] or 0, by="somebody")
    if number == 2:
        for erp_id in sorted(i for i in clubs[6].inside() if "@" not in i)[:1]:
            erasure.erase(engine.base, engine.store, clubs[6].config, erp_id)


def test_r25_a_club_that_breaks_a_batch_is_planned_alone(
    new_club: NewClub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the batch cannot be planned in one, each club is, and only the one that cannot be fails."""
    odd, good = new_club(), new_club()
    for club in (odd, good):
        club.erp.put("1", "one@x.fr")
        club._say(True, None, (), ())
    engine = pipeline_of([odd, good])
    steps = engine.validate(engine.extract([odd.id, good.id], "test"), store=False)
    broken = engine.handed(steps[0])
    assert broken.affected is not None
    monkeypatch.setattr(together, "_RECORD_NAMES", ("no such column",))
    object.__setattr__(broken.affected, "records", broken.affected.records.drop("access"))
    one, other = engine.load(engine.diff(steps, store=False))
    assert one["error"] is not None
    assert "in the diff stage" in one["error"]
    assert other["error"] is None
    assert good.inside() == {"1"}


def test_r25_a_club_whose_load_fails_half_way_leaves_the_others_loaded(new_club: NewClub) -> None:
    """Its statements are sent together; where one fails, none of them is done, and the error is that club's."""
    clubs = [new_club() for _ in range(3)]
    for club in clubs:
        club.erp.put("1", "one@x.fr")
        club.erp.put("2", "two@x.fr")
        club.sync()
        club.erp.change("1", email="other@x.fr")
        club.erp.put("3", "three@x.fr")
        club.later()
        club._say(True, None, (), ())
    first, broken, last = clubs
    engine = pipeline_of(clubs)
    steps = engine.validate(engine.extract([club.id for club in clubs], "test"))
    steps = engine.diff(steps)
    with broken.driver() as driver:
        driver.execute(
            "insert into sync.erp_customer (club, erp_id, status, row_hash, as_of, snapshot, first_seen, access)"
            " values (%s, '3', 'active', 0, now(), 1, now(), 'no')",
            [broken.number],
        )
    before = state(broken)
    one, failed, other = engine.load(steps)
    assert (one["error"], other["error"]) == (None, None)
    assert failed["error"] is not None
    assert f"(UniqueViolation) in the load stage of {failed['name']}" in failed["error"]
    assert first.inside() == last.inside() == {"1", "2", "3"}
    assert state(broken) == before
