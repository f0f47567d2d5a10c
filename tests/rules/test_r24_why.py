"""R24: for any email or ERP id, in plain words, why that person is or is not in the Customers group."""

from __future__ import annotations

from typing import Any

import pytest

from clubsync.config import Config, Guard
from clubsync.explain.sentences import SITUATIONS
from clubsync.explain.why import why
from clubsync.i18n import LANGUAGES, translations
from clubsync.manual import customers
from clubsync.manual.erasure import erase
from clubsync.manual.undo import undo
from clubsync.model import Situation
from tests.support.club import Club
from tests.support.rules import NewClub

OUT: list[tuple[dict[str, Any], list[str], str]] = [
    ({"status": "archived"}, ["archived"], "their status in the ERP is archived"),
    ({"groups": ["off"]}, ["GROUP_INACTIVE"], "Activate the group"),
    ({"email": "nobody"}, ["EMAIL_INVALID"], "Correct it in the ERP"),
]


@pytest.mark.parametrize("who", ["1", "Ann@X.fr"])
def test_r24_who_is_in(club: Club, who: str) -> None:
    """By ERP id, or by email in any spelling."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    answer = club.why(who)
    assert (answer["verdict"], answer["reasons"]) == ("in", [])
    assert "is in the Customers group of Club" in answer["sentence"]
    assert [e["what"] for e in answer["timeline"]] == [
        "First seen in the ERP",
        "Access given",
    ]


@pytest.mark.parametrize(("fields", "reasons", "words"), OUT)
def test_r24_who_is_out(club: Club, fields: dict[str, Any], reasons: list[str], words: str) -> None:
    """With the reason, and what to do next; for who was never in the same without a date of going."""
    club.erp.group("off", active=False)
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", **{"email": "ben@x.fr", **fields})
    club.sync()
    if "email" not in fields:
        club.erp.change("1", **fields)
        club.sync()
        answer = club.why("1")
        assert (answer["verdict"], answer["reasons"]) == ("out", reasons)
        assert words in answer["sentence"]
        assert "since 2 March 2026" in answer["sentence"]
    never = club.why("2")
    assert (never["verdict"], never["reasons"]) == ("out", reasons)
    assert "has never been in the Customers group" in never["sentence"]


def test_r24_who_was_never_seen(club: Club) -> None:
    """Says which complete answer the person was not in."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    answer = club.why("zoe@x.fr")
    assert (answer["verdict"], answer["timeline"]) == ("unknown", [])
    assert "which was complete (1 customers)" in answer["sentence"]


def test_r24_the_one_who_lost_a_duplicate(club: Club) -> None:
    """The email answers with its holder; the other one's id with the finding that names the holder."""
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ann@x.fr")
    club.sync()
    assert club.why("ann@x.fr")["verdict"] == "in"
    answer = club.why("2")
    assert (answer["verdict"], answer["reasons"]) == ("out", ["EMAIL_DUPLICATE"])
    assert "(also 1)" in answer["sentence"]


def test_r24_every_change_with_its_run(club: Club) -> None:
    """ "every change with its run"."""
    club.erp.put("1", "ann@x.fr")
    first = club.sync()
    club.erp.change("1", status="paused")
    second = club.sync()
    club.erp.change("1", status="active", email="anne@x.fr")
    third = club.sync()
    runs = [(e["what"], e["run"]) for e in club.why("1")["timeline"] if e["run"]]
    assert runs == [
        ("Access given", first["run"]),
        ("Access removed: ERP status paused", second["run"]),
        ("Access given again", third["run"]),
        ("Email changed", third["run"]),
    ]


ACTIVE: dict[str, Any] = {"email": "ann@x.fr"}

#: What the ERP's records are now (None: removed), and the situation of record 1, which was active.
SITUATIONS_OF: list[tuple[dict[str, dict[str, Any] | None], Situation]] = [
    ({}, Situation.ELIGIBLE),
    ({"1": None}, Situation.GONE),
    # its customer has moved to 3 (R10)
    ({"1": None, "3": ACTIVE}, Situation.GONE),
    ({"1": ACTIVE | {"replaced_by": "2"}}, Situation.MERGED),
    ({"1": ACTIVE | {"placeholder": True}}, Situation.NOT_A_PERSON),
    ({"1": ACTIVE | {"status": "archived"}}, Situation.INACTIVE),
    ({"1": {"email": None, "guardian_id": "2"}}, Situation.DEPENDANT),
    ({"1": ACTIVE | {"groups": ["off"]}}, Situation.NO_ACCESS_GROUP),
    ({"1": ACTIVE | {"status": "unknown"}}, Situation.IN_DOUBT),
    ({"1": {"email": None}}, Situation.IN_DOUBT),
    ({"1": {"email": "ben@x.fr"}}, Situation.DUPLICATE),
]


@pytest.mark.parametrize(("now", "situation"), SITUATIONS_OF)
def test_r24_names_the_situation(
    club: Club, now: dict[str, dict[str, Any] | None], situation: Situation
) -> None:
    """ "The reason is the engine's own": the situation that the table of cases has the record in."""
    club.erp.group("off", active=False)
    club.erp.put("1", **ACTIVE)
    club.erp.put("2", "ben@x.fr")
    club.sync()
    assert club.why("1")["situation"] == "eligible"
    for erp_id, fields in now.items():
        if fields is None:
            club.erp.remove(erp_id)
        else:
            club.erp.put(erp_id, **fields)
    club.sync()
    answer = club.why("1")
    assert answer["situation"] == situation
    assert f"Situation: {SITUATIONS[situation]}." in answer["sentence"]
    for other in sorted({"2", "3"} & set(club.erp.records)):
        assert club.why(other)["situation"] == "eligible", other


def test_r24_situations_that_people_make(new_club: NewClub) -> None:
    """They hold from the moment of the decision on, not from the next sync."""
    club = new_club(guard=Guard(share=0, at_least=0, at_most=0))
    for n in "123":
        club.erp.put(n, f"p{n}@x.fr")
    club.sync()
    club.detach("2")
    assert club.why("2")["situation"] == Situation.DETACHED
    club.erp.change("1", status="archived")
    assert club.sync()["held"] == 1
    assert club.why("1")["situation"] == Situation.HELD
    by_hand = club.customer(club.add_by_hand("zoe@x.fr"))["email"]
    assert club.why(by_hand)["situation"] is None, "there is no record"


def test_r24_situations_that_were_not_loaded(club: Club) -> None:
    """What the ERP shows of them is not in the mirror; the findings say so."""
    club.erp.put("1", "ann@x.fr", phone="+33600000001")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    club.erp.put("1", "zoe@x.fr", first_name="Zoe", last_name="Zola", phone="+33600000002")
    club.sync(conflicting=("2",))
    assert club.why("1")["situation"] == Situation.ID_REUSED
    assert club.why("2")["situation"] == Situation.CONFLICTING


def test_r24_an_undone_change(club: Club) -> None:
    """R18: the record is as it was when a person undid what it had led to."""
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    club.erp.change("1", status="archived")
    run = club.sync()["run"]
    assert run is not None
    assert club.why("1")["situation"] == Situation.INACTIVE
    undo(club._base, Config(clubs=(club.config,)), run, by="somebody")
    assert club.why("1")["situation"] == Situation.UNDONE


@pytest.mark.parametrize("language", LANGUAGES)
def test_r24_every_situation_has_words(language: str) -> None:
    say = translations(language).gettext
    words = {say(SITUATIONS[situation]) for situation in Situation}
    assert len(words) == len(Situation)
    assert (words & set(SITUATIONS.values()) == set()) == (language != "en")


@pytest.mark.parametrize("who", ["2", " Ben@X.FR "])
def test_r24_who_was_erased_at_their_request(club: Club, who: str) -> None:
    """R20: by the keyed hash that stays; and what lifts it: a new ERP id, or adding them by hand."""
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    erase(club._base, club.pipeline().store, club.config, "2", by="somebody")
    club.sync()
    answer = club.why(who)
    assert (answer["verdict"], answer["reasons"]) == ("out", ["erased"])
    assert "was erased from Club at their request on 2 March 2026" in answer["sentence"]
    assert "under a new ERP id, or when somebody adds them by hand" in answer["sentence"]
    assert [event["what"] for event in answer["timeline"]] == ["Person erased"]
    assert club.why("zoe@x.fr")["verdict"] == "unknown"
    with club.driver() as driver:
        masked = why(driver, club.number, club.config, who, tell_erased=False)
    assert (masked["verdict"], masked["reasons"]) == ("unknown", [])
    club.erp.put("7", "ben@x.fr")
    club.sync()
    assert club.why("ben@x.fr")["verdict"] == "in"
    assert club.why("2")["reasons"] == ["erased"]


def test_r24_who_was_erased_and_added_by_hand_is_in(club: Club) -> None:
    club.erp.put("2", "ben@x.fr")
    club.sync()
    erase(club._base, club.pipeline().store, club.config, "2", by="somebody")
    customers.add(club._base, club.config, "ben@x.fr", first_name="Ben", last_name="Bell", by="x")
    assert club.why("ben@x.fr")["verdict"] == "in"
    assert club.why("2")["reasons"] != ["erased"]


def test_r24_by_a_name_in_another_form(club: Club) -> None:
    """R3: decomposed letters, odd blanks and capitals make nobody another person."""
    club.erp.put("1", "ann@x.fr", first_name="José", last_name="Núñez")
    club.sync()
    assert club.why("JOSE\u0301\u00a0 Nu\u0301ñez")["verdict"] == "in"
