"""The Dolibarr connector: what is its own, beside the contract; the installation is the sandbox's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse, Response

from connectors.dolibarr import DolibarrConnector, DolibarrSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, ErpUnreachable, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import dolibarr
from sandbox.world import ClubSpec, World
from tests.support.api import Api, Asked
from tests.support.servers import serving

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MEMBERS, TYPES = "/api/index.php/members", "/api/index.php/memberstypes"
#: midnight of 31 December 2026 and of 2 April 1990 in Paris.
NEW_YEARS_EVE, SPRING = 1798671600, 639007200


def connector(
    host: str, since: datetime | None = None, key: str | None = "key", **settings: object
) -> DolibarrConnector:
    return DolibarrConnector(
        Connection("c", host, None, key),
        DolibarrSettings(**{"http": HttpLimits(attempts=1), **settings}),
        Club("asso", PARIS, "FR"),
        now=lambda: NOW,
        since=since,
    )


def member(key: int, **more: object) -> dict[str, Any]:
    return {"id": str(key), "statut": "1", "typeid": "5", "need_subscription": "0", **more}


def paged(*members: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    count = len(members) if total is None else total
    return {"data": list(members), "pagination": {"total": count, "page": 0, "limit": 100}}


def after(asked: Asked) -> int:
    """The id behind which a request asks."""
    return int(asked.query["sqlfilters"].removeprefix("(t.rowid:>:").partition(")")[0])


def types(*every: dict[str, Any], page: int = 100) -> Callable[[Asked], Any]:
    """The list of types, by id."""
    return lambda a: [t for t in every if int(t["id"]) > after(a)][:page]


@pytest.fixture(autouse=True)
def _types(written: Api) -> None:
    written.answers[TYPES] = types(
        {"id": "5", "label": "Adulte", "status": "1"},
        {"id": "6", "label": "Ancien tarif", "status": "0"},
        {"id": 7, "label": None, "statut": 1},
    )


def test_fields(written: Api) -> None:
    """Every field that is read, and what becomes of it."""
    written.answers[MEMBERS] = paged(
        member(
            7,
            firstname="Ana",
            lastname="Ruiz",
            email=" ana@example.com ",
            phone_perso="0612345678",
            birth=SPRING,
            gender="woman",
            country_code="FR",
            need_subscription=1,
            datefin=str(NEW_YEARS_EVE),
            date_creation=1700000000,
            date_modification="",
            note_private="private",
        ),
        member(8, typeid=6, morphy="mor", company="Club SARL", lastname="X", firstname="Y"),
        member(9, typeid="", birth=""),
    )
    reading = connector(written.url).read()
    one, two, three = reading.customers.iter_rows(named=True)
    assert (one["erp_id"], one["status"], one["email"]) == ("7", "active", "ana@example.com")
    assert (one["phone"], one["gender"], one["country"]) == ("+33612345678", "female", "FR")
    assert one["birth_date"] == date(1990, 4, 2)
    assert one["created_at"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert one["modified_at"] is None
    assert one["groups"] == [{"id": "5", "valid_from": None, "valid_until": date(2026, 12, 31)}]
    assert (two["is_company"], two["first_name"], two["last_name"]) == (True, None, "Club SARL")
    assert [g["id"] for g in two["groups"]] == ["6"]
    assert (three["groups"], three["birth_date"]) == ([], None)
    assert reading.groups.rows() == [
        ("5", "Adulte", True),
        ("6", "Ancien tarif", False),
        ("7", "7", True),
    ]


def test_what_is_asked(written: Api) -> None:
    """By id, with a total, and only for the fields that are needed (R19)."""
    written.answers[MEMBERS] = lambda a: (
        paged(member(3), member(5), total=3)
        if a.query["sqlfilters"] == "(t.rowid:>:0)"
        else paged(member(9))
    )
    reading = connector(written.url, page=2, category=4).read()
    assert reading.certificate.complete
    assert reading.certificate.total == 3
    *of_types, first, second = written.asked
    assert [(a.path, after(a)) for a in of_types] == [(TYPES, 0), (TYPES, 7)]
    assert {a.headers["dolapikey"] for a in written.asked} == {"key"}
    assert second.query["sqlfilters"] == "(t.rowid:>:5)"
    wanted = first.query.pop("properties").split(",")
    assert {"id", "email", "statut", "datefin"} <= set(wanted)
    assert not {"pass", "note_private", "iban"} & set(wanted)
    assert first.query == {
        "sortfield": "t.rowid",
        "sortorder": "ASC",
        "limit": "2",
        "page": "0",
        "sqlfilters": "(t.rowid:>:0)",
        "pagination_data": "true",
        "category": "4",
    }


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        ({}, "active", None),
        ({"statut": 1}, "active", None),
        ({"statut": "-1"}, "prospect", None),
        ({"statut": -2}, "former", None),
        ({"statut": "0"}, "former", None),
        ({"statut": 0}, "former", None),
        ({"statut": None, "status": "1"}, "active", None),
        ({"statut": "3"}, "unknown", "3"),
        ({"statut": ""}, "unknown", None),
        ({"need_subscription": "1", "datefin": ""}, "prospect", None),
        ({"need_subscription": "yes", "datefin": ""}, "prospect", None),
        ({"need_subscription": 1, "datefin": "0000-00-00 00:00:00"}, "prospect", None),
        ({"need_subscription": 1, "datefin": -3600}, "prospect", None),
        ({"need_subscription": 1, "datefin": 253402214400}, "active", None),
        ({"need_subscription": 1, "datefin": "9999-12-31"}, "active", None),
        ({"need_subscription": "no", "datefin": ""}, "active", None),
        ({"need_subscription": 0.0, "datefin": ""}, "active", None),
        ({"need_subscription": None, "datefin": ""}, "unknown", None),
        ({"need_subscription": "", "datefin": NEW_YEARS_EVE}, "unknown", None),
        ({"need_subscription": None, "statut": "0"}, "former", None),
        ({"need_subscription": "1", "datefin": NEW_YEARS_EVE}, "active", None),
        ({"statut": "0", "need_subscription": "1"}, "former", None),
    ],
)
def test_statut(written: Api, more: dict[str, Any], status: str, word: str | None) -> None:
    """The codes of Dolibarr's source; who never paid what the type needs is none yet [inf]."""
    written.answers[MEMBERS] = paged(member(1, **more))
    (row,) = connector(written.url).read().customers.iter_rows(named=True)
    assert (row["status"], row["status_raw"]) == (status, word)


def test_a_record_that_lacks_its_end_or_type_is_unknown(written: Api) -> None:
    """R3: both are asked for; who lacks the key has not left, and is not without a type."""
    bare = member(2)
    del bare["typeid"]
    written.answers[MEMBERS] = paged(member(1, need_subscription="1"), bare, member(3))
    one, two, three = connector(written.url).read().customers.to_dicts()
    assert one["status"] == "unknown"
    assert [note["field"] for note in two["unreadable"]] == ["groups"]
    assert (three["status"], three["unreadable"]) == ("active", [])


def test_what_an_unpaid_member_is_is_a_setting(written: Api) -> None:
    """[inf]"""
    written.answers[MEMBERS] = paged(member(1, need_subscription="1", datefin=""))
    assert connector(written.url, unpaid="active").read().customers["status"].to_list() == [
        "active"
    ]


@pytest.mark.parametrize("end", [JSONResponse({"error": {"code": 404}}, 404), []])
def test_an_older_version_ends_with_nobody(written: Api, end: object) -> None:
    """404, or an empty list; it knows no total."""
    written.answers[MEMBERS] = lambda a: (
        [member(3), member(5)] if a.query["sqlfilters"] == "(t.rowid:>:0)" else end
    )
    reading = connector(written.url).read()
    assert (reading.certificate.complete, reading.certificate.total) == (True, None)
    assert reading.customers["erp_id"].to_list() == ["3", "5"]
    assert written.paths() == [TYPES, TYPES, MEMBERS, MEMBERS]


def test_a_gateway_s_404_is_not_the_end(written: Api) -> None:
    """R14: with half of the members certified, the others would be gone."""
    written.answers[MEMBERS] = lambda a: (
        [member(3), member(5)]
        if a.query["sqlfilters"] == "(t.rowid:>:0)"
        else Response("404 page not found", 404)
    )
    reading = connector(written.url).read()
    assert reading.customers["erp_id"].to_list() == ["3", "5"]
    assert not reading.certificate.complete


def test_nobody_at_all_in_an_older_version(written: Api) -> None:
    """Types there are, so the address is right."""
    written.answers[MEMBERS] = JSONResponse({"error": {"code": 404}}, 404)
    reading = connector(written.url).read()
    assert (reading.customers.height, reading.certificate.complete) == (0, True)


def test_no_types_is_a_wrong_address(written: Api) -> None:
    """Or the module is off: never an empty club."""
    written.answers[TYPES] = JSONResponse({"error": {"code": 404}}, 404)
    with pytest.raises(SettingsWrong):
        connector(written.url).read()


def test_types_in_pages(written: Api) -> None:
    """Complete, or the club is read next time: a type that is missing would be an unknown group."""
    many = [{"id": i, "label": f"T{i}", "status": 1} for i in range(1, 151)]
    written.answers[MEMBERS] = paged()
    written.answers[TYPES] = types(*many)
    assert connector(written.url).read().groups.height == 150
    written.answers[TYPES] = lambda a: many[:100]
    with pytest.raises(ErpUnreachable, match="types"):
        connector(written.url).read()


def test_a_short_page_of_types_is_not_the_last(written: Api) -> None:
    """The server silently leaves out what it fails to load."""
    written.answers[MEMBERS] = paged()
    written.answers[TYPES] = types(*({"id": i, "label": f"T{i}"} for i in range(1, 6)), page=2)
    assert connector(written.url).read().groups.height == 5


def test_a_record_that_is_left_out_is_missed(written: Api) -> None:
    """The server leaves out, without a word, what it fails to load."""
    written.answers[MEMBERS] = lambda a: (
        paged(member(3), total=2) if a.query["sqlfilters"] == "(t.rowid:>:0)" else paged(total=1)
    )
    reading = connector(written.url).read()
    assert not reading.certificate.complete
    assert reading.customers.height == 1


@pytest.mark.parametrize("end", ["soon", "#N/A", "2026-02-30"])
def test_an_end_that_cannot_be_read_is_unknown(written: Api, end: str) -> None:
    """R3: it is not "no end", and not a subscription that was never paid."""
    written.answers[MEMBERS] = paged(member(1, datefin=end, need_subscription="1"), member(2))
    one, two = connector(written.url).read().customers.to_dicts()
    assert [note["field"] for note in one["unreadable"]] == ["valid_until"]
    assert (one["status"], one["unreadable"][0]["word"]) == ("active", end)
    assert two["unreadable"] == []


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Europe/Paris", "Europe/Paris"),
        ("America/Guadeloupe", "Europe/Paris"),
        ("Indian/Reunion", "Europe/Paris"),
        ("Europe/Paris", "UTC"),
        ("Europe/Paris", "America/New_York"),
        ("Europe/Paris", "Asia/Tokyo"),
    ],
)
def test_a_midnight_on_the_server_is_the_day_that_it_begins(
    written: Api, zone: str, midnight: str
) -> None:
    """R3: what is valid until the 31st is valid on the 31st, wherever the server stands."""
    ends = datetime(2026, 12, 31, tzinfo=ZoneInfo(midnight)).timestamp()
    born = datetime(1990, 4, 2, tzinfo=ZoneInfo(midnight)).timestamp()
    written.answers[MEMBERS] = paged(
        member(1, datefin=int(ends), birth=str(int(born)), need_subscription="1"),
        member(2, datefin=int(ends) + 86399, birth=-5, need_subscription="1"),
    )
    connector_ = connector(written.url)
    connector_.club = Club("asso", ZoneInfo(zone), "FR")
    one, two = connector_.read().customers.to_dicts()
    assert one["groups"][0]["valid_until"] == date(2026, 12, 31)
    assert one["birth_date"] == date(1990, 4, 2)
    if zone == midnight:
        assert two["groups"][0]["valid_until"] == date(2026, 12, 31)


def test_a_number_that_is_none_stops_no_club(written: Api) -> None:
    """R3: beyond all numbers, or a fraction, in place of an id or a code."""
    good = json.dumps([member(n) for n in range(3, 40)])[1:-1]
    odd = '{"id": "1", "statut": 1e999, "typeid": 5, "need_subscription": "0"}'
    half = '{"id": 2, "statut": "1", "typeid": 1.5, "need_subscription": 1, "datefin": 1e999}'
    body = f'{{"data": [{odd}, {half}, {good}], "pagination": {{"total": 39}}}}'
    written.answers[MEMBERS] = Response(body, media_type="application/json")
    one, two, *_ = connector(written.url).read().customers.to_dicts()
    assert one["status"] == "unknown"
    assert [note["field"] for note in two["unreadable"]] == ["groups"]


def test_ids_that_are_no_numbers_are_refused(written: Api) -> None:
    written.answers[MEMBERS] = paged(member(1, id="x"), member(2, id="y"))
    with pytest.raises(ContractChanged):
        connector(written.url).read()


def test_changes(written: Api) -> None:
    """By day, from the day before: whose clock it is, is not told [inf]."""
    written.answers[MEMBERS] = paged(member(1))
    since = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
    reading = connector(written.url, since, changes=True).read()
    assert reading.since == since
    assert written.asked[-1].query["sqlfilters"] == "(t.rowid:>:0) and (t.tms:>=:'20261120')"
    assert connector(written.url, since).read().certificate.complete


def test_no_key() -> None:
    """Said before anything is asked."""
    with pytest.raises(SettingsWrong, match="API key"):
        connector("http://127.0.0.1:9", key=None).read()


@pytest.mark.parametrize("old", [False, True])
def test_the_demo_s_people_come_through(old: bool) -> None:
    """What the world says of a club is what the connector reads, of an old version and a new one."""
    world = World(5, [ClubSpec("v", "V", 250)], NOW)
    later = NOW + timedelta(days=20)
    state = world.club("v", later)
    here = dolibarr.installation_of("key", lambda: state, PARIS, old=old)
    with serving(dolibarr.create_app("v", here)) as url:
        reading = connector(url).read()
        changed = connector(url, NOW, changes=True, overlap=0).read()
        assert connector(url).check().startswith("The key works: ")
    assert reading.certificate.complete
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    assert found.keys() == {str(p.number) for p in state.people}
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert row["birth_date"] == person.birth_date
        ends = [m.end for m in person.memberships[-1:]]
        assert [g["valid_until"] for g in row["groups"]] == ends
    midnight = NOW.astimezone(PARIS).replace(hour=0, minute=0)
    assert set(changed.customers["erp_id"]) == {
        str(p.number) for p in state.people if p.modified_at >= midnight
    }
    assert 0 < changed.customers.height < reading.customers.height
