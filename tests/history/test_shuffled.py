"""R16: after any history, the older snapshots again, in any order, any number of times, beside live runs."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.club import Club
from tests.support.rules import NewClub

EMAILS = [f"p{n}@x.fr" for n in range(6)]
STATUSES = ("active", "active", "active", "former", "unknown")
GROUPS = ("gold", "silver", "lost")


def _mutate(club: Club, dice: random.Random) -> None:
    """Something happens in the ERP: people come, go, change, swap, share and merge."""
    erp = club.erp
    for _ in range(dice.randint(1, 4)):
        what = dice.random()
        ids = list(erp.records)
        if what < 0.35 or not ids:
            erp.put(
                str(dice.randint(1, 9)),
                dice.choice([*EMAILS, None, "not an email"]),
                status=dice.choice(STATUSES),
                groups=dice.sample(GROUPS, dice.randint(0, 2)),
            )
        elif what < 0.5:
            erp.remove(dice.choice(ids))
        elif what < 0.65:
            erp.change(dice.choice(ids), email=dice.choice(EMAILS))
        elif what < 0.75 and len(ids) > 1:
            a, b = dice.sample(ids, 2)
            first, second = erp.records[a]["email"], erp.records[b]["email"]
            erp.change(a, email=second)
            erp.change(b, email=first)
        elif what < 0.85:
            erp.change(dice.choice(ids), guardian_id=dice.choice([*ids, None]))
        elif what < 0.9:
            erp.change(dice.choice(ids), replaced_by=dice.choice([*ids, None]))
        else:
            erp.group(dice.choice(GROUPS[:2]), active=dice.random() < 0.6)


def _history(club: Club, dice: random.Random) -> list[int]:
    """A history of readings, whole and partial, ending in a certified one; their numbers."""
    for group in GROUPS[:2]:
        club.erp.group(group)
    numbers = []
    for _ in range(dice.randint(6, 12)):
        _mutate(club, dice)
        if not club.erp.records:
            club.erp.put("1", EMAILS[0])
        lost = dice.sample(list(club.erp.records), 1) if dice.random() < 0.3 else []
        if len(lost) == len(club.erp.records):
            lost = []
        step = club.sync(lost=tuple(lost))
        assert step["snapshot"] is not None
        numbers.append(step["snapshot"])
    last = club.sync()
    assert last["certified"]
    return numbers


def _check(club: Club, dice: random.Random) -> None:
    older = _history(club, dice)
    base, changes = club.base(), len(club.changes())
    ids = {row["id"] for row in base.values()}
    again = older * 2
    dice.shuffle(again)

    def replay(number: int) -> str | None:
        return club.pipeline().replay_snapshot(club.id, "replay", number)["error"]

    with ThreadPoolExecutor(max_workers=4) as pool:
        replays = [pool.submit(replay, number) for number in again]
        for _ in range(2):
            step = club.sync()
            assert step["rows_written"] == 0
        assert {done.result() for done in replays} == {None}

    assert club.base() == base
    assert {row["id"] for row in club.base().values()} == ids
    assert len(club.changes()) == changes
    stored = {row[0] for row in club.rows("select snapshot from sync.snapshot")}
    assert set(older) <= stored, "the history is whole"
    assert club.unsettled() == {}


@pytest.mark.parametrize("seed", range(2))
def test_r16_older_snapshots_change_nothing(new_club: NewClub, seed: int) -> None:
    """ "replays and backfills in any order, any number of times, beside live runs, leave the base as it is"."""
    _check(new_club(), random.Random(seed))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_r16_two_hundred_histories(new_club: NewClub) -> None:
    """The same for 200 random histories."""
    for seed in range(1000, 1200):
        _check(new_club(), random.Random(seed))
