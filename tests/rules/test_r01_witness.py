"""R1: an email alone, or an id alone, makes nobody the same person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from clubsync.config import Config, Guard
from clubsync.diff import witness
from clubsync.errors import ActionRejected
from clubsync.manual.undo import undo
from tests.support.club import Club
from tests.support.rules import NewClub

MOTHER = {"first_name": "Marie", "last_name": "Durand", "birth_date": date(1982, 5, 4)}
CHILD = {"first_name": "Léa", "last_name": "Durand", "birth_date": date(2017, 6, 1)}
STRANGER = {"first_name": "Zoe", "last_name": "Zola", "birth_date": None}

FIRST, LAST, BORN = "first_name", "last_name", "birth_date"


def pair(one: Mapping[str, Any], other: Mapping[str, Any]) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {FIRST: pl.String(), LAST: pl.String(), BORN: pl.Date()}
    row = {n: one.get(n) for n in schema} | {f"o_{n}": other.get(n) for n in schema}
    return pl.DataFrame([row], schema=schema | {f"o_{n}": t for n, t in schema.items()})


@pytest.mark.parametrize(
    ("one", "other", "two"),
    [
        (MOTHER, CHILD, True),
        (MOTHER, {**CHILD, BORN: None}, False),  # the last name is the same
        (MOTHER, STRANGER, True),
        (
            MOTHER,
            {**STRANGER, BORN: MOTHER[BORN]},
            False,
        ),  # married, and goes by another first name
        (MOTHER, {**MOTHER, BORN: date(1983, 5, 4)}, False),  # a slip
        (MOTHER, {FIRST: " MARIE ", LAST: "Durand\u200b", BORN: date(2017, 6, 1)}, False),
        (MOTHER, {FIRST: "Durand", LAST: "Marie"}, False),  # in each other's column
        (MOTHER, {FIRST: None, LAST: "Zola", BORN: date(2017, 6, 1)}, False),  # blank is unknown
        ({LAST: "Marie Durand"}, {LAST: "Zoe Zola"}, True),  # one column for the whole name
        ({LAST: "Marie Durand"}, {LAST: "DURAND  Marie"}, False),
        ({LAST: "Marie Durand"}, {LAST: "Léa Durand"}, False),
        (
            {LAST: "Marie Durand", BORN: MOTHER[BORN]},
            {LAST: "Léa Durand", BORN: CHILD[BORN]},
            True,
        ),
        ({LAST: "Marie Durand"}, {FIRST: "Zoe", LAST: "Zola"}, False),  # cannot be compared
        ({}, {}, False),
    ],
)
def test_r01_what_two_records_say(
    one: Mapping[str, Any], other: Mapping[str, Any], two: bool
) -> None:
    """ "where both have a first name and a birth date (or a last name) and both differ"; the same both ways round."""
    assert witness.two_people(pair(one, other)).to_list() == [two]
    assert witness.two_people(pair(other, one)).to_list() == [two]


def test_r01_a_child_is_not_merged_into_the_place_of_the_mother(club: Club) -> None:
    """ "neither an adoption nor a merge, but a departure and a new base customer, and the email goes to whom R7
    and R9 give it"."""
    club.erp.put("1", "family@x.fr", **MOTHER)
    club.erp.put("2", "family@x.fr", **CHILD)
    club.sync()
    mother, user = club.base()["1"]["id"], club.link("1")
    club.erp.remove("1")
    club.sync()
    assert club.kinds() == {"deactivation": 1, "addition": 1, "email_change": 1}
    child = club.base()["2"]
    assert (child["email"], child["first_name"], child["in_customers_group"]) == (
        "family@x.fr",
        "Léa",
        True,
    )
    gone = club.customer(mother)
    assert (gone["in_customers_group"], gone["reason"], gone["email"]) == (False, "gone", None)
    linked = "select customer from base.customer where linked_user = %s"
    assert club.rows(linked, user) == [(mother,)]
    club.sync()
    assert club.kinds() == {}


def test_r01_a_child_does_not_adopt_the_mother(club: Club) -> None:
    """The mother's card is archived, and years later the child signs up with the family's address."""
    club.erp.put("1", "family@x.fr", status="archived", **MOTHER)
    club.erp.put("9", "z@x.fr")
    club.sync()
    club.erp.change("1", status="active")
    club.sync()
    club.erp.change("1", status="archived")
    club.sync()
    mother = club.base()["1"]["id"]
    club.erp.put("2", "family@x.fr", **CHILD)
    club.sync()
    assert club.kinds() == {"addition": 1, "email_change": 1}
    assert club.base()["2"]["id"] != mother
    assert club.base()["1"]["id"] == mother


def test_r01_whose_child_had_a_customer_already_is_not_absorbed(club: Club) -> None:
    """Both had a customer; the mother's record vanishes while the child's takes on her address."""
    club.erp.put("1", "family@x.fr", **MOTHER)
    club.erp.put("2", "lea@x.fr", **CHILD)
    club.sync()
    mother = club.base()["1"]["id"]
    club.erp.remove("1")
    club.erp.change("2", email="family@x.fr")
    club.sync()
    assert club.customer(mother)["reason"] == "gone"
    assert "merge" not in club.kinds()
    assert club.base()["2"]["email"] == "family@x.fr"


def test_r01_a_stated_merge_needs_no_witness(club: Club) -> None:
    """R10: what the ERP says of its own records is not judged by names."""
    club.erp.put("1", "family@x.fr", **MOTHER)
    club.erp.put("9", "z@x.fr")
    club.sync()
    mother = club.base()["1"]["id"]
    club.erp.put("2", "family@x.fr", **CHILD)
    club.erp.change("1", replaced_by="2")
    club.sync()
    assert club.base()["2"]["id"] == mother


def reuse(club: Club, **fields: object) -> int:
    """Id 1 shows somebody else; the id of the base customer."""
    club.erp.put("1", "a@x.fr", first_name="Ann", last_name="Arc")
    club.erp.put("9", "z@x.fr")
    club.sync()
    club.erp.put("1", "b@x.fr", **{**STRANGER, **fields})
    club.sync()
    customer: int = club.base()["1"]["id"]
    return customer


def test_r01_another_email_and_other_names_are_somebody_else(club: Club) -> None:
    """No phone and no birth date is known: nothing agrees, and nothing changes."""
    reuse(club)
    assert club.base()["1"]["email"] == "a@x.fr"
    assert club.findings() == {"1": {"ID_REUSED"}}
    assert club.sync()["rows_written"] == 0
    assert club.findings() == {"1": {"ID_REUSED"}}


@pytest.mark.parametrize("agrees", ["phone", "birth_date"])
def test_r01_a_phone_or_a_birth_date_known_on_both_sides_agrees(club: Club, agrees: str) -> None:
    """ "unless a phone or a birth date known on both sides agrees": she married, and has a new provider."""
    same = {"phone": "+33600000001"} if agrees == "phone" else {"birth_date": date(1990, 1, 1)}
    club.erp.put("1", "a@x.fr", first_name="Ann", last_name="Arc", **same)
    club.sync()
    club.erp.put("1", "b@x.fr", **{**STRANGER, **same})
    club.sync()
    assert (club.base()["1"]["email"], club.findings()) == ("b@x.fr", {})


def test_r01_a_blank_name_is_unknown(club: Club) -> None:
    club.erp.put("1", "a@x.fr", first_name=None, last_name="Arc")
    club.sync()
    club.erp.put("1", "b@x.fr", first_name="Zoe", last_name="Zola")
    club.sync()
    assert (club.base()["1"]["email"], club.findings()) == ("b@x.fr", {})


def test_r01_a_club_with_one_column_for_the_whole_name(club: Club) -> None:
    """Where no record has a first name, the other column is the whole name."""
    club.erp.put("1", "a@x.fr", first_name=None, last_name="Ann Arc")
    club.erp.put("2", "c@x.fr", first_name=None, last_name="Ben Arc")
    club.sync()
    club.erp.put("1", "b@x.fr", first_name=None, last_name="Zoe Zola")
    club.erp.put("2", "d@x.fr", first_name=None, last_name="Arc-Martin Ben")
    club.sync()
    assert club.findings() == {"1": {"ID_REUSED"}}
    assert club.base()["2"]["email"] == "d@x.fr"


def test_r01_the_old_values_come_back(club: Club) -> None:
    """ "or the old person's values come back, which closes the finding at once"."""
    reuse(club)
    before = club.base()
    club.erp.put("1", "a@x.fr", first_name="Ann", last_name="Arc")
    club.sync()
    assert (club.findings(), club.base()) == ({}, before)


def test_r01_keep_takes_the_new_values(club: Club) -> None:
    """ "`keep`: the same person, take the new values"; and the id is asked about no more."""
    customer = reuse(club, phone="+33600000009")
    step = club.pipeline().decide_identity(club.id, "1", "keep", "Ann")
    assert step["error"] is None
    row = club.base()["1"]
    assert (row["id"], row["email"], row["last_name"]) == (customer, "b@x.fr", "Zola")
    assert club.findings() == {}
    assert club.sync()["rows_written"] == 0
    with pytest.raises(ActionRejected, match="awaits no decision"):
        club.pipeline().decide_identity(club.id, "1", "keep", "Ann")
    assert club.rows("select count(*) from sync.same_person where club = %s", club.number) == [(0,)]


def test_r01_keep_is_about_the_values_that_were_seen(club: Club) -> None:
    """A third person's values, read since, are another question."""
    reuse(club)
    from clubsync.manual import identity

    identity.decide(club._base, club.config, "1", "keep", by="Ann")
    club.erp.put("1", "c@x.fr", first_name="Third", last_name="Body")
    club.sync()
    assert club.base()["1"]["email"] == "a@x.fr"
    assert club.findings() == {"1": {"ID_REUSED"}}


def test_r01_replace_gives_somebody_else_a_customer_of_their_own(club: Club) -> None:
    """ "`replace`: somebody else, who gets a base customer of their own"; a person's decision is no access loss
    that counts (R15), and the former customer is found again by email when they sign up again."""
    customer = reuse(club)
    user = club.link("1")
    step = club.pipeline().decide_identity(club.id, "1", "replace", "Ann")
    assert step["error"] is None
    new = club.base()["1"]
    assert (new["email"], new["in_customers_group"], new["link"]) == (
        "b@x.fr",
        True,
        "not_registered",
    )
    assert new["id"] != customer
    old = club.customer(customer)
    assert (old["in_customers_group"], old["reason"], old["erp_id"]) == (False, "id_reused", None)
    assert club.findings() == {}
    assert club.sync()["rows_written"] == 0
    club.erp.put("5", "a@x.fr", first_name="Ann", last_name="Arc")
    club.sync()
    assert (club.base()["5"]["id"], club.base()["5"]["link"]) == (customer, "linked")
    assert club.rows("select linked_user from base.customer where customer = %s", customer) == [
        (user,)
    ]


def test_r01_who_was_replaced_is_taken_over_by_no_stranger(club: Club) -> None:
    """Another person takes on the old person's address: a customer of their own; the address goes to them."""
    customer = reuse(club)
    club.pipeline().decide_identity(club.id, "1", "replace", "Ann")
    club.erp.put("5", "a@x.fr", first_name="Theo", last_name="Tell")
    club.sync()
    assert club.base()["5"]["id"] != customer
    assert club.customer(customer)["email"] is None
    club.erp.change("9", email="a@x.fr", first_name="Nina", last_name="Nord")
    club.erp.remove("5")
    club.sync()
    assert club.customer(customer)["reason"] == "id_reused"


def test_r01_a_replacement_can_be_undone_until_the_next_plan(club: Club) -> None:
    customer = reuse(club)
    from clubsync.manual import identity

    identity.decide(club._base, club.config, "1", "replace", by="Ann")
    run = club.rows("select max(run) from sync.run where club = %s", club.number)[0][0]
    undo(club._base, Config(clubs=(club.config,)), run, by="Ann")
    assert club.base()["1"]["id"] == customer
    club.sync()
    assert (club.base()["1"]["id"], club.inside()) == (customer, {"1", "9"})
    assert "ID_REUSED" in club.findings()["1"]


def test_r01_r15_somebody_on_a_hold_whose_id_is_somebody_elses_stays_on_it(
    new_club: NewClub,
) -> None:
    """ "Somebody on it whose id turns out to be somebody else's (ID_REUSED) stays on it"."""
    club = new_club(guard=Guard(share=0, at_least=1, at_most=1))
    for i in "1239":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    club.erp.remove("1", "2")
    club.sync()
    held = "select erp_id from sync.hold_member where club = %s and left_version is null"
    assert {row[0] for row in club.rows(held, club.number)} == {"1", "2"}
    club.erp.put("1", "new@x.fr", **STRANGER)
    club.sync()
    assert club.findings()["1"] == {"ID_REUSED"}
    assert {row[0] for row in club.rows(held, club.number)} == {"1", "2"}
    assert club.inside() == {"1", "2", "3", "9"}
