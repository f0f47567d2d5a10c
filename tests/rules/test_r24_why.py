"""R24: for any email or ERP id, in plain words, why that person is or is not in the Customers group."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.club import Club

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
