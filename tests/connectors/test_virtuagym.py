"""The Virtuagym connector: what is its own, beside the contract; the API is the sandbox's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse

from connectors.sdk.base import Club, Connection
from connectors.sdk.dates import LONG_AGO
from connectors.sdk.errors import (
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.http import HttpLimits
from connectors.virtuagym import VirtuagymConnector, VirtuagymSettings
from sandbox import virtuagym
from sandbox.world import ClubSpec, World
from tests.support.api import Api
from tests.support.servers import serving

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MEMBERS = "/api/v1/club/7/member"


def connector(
    host: str, connection: Connection | None = None, **settings: object
) -> VirtuagymConnector:
    return VirtuagymConnector(
        connection or Connection("c", host, None, "club-key", extra={"api_key": "api-key"}),
        VirtuagymSettings(**{"club_id": 7, "http": HttpLimits(attempts=1), **settings}),
        Club("gym", PARIS, "NL"),
        now=lambda: NOW,
    )


def member(key: int, **more: object) -> dict[str, Any]:
    return {"member_id": key, "active": True, **more}


def flat(*members: dict[str, Any], remaining: int | None = 0, code: int = 200) -> dict[str, Any]:
    left = {} if remaining is None else {"results_remaining": remaining}
    return {"statuscode": code, "statusmessage": "…", **left, "result": list(members)}


def nested(*members: dict[str, Any], remaining: int = 0, code: int = 200) -> dict[str, Any]:
    return {
        "status": {"statuscode": code, "results_remaining": remaining},
        "result": list(members),
    }


@pytest.mark.parametrize("envelope", [flat, nested])
def test_fields(written: Api, envelope: Callable[..., dict[str, Any]]) -> None:
    """Every field that is read, and what becomes of it, in either envelope."""
    written.answers[MEMBERS] = envelope(
        member(
            1234,
            firstname="John",
            lastname="Doe",
            email=" john@example.com ",
            phone="0201234567",
            mobile="0612345678",
            birthday="1995-03-03",
            gender="m",
            country="nl",
            member_since="2015-01-14",
            timestamp_edit=1429522480252,
            unsubscribe_date="2026-12-31",
            ba_number="NL91",
        ),
        member(1235, active=0, gender="-", timestamp_edit=1429522480, member_since=1453417200000),
        {"member_id": 1236, "phone": "0201234567", "timestamp_edit": "soon"},
    )
    one, two, three = connector(written.url).read().customers.iter_rows(named=True)
    assert (one["erp_id"], one["status"], one["email"]) == ("1234", "active", "john@example.com")
    assert (one["phone"], one["gender"], one["country"]) == ("+31612345678", "male", "NL")
    assert (one["birth_date"], one["valid_until"]) == (date(1995, 3, 3), date(2026, 12, 31))
    assert one["created_at"] == datetime(2015, 1, 13, 23, tzinfo=UTC)
    assert one["modified_at"] == datetime(2015, 4, 20, 9, 34, 40, 252000, UTC)
    assert (two["status"], two["gender"]) == ("former", None)
    assert two["modified_at"] == datetime(2015, 4, 20, 9, 34, 40, tzinfo=UTC)
    assert two["created_at"] == datetime(2016, 1, 21, 23, tzinfo=UTC)
    assert (three["status"], three["phone"], three["modified_at"]) == (
        "unknown",
        "+31201234567",
        None,
    )


@pytest.mark.parametrize("all_of_them", [False, True])
def test_r03_a_member_without_its_list_of_memberships_is_unknown(
    written: Api, all_of_them: bool
) -> None:
    """A missing key is not an empty list, nor is it if all members lack it; a club may say that it is."""
    one, two, three = (member(n, memberships=[]) for n in (1, 2, 3))
    three["memberships"] = None
    for lacking in (one, two) if all_of_them else (two,):
        del lacking["memberships"]
    written.answers[MEMBERS] = flat(one, two, three)
    found = connector(written.url).read().customers["unreadable"]
    assert [[note["field"] for note in notes] for notes in found] == [
        ["groups"] * all_of_them,
        ["groups"],
        [],
    ]
    sure = connector(written.url, omits_empty=True).read().customers["unreadable"]
    assert sure.list.len().to_list() == [0, 0, 0]


def test_what_is_asked(written: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Both keys in the query, and no query in the log (R19)."""
    caplog.set_level(logging.DEBUG)
    written.answers[MEMBERS] = flat()
    connector(written.url).read()
    assert written.asked[0].query == {
        "api_key": "api-key",
        "club_secret": "club-key",
        "from_id": "0",
        "max_results": "500",
        "with": "memberships",
    }
    assert "api-key" not in caplog.text
    assert "club-key" not in caplog.text


FLAGS = ("active", "paused", "cancelled", "stopped", "completed")


def held(**flags: object) -> dict[str, Any]:
    return {
        **dict.fromkeys(FLAGS, 0),
        "membership_id": 5,
        "membership_name": "Gold",
        "start_date": "2026-01-01",
        "contract_end_date": "2026-12-31",
        **flags,
    }


@pytest.mark.parametrize(
    ("memberships", "status", "groups"),
    [
        ([], "active", []),
        ([held(active=1)], "active", [(date(2026, 1, 1), None)]),
        ([held(active=True, cancelled=True)], "active", [(date(2026, 1, 1), date(2026, 12, 31))]),
        ([held(active=0, cancelled=1, stopped=1)], "active", [(None, LONG_AGO)]),
        ([held(active=0, completed=1)], "active", [(None, LONG_AGO)]),
        ([held(active=1, paused=1)], "paused", [(date(2026, 1, 1), None)]),
        ([held(paused=1), held(stopped=1)], "paused", [(date(2026, 1, 1), None), (None, LONG_AGO)]),
        ([held(paused=1), held(active=1)], "active", [(None, LONG_AGO), (date(2026, 1, 1), None)]),
        (None, "active", []),
    ],
)
def test_what_the_flags_of_a_membership_mean(
    written: Api, memberships: list[dict[str, Any]], status: str, groups: list[Any]
) -> None:
    """[inf] R3: who holds only what is over has a group that gives no access; who never held any has none."""
    written.answers[MEMBERS] = flat(member(1, memberships=memberships))
    (row,) = connector(written.url).read().customers.iter_rows(named=True)
    assert row["status"] == status
    assert [(g["valid_from"], g["valid_until"]) for g in row["groups"]] == groups


@pytest.mark.parametrize("flag", FLAGS[1:])
def test_a_membership_that_lacks_a_flag_is_unknown(written: Api, flag: str) -> None:
    """R3: a flag that is missing is not one that is not set: a membership that is over would never end."""
    whole = held(active=1)
    lacks = {name: value for name, value in whole.items() if name != flag}
    others = [member(n, memberships=[whole]) for n in range(2, 12)]
    written.answers[MEMBERS] = flat(member(1, memberships=[lacks]), *others)
    one, *rest = connector(written.url).read().customers.to_dicts()
    assert [note["field"] for note in one["unreadable"]] == ["groups"]
    assert not any(row["unreadable"] for row in rest)
    written.answers[MEMBERS] = flat(*(member(n, memberships=[lacks]) for n in range(1, 12)))
    with pytest.raises(ContractChanged, match=flag):
        connector(written.url).read()


def test_an_end_that_cannot_be_read_is_unknown(written: Api) -> None:
    """R3: read as "no end" it would give permanent access."""
    wrong = held(active=1, cancelled=1, contract_end_date="soon")
    written.answers[MEMBERS] = flat(member(1, memberships=[wrong]))
    row = connector(written.url).read().customers.to_dicts()[0]
    assert [(note["field"], note["word"]) for note in row["unreadable"]] == [
        ("valid_until", "soon")
    ]


@pytest.mark.parametrize("end", [None, "", 0, ...])
def test_a_cancelled_membership_without_an_end_is_unknown(written: Api, end: object) -> None:
    """R3: it will end; an end that is missing is not "never", which 9999 says."""
    wrong = held(active=1, cancelled=1, contract_end_date=end)
    if end is ...:
        del wrong["contract_end_date"]
    never = held(active=1, cancelled=1, contract_end_date="9999-12-31")
    written.answers[MEMBERS] = flat(member(1, memberships=[wrong]), member(2, memberships=[never]))
    one, two = connector(written.url).read().customers.to_dicts()
    assert [note["field"] for note in one["unreadable"]] == ["valid_until"]
    assert two["unreadable"] == []


def test_without_a_remainder_the_walk_ends_with_nobody(written: Api) -> None:
    """[inf] R14, in older answers."""
    pages = {"0": [1, 2], "2": [5], "5": []}
    written.answers[MEMBERS] = lambda a: flat(
        *(member(i) for i in pages[a.query["from_id"]]), remaining=None
    )
    reading = connector(written.url, page=2).read()
    assert reading.certificate.complete
    assert reading.certificate.total is None
    assert reading.customers["erp_id"].to_list() == ["1", "2", "5"]


def test_a_remainder_that_never_comes(written: Api) -> None:
    """R14."""
    written.answers[MEMBERS] = lambda a: (
        flat(member(1), remaining=2) if a.query["from_id"] == "0" else flat(remaining=2)
    )
    reading = connector(written.url).read()
    assert not reading.certificate.complete
    assert reading.customers.height == 1


@pytest.mark.parametrize("http", [200, 420])
@pytest.mark.parametrize("envelope", [flat, nested])
def test_nobody_is_an_empty_list(
    written: Api, envelope: Callable[..., dict[str, Any]], http: int
) -> None:
    """420 "No member found"."""
    written.answers[MEMBERS] = lambda _: JSONResponse(envelope(code=420), http)
    reading = connector(written.url).read()
    assert (reading.customers.height, reading.certificate.complete) == (0, True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (421, RateLimited),
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (500, ErpUnreachable),
        (406, ContractChanged),
        (420, ContractChanged),
    ],
)
@pytest.mark.parametrize("envelope", [flat, nested])
def test_the_envelope_s_own_status(
    written: Api, envelope: Callable[..., dict[str, Any]], code: int, error: type[Exception]
) -> None:
    """Whatever HTTP says."""
    somebody = [member(1)] if code == 420 else []
    written.answers[MEMBERS] = envelope(*somebody, code=code)
    with pytest.raises(error):
        connector(written.url).read()


@pytest.mark.parametrize(
    ("password", "extra"), [(None, {"api_key": "k"}), ("p", {}), ("p", {"api_key": 7})]
)
def test_connections_that_cannot_work(password: str | None, extra: dict[str, Any]) -> None:
    """Said before anything is asked."""
    nowhere = Connection("c", "http://127.0.0.1:9", None, password, extra=extra)
    with pytest.raises(SettingsWrong):
        connector("", connection=nowhere).read()


@pytest.mark.parametrize("nest", [False, True])
def test_the_demo_s_people_come_through(nest: bool) -> None:
    """What the world says of a club is what the connector reads; the hour's 500 requests are obeyed."""
    world = World(5, [ClubSpec("7", "C", 250)], NOW)
    state = world.club("7", NOW)
    club = virtuagym.club_of("api-key", "club-key", lambda: state, PARIS)
    club.nested, club.quota = nest, 4
    with serving(virtuagym.create_app({7: ("c", club)})) as url:
        reading = connector(url, page=100).read()
        spent = club.calls
        connector(url, page=500).read()
        with pytest.raises(RateLimited):
            connector(url).read()
    assert spent == 3
    assert reading.certificate.complete
    assert reading.certificate.total == len(state.people)
    today = NOW.astimezone(PARIS).date()
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert row["modified_at"] == person.modified_at.replace(microsecond=0)
        assert [(g["valid_from"], g["valid_until"]) for g in row["groups"]] == [
            (m.start, m.end) if m.end is None or m.end >= today else (None, LONG_AGO)
            for m in person.memberships
        ]
