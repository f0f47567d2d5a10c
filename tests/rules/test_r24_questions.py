"""R24: the four questions of support, and finding people by whatever a caller can say of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from clubsync.config import ClubConfig, Guard
from clubsync.explain.questions import Question
from clubsync.explain.why import Answer, why
from clubsync.manual import app_users, requests
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club
from tests.support.rules import NewClub

RECORD, ACCESS, EMAIL, ACCOUNT = "record", "access", "email", "account"


def answers(club: Club, who: str) -> dict[str, str]:
    return {one["about"]: one["answer"] for one in club.why(who)["questions"]}


def asked(answer: Answer, about: str) -> Question:
    (found,) = [one for one in answer["questions"] if one["about"] == about]
    return found


def test_r24_all_four_are_yes(club: Club) -> None:
    club.erp.group("g", name="Gold")
    club.erp.put("1", "ann@x.fr", groups=[("g", date(2026, 1, 1), date(2026, 12, 31))])
    club.sync()
    club.register("ann@x.fr")
    answer = club.why("1")
    assert [one["answer"] for one in answer["questions"]] == ["yes"] * 4
    assert not any(one["to_do"] for one in answer["questions"])
    assert asked(answer, RECORD)["rests_on"] == "Reading of 2 March 2026, 11:05, complete."
    (group,) = answer["groups"]
    assert (group["group"], group["gives"]) == ("Gold", True)
    assert group["says"] == "Gives access. From 1 January 2026 until 31 December 2026."
    assert answer["standing"]["state"] == "fresh"
    assert answer["standing"]["sentences"] == ["As of the complete reading of 2 March 2026, 11:05."]


#: What record 1 is, and which of the questions is not answered with yes, how, and with which words.
NOT_YES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"status": "archived"}, ACCESS, "no", "their status in the ERP is archived"),
    ({"status": "unknown"}, ACCESS, "unknown", "Whoever has access keeps it"),
    ({"valid_until": date(2026, 3, 1)}, ACCESS, "no", "has expired"),
    ({"valid_from": date(2026, 3, 5)}, ACCESS, "no", "has not started yet"),
    ({"groups": ["off"]}, ACCESS, "no", "all of their groups in the ERP are inactive"),
    ({"groups": ["old"]}, ACCESS, "no", "former customers"),
    ({"groups": [("g", date(2026, 2, 1))]}, ACCESS, "no", "has expired"),
    ({"groups": ["nowhere"]}, ACCESS, "unknown", "Unclear"),
    ({"email": None}, EMAIL, "unknown", "has no email"),
    ({"email": "nobody"}, EMAIL, "unknown", "is not valid"),
    ({"email": "noemail@x.fr"}, EMAIL, "unknown", "placeholder"),
    ({"email": "ben@x.fr"}, EMAIL, "no", "Another ERP record has the same email and the access: 2"),
    ({"email": None, "guardian_id": "2"}, EMAIL, "no", "the family's owner, 2"),
    ({"placeholder": True}, RECORD, "no", "The record is not a person"),
    ({"replaced_by": "2"}, RECORD, "no", "The ERP merged this record into 2"),
]


@pytest.mark.parametrize("known", [True, False], ids=["was in", "never in"])
@pytest.mark.parametrize(("fields", "about", "answer", "words"), NOT_YES)
def test_r24_the_question_that_is_not_yes(
    new_club: NewClub, fields: dict[str, Any], about: str, answer: str, words: str, *, known: bool
) -> None:
    """Each cause shows at its own question, whoever had access before, and no other question says no for it."""
    club = new_club(former_groups=["old"], guard=Guard(share=1, at_least=100, at_most=100))
    for group in ("g", "old"):
        club.erp.group(group)
    club.erp.group("off", active=False)
    club.erp.put("2", "ben@x.fr")
    club.erp.put("3", "carl@x.fr", groups=["old"])
    if known:
        club.erp.put("1", "ann@x.fr")
    club.sync()
    club.erp.put("1", **{"email": "ann@x.fr", **fields})
    club.sync()
    found = club.why("1")
    question = asked(found, about)
    assert question["answer"] == answer
    assert words in question["says"]
    assert asked(found, ACCOUNT)["answer"] == "no"
    others = {
        one["about"]: one["answer"]
        for one in found["questions"]
        if one["about"] not in (about, ACCOUNT)
    }
    if not known or about != RECORD:
        assert set(others.values()) <= {"yes"}, others
    if "2" in question["says"].split(":")[-1]:
        assert "2" in question["others"]


def test_r24_the_status_alone_is_never_the_reason(new_club: NewClub) -> None:
    """ "The reason is the engine's own": nobody is out because the ERP calls them active."""
    club = new_club(group_required=True)
    club.erp.group("g")
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr", groups=["g"])
    club.erp.put("3", "ben@x.fr", groups=["g"])
    club.erp.put("4", "dan@x.fr", groups=["nowhere"])
    club.sync()
    for erp_id in "134":
        answer = club.why(erp_id)
        assert answer["verdict"] == "out"
        assert "active" not in answer["reasons"]
        assert "status in the ERP is active" not in answer["headline"]
    assert "they have no group in the ERP" in club.why("1")["headline"]


def test_r24_each_group_by_name_with_its_dates(new_club: NewClub) -> None:
    """Those that give access first; a group that the ERP's list lacks by its id."""
    club = new_club(former_groups=["Old members"], access_groups=["Gold", "Off", "Late"])
    club.erp.group("g", name="Gold")
    club.erp.group("p", name="Padel")
    club.erp.group("o", name="Off", active=False)
    club.erp.group("f", name="Old members")
    club.erp.group("l", name="Late")
    club.erp.put(
        "1",
        "ann@x.fr",
        groups=["p", "o", ("l", date(2026, 4, 1), None), ("f", date(2026, 2, 1)), "x", "g"],
    )
    club.sync()
    worth = {one["group"]: (one["gives"], one["says"]) for one in club.why("1")["groups"]}
    assert next(iter(worth)) == "Gold"
    assert worth == {
        "Gold": (True, "Gives access."),
        "Padel": (False, "Not a group that gives access in this club."),
        "Off": (False, "Inactive in the ERP."),
        "Late": (False, "Not started yet. From 1 April 2026."),
        "Old members": (False, "Group of former customers. Until 1 February 2026."),
        "x": (None, "Not in the ERP's list of groups, or its state is unknown."),
    }


def test_r24_somebody_who_is_missing(club: Club) -> None:
    for n in "123":
        club.erp.put(n, f"p{n}@x.fr")
    club.sync()
    club.erp.remove("1")
    club.sync()
    answer = club.why("1")
    record = asked(answer, RECORD)
    assert (record["answer"], record["says"]) == (
        "no",
        "Missing from the ERP since 2 March 2026, 11:10.",
    )
    assert "check in the ERP" in record["to_do"]


def test_r24_somebody_who_awaits_a_second_reading(club: Club) -> None:
    """R14: neither yes nor no; why says what is awaited."""
    for n in range(1, 9):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.erp.page_size = 3
    club.sync()
    club.erp.remove("8")
    club.sync()
    answer = club.why("8")
    assert answer["verdict"] == "in"
    assert asked(answer, RECORD)["answer"] == "unknown"
    assert "until a second complete reading misses it too" in asked(answer, RECORD)["says"]
    assert "until a second complete reading misses it too" in answer["headline"]


def test_r24_by_the_email_of_an_app_account(club: Club) -> None:
    """R9: the commonest call of all: the app has another email than the ERP."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    user = club.register("ann@x.fr")
    app_users.set_email(club._base, {club.number: club.config}, str(user), "new@x.fr")
    answer = club.why(" New@X.fr")
    assert (answer["verdict"], answer["erp_id"]) == ("in", "1")
    assert "new@x.fr is the email of the app account" in answer["headline"]
    account = asked(answer, ACCOUNT)
    assert account["answer"] == "no"
    assert account["says"] == "Their app account has another email: new@x.fr."
    assert account["to_do"]
    with club.driver() as driver:
        masked = why(
            driver, club.number, club.config, "new@x.fr", masked=lambda _: "n…", to_viewer=True
        )
    assert "new@x.fr" not in str({**masked, "standing": None})


def test_r24_by_the_email_of_a_request(club: Club) -> None:
    """R11: pending, refused, and an account that has asked for nothing; each is something else."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    user = club.register("zoe@x.fr")
    nothing = club.why("zoe@x.fr")
    assert nothing["verdict"] == "unknown"
    assert "There is an app account with this email" in nothing["sentence"]
    made = requests.request(club._base, club.config, str(user), by="x")
    pending = club.why("zoe@x.fr")
    assert (pending["verdict"], pending["reasons"]) == ("out", ["request_pending"])
    assert pending["request"] == made["id"]
    assert asked(pending, ACCOUNT)["to_do"] == "Accept or refuse the request."
    requests.refuse(club._base, club.config, str(made["id"]), by="x")
    refused = club.why("zoe@x.fr")
    assert (refused["verdict"], refused["reasons"]) == ("out", ["request_refused"])
    assert refused["request"] is None
    # another club's request is not this club's to tell
    assert "request" not in club.why("nobody@x.fr")


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "by email"])
def test_r24_a_merged_id_leads_to_the_survivor(club: Club, *, stated: bool) -> None:
    """R10: whoever still has the old card is told about the person, with the record that goes on."""
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    club.erp.remove("1")
    club.erp.put("3", "ann@x.fr")
    if stated:
        club.erp.put("1", "ann@x.fr", replaced_by="3")
    club.sync()
    answer = club.why("1")
    assert (answer["verdict"], answer["erp_id"], answer["reasons"]) == ("in", "3", ["merged"])
    assert "ERP record 1 gave its place to ERP record 3 on 2 March 2026" in answer["headline"]
    assert asked(answer, RECORD)["others"] == ["3"]
    assert club.why("3")["reasons"] == []


def test_r24_a_decided_hold(new_club: NewClub) -> None:
    """R15: who decided, when and until when; the history keeps it."""
    club = new_club(guard=Guard(share=0, at_least=0, at_most=0))
    club.erp.put("1", "ann@x.fr")
    club.erp.put("2", "ben@x.fr")
    club.sync()
    club.erp.change("1", status="archived")
    hold = club.sync()["held"]
    assert "Removal awaits approval" in club.why("1")["headline"]
    ((number,),) = club.rows("select hold from sync.hold where club = %s", club.number)
    club.pipeline().reject(number, "Zoe")
    answer = club.why("1")
    assert (hold, answer["verdict"]) == (1, "in")
    assert "Removal was rejected by Zoe on 2 March 2026" in answer["headline"]
    assert "They stay until 1 April 2026" in answer["headline"]
    assert any("rejected by Zoe" in event["what"] for event in answer["timeline"])


def test_r24_how_the_club_stands(club: Club) -> None:
    """At the top of every answer: as of when, and what keeps it from being now."""
    club.erp.put("1", "ann@x.fr")
    club.sync()
    club.erp.fault = ErpUnreachable("It is down.", remedy="Wait.")
    club.attempt()
    for who in ("1", "nobody@x.fr"):
        standing = club.why(who)["standing"]
        assert standing["state"] == "failing"
        said = " ".join(standing["sentences"])
        assert "As of the complete reading of 2 March 2026, 11:05." in said
        assert "Readings have failed since 2 March 2026" in said
        assert "It is down." in said


def test_r24_a_club_that_was_never_synced(config_of: ClubConfig, club: Club) -> None:
    with club.driver() as driver:
        answer = why(driver, 0, config_of, "ann@x.fr")
    assert answer["verdict"] == "unknown"
    assert answer["standing"]["state"] == "new"


@pytest.fixture
def config_of(club: Club) -> ClubConfig:
    return club.config
