"""R2: email is the link key: normalised, unique in the club, kept until another needs it."""

from __future__ import annotations

from datetime import date

import pytest

from clubsync.errors import ActionRejected
from tests.support.club import Club
from tests.support.rules import NewClub

BORN = date(1990, 5, 4)


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


@pytest.mark.parametrize(
    ("cell", "code", "about"),
    [
        ("a@x.fr, b@x.fr", "EMAIL_INVALID", "several addresses"),
        ("Anna <a@x.fr>", "EMAIL_INVALID", "something besides the address"),
        ("a@x", "EMAIL_INVALID", "not valid"),
        ("sansmail@club.fr", "EMAIL_PLACEHOLDER", "placeholder"),
        ("tel123@x.fr", "EMAIL_PLACEHOLDER", "placeholder"),
        (None, "EMAIL_MISSING", "no email"),
    ],
)
def test_r02_no_email_gives_nobody_access_and_takes_it_from_nobody(
    new_club: NewClub, cell: str | None, code: str, about: str
) -> None:
    """R2 and R3: nobody gains access by it, who has access keeps it, and the advice says what it is."""
    club = new_club(placeholder_emails=("tel*@x.fr",))
    club.erp.put("1", "ann@x.fr")
    club.sync()
    club.erp.change("1", email=cell)
    club.erp.put("2", cell, first_name="Zoe")
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["1"]["email"] == "ann@x.fr"
    assert club.findings() == {"1": {code}, "2": {code}}
    assert about in club.why("2")["sentence"]
    club.erp.change("1", email="ann@x.fr")
    club.erp.change("2", email="zoe@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}
    assert club.findings() == {}


def test_r02_an_address_of_many_is_nobodys(club: Club) -> None:
    """ "an address ... that more than `shared_email_limit` (default 5) unrelated records carry, is no email": whoever
    joins them gains nothing, also one by one; who has access by it keeps that."""
    club.erp.put("1", "accueil@club.fr")
    club.sync()
    for n in range(2, 6):
        club.erp.put(str(n), "accueil@club.fr", first_name=f"P{n}")
        club.sync()
        assert club.findings()[str(n)] == {"EMAIL_DUPLICATE"}
    club.erp.put("6", "Accueil@club.fr ", first_name="P6")
    club.erp.put("7", "own@x.fr")
    club.sync()
    assert club.inside() == {"1", "7"}
    ids = {str(n) for n in range(1, 7)}
    assert club.findings() == {key: {"EMAIL_PLACEHOLDER"} for key in ids}
    assert "Many unrelated customers" in club.why("6")["sentence"]
    club.erp.put("8", "accueil@club.fr", first_name="P8")
    club.sync()
    assert club.inside() == {"1", "7"}
    assert club.findings()["8"] == {"EMAIL_PLACEHOLDER"}
    assert club.unsettled() == {}


def test_r02_an_address_of_many_matches_nobody(club: Club) -> None:
    """R1, R7, R10: neither a customer added by hand, nor somebody who leaves, goes to one of them."""
    by_hand = club.add_by_hand("accueil@club.fr")
    for n in range(6):
        club.erp.put(str(n), "accueil@club.fr", first_name=f"P{n}")
    club.sync()
    assert club.inside() == {"accueil@club.fr"}
    assert club.customer(by_hand)["erp_id"] is None


def test_r02_one_of_many_who_leaves_is_merged_into_nobody(club: Club) -> None:
    """R10: an id that vanishes while its address lives on under others, of which it was no email."""
    club.erp.put("1", "accueil@club.fr")
    club.sync()
    for n in range(2, 8):
        club.erp.put(str(n), "accueil@club.fr", first_name=f"P{n}")
    club.sync()
    club.erp.remove("1")
    club.sync()
    assert club.inside() == set()
    assert club.kinds() == {"deactivation": 1}
    assert club.base()["1"]["reason"] == "gone"


def test_r02_a_family_shares_an_address(new_club: NewClub) -> None:
    """ "unrelated records": a mother and her children are one, also where her own card has another address."""
    club = new_club(shared_email_limit=2)
    club.erp.put("m", "mum@x.fr", first_name="Mum")
    for n in range(4):
        club.erp.put(f"c{n}", "mum@x.fr", first_name=f"C{n}", guardian_id="m")
    club.erp.put("n", "other@x.fr", first_name="Nan")
    for n in range(4):
        club.erp.put(f"d{n}", "nan@x.fr", first_name=f"D{n}", guardian_id="n")
    club.sync()
    assert {"m", "n", "d0"} <= club.inside()
    assert all("EMAIL_PLACEHOLDER" not in codes for codes in club.findings().values())


def test_r02_no_placeholder_is_added_by_hand(new_club: NewClub) -> None:
    club = new_club(placeholder_emails=("accueil@club.fr",))
    club.erp.put("1", "a@x.fr")
    club.sync()
    for address in ("noemail@x.fr", "Accueil@club.fr"):
        with pytest.raises(ActionRejected, match="placeholder"):
            club.add_by_hand(address)


def test_r02_r03_one_family_whose_names_are_written_in_two_forms_shares_its_email(
    club: Club,
) -> None:
    """Related are those of one name; names are compared in the one form of words."""
    club.configure(shared_email_limit=2)
    spellings = ("José", "JOSE\u0301", "jose\u0301", "\uff2aosé")
    for number, first in enumerate(spellings):
        name = {"first_name": first, "last_name": "Nu\u0301ñez\u00ad", "birth_date": BORN}
        club.erp.put(str(number), "family@x.fr", **name)
    club.sync()
    codes = {code for found in club.findings(all=True).values() for code in found}
    assert "EMAIL_PLACEHOLDER" not in codes
    assert len(club.inside()) == 1
