"""The Resamania connector: what is its own, beside the contract; the API is the sandbox's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse

from connectors.resamania import ResamaniaConnector, ResamaniaSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, CredentialsRefused, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import resamania
from sandbox.world import ClubSpec, World
from tests.support.api import Api
from tests.support.servers import serving

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CONTACTS, HELD, TOKEN = "/env/t/contacts", "/env/t/subscriptions", "/env/t/oauth/v2/token"


def connector(
    host: str,
    since: datetime | None = None,
    connection: Connection | None = None,
    **settings: object,
) -> ResamaniaConnector:
    chosen = {"client_token": "t", "club": 7, "http": HttpLimits(attempts=1), **settings}
    return ResamaniaConnector(
        connection or Connection("c", f"{host}/env", "id", "secret", extra={"api_key": "key"}),
        ResamaniaSettings(**chosen),
        Club("gym", PARIS, "FR"),
        now=lambda: NOW,
        since=since,
    )


def contact(key: int, **more: object) -> dict[str, Any]:
    return {"@id": f"/t/contacts/{key}", "state": "client", **more}


def subscription(key: int, of: int, **more: object) -> dict[str, Any]:
    dates = {"validFrom": "2026-01-01", "validThrough": None}
    about = {"contact": {"@id": f"/t/contacts/{of}"}, "product": "Gold"}
    return {"@id": f"/t/subscriptions/{key}", **about, **dates, **more}


def page(
    *members: dict[str, Any], total: int | None = None, then: str | None = None, p: str = "hydra:"
) -> dict[str, Any]:
    """A collection, with or without prefix."""
    return {
        f"{p}member": list(members),
        f"{p}totalItems": len(members) if total is None else total,
        **({f"{p}view": {f"{p}next": then}} if then else {}),
    }


@pytest.fixture(autouse=True)
def _log_in(written: Api) -> None:
    written.answers[TOKEN] = {"access_token": "t0k", "expires_in": 3600}
    written.answers[HELD] = page()


def test_fields(written: Api) -> None:
    """Every field that is read, and what becomes of it."""
    written.answers[CONTACTS] = page(
        contact(
            2974221,
            givenName="Ana",
            familyName="Ruiz",
            email=" ana+test@example.com ",
            mobile="0612345678",
            birthDate="1990-01-01",
            gender="female",
            address={"addressCountryIso": "fr", "streetAddress": "1 rue X"},
            createdAt="2024-03-01T10:00:00+01:00",
            updatedAt="2026-11-20T10:00:00+01:00",
            iban="FR76",
        ),
        contact(5, state=None, gender=None, address=None),
    )
    written.answers[HELD] = page(
        subscription(1, 2974221, validThrough="2026-12-31"),
        subscription(2, 2974221, product="Pool", validFrom="2026-10-31T23:30:00Z"),
    )
    reading = connector(written.url).read()
    one, two = reading.customers.iter_rows(named=True)
    assert (one["erp_id"], one["email"]) == ("2974221", "ana+test@example.com")
    assert (one["phone"], one["gender"], one["country"]) == ("+33612345678", "female", "FR")
    assert one["birth_date"] == date(1990, 1, 1)
    assert one["created_at"] == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert one["modified_at"] == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert one["groups"] == [
        {"id": "Gold", "valid_from": date(2026, 1, 1), "valid_until": date(2026, 12, 31)},
        {"id": "Pool", "valid_from": date(2026, 11, 1), "valid_until": None},
    ]
    assert (two["status"], two["status_raw"], two["groups"]) == ("unknown", None, [])
    assert reading.groups.rows() == [("Gold", "Gold", True), ("Pool", "Pool", True)]


def test_what_every_request_bears(written: Api) -> None:
    """The gateway's key, also on the way to the token; the club by IRI; the token in a form."""
    written.answers[CONTACTS] = page()
    connector(written.url, network_node="/t/network_nodes/1053").read()
    token, *others = written.asked
    assert token.path == TOKEN
    assert token.body == b"grant_type=client_credentials&client_id=id&client_secret=secret"
    assert "authorization" not in token.headers
    for asked in written.asked:
        assert asked.headers["x-gravitee-api-key"] == "key"
        assert asked.headers["x-user-club-id"] == "/t/clubs/7"
        assert asked.headers["x-user-network-node-id"] == "/t/network_nodes/1053"
    assert {a.headers["authorization"] for a in others} == {"Bearer t0k"}


@pytest.mark.parametrize("prefix", ["hydra:", ""])
@pytest.mark.parametrize(
    "then", ["/t/contacts?page=2&itemsPerPage=9", "https://evil.example.com/t/contacts?page=2"]
)
def test_the_next_page_is_the_one_that_is_named(written: Api, prefix: str, then: str) -> None:
    """With and without prefix, and never anywhere else with our token."""
    written.answers[CONTACTS] = lambda a: (
        page(contact(2), total=2, p=prefix)
        if a.query.get("page") == "2"
        else page(contact(1), total=2, then=then, p=prefix)
    )
    reading = connector(written.url).read()
    assert reading.certificate.complete
    assert reading.certificate.pages == 2
    assert [a.query["page"] for a in written.asked if "page" in a.query] == ["2"]


def test_a_list_without_a_total_proves_nothing(written: Api) -> None:
    """R14."""
    written.answers[CONTACTS] = {"hydra:member": [contact(1)]}
    with pytest.raises(ContractChanged, match="without the total"):
        connector(written.url).read()


def test_a_total_that_is_not_reached(written: Api) -> None:
    """R14: no next page is named, and yet there are more."""
    written.answers[CONTACTS] = page(contact(1), total=2)
    assert not connector(written.url).read().certificate.complete


@pytest.mark.parametrize(
    "held",
    [
        page(subscription(1, 1), total=2),
        page(subscription(1, 1), subscription(1, 1)),
        page(subscription(1, 1), total=2, then="/t/subscriptions?page=2"),
    ],
)
def test_half_of_the_subscriptions_take_nobody_s_group(written: Api, held: dict[str, Any]) -> None:
    """R14: what is missing from a list that customers are joined with is not said to be gone."""
    written.answers[CONTACTS] = page(contact(1))
    written.answers[HELD] = held
    reading = connector(written.url).read()
    assert "could not be read completely" in reading.certificate.doubts[0]
    assert reading.memberships is not None
    assert reading.memberships.proof == "incomplete"


@pytest.mark.parametrize(
    "wrong",
    [
        {"product": None},
        {"product": {"@id": "/t/products/1"}},
    ],
)
def test_a_subscription_that_is_not_understood_is_refused(
    written: Api, wrong: dict[str, Any]
) -> None:
    """[inf] Neither a lost group nor a permanent one."""
    written.answers[CONTACTS] = page(contact(1))
    written.answers[HELD] = page(subscription(1, 1, **wrong))
    with pytest.raises(ContractChanged):
        connector(written.url).read()


def test_an_end_that_cannot_be_read_is_unknown(written: Api) -> None:
    """R3: read as "no end" it would give permanent access."""
    written.answers[CONTACTS] = page(contact(1))
    written.answers[HELD] = page(subscription(1, 1, validThrough="soon"))
    row = connector(written.url).read().customers.to_dicts()[0]
    assert [(note["field"], note["word"]) for note in row["unreadable"]] == [
        ("valid_until", "soon")
    ]


def test_keys_of_a_subscription_are_settings(written: Api) -> None:
    """[inf]"""
    odd = {
        "@id": "/t/subscriptions/1",
        "contact": "/t/contacts/1",
        "offer": {"label": "Gold"},
        "from": None,
        "to": "2026-12-31",
    }
    written.answers[CONTACTS] = page(contact(1))
    written.answers[HELD] = page(odd)
    with pytest.raises(ContractChanged, match="keys"):
        connector(written.url).read()
    reading = connector(
        written.url, product="offer.label", valid_from="from", valid_through="to"
    ).read()
    (row,) = reading.customers.iter_rows(named=True)
    assert row["groups"] == [{"id": "Gold", "valid_from": None, "valid_until": date(2026, 12, 31)}]


@pytest.mark.parametrize("nobody", [None, "", {"x": 1}])
def test_a_subscription_of_nobody_stops_no_club(written: Api, nobody: object) -> None:
    """R3: as an erasure leaves it; it may be anybody's, so that nobody loses a group by it (R14)."""
    written.answers[CONTACTS] = page(contact(1), contact(2))
    lost = {**subscription(9, 0), "contact": nobody}
    written.answers[HELD] = page(*(subscription(n, 1) for n in range(1, 5)), lost)
    reading = connector(written.url).read()
    assert [len(groups) for groups in reading.customers["groups"]] == [4, 0]
    assert not reading.certificate.complete
    assert reading.memberships is not None
    assert reading.memberships.doubts == (
        "The list at /t/subscriptions has rows that name no customer: 1.",
    )
    written.answers[HELD] = page(lost, subscription(1, 1), {**lost, "@id": "/t/subscriptions/8"})
    assert connector(written.url).read().customers.height == 2
    written.answers[HELD] = page(lost, {**lost, "@id": "/t/subscriptions/8"})
    with pytest.raises(ContractChanged, match=r"without their contacts|`\$\[1\]\.contact`"):
        connector(written.url).read()


@pytest.mark.parametrize("odd", [{"product": None}, {"product": {"@id": "/t/products/1"}}, {}])
def test_a_subscription_that_cannot_be_read_is_unknown(written: Api, odd: dict[str, Any]) -> None:
    """R3: it is no lost group, and stops no club."""
    written.answers[CONTACTS] = page(contact(1), contact(2))
    wrong = {**subscription(9, 2), **odd}
    if not odd:
        del wrong["validThrough"]
    written.answers[HELD] = page(subscription(1, 1), wrong)
    reading = connector(written.url).read()
    one, two = reading.customers.to_dicts()
    assert ([g["id"] for g in one["groups"]], one["unreadable"]) == (["Gold"], [])
    assert [note["field"] for note in two["unreadable"]] == ["groups"]
    assert reading.groups["id"].to_list() == ["Gold"]


def test_states_are_settings(written: Api) -> None:
    """[inf]"""
    written.answers[CONTACTS] = page(
        contact(1, state="prospect"),
        contact(2, state="former"),
        contact(3, state="membre"),
        contact(4, state="gelé"),
    )
    reading = connector(written.url, states={"membre": "active"}).read()
    assert reading.customers["status"].to_list() == ["prospect", "former", "active", "unknown"]
    assert reading.customers["status_raw"].to_list() == [None, None, None, "gelé"]


def test_changes_where_there_is_a_filter_for_them(written: Api) -> None:
    """Overlapping, because clocks differ; the plus sign of an offset arrives as one; subscriptions are read whole."""
    written.answers[CONTACTS] = page(contact(1))
    since = datetime(2026, 11, 21, 8, tzinfo=timezone(timedelta(hours=1)))
    reading = connector(written.url, since, changed_after="updatedAt[after]").read()
    asked = next(a for a in written.asked if a.path == CONTACTS)
    assert asked.query["updatedAt[after]"] == "2026-11-21T06:50:00+00:00"
    assert reading.since == since
    assert not reading.certificate.complete
    assert HELD in written.paths()


def test_without_a_filter_everything_is_read(written: Api) -> None:
    written.answers[CONTACTS] = page(contact(1))
    reading = connector(written.url, NOW).read()
    assert reading.certificate.complete
    assert reading.since is None


def test_what_to_do_is_said(written: Api) -> None:
    """404 is a header or token that is wrong, 403 a scope."""
    written.answers[HELD] = JSONResponse({}, 403)
    with pytest.raises(CredentialsRefused) as refused:
        connector(written.url).read()
    assert "scope" in refused.value.remedy
    del written.answers[HELD]
    with pytest.raises(SettingsWrong) as wrong:
        connector(written.url).read()
    assert "network_node" in wrong.value.remedy


def test_a_client_token_is_no_path() -> None:
    with pytest.raises(ValidationError):
        ResamaniaSettings(client_token="a/../b", club=7)


@pytest.mark.parametrize(
    ("login", "password", "extra"),
    [(None, "s", {"api_key": "k"}), ("i", None, {"api_key": "k"}), ("i", "s", {})],
)
def test_connections_that_cannot_work(
    login: str | None, password: str | None, extra: dict[str, Any]
) -> None:
    nowhere = Connection("c", "http://127.0.0.1:9", login, password, extra=extra)
    with pytest.raises(SettingsWrong):
        connector("", connection=nowhere).read()


@pytest.mark.parametrize("prefix", ["hydra:", ""])
def test_the_demo_s_people_come_through(prefix: str) -> None:
    """What the world says of a club is what the connector reads."""
    world = World(5, [ClubSpec("t", "T", 250)], NOW)
    state = world.club("t", NOW)
    tenant = resamania.Tenant(
        "key",
        "id",
        "secret",
        "/t/clubs/7",
        lambda: [resamania.contact_of(p, "t") for p in state.people],
        lambda: resamania.subscriptions_of(state, "t"),
        prefix,
    )
    app = resamania.create_app({"t": tenant}, environment="env")
    with serving(app) as url:
        reading = connector(url).read()
        changed = connector(url, NOW - timedelta(days=300), changed_after="updatedAt[after]").read()
    assert reading.certificate.complete
    names = {p.id: p.name for p in state.products}
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    assert found.keys() == {str(p.number) for p in state.people}
    for person in state.people:
        row = found[str(person.number)]
        assert (row["email"], row["phone"]) == (person.email, person.phone)
        assert [(g["id"], g["valid_from"], g["valid_until"]) for g in row["groups"]] == [
            (names[m.product_id], m.start, m.end) for m in person.memberships
        ]
    assert set(changed.customers["erp_id"]) == {
        str(p.number) for p in state.people if p.modified_at >= NOW - timedelta(days=300)
    }
    assert 0 < changed.customers.height < reading.customers.height
