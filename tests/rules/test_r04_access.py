"""R4, R5, R6: addition, deactivation, reactivation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.club import Club
from tests.support.rules import NewClub


def test_r04_addition(club: Club) -> None:
    """ "a base customer in the Customers group and in the automatic groups that its ERP groups feed"."""
    club.erp.group("g1", name="Gold")
    club.erp.group("g2", name="Pool")
    club.erp.put("1", "a@x.fr", groups=["g2", "g1"], phone="+33600000001")
    step = club.sync()
    row = club.base()["1"]
    assert row["in_customers_group"]
    assert row["groups"] == ["Gold", "Pool"]
    assert (row["origin"], row["reason"], row["phone"]) == ("erp", None, "+33600000001")
    assert step["rows_written"] == 2 + 1 + 1  # two groups, a customer, an audit row


def test_r04_groups_follow_the_erp(club: Club) -> None:
    """Automatic groups come, go and are renamed with the ERP's."""
    club.erp.group("g1", name="Gold")
    club.erp.group("g2", name="Pool")
    club.erp.put("1", "a@x.fr", groups=["g1"])
    club.sync()
    club.erp.change("1", groups=["g2"])
    club.sync()
    assert (club.base()["1"]["groups"], club.kinds()) == (["Pool"], {"group_change": 1})
    club.erp.group("g2", name="Swimming pool")
    club.sync()
    assert club.base()["1"]["groups"] == ["Swimming pool"]


LEAVING: list[tuple[dict[str, Any], str]] = [
    ({"status": "archived"}, "archived"),
    ({"status": "former"}, "former"),
    ({"groups": ["ex"]}, "former_group"),
    ({"groups": ["off"]}, "group_inactive"),
]


@pytest.mark.parametrize(("change", "reason"), LEAVING)
def test_r05_deactivation_and_r06_reactivation(
    new_club: NewClub, change: dict[str, Any], reason: str
) -> None:
    """ "it leaves the Customers group and the automatic groups, and stays attached, with reason and time.
    Manual groups, teams and the app account stay"; "the same base customer rejoins"."""
    club = new_club(former_groups=("ex",))
    for group, active in {"gold": True, "ex": True, "off": False}.items():
        club.erp.group(group, active=active)
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    before = club.base()["1"]
    club.link("1")
    with club.driver() as driver:
        driver.execute(
            "with g as (insert into base.customer_group (club, name, kind, created_at)"
            " values (%s, 'Friday team', 'team', now()) returning group_id)"
            " insert into base.membership select %s, %s, group_id from g",
            [club.number, club.number, before["id"]],
        )
    club.erp.change("1", **change)
    club.sync()
    row = club.base()["1"]
    assert (row["id"], row["in_customers_group"], row["groups"]) == (before["id"], False, [])
    assert (row["reason"], row["manual_groups"], row["link"]) == (reason, ["Friday team"], "linked")
    assert club.rows("select reason_at from base.customer where club = %s", club.number) == [
        (club.now,)
    ]
    assert club.kinds() == {"deactivation": 1}
    club.erp.change("1", status="active", groups=["gold"])
    club.sync()
    assert club.base()["1"] == before | {"manual_groups": ["Friday team"], "link": "linked"}
    assert club.kinds() == {"reactivation": 1}


def test_r06_the_same_customer_rejoins_as_often_as_it_takes(club: Club) -> None:
    """ "eligible again: the same base customer rejoins": with its id, its groups and its link."""
    club.erp.group("g", name="Gold")
    club.erp.put("1", "a@x.fr", groups=["g"])
    club.sync()
    club.link("1")
    before = club.base()["1"]
    for status in ("former", "paused", "archived"):
        club.erp.change("1", status=status)
        club.sync()
        assert club.inside() == set()
        club.erp.change("1", status="active")
        club.sync()
        assert club.kinds() == {"reactivation": 1}
        assert club.base()["1"] == before


def test_r05_gone_from_the_erp(club: Club) -> None:
    """Missing from a complete reading: deactivated, never deleted; back again: the same customer."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    before = club.base()["1"]
    club.erp.remove("1")
    club.sync()
    assert club.base()["1"] == before | {"in_customers_group": False, "reason": "gone"}
    club.erp.put("1", "a@x.fr")
    club.sync()
    assert club.base()["1"] == before


def test_r05_the_time_of_leaving_stays(club: Club) -> None:
    """Who is out already keeps reason and time, whatever the ERP does next."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", status="paused")
    club.sync()
    left = club.now
    club.erp.change("1", status="archived")
    club.sync()
    club.erp.remove("1")
    club.sync()
    found = club.rows(
        "select reason, reason_at from base.customer where erp_id = '1' and club = %s", club.number
    )
    assert found == [("paused", left)]
