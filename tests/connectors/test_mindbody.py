"""The Mindbody connector: what is its own, beside the contract; the API is the sandbox's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.mindbody import MindbodyConnector, MindbodySettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import mindbody
from sandbox.world import ClubSpec, World
from tests.support.api import Api
from tests.support.servers import Recorder, serving

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # the 22nd in Paris
CLIENTS = "/public/v6/client/clients"
HELD = "/public/v6/client/activeclientsmemberships"
KINDS = "/public/v6/site/memberships"
TOKEN = "/public/v6/usertoken/issue"


def connector(
    host: str,
    since: datetime | None = None,
    connection: Connection | None = None,
    club: Club = Club("studio", PARIS, "FR"),
    **settings: object,
) -> MindbodyConnector:
    return MindbodyConnector(
        connection or Connection("c", host, "staff", "secret", extra={"api_key": "key"}),
        MindbodySettings(**{"site_id": "7", "http": HttpLimits(attempts=1), **settings}),
        club,
        now=lambda: NOW,
        since=since,
    )


def client(key: int, **more: object) -> dict[str, Any]:
    return {"UniqueId": key, "Id": f"B{key}", "Active": True, "Status": "Active", **more}


def answer(api: Api, *clients: dict[str, Any], held: dict[str, Any] | None = None) -> None:
    """One page of clients and what they hold."""
    api.answers[TOKEN] = {"TokenType": "Bearer", "AccessToken": "t"}
    api.answers[KINDS] = {"Memberships": []}
    api.answers[CLIENTS] = {
        "PaginationResponse": {"TotalResults": len(clients)},
        "Clients": list(clients),
    }
    known = held or {}
    api.answers[HELD] = {
        "PaginationResponse": {"TotalResults": len(known)},
        "ClientMemberships": [{"ClientId": k, "Memberships": v} for k, v in known.items()],
    }


def test_fields(written: Api) -> None:
    """Every field that is read, and what becomes of it; every request bears key, site and token."""
    answer(
        written,
        client(
            1,
            FirstName="Ana",
            LastName="Ruiz",
            Email=" ana@example.com ",
            HomePhone="0612345678",
            BirthDate="1990-04-02T00:00:00",
            Gender="Female",
            Country="fr",
            CreationDate="2024-03-01T10:00:00",
            LastModifiedDateTime="2026-11-20T10:00:00Z",
            IsCompany=True,
            RedAlert="private",
        ),
        held={
            "B1": [
                {
                    "MembershipId": 5,
                    "Name": "Gold",
                    "ActiveDate": "2026-01-01T00:00:00",
                    "ExpirationDate": "2026-12-31T00:00:00Z",
                },
                {"MembershipId": 6},
            ]
        },
    )
    written.answers[KINDS] = {
        "Memberships": [{"MembershipId": 5, "MembershipName": "Gold member", "IsActive": False}]
    }
    reading = connector(written.url).read()
    (row,) = reading.customers.iter_rows(named=True)
    assert (row["erp_id"], row["email"], row["phone"]) == ("1", "ana@example.com", "+33612345678")
    assert (row["birth_date"], row["gender"], row["country"]) == (date(1990, 4, 2), "female", "FR")
    assert row["created_at"] == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert row["modified_at"] == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert row["is_company"] is True
    assert row["groups"] == [
        {"id": "5", "valid_from": date(2026, 1, 1), "valid_until": date(2026, 12, 31)},
        {"id": "6", "valid_from": None, "valid_until": None},
    ]
    assert reading.groups.rows() == [("5", "Gold member", False)]
    token, *others = written.asked
    assert (token.method, token.path) == ("POST", TOKEN)
    assert {(a.headers["api-key"], a.headers["siteid"]) for a in written.asked} == {("key", "7")}
    assert {a.headers["authorization"] for a in others} == {"Bearer t"}
    assert next(a for a in others if a.path == CLIENTS).query == {
        "request.limit": "200",
        "request.offset": "0",
        "request.includeInactive": "true",
    }


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, "active"),
        ({"Active": False}, "archived"),
        ({"Status": "Declined"}, "active"),
        ({"Status": "Non-Member"}, "prospect"),
        ({"Status": "Expired"}, "former"),
        ({"Status": "Terminated"}, "former"),
        ({"Status": "Suspended"}, "suspended"),
        ({"Status": None}, "unknown"),
        ({"IsProspect": True}, "prospect"),
        ({"SuspensionInfo": {"BookingSuspended": True}}, "suspended"),
        ({"SuspensionInfo": {"BookingSuspended": False}}, "active"),
        ({"SuspensionInfo": {}}, "active"),
        ({"SuspensionInfo": {"SuspensionStartDate": "2026-11-01"}}, "unknown"),
        (
            {
                "SuspensionInfo": {
                    "BookingSuspended": True,
                    "SuspensionStartDate": "2026-11-22",
                    "SuspensionEndDate": "2026-11-22",
                }
            },
            "suspended",
        ),
        (
            {"SuspensionInfo": {"BookingSuspended": True, "SuspensionEndDate": "2026-11-21"}},
            "active",
        ),
        (
            {"SuspensionInfo": {"BookingSuspended": True, "SuspensionStartDate": "2026-11-23"}},
            "active",
        ),
    ],
)
def test_status(written: Api, more: dict[str, Any], status: str) -> None:
    """R3; a suspension is judged on the club's own day."""
    answer(written, client(1, **more))
    assert connector(written.url).read().customers["status"].to_list() == [status]


def test_what_a_status_means_is_a_setting(written: Api) -> None:
    """[inf]"""
    answer(written, client(1, Status="Declined"), client(2, Status="Expired"))
    reading = connector(written.url, statuses={"Declined": "suspended"}).read()
    assert reading.customers["status"].to_list() == ["suspended", "former"]


def test_an_end_that_cannot_be_read_is_unknown(written: Api) -> None:
    """R3: read as "no end" it would give permanent access."""
    answer(written, client(1), held={"B1": [{"MembershipId": 5, "ExpirationDate": "soon"}]})
    row = connector(written.url).read().customers.to_dicts()[0]
    assert row["unreadable"] == [{"field": "valid_until", "word": "soon", "group": "5"}]


def test_an_end_at_midnight_utc_is_that_date(written: Api) -> None:
    """[inf] The API writes dates so; any other moment is turned into the club's day (R3)."""
    ends = {5: "2026-11-29T00:00:00Z", 6: "2026-11-28T23:00:00Z", 7: "9999-12-31T23:59:59Z"}
    memberships = [{"MembershipId": i, "ExpirationDate": end} for i, end in ends.items()]
    answer(written, client(1), held={"B1": memberships})
    held = connector(written.url).read().customers["groups"][0]
    assert [group["valid_until"] for group in held] == [date(2026, 11, 29)] * 2 + [None]


def test_a_birth_date_is_the_same_west_of_greenwich(written: Api) -> None:
    """[inf] It is written as a midnight in UTC, which in New York is the evening before."""
    answer(written, client(1, BirthDate="1990-04-02T00:00:00Z"))
    us = Club("studio", ZoneInfo("America/New_York"), "US")
    born = connector(written.url, club=us).read().customers["birth_date"]
    assert born.to_list() == [date(1990, 4, 2)]


def test_what_somebody_holds_is_unknown_where_it_cannot_be_asked_for(written: Api) -> None:
    """R3: memberships are asked for by `Id`; without one, or with an error, they are not none."""
    answer(
        written,
        client(1),
        client(2, Id=None),
        client(3, Id=" "),
        client(4, Id=[4]),
        client(5),
        client(6, Id=None, Active=False),
        *(client(n) for n in range(10, 40)),
    )
    error = {"ClientId": "B5", "ErrorMessage": "no access to ana@example.com"}
    written.answers[HELD] = {
        "PaginationResponse": {"TotalResults": 2},
        "ClientMemberships": [{"ClientId": "B1", "Memberships": [{"MembershipId": 5}]}, error],
    }
    rows = {row["erp_id"]: row for row in connector(written.url).read().customers.to_dicts()}
    assert [n for n, row in rows.items() if row["unreadable"]] == ["2", "3", "4", "5"]
    assert [note["field"] for note in rows["5"]["unreadable"]] == ["groups"]
    asked = next(a for a in written.asked if a.path == HELD)
    assert "NOT_TEXT" not in str(asked.query)


def test_memberships_under_another_spelling_of_the_id(written: Api) -> None:
    """[inf] R3, R14: `Id` is a barcode that people type; where no two clients differ in it alone, case, blanks and
    leading zeros make no other client, and nobody would lose a group by them."""
    answer(
        written,
        *(client(1, Id="ab1"), client(2, Id="0042"), client(3, Id="7"), client(4, Id="07")),
        *(client(5, Id="X5"), client(6, Id="x5")),
        held={
            "AB1": [{"MembershipId": 5}],
            "42": [{"MembershipId": 5}],
            "07": [{"MembershipId": 5}],
            "x5": [{"MembershipId": 5}],
        },
    )
    reading = connector(written.url).read()
    assert [len(groups) for groups in reading.customers["groups"]] == [1, 1, 0, 1, 0, 1]
    assert reading.memberships is not None
    assert reading.memberships.doubts == ()
    answer(written, client(3, Id="7"), client(4, Id="07"), held={"007": [{"MembershipId": 5}]})
    doubtful = connector(written.url).read()
    assert [len(groups) for groups in doubtful.customers["groups"]] == [0, 0]
    assert doubtful.memberships is not None
    assert "not asked for: 1" in doubtful.memberships.doubts[0]


def test_memberships_of_others_are_nobody_s(written: Api) -> None:
    """R14: a list for other clients says nothing of those who were asked for; blanks make no other."""
    answer(written, client(1, Id="B1 "), client(2), held={"B1": [{"MembershipId": 5}], "X9": []})
    reading = connector(written.url).read()
    assert [len(groups) for groups in reading.customers["groups"]] == [1, 0]
    assert reading.memberships is not None
    assert "not asked for: 1" in reading.memberships.doubts[0]


def test_memberships_that_do_not_come_are_no_lost_groups(written: Api) -> None:
    """R3: not what one client holds, nor a page of them."""
    answer(written, client(1))
    written.answers[HELD] = {
        "PaginationResponse": {"TotalResults": 1},
        "ClientMemberships": [{"ClientId": "B1", "ErrorMessage": "no access to ana@example.com"}],
    }
    with pytest.raises(ContractChanged) as told:
        connector(written.url).read()
    assert "ana" not in str(told.value)
    written.answers[HELD] = {"PaginationResponse": {"TotalResults": 1}, "ClientMemberships": []}
    reading = connector(written.url).read()
    assert "states a total of 1" in reading.certificate.doubts[0]
    assert reading.memberships is not None
    assert reading.memberships.proof == "incomplete"


def test_memberships_in_pages(written: Api) -> None:
    """However few the ERP gives at once."""
    answer(written, client(1), client(2))
    written.answers[HELD] = lambda a: {
        "PaginationResponse": {"TotalResults": 2},
        "ClientMemberships": [
            {
                "ClientId": f"B{int(a.query['request.offset']) + 1}",
                "Memberships": [{"MembershipId": 5}],
            }
        ],
    }
    reading = connector(written.url).read()
    assert [len(g) for g in reading.customers["groups"]] == [1, 1]


def test_who_cannot_hold_anything_costs_no_call(written: Api) -> None:
    """The quota: a page of former clients and prospects is one call."""
    answer(
        written, client(1, Active=False), client(2, IsProspect=True), client(3, Status="Expired")
    )
    connector(written.url).read()
    assert written.paths() == [TOKEN, KINDS, CLIENTS]


# Changes -----------------------------------------------------------------------------------------


def test_changes_take_three_calls_and_are_never_certified(written: Api) -> None:
    """R14, and the quota of 1000 a day: token, clients, what they hold; asked for from earlier on."""
    answer(written, client(1), held={"B1": [{"MembershipId": 5, "Name": "Gold"}]})
    since = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
    reading = connector(written.url, since).read()
    assert written.paths() == [TOKEN, CLIENTS, HELD]
    assert written.asked[1].query["request.lastModifiedDate"] == "2026-11-20T02:00:00Z"
    assert reading.since == since
    assert not reading.certificate.complete
    assert reading.certificate.doubts == ("Only what changed since 2026-11-21 04:00 UTC was read.",)
    assert reading.groups.rows() == [("5", "Gold", True)]


def test_no_changes_are_a_reading(written: Api) -> None:
    """And cost two calls."""
    answer(written)
    reading = connector(written.url, NOW).read()
    assert reading.customers.height == 0
    assert len(reading.certificate.doubts) == 1
    assert written.paths() == [TOKEN, CLIENTS]


def test_full_means_everything(written: Api) -> None:
    """Whatever changes would do."""
    answer(written, client(1))
    reading = connector(written.url, NOW).read(full=True)
    assert reading.certificate.complete
    assert reading.since is None
    assert all("request.lastModifiedDate" not in a.query for a in written.asked)


def test_a_day_of_readings_stays_below_the_quota() -> None:
    """1000 calls a day and key: 287 readings of changes at five minutes' distance, one of everything."""
    world = World(5, [ClubSpec("7", "S", 700)], NOW, events_per_hour=4)
    clock = [NOW]
    site = mindbody.site_of("key", "staff", "secret", lambda: world.club("7", clock[0]), PARIS)
    site.quota = 1000
    app = mindbody.create_app({"7": site})
    with serving(app) as url:
        whole = connector(url)
        assert whole.read().certificate.complete
        everything = site.calls
        for hours in (1, 12, 24):
            clock[0] = NOW + timedelta(hours=hours)
            before = site.calls
            reading = connector(url, NOW).read()
            assert len(reading.certificate.doubts) == 1
            assert 0 < reading.customers.height <= 200
            assert site.calls - before == 3
    assert everything + 287 * 3 <= 1000


# The connection ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "password", "extra"),
    [
        (None, "p", {"api_key": "k"}),
        ("staff", None, {"api_key": "k"}),
        ("staff", "p", {}),
        ("staff", "p", {"api_key": 7}),
    ],
)
def test_connections_that_cannot_work(
    login: str | None, password: str | None, extra: dict[str, Any]
) -> None:
    """Said before anything is asked."""
    nowhere = Connection("c", "http://127.0.0.1:9", login, password, extra=extra)
    with pytest.raises(SettingsWrong):
        connector("", connection=nowhere).read()


def test_the_demo_s_people_come_through() -> None:
    """What the world says of a club is what the connector reads; inactive clients too."""
    world = World(5, [ClubSpec("7", "S", 450)], NOW)
    state = world.club("7", NOW)
    site = mindbody.site_of("key", "staff", "secret", lambda: state, PARIS)
    recorder = Recorder(mindbody.create_app({"7": site}))
    with serving(recorder) as url:
        reading = connector(f"{url}/public/v6", guardian_relation="Paid for by").read()
    assert reading.certificate.complete
    assert reading.certificate.total == len(state.people)
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    today = NOW.astimezone(PARIS).date()
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert row["guardian_id"] == (str(person.guardian) if person.guardian else None)
        holds = {
            m.end for m in person.memberships if m.start <= today and (not m.end or m.end >= today)
        }
        if row["status"] == "active":
            assert {g["valid_until"] for g in row["groups"]} == holds != set()
