"""The Magicline connector: what is its own, beside the contract; the API is the sandbox's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from connectors.magicline import MagiclineConnector, MagiclineSettings, without
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import magicline
from sandbox.world import ClubSpec, World
from tests.support.api import Api
from tests.support.servers import serving

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # the 22nd in Paris


def connector(host: str, key: str | None = "key", **settings: object) -> MagiclineConnector:
    return MagiclineConnector(
        Connection("c", host, None, key),
        MagiclineSettings(**{"http": HttpLimits(attempts=1), **settings}),
        Club("gym", PARIS, "FR"),
        now=lambda: NOW,
    )


def customer(key: int, **more: object) -> dict[str, Any]:
    return {"id": key, "status": "MEMBER", **more}


def contract(key: int, **more: object) -> dict[str, Any]:
    about = {"rateName": "Premium", "startDate": "2026-01-01", "endDate": "2030-12-31"}
    return {"id": key, **about, "cancelled": False, "contractStatus": "ACTIVE", **more}


def one_slice(*customers: dict[str, Any]) -> dict[str, Any]:
    return {"result": list(customers), "hasNext": False, "offset": ""}


def test_a_status_that_says_nothing_is_unknown(written: Api) -> None:
    """[inf] R3: null, and a word that is none of the three, change nothing; the word is told, and null has none."""
    written.answers["/v1/customers"] = one_slice(
        customer(1), customer(2, status=None), customer(3, status="PAUSED"), customer(4, status="")
    )
    found = connector(written.url).read().customers
    assert found["status"].to_list() == ["active", "unknown", "unknown", "unknown"]
    assert found["status_raw"].to_list() == [None, None, "PAUSED", None]


def test_fields(written: Api) -> None:
    """Every field of the specification that is read, and what becomes of it."""
    written.answers["/v1/customers"] = one_slice(
        customer(
            1001,
            firstName="Edgar",
            lastName="Bullock",
            secondLastName="Meyer",
            dateOfBirth="1952-05-04",
            email=" edgar@example.com ",
            gender="MALE",
            country="de",
            phonePrivate="+49 30 901820",
            createdDateTime="2024-03-01T10:00:00+01:00",
            legalRepresentative={"type": "EXISTING_CUSTOMER", "customerId": 1002},
            bankAccount={"iban": "DE91"},
        ),
        customer(1002, gender="UNISEX", legalRepresentative={"type": "EXTERNAL_PERSON"}),
        customer(1003, status="PROSPECT", phonePrivate="01", phonePrivateMobile="0612345678"),
    )
    reading = connector(written.url).read()
    one, two, three = reading.customers.iter_rows(named=True)
    assert (one["erp_id"], one["status"], one["guardian_id"]) == ("1001", "active", "1002")
    assert (one["first_name"], one["last_name"]) == ("Edgar", "Bullock Meyer")
    assert (one["email"], one["phone"]) == ("edgar@example.com", "+4930901820")
    assert (one["birth_date"], one["gender"], one["country"]) == (date(1952, 5, 4), "male", "DE")
    assert one["created_at"] == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert [two[k] for k in ("gender", "guardian_id", "email", "last_name")] == [None] * 4
    assert (three["status"], three["phone"]) == ("prospect", "+33612345678")
    assert [(a.query, a.headers["x-api-key"]) for a in written.asked] == [
        ({"sliceSize": "200"}, "key")
    ]


@pytest.mark.parametrize(
    ("said", "asked"),
    [({"offset": "7"}, "7"), ({"lastOffsetId": 7}, "7"), ({"offset": "7", "lastOffsetId": 9}, "7")],
)
def test_the_next_slice_by_either_name(written: Api, said: dict[str, Any], asked: str) -> None:
    """The pages of two years name it differently; what we send is a setting."""
    written.answers["/v1/customers"] = lambda a: (
        one_slice(customer(8))
        if "offsetId" in a.query
        else {"result": [customer(7)], "hasNext": True, **said}
    )
    reading = connector(written.url, offset_parameter="offsetId", size_parameter="size").read()
    assert reading.certificate.complete
    assert [a.query for a in written.asked] == [
        {"size": "200"},
        {"size": "200", "offsetId": asked},
    ]


def test_a_next_slice_that_cannot_be_asked_for_is_no_last_one(written: Api) -> None:
    """R14: never taken for the end."""
    written.answers["/v1/customers"] = {"result": [customer(7)], "hasNext": True}
    with pytest.raises(ContractChanged, match="how to request"):
        connector(written.url).read()


def test_a_parameter_that_is_not_understood_is_noticed(written: Api) -> None:
    """R14: the first slice again and again."""
    written.answers["/v1/customers"] = {"result": [customer(7)], "hasNext": True, "offset": "7"}
    reading = connector(written.url).read()
    assert not reading.certificate.complete
    assert len(written.asked) == 2


@pytest.mark.parametrize(
    ("idle", "status"),
    [
        ({"startDate": "2026-11-22", "endDate": "2026-11-22"}, "paused"),
        ({"startDate": "2026-11-01", "endDate": "2026-11-21"}, "active"),
        ({"startDate": "2026-11-23", "endDate": "2026-12-21"}, "active"),
        ({"startDate": "2026-11-01", "endDate": "2026-11-02", "unlimited": True}, "paused"),
    ],
)
def test_an_idle_period_pauses_on_the_club_s_own_day(
    written: Api, idle: dict[str, Any], status: str
) -> None:
    """R3: the 22nd has begun in Paris, and not in Greenwich."""
    written.answers["/v1/customers"] = one_slice(customer(1, idlePeriods=[idle]))
    assert connector(written.url).read().customers["status"].to_list() == [status]


def test_contracts_are_groups(written: Api) -> None:
    """A contract goes on past its end until it is cancelled [inf]; idle days are cut out of it."""
    idle = {"startDate": "2026-12-01", "endDate": "2026-12-31", "contract": {"id": 1}}
    written.answers["/v1/customers"] = one_slice(
        customer(1, idlePeriods=[idle]), customer(2, status="FORMER_MEMBER")
    )
    written.answers["/v1/customers/1/contracts"] = [
        contract(1, endDate="2026-06-30"),
        {
            "id": 2,
            "rateName": "Yoga",
            "startDate": "2026-01-01",
            "endDate": "2026-12-15",
            "cancelled": True,
        },
    ]
    reading = connector(written.url, contracts=True).read()
    one, two = reading.customers.iter_rows(named=True)
    assert one["status"] == "active"
    assert [(g["id"], g["valid_from"], g["valid_until"]) for g in one["groups"]] == [
        ("Premium", date(2026, 1, 1), date(2026, 11, 30)),
        ("Premium", date(2027, 1, 1), None),
        ("Yoga", date(2026, 1, 1), date(2026, 12, 15)),
    ]
    assert two["groups"] == []
    assert reading.groups.rows() == [("Premium", "Premium", True), ("Yoga", "Yoga", True)]
    assert written.paths() == ["/v1/customers", "/v1/customers/1/contracts"]


@pytest.mark.parametrize("of", [{"contract": {"id": 1}}, {}])
def test_a_contract_that_pauses_all_the_time_is_held(written: Api, of: dict[str, Any]) -> None:
    """R3: without any group somebody has access, unless the club's settings say otherwise."""
    idle = {"startDate": "2025-01-01", "endDate": "2026-01-31", "unlimited": True, **of}
    written.answers["/v1/customers"] = one_slice(customer(1, idlePeriods=[idle]))
    written.answers["/v1/customers/1/contracts"] = [contract(1)]
    (row,) = connector(written.url, contracts=True).read().customers.to_dicts()
    assert row["groups"] == [{"id": "Premium", "valid_from": None, "valid_until": date(1970, 1, 1)}]


@pytest.mark.parametrize(
    ("more", "last", "word"),
    [
        ({"cancelled": True}, date(2030, 12, 31), None),
        ({"contractStatus": "INACTIVE", "endDate": "2026-06-30"}, date(2026, 6, 30), None),
        ({"contractStatus": "INACTIVE", "startDate": "2027-01-01"}, None, None),
        ({"contractStatus": "INACTIVE"}, date(2030, 12, 31), "INACTIVE"),
        ({"contractStatus": "REVERSED"}, date(2030, 12, 31), "REVERSED"),
        ({"contractStatus": None}, None, None),
        ({"cancelled": None}, date(2030, 12, 31), "#NO_KEY!"),
        ({"cancelled": 7}, date(2030, 12, 31), "#NO_KEY!"),
        ({"cancelled": True, "endDate": None}, None, "#NO_KEY!"),
        ({"cancelled": True, "endDate": "soon"}, None, "soon"),
        ({"cancelled": True, "endDate": "9999-12-31"}, None, None),
    ],
)
def test_until_when_a_contract_runs(
    written: Api, more: dict[str, Any], last: date | None, word: str | None
) -> None:
    """R3: what is missing, or contradicts itself, is unknown; it is neither an end nor no end."""
    written.answers["/v1/customers"] = one_slice(customer(1))
    lacks = [name for name, value in more.items() if value is None]
    one = {k: v for k, v in contract(1, **more).items() if k not in lacks}
    written.answers["/v1/customers/1/contracts"] = [one]
    (row,) = connector(written.url, contracts=True).read().customers.to_dicts()
    assert [g["valid_until"] for g in row["groups"]] == [last]
    noted = [(n["field"], n["word"], n["group"]) for n in row["unreadable"]]
    assert noted == ([("valid_until", word, "Premium")] if word else [])


def test_half_a_last_name_is_not_the_last_name(written: Api) -> None:
    """R3: where one of the two cannot be read, the name keeps its last readable value."""
    written.answers["/v1/customers"] = one_slice(
        customer(1, lastName={"x": 1}, secondLastName="Meyer"), customer(2, lastName="Bullock")
    )
    one, two = connector(written.url).read().customers.to_dicts()
    assert (one["last_name"], [n["field"] for n in one["unreadable"]]) == (None, ["last_name"])
    assert two["last_name"] == "Bullock"


def test_contracts_that_cannot_be_read_are_no_lost_groups(written: Api) -> None:
    """R3: a slice is whole with its contracts, or not read."""
    written.answers["/v1/customers"] = lambda a: (
        one_slice(customer(2))
        if "offset" in a.query
        else {"result": [customer(1)], "hasNext": True, "offset": "1"}
    )
    written.answers["/v1/customers/1/contracts"] = []
    reading = connector(written.url, contracts=True).read()
    assert reading.customers["erp_id"].to_list() == ["1"]
    assert not reading.certificate.complete


D = date


@pytest.mark.parametrize(
    ("gaps", "left"),
    [
        ([], [(1, 30)]),
        ([(10, 12)], [(1, 9), (13, 30)]),
        ([(1, 5)], [(6, 30)]),
        ([(25, 30)], [(1, 24)]),
        ([(1, 30)], []),
        ([(20, 22), (10, 12)], [(1, 9), (13, 19), (23, 30)]),
        ([(10, 20), (12, 15)], [(1, 9), (21, 30)]),
        ([(10, 20), (15, 30)], [(1, 9)]),
    ],
)
def test_days_without_gaps(gaps: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    """Both ends of a gap are in it."""
    found = without(
        D(2026, 11, 1), D(2026, 11, 30), [(D(2026, 11, a), D(2026, 11, b)) for a, b in gaps]
    )
    assert [(a.day, b.day) for a, b in found] == left


def test_days_without_gaps_that_lie_elsewhere() -> None:
    far = [(D(2025, 1, 1), D(2025, 2, 1)), (D(2027, 1, 1), D(2027, 2, 1))]
    days = (D(2026, 11, 1), D(2026, 11, 30))
    assert without(*days, far) == [days]


def test_where_the_guardian_stands_is_a_setting(written: Api) -> None:
    """[inf] R8."""
    written.answers["/v1/customers"] = one_slice(customer(2, guardian={"ids": [5]}))
    (row,) = (
        connector(written.url, guardian="guardian.ids[0]").read().customers.iter_rows(named=True)
    )
    assert row["guardian_id"] == "5"
    with pytest.raises(ValidationError, match="not a valid path"):
        MagiclineSettings(guardian="a..b")


def test_a_customer_of_another_form_is_refused_without_its_words(written: Api) -> None:
    """R19: the message names the place, and no value."""
    odd = {"id": "secret@example.com", "status": "MEMBER"}
    written.answers["/v1/customers"] = one_slice(odd, odd, odd)
    with pytest.raises(ContractChanged) as told:
        connector(written.url).read()
    assert "secret" not in str(told.value)


def test_no_key() -> None:
    """Said before anything is asked."""
    with pytest.raises(SettingsWrong, match="API key"):
        connector("http://127.0.0.1:9", key=None).read()


def test_the_demo_s_people_come_through() -> None:
    """What the world says of a club is what the connector reads."""
    world = World(5, [ClubSpec("v", "V", 150)], NOW)
    state = world.club("v", NOW)
    app = magicline.create_app({"v": magicline.studio_of("key", lambda: state, PARIS)})
    with serving(app) as url:
        reading = connector(f"{url}/v1", page=40, contracts=True).read()
        assert reading.certificate.complete
    names = {p.id: p.name for p in state.products}
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    assert found.keys() == {str(p.number) for p in state.people}
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert row["guardian_id"] == (str(person.guardian) if person.guardian else None)
        if person.status in ("active", "paused"):
            assert [(g["id"], g["valid_from"], g["valid_until"]) for g in row["groups"]] == [
                (names[m.product_id], m.start, m.end) for m in person.memberships
            ]
