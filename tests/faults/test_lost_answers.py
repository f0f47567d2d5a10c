"""R16 to R18: the connection dies after a COMMIT reached PostgreSQL, and nobody knows whether it was carried out.

A load that was carried out is told as a success; everything else is done once more, and nothing is there twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest

from clubsync.config import Guard
from clubsync.model import Step
from clubsync.store import embedded
from clubsync.store.database import Base
from tests.support.club import Club
from tests.support.lost_answers import Line, line_to
from tests.support.rules import NewClub, new_club, shared_base

__all__ = ["new_club", "shared_base"]


@pytest.fixture
def line(postgres: embedded.Server) -> Iterator[Line]:
    with line_to(postgres.socket_dir) as line:
        yield line


def known(club: Club) -> Club:
    """The club with something to load."""
    for n in range(1, 7):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    club.erp.put("7", "p7@x.fr")
    club.erp.remove("1")
    return club


def planned(club: Club) -> Step:
    """Everything but the load."""
    club.later()
    (step,) = club.pipeline().extract([club.id], "test")
    (step,) = club.pipeline().validate([step])
    return club.pipeline().diff([step])[0]


def over(line: Line, club: Club, work: Callable[[], Step]) -> Step:
    """Do something over the line, as a new process does."""
    direct, club._base = club._base, Base(line.url("rules"))
    try:
        return work()
    finally:
        club._base.close()
        club._base = direct


def states(club: Club) -> list[tuple[object, ...]]:
    return club.rows("select state, error is null from sync.run order by run")


def changes(club: Club) -> list[tuple[object, ...]]:
    return [(row["kind"], row["erp_id"]) for row in club.changes()]


def test_a_sync_survives_the_loss_of_any_answer(new_club: NewClub, line: Line) -> None:
    """At the end there is one audit row of each change, whichever answer was lost."""
    club = known(new_club())
    line.lose(0)
    over(line, club, club.attempt)
    commits, wanted = line.commits, changes(club)
    assert commits > 5
    outcomes = set()
    for nth in (1, commits // 2, commits - 1, commits):
        club = known(new_club())
        line.lose(nth)
        step = over(line, club, club.attempt)
        line.lose(0)
        loaded = "7" in club.inside()
        assert loaded == (step["error"] is None), (nth, step["error"])
        outcomes.add(loaded)
        assert club.sync()["error"] is None
        assert club.inside() == {"2", "3", "4", "5", "6", "7"}
        assert sorted(changes(club)) == sorted(wanted), nth
        assert ("running", True) not in states(club)
    assert outcomes == {True, False}


def test_a_load_whose_answer_is_lost_is_told_as_what_it_is(new_club: NewClub, line: Line) -> None:
    """Its run is done, with what it wrote; the club has not failed."""
    twin, club = known(new_club()), known(new_club())
    plans = {one.id: planned(one) for one in (twin, club)}

    def load_of(one: Club) -> Callable[[], Step]:
        return lambda: one.pipeline().load([plans[one.id]])[0]

    line.lose(0)
    over(line, twin, load_of(twin))
    line.lose(line.commits)  # the last one is the load's own
    step = over(line, club, load_of(club))
    assert step["error"] is None
    assert (step["counts"]["addition"], step["counts"]["deactivation"]) == (1, 1)
    assert step["rows_written"] > 0
    assert states(club)[-1] == ("done", True)
    assert club.rows("select failing_since from sync.club_state") == [(None,)]


def test_a_load_that_is_started_again_says_what_it_did_before(new_club: NewClub) -> None:
    """Airflow starts a task again that was killed after its commit."""
    club = known(new_club())
    plan = planned(club)
    (first,) = club.pipeline().load([copy.deepcopy(plan)])
    runs = "select run, state, counts, rows_written from sync.run order by run"
    before = club.rows(runs)
    (again,) = club.pipeline().load([copy.deepcopy(plan)])
    assert again["error"] is None
    for name in ("counts", "rows_written", "plan", "held", "findings"):
        assert again[name] == first[name], name
    assert club.rows(runs) == before


def test_a_load_that_held_says_so_again(new_club: NewClub) -> None:
    club = new_club(guard=Guard(share=0, at_least=2, at_most=2))
    for n in range(1, 9):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    club.erp.remove("1", "2", "3")
    plan = planned(club)
    (first,) = club.pipeline().load([copy.deepcopy(plan)])
    (again,) = club.pipeline().load([copy.deepcopy(plan)])
    assert first["held"] == 3
    assert (again["held"], again["hold"]) == (first["held"], first["hold"])
