"""R15, R16, R18: what another run does between the evaluation of a run and its load, told by what the run is about.

A decision is carried out on what holds now. A replay of a snapshot that is deleted meanwhile loads nothing and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clubsync.config import Config, Guard
from clubsync.manual.undo import undo
from clubsync.pipeline import load as loading
from tests.support.club import Club
from tests.support.owner import as_owner
from tests.support.rules import NewClub


def before_load(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, when the next run has been planned and is about to be loaded."""
    load, waiting = loading.load, [act]

    def loaded(*arguments: Any) -> None:
        if waiting:
            waiting.pop()()
        load(*arguments)

    monkeypatch.setattr(loading, "load", loaded)


@pytest.fixture
def held(new_club: NewClub) -> Club:
    """A club of twenty, with one departure that awaits approval."""
    club = new_club(guard=Guard(share=0, at_least=0, at_most=0))
    for n in range(20):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    club.erp.remove("3")
    assert club.sync()["held"] == 1
    return club


def hold_of(club: Club) -> tuple[Any, ...]:
    ((number, state),) = club.rows("select hold, state from sync.hold where club = %s", club.number)
    return number, state


def test_r15_an_approval_holds_beside_a_sync(held: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's decision is not lost because the club is read again while it is carried out."""

    def sync() -> None:
        held.later()
        held.erp.put("30", "new@x.fr")
        held.sync()

    before_load(monkeypatch, sync)
    number, _ = hold_of(held)
    step = held.pipeline().approve(number, "Ann")
    assert step["error"] is None
    assert step["used"]
    assert "3" not in held.inside()
    assert "30" in held.inside()
    assert hold_of(held) == (number, "approved")


def test_r15_an_approval_spares_whom_the_sync_beside_it_brings_back(
    held: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "Approve deactivates those of the seen list whom the newest snapshot still calls for, and nobody else"."""

    def sync() -> None:
        held.later()
        held.erp.put("3", "p3@x.fr")
        held.sync()

    before_load(monkeypatch, sync)
    number, _ = hold_of(held)
    held.pipeline().approve(number, "Ann")
    assert "3" in held.inside()


def test_r18_a_redo_holds_beside_a_sync(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    club.erp.change("1", status="archived")
    run = club.sync()["run"]
    assert run is not None
    undo(club._base, Config(clubs=(club.config,)), run, by="Ann")
    assert "1" in club.inside()

    def sync() -> None:
        club.later()
        club.erp.put("3", "carl@x.fr")
        club.sync()

    before_load(monkeypatch, sync)
    assert club.pipeline().redo(run, "Ann")["error"] is None
    assert "1" not in club.inside()


@pytest.mark.parametrize("when", ["planned", "evaluated"])
def test_r16_a_replay_of_what_is_deleted_meanwhile_says_so(
    club: Club, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Retention is no fault: nothing of the snapshot is loaded, and no engineer is called."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    ((first,),) = club.rows("select snapshot from sync.snapshot where club = %s", club.number)
    club.erp.change("1", first_name="Anna")
    club.sync()
    before = club.base()

    def delete() -> None:
        with as_owner(club._base) as driver:
            driver.execute(
                "delete from sync.snapshot where club = %s and snapshot = %s", (club.number, first)
            )

    engine = club.pipeline()
    if when == "planned":
        before_load(monkeypatch, delete)
    else:
        delete()
    step = engine.replay_snapshot(club.id, "replay", first)
    assert (step["error"], step["used"]) == (None, False)
    assert step["rows_written"] == 0
    assert step["notes"]
    assert club.base() == before
