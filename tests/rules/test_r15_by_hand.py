"""R15, R1: somebody added by hand would be merged into a customer without access: an access loss, which is held."""

from __future__ import annotations

import pytest

from clubsync.config import Guard
from tests.support.club import Club
from tests.support.rules import NewClub

HAND = "hand@x.fr"


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """Nobody may go without approval. The club has detached 1, and added somebody whose email 1 shows by now."""
    club = new_club(guard=Guard(share=0, at_least=0, at_most=0))
    for i in range(1, 6):
        club.erp.put(str(i), f"p{i}@x.fr", first_name=f"Ann {i}")
    club.sync()
    club.detach("1")
    club.add_by_hand(HAND)
    club.erp.change("1", email=HAND)
    return club


def access(club: Club) -> bool:
    sql = "select in_customers_group from base.customer where club = %s and origin = 'manual'"
    ((inside,),) = club.rows(sql, club.number)
    return bool(inside)


def open_holds(club: Club) -> list[tuple[int, int, str]]:
    return club.rows(
        "select hold, version, list_hash from sync.hold where club = %s and state = 'open'",
        club.number,
    )


def test_r15_the_loss_is_held_and_the_plan_comes_to_its_end(club: Club) -> None:
    step = club.sync()
    assert (step["held"], access(club)) == (1, True)
    ((_, version, _),) = open_holds(club)
    # the record that takes the email stays as it is, whatever else it says; others go on
    club.erp.change("1", phone="+33612345678")
    club.erp.put("9", "nine@x.fr")
    step = club.sync()
    assert (step["held"], access(club)) == (1, True)
    assert "9" in club.inside()
    assert [one[1] for one in open_holds(club)] == [version], "the list is the same"
    (member,) = club.rows(
        "select erp_id, kind, loses from sync.hold_member where club = %s", club.number
    )
    assert member == ("1", "merge", True)


def test_r15_it_stays_held_while_a_partial_reading_says_nothing_of_the_record(club: Club) -> None:
    club.sync()
    club.sync(certified=False, lost=("1",))
    assert access(club)
    assert len(open_holds(club)) == 1


def test_r15_it_ends_by_itself_when_the_record_shows_another_email(club: Club) -> None:
    club.sync()
    club.erp.change("1", email="p1@x.fr")
    step = club.sync()
    assert (step["held"], access(club), open_holds(club)) == (0, True, [])


def test_r15_approved_it_is_carried_out(club: Club) -> None:
    club.sync()
    ((hold, _, seen),) = open_holds(club)
    step = club.pipeline().approve(hold, "support", seen)
    assert step["error"] is None
    assert not access(club)
    assert club.sync()["rows_written"] == 0, "R17"


def test_r15_rejected_it_is_not_asked_again_until_the_record_changes(club: Club) -> None:
    club.sync()
    ((hold, _, seen),) = open_holds(club)
    club.pipeline().reject(hold, "support", seen)
    for _ in range(2):
        assert (club.sync()["held"], access(club), open_holds(club)) == (0, True, [])
    club.erp.change("1", first_name="Another")
    assert (club.sync()["held"], access(club)) == (1, True)
