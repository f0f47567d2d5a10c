"""The Square connector: what is its own, beside the contract; the directory is the sandbox's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests
from pydantic import ValidationError
from starlette.responses import JSONResponse

from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, ErpUnreachable, SettingsWrong
from connectors.sdk.http import HttpLimits
from connectors.square import SquareConnector, SquareSettings
from sandbox import square
from sandbox.world import ClubSpec, World
from tests.support.api import Api, Asked
from tests.support.servers import serving

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
SEARCH, GROUPS = "/v2/customers/search", "/v2/customers/groups"


def connector(
    host: str, since: datetime | None = None, token: str | None = "token", **settings: object
) -> SquareConnector:
    return SquareConnector(
        Connection("c", host, None, token),
        SquareSettings(**{"http": HttpLimits(attempts=1), **settings}),
        Club("shop", ZoneInfo("Europe/Paris"), "FR"),
        now=lambda: NOW,
        since=since,
    )


@pytest.fixture(autouse=True)
def _no_groups(written: Api) -> None:
    written.answers[GROUPS] = {}


def test_fields(written: Api) -> None:
    """Every field that is read, and what becomes of it."""
    written.answers[SEARCH] = {
        "count": 3,
        "customers": [
            {
                "id": "JDK",
                "given_name": "Amelia",
                "family_name": "Earhart",
                "email_address": " amelia@example.com ",
                "phone_number": "06 12 34 56 78",
                "birthday": "1998-09-21",
                "address": {"country": "fr", "address_line_1": "500 Electric Ave"},
                "group_ids": ["G1", "G9"],
                "created_at": "2026-03-23T20:21:54.859Z",
                "updated_at": "2026-04-20T10:02:43.083Z",
                "note": "a customer",
            },
            {"id": "B", "company_name": "Club SARL", "birthday": "0000-09-21", "group_ids": []},
            {"id": "C", "given_name": "Jo", "company_name": "Club SARL"},
        ],
    }
    written.answers[GROUPS] = {"groups": [{"id": "G1", "name": "Gold"}]}
    reading = connector(written.url).read()
    one, two, three = reading.customers.iter_rows(named=True)
    assert (one["erp_id"], one["status"], one["email"]) == ("JDK", "active", "amelia@example.com")
    assert (one["first_name"], one["last_name"]) == ("Amelia", "Earhart")
    assert (one["phone"], one["country"]) == ("+33612345678", "FR")
    assert one["birth_date"] == date(1998, 9, 21)
    assert one["created_at"] == datetime(2026, 3, 23, 20, 21, 54, 859000, UTC)
    assert one["modified_at"] == datetime(2026, 4, 20, 10, 2, 43, 83000, UTC)
    assert [g["id"] for g in one["groups"]] == ["G1", "G9"]
    assert (two["last_name"], two["birth_date"], two["groups"]) == ("Club SARL", None, [])
    assert (three["first_name"], three["last_name"]) == ("Jo", None)
    assert reading.groups.rows() == [("G1", "Gold", True)]


@pytest.mark.parametrize("others", [["G1"], None])
def test_r03_a_customer_without_its_list_of_groups_is_unknown(
    written: Api, others: list[str] | None
) -> None:
    """Where empty lists are sent a missing key is none, nor is it if all customers lack it; else it is one."""
    kept = {} if others is None else {"group_ids": others}
    written.answers[SEARCH] = {
        "count": 3,
        "customers": [
            {"id": "A", "given_name": "A", **kept},
            {"id": "B", "given_name": "B"},
            {"id": "C", "given_name": "C", "group_ids": None},
        ],
    }
    strict = connector(written.url, omits_empty=False).read().customers
    a, b, c = strict.iter_rows(named=True)
    assert [note["field"] for note in b["unreadable"]] == ["groups"]
    assert bool(a["unreadable"]) == (others is None)
    assert (c["groups"], c["unreadable"]) == ([], [])
    sure = connector(written.url).read().customers
    assert sure["unreadable"].list.len().to_list() == [0, 0, 0]


def test_what_is_asked(written: Api) -> None:
    """Newcomers last, with a total, as a version that stays what it is."""
    written.answers[SEARCH] = {"count": 0}
    connector(written.url).read()
    groups, search = written.asked
    assert (groups.path, groups.query) == (GROUPS, {"limit": "50"})
    assert search.headers["authorization"] == "Bearer token"
    assert search.headers["square-version"] == "2023-12-13"
    assert json.loads(search.body) == {
        "limit": 100,
        "count": True,
        "query": {"sort": {"field": "CREATED_AT", "order": "ASC"}},
    }
    with pytest.raises(ValidationError):
        SquareSettings(version="latest")


def test_a_page_may_have_more_or_fewer_than_asked_for(written: Api) -> None:
    """The limit is advisory: only a missing cursor is the end."""
    pages = {
        None: {"count": 4, "cursor": "a", "customers": [{"id": "1"}, {"id": "2"}, {"id": "3"}]},
        "a": {"count": 4, "cursor": "b"},
        "b": {"count": 4, "customers": [{"id": "4"}]},
    }
    written.answers[SEARCH] = lambda a: pages[json.loads(a.body).get("cursor")]
    reading = connector(written.url, page=2).read()
    assert reading.certificate.complete
    assert reading.customers["erp_id"].to_list() == ["1", "2", "3", "4"]


def test_an_answer_without_a_total_is_none(written: Api) -> None:
    """[inf] R14: `{}` may be nobody, or anything."""
    written.answers[SEARCH] = {}
    with pytest.raises(ContractChanged, match="count"):
        connector(written.url).read()


def test_groups_in_pages_or_not_at_all(written: Api) -> None:
    """A group that is missing on the list would be an unknown one (R3)."""
    pages: dict[str | None, object] = {
        None: {"groups": [{"id": "1", "name": "A"}], "cursor": "x"},
        "x": {"groups": [{"id": "2", "name": "B"}]},
    }
    written.answers[SEARCH] = {"count": 0}
    written.answers[GROUPS] = lambda a: pages[a.query.get("cursor")]
    assert connector(written.url).read().groups["id"].to_list() == ["1", "2"]
    pages["x"] = {"groups": [{"id": "1", "name": "A"}]}
    with pytest.raises(ErpUnreachable, match="groups"):
        connector(written.url).read()


def test_blanks_around_the_id_of_a_group_make_no_other(written: Api) -> None:
    """R3: in every connector alike; and a blank id is none."""
    held = [["G1", "\u00a0G1\t"], ["", " "], ["G1\u0000"]]
    people = [{"id": str(n), "group_ids": ids} for n, ids in enumerate(held)]
    written.answers[SEARCH] = {"count": 3, "customers": people}
    written.answers[GROUPS] = {
        "groups": [{"id": "G1 ", "name": " Gold"}, {"id": " ", "name": "None"}]
    }
    reading = connector(written.url).read()
    found = [[g["id"] for g in groups] for groups in reading.customers["groups"]]
    assert found == [["G1", "G1"], [], ["G1"]]
    assert reading.customers["unreadable"].list.len().sum() == 0
    assert reading.groups.rows() == [("G1", "Gold", True)]


def test_changes(written: Api) -> None:
    """From well before: what changed shows after a minute or so."""
    written.answers[SEARCH] = {"count": 1, "customers": [{"id": "1"}]}
    since = datetime(2026, 11, 21, 9, tzinfo=UTC)
    reading = connector(written.url, since, changes=True).read()
    assert reading.since == since
    assert json.loads(written.asked[-1].body)["query"]["filter"] == {
        "updated_at": {"start_at": "2026-11-21T08:50:00Z"}
    }
    assert connector(written.url, since).read().certificate.complete


def test_no_token() -> None:
    """Said before anything is asked."""
    with pytest.raises(SettingsWrong, match="token"):
        connector("http://127.0.0.1:9", token=None).read()


def test_the_demo_s_people_come_through() -> None:
    """What the world says of a club is what the connector reads; a merged card answers as the other."""
    world = World(5, [ClubSpec("v", "V", 250)], NOW)
    later = NOW + timedelta(days=20)
    state = world.club("v", later)
    with serving(square.create_app({"v": square.seller_of("token", lambda: state)})) as url:
        reading = connector(url).read()
        changed = connector(url, NOW, changes=True, overlap=0).read()
        gone = next(p for p in state.people if p.replaced_by)
        answer = requests.get(
            f"{url}/v2/customers/SQ{gone.number}",
            headers={"Authorization": "Bearer token"},
            timeout=5,
        )
    assert reading.certificate.complete
    there = {f"SQ{p.number}": p for p in state.people if p.status not in ("former", "archived")}
    found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
    assert found.keys() == there.keys()
    for key, person in there.items():
        assert (found[key]["email"], found[key]["phone"]) == (person.email, person.phone)
        assert {g["id"] for g in found[key]["groups"]} == {m.product_id for m in person.memberships}
    assert set(changed.customers["erp_id"]) == {k for k, p in there.items() if p.modified_at >= NOW}
    assert changed.customers.height
    assert f"SQ{gone.number}" not in found
    assert answer.status_code == 404 or answer.json()["customer"]["id"] != f"SQ{gone.number}"


def _hiding(written: Api, there: list[dict[str, object]]) -> None:
    """Pages by position: after the first one its first row leaves, and another row comes at the end."""
    new = {"id": "NEW", "given_name": "New", "group_ids": []}
    pages = iter((there[:2], [*there[3:], new]))

    def search(_: Asked) -> dict[str, object]:
        rows = next(pages)
        more = {"cursor": "a"} if rows == there[:2] else {}
        return {"count": len(there), "customers": rows, **more}

    written.answers[SEARCH] = search
    for one in there:
        written.answers[f"/v2/customers/{one['id']}"] = {"customer": one}


def test_r14_who_is_missing_is_asked_for_alone(written: Api) -> None:
    """Square itself says who was only hidden, who is gone, and who has become another: no second reading is needed."""
    there: list[dict[str, object]] = [
        {"id": key, "given_name": key, "group_ids": []} for key in ("A", "B", "C", "D", "E")
    ]
    _hiding(written, there)
    merged = {"id": "E", "given_name": "E", "group_ids": []}
    written.answers["/v2/customers/M"] = {"customer": merged}
    reader = connector(written.url)
    reader.known = lambda: ["A", "B", "C", "D", "M", "gone/1"]
    reading = reader.read()
    assert (reading.certificate.complete, reading.consistency) == (True, "by id")
    assert sorted(reading.customers["erp_id"]) == ["A", "B", "C", "D", "E", "NEW"]
    alone = [one.path for one in written.asked if one.path.startswith("/v2/customers/")]
    assert {p for p in alone if p not in (SEARCH, GROUPS)} == {
        "/v2/customers/C",
        "/v2/customers/M",
        "/v2/customers/gone/1",
    }


def test_r14_an_answer_that_fails_proves_nothing(written: Api) -> None:
    """A second reading proves it then; nobody is added or lost by the failure."""
    there: list[dict[str, object]] = [
        {"id": key, "given_name": key, "group_ids": []} for key in ("A", "B", "C", "D")
    ]
    _hiding(written, there)
    written.answers["/v2/customers/C"] = JSONResponse({}, 500)
    reader = connector(written.url)
    reader.known = lambda: ["A", "C"]
    assert reader.read().consistency == "by position"
