"""R8: families: who is recorded under an owner."""

from __future__ import annotations

from tests.support.club import Club


def test_r08_a_shared_email_or_none(club: Club) -> None:
    """ "A record with a guardian ... that shares the owner's email, or has none, is a dependant: no error, no
    base customer of its own, ... with an information (EMAIL_SHARED_FAMILY) at most"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "A@x.fr", guardian_id="1")
    club.erp.put("3", None, guardian_id="1")
    club.erp.put("4", "own@x.fr", guardian_id="1")
    club.sync()
    assert club.inside() == {"1", "4"}
    assert set(club.base()) == {"1", "4"}
    assert club.findings() == {}
    assert club.findings(all=True) == {key: {"EMAIL_SHARED_FAMILY"} for key in "23"}


def test_r08_an_owner_that_becomes_a_dependant(club: Club) -> None:
    """ "An owner that becomes a dependant is deactivated"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("2", email="a@x.fr", guardian_id="1")
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["2"]["reason"] == "dependant"


def test_r08_an_unknown_guardian_makes_nobody_a_dependant(club: Club) -> None:
    """ "A guardian id that the ERP does not have makes nobody a dependant"."""
    club.erp.put("2", "a@x.fr", guardian_id="404")
    club.erp.put("3", None, guardian_id="404")
    club.sync()
    assert club.inside() == {"2"}
    assert club.findings() == {"3": {"EMAIL_MISSING"}}


def test_r08_a_circle_of_guardians(club: Club) -> None:
    """Two who guard each other, or one who guards itself, are nobody's dependants."""
    club.erp.put("1", "a@x.fr", guardian_id="2")
    club.erp.put("2", "a@x.fr", guardian_id="1")
    club.erp.put("3", "c@x.fr", guardian_id="3")
    club.sync()
    assert club.inside() == {"1", "3"}
    assert club.findings() == {key: {"EMAIL_DUPLICATE"} for key in "12"}


def test_r08_a_child_gets_an_email_of_its_own(club: Club) -> None:
    """With an own email a dependant is a customer like any other, and back."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", None, guardian_id="1")
    club.sync()
    club.erp.change("2", email="child@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}
    club.erp.change("1", email="child@x.fr")
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["2"]["reason"] == "dependant"


def test_r08_the_guardian_comes_after_its_ward(club: Club) -> None:
    """The owner is entered into the ERP later: the ward's own row did not change, and yet it is a dependant now."""
    club.erp.put("2", "a@x.fr", guardian_id="1")
    club.sync()
    assert club.inside() == {"2"}
    club.erp.put("1", "a@x.fr")
    club.sync()
    assert club.inside() == {"1"}


def test_r08_the_owner_vanishes(club: Club) -> None:
    """ "When an owner vanishes its dependants stand for themselves and never inherit its place by a merge"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr", guardian_id="1")
    club.sync()
    owner = club.base()["1"]["id"]
    club.link("1")
    club.erp.remove("1")
    club.sync()
    assert club.base()["2"]["id"] != owner
    assert club.inside() == {"2"}
    assert club.customer(owner)["reason"] == "gone"
    assert club.customer(owner)["erp_id"] == "1"


def test_r08_the_owner_vanishes_and_the_erp_forgets_the_tie(club: Club) -> None:
    """An ERP that deletes the owner blanks the guardian too: the ward, a dependant until now, inherits nothing."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr", guardian_id="1")
    club.sync()
    owner = club.base()["1"]["id"]
    club.erp.remove("1")
    club.erp.change("2", guardian_id=None)
    club.sync()
    assert club.base()["2"]["id"] != owner
    assert club.inside() == {"2"}
    assert "merge" not in club.kinds()


def test_r08_the_owners_email_moves_and_the_ward_keeps_the_old_one(club: Club) -> None:
    """The owner changes email: the child with the old one is a customer of its own now, not a second owner."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr", guardian_id="1")
    club.sync()
    owner = club.base()["1"]["id"]
    club.erp.change("1", email="b@x.fr")
    club.sync()
    assert (club.base()["1"]["id"], club.base()["1"]["email"]) == (owner, "b@x.fr")
    assert (club.base()["2"]["email"], club.inside()) == ("a@x.fr", {"1", "2"})
