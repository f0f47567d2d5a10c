"""R14, of ERPs that can be asked for what changed: between whole readings, and never in their place."""

from __future__ import annotations

import pytest

from clubsync.config import Guard
from tests.support.club import Club


@pytest.fixture
def club(club: Club) -> Club:
    """A club of 25 that was read once, on an ERP that can be asked for changes."""
    for n in range(25):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.erp.changed = set()
    assert club.sync()["certified"]
    return club


def test_r14_changes_flow_and_absence_says_nothing(club: Club) -> None:
    """Who is not among the changes has not changed; who left is seen by the next whole reading."""
    club.erp.remove("1")
    club.erp.change("2", email="new@x.fr")
    club.erp.change("3", status="archived")
    club.erp.put("25", "p25@x.fr")
    club.erp.changed = {"2", "3", "25"}
    step = club.sync()
    assert (step["certified"], step["read"]) == (False, 3)
    assert any("Only what changed since" in note for note in step["notes"])
    assert club.inside() == {str(n) for n in range(26)} - {"3"}
    assert club.base()["2"]["email"] == "new@x.fr"
    club.later(minutes=60)
    step = club.sync()
    assert (step["certified"], step["read"]) == (True, 25)
    assert club.inside() == {str(n) for n in range(26)} - {"1", "3"}


def test_r14_no_change_is_no_outage(club: Club) -> None:
    """An empty answer to "what changed" is the usual one; changes of three are not another club's."""
    step = club.sync()
    assert (step["read"], step["rows_written"]) == (0, 0)
    for n in "123":
        club.erp.put(f"new-{n}", f"new-{n}@x.fr")
    club.erp.changed = {"new-1", "new-2", "new-3"}
    assert club.sync()["counts"]["addition"] == 3


def test_r14_changes_of_many_strangers_are_not_taken_at_their_word(club: Club) -> None:
    """ "shares less than half of its ids": a wrong key shows in the changes too, and would give strangers
    access. Everything is read at once: newcomers come in, another club's data are refused."""
    for n in range(22):
        club.erp.put(f"new-{n}", f"new-{n}@x.fr")
    club.erp.changed = {f"new-{n}" for n in range(22)}
    step = club.sync()
    assert (step["certified"], step["read"], step["counts"]["addition"]) == (True, 47, 22)
    before = club.base()
    for erp_id in list(club.erp.records):
        club.erp.remove(erp_id)
    for n in range(40):
        club.erp.put(f"other-{n}", f"other-{n}@x.fr")
    club.erp.changed = {f"other-{n}" for n in range(40)}
    assert "only 0 of the 40 customers read are known" in (club.attempt()["error"] or "")
    assert club.base() == before


def test_r14_everything_is_read_every_full_read(club: Club) -> None:
    """`full_read` in clubs.yaml; and after a person's word, or asked to, at once."""
    certified = [club.sync()["certified"] for _ in range(24)]
    assert [n for n, whole in enumerate(certified) if whole] == [11, 23]
    (step,) = club.pipeline().sync([club.id], "test", full=True)
    assert step["certified"]


def test_r14_half_a_swap_among_changes_waits(club: Club) -> None:
    """The ERP stamps one of two whose emails were swapped: neither moves before a whole reading."""
    club.erp.change("1", email="p2@x.fr")
    club.erp.change("2", email="p1@x.fr")
    club.erp.changed = {"1"}
    before = club.base()
    club.sync()
    assert club.base() == before
    club.later(minutes=60)
    club.sync()
    assert (club.base()["1"]["email"], club.base()["2"]["email"]) == ("p2@x.fr", "p1@x.fr")


def test_r14_changes_leave_a_hold_open(club: Club) -> None:
    """Who is held for being gone is not brought back by an answer that only tells changes; whoever is, drops out."""
    club.configure(guard=Guard(share=0.1, at_least=3, at_most=200))
    club.erp.remove("1", "2", "3", "4")
    club.erp.change("5", status="archived")
    club.later(minutes=60)
    held = club.sync()["hold"]
    assert held is not None
    assert held["deactivations"] == 5
    assert [club.sync()["held"] for _ in range(3)] == [5, 5, 5]
    club.erp.change("5", status="active")
    club.erp.changed = {"5"}
    step = club.sync()
    assert (step["certified"], step["held"]) == (False, 4)
    ((seen,),) = club.rows(
        "select list_hash from sync.hold where club = %s and state = 'open'", club.number
    )
    club.pipeline().approve(held["hold"], "Ann", seen)
    assert club.inside() == {str(n) for n in range(5, 25)} | {"0"}
