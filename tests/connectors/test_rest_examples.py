"""docs/examples/rest-*.yaml of real ERPs: each reads what its vendor documents, from answers of the documented form.

The servers here have the documented paths, keys, pages and errors, and made-up people. What they do beyond the
documentation stands in docs/erps/ as inferred.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

import pytest
from graphql import build_schema, graphql_sync
from ruamel.yaml import YAML
from starlette.responses import JSONResponse, Response

from clubsync.config import load_club, load_config
from clubsync.operate.tryout import Tryout, try_out
from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection, Members
from connectors.sdk.chains import split
from connectors.sdk.errors import CredentialsRefused, RateLimited
from connectors.sdk.model import Consistency
from tests.support.api import Api, Asked

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
#: Of made-up ERPs; tests/connectors/test_guide.py reads them.
MADE_UP = {"rest-courtside.yaml", "rest-graphql.yaml"}
#: Of real servers that can be started here; tests/products reads them.
REAL = ("pocketbase", "pretix", "vendure")

Answers = Mapping[str, Callable[[Asked], object]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """What is read of one record."""

    email: str | None
    status: str
    groups: tuple[str, ...]
    access: str


@dataclass(frozen=True)
class Erp:
    """One ERP as its vendor documents it.

    :param answers: from the server's address to its answers.
    :param key: the connection's parts.
    :param wrong: those that are another key's.
    :param people: id -> what is read.
    :param crowd: how many more there are, all of whom get access: they fill the first page.
    :param groups: id -> (name, active).
    :param requests: path -> how often it is asked for.
    :param doubt: of a reading that is not certified.
    """

    answers: Callable[[str], Answers]
    key: dict[str, Any]
    wrong: dict[str, Any]
    people: dict[str, Person]
    crowd: int
    groups: dict[str, tuple[str, bool | None]]
    requests: dict[str, int]
    doubt: str | None = None


# WooCommerce --------------------------------------------------------------------------------------

WC = "/wp-json/wc/v3"


def woocommerce(_: str) -> Answers:
    key = "Basic " + base64.b64encode(b"ck_1:cs_1").decode()

    def is_asked_for(row: Row, query: Mapping[str, str]) -> bool:
        if "role" in row:  # a customer
            return query.get("role", "customer") in ("all", row["role"])
        return "slug" not in row or row["status"] == query.get("status", "publish")

    def listed(rows: list[Row]) -> Callable[[Asked], object]:
        def answer(asked: Asked) -> object:
            if asked.headers.get("authorization") != key:
                error = {"code": "woocommerce_rest_cannot_view", "data": {"status": 401}}
                return JSONResponse(error, 401)
            found = [row for row in rows if is_asked_for(row, asked.query)]
            size, page = int(asked.query.get("per_page", 10)), int(asked.query.get("page", 1))
            headers = {
                "X-WP-Total": str(len(found)),
                "X-WP-TotalPages": str(math.ceil(len(found) / size)),
            }
            return JSONResponse(found[(page - 1) * size : page * size], headers=headers)

        return answer

    def customer(number: int, role: str = "customer") -> Row:
        return {
            "id": number,
            "date_created": "2026-01-05T10:00:00",
            "date_created_gmt": "2026-01-05T09:00:00",
            "date_modified": "2026-02-05T10:00:00",
            "date_modified_gmt": "2026-02-05T09:00:00",
            "email": f"p{number}@example.com",
            "first_name": "Ana",
            "last_name": f"Ruiz {number}",
            "role": role,
            "username": f"p{number}",
            "billing": {"company": "", "country": "FR", "phone": "0612345678"},
            "shipping": {"company": "", "country": "FR"},
            "is_paying_customer": True,
            "avatar_url": "https://example.com/a.png",
            "meta_data": [],
        }

    def membership(number: int, customer: int, plan: int, status: str, end: str | None) -> Row:
        return {
            "id": number,
            "customer_id": customer,
            "plan_id": plan,
            "status": status,
            "order_id": None,
            "product_id": None,
            "date_created": "2026-01-05T10:00:00",
            "start_date": "2026-01-05T00:00:00",
            "start_date_gmt": "2026-01-04T23:00:00",
            "end_date": end,
            "end_date_gmt": end,
            "paused_date": None,
            "cancelled_date": None,
            "view_url": "https://example.com/",
            "profile_fields": [],
            "meta_data": [],
        }

    crowd = range(100, 198)
    customers = [customer(11), customer(12, "subscriber"), customer(13), customer(14), customer(15)]
    memberships = [
        membership(1, 11, 55, "active", None),
        membership(2, 12, 55, "active", "2099-12-31T00:00:00"),
        membership(3, 13, 55, "expired", "2026-02-05T00:00:00"),
        membership(4, 15, 56, "active", None),
    ]
    plans = [
        {"id": 55, "name": "Gold", "slug": "gold", "status": "publish"},
        {"id": 56, "name": "Trial", "slug": "trial", "status": "draft"},
    ]
    return {
        f"{WC}/customers": listed([*customers, *map(customer, crowd)]),
        f"{WC}/memberships/members": listed(
            [*memberships, *(membership(n, n, 55, "active", None) for n in crowd)]
        ),
        f"{WC}/memberships/plans": listed(plans),
    }


# HelloAsso ----------------------------------------------------------------------------------------

ASSO = "/v5/organizations/judo-nantes"


def helloasso(_: str) -> Answers:
    def token(asked: Asked) -> object:
        form = parse_qs(asked.body.decode())
        if form != {
            "grant_type": ["client_credentials"],
            "client_id": ["client"],
            "client_secret": ["s3cret"],
        }:
            return JSONResponse({"error": "invalid_client"}, 400)
        return {"access_token": "jwt", "token_type": "bearer", "expires_in": 1799}

    def listed(rows: list[Row], filters: Mapping[str, str]) -> Callable[[Asked], object]:
        def answer(asked: Asked) -> object:
            if asked.headers.get("authorization") != "Bearer jwt":
                return Response(status_code=401)
            assert {name: asked.query.get(name) for name in filters} == filters
            start = int(asked.query.get("continuationToken", 0))
            size = int(asked.query.get("pageSize", 20))
            found = rows[start : start + size]
            # behind the last row, too, there is a token, and no total anywhere
            pagination = {
                "pageSize": size,
                "totalCount": -1,
                "pageIndex": 1,
                "totalPages": -1,
                "continuationToken": str(start + len(found)),
            }
            return {"data": found, "pagination": pagination}

        return answer

    def item(number: int, form: str, state: str, email: str | None) -> Row:
        return {
            "order": {
                "id": number + 50_000,
                "date": "2026-09-01T12:20:55.8062172+02:00",
                "formSlug": form,
                "formType": "Membership",
                "organizationSlug": "judo-nantes",
                "meta": {
                    "createdAt": "2026-09-01T12:20:55.8062172+02:00",
                    "updatedAt": "2026-09-01T12:21:10+02:00",
                },
            },
            "payer": {
                "email": f"payer{number}@example.com",
                "firstName": "Claire",
                "lastName": "Durant",
                "country": "FRA",
            },
            "name": "Adulte",
            "user": {"firstName": "Ana", "lastName": f"Ruiz {number}"},
            "priceCategory": "Fixed",
            "customFields": [
                {"id": 1, "name": "Certificat", "type": "YesNo", "answer": "Oui"},
                *(
                    [{"id": 2, "name": "Email", "type": "TextInput", "answer": email}]
                    if email
                    else []
                ),
            ],
            "qrCode": "cXI=",
            "tierId": 7,
            "id": number,
            "amount": 12000,
            "type": "Membership",
            "state": state,
        }

    items = [
        item(1, "saison-2026", "Processed", "ana1@example.com"),
        item(2, "saison-2026", "Registered", None),
        item(3, "saison-2026", "Canceled", "ana3@example.com"),
        item(4, "saison-2025", "Processed", "ana4@example.com"),
        *(item(n, "saison-2026", "Processed", f"ana{n}@example.com") for n in range(100, 200)),
    ]
    forms = [
        {"formSlug": slug, "formType": "Membership", "title": title, "state": state}
        for slug, title, state in (
            ("saison-2026", "Saison 2026-2027", "Public"),
            ("saison-2025", "Saison 2025-2026", "Disabled"),
        )
    ]
    # a list of values is a parameter for each: the last one is what `Asked` has
    return {
        "/oauth2/token": token,
        f"{ASSO}/items": listed(items, {"tierTypes": "Membership", "withDetails": "true"}),
        f"{ASSO}/forms": listed(forms, {"formTypes": "Membership", "states": "Disabled"}),
    }


# Shopify ------------------------------------------------------------------------------------------

SHOPIFY = "/admin/api/2026-10/graphql.json"
#: What the query needs of the documented schema.
SHOPIFY_SCHEMA = build_schema("""
    scalar DateTime
    type Query {
        customers(first: Int, after: String, query: String, reverse: Boolean, sortKey: CustomerSortKeys)
            : CustomerConnection!
        customersCount(query: String): Count
    }
    enum CustomerSortKeys { CREATED_AT ID LOCATION NAME RELEVANCE UPDATED_AT }
    type Count { count: Int! }
    type CustomerConnection { nodes: [Customer!]!, pageInfo: PageInfo! }
    type PageInfo { hasNextPage: Boolean!, endCursor: String }
    type Customer {
        id: ID!, firstName: String, lastName: String, tags: [String!]!, createdAt: DateTime!, updatedAt: DateTime!
        defaultEmailAddress: CustomerEmailAddress, defaultPhoneNumber: CustomerPhoneNumber
    }
    type CustomerEmailAddress { emailAddress: String! }
    type CustomerPhoneNumber { phoneNumber: String! }
    """)


def shopify(_: str) -> Answers:
    def customer(number: int, tags: list[str], email: str | None) -> Row:
        return {
            "id": gid(number),
            "firstName": "Ana",
            "lastName": f"Ruiz {number}",
            "tags": tags,
            "createdAt": "2026-04-15T19:26:33Z",
            "updatedAt": "2026-04-15T19:26:33Z",
            "defaultEmailAddress": {"emailAddress": email} if email else None,
            "defaultPhoneNumber": None,
        }

    people = [
        customer(1, ["membre", "newsletter"], "ana1@example.com"),
        customer(2, ["ancien membre"], "ana2@example.com"),
        customer(3, ["membre"], None),
        *(customer(n, ["membre"], f"ana{n}@example.com") for n in range(100, 350)),
    ]

    class Root:
        def customers(self, _: object, **args: Any) -> Row:
            start = int(args.get("after") or 0)
            found = people[start : start + args["first"]]
            end = start + len(found)
            return {
                "nodes": found,
                "pageInfo": {"hasNextPage": end < len(people), "endCursor": str(end)},
            }

        # the name of a field of the schema
        customersCount = staticmethod(lambda _, **args: {"count": len(people)})  # noqa: N815  # the API's name

    def answer(asked: Asked) -> object:
        if asked.headers.get("x-shopify-access-token") != "shpat_1":
            return JSONResponse({"errors": "[API] Invalid API key or access token"}, 401)
        sent = json.loads(asked.body)
        done = graphql_sync(
            SHOPIFY_SCHEMA, sent["query"], Root(), variable_values=sent["variables"]
        )
        assert done.errors is None
        return {"data": done.data, "extensions": {"cost": {"requestedQueryCost": 12}}}

    return {SHOPIFY: answer}


def gid(number: int) -> str:
    return f"gid://shopify/Customer/{number}"


# TeamUp -------------------------------------------------------------------------------------------

TEAMUP = "/api/v2"


def teamup(url: str) -> Answers:
    def listed(path: str, rows: list[Row]) -> Callable[[Asked], object]:
        def answer(asked: Asked) -> object:
            headers = asked.headers
            if headers.get("authorization") != "Token t0ken":
                return JSONResponse({"detail": "Invalid token."}, 401)
            assert headers["teamup-provider-id"] == "812"
            assert headers["teamup-request-mode"] == "provider"
            size, page = int(asked.query["page_size"]), int(asked.query.get("page", 1))
            following = urlencode({"page": page + 1, "page_size": size})
            return {
                "count": len(rows),
                "next": f"{url}{path}?{following}" if page * size < len(rows) else None,
                "previous": None,
                "results": rows[(page - 1) * size : page * size],
            }

        return answer

    def customer(number: int, *, lead: bool = False) -> Row:
        return {
            "created_at": "2026-07-29T15:51:28.071Z",
            "email": f"p{number}@example.com",
            "family_role": None,
            "family": None,
            "first_name": "Ana",
            "id": number,
            "image": None,
            "is_lead": lead,
            "last_name": f"Ruiz {number}",
            "lead_source": None,
            "object": "customer",
            "participating": True,
            "provider": 812,
            "referral_code": {"code": "x", "share_url": "https://example.com/x"},
            "visibility": "visible",
        }

    def membership(customer: int, status: str, end: str | None) -> Row:
        return {
            "id": customer + 7000,
            "object": "customermembership",
            "name": "Unlimited",
            "start_date": "2026-07-29",
            "expiration_date": end,
            "renewal_date": "2026-08-29",
            "status": status,
            "membership": 31,
            "customer": customer,
            "active_hold": None,
        }

    crowd = range(100, 199)
    paths = {
        "customers": [*map(customer, range(1, 5)), customer(5, lead=True), *map(customer, crowd)],
        "customer_memberships": [
            membership(1, "active", None),
            membership(2, "active", "2020-01-31"),
            membership(3, "cancelled", "2099-12-31"),
            membership(4, "hold", None),
            *(membership(number, "active", "2099-12-31") for number in crowd),
        ],
        "memberships": [{"id": 31, "object": "membership", "name": "Unlimited", "for_sale": False}],
    }
    return {f"{TEAMUP}/{name}": listed(f"{TEAMUP}/{name}", rows) for name, rows in paths.items()}


# PushPress ----------------------------------------------------------------------------------------


def pushpress(_: str) -> Answers:
    def listed(rows: list[Row]) -> Callable[[Asked], object]:
        def answer(asked: Asked) -> object:
            if asked.headers.get("api-key") != "sk_1":
                return JSONResponse({"message": "Unauthorized"}, 401)
            assert asked.headers["company-id"] == "cli_1"
            size, page = int(asked.query["limit"]), int(asked.query["page"])
            return {"data": {"resultArray": rows[(page - 1) * size : page * size]}}

        return answer

    def customer(number: int, role: str, account: Row | None = None) -> Row:
        return {
            "id": f"usr_{number}",
            "companyId": "cli_1",
            "name": {"first": "Ana", "last": f"Ruiz {number}", "nickname": None},
            "gender": None,
            "dob": "1990-01-01",
            "address": {"line1": "", "city": "", "country": "US", "zip": ""},
            "assignedToStaffId": None,
            "account": account or {"type": "primary"},
            "membershipDetails": {"initialMembershipStartDate": "2022-01-01"},
            "email": f"p{number}@example.com",
            "role": role,
        }

    def enrollment(number: int, status: str, **days: str) -> Row:
        return {
            "id": f"sub_{number}",
            "customerId": f"usr_{number}",
            "companyId": "cli_1",
            "planId": "plan_1",
            "billingSchedule": {"period": "month", "interval": 1},
            "status": status,
            "checkinDetails": {"checkins": 0, "limit": -1},
            "entitlements": [],
            **days,
        }

    crowd = range(100, 200)
    linked = {"type": "linked", "primaryCustomerId": "usr_1"}
    return {
        "/v3/customers": listed(
            [
                customer(1, "member"),
                customer(2, "ex-member"),
                customer(3, "lead"),
                customer(4, "member"),
                customer(5, "member", linked),
                *(customer(number, "member") for number in crowd),
            ]
        ),
        "/v3/enrollments": listed(
            [
                enrollment(1, "active", startDate="2026-01-01"),
                enrollment(2, "canceled", startDate="2022-01-01"),
                enrollment(4, "paused", startDate="2026-01-01"),
                enrollment(5, "pendcancel", endDate="2099-12-31"),
                *(enrollment(number, "active") for number in crowd),
            ]
        ),
    }


# The examples -------------------------------------------------------------------------------------

ERPS = {
    "woocommerce": Erp(
        woocommerce,
        key={"login": "ck_1", "password": "cs_1"},
        wrong={"login": "ck_1", "password": "cs_2"},
        people={
            "11": Person("p11@example.com", "active", ("Gold",), "yes"),
            "12": Person("p12@example.com", "active", ("Gold until 2099-12-31",), "yes"),
            "13": Person("p13@example.com", "active", ("Gold until 1970-01-01",), "no"),
            "14": Person("p14@example.com", "active", (), "no"),
            "15": Person("p15@example.com", "active", ("56 (not in the ERP's list)",), "unknown"),
        },
        crowd=98,
        groups={"55": ("Gold", True)},
        requests={
            f"{WC}/memberships/plans": 1,
            f"{WC}/memberships/members": 2,
            f"{WC}/customers": 2,
        },
    ),
    "helloasso": Erp(
        helloasso,
        key={"login": "client", "password": "s3cret"},
        wrong={"login": "client", "password": "another"},
        people={
            "1": Person("ana1@example.com", "active", ("Saison 2026-2027",), "yes"),
            "2": Person("payer2@example.com", "active", ("Saison 2026-2027",), "yes"),
            "3": Person("ana3@example.com", "former", ("Saison 2026-2027",), "no"),
            "4": Person("ana4@example.com", "active", ("Saison 2025-2026",), "no"),
        },
        crowd=100,
        groups={
            "saison-2026": ("Saison 2026-2027", True),
            "saison-2025": ("Saison 2025-2026", False),
        },
        requests={"/oauth2/token": 1, f"{ASSO}/forms": 2, f"{ASSO}/items": 3},
    ),
    "shopify": Erp(
        shopify,
        key={"password": "shpat_1"},
        wrong={"password": "shpat_2"},
        people={
            gid(1): Person("ana1@example.com", "active", ("membre", "newsletter"), "yes"),
            gid(2): Person("ana2@example.com", "active", ("ancien membre",), "no"),
            gid(3): Person(None, "active", ("membre",), "unknown"),
        },
        crowd=250,
        groups={
            "membre": ("membre", True),
            "newsletter": ("newsletter", True),
            "ancien membre": ("ancien membre", True),
        },
        requests={SHOPIFY: 2},
    ),
    "teamup": Erp(
        teamup,
        key={"password": "t0ken", "extra": {"tenant": "812"}},
        wrong={"password": "another", "extra": {"tenant": "812"}},
        people={
            "1": Person("p1@example.com", "active", ("Unlimited",), "yes"),
            "2": Person("p2@example.com", "active", ("Unlimited until 2020-01-31",), "no"),
            "3": Person("p3@example.com", "active", ("Unlimited until 1970-01-01",), "no"),
            "4": Person("p4@example.com", "active", ("Unlimited until 1970-01-01",), "no"),
            "5": Person("p5@example.com", "prospect", (), "no"),
        },
        crowd=99,
        groups={"31": ("Unlimited", True)},
        requests={
            f"{TEAMUP}/memberships": 1,
            f"{TEAMUP}/customer_memberships": 2,
            f"{TEAMUP}/customers": 2,
        },
    ),
    "pushpress": Erp(
        pushpress,
        key={"password": "sk_1", "extra": {"tenant": "cli_1"}},
        wrong={"password": "sk_2", "extra": {"tenant": "cli_1"}},
        people={
            "usr_1": Person("p1@example.com", "active", ("plan_1",), "yes"),
            "usr_2": Person("p2@example.com", "former", ("plan_1 until 1970-01-01",), "no"),
            "usr_3": Person("p3@example.com", "prospect", (), "no"),
            "usr_4": Person("p4@example.com", "active", ("plan_1 until 1970-01-01",), "no"),
            "usr_5": Person("p5@example.com", "active", ("plan_1 until 2099-12-31",), "yes"),
        },
        crowd=100,
        groups={"plan_1": ("plan_1", True)},
        requests={"/v3/enrollments": 3, "/v3/customers": 3},
        doubt="neither a total nor which page is the last",
    ),
}


def tried(name: str, written: Api, key: Mapping[str, Any]) -> Tryout:
    """What the example makes of the ERP's answers."""
    written.answers.update(ERPS[name].answers(written.url))
    club = load_club(EXAMPLES / f"rest-{name}.yaml")
    return try_out(club, lambda i: Connection(i, written.url, **key), first=1000, show=True)


def test_every_example_is_read() -> None:
    found = {path.name for path in EXAMPLES.glob("rest-*.yaml")}
    assert found - MADE_UP == {f"rest-{name}.yaml" for name in (*ERPS, *REAL)}


@pytest.mark.parametrize("name", [*ERPS, *REAL])
def test_the_example_is_an_entry_of_clubs_yaml(name: str, tmp_path: Path) -> None:
    entry = YAML(typ="safe").load((EXAMPLES / f"rest-{name}.yaml").read_text())
    clubs = tmp_path / "clubs.yaml"
    with clubs.open("w") as out:
        YAML().dump({"clubs": [entry]}, out)
    assert load_config(clubs).club(entry["id"]).erp == "rest"


@pytest.mark.parametrize("name", ERPS)
def test_the_example_reads_what_is_documented(name: str, written: Api) -> None:
    """R3, R5, R14: ids, emails, status and groups over two pages, who is no longer a member, and the certificate."""
    erp = ERPS[name]
    found = tried(name, written, erp.key)
    people = {
        row["erp_id"]: Person(row["email"], row["status"], tuple(row["groups"]), row["access"])
        for row in found.records
    }
    named = {erp_id: person for erp_id, person in people.items() if erp_id in erp.people}
    assert named == erp.people
    crowd = [person for erp_id, person in people.items() if erp_id not in erp.people]
    assert len(crowd) == erp.crowd
    assert {(person.status, person.access) for person in crowd} == {("active", "yes")}
    groups = found.reading.groups.select("id", "name", "active").rows()
    assert {id_: (title, active) for id_, title, active in groups} == erp.groups
    assert Counter(written.paths()) == erp.requests
    certificate = found.reading.certificate
    assert certificate.complete == (erp.doubt is None)
    assert (erp.doubt or "") in " ".join(certificate.doubts)
    assert found.reading.consistency is not Consistency.MOMENT


@pytest.mark.parametrize("name", ERPS)
def test_another_key_is_refused(name: str, written: Api) -> None:
    """R14: an error of the credentials, not an empty club."""
    with pytest.raises(CredentialsRefused):
        tried(name, written, ERPS[name].wrong)


# What only one of them has ------------------------------------------------------------------------


def connector(name: str, written: Api, club: Club | None = None, **options: Any) -> RestConnector:
    """The connector that the example makes, beside the try-out."""
    written.answers.update(ERPS[name].answers(written.url))
    return RestConnector(
        Connection("c", written.url, **ERPS[name].key),
        RestSettings.model_validate(load_club(EXAMPLES / f"rest-{name}.yaml").settings),
        club or Club("club", ZoneInfo("Europe/Paris"), "FR"),
        now=lambda: datetime(2026, 11, 21, 10, tzinfo=UTC),
        **options,
    )


@pytest.mark.parametrize(
    ("name", "at", "own"),
    [
        ("helloasso", "order.formSlug", {"this": {"1", "2", "3"}, "other": {"4"}}),
        ("shopify", "tags[?ends_with(@, 'membre')]", {"this": {gid(1), gid(3)}, "other": {gid(2)}}),
    ],
)
def test_the_records_of_a_chain(written: Api, name: str, at: str, own: dict[str, set[str]]) -> None:
    """R29: the path that the ERP's page names says whose a record is; tags that name no club are left out."""
    words = {"this": ["saison-2026", "membre"], "other": ["saison-2025", "ancien membre"]}
    club = Club("this", ZoneInfo("Europe/Paris"), "FR", members=Members(at))
    found = split(connector(name, written, club).read(), words)
    named = {
        share: set(one.customers["erp_id"]) & ERPS[name].people.keys()
        for share, one in found.own.items()
    }
    assert named == own
    assert found.unknown.is_empty()


def test_pushpress_proves_a_club_of_one_page(written: Api) -> None:
    """R14: an empty page behind the only one hides nobody."""
    gym = connector("pushpress", written)
    for path, key, kept in (
        ("/v3/customers", "id", {"usr_1", "usr_2"}),
        ("/v3/enrollments", "customerId", {"usr_1"}),
    ):
        written.answers[path] = _only(written.answers[path], key, kept)
    reading = gym.read()
    assert reading.customers["erp_id"].to_list() == ["usr_1", "usr_2"]
    assert reading.certificate.complete
    assert reading.consistency is Consistency.MOMENT


def _only(answer: Any, key: str, kept: set[str]) -> Callable[[Asked], object]:
    """The answer with these rows only."""

    def shorter(asked: Asked) -> object:
        said = answer(asked)
        rows = said["data"]["resultArray"]
        return {"data": {"resultArray": [row for row in rows if row[key] in kept]}}

    return shorter


def test_shopify_is_asked_for_changes(written: Api) -> None:
    """R14: the moment is quoted, as Shopify's search syntax wants dates; the count is of the same search."""
    connector("shopify", written, since=datetime(2026, 11, 21, 9, tzinfo=UTC)).read()
    variables = [json.loads(asked.body)["variables"] for asked in written.asked]
    assert variables[0] == {"first": 250, "changed": "updated_at:>='2026-11-21T08:30:00Z'"}
    assert variables[1] == {**variables[0], "after": "250"}


@pytest.mark.parametrize(
    ("code", "error"), [("THROTTLED", RateLimited), ("ACCESS_DENIED", CredentialsRefused)]
)
def test_errors_of_shopify_with_status_200(written: Api, code: str, error: type[Exception]) -> None:
    """R25: too many points, and a scope that is missing, are told apart."""
    written.answers[SHOPIFY] = lambda _: {
        "errors": [{"message": "Sorry", "extensions": {"code": code}}],
        "extensions": {"cost": {"requestedQueryCost": 752, "actualQueryCost": None}},
    }
    club = load_club(EXAMPLES / "rest-shopify.yaml")
    with pytest.raises(error):
        try_out(club, lambda i: Connection(i, written.url, password="shpat_1"))


def test_a_shop_with_more_customers_than_shopify_lists(written: Api) -> None:
    """R14: the list ends at 25,000 rows as if it were complete; the count, one more, shows that it is not."""

    def answer(asked: Asked) -> object:
        rows: list[Row] = [
            {
                "id": gid(number),
                "firstName": "Ana",
                "lastName": f"Ruiz {number}",
                "tags": [],
                "createdAt": "2026-04-15T19:26:33Z",
                "updatedAt": "2026-04-15T19:26:33Z",
                "defaultEmailAddress": {"emailAddress": f"ana{number}@example.com"},
                "defaultPhoneNumber": {"phoneNumber": "+33612345678"},
            }
            for number in range(3)
        ]
        page = {"nodes": rows, "pageInfo": {"hasNextPage": False, "endCursor": "3"}}
        return {"data": {"customers": page, "customersCount": {"count": 25001}}}

    written.answers[SHOPIFY] = answer
    club = load_club(EXAMPLES / "rest-shopify.yaml")
    found = try_out(club, lambda i: Connection(i, written.url, password="shpat_1"))
    assert "states a total of 25001" in " ".join(found.reading.certificate.doubts)


def test_woocommerce_answers_for_one_customer(written: Api) -> None:
    """R14: a known customer whom the pages miss is asked for alone: a deleted one is a 404."""
    shop = connector("woocommerce", written, known=lambda: ["11", "901", "902"])
    written.answers[f"{WC}/customers/901"] = {
        "id": 901,
        "email": "p901@example.com",
        "first_name": "Ana",
        "last_name": "Ruiz 901",
        "billing": {"phone": "", "country": "FR"},
        "date_created": "2026-01-05T10:00:00",
        "date_modified": "2026-01-05T10:00:00",
    }
    reading = shop.read()
    assert written.paths()[-2:] == [f"{WC}/customers/901", f"{WC}/customers/902"]
    assert "901" in reading.customers["erp_id"]
    assert "902" not in reading.customers["erp_id"]
    assert reading.certificate.complete
    assert reading.consistency is Consistency.BY_ID
