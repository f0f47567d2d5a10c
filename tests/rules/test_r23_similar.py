"""R23: similar records: two cards, one person; who is suggested, who is not, and for how long."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clubsync.errors import ActionRejected
from clubsync.load import similar_pairs
from clubsync.manual import customers, erasure
from clubsync.validate import similarity, suites
from tests.support.club import Club

PHONE, BORN = "+33639980101", date(1984, 5, 17)
SIMILAR = {"SIMILAR_RECORD"}


def card(**fields: object) -> dict[str, Any]:
    """Marie Dupont's card, with what differs."""
    return {"first_name": "Marie", "last_name": "Dupont", "phone": PHONE, **fields}


def people(*cards: dict[str, Any]) -> pl.DataFrame:
    rows = [{"erp_id": str(n), **c} for n, c in enumerate(cards, 1)]
    return pl.DataFrame(rows, schema=similarity.PEOPLE)


def reasons(one: dict[str, Any], other: dict[str, Any]) -> set[str] | None:
    """Why the two are suggested; None: they are not."""
    found = similarity.pairs(people(one, other))
    return set(found["reasons"][0]) if found.height else None


# --- who looks like one person ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (card(), card(last_name="Dupond"), {"same_phone", "names_one_letter"}),
        (card(), card(first_name="Maire"), {"same_phone", "names_one_letter"}),
        (card(), card(first_name="MARIE", last_name="dupont "), {"same_phone", "same_name"}),
        (card(first_name="Élodie"), card(first_name="Elodie"), {"same_phone", "same_name"}),
        (card(), card(first_name="Dupont", last_name="Marie"), {"same_phone", "names_swapped"}),
        (card(first_name="Sophie"), card(first_name="Sofie"), {"same_phone", "names_near"}),
        (card(), card(last_name="Dupont-Martin"), {"same_phone", "names_part"}),
        (card(), card(phone="06 39 98 01 01"), {"same_phone", "same_name"}),
        (
            card(phone=None, birth_date=BORN),
            card(birth_date=BORN),
            {"same_birth_date", "same_name"},
        ),
        (
            card(birth_date=BORN, phone=None),
            card(birth_date=date(1984, 5, 11), phone=None),
            {"near_birth_date", "same_name"},
        ),
        (
            card(birth_date=date(1984, 5, 7), phone=None),
            card(birth_date=date(1984, 7, 5), phone=None),
            {"near_birth_date", "same_name"},
        ),
        (
            card(phone=None, email="mdupont84@x.fr"),
            card(phone=None, email="m.dupont84@y.fr"),
            {"same_email", "same_name"},
        ),
        (
            card(birth_date=BORN),
            card(birth_date=BORN, last_name="Moreau"),
            {"same_phone", "same_birth_date", "same_first_name"},
        ),
    ],
    ids=[
        *("a letter", "transposed letters", "case", "accents", "swapped names", "spoken alike"),
        *("a double name", "phone as typed", "birth date", "a digit of the birth date"),
        *("day and month", "email before the @", "married"),
    ],
)
def test_r23_near_names_and_one_more_thing(
    one: dict[str, Any], other: dict[str, Any], why: set[str]
) -> None:
    """ "near names, same phone or birth date"."""
    assert reasons(one, other) == why


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (card(phone=None), card(phone=None)),
        (card(), card(first_name="Paul")),
        (card(birth_date=BORN), card(first_name="Lucie", birth_date=BORN)),
        (card(birth_date=BORN), card(birth_date=date(2009, 2, 28))),
        (card(first_name="Julien"), card(first_name="Julie")),
        (card(first_name="Christian"), card(first_name="Christine")),
        (card(), card(first_name=None)),
        (card(first_name="Invité", last_name="1"), card(first_name="Invité", last_name="2")),
        (card(first_name="Robert"), card(first_name="Bob")),
        (card(phone=None, birth_date=BORN), card(first_name="Ana", last_name="Roy")),
        (
            card(email="marie.dupont@x.fr"),
            card(phone="+33639980155", email="marie.dupont@y.fr"),
        ),
        (
            card(phone=None, email="marie.dupont@x.fr"),
            card(phone=None, email="marie.dupont2@x.fr"),
        ),
    ],
    ids=[
        *("a name alone", "a family", "twins", "mother and daughter of one name"),
        *("a couple", "another couple", "a household without first name", "numbered guests"),
        *("nicknames", "nothing", "an email of the name and another phone", "numbered emails"),
    ],
)
def test_r23_two_people(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A name is not a person, and a household is not one either."""
    assert reasons(one, other) is None


def test_r23_what_a_crowd_shares_says_nothing() -> None:
    """The reception's own telephone on a hundred cards: those of one name are no pair for it."""
    crowd = [card(first_name=f"A{n}", last_name=f"B{n}") for n in range(similarity.CROWD)]
    assert reasons(card(), card()) == {"same_phone", "same_name"}
    assert similarity.pairs(people(*crowd, card(), card())).is_empty()


NAMES = st.sampled_from(["Marie", "Maria", "Mari", "Jean-Paul", "Jean", "Léa", "Lea", "", "Dupont"])
CARDS = st.fixed_dictionaries(
    {
        "first_name": NAMES,
        "last_name": NAMES | st.sampled_from(["Dupond", "Martin", "Martin Dupont"]),
        "phone": st.sampled_from([None, PHONE, "+33639980102", "0639980101"]),
        "birth_date": st.sampled_from([None, BORN, date(1984, 5, 11), date(1990, 1, 1)]),
        "email": st.sampled_from([None, "marie.dupont@x.fr", "mdupont84@x.fr", "mdupond84@y.fr"]),
    }
)


def by_content(cards: list[dict[str, Any]], order: list[int]) -> dict[frozenset[int], Any]:
    """The pairs of these cards by their place in the list, given in some order under some ids."""
    ids = {str(place): n for place, n in enumerate(order)}
    rows = [{"erp_id": str(place), **cards[n]} for place, n in enumerate(order)]
    found = similarity.pairs(pl.DataFrame(rows, schema=similarity.PEOPLE))
    return {
        frozenset((ids[a], ids[b])): (score, sorted(why)) for a, b, score, why in found.iter_rows()
    }


@settings(max_examples=60, deadline=None)
@given(cards=st.lists(CARDS, min_size=2, max_size=7), data=st.data())
def test_r23_symmetric_and_in_any_order(cards: list[dict[str, Any]], data: st.DataObject) -> None:
    """Neither the ids nor the order of the records, nor which of two is first, makes a difference."""
    order = data.draw(st.permutations(range(len(cards))))
    assert by_content(cards, list(range(len(cards)))) == by_content(cards, order)


# --- in a club ----------------------------------------------------------------------------------


def others(club: Club, erp_id: str) -> list[str]:
    """Whom the record's open finding names."""
    sql = (
        "select detail -> 'others' from sync.finding"
        " where club = %s and erp_id = %s and code = 'SIMILAR_RECORD' and closed_at is null"
    )
    return list(club.rows(sql, club.number, erp_id)[0][0])


def twice(club: Club) -> None:
    """Marie Dupont on two cards, and somebody else."""
    club.erp.put("1", "a@x.fr", **card())
    club.erp.put("2", "b@x.fr", **card(last_name="Dupond"))
    club.erp.put("3", "c@x.fr", first_name="Zoé", last_name="Roy", phone="+33639980199")
    club.sync()


def test_r23_both_records_name_each_other(club: Club) -> None:
    """ "suggested to the club as pairs with the reasons"; both stay customers: "never merged by us"."""
    twice(club)
    assert club.findings() == {"1": SIMILAR, "2": SIMILAR}
    assert (others(club, "1"), others(club, "2")) == (["2"], ["1"])
    assert club.inside() == {"1", "2", "3"}
    assert "same phone, names differ by one letter" in club.why("1")["sentence"]


def test_r23_a_new_card_is_compared_with_those_before(club: Club) -> None:
    """Only the new record changed, and its double of long ago gets the finding too."""
    twice(club)
    run = club.sync()
    club.erp.put("4", "d@x.fr", first_name="Zoe", last_name="Roy", phone="06 39 98 01 99")
    club.sync()
    assert club.findings() == dict.fromkeys("1234", SIMILAR)
    opened = club.rows("select run from sync.finding where erp_id = '3' and club = %s", club.number)
    assert opened[0][0] > (run["run"] or 0)


@pytest.mark.parametrize(
    "mend",
    [
        lambda club: club.erp.remove("2"),
        lambda club: club.erp.change("2", status="archived"),
        lambda club: club.erp.change("2", valid_until=date(2026, 1, 1)),
        lambda club: club.erp.change("2", phone="+33639980177"),
        lambda club: club.erp.change("2", first_name="Paul"),
        lambda club: club.erp.change("1", replaced_by="2"),
        lambda club: club.erp.change("2", guardian_id="1"),
        lambda club: club.erp.change("2", placeholder=True),
    ],
    ids=[
        *("gone", "archived", "expired", "another phone", "another name", "merged in the ERP"),
        *("a child", "not a person"),
    ],
)
def test_r23_the_pair_goes_when_its_cause_goes(club: Club, mend: Callable[[Club], None]) -> None:
    """Findings close by themselves on both records, also on the one that did not change."""
    twice(club)
    mend(club)
    club.sync()
    assert SIMILAR not in club.findings(all=True).values()
    assert club.rows("select * from sync.similar_pair where club = %s", club.number) == []


def test_r23_a_third_card(club: Club) -> None:
    """The finding of each names all the others, and keeps its time when one of them goes."""
    twice(club)
    since = club.rows("select since from sync.finding where erp_id = '1'")
    club.erp.put("4", "d@x.fr", **card(first_name="Dupont", last_name="Marie"))
    club.sync()
    assert others(club, "1") == ["2", "4"]
    club.erp.remove("2")
    club.sync()
    assert (others(club, "1"), others(club, "4")) == (["4"], ["1"])
    assert club.rows("select since from sync.finding where erp_id = '1'") == since


def test_r23_families_and_shared_emails_are_told_elsewhere(club: Club) -> None:
    """Dependants (R8) are known to be others; one email on two cards is R7's matter."""
    club.erp.put("1", "a@x.fr", **card())
    club.erp.put("2", None, guardian_id="1", **card())
    club.erp.put("3", "c@x.fr", first_name="Ana", last_name="Roy", phone="+33639980199")
    club.erp.put("4", "c@x.fr", first_name="Ana", last_name="Roy", phone="+33639980199")
    club.sync()
    assert club.findings() == {"3": {"EMAIL_DUPLICATE"}, "4": {"EMAIL_DUPLICATE"}}


def test_r23_a_card_without_email_beside_a_customer(club: Club) -> None:
    """The card made in a hurry looks like the customer: one of the two stands for somebody, so it is said."""
    club.erp.put("1", "a@x.fr", **card())
    club.erp.put("2", None, **card())
    club.erp.put("3", None, first_name="Ana", last_name="Roy", phone="+33639980199")
    club.erp.put("4", None, first_name="Ana", last_name="Roy", phone="+33639980199")
    club.sync()
    assert club.findings()["1"] == SIMILAR
    assert club.findings()["2"] == SIMILAR | {"EMAIL_MISSING"}
    assert club.findings()["3"] == {"EMAIL_MISSING"}


def test_r23_other_clubs_are_not_compared(club: Club, new_club: Callable[[], Club]) -> None:
    """R21: somebody who goes to two clubs has a card in each."""
    other = new_club()
    club.erp.put("1", "a@x.fr", **card())
    other.erp.put("2", "b@x.fr", **card())
    club.sync()
    other.sync()
    assert club.findings() == other.findings() == {}


# --- ignore -------------------------------------------------------------------------------------


def ignore(club: Club, one: str, other: str) -> dict[str, Any]:
    return customers.ignore_pair(club._base, club.config, one, other, by="Ada")


def test_r23_ignore_is_permanent(club: Club) -> None:
    """ "ignore" is for ever: through edits, a departure and a return."""
    twice(club)
    assert ignore(club, "2", "1") == {"ignored": ["1", "2"], "already": False}
    assert club.findings() == {}
    club.erp.change("2", last_name="Dupont", birth_date=BORN)
    club.erp.change("1", birth_date=BORN)
    club.sync()
    club.erp.remove("2")
    club.sync()
    club.erp.put("2", "b@x.fr", **card(last_name="Dupond"))
    club.sync()
    assert club.findings() == {}
    assert ignore(club, "1", "2")["already"]


def test_r23_ignore_is_of_the_pair_alone(club: Club) -> None:
    """A third card of the same name is suggested still."""
    twice(club)
    ignore(club, "1", "2")
    club.erp.put("4", "d@x.fr", **card())
    club.sync()
    assert others(club, "4") == ["1", "2"]
    assert others(club, "1") == ["4"]


def test_r23_who_ignored_is_on_record(club: Club) -> None:
    """R18: an audit row for each of the two customers, with the actor, once."""
    twice(club)
    ignore(club, "1", "2")
    ignore(club, "1", "2")
    sql = (
        "select erp_id, actor, after::jsonb from sync.change"
        " where club = %s and kind = 'similar_ignored'"
    )
    assert sorted(club.rows(sql, club.number)) == [
        ("1", "Ada", {"not_the_same_as": "2"}),
        ("2", "Ada", {"not_the_same_as": "1"}),
    ]


def test_r23_ignore_wants_two_records_of_the_club(club: Club) -> None:
    twice(club)
    for one, other in (("1", "1"), ("1", "404")):
        with pytest.raises(ActionRejected):
            ignore(club, one, other)


# --- work ---------------------------------------------------------------------------------------


def test_r23_a_large_load_is_compared_later(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first load above the limit compares nobody and says so; later runs do, some records each."""
    monkeypatch.setattr(similar_pairs, "AT_ONCE", 2)
    monkeypatch.setattr(similar_pairs, "A_RUN", 2)
    club.erp.put("1", "a@x.fr", **card())
    club.erp.put("2", "b@x.fr", **card())
    club.erp.put("3", "c@x.fr", first_name="Ana", last_name="Roy", phone="+33639980199")
    step = club.sync()
    assert club.findings() == {}
    assert "Similar records" in step["notes"][-1]
    notes = []
    for n in range(2):
        club.erp.change("3", phone=f"+3363998017{n}")
        notes.append(club.sync()["notes"])
    assert ["compared" in " ".join(n) for n in notes] == [True, False]
    assert club.findings() == {"1": SIMILAR, "2": SIMILAR}


def test_r23_catching_up(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that waits is compared at once when somebody asks for it."""
    monkeypatch.setattr(similar_pairs, "AT_ONCE", 2)
    twice(club)
    assert club.findings() == {}
    assert similar_pairs.catch_up(club._base, club.number, club.config) == 3
    assert club.findings() == {"1": SIMILAR, "2": SIMILAR}
    assert similar_pairs.catch_up(club._base, club.number, club.config) == 0
    assert club.sync()["findings"] == {"SIMILAR_RECORD": 2}


def test_r23_a_large_change_closes_what_it_mends(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many changes to compare at once: the pairs that they undo go all the same."""
    twice(club)
    monkeypatch.setattr(similar_pairs, "AT_ONCE", 1)
    club.erp.remove("2")
    club.erp.change("3", phone="+33639980177")
    club.sync()
    assert club.findings() == {}


def test_r23_nothing_changed_nothing_compared(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is proportional to change: a quiet run does not look at anybody."""
    twice(club)
    monkeypatch.setattr(similar_pairs, "_compare", None)
    assert club.sync()["error"] is None
    assert club.findings() == {"1": SIMILAR, "2": SIMILAR}


def test_r23_erased_with_the_person(club: Club) -> None:
    """R20: keys and pairs go with the record, and the other's finding with them."""
    twice(club)
    erasure.erase(club._base, club.pipeline().store, club.config, "2", by="Ada")
    for table in ("similar_key", "similar_pair"):
        left = club.rows(f"select * from sync.{table} where club = {club.number}")
        assert "2" not in {value for row in left for value in row}
    assert club.findings() == {}
    club.sync()
    assert club.findings() == {}


def test_r23_findings_hold_ids_only(club: Club) -> None:
    """R19: ids and codes in the finding, hashes in the keys; every code has its words in every language."""
    twice(club)
    (detail,) = club.rows(
        "select detail from sync.finding where club = %s and erp_id = '1'", club.number
    )[0]
    assert detail == {"others": ["2"], "reasons": ["names_one_letter", "same_phone"]}
    assert "Dup" not in json.dumps(detail)
    for language in ("en", "fr"):
        assert len(suites.similarity(detail["reasons"], language)) == 2
