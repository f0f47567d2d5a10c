"""R3: "at least one of its ERP groups gives access (is active, is in the club's `access_groups` where the club names
some …)"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from clubsync.config import Guard
from tests.support.club import Club

NewClub = Callable[..., Club]


def members(club: Club, **groups: list[Any]) -> None:
    for erp_id, held in groups.items():
        club.erp.put(erp_id, f"{erp_id}@x.fr", groups=held)


@pytest.mark.parametrize("named", ["Or  ", "7", "ＯＲ"])
def test_r03_only_named_groups_give_access(new_club: NewClub, named: str) -> None:
    """By name or id, in one form; groups that give no access feed automatic groups all the same (R4)."""
    club = new_club(access_groups=(named,))
    club.erp.group("7", name="or")
    club.erp.group("8", name="Locker")
    members(club, both=["7", "8"], only=["7"], locker=["8"], nothing=[])
    club.sync()
    assert club.inside() == {"both", "only", "nothing"}
    assert club.base()["both"]["groups"] == ["Locker", "or"]
    assert club.findings() == {}
    assert club.findings(all=True) == {"locker": {"GROUP_INACTIVE"}}
    assert "gives access in this club" in club.why("locker")["sentence"]
    members(club, only=["8"], locker=["7"])
    club.sync()
    assert club.inside() == {"both", "locker", "nothing"}
    assert club.base()["only"]["reason"] == "other_group"


def test_r03_a_group_that_gives_access_has_to_be_active_and_current(new_club: NewClub) -> None:
    club = new_club(access_groups=("gold", "silver"))
    club.erp.group("gold")
    club.erp.group("silver", active=False)
    club.erp.group("locker")
    yesterday = date(2026, 3, 1)
    members(club, ended=[("gold", yesterday), "locker"], off=["silver", "locker"], ok=["gold"])
    club.sync()
    assert club.inside() == {"ok"}
    assert club.findings() == {"ended": {"GROUP_INACTIVE"}, "off": {"GROUP_INACTIVE"}}


def test_r03_group_required_and_former_groups_go_on(new_club: NewClub) -> None:
    club = new_club(access_groups=("gold",), former_groups=("ex",), group_required=True)
    for group in ("gold", "ex", "locker"):
        club.erp.group(group)
    members(club, nothing=[], former=["gold", "ex"], locker=["locker"], ok=["gold"])
    club.sync()
    assert club.inside() == {"ok"}
    assert club.findings(all=True) == {
        "nothing": {"GROUP_UNKNOWN"},
        "former": {"GROUP_FORMER"},
        "locker": {"GROUP_INACTIVE"},
    }


def test_r03_a_group_of_unknown_name_may_be_one_that_gives_access(new_club: NewClub) -> None:
    """ "Unknown changes nothing: … a group that the ERP's list does not have"."""
    club = new_club(access_groups=("Gold",))
    club.erp.group("7", name="Gold")
    club.erp.group("8", name="Locker")
    members(club, one=["7"], two=["8"])
    club.sync()
    members(club, one=["9"], two=["9"])
    club.sync()
    assert club.inside() == {"one"}
    assert club.findings() == {"one": {"GROUP_UNKNOWN"}, "two": {"GROUP_UNKNOWN"}}


def test_r03_a_group_that_gives_access_is_renamed(new_club: NewClub) -> None:
    """Its members are active in the ERP all along: none of them loses access, not for one cycle; and nobody whom the
    club's settings kept out gets in."""
    club = new_club(access_groups=("Gold",))
    club.erp.group("7", name="Gold")
    club.erp.group("8", name="Locker")
    members(club, one=["7"], two=["8"], three=["7"])
    club.sync()
    club.erp.group("7", name="Or")
    members(club, four=["7"])
    (note,) = club.sync()["notes"]
    assert "access_groups: Gold" in note
    assert club.inside() == {"one", "three"}
    club.erp.change("two", phone="+33600000001")
    club.sync()
    assert club.inside() == {"one", "three"}
    assert set(club.findings()) == {"", "one", "two", "three", "four"}
    assert club.unsettled() == {}
    club.configure(access_groups=("Or",))
    club.sync()
    assert club.inside() == {"one", "three", "four"}
    assert club.findings() == {}


def test_r03_a_stated_departure_goes_on_while_a_group_is_missing(new_club: NewClub) -> None:
    """Who has ended by their own days or status leaves, whatever the settings name."""
    club = new_club(access_groups=("Gold", "Misspelt"))
    club.erp.group("Gold")
    club.erp.group("Locker")
    members(club, one=["Gold"], two=["Gold"], three=["Gold"], four=["Gold"])
    club.sync()
    assert club.inside() == {"one", "two", "three", "four"}
    club.erp.change("one", status="archived")
    members(club, two=[("Gold", date(2026, 3, 1))], three=["Locker"])
    members(club, four=[("Gold", date(2026, 3, 1)), ("Locker", date(2026, 3, 1))])
    club.sync()
    assert club.inside() == {"three"}


def test_r03_naming_other_groups_is_a_plan_like_any_other(new_club: NewClub) -> None:
    """ "changing them is a plan like any other": guarded (R15), and shown by a dry run."""
    club = new_club(guard=Guard(share=0.1, at_least=3, at_most=200))
    for group in ("gold", "locker"):
        club.erp.group(group)
    members(
        club, **{f"g{i}": ["gold"] for i in range(10)}, **{f"l{i}": ["locker"] for i in range(10)}
    )
    club.sync()
    assert len(club.inside()) == 20
    club.configure(access_groups=("gold",))
    held = club.sync()
    assert held["held"]
    assert len(club.inside()) == 20
    assert (held["hold"] or {})["causes"] == [
        "in no group that gives access, but in *locker*: 10 customers"
    ]


def test_r03_settings_that_come_and_go_bring_nobody_back(new_club: NewClub) -> None:
    """R12: a detached customer comes back by their own doing only; a misspelt setting is not theirs."""
    club = new_club(access_groups=("gold",))
    club.erp.group("gold")
    members(club, one=["gold"], two=["gold"])
    club.sync()
    club.detach("one")
    club.configure(access_groups=("glod",))
    club.sync()
    club.configure(access_groups=("gold",))
    club.sync()
    assert club.inside() == {"two"}
