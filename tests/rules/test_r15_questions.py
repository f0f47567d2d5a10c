"""R15: a hold as a question: one is open at a time, about the newest list, until it needs no answer any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.config import Guard
from clubsync.errors import ActionRejected
from clubsync.manual import holds, lifecycle
from clubsync.manual.holds import ApprovalRequest
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
    """Hold and version of the list of each hold that has no request."""
    rows = holds.unasked(club.pipeline().base)
    return [(row["hold"], row["version"]) for row in rows if row["club_id"] == club.id]


def start(club: Club) -> str:
    """Start the run of the one hold that has no request, as `upkeep` does; the run."""
    base = club.pipeline().base
    (row,) = [row for row in holds.unasked(base) if row["club_id"] == club.id]
    return holds.claim(base, row)


def show(club: Club, run: str) -> ApprovalRequest | None:
    """What a run does: show its list, or end; None."""
    base, (hold, version) = club.pipeline().base, (int(n) for n in run.split("-")[-3::2])
    request = holds.approval_request(base, hold, version)
    if request.obsolete:
        holds.close_request(base, run)
        return None
    request.mark_shown(base, run)
    return request


def ask(club: Club) -> ApprovalRequest:
    request = show(club, start(club))
    assert request is not None
    return request


def over(club: Club) -> list[str]:
    """Runs that are told to look again."""
    rows = holds.obsolete_requests(club.pipeline().base)
    return [row["run_id"] for row in rows if row["club_id"] == club.id]


def outdated(club: Club, run: str) -> bool:
    return holds.outdated(club.pipeline().base, run)


def test_r15_a_list_is_asked_about_once(club: Club) -> None:
    says(club, 1, 2, 3)
    run = start(club)
    assert unasked(club) == [], "its run is on its way"
    show(club, run)
    says(club, 1, 2, 3)
    assert (unasked(club), over(club), outdated(club, run)) == ([], [], False)


def test_r15_a_hold_has_one_open_request_which_the_newest_list_takes_over(club: Club) -> None:
    """However often the list changes: first the old request ends, then the newest is asked about, which says what has
    changed since the last that somebody may have seen. An answer to the old one is outdated at once."""
    says(club, 1, 2, 3)
    first = start(club)
    seen = show(club, first)
    assert seen is not None
    assert (seen.joined, seen.left) == (None, None)
    says(club, 1, 2, 3, 4)
    says(club, 2, 3, 4, 5)
    assert (unasked(club), outdated(club, first)) == ([], True)
    assert over(club) == [first]
    assert over(club) == [], "it is told once"
    assert show(club, first) is None
    assert unasked(club) == [(seen.hold, seen.version + 2)]
    second = start(club)
    newest = show(club, second)
    assert newest is not None
    assert (newest.joined, newest.left) == (2, 1)
    assert "2 customers joined it, 1 left it" in newest.markdown()
    assert (over(club), outdated(club, second)) == ([], False)
    # the list that it was before: who was asked first has not seen that somebody came back in between
    says(club, 1, 2, 3)
    assert over(club) == [second]
    show(club, second)
    again = ask(club)
    assert (again.list_hash, again.version) == (seen.list_hash, seen.version + 3)
    assert (again.joined, again.left) == (1, 2)


def test_r15_a_list_that_changes_before_it_is_shown_is_not_shown(club: Club) -> None:
    says(club, 1, 2, 3)
    run = start(club)
    says(club, 1, 2, 3, 4)
    assert unasked(club) == []
    assert show(club, run) is None
    assert [version for _hold, version in unasked(club)] == [2]


def test_r15_a_run_that_was_lost_is_started_again(club: Club) -> None:
    """Airflow was away, or upkeep was killed, between the row and the run."""
    says(club, 1, 2, 3)
    run = start(club)
    assert over(club) == []
    club.later(minutes=11)
    assert over(club) == [run]
    assert show(club, run) is not None
    club.later(minutes=11)
    assert over(club) == []


def test_r15_a_decision_on_a_list_that_has_changed_is_about_that_list(club: Club) -> None:
    """Who answers while the list changes has seen the earlier one: whoever joined since is held still."""
    says(club, 1, 2, 3)
    seen = ask(club)
    says(club, 1, 2, 3, 4)
    request = holds.approval_request(club.pipeline().base, seen.hold, seen.version)
    assert (request.list_hash, request.newest) == (seen.list_hash, seen.version + 1)
    club.pipeline().approve(seen.hold, "Ann", request.list_hash)
    assert club.inside() == {str(n) for n in range(20)} - {"1", "2", "3"}
    ((rest, _version),) = unasked(club)
    (member,) = holds.approval_request(club.pipeline().base, rest).members
    assert member["erp_id"] == "4"


def test_r15_the_run_of_a_question_that_is_over_is_told_once_in_ten_minutes(club: Club) -> None:
    says(club, 1, 2, 3)
    run = start(club)
    show(club, run)
    says(club)
    club.later(minutes=2)
    assert over(club) == [run]
    club.later(minutes=9)
    assert over(club) == []
    club.later(minutes=2)
    assert over(club) == [run]
    holds.close_request(club.pipeline().base, run)
    club.later(minutes=11)
    assert over(club) == []


def test_r15_a_decision_made_elsewhere_takes_the_question_away(club: Club) -> None:
    """ "One decision wins": after the minute in which its own run may be the one that decided."""
    says(club, 1, 2, 3)
    run = start(club)
    request = show(club, run)
    assert request is not None
    club.pipeline().approve(request.hold, "Ann")
    assert (over(club), outdated(club, run)) == ([], True)
    club.later(minutes=2)
    assert over(club) == [run]
    ended = holds.approval_request(club.pipeline().base, request.hold).obsolete
    assert ended == f"Hold {request.hold} was approved by Ann."


def test_r15_r28_a_removed_club_leaves_no_question(club: Club) -> None:
    says(club, 1, 2, 3)
    run = start(club)
    request = show(club, run)
    assert request is not None
    engine = club.pipeline()
    lifecycle.remove(engine.base, club.config, timedelta(0))
    club.later(minutes=1)
    upkeep(engine.base, engine.store, engine.config, timedelta(days=30))
    assert over(club) == [run]
    with pytest.raises(ActionRejected, match=f"There is no hold {request.hold}"):
        holds.approval_request(engine.base, request.hold)


def test_r15_half_of_a_club_that_vanished_is_said_to_be_checked(club: Club) -> None:
    """ "A hold names its causes": an export that is truncated, more often than a club that lost half. Those whom the
    ERP has, archived, are no sign of it."""
    says(club, *range(12))
    ((hold, _version),) = unasked(club)
    assert holds.approval_request(club.pipeline().base, hold).vanished is None
    says(club)
    club.erp.remove(*map(str, range(9)))
    club.sync()
    ((hold, _version),) = unasked(club)
    assert holds.approval_request(club.pipeline().base, hold).vanished is None
    club.erp.remove("9")
    club.sync()
    request = holds.approval_request(club.pipeline().base, hold)
    says_so = "half of the club or more vanished from the ERP (10 of 20 customers): check the export first"
    assert request.vanished == says_so
    assert "check the export first" in request.markdown()
    with club.driver() as driver:
        row = queries().open_hold(driver, club=club.number)
    assert row is not None
    assert row["causes"] == [says_so, "no longer in the ERP: 10 customers"]
