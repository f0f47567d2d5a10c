"""R1: a base customer keeps its id for ever; who an ERP record's customer is."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest

from clubsync.errors import ActionRejected
from clubsync.manual import identity
from tests.support.club import Club


def test_r01_the_erp_id_comes_first(club: Club) -> None:
    """ "matched by stored ERP id first": the customer stays, with another email and another last name."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.put("1", "other@x.fr", last_name="Nouveau")
    club.sync()
    assert club.base()["1"]["id"] == customer
    assert club.base()["1"]["email"] == "other@x.fr"


def test_r01_one_added_by_hand_is_adopted(club: Club) -> None:
    """ "then ... by normalised email, to a base customer that has no ERP id yet"; "the fields entered by
    hand stay, the ERP fills the blanks, the origin stays"."""
    club.erp.put("9", "z@x.fr")
    club.sync()
    customer = club.add_by_hand("ann@x.fr", first_name="Annie", last_name="")
    club.erp.put("1", " ANN@X.fr ", first_name="Ann", last_name="Martin", phone="+33600000001")
    club.sync()
    row = club.base()["1"]
    assert row["id"] == customer
    assert row["origin"] == "manual"
    assert (row["first_name"], row["last_name"], row["phone"]) == (
        "Annie",
        "Martin",
        "+33600000001",
    )
    assert club.kinds() == {"adoption": 1, "profile_change": 1}


def test_r01_who_is_not_eligible_adopts_nobody(club: Club) -> None:
    """ "if it is eligible": an archived record leaves the one added by hand alone."""
    club.erp.put("9", "z@x.fr")
    club.sync()
    customer = club.add_by_hand("ann@x.fr")
    club.erp.put("1", "ann@x.fr", status="archived")
    club.sync()
    assert club.base()["ann@x.fr"]["id"] == customer
    assert club.base()["ann@x.fr"]["in_customers_group"]
    assert club.kinds() == {}


def test_r01_somebody_who_signed_up_anew_is_the_same_customer(club: Club) -> None:
    """ "or whose own ERP record is gone": a new id with the same email takes the customer over, with its link."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    customer, user = club.base()["1"]["id"], club.link("1")
    club.erp.remove("1")
    club.sync()
    club.erp.put("7", "a@x.fr")
    club.sync()
    assert club.base()["7"]["id"] == customer
    assert club.base()["7"]["in_customers_group"]
    assert club.base()["7"]["link"] == "linked"
    assert club.kinds() == {"adoption": 1}
    assert "1" not in club.base()
    linked = club.rows("select linked_user from base.customer where customer = %s", customer)
    assert linked == [(user,)]


def test_r01_the_customer_of_an_archived_record_moves_too(club: Club) -> None:
    """ "or no longer eligible": the old card is archived, a new one made."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", status="archived")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert club.base()["2"]["id"] == customer
    assert club.inside() == {"2"}


def test_r01_who_still_has_access_gives_nothing_away(club: Club) -> None:
    """A customer whose own record is eligible, or in doubt, is not moved to another id."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", status="unknown")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert club.base()["1"]["id"] == customer
    assert club.inside() == {"1"}


def test_r01_never_by_name(club: Club) -> None:
    """ "Never by name"."""
    club.erp.put("1", "a@x.fr", first_name="Ann", last_name="Martin")
    club.sync()
    club.erp.remove("1")
    club.erp.put("2", "b@x.fr", first_name="Ann", last_name="Martin")
    club.sync()
    assert club.base()["1"]["id"] != club.base()["2"]["id"]
    assert club.kinds() == {"addition": 1, "deactivation": 1}


def test_r01_one_added_by_hand_is_swallowed(club: Club) -> None:
    """ "An ERP customer that already has its base customer and takes on the email of one added by hand
    swallows it: the one added by hand is deactivated as `merged`"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    by_hand = club.add_by_hand("ann@x.fr")
    own = club.base()["1"]["id"]
    club.erp.change("1", email="ann@x.fr")
    club.sync()
    assert (club.base()["1"]["id"], club.base()["1"]["email"]) == (own, "ann@x.fr")
    gone = club.customer(by_hand)
    assert (gone["in_customers_group"], gone["reason"], gone["email"]) == (False, "merged", None)


def test_r01_a_merge_onto_the_email_of_one_added_by_hand_swallows_it(club: Club) -> None:
    """The customer comes to the surviving id by R10 in the same run; the one added by hand is swallowed all
    the same, for the email is unique (R2)."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    own, by_hand = club.base()["1"]["id"], club.add_by_hand("ann@x.fr")
    club.erp.change("1", replaced_by="2")
    club.erp.put("2", "ann@x.fr")
    club.sync()
    assert (club.base()["2"]["id"], club.base()["2"]["email"]) == (own, "ann@x.fr")
    assert club.customer(by_hand)["reason"] == "merged"


def test_r01_an_id_used_for_somebody_else_changes_nothing(club: Club) -> None:
    """ "The same id with another email and another first and last name is somebody else …: finding ID_REUSED,
    nothing changes"."""
    club.erp.put("1", "a@x.fr", phone="+33600000001", birth_date=date(1990, 1, 1))
    club.sync()
    before = club.base()
    club.erp.put("1", "b@x.fr", first_name="Else", last_name="Body", phone="+33600000002")
    club.sync()
    assert club.base() == before
    assert club.findings() == {"1": {"ID_REUSED"}}
    club.sync()
    assert club.base() == before
    assert club.findings() == {"1": {"ID_REUSED"}}


def test_r01_the_first_decision_about_a_reused_id_wins(club: Club) -> None:
    """Two people decide before a plan has obeyed the first of them."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.put("1", "b@x.fr", first_name="Else", last_name="Body")
    club.sync()
    identity.decide(club._base, club.config, "1", "keep", by="ann")
    second: Literal["keep", "replace"]
    for second in ("replace", "keep"):
        with pytest.raises(ActionRejected, match="is the same person"):
            identity.decide(club._base, club.config, "1", second, by="ben")
    club.sync()
    assert club.base()["1"]["id"] == customer
    assert club.base()["1"]["email"] == "b@x.fr"
    assert club.inside() == {"1"}


def test_r01_a_new_name_and_email_alone_are_the_same_person(club: Club) -> None:
    """Who marries and changes provider keeps the phone."""
    club.erp.put("1", "a@x.fr", phone="+33600000001")
    club.sync()
    club.erp.put("1", "b@x.fr", first_name="Else", last_name="Body", phone="+33600000001")
    club.sync()
    assert club.base()["1"]["email"] == "b@x.fr"
    assert club.findings() == {}


def test_r01_ids_stay_while_everything_comes_and_goes(club: Club) -> None:
    """ "keeps its id for ever": through deactivation, reactivation, email change and disappearance."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    for fields in ({"status": "former"}, {"status": "active"}, {"email": "c@x.fr"}):
        club.erp.change("1", **fields)
        club.sync()
        assert club.base()["1"]["id"] == customer
    club.erp.remove("1")
    club.sync()
    assert club.base()["1"]["id"] == customer
    club.erp.put("1", "d@x.fr")
    club.sync()
    assert club.base()["1"]["id"] == customer
    assert club.inside() == {"1", "2"}
