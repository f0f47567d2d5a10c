"""R14, R16: clocks that jump, back and forth: nobody loses access by it, and a right clock puts everything right."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

import pytest

from clubsync.config import Config, Guard
from clubsync.model import Step
from clubsync.operate import freshness
from tests.support.club import ERP_NAME, Club
from tests.support.file_club import FileClub, people, table
from tests.support.rules import NewClub, club, files, new_club, new_file_club, shared_base

__all__ = ["club", "files", "new_club", "new_file_club", "shared_base"]

JUMPS = (
    timedelta(0),
    timedelta(0),
    timedelta(minutes=3),
    timedelta(minutes=-3),
    timedelta(hours=2),
    timedelta(hours=-2),
    timedelta(days=-1),
)


def _unsettled(club: Club) -> set[str]:
    """Whose access is not what the ERP says."""
    return club.inside() ^ set(club.erp.records)


def _live(club: Club, seed: int) -> int:
    """Syncs under a clock that jumps, while people come and go; how many were of use."""
    dice, used, right = random.Random(seed), 0, club.now
    for n in range(1, 13):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    steady = {str(n) for n in range(1, 9)}
    for turn in range(10):
        club.erp.put(f"new{turn}", f"new{turn}@x.fr")
        if dice.random() < 0.5:
            club.erp.remove(dice.choice([i for i in club.erp.records if i not in steady]))
        right += timedelta(minutes=5)
        club.at(right + dice.choice(JUMPS))
        step = club.attempt()
        used += step["error"] is None
        assert club.inside() >= steady, (seed, turn)
        assert step["error"] is not None or step["used"], "what was not used is no success"
    club.at(right + timedelta(hours=3))  # later than any clock said it was
    club.sync()
    assert _unsettled(club) == set(), seed
    return used


@pytest.mark.parametrize("seed", range(3))
def test_a_clock_that_jumps_takes_nobody_out(new_club: NewClub, seed: int) -> None:
    assert _live(new_club(), seed) > 2


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_clock_that_jumps_two_hundred_times(new_club: NewClub) -> None:
    for seed in range(100, 300):
        _live(new_club(), seed)


BACK, AHEAD = timedelta(hours=-1), timedelta(days=1)
STAGES = ("extract", "validate", "diff", "load")


def _staged(club: Club, jumps: Mapping[str, timedelta]) -> Step:
    """A run whose stages are processes of their own, as tasks are, each under a clock that is off by so much."""
    right = club.now + timedelta(minutes=5)
    steps: list[Step] = []
    for stage in STAGES:
        club.at(right + jumps.get(stage, timedelta(0)))
        engine = club.pipeline()
        if stage == "extract":
            club.erp.certified, club.erp.as_of = True, club.now
            steps = engine.extract([club.id], "scheduled")
        else:
            steps = getattr(engine, stage)(steps)
    club.at(right)
    return steps[0]


@pytest.mark.parametrize("jump", [BACK, AHEAD])
@pytest.mark.parametrize("stage", STAGES)
def test_r14_a_clock_that_jumps_between_stages_takes_nobody_out(
    new_club: NewClub, stage: str, jump: timedelta
) -> None:
    """While that stage runs, or from it on; who is there stays, and a right clock puts everything right."""
    club = new_club()
    for n in range(1, 9):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    club.erp.remove("8")
    club.erp.put("9", "p9@x.fr")
    club.erp.change("1", email="p8@x.fr")
    off = STAGES[STAGES.index(stage) :] if jump == AHEAD else (stage,)
    _staged(club, dict.fromkeys(off, jump))
    assert club.inside() >= {str(n) for n in range(1, 8)}
    club.later(days=2)
    club.sync()
    assert club.inside() == set(club.erp.records)
    assert club.base()["1"]["email"] == "p8@x.fr"


@pytest.mark.parametrize("jump", [BACK, AHEAD])
def test_r25_a_club_is_due_when_its_clock_is_right_again(
    new_club: NewClub, jump: timedelta
) -> None:
    """A sync under a clock that was a day ahead does not put off the next one by a day; and whatever its time, it is
    tried at its cadence until it can be used."""
    club = new_club()
    club.erp.put("1", "p1@x.fr")
    club.sync()
    right = club.now
    club.at(right + jump)
    club.attempt()
    club.at(right)
    for _ in range(2):
        club.later(minutes=10)
        assert club.pipeline().due(ERP_NAME, club.now) == [club.id]
        club.attempt()
        assert club.inside() == {"1"}
        assert club.pipeline().due(ERP_NAME, club.now) == []
    states = freshness.of_all(club._base, Config(clubs=(club.config,)))
    assert [one.club.id for one in states] == [club.id]


def test_r15_losses_count_wherever_the_clock_was(new_club: NewClub) -> None:
    """The window of 24 hours: what was taken under a clock that was ahead, or before it went back, still counts."""
    club = new_club(guard=Guard(share=0, at_least=3, at_most=3))
    for n in range(1, 13):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    right = club.now
    club.erp.remove("1", "2")
    club.at(right + timedelta(hours=1))
    assert club.sync()["held"] == 0
    club.at(right + timedelta(minutes=30))
    club.erp.change("3", status="former")
    club.erp.change("4", status="former")
    step = club.attempt()  # not used, or held: it is older than what is loaded
    assert step["held"] == 2 or not step["used"]
    assert club.inside() >= {"3", "4"}
    club.at(right + timedelta(hours=2))
    assert club.sync()["held"] == 2
    assert club.inside() == {str(n) for n in range(3, 13)}


@pytest.mark.parametrize("jump", [BACK, AHEAD])
def test_r14_a_second_reading_counts_by_its_own_time(new_club: NewClub, jump: timedelta) -> None:
    """A walk missed two: one is gone, one had only moved. Under any clock who is there stays, and in the end who is
    gone is out."""
    club = new_club()
    for n in range(1, 13):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.erp.page_size = 4
    club.sync()
    moved = club.erp.records["11"]
    club.erp.remove("11", "12")
    assert club.sync()["suspected"] == 2
    club.erp.records["11"] = moved
    right = club.now
    club.at(right + jump)
    club.attempt()
    assert "11" in club.inside()
    club.at(right + timedelta(days=2))
    for _ in range(2):
        club.sync()
    assert club.inside() == {str(n) for n in range(1, 12)}


def test_r18_changes_by_hour_are_those_of_the_audit(new_club: NewClub) -> None:
    """Each change is counted once, in the hour that the clock showed."""
    club = new_club()
    for n in range(1, 7):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    right = club.now
    for at, gone in ((AHEAD, "1"), (BACK, "2"), (AHEAD + timedelta(hours=2), "3")):
        club.erp.remove(gone)
        club.at(right + at)
        club.attempt()
    counted = club.rows("select kind, sum(changes) from sync.change_hour group by kind order by 1")
    audited = club.rows("select kind, count(*) from sync.change group by kind order by 1")
    assert [(kind, int(n)) for kind, n in counted] == audited
    assert dict(audited)["deactivation"] >= 2


def test_a_file_of_the_future_is_not_used_and_the_next_one_is(files: FileClub) -> None:
    """A file server whose clock is ahead, and then is set right."""
    files.load(table(*people(*range(1, 11))))
    files.export(table(*people(*range(1, 6))), ago=timedelta(hours=-6))
    step = files.read()
    assert (step["used"], step["error"] is not None) == (False, True)
    assert files.inside() == {str(n) for n in range(1, 11)}
    files.load(table(*people(*range(1, 10), 11)))
    assert files.inside() == {*(str(n) for n in range(1, 10)), "11"}
