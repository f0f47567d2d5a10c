"""R3: who is eligible; and what is unknown changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.support.club import Club
from tests.support.rules import NewClub

OUT = ["prospect", "paused", "suspended", "former", "archived", "deleted"]


@pytest.mark.parametrize("status", OUT)
def test_r03_a_status_that_gives_no_access(club: Club, status: str) -> None:
    """ "its ERP status is one that gives access"; a plain status needs no finding (R22)."""
    club.erp.put("1", "a@x.fr", status=status)
    club.sync()
    assert club.base() == {}
    assert club.findings(all=True) == {}


def test_r03_a_club_may_let_others_in(new_club: NewClub) -> None:
    """ "a club may add `paused` and others"; and as soon as it says so, for everybody."""
    club = new_club()
    club.erp.put("1", "a@x.fr", status="paused")
    club.sync()
    assert club.inside() == set()
    club.configure(access_statuses=frozenset({"active", "paused"}))
    club.sync()
    assert club.inside() == {"1"}


def test_r03_a_rule_changed_while_only_part_could_be_read_is_not_forgotten(club: Club) -> None:
    """The club changes its settings, the next reading is not complete: the first complete one applies them."""
    club.erp.put("1", "a@x.fr", status="paused")
    club.sync()
    club.sync(certified=False)
    club.configure(access_statuses=frozenset({"active", "paused"}))
    club.sync()
    assert club.inside() == {"1"}


def test_r03_no_group_at_all_is_allowed(club: Club) -> None:
    """ "no group at all: allowed, unless the club's settings say otherwise"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    assert club.inside() == {"1"}
    club.configure(group_required=True)
    club.sync()
    assert club.inside() == set()
    assert club.findings() == {"1": {"GROUP_UNKNOWN"}}
    assert club.base()["1"]["reason"] == "no_group"


def test_r03_at_least_one_active_group(club: Club) -> None:
    """ "at least one of its ERP groups is active"; "An inactive ERP group feeds no automatic group"."""
    club.erp.group("gold")
    club.erp.group("old", active=False)
    club.erp.put("1", "a@x.fr", groups=["gold", "old"])
    club.erp.put("2", "b@x.fr", groups=["old"])
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["1"]["groups"] == ["gold"]
    assert club.findings() == {"2": {"GROUP_INACTIVE"}}


def test_r03_a_group_is_switched_off_and_on(club: Club) -> None:
    """Nothing of the members' own rows changes, and yet all of them go, and come back."""
    club.erp.group("gold")
    for i in range(4):
        club.erp.put(str(i), f"p{i}@x.fr", groups=["gold"])
    club.sync()
    ids = {k: r["id"] for k, r in club.base().items()}
    club.erp.group("gold", active=False)
    club.sync()
    assert club.inside() == set()
    assert {r["reason"] for r in club.base().values()} == {"group_inactive"}
    assert all(club.findings()[i] == {"GROUP_INACTIVE"} for i in ids)
    club.erp.group("gold")
    club.sync()
    assert club.inside() == set(ids)
    assert {k: (r["id"], r["groups"]) for k, r in club.base().items()} == {
        k: (i, ["gold"]) for k, i in ids.items()
    }
    assert club.findings() == {}
    assert club.kinds() == {"reactivation": 4}


def test_r03_a_former_customers_group(new_club: NewClub) -> None:
    """ "none of them is a former-customers group", by name or id, beside any other group."""
    club = new_club(former_groups=("Anciens membres", "77"))
    club.erp.group("gold")
    club.erp.group("5", name="anciens membres ")
    club.erp.group("77", name="Alumni")
    for erp_id, groups in {"1": ["gold", "5"], "2": ["77"], "3": ["gold"]}.items():
        club.erp.put(erp_id, f"p{erp_id}@x.fr", groups=groups)
    club.sync()
    assert club.inside() == {"3"}
    assert club.findings() == {}
    assert club.findings(all=True) == {"1": {"GROUP_FORMER"}, "2": {"GROUP_FORMER"}}
    club.erp.change("3", groups=["gold", "77"])
    club.sync()
    assert club.base()["3"]["reason"] == "former_group"


def test_r03_what_ends_today_ends_access_tomorrow(club: Club) -> None:
    """ "what ends today ends access tomorrow, without any change in the ERP"."""
    club.erp.group("month")
    club.erp.put("1", "a@x.fr", valid_until=date(2026, 3, 10))
    club.erp.put("2", "b@x.fr", groups=[("month", date(2026, 3, 10))])
    club.at("2026-03-10T12:00")
    club.sync()
    assert club.inside() == {"1", "2"}
    club.at("2026-03-10T22:40")  # 23:45 in Paris after the attempt's five minutes
    club.sync()
    assert club.inside() == {"1", "2"}
    club.at("2026-03-10T23:00")  # past midnight in Paris, still the 10th in UTC
    club.sync()
    assert club.inside() == set()
    assert {r["reason"] for r in club.base().values()} == {"expired"}


def test_r03_what_begins_tomorrow_gives_access_tomorrow(club: Club) -> None:
    """Dates work the other way too, again without any change in the ERP."""
    club.erp.group("month")
    begins = date(2026, 3, 11)
    club.erp.put("1", "a@x.fr", valid_from=begins)
    club.erp.put("2", "b@x.fr", groups=[("month", begins, None)])
    club.at("2026-03-10T12:00")
    club.sync()
    assert club.inside() == set()
    club.at("2026-03-11T12:00")
    club.sync()
    assert club.inside() == {"1", "2"}


def test_r03_the_calendar_is_the_clubs_own(new_club: NewClub) -> None:
    """ "Dates are judged by the club's own calendar day (`timezone`)"."""
    for zone, inside in {"Pacific/Auckland": set(), "America/Martinique": {"1"}}.items():
        club = new_club(timezone=zone)
        club.erp.put("1", "a@x.fr", valid_until=date(2026, 3, 10))
        club.at("2026-03-10T20:00")
        club.sync()
        assert club.inside() == inside


def test_r03_an_expired_membership_that_the_erp_lists_no_more(club: Club) -> None:
    """ "An expired membership or benefit is an inactive group, also when the ERP has stopped listing it":
    it does not become "no group at all"."""
    club.erp.group("month")
    club.erp.put("1", "a@x.fr", groups=[("month", date(2026, 3, 10))])
    club.at("2026-03-09T12:00")
    club.sync()
    club.at("2026-03-11T12:00")
    club.erp.change("1", groups=[])
    club.sync()
    assert club.inside() == set()
    assert club.base()["1"]["reason"] == "expired"
    assert club.findings() == {"1": {"GROUP_INACTIVE"}}
    club.later(days=30)
    club.erp.change("1", phone="+33600000009")
    club.sync()
    assert club.inside() == set()
    club.erp.change("1", groups=[("month", date(2027, 1, 1))])
    club.sync()
    assert club.inside() == {"1"}


def test_r03_two_spans_of_one_group(club: Club) -> None:
    """A pause in between: out in the gap, in again after it."""
    club.erp.group("month")
    spans = [
        ("month", date(2026, 3, 1), date(2026, 3, 10)),
        ("month", date(2026, 3, 20), date(2026, 3, 30)),
    ]
    club.erp.put("1", "a@x.fr", groups=spans)
    inside = {}
    for day in (5, 15, 25, 31):
        club.at(date(2026, 3, day))
        club.sync()
        inside[day] = club.inside() == {"1"}
    assert inside == {5: True, 15: False, 25: True, 31: False}


UNKNOWNS: list[tuple[dict[str, Any], str]] = [
    ({"status": "unknown", "status_raw": "??"}, "STATUS_UNKNOWN"),
    ({"groups": ["no-such-group"]}, "GROUP_UNKNOWN"),
    ({"groups": ["silent"]}, "GROUP_UNKNOWN"),
    ({"email": None}, "EMAIL_MISSING"),
    ({"email": "ann@"}, "EMAIL_INVALID"),
]


@pytest.mark.parametrize(("doubt", "code"), UNKNOWNS)
def test_r03_what_is_unknown_changes_nothing(club: Club, doubt: dict[str, Any], code: str) -> None:
    """ "who has access keeps it, who has none does not gain it, and a finding says so"."""
    club.erp.group("gold")
    club.erp.group("silent", active=None)
    club.erp.put("in", "in@x.fr", groups=["gold"])
    club.erp.put("out", "out@x.fr", status="former", groups=["gold"])
    club.sync()
    club.erp.change("in", **doubt)
    club.erp.change("out", **({"status": "active"} | doubt))
    club.erp.put("new", **({"email": "new@x.fr", "groups": ["gold"]} | doubt))
    club.sync()
    assert club.inside() == {"in"}
    assert club.base()["in"]["groups"] == ["gold"]
    assert club.base()["in"]["email"] == "in@x.fr"
    assert "new" not in club.base()
    assert {k: code in v for k, v in club.findings().items()} == dict.fromkeys(
        ("in", "out", "new"), True
    )


def test_r03_a_plain_no_is_stronger_than_a_doubt(club: Club) -> None:
    """An archived record is out, whatever else is odd about it."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", status="archived", email=None, groups=["no-such-group"])
    club.sync()
    assert club.inside() == set()
    assert club.base()["1"]["reason"] == "archived"


def test_r03_an_unknown_group_beside_an_active_one_takes_nothing_away(club: Club) -> None:
    """A group that the ERP's list has lost "changes nothing": its automatic group stays too."""
    club.erp.group("gold")
    club.erp.group("pool")
    club.erp.put("1", "a@x.fr", groups=["gold", "pool"])
    club.sync()
    del club.erp.groups["pool"]
    club.erp.put("2", "b@x.fr", groups=["gold", "pool"])
    club.sync()
    assert club.base()["1"]["groups"] == ["gold", "pool"]
    assert club.base()["2"]["groups"] == ["gold"]
    assert club.findings() == {"1": {"GROUP_UNKNOWN"}, "2": {"GROUP_UNKNOWN"}}


@pytest.mark.parametrize(
    "spelled",
    ["ANCIENS  membres", "Anciens\u00a0membres", "Anci\u00adens membres", "anciens membres\u200b"],
)
def test_r03_a_former_group_is_found_in_any_spelling(new_club: NewClub, spelled: str) -> None:
    """ "Words are compared in one form everywhere (settings, cells, group names ...)", by name, id, and unlisted id."""
    for configured, written in (("Anciens membres", spelled), (spelled, "Anciens membres")):
        club = new_club(former_groups=(configured,))
        club.erp.group("5", name=written)
        club.erp.group("gold")
        club.erp.put("1", "a@x.fr", groups=["5", "gold"])
        club.erp.put("2", "b@x.fr", groups=[written, "gold"])
        club.sync()
        assert club.inside() == set()
        assert club.findings(all=True) == {"1": {"GROUP_FORMER"}, "2": {"GROUP_FORMER"}}


def _with_a_former_group(new_club: NewClub) -> Club:
    """In "gold" 1, who is in; in the former group 2 to 4; 5 is in both."""
    club = new_club(former_groups=("Anciens",))
    club.erp.group("gold")
    club.erp.group("7", name="Anciens")
    for erp_id, groups in {
        "1": ["gold"],
        "2": ["7"],
        "3": ["7"],
        "4": ["7"],
        "5": ["gold", "7"],
    }.items():
        club.erp.put(erp_id, f"p{erp_id}@x.fr", first_name=f"P{erp_id}", groups=groups)
    club.sync()
    assert club.inside() == {"1"}
    assert club.findings() == {}
    return club


def _renamed(club: Club) -> None:
    club.erp.group("7", name="Anciens adhérents")


def _replaced(club: Club) -> None:
    del club.erp.groups["7"]
    club.erp.group("9", name="Anciens adhérents")
    for record in club.erp.records.values():
        record["groups"] = ["9" if g == "7" else g for g in record["groups"]]


def _deleted(club: Club) -> None:
    del club.erp.groups["7"]
    for record in club.erp.records.values():
        record["groups"] = [g for g in record["groups"] if g != "7"]


def _unlisted(club: Club) -> None:
    del club.erp.groups["7"]


def _misspelt(club: Club) -> None:
    club.configure(former_groups=("Ancienss",))


@pytest.mark.parametrize("goes", [_renamed, _replaced, _deleted, _unlisted, _misspelt])
def test_r03_a_former_group_that_goes_missing_lets_nobody_in(
    new_club: NewClub, goes: Callable[[Club], None]
) -> None:
    """ "A configured group that is not there ... gives nobody access who was kept out by it; ... a finding names it":
    renamed, replaced, deleted, no longer listed, or misspelt in the settings; in the next sync and those after it."""
    club = _with_a_former_group(new_club)
    goes(club)
    configured = club.config.former_groups[0]
    for _ in range(3):
        club.sync()
        assert club.inside() == {"1"}
        found = club.findings()
        assert found[""] == {"GROUP_UNKNOWN"}
        assert all(found[erp_id] == {"GROUP_UNKNOWN"} for erp_id in ("2", "3", "4", "5"))
        club.erp.change("1", phone="+33600000001")
        club.erp.change("3", phone=f"+3360000000{_ + 2}")
    assert configured in club.why("5")["sentence"]
    assert club.unsettled() == {}


def test_r03_a_former_group_comes_back(new_club: NewClub) -> None:
    """Then those who are in it stay out by it, and those who are not get access."""
    club = _with_a_former_group(new_club)
    _deleted(club)
    club.sync()
    club.erp.group("7", name="Anciens")
    club.erp.change("2", groups=["7"])
    club.sync()
    assert club.inside() == {"1", "3", "4", "5"}
    assert club.findings(all=True) == {"2": {"GROUP_FORMER"}}


def test_r03_a_former_group_is_no_longer_configured(new_club: NewClub) -> None:
    """Taken out of the settings on purpose: its people are customers like any."""
    club = _with_a_former_group(new_club)
    club.configure(former_groups=())
    club.sync()
    assert club.inside() == {"1", "2", "3", "4", "5"}
    assert club.findings() == {}


def test_r03_who_moves_to_another_group_comes_in_while_the_former_one_is_missing(
    new_club: NewClub,
) -> None:
    """Whom the missing group does not concern any more: a group that the ERP listed before, and none of the old."""
    club = _with_a_former_group(new_club)
    _renamed(club)
    club.sync()
    club.erp.change("2", groups=["gold"])
    club.erp.change("3", groups=["gold", "7"])
    club.erp.put("6", "p6@x.fr", groups=["gold"])
    club.sync()
    assert club.inside() == {"1", "2", "6"}


def test_r03_a_former_group_that_no_reading_ever_had(new_club: NewClub) -> None:
    """Nobody was kept out by it; a note of the run and a finding of the club name it until it is corrected."""
    club = new_club(former_groups=("Anciens mebmres",))
    club.erp.group("5", name="Anciens membres")
    club.erp.put("1", "a@x.fr", groups=["5"])
    step = club.sync()
    assert any("Anciens mebmres" in note for note in step["notes"])
    assert club.findings() == {"": {"GROUP_UNKNOWN"}}
    club.configure(former_groups=("Anciens membres",))
    club.sync()
    assert club.inside() == set()
    assert club.findings() == {}


def test_r03_a_partial_reading_does_not_make_a_group_missing(new_club: NewClub) -> None:
    """R14: a group's absence counts from a certified snapshot only."""
    club = _with_a_former_group(new_club)
    _deleted(club)
    club.sync(certified=False)
    assert "" not in club.findings()


def test_r03_a_former_customer_is_not_told_to_renew(new_club: NewClub) -> None:
    """Former by name, and long over: no advice to renew; with an active group beside it they are a customer."""
    club = new_club(former_groups=("Anciens",))
    club.erp.group("gold")
    club.erp.group("7", name="Anciens")
    club.erp.put("1", "a@x.fr", groups=[("7", date(2020, 1, 1))])
    club.erp.put("2", "b@x.fr", groups=[("7", date(2020, 1, 1)), ("gold", date(2021, 1, 1))])
    club.erp.put("3", "c@x.fr", groups=[("7", date(2020, 1, 1)), "gold"])
    club.erp.put("4", "d@x.fr", groups=[("gold", date(2021, 1, 1))])
    club.sync()
    assert club.inside() == {"3"}
    assert club.findings(all=True) == {
        "1": {"GROUP_FORMER"},
        "2": {"GROUP_FORMER"},
        "4": {"GROUP_INACTIVE"},
    }


def test_r03_a_former_group_that_ended_and_is_listed_no_more(new_club: NewClub) -> None:
    """The same where the ERP has stopped listing their former group."""
    club = new_club(former_groups=("Anciens",))
    club.erp.group("7", name="Anciens")
    club.erp.put("1", "a@x.fr", groups=[("7", date(2026, 3, 1))])
    club.sync()
    club.erp.change("1", groups=[])
    club.sync()
    assert club.inside() == set()
    assert club.findings(all=True) == {"1": {"GROUP_FORMER"}}


def test_r03_the_finding_names_the_word(club: Club) -> None:
    """ "a finding says which field, with which word"."""
    club.erp.put("1", "a@x.fr", status="unknown", status_raw="en sursis")
    club.sync()
    assert "en sursis" in club.why("1")["sentence"]
