"""The Odoo connector: what is its own, beside the contract; the server is the sandbox's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse

from connectors.odoo import OdooConnector, OdooSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, CredentialsRefused, ErpUnreachable, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import odoo
from sandbox.world import ClubSpec, World
from tests.support.api import Api, Asked
from tests.support.servers import Recorder, serving

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
PARTNERS = "/json/2/res.partner"


def connector(
    host: str,
    since: datetime | None = None,
    connection: Connection | None = None,
    **settings: object,
) -> OdooConnector:
    return OdooConnector(
        connection or Connection("c", host, "user", "key"),
        OdooSettings(**{"database": "db", "http": HttpLimits(attempts=1), **settings}),
        Club("club", ZoneInfo("Europe/Paris"), "FR"),
        now=lambda: NOW,
        since=since,
    )


def partner(key: int, **more: object) -> dict[str, Any]:
    empty = dict.fromkeys(("name", "email", "mobile", "phone", "country_code", "parent_id"), False)
    stamps = {"create_date": False, "write_date": False}
    flags = {"active": True, "is_company": False, "category_id": []}
    return {"id": key, **empty, **stamps, **flags, **more}


def answer(api: Api, *partners: dict[str, Any], fields: str = "mobile phone country_code") -> None:
    """These partners over JSON-2."""

    def search(asked: Asked) -> object:
        body = json.loads(asked.body)
        if body["order"] == "id desc":
            return [{"id": max(p["id"] for p in partners)}] if partners else []
        return list(partners)

    api.answers[f"{PARTNERS}/search_read"] = search
    api.answers[f"{PARTNERS}/search_count"] = len(partners)
    api.answers[f"{PARTNERS}/fields_get"] = {f: {"type": "char"} for f in fields.split()}
    api.answers["/json/2/res.partner.category/search_read"] = [
        {"id": 5, "display_name": "Sport / Gold", "active": False}
    ]


def test_fields(written: Api) -> None:
    """Every field that is read, and what becomes of it; false is nothing."""
    partners = (
        partner(
            7,
            name="Ana Ruiz",
            email=" ana@example.com ",
            phone="0612345678",
            country_code="FR",
            category_id=[5, 6],
            parent_id=[9, "Somebody Else"],
            create_date="2024-03-01 10:00:00",
            write_date="2026-11-20 10:00:00",
        ),
        partner(8, active=False),
        partner(9, name="Club SARL de la Tour", is_company=True),
    )
    answer(written, *partners)
    reading = connector(written.url, guardian_field="parent_id").read
    with pytest.raises(SettingsWrong, match="guardian_field"):
        reading()
    answer(written, *partners, fields="mobile phone country_code parent_id")
    one, two, three = reading().customers.iter_rows(named=True)
    assert (one["erp_id"], one["email"], one["phone"]) == ("7", "ana@example.com", "+33612345678")
    assert (one["first_name"], one["last_name"], one["country"]) == ("Ana", "Ruiz", "FR")
    assert (one["status"], one["guardian_id"], one["is_company"]) == ("active", "9", False)
    assert one["created_at"] == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert one["modified_at"] == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert [g["id"] for g in one["groups"]] == ["5", "6"]
    assert two["status"] == "archived"
    assert [two[k] for k in ("first_name", "email", "phone", "guardian_id", "created_at")] == (
        [None] * 5
    )
    assert (three["first_name"], three["last_name"]) == (None, "Club SARL de la Tour")
    assert reading().groups.rows() == [("5", "Sport / Gold", False)]


def test_categories_that_did_not_come_are_not_none(written: Api) -> None:
    """R3: null, or a record without the key, is unknown; false is Odoo's empty value."""
    bare = partner(3)
    del bare["category_id"]
    odd = [partner(1, category_id=False), partner(2, category_id=None), bare]
    answer(written, *odd, partner(4, category_id=True), partner(5))
    rows = connector(written.url).read().customers.to_dicts()
    assert [[note["field"] for note in row["unreadable"]] for row in rows] == (
        [[], ["groups"], ["groups"], ["groups"], []]
    )


def test_what_every_call_bears(written: Api) -> None:
    """The key, the database, and archived records asked for."""
    answer(written, partner(1))
    connector(written.url, domain=[["customer_rank", ">", 0]]).read()
    bodies = [json.loads(a.body) for a in written.asked]
    assert {a.headers["authorization"] for a in written.asked} == {"bearer key"}
    assert {a.headers["x-odoo-database"] for a in written.asked} == {"db"}
    assert all(body["context"] == {"active_test": False} for body in bodies)
    assert bodies[-1]["domain"] == [["customer_rank", ">", 0], ["id", "<=", 1], ["id", ">", 0]]


def test_a_version_without_mobile_is_not_asked_for_it(written: Api) -> None:
    """Odoo 19: a field that is not there is an error of the whole call."""
    answer(written, partner(1, phone="0612345678"), fields="phone")
    (row,) = connector(written.url).read().customers.iter_rows(named=True)
    assert row["phone"] == "+33612345678"
    asked = json.loads(written.asked[-1].body)["fields"]
    assert "phone" in asked
    assert "mobile" not in asked


def test_changes(written: Api) -> None:
    """From somewhat earlier: a record shows when it was committed, and bears when that began."""
    answer(written, partner(1))
    since = datetime(2026, 11, 21, 9, tzinfo=UTC)
    reading = connector(written.url, since, changes=True).read()
    assert reading.since == since
    assert not reading.certificate.complete
    domain = json.loads(written.asked[-1].body)["domain"]
    assert domain[0] == ["write_date", ">=", "2026-11-21 08:50:00"]
    whole = connector(written.url, since).read()
    assert whole.certificate.complete
    assert connector(written.url, since, changes=True).read(full=True).certificate.complete


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("odoo.exceptions.AccessDenied", CredentialsRefused, "rejected our credentials"),
        ("odoo.exceptions.AccessError", CredentialsRefused, "denied us access"),
        ("psycopg2.OperationalError", ErpUnreachable, "returned an error"),
        (None, ErpUnreachable, "returned an error"),
    ],
)
def test_errors_of_the_older_protocol(
    written: Api, kind: str | None, error: type[Exception], says: str
) -> None:
    """They come with 200; their text may name people (R19)."""
    data = {"name": kind, "message": "ana@example.com", "debug": "Traceback"}
    written.answers["/jsonrpc"] = {"jsonrpc": "2.0", "id": 0, "error": {"code": 200, "data": data}}
    with pytest.raises(error, match=says) as told:
        connector(written.url, protocol="jsonrpc").read()
    assert "ana" not in str(told.value)


@pytest.mark.parametrize("user", [False, True, 0])
def test_the_older_log_in_says_false(written: Api, user: object) -> None:
    written.answers["/jsonrpc"] = {"jsonrpc": "2.0", "id": 0, "result": user}
    with pytest.raises(CredentialsRefused):
        connector(written.url, protocol="jsonrpc").read()


def test_the_older_protocol_with_no_result(written: Api) -> None:
    written.answers["/jsonrpc"] = {"jsonrpc": "2.0", "id": 0}
    with pytest.raises(ContractChanged):
        connector(written.url, protocol="jsonrpc").read()


def test_a_server_that_has_the_older_protocol_switched_off(written: Api) -> None:
    written.answers["/jsonrpc"] = JSONResponse({}, 404)
    with pytest.raises(SettingsWrong):
        connector(written.url, protocol="jsonrpc").read()


@pytest.mark.parametrize(
    ("login", "password", "settings"),
    [
        ("user", None, {}),
        (None, "key", {"protocol": "jsonrpc"}),
        ("user", "key", {"protocol": "jsonrpc", "database": None}),
    ],
)
def test_connections_that_cannot_work(
    login: str | None, password: str | None, settings: dict[str, Any]
) -> None:
    """Said before anything is asked."""
    nowhere = Connection("c", "http://127.0.0.1:9", login, password)
    with pytest.raises(SettingsWrong):
        connector("", connection=nowhere, **settings).read()


@pytest.mark.parametrize("protocol", ["json2", "jsonrpc"])
def test_the_demo_s_people_come_through(protocol: str) -> None:
    """What the world says of a club is what the connector reads, in either protocol; and what changed."""
    world = World(5, [ClubSpec("db", "D", 250)], NOW)
    state = world.club("db", NOW)
    app = Recorder(odoo.create_app({"db": odoo.database_of("user", "key", lambda: state)}))
    long_ago = NOW - timedelta(days=300)
    with serving(app) as url:
        over = partial(connector, url, protocol=protocol, guardian_field="parent_id", page=100)
        reading = over().read()
        changed = over(long_ago, changes=True, overlap=0).read()
        assert over().check().startswith("Login works: ")
    assert reading.certificate.complete
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    assert found.keys() == {str(p.number) for p in state.people}
    numbers = {p.id: str(i) for i, p in enumerate(state.products, 1)}
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert row["guardian_id"] == (str(person.guardian) if person.guardian else None)
        assert {g["id"] for g in row["groups"]} == {
            numbers[m.product_id] for m in person.memberships
        }
    assert set(changed.customers["erp_id"]) == {
        str(p.number) for p in state.people if p.modified_at.replace(microsecond=0) >= long_ago
    }
    assert 0 < changed.customers.height < reading.customers.height
