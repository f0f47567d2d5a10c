"""R2: email is the link key: normalised, unique in the club, kept until another needs it."""

from __future__ import annotations

import pytest

from tests.support.club import Club
from tests.support.rules import NewClub


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("  Ann.Martin+Club@Exemple.FR ", "ann.martin+club@exemple.fr"),
        ("jose\u0301@exemple.fr", "jos\u00e9@exemple.fr"),
        ("ann@Bücher.example.fr", "ann@xn--bcher-kva.example.fr"),
        ("STRASSE@exemple.fr", "strasse@exemple.fr"),
    ],
)
def test_r02_compared_normalised_the_raw_form_beside_it(club: Club, raw: str, key: str) -> None:
    """ "trim, NFC, case-folded, domain as ASCII by IDNA, UTS 46; `+tag` and dots are kept"."""
    club.erp.put("1", raw)
    club.sync()
    assert club.base()["1"]["email"] == key
    assert club.rows("select email_raw from base.customer where club = %s", club.number) == [
        (raw.strip(),)
    ]


def test_r02_unique_per_club_compared_normalised(club: Club) -> None:
    """Two spellings of one address are one address."""
    club.erp.put("1", "ann@bücher.example.fr")
    club.erp.put("2", "Ann@XN--BCHER-KVA.example.fr")
    club.sync()
    assert club.inside() == {"1"}
    assert club.findings() == {"1": {"EMAIL_DUPLICATE"}, "2": {"EMAIL_DUPLICATE"}}


def test_r02_two_clubs_may_have_the_same_person(new_club: NewClub) -> None:
    """ "unique per club"."""
    one, two = new_club(), new_club()
    for club in (one, two):
        club.erp.put("1", "a@x.fr")
        club.sync()
    assert one.inside() == two.inside() == {"1"}


def test_r02_the_last_email_is_kept_until_another_needs_it(club: Club) -> None:
    """ "A base customer that loses its email in the ERP keeps the last one until another needs it"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", email=None)
    club.sync()
    assert (club.base()["1"]["email"], club.inside()) == ("a@x.fr", {"1", "2"})
    club.erp.change("2", email="a@x.fr")
    club.sync()
    assert (club.base()["1"]["email"], club.base()["2"]["email"]) == (None, "a@x.fr")
    assert club.inside() == {"2"}
    assert club.base()["1"]["reason"] == "email_given_up"


@pytest.mark.parametrize("status", ["archived", "unknown", "prospect"])
def test_r02_who_has_no_access_needs_no_email(club: Club, status: str) -> None:
    """A record that gains no access does not take the kept email of a customer who has it: a wrong
    deactivation locks a paying customer out."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr", status=status)
    club.sync()
    club.erp.change("1", email=None)
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["1"]["email"] == "a@x.fr"
    assert club.findings() == {"1": {"EMAIL_MISSING"}} | (
        {"2": {"STATUS_UNKNOWN"}} if status == "unknown" else {}
    )


def test_r02_who_lost_access_takes_no_kept_email_either(club: Club) -> None:
    """The same for an archived record that has a base customer: its email follows only where it is free."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", email="not an address")
    club.erp.change("2", email="a@x.fr", status="archived")
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["1"]["email"] == "a@x.fr"


def test_r02_an_email_without_a_place_is_found_again(club: Club) -> None:
    """Who lost the email to another gets a free one, and access, as soon as the ERP gives it."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", email=None)
    club.erp.change("2", email="a@x.fr")
    club.sync()
    club.erp.change("1", email="b@x.fr")
    club.sync()
    assert (club.base()["1"]["id"], club.base()["1"]["email"]) == (customer, "b@x.fr")
    assert club.inside() == {"1", "2"}
    assert club.findings() == {}
