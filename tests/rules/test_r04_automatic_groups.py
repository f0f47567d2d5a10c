"""R4: "`automatic_groups` of a club may rename ERP groups, feed several into one, or leave some out; by default there
is one per ERP group, of the same name"."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from clubsync.config import ClubConfig, Config
from clubsync.manual import lifecycle
from clubsync.manual.undo import undo
from tests.support.club import Club

NewClub = Callable[..., Club]


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """Groups 7, Or; 8, Argent; 9, Casiers; 10, Yoga."""
    club = new_club(
        automatic_groups={"or": "Members", "8": "members", "Casiers": None, "Yoga": "Classes"}
    )
    for erp_id, name in (
        ("7", "Or"),
        ("8", "Argent"),
        ("9", "Casiers"),
        ("10", "Yoga"),
        ("11", "Dojo"),
    ):
        club.erp.group(erp_id, name=name)
    for erp_id, groups in {"1": ["7"], "2": ["8", "7"], "3": ["9"], "4": ["8", "10", "11"]}.items():
        club.erp.put(erp_id, f"p{erp_id}@x.fr", groups=groups)
    club.sync()
    return club


def groups(club: Club) -> dict[str, list[str]]:
    return {erp_id: row["groups"] for erp_id, row in club.base().items()}


def test_r04_renames_joins_and_leaves_out(club: Club) -> None:
    """By name or id, in one form; who is only in a group that is left out has access all the same (R3)."""
    assert club.inside() == {"1", "2", "3", "4"}
    assert groups(club) == {
        "1": ["Members"],
        "2": ["Members"],
        "3": [],
        "4": ["Classes", "Dojo", "Members"],
    }
    names = club.rows("select name from base.customer_group where club = %s", club.number)
    assert sorted(name for (name,) in names) == ["Classes", "Dojo", "Members"]
    assert club.unsettled() == {}


def test_r17_nothing_is_written_twice(club: Club) -> None:
    """A move between groups that feed one automatic group is no change of the base."""
    club.erp.change("1", groups=["8"])
    assert club.sync()["rows_written"] == 0
    assert groups(club)["1"] == ["Members"]
    club.erp.change("1", groups=["10"])
    assert club.sync()["counts"]["group_change"] == 1
    assert groups(club)["1"] == ["Classes"]


def test_r04_other_settings_are_a_plan_like_any_other(club: Club) -> None:
    """ "changing them is a plan like any other": a dry run shows it, and nobody's access is touched."""
    club.configure(automatic_groups={"Or": "Gold"})
    assert club.attempt(dry_run=True)["counts"]["group_change"] == 4
    assert groups(club)["1"] == ["Members"]
    club.sync()
    assert groups(club) == {
        "1": ["Gold"],
        "2": ["Argent", "Gold"],
        "3": ["Casiers"],
        "4": ["Argent", "Dojo", "Yoga"],
    }
    assert club.inside() == {"1", "2", "3", "4"}
    club.configure(automatic_groups={})
    club.sync()
    assert groups(club)["2"] == ["Argent", "Or"]
    assert club.unsettled() == {}


def test_r04_an_automatic_group_has_the_spelling_of_the_settings(club: Club) -> None:
    club.configure(automatic_groups={"Or": "MEMBERS", "Argent": "MEMBERS"})
    club.sync()
    assert groups(club)["2"] == ["MEMBERS"]


def test_r04_an_erp_group_of_the_same_name_joins(new_club: NewClub) -> None:
    """ "feed several into one": also the one that bears the name already."""
    club = new_club(automatic_groups={"Or": "Gold"})
    club.erp.group("1", name="Gold")
    club.erp.group("2", name="Or")
    club.erp.put("a", "a@x.fr", groups=["1"])
    club.erp.put("b", "b@x.fr", groups=["2"])
    club.sync()
    assert groups(club) == {"a": ["Gold"], "b": ["Gold"]}
    assert club.rows("select count(*) from base.customer_group where club = %s", club.number) == [
        (1,)
    ]


def test_r03_a_group_that_the_list_has_lost_changes_nothing(club: Club) -> None:
    """ "Unknown changes nothing: … automatic groups as they were"."""
    del club.erp.groups["7"]
    club.erp.change("1", phone="+33600000001")
    club.sync()
    assert groups(club)["1"] == ["Members"]
    assert club.inside() == {"1", "2", "3", "4"}


def test_r18_undo_gives_automatic_groups_back(club: Club) -> None:
    club.erp.change("1", groups=["10"])
    run = club.sync()["run"]
    assert run is not None
    assert groups(club)["1"] == ["Classes"]
    undo(club._base, Config(clubs=(club.config,)), run, by="somebody")
    assert groups(club)["1"] == ["Members"]


def test_r28_another_erp_begins_with_groups_of_its_own(club: Club) -> None:
    lifecycle.move(club._base, club.config, by="somebody")
    for erp_id in list(club.erp.groups):
        del club.erp.groups[erp_id]
    club.erp.group("x", name="Or")
    for erp_id in ("1", "2", "3", "4"):
        club.erp.change(erp_id, groups=["x"])
    club.sync()
    assert {tuple(held) for held in groups(club).values()} == {("Members",)}


@pytest.mark.parametrize("wrong", [{"Or": " "}, {"": "Gold"}])
def test_r04_a_blank_name_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="write null"):
        ClubConfig(id="a", name="A", erp="csv", connection="a", automatic_groups=wrong)
