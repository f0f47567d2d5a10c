"""R15: a hold as a question: asked once a list, and taken away when it needs no answer any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.config import Guard
from clubsync.errors import ActionRejected
from clubsync.manual import holds, lifecycle
from clubsync.operate.retention import upkeep
from clubsync.store.database import queries
from tests.support.club import Club
from tests.support.rules import NewClub


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """Twenty customers, and a guard that lets two go in a day."""
    club = new_club(guard=Guard(share=0.1, at_least=2, at_most=200))
    for i in range(20):
        club.erp.put(str(i), f"p{i}@x.fr")
    club.sync()
    return club


def says(club: Club, *ids: int) -> None:
    """The ERP archives these, and nobody else; the club is synced."""
    for i in range(20):
        club.erp.change(str(i), status="archived" if i in ids else "active")
    club.sync()


def unasked(club: Club) -> list[tuple[int, int]]:
    """Hold and version of each list that nobody was asked about."""
    with club.pipeline().base.reader() as driver:
        rows = queries().holds_without_request(driver)
        return [(r["hold"], r["version"]) for r in rows if r["club_id"] == club.id]


def ask(club: Club) -> list[tuple[int, int]]:
    """Put every list to a person that was not yet, as its run does."""
    base, lists = club.pipeline().base, unasked(club)
    for hold, version in lists:
        holds.approval_request(base, hold, version).mark_shown(base)
    return lists


def over(club: Club) -> list[tuple[int, int]]:
    rows = holds.obsolete_requests(club.pipeline().base)
    return [(row["hold"], row["version"]) for row in rows if row["club_id"] == club.id]


def test_r15_a_list_is_asked_about_once(club: Club) -> None:
    says(club, 1, 2, 3)
    assert len(ask(club)) == 1
    says(club, 1, 2, 3)
    assert (ask(club), over(club)) == ([], [])


def test_r15_a_list_that_changed_is_a_question_of_its_own(club: Club) -> None:
    """Also where it is the one that it was before: who was asked first has seen the same people, but not
    that somebody came back in between."""
    says(club, 1, 2, 3)
    [(hold, first)] = ask(club)
    says(club, 1, 2, 3, 4)
    [(same, second)] = ask(club)
    assert (same, second) == (hold, first + 1)
    base = club.pipeline().base
    assert holds.approval_request(base, hold, second).joined == 1
    assert "has changed since" in str(holds.approval_request(base, hold, first).obsolete)
    assert over(club) == [(hold, first)]
    holds.close_request(base, hold, first)

    says(club, 1, 2, 3)
    [(_, third)] = ask(club)
    assert over(club) == [(hold, second)]
    lists = [holds.approval_request(base, hold, number) for number in (first, third)]
    assert lists[0].list_hash == lists[1].list_hash
    assert [question.obsolete is None for question in lists] == [False, True]


def test_r15_the_run_of_a_question_that_is_over_is_told_once_in_ten_minutes(club: Club) -> None:
    says(club, 1, 2, 3)
    asked = ask(club)
    says(club)
    club.later(minutes=2)
    assert over(club) == asked
    club.later(minutes=9)
    assert over(club) == []
    club.later(minutes=2)
    assert over(club) == asked
    holds.close_request(club.pipeline().base, *asked[0])
    club.later(minutes=11)
    assert over(club) == []


def test_r15_a_decision_made_elsewhere_takes_the_question_away(club: Club) -> None:
    """ "One decision wins": after the minute in which its own run may be the one that decided."""
    says(club, 1, 2, 3)
    [(hold, version)] = ask(club)
    club.pipeline().approve(hold, "Ann")
    assert over(club) == []
    club.later(minutes=2)
    assert over(club) == [(hold, version)]
    ended = holds.approval_request(club.pipeline().base, hold, version).obsolete
    assert ended == f"Hold {hold} was approved by Ann."


def test_r15_r28_a_removed_club_leaves_no_question(club: Club) -> None:
    says(club, 1, 2, 3)
    [(hold, version)] = ask(club)
    engine = club.pipeline()
    lifecycle.remove(engine.base, club.config, timedelta(0))
    club.later(minutes=1)
    upkeep(engine.base, engine.store, engine.config, timedelta(days=30))
    assert over(club) == [(hold, version)]
    with pytest.raises(ActionRejected, match=f"There is no hold {hold}"):
        holds.approval_request(engine.base, hold, version)
