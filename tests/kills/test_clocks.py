"""R14, R16: clocks that jump, back and forth: nobody loses access by it, and a right clock puts everything right."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.support.club import Club
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


def test_a_file_of_the_future_is_not_used_and_the_next_one_is(files: FileClub) -> None:
    """A file server whose clock is ahead, and then is set right."""
    files.load(table(*people(*range(1, 11))))
    files.export(table(*people(*range(1, 6))), ago=timedelta(hours=-6))
    step = files.read()
    assert (step["used"], step["error"] is not None) == (False, True)
    assert files.inside() == {str(n) for n in range(1, 11)}
    files.load(table(*people(*range(1, 10), 11)))
    assert files.inside() == {*(str(n) for n in range(1, 10)), "11"}
