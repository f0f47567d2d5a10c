"""R3: a value that is there and cannot be read changes nothing, and a finding says which field, with which word."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import ClubConfig
from clubsync.extract.reader import connector_of
from connectors.sdk.base import Connection
from tests.support.club import Club

END = {"field": "valid_until", "word": "soon", "group": None}
MARCH = date(2026, 3, 31)


def details(club: Club) -> dict[tuple[str, str], dict[str, Any]]:
    sql = "select erp_id, code, detail from sync.finding where club = %s and closed_at is null"
    return {(erp_id, code): detail for erp_id, code, detail in club.rows(sql, club.number)}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unreadable": [END]}, "DATE_UNREADABLE"),
        ({"unreadable": [END | {"field": "valid_from"}]}, "DATE_UNREADABLE"),
        ({"email": "#N/A"}, "EMAIL_INVALID"),
        ({"email": "#WERT!"}, "EMAIL_INVALID"),
        ({"groups": ["#REF!"]}, "GROUP_UNKNOWN"),
        ({"guardian_id": "1,23E+12"}, "FIELD_MISSING"),
        ({"replaced_by": "########"}, "FIELD_MISSING"),
    ],
)
def test_r03_who_has_access_keeps_it_and_who_has_none_does_not_gain_it(
    club: Club, change: dict[str, Any], code: str
) -> None:
    """And the finding closes by itself, when the value can be read."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.erp.put("2", "b@x.fr", groups=["gold"], status="former")
    club.sync()
    before = club.base()["1"]
    club.erp.change("1", **change)
    club.erp.change("2", status="active", **change)
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["1"] == before
    assert club.findings() == {"1": {code}, "2": {code}}
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.erp.put("2", "b@x.fr", groups=["gold"])
    club.sync()
    assert (club.inside(), club.findings()) == ({"1", "2"}, {})


def test_r03_the_finding_names_the_field_and_the_word(club: Club) -> None:
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"], unreadable=[END | {"group": "gold"}])
    club.erp.put("2", "#NOM?", groups=["gold"])
    club.erp.put("3", "c@x.fr", groups=["#DIV/0!"])
    club.sync()
    assert details(club) == {
        ("1", "DATE_UNREADABLE"): {"fields": ["valid_until (gold)"], "words": ["soon"]},
        ("2", "EMAIL_INVALID"): {"fields": ["email"], "words": ["#NOM?"]},
        ("3", "GROUP_UNKNOWN"): {"fields": ["groups"], "words": ["#DIV/0!"]},
    }
    assert "soon" in club.why("1")["sentence"]


def test_r03_names_and_phones_keep_what_could_be_read(club: Club) -> None:
    """Access does not depend on them: it is for information, and the error is never written as a name."""
    club.erp.put("1", "a@x.fr", first_name="Ann", phone="+33600000001")
    club.sync()
    before = club.base()["1"]
    club.erp.change("1", first_name="#N/A", phone="1,23E+12")
    assert club.sync()["rows_written"] == 0
    assert club.base()["1"] == before
    assert (club.findings(), club.findings(all=True)) == ({}, {"1": {"FIELD_MISSING"}})
    club.erp.put("1", "a@x.fr", first_name="Anne", phone="+33600000001")
    club.sync()
    assert club.base()["1"]["first_name"] == "Anne"
    assert club.findings(all=True) == {}


def test_r03_words_for_no_value_are_no_value(club: Club) -> None:
    club.erp.put(
        "1", "NULL", first_name="Ann", phone="N/A", guardian_id="\\N", groups=["-", "None"]
    )
    club.sync()
    assert club.findings() == {"1": {"EMAIL_MISSING"}}
    club.erp.put("1", "a@x.fr", first_name="Nan", last_name="Null", phone="--", replaced_by="null")
    club.sync()
    row = club.base()["1"]
    assert (row["first_name"], row["last_name"], row["phone"]) == ("Nan", "Null", None)
    assert club.inside() == {"1"}


def test_r03_a_plain_reason_beats_what_cannot_be_read(club: Club) -> None:
    """Unknown never beats a plainly stated inactive status, a day that is over, a former group."""
    club.configure(former_groups=["old"])
    for group in ("gold", "old"):
        club.erp.group(group)
    plain: list[dict[str, Any]] = [
        {"status": "former", "unreadable": [END]},
        {"valid_until": date(2026, 3, 1), "email": "#REF!"},
        {"groups": ["old", "#REF!"]},
        {"valid_until": date(2026, 3, 1), "unreadable": [END | {"field": "valid_from"}]},
    ]
    for n in range(len(plain)):
        club.erp.put(str(n), f"p{n}@x.fr", groups=["gold"])
    club.sync()
    for n, change in enumerate(plain):
        club.erp.change(str(n), **change)
    club.sync()
    assert club.inside() == set()


def test_r03_of_several_groups_one_with_a_day_that_cannot_be_read(club: Club) -> None:
    """Another group gives access plainly; the automatic group of this one stays as it was."""
    for group in ("gold", "silver"):
        club.erp.group(group)
    odd = [END | {"group": "silver"}]
    club.erp.put("1", "a@x.fr", groups=["gold", ("silver", MARCH)])
    club.erp.put("2", "b@x.fr", groups=["gold"])
    club.erp.put("3", "c@x.fr", groups=[("silver", MARCH)])
    club.sync()
    for n in "123":
        club.erp.change(n, groups=["gold", "silver"] if n != "3" else ["silver"], unreadable=odd)
    club.sync()
    assert club.inside() == {"1", "2", "3"}
    groups = {n: row["groups"] for n, row in club.base().items()}
    assert groups == {"1": ["gold", "silver"], "2": ["gold"], "3": ["silver"]}
    assert club.findings() == {n: {"DATE_UNREADABLE"} for n in "123"}


def test_r03_a_birth_that_cannot_be_read_is_for_information(club: Club) -> None:
    """Nothing depends on it; its word is not told, because it may be a person's."""
    club.erp.put("1", "a@x.fr", unreadable=[{"field": "birth_date", "word": None, "group": None}])
    club.sync()
    assert club.inside() == {"1"}
    assert (club.findings(), club.findings(all=True)) == ({}, {"1": {"DATE_UNREADABLE"}})
    assert details(club)[("1", "DATE_UNREADABLE")] == {"fields": ["birth_date"], "words": []}


def test_r03_what_cannot_be_read_survives_in_the_mirror(club: Club) -> None:
    """R24: `why` says what the engine itself would."""
    club.erp.put("1", "a@x.fr", unreadable=[END])
    club.sync()
    assert club.inside() == set()
    assert club.why("1")["situation"] == "in_doubt"


def test_r17_the_same_odd_snapshot_again_writes_nothing(club: Club) -> None:
    club.erp.put("1", "a@x.fr", unreadable=[END])
    club.erp.put("2", "#N/A", first_name="#N/A")
    club.sync()
    assert club.sync()["rows_written"] == 0


def test_r12_what_cannot_be_read_is_no_fresh_activation(club: Club) -> None:
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    club.detach("1")
    club.erp.change("1", groups=["#REF!"])
    club.sync()
    club.erp.change("1", groups=["gold"])
    club.sync()
    assert club.inside() == set()


def test_r03_no_end_words_reach_the_connector(tmp_path: Path) -> None:
    """ "a club's own `no_end` words": as clubs.yaml has them."""
    (tmp_path / "customers.csv").write_text("id;until\n1;Toujours\n2;soon\n")
    config = ClubConfig(
        id="club",
        name="Club",
        erp="csv",
        connection="drop",
        no_end=("toujours",),
        settings={"customers": "*.csv", "fields": {"id": "id", "valid_until": "until"}},
    )
    reading = connector_of(config, lambda id: Connection(id, tmp_path.as_uri())).read()
    assert reading.customers["unreadable"].list.len().to_list() == [0, 1]
