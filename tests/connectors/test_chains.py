"""R29: what names the club of a record, in each ERP that has such a thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Connection, Connector, Members
from connectors.sdk.chains import split
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.model import Reading
from tests.connectors import (
    test_dolibarr,
    test_magicline,
    test_mindbody,
    test_odoo,
    test_resamania,
    test_rest,
)
from tests.support.api import Api

A, B = {"a": ["1", "Annecy"], "b": ["2", "Lyon"]}, ("9",)


def of_chain(connector: Connector[Any], at: str, of: str = "record") -> Reading:
    """The reading of a whole tenant."""
    assert of in connector.names_clubs
    connector.club = replace(connector.club, members=Members(at, of))
    return connector.read()


def shares(reading: Reading) -> tuple[dict[str, set[str]], dict[str, str | None]]:
    """Who is whose, and who is nobody's with what word."""
    found = split(reading, A, B)
    assert all(one.certificate == found.own["a"].certificate for one in found.own.values())
    own = {club: set(one.customers["erp_id"]) for club, one in found.own.items()}
    return own, dict(found.unknown.select("erp_id", "word").iter_rows())


def test_r29_magicline_names_the_studio(written: Api) -> None:
    people = [test_magicline.customer(n, studioId=studio) for n, studio in ((5, 1), (6, 2), (7, 3))]
    written.answers["/v1/customers"] = test_magicline.one_slice(
        *people, test_magicline.customer(8), test_magicline.customer(9, studioId=9)
    )
    reading = of_chain(test_magicline.connector(written.url), "studioId")
    assert shares(reading) == ({"a": {"5"}, "b": {"6"}}, {"7": "3", "8": None})


@pytest.mark.parametrize("at", ["HomeLocation.Id", "HomeLocation.Name"])
def test_r29_mindbody_names_the_home_location(written: Api, at: str) -> None:
    def client(key: int, **location: Any) -> dict[str, Any]:
        return test_mindbody.client(key, **({"HomeLocation": location} if location else {}))

    test_mindbody.answer(
        written, client(5, Id=1, Name="annecy"), client(6, Id=2, Name="Lyon"), client(7)
    )
    reading = of_chain(test_mindbody.connector(written.url), at)
    assert shares(reading) == ({"a": {"5"}, "b": {"6"}}, {"7": None})


def test_r29_resamania_names_the_club_by_its_iri(written: Api) -> None:
    written.answers[test_resamania.TOKEN] = {"access_token": "t0k", "expires_in": 3600}
    written.answers[test_resamania.CONTACTS] = test_resamania.page(
        test_resamania.contact(5, club="/t/clubs/1"),
        test_resamania.contact(6, club={"@id": "/t/clubs/2"}),
        test_resamania.contact(7, club=["/t/clubs/1", "/t/clubs/2"]),
        test_resamania.contact(8, club="/t/clubs/77"),
    )
    written.answers[test_resamania.HELD] = test_resamania.page()
    reading = of_chain(test_resamania.connector(written.url), "club")
    assert shares(reading) == ({"a": {"5", "7"}, "b": {"6", "7"}}, {"8": "77"})


@pytest.mark.parametrize("at", ["company_id", "company_id.name"])
def test_r29_odoo_names_the_company(written: Api, at: str) -> None:
    partners = (
        test_odoo.partner(5, company_id=[1, "Annecy"]),
        test_odoo.partner(6, company_id=[2, "Lyon"]),
        test_odoo.partner(7, company_id=False),
    )
    test_odoo.answer(written, *partners)
    with pytest.raises(SettingsWrong, match="no field"):
        of_chain(test_odoo.connector(written.url), at)
    test_odoo.answer(written, *partners, fields="mobile company_id")
    reading = of_chain(test_odoo.connector(written.url), at)
    assert shares(reading) == ({"a": {"5"}, "b": {"6"}}, {"7": None})


def test_r29_a_partner_of_no_company_may_be_everybodys(written: Api) -> None:
    """ "" stands for records that name no club: Odoo's partners without a company belong to all of them."""
    test_odoo.answer(
        *(written, test_odoo.partner(5, company_id=[1, "Annecy"])),
        *(test_odoo.partner(7, company_id=False),),
        fields="company_id",
    )
    reading = of_chain(test_odoo.connector(written.url), "company_id")
    found = split(reading, {"a": ["1", ""], "b": ["2", ""]})
    assert [set(one.customers["erp_id"]) for one in found.own.values()] == [{"5", "7"}, {"7"}]
    assert found.unknown.is_empty()


@pytest.mark.parametrize("at", ["entity", "array_options.options_salle"])
def test_r29_dolibarr_names_the_entity_or_an_extra_field(written: Api, at: str) -> None:
    def member(key: int, club: str | None) -> dict[str, Any]:
        extra: Any = [] if club is None else {"options_salle": club}
        return test_dolibarr.member(key, entity=club, array_options=extra)

    written.answers[test_dolibarr.TYPES] = test_dolibarr.types({"id": "5", "label": "Adulte"})
    written.answers[test_dolibarr.MEMBERS] = test_dolibarr.paged(
        member(5, "1"), member(6, "2"), member(7, None)
    )
    reading = of_chain(test_dolibarr.connector(written.url), at)
    assert shares(reading) == ({"a": {"5"}, "b": {"6"}}, {"7": None})
    asked = written.asked[-1].query["properties"].split(",")
    assert at.partition(".")[0] in asked
    assert not {"entity", "array_options"} - {at.partition(".")[0]} & set(asked)


# rest ---------------------------------------------------------------------------------------------


def rest(written: Api, lists: dict[str, list[dict[str, Any]]], **settings: Any) -> RestConnector:
    written.answers |= lists
    chosen = {**test_rest.BARE, "customers": {"path": "/members"}, **settings}
    connection = Connection("c", written.url, "me", "s3cret")
    return RestConnector(
        connection, RestSettings.model_validate(chosen), test_rest.CLUB, now=lambda: test_rest.NOW
    )


def test_r29_rest_names_the_club_at_any_path(written: Api) -> None:
    people = [
        {"id": 5, "mail": "a@x.fr", "home": {"club": "Annecy"}},
        {"id": 6, "mail": "b@x.fr", "home": {"club": [1, "2"]}},
        {"id": 7, "mail": "c@x.fr", "home": None},
        {"id": 8, "mail": "d@x.fr", "home": {"club": {"id": 1}}},
    ]
    reading = of_chain(rest(written, {"/members": people}), "home.club")
    own, nobodys = shares(reading)
    assert own == {"a": {"5", "6"}, "b": {"6"}}
    assert set(nobodys) == {"7", "8"}
    with pytest.raises(ContractChanged, match=r"No record has home.klub \(members.at\)"):
        of_chain(rest(written, {"/members": people[:2]}), "home.klub")


@pytest.mark.parametrize("joined", [False, True])
def test_r29_rest_names_the_club_of_each_membership(written: Api, joined: bool) -> None:
    """Inside the record, or in a list of their own; one that names no club is of none that is known."""
    contracts: dict[int, list[dict[str, Any]]] = {
        5: [
            {"plan": "gold", "studio": "Annecy", "to": "2026-01-01"},
            {"plan": "gold", "studio": 2},
        ],
        6: [{"plan": "gold", "studio": ["Annecy", "Lyon"]}],
        7: [{"plan": "gold"}],
        8: [],
    }
    people = [{"id": n, "mail": f"p{n}@x.fr", "contracts": of} for n, of in contracts.items()]
    rows = [
        {"id": f"{n}-{k}", "who": n, **c} for n, of in contracts.items() for k, c in enumerate(of)
    ]
    held: dict[str, Any] = {"id": "plan", "until": "to"}
    held |= {"list": {"path": "/contracts"}, "customer": "who"} if joined else {"at": "contracts"}
    settings = {"groups": {"held": held}, "omits_empty": True}
    lists = {"/members": people, "/contracts": rows}
    reading = of_chain(rest(written, lists, **settings), "studio", "membership")
    own, nobodys = shares(reading)
    assert own == {"a": {"5", "6"}, "b": {"5", "6"}}
    assert nobodys == {"7": None}
    spans = {
        club: {row["erp_id"]: row["groups"] for row in one.customers.iter_rows(named=True)}
        for club, one in split(reading, A).own.items()
    }
    gold = {"id": "gold", "valid_from": None}
    assert spans["a"]["5"] == [{**gold, "valid_until": date(2026, 1, 1)}]
    assert spans["b"]["5"] == [{**gold, "valid_until": None}]
    assert spans["a"]["6"] == spans["b"]["6"] == [{**gold, "valid_until": None}]


def test_r29_rest_names_the_clubs_of_a_group(written: Api) -> None:
    people: list[dict[str, Any]] = [
        {"id": n, "mail": f"p{n}@x.fr", "plans": of} for n, of in ((5, ["g1"]), (6, ["g2", "g1"]))
    ]
    plans: list[dict[str, Any]] = [
        {"id": "g1", "name": "Gold", "studio": "Annecy"},
        {"id": "g2", "name": "Gold", "studio": 2},
    ]
    known = {"list": {"path": "/plans"}}
    settings = {"groups": {"held": {"at": "plans"}, "known": known}}
    reading = of_chain(
        rest(written, {"/members": people, "/plans": plans}, **settings), "studio", "group"
    )
    assert shares(reading) == ({"a": {"5", "6"}, "b": {"6"}}, {})
    found = split(reading, A)
    assert [one.groups["id"].to_list() for one in found.own.values()] == [["g1"], ["g2"]]
    bare = {"groups": {"held": {"at": "plans"}}}
    with pytest.raises(SettingsWrong, match="list of groups"):
        of_chain(rest(written, {"/members": people}, **bare), "studio", "group")
    with pytest.raises(SettingsWrong, match="not configured"):
        of_chain(rest(written, {"/members": people}), "studio", "membership")
