"""R12 and R13: what people did by hand, against what the ERP says."""

from __future__ import annotations

from datetime import date

from tests.support.club import Club


def test_r12_detached_stays_detached_while_the_record_merely_goes_on(club: Club) -> None:
    """ "A customer that the club detached by hand stays detached while its ERP record merely goes on"."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    club.detach("1")
    club.sync()
    club.erp.change("1", phone="+33600000001", email="b@x.fr")
    club.sync()
    row = club.base()["1"]
    assert (row["in_customers_group"], row["detached"], row["email"]) == (False, True, "b@x.fr")
    assert (row["reason"], row["groups"]) == ("detached", [])
    assert club.findings() == {"1": {"DETACHED"}}


def test_r12_a_fresh_activation_brings_them_back(club: Club) -> None:
    """ "by its own status, dates or groups not eligible in one certified snapshot and eligible in a later one":
    "as the same base customer"; and detached again they stay out again."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.detach("1")
    club.sync()
    club.erp.change("1", status="former")
    club.sync()
    assert club.findings() == {}
    club.erp.change("1", status="active")
    club.sync()
    assert (club.base()["1"]["id"], club.inside()) == (customer, {"1"})
    club.detach("1")
    club.sync()
    club.sync()
    assert club.inside() == set()


def test_r12_a_group_that_is_switched_off_and_on_does_not_count(club: Club) -> None:
    """ "a group that is switched off and on does not count"."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    club.detach("1")
    for active in (False, True):
        club.erp.group("gold", active=active)
        club.sync()
    assert club.inside() == set()


def test_r12_moving_to_an_inactive_group_and_back_counts(club: Club) -> None:
    """ "moving to an inactive group and back counts": that is the record's own doing, also where an incomplete
    reading shows it first."""
    for lost in ((), ("9",)):
        club.erp.group("gold")
        club.erp.group("old", active=False)
        club.erp.put("1", "a@x.fr", groups=["gold"])
        club.erp.put("9", "z@x.fr")
        club.sync()
        club.detach("1")
        club.sync()
        assert club.inside() == {"9"}
        club.erp.change("1", groups=["old"])
        club.sync(lost=lost)
        club.sync()
        assert club.inside() == {"9"}
        club.erp.change("1", groups=["gold"])
        club.sync()
        assert club.inside() == {"1", "9"}


def test_r12_what_an_incomplete_reading_shows_first_counts_once_it_is_certified(club: Club) -> None:
    """Archived in a reading that lost a page, and in the complete one after it: not eligible in a certified one."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("9", "z@x.fr")
    club.sync()
    club.detach("1")
    club.sync()
    club.erp.change("1", status="former")
    club.sync(lost=("9",))
    club.sync()
    club.erp.change("1", status="active")
    club.sync()
    assert club.inside() == {"1", "9"}


def test_r12_a_membership_that_lapsed_and_is_renewed(club: Club) -> None:
    """Its own dates do count."""
    club.erp.group("month")
    club.erp.put("1", "a@x.fr", groups=[("month", date(2026, 3, 5))])
    club.sync()
    club.detach("1")
    club.at("2026-03-06T12:00")
    club.sync()
    assert club.inside() == set()
    club.erp.change("1", groups=[("month", date(2026, 4, 5))])
    club.sync()
    assert club.inside() == {"1"}


def test_r12_only_certified_snapshots_count(club: Club) -> None:
    """What a partial one shows waits for a certified one, which settles it."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.detach("1")
    club.erp.change("1", status="former")
    club.sync()
    club.erp.change("1", status="active")
    club.sync(certified=False)
    assert club.inside() == set()
    club.sync()
    assert club.inside() == {"1"}


def test_r12_gone_and_back_did_not_merely_go_on(club: Club) -> None:
    """The ERP deletes the record, and makes it again: activated afresh."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.detach("1")
    club.erp.remove("1")
    club.sync()
    club.erp.put("1", "a@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}


def test_r13_a_field_edited_by_hand_is_kept_until_the_erp_changes_its_own(club: Club) -> None:
    """ "three-way: last ERP value, ERP value now, base value"."""
    club.erp.put("1", "a@x.fr", phone="+33600000001", first_name="Ann")
    club.sync()
    club.edit("1", phone="+33600000002")
    club.erp.change("1", first_name="Anne")
    club.sync()
    row = club.base()["1"]
    assert (row["phone"], row["first_name"]) == ("+33600000002", "Anne")
    club.erp.change("1", phone="+33600000003")
    club.sync()
    assert club.base()["1"]["phone"] == "+33600000003"


def test_r13_access_and_email_follow_the_erp_always(club: Club) -> None:
    """A hand edit of a name does not shield the rest."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.edit("1", first_name="Other")
    club.erp.change("1", email="b@x.fr", status="former")
    club.sync()
    row = club.base()["1"]
    assert (row["email"], row["in_customers_group"], row["first_name"]) == (
        "b@x.fr",
        False,
        "Other",
    )


def test_r12_the_finding_waits_for_a_snapshot_that_shows_the_record(club: Club) -> None:
    """R22: who was detached by hand gets the finding, also when the next reading lost their page."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.detach("1")
    club.sync(lost=("1",))
    assert club.findings() == {}
    club.sync()
    assert club.findings() == {"1": {"DETACHED"}}
