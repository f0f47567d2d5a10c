"""R15: too many deactivations at once are held, and only they."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from clubsync.config import Guard
from clubsync.errors import ActionRejected
from tests.support.club import Club
from tests.support.rules import NewClub


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """Twenty customers, all in Gold, and a guard that lets three go in a day."""
    club = new_club(guard=Guard(share=0.1, at_least=3, at_most=200))
    club.erp.group("g", name="Gold")
    for i in range(20):
        club.erp.put(str(i), f"p{i}@x.fr", groups=["g"])
    club.sync()
    return club


def out(club: Club, *ids: int) -> None:
    """The ERP archives these."""
    for i in ids:
        club.erp.change(str(i), status="archived")


def hold(club: Club) -> dict[str, Any]:
    """The newest hold."""
    columns = ("hold", "state", "version", "list_hash")
    rows = club.rows(
        "select hold, state, version, list_hash from sync.hold where club = %s order by hold desc",
        club.number,
    )
    return dict(zip(columns, rows[0], strict=True))


def held(club: Club) -> set[str]:
    """ERP ids of who is held now."""
    sql = "select erp_id from sync.hold_member where club = %s and left_version is null"
    return {row[0] for row in club.rows(sql, club.number)}


def test_r15_as_many_as_the_limit_go(club: Club) -> None:
    """Exactly the limit passes."""
    out(club, 1, 2, 3)
    assert club.sync()["hold"] is None
    assert len(club.inside()) == 17


def test_r15_more_are_held_and_only_they(club: Club) -> None:
    """ "the deactivations of that club are held, and only they (a held customer keeps access and automatic
    groups); additions and changes go on"."""
    out(club, 1, 2, 3, 4)
    club.erp.put("new", "new@x.fr", groups=["g"])
    club.erp.change("9", email="nine@x.fr")
    step = club.sync()
    assert step["held"] == 4
    assert step["hold"] == {
        "hold": hold(club)["hold"],
        "deactivations": 4,
        "causes": ["status archived in the ERP: 4 customers"],
    }
    assert club.kinds() == {"addition": 1, "email_change": 1}
    assert len(club.inside()) == 21
    assert club.base()["1"]["groups"] == ["Gold"]
    assert "hold" in club.why("1")["sentence"]


def test_r15_an_email_that_a_held_customer_keeps_lives_on_under_no_id(club: Club) -> None:
    """R10: who vanishes together with the holder of the email that both had has not ended in the holder."""
    club.erp.change("2", email="p1@x.fr")
    club.sync()
    assert club.base()["2"]["reason"] == "email_duplicate"
    club.erp.remove("1", "2", "3", "4", "5")
    assert club.sync()["held"] == 4
    assert "merge" not in club.kinds()
    assert club.base()["2"]["reason"] == "email_duplicate"
    assert {"1", "3", "4", "5"} <= club.inside()


def test_r15_r22_who_needs_an_email_that_a_held_customer_keeps_has_a_finding(club: Club) -> None:
    """ "an email that somebody held still needs stays with them and a finding says so": on both records, for one who
    is new, one who has access, and one in doubt; it closes when the email is free."""
    club.erp.remove("1", "2", "3", "4", "5", "6")
    club.erp.put("new", "p1@x.fr", first_name="Zoe", last_name="Zola")
    club.erp.change("8", email="p2@x.fr")
    club.erp.change("9", email="p3@x.fr", status="unknown")
    club.sync()
    assert club.base()["8"]["email"] == "p8@x.fr"
    told = {i for i, codes in club.findings().items() if "EMAIL_DUPLICATE" in codes}
    assert told == {"1", "2", "3", "8", "9", "new"}
    club.pipeline().approve(hold(club)["hold"], "Ann")
    club.sync()
    assert not any("EMAIL_DUPLICATE" in codes for codes in club.findings().values())
    assert "new" in club.inside()


def test_r15_a_group_is_named_as_the_cause(club: Club) -> None:
    """ "A hold names its causes ("group *Gold* turned inactive: 412 customers")"."""
    club.erp.group("g", name="Gold", active=False)
    assert (club.sync()["hold"] or {})["causes"] == ["group *Gold* turned inactive: 20 customers"]
    assert len(club.inside()) == 20


def test_r15_the_last_24_hours_count(club: Club) -> None:
    """ "together with what the sync has deactivated in that club in the last 24 hours"."""
    out(club, 1, 2)
    club.sync()
    club.later(hours=20)
    out(club, 3, 4)
    assert club.sync()["held"] == 2
    club.erp.change("3", status="active")
    club.erp.change("4", status="active")
    club.sync()
    club.later(hours=5)
    out(club, 3, 4)
    assert club.sync()["held"] == 0
    assert len(club.inside()) == 16


def test_r15_merges_that_take_no_access_do_not_count(club: Club) -> None:
    """The ERP has given ten people new ids: everybody keeps what they had."""
    for i in range(10):
        club.erp.remove(str(i))
        club.erp.put(f"1{i:02}", f"p{i}@x.fr", groups=["g"])
    club.sync()
    assert (hold_states(club), club.kinds()) == ([], {"merge": 10})


def test_r15_stated_merges_count(club: Club) -> None:
    """ "a merge counts when the person it absorbs had access and the survivor's email is another"."""
    for i in range(1, 16):
        club.erp.change(str(i), replaced_by="0")
    step = club.sync()
    assert step["hold"] is not None
    assert step["hold"]["deactivations"] == 15
    assert step["hold"]["causes"] == ["record was merged in the ERP: 15 customers"]
    assert (len(club.inside()), club.kinds()) == (20, {})
    step = club.pipeline().approve(hold(club)["hold"], "Ann")
    assert (step["error"], step["counts"]["merge"], club.inside()) == (
        None,
        15,
        {"0", "16", "17", "18", "19"},
    )
    assert club.sync()["held"] == 0
    assert club.changes(run=step["run"])[0]["reason"] == "merged"


def test_r15_a_merge_into_a_record_without_access_counts(club: Club) -> None:
    """The ids vanish, and former records with the same emails appear."""
    for i in range(1, 9):
        club.erp.remove(str(i))
        club.erp.put(f"1{i:02}", f"p{i}@x.fr", status="former", groups=["g"])
    step = club.sync()
    assert (step["held"], len(club.inside()), club.kinds()) == (8, 20, {})
    assert held(club) == {str(i) for i in range(1, 9)}


def test_r15_merges_by_email_are_held_with_the_access_losses(club: Club) -> None:
    """ "while a club's access losses are held, merges found through an email are held with them": they wait on the
    same list, and take no access; an email that somebody held needs stays with them, and a finding says so."""
    ids = {key: row["id"] for key, row in club.base().items()}
    club.erp.remove("1", "2", "3", "4", "5")
    club.erp.put("105", "p5@x.fr", groups=["g"])
    club.erp.put("new", "new@x.fr", groups=["g"])
    step = club.sync()
    assert (step["held"], club.kinds()) == (4, {"addition": 1})
    assert held(club) == {"1", "2", "3", "4", "5"}
    assert club.base()["5"]["id"] == ids["5"]
    assert club.findings()["105"] == {"EMAIL_DUPLICATE"}
    club.sync()
    assert held(club) == {"1", "2", "3", "4", "5"}, "not for one run only"
    club.pipeline().approve(hold(club)["hold"], "Ann")
    assert club.kinds() == {}
    assert club.base()["105"]["id"] == ids["5"]
    assert "105" in club.inside()
    assert club.sync()["held"] == 0
    assert club.findings() == {}


def test_r15_when_the_losses_are_over_the_merges_go_on(club: Club) -> None:
    """Half the list came back: nobody is left to decide about, and the hold closes itself."""
    club.erp.remove("5")
    club.erp.put("105", "p5@x.fr", groups=["g"])
    out(club, 1, 2, 3, 4)
    club.sync()
    for i in "1234":
        club.erp.change(i, status="active")
    club.sync()
    assert (hold_states(club), club.kinds()) == (["emptied"], {"merge": 1})


def test_r15_who_lost_access_by_a_merge_counts_for_24_hours(club: Club) -> None:
    """ "together with whom the sync has taken it from in that club in the last 24 hours (also when they are back
    since; what a person approved does not count)"."""
    club.erp.change("1", replaced_by="0")
    club.erp.change("2", replaced_by="0")
    assert club.sync()["held"] == 0
    club.erp.change("1", replaced_by=None)
    club.sync()
    assert "1" in club.inside()
    out(club, 3, 4)
    assert club.sync()["held"] == 2
    club.pipeline().approve(hold(club)["hold"], "Ann")
    out(club, 5)
    assert club.sync()["held"] == 0


def test_r15_reject_of_an_older_list_frees_nobody_of_the_newer_one(club: Club) -> None:
    """ "after either, whoever was on a later version only is held still, in a hold of their own"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    seen = hold(club)
    out(club, 5, 6)
    club.sync()
    made = club.pipeline().reject(seen["hold"], "Ann", seen["list_hash"])
    assert (made["kept"], made["still_held"]) == (4, 2)
    assert hold(club)["hold"] == made["new_hold"] != seen["hold"]
    open_now = (
        "select m.erp_id from sync.hold as h join sync.hold_member as m using (club, hold)"
        " where club = %s and h.state = 'open'"
    )
    for _ in range(2):
        assert {row[0] for row in club.rows(open_now, club.number)} == {"5", "6"}
        assert len(club.inside()) == 20
        club.sync()
    with pytest.raises(ActionRejected, match="was rejected by Ann"):
        club.pipeline().approve(seen["hold"], "Bob")
    club.pipeline().approve(made["new_hold"], "Bob")
    assert club.inside() == {str(i) for i in range(20)} - {"5", "6"}


def test_r15_reject_keeps_who_had_dropped_out_of_the_seen_list(club: Club) -> None:
    """ "keeps the people of the seen list, says so, and does not ask about them again for 30 days or until their
    ERP record changes": the group was switched on for a moment in between; their records did not change."""
    club.erp.group("h", name="Half")
    for i in range(1, 6):
        club.erp.change(str(i), groups=["h"])
    club.sync()
    club.erp.group("h", active=False, name="Half")
    club.sync()
    seen = hold(club)
    out(club, 7)
    club.sync()
    club.erp.group("h", name="Half")
    club.sync()
    assert held(club) >= {"7"}
    club.pipeline().reject(seen["hold"], "Ann", seen["list_hash"])
    club.erp.group("h", active=False, name="Half")
    club.sync()
    assert {"1", "2", "3", "4", "5"} <= club.inside()
    assert club.last is not None
    assert club.last["held"] == 1


def test_r15_it_stays_open_with_those_who_fall_due_when_all_are_back(club: Club) -> None:
    """ "when all are back while others fall due it stays open with those"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    first = hold(club)["hold"]
    for i in "1234":
        club.erp.change(i, status="active")
    out(club, 8)
    club.sync()
    assert (hold(club)["hold"], hold(club)["state"]) == (first, "open")
    assert {"8"} <= club.inside()


def hold_states(club: Club) -> list[str]:
    """Of all holds, in order."""
    sql = "select state from sync.hold where club = %s order by hold"
    return [row[0] for row in club.rows(sql, club.number)]


def test_r15_people_join_and_leave_the_open_hold(club: Club) -> None:
    """ "While it is open, whoever else falls due in that club joins it as a new version of the list, and whoever
    the ERP brings back drops out; when nobody is left it closes itself"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    first = hold(club)
    out(club, 5)
    assert club.sync()["held"] == 5
    second = hold(club)
    assert second["hold"] == first["hold"]
    assert second["version"] == first["version"] + 1
    assert second["list_hash"] != first["list_hash"]
    club.erp.change("1", status="active")
    assert club.sync()["held"] == 4
    assert held(club) == {"2", "3", "4", "5"}
    for i in "2345":
        club.erp.change(i, status="active")
    assert club.sync()["held"] == 0
    assert hold_states(club) == ["emptied"]
    assert len(club.inside()) == 20


def test_r15_nothing_new_is_no_new_version(club: Club) -> None:
    """The same list stays the same version, run after run."""
    out(club, 1, 2, 3, 4)
    club.sync()
    before = hold(club)
    assert club.sync()["rows_written"] == 0
    assert hold(club) == before


@pytest.mark.parametrize("gone", [False, True])
def test_r15_a_partial_snapshot_lets_nobody_out(club: Club, gone: bool) -> None:
    """A page that did not come brings nobody back: the hold stays as it is."""
    ids = ("1", "2", "3", "4")
    if gone:
        club.erp.remove(*ids)
    else:
        out(club, 1, 2, 3, 4)
    club.sync()
    before = hold(club)
    assert club.sync(certified=False, lost=() if gone else ids)["held"] == 4
    assert hold(club) == before
    assert club.sync()["held"] == 4
    assert (hold(club), len(club.inside())) == (before, 20)


def test_r15_of_who_is_held_the_rest_goes_on(club: Club) -> None:
    """Held with a new phone number: the number is taken over now, and is not lost when they come back."""
    out(club, 1, 2, 3, 4)
    club.erp.change("1", phone="+33600000001")
    club.sync()
    assert club.base()["1"]["phone"] == "+33600000001"
    club.erp.change("1", status="active", email="one@x.fr")
    club.sync()
    assert (club.base()["1"]["phone"], club.base()["1"]["email"]) == ("+33600000001", "one@x.fr")


def test_r15_who_signs_up_anew_needs_no_decision(club: Club) -> None:
    """The old card of one of those held is archived and a new one made: that one is adopted (R1), the rest held."""
    out(club, 1, 2, 3, 4, 5)
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.put("new", "p1@x.fr", groups=["g"])
    club.sync()
    assert (club.base()["new"]["id"], held(club)) == (customer, {"2", "3", "4", "5"})
    assert len(club.inside()) == 20


def test_r15_a_dry_run_says_what_would_be_held(club: Club) -> None:
    """And opens no hold."""
    out(club, 1, 2, 3, 4)
    step = club.sync(dry_run=True)
    assert (step["hold"] or {})["deactivations"] == 4
    assert hold_states(club) == []


def test_r15_approve_deactivates_those_still_called_for(club: Club) -> None:
    """ "Approve deactivates those of the seen list whom the newest snapshot still calls for, and nobody else; later
    ones stay held"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    seen = hold(club)
    out(club, 5)
    club.erp.change("1", status="active")
    club.sync()
    step = club.pipeline().approve(seen["hold"], "Ann", seen["list_hash"])
    assert step["error"] is None
    assert len(club.inside()) == 17
    assert {k for k, r in club.base().items() if not r["in_customers_group"]} == {"2", "3", "4"}
    club.sync()
    assert "5" in club.inside()
    assert held(club) >= {"5"}


def test_r15_reject_keeps_them_for_30_days_or_until_the_record_changes(club: Club) -> None:
    """ "Reject keeps the people of the seen list, says so, and does not ask about them again for 30 days or until
    their ERP record changes"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    seen = hold(club)
    club.pipeline().reject(seen["hold"], "Ann", seen["list_hash"])
    assert club.sync()["held"] == 0
    assert len(club.inside()) == 20
    club.erp.change("1", phone="+33600000001")
    club.sync()
    assert len(club.inside()) == 19
    club.later(days=31)
    assert club.sync()["error"] is None
    assert not {"2", "3", "4"} - (held(club) | (set(club.base()) - club.inside()))


def test_r15_who_was_rejected_and_vanishes_is_asked_about_again(club: Club) -> None:
    """To vanish is a change of the record; and who was kept while gone is not asked about for being gone."""
    out(club, 1, 2, 3, 4)
    club.sync()
    club.pipeline().reject(hold(club)["hold"], "Ann")
    assert club.sync()["held"] == 0
    club.erp.remove("1", "2", "3", "4")
    assert club.sync()["held"] == 4
    club.pipeline().reject(hold(club)["hold"], "Ann")
    assert club.sync()["held"] == 0
    assert len(club.inside()) == 20


def test_r15_a_rejection_is_over_once_the_record_has_changed(club: Club) -> None:
    """Kept while archived, active again, archived again: this is a new case and needs a new decision."""
    out(club, 1, 2, 3, 4)
    club.sync()
    club.pipeline().reject(hold(club)["hold"], "Ann")
    club.sync()
    for i in "1234":
        club.erp.change(i, status="active")
    club.sync()
    out(club, 1, 2, 3, 4)
    assert club.sync()["held"] == 4


def test_r15_one_decision_wins(club: Club) -> None:
    """ "One decision wins"."""
    out(club, 1, 2, 3, 4)
    club.sync()
    seen = hold(club)
    club.pipeline().reject(seen["hold"], "Ann", seen["list_hash"])
    with pytest.raises(ActionRejected, match="was rejected by Ann"):
        club.pipeline().approve(seen["hold"], "Bob", seen["list_hash"])
    assert len(club.inside()) == 20


def test_r15_what_time_does_is_held_too(new_club: NewClub) -> None:
    """Everybody's year ends on one day: the guard does not care what the cause is."""
    club = new_club(guard=Guard(share=0.1, at_least=3, at_most=200))
    club.erp.group("year")
    for i in range(10):
        club.erp.put(str(i), f"p{i}@x.fr", groups=[("year", date(2026, 3, 31))])
    club.sync()
    club.at("2026-04-01T12:00")
    assert (club.sync()["hold"] or {})["causes"] == ["membership expired: 10 customers"]


def test_r15_other_clubs_are_not_touched(club: Club, new_club: NewClub) -> None:
    """ "other clubs are not touched"."""
    other = new_club()
    other.erp.put("1", "a@x.fr")
    other.sync()
    out(club, 1, 2, 3, 4)
    club.sync()
    other.erp.change("1", status="archived")
    assert other.sync()["hold"] is None


@pytest.mark.parametrize(
    ("customers", "limit"), [(0, 5), (10, 5), (59, 5), (60, 6), (1999, 199), (10_000, 200)]
)
def test_r15_the_default_limit(customers: int, limit: int) -> None:
    """ "default `share: 10%` of the Customers group as it was before the run, but `at_least: 5` and `at_most: 200`"."""
    assert Guard().limit(customers) == limit


def test_r15_who_came_back_without_a_settled_email_and_left_again_is_held_again(
    new_club: NewClub,
) -> None:
    """The record that came back claims the email of somebody who is held, so it waits; gone again, its
    customer falls due again, and joins."""
    club = new_club(guard=Guard(share=0, at_least=1, at_most=1))
    for i, letter in zip("1239", "abcz", strict=True):
        club.erp.put(i, f"{letter}@x.fr")
    club.sync()
    club.erp.remove("1", "2")
    assert club.sync()["held"] == 2
    club.erp.put("2", "a@x.fr", status="unknown")
    assert club.sync()["held"] == 1, "what is unknown changes nothing"
    club.erp.remove("2")
    assert club.sync()["held"] == 2
