"""What the `rest` connector sends and takes: bodies with placeholders, keyed lists, odd keys, counts, encodings."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, CredentialsRefused, RateLimited
from connectors.sdk.model import Consistency, Reading
from tests.support.api import Api, Asked

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CLUB = Club("gym", ZoneInfo("Europe/Paris"), "FR")
PEOPLE: list[dict[str, Any]] = [{"id": n, "mail": f"p{n}@x.fr"} for n in range(1, 8)]


def connector(
    written: Api,
    customers: dict[str, Any] | None = None,
    *,
    login: str | None = "me",
    since: datetime | None = None,
    **settings: object,
) -> RestConnector:
    chosen = {
        "fields": {"id": "id", "email": "mail"},
        "http": {"attempts": 2, "backoff": 0, "longest_wait": 0.1},
        "customers": {"path": "/members", **(customers or {})},
        **settings,
    }
    return RestConnector(
        Connection("c", written.url, login, "s3cret", extra={"site": "lyon {cursor}"}),
        RestSettings.model_validate(chosen),
        CLUB,
        now=lambda: NOW,
        since=since,
    )


def ids(reading: Reading) -> list[str]:
    return [str(i) for i in reading.customers["erp_id"]]


def everybody(reading: Reading) -> bool:
    return ids(reading) == [str(one["id"]) for one in PEOPLE]


def bodies(written: Api) -> list[Any]:
    return [json.loads(asked.body) for asked in written.asked]


# A body with placeholders --------------------------------------------------------------------------


def test_a_body_with_an_offset(written: Api) -> None:
    """R14: numbers are sent as numbers, at any depth and inside of texts; what is not the page's is in the query."""
    written.answers["/members"] = lambda asked: {
        "rows": PEOPLE[(start := json.loads(asked.body)["page"]["from"]) : start + 3],
        "count": 7,
    }
    listing = {
        "method": "POST",
        "params": {"lang": "fr"},
        "body": {
            "page": {"from": "{offset}", "size": "{size}"},
            "note": "rows {offset} and {size} more",
            "site": "{extra.site}",
            "sort": [{"sortKey": "id"}, "name"],
        },
        "records": "rows",
        "total": "count",
        "paging": {"kind": "offset", "size": 3},
    }
    reading = connector(written, listing).read()
    assert everybody(reading)
    assert reading.certificate.complete
    assert bodies(written)[1] == {
        "page": {"from": 3, "size": 3},
        "note": "rows 3 and 3 more",
        "site": "lyon {cursor}",
        "sort": [{"sortKey": "id"}, "name"],
    }
    assert [asked.query for asked in written.asked] == [{"lang": "fr"}] * 3


def test_a_body_with_a_page_beside_a_size_in_the_query(written: Api) -> None:
    """R14: a value without a placeholder in the body is sent by its parameter."""
    written.answers["/members"] = lambda asked: {
        "rows": PEOPLE[(at := 4 * json.loads(asked.body)["page"]) : at + int(asked.query["n"])],
        "total": 7,
    }
    paging = {"kind": "page", "first": 0, "size": 4, "size_param": "n"}
    listing = {
        "method": "POST",
        "body": {"page": "{page}"},
        "records": "rows",
        "total": "total",
        "paging": paging,
    }
    assert everybody(connector(written, listing).read())
    assert bodies(written) == [{"page": 0}, {"page": 1}]


def test_a_body_with_a_key(written: Api) -> None:
    """R14: `{cursor}` is the key of `keyset`; without one, its condition is omitted, empty objects with it."""
    written.answers["/members"] = lambda asked: [
        one
        for one in PEOPLE
        if one["id"] > int(json.loads(asked.body).get("where", {"id": {"gt": 0}})["id"]["gt"])
    ][:3]
    listing = {
        "method": "POST",
        "body": {"where": {"id": {"gt": "{cursor}"}}, "order": "id", "also": []},
        "paging": {"kind": "keyset"},
    }
    reading = connector(written, listing).read()
    assert everybody(reading)
    assert reading.consistency is Consistency.BY_ID
    assert bodies(written)[:2] == [
        {"order": "id", "also": []},
        {"where": {"id": {"gt": "3"}}, "order": "id", "also": []},
    ]


@pytest.mark.parametrize(
    ("shape", "sent"),
    [
        ("epoch", 1795254600),
        ("iso", "2026-11-21T09:50:00Z"),
    ],
)
def test_a_moment_in_a_body(written: Api, shape: str, sent: object) -> None:
    """R16: changes since a moment; when everything is read the condition is not sent at all."""
    written.answers["/members"] = lambda _: PEOPLE
    listing = {
        "method": "POST",
        "body": {"filter": [{"field": "touched", "op": ">=", "value": "{since}"}], "all": True},
        "changes": {"format": shape},
    }
    assert not connector(written, listing, since=NOW).read().certificate.complete
    connector(written, listing, since=NOW).read(full=True)
    assert bodies(written) == [
        {"filter": [{"field": "touched", "op": ">=", "value": sent}], "all": True},
        {"filter": [{"field": "touched", "op": ">="}], "all": True},
    ]


def test_a_moment_inside_a_parameter(written: Api) -> None:
    """R16: as OData and Dolibarr write it; when everything is read the parameter is omitted."""
    written.answers["/members"] = lambda _: PEOPLE
    listing = {"params": {"$filter": "modified ge {since}"}, "changes": {"format": "%Y-%m-%d"}}
    connector(written, listing, since=NOW).read()
    connector(written, listing, since=NOW).read(full=True)
    assert [asked.query for asked in written.asked] == [{"$filter": "modified ge 2026-11-21"}, {}]


def test_a_value_is_never_a_template(written: Api) -> None:
    """R19: a cursor that looks like one of our placeholders sends no secret of the connection anywhere."""
    pages = iter(
        [
            {"rows": PEOPLE[:3], "next": "{password}"},
            {"rows": PEOPLE[3:], "next": None},
        ]
    )
    written.answers["/members"] = lambda _: next(pages)
    listing = {
        "method": "POST",
        "body": {"at": "page {cursor}"},
        "records": "rows",
        "paging": {"kind": "cursor", "at": "next"},
    }
    assert everybody(connector(written, listing).read())
    assert bodies(written) == [{}, {"at": "page {password}"}]


def test_a_graphql_document_is_sent_as_it_is(written: Api) -> None:
    """Its own braces are no placeholders; those of the variables are."""
    written.answers["/members"] = lambda _: {"data": {"members": PEOPLE}}
    listing = {
        "method": "POST",
        "body": {
            "query": "query($n:Int!){members(first:$n){edges{cursor}}}",
            "variables": {"n": "{size}", "page": "{cursor}"},
        },
        "records": "data.members",
        "paging": {"kind": "cursor", "size": 9, "at": "next"},
    }
    connector(written, listing).check()
    assert bodies(written) == [
        {
            "query": "query($n:Int!){members(first:$n){edges{cursor}}}",
            "variables": {"n": 9},
        }
    ]


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        ({"body": {"a": 1}}, "method: POST"),
        ({"method": "POST", "in_query": False, "body": {"a": 1}}, "method: POST"),
        ({"method": "POST", "body": {"at": "{page}"}}, "placeholder page has no value"),
        ({"method": "POST", "body": {"at": ["{since}"]}}, "placeholder since has no value"),
        (
            {"params": {"at": "{size}"}, "paging": {"kind": "offset"}},
            "placeholder size has no value",
        ),
        (
            {"method": "POST", "body": {"a": 1}, "paging": {"kind": "offset"}},
            "needs the placeholder offset",
        ),
        (
            {"method": "POST", "body": {"a": 1}, "paging": {"kind": "cursor", "at": "n"}},
            "needs the placeholder cursor",
        ),
        ({"paging": {"kind": "page", "size": 5}}, "size and size_param"),
        ({"paging": {"kind": "page", "size_param": "n"}}, "size and size_param"),
        ({"changes": {}}, "set changes.param"),
        ({"params": {"f": "{since}"}, "changes": {"param": "since"}}, "set changes.param"),
        ({"method": "POST", "body": {"a": [{"apiKey": "hunter2"}]}}, "looks like a secret"),
        (
            {"paging": {"kind": "page", "last": "last", "pages_header": "X-Pages"}},
            "one of last, last_header",
        ),
    ],
)
def test_what_a_request_cannot_be(listing: dict[str, Any], told: str) -> None:
    """It is said when the settings are read, without a secret in it."""
    settings = {"fields": {"id": "id"}, "customers": {"path": "/m", **listing}}
    with pytest.raises(ValidationError) as error:
        RestSettings.model_validate(settings)
    assert told in str(error.value.errors(include_input=False))


# Lists as objects, keys with dots and blanks -------------------------------------------------------


@pytest.mark.parametrize("empty", [{}, []])
def test_lists_as_objects_keyed_by_id(written: Api, empty: object) -> None:
    """R3: the key becomes the id, of customers, groups and memberships; PHP writes an empty one as a list."""
    written.answers |= {
        "/members": {
            "people": {
                "12": {"mail": "a@x.fr", "plans": {"g": {"to": "2026-12-31"}}},
                "7": {"mail": "b@x.fr", "id": "not this one", "plans": {"s": True}},
                "9": {"mail": "c@x.fr", "plans": empty},
            }
        },
        "/plans": {"g": "Gold", "s": "Silver"},
    }
    groups = {
        "held": {"at": "plans", "keyed_by": "plan", "id": "plan", "until": "to"},
        "known": {"list": {"path": "/plans", "keyed_by": "id"}, "name": "value"},
    }
    listing = {"records": "people", "keyed_by": "id"}
    reading = connector(written, listing, groups=groups, omits_empty=True).read()
    assert ids(reading) == ["12", "7", "9"]
    assert dict(reading.groups.select("id", "name").iter_rows()) == {"g": "Gold", "s": "Silver"}
    held = {row["erp_id"]: row["groups"] for row in reading.customers.iter_rows(named=True)}
    assert [group["id"] for group in held["12"]] == ["g"]
    assert str(held["12"][0]["valid_until"]) == "2026-12-31"
    assert [group["id"] for group in held["7"]] == ["s"]
    assert held["9"] == []


def test_a_list_that_became_an_object_is_still_an_error(written: Api) -> None:
    """R14: nothing is guessed: without `keyed_by` the settings do not match."""
    written.answers["/members"] = {"0": PEOPLE[0], "2": PEOPLE[1]}
    with pytest.raises(ContractChanged, match="an object"):
        connector(written).read()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("E-mail address", {"E-mail address": "a@x.fr"}),
        (["contact", "e.mail"], {"contact": {"e.mail": "a@x.fr"}}),
        ('contact."e.mail"', {"contact": {"e.mail": "a@x.fr"}}),
        (["mails (all)", 0, "value"], {"mails (all)": [{"value": "a@x.fr"}]}),
        (['the "main" one'], {'the "main" one': "a@x.fr"}),
    ],
)
def test_keys_with_dots_and_blanks(written: Api, path: object, field: dict[str, Any]) -> None:
    """R3: an escape, or a list of keys; where the key is missing it is said, and is no empty value."""
    written.answers["/members"] = [{"id": n, **field} for n in (1, 2)]
    fields = {"id": "id", "email": path}
    assert connector(written, fields=fields).read().customers["email"].to_list() == ["a@x.fr"] * 2
    written.answers["/members"] = [{"id": 1}, {"id": 2}]
    with pytest.raises(ContractChanged, match=r"fields\.email"):
        connector(written, fields=fields).read()


def test_keys_with_blanks_are_named_among_the_unused(written: Api) -> None:
    """R19: if they are made of usual words: others may be a person's name."""
    record = {"First name": "Ana", "Ana Ruiz": 1, "e.mail address": "a@x.fr"}
    written.answers["/members"] = [{"id": n, "mail": None, **record} for n in (1, 2)]
    assert connector(written).read().columns == ("id", "mail", "First name")


# Counts and ends -----------------------------------------------------------------------------------


def paged(asked: Asked, first: int = 1) -> list[dict[str, Any]]:
    start = 3 * (int(asked.query["page"]) - first)
    return PEOPLE[start : start + 3]


@pytest.mark.parametrize(
    ("first", "setting", "value", "in_header"),
    [
        (1, "last", 3, False),
        (0, "last", 2, False),
        (1, "pages", 3, False),
        (0, "pages", 3, False),
        (1, "last_header", 3, True),
        (1, "pages_header", 3, True),
        (0, "pages_header", 3, True),
    ],
)
def test_the_number_of_pages(
    written: Api, first: int, setting: str, value: int, *, in_header: bool
) -> None:
    """R14: in the body or a header, as a count or as the last page's number: that page is the last one asked for."""
    headers = {"X-Pages": str(value)} if in_header else {}
    written.answers["/members"] = lambda asked: JSONResponse(
        {"rows": paged(asked, first), "pages": value}, headers=headers
    )
    where = "X-Pages" if in_header else "pages"
    paging = {"kind": "page", "first": first, setting: where}
    reading = connector(written, {"records": "rows", "paging": paging}).read()
    assert everybody(reading)
    assert reading.certificate.complete
    assert [asked.query["page"] for asked in written.asked] == [
        str(n) for n in range(first, first + 3)
    ]


def test_a_number_of_pages_that_is_not_there(written: Api) -> None:
    """R14: it fails by the setting's name; on an empty answer of an ERP that omits empty keys it is none."""
    paging = {"kind": "page", "pages_header": "X-Pages"}
    written.answers["/members"] = PEOPLE
    with pytest.raises(ContractChanged, match=r"customers\.paging\.pages_header"):
        connector(written, {"paging": paging}).read()
    written.answers["/members"] = {}
    listing = {"records": "rows", "total": "count", "paging": {"kind": "page", "pages": "pages"}}
    assert connector(written, listing, omits_empty=True).read().customers.height == 0


@pytest.mark.parametrize(
    ("paging", "key"),
    [
        ({"kind": "page", "more": "more"}, "page"),
        ({"kind": "cursor", "param": "page", "at": "next", "more": "more"}, "page"),
        ({"kind": "cursor", "param": "page", "at": "next"}, "page"),
    ],
)
def test_the_last_page_of_an_erp_that_omits_what_is_empty(
    written: Api, paging: dict[str, Any], key: str
) -> None:
    """R14: `has_more: false` and an empty cursor are not sent: what an earlier page had is over."""

    def answer(asked: Asked) -> object:
        page = int(asked.query.get(key, 1))
        rows = PEOPLE[3 * (page - 1) : 3 * page]
        return {"rows": rows} | ({"more": True, "next": page + 1} if page < 3 else {})

    written.answers["/members"] = answer
    reading = connector(written, {"records": "rows", "paging": paging}, omits_empty=True).read()
    assert everybody(reading)
    assert reading.certificate.complete
    assert len(written.asked) == 3


def test_what_no_page_has_is_no_end(written: Api) -> None:
    """R14: an ERP that omits empty keys may have renamed one: then the pages are read until one has nothing new."""
    written.answers["/members"] = lambda asked: {"rows": paged(asked), "has_more": True}
    listing = {"records": "rows", "paging": {"kind": "page", "more": "more"}}
    reading = connector(written, listing, omits_empty=True).read()
    assert everybody(reading)
    assert not reading.certificate.complete


# A flag that is absent -----------------------------------------------------------------------------


def test_a_flag_that_is_absent(written: Api) -> None:
    """R3: some ERPs send a flag only where it is set; `absent` says what its absence means."""
    written.answers |= {
        "/members": [
            {"id": 1, "mail": "a@x.fr", "plans": [{"plan": "g"}, {"plan": "s", "over": True}]},
            {"id": 2, "mail": "b@x.fr", "blocked": True, "plans": []},
            {"id": 3, "mail": "c@x.fr", "state": "gone", "plans": []},
        ],
        "/plans": [{"id": "g", "name": "Gold"}, {"id": "s", "name": "Silver", "used": False}],
    }
    status = {
        "at": "state",
        "active": ["here"],
        "former": ["gone"],
        "absent": "here",
        "unless": [{"at": "blocked", "is": [True], "means": "suspended", "absent": False}],
    }
    ended = {"at": "over", "is": [True], "absent": False}
    groups = {
        "held": {"at": "plans", "id": "plan", "ended": ended},
        "known": {"list": {"path": "/plans"}, "active": "used", "absent": True},
    }
    reading = connector(written, status=status, groups=groups).read()
    assert reading.customers["status"].to_list() == ["active", "suspended", "former"]
    assert reading.groups["active"].to_list() == [True, False]
    first, second = reading.customers["groups"][0]
    assert first["valid_until"] is None
    assert second["valid_until"] is not None
    assert reading.customers["unreadable"].list.len().to_list() == [0, 0, 0]


def test_a_flag_that_all_records_lack_may_be_the_default(written: Api) -> None:
    """R3: nobody is blocked today; without `absent` it is an error, because the key may be another."""
    written.answers["/members"] = PEOPLE
    one = {"at": "blocked", "is": [True], "means": "suspended"}
    with pytest.raises(ContractChanged, match=r"status\.unless"):
        connector(written, status={"unless": [one]}).read()
    status = {"unless": [{**one, "absent": False}]}
    assert set(connector(written, status=status).read().customers["status"]) == {"active"}


def test_success_that_is_not_stated(written: Api) -> None:
    """An ERP that sends `ok: false` with its errors, and nothing otherwise."""
    errors = {"ok": {"at": "ok", "is": [True], "absent": True}, "code": "code", "refused": ["NO"]}
    written.answers["/members"] = {"rows": PEOPLE}
    assert everybody(connector(written, {"records": "rows"}, errors=errors).read())
    written.answers["/members"] = {"ok": False, "code": "NO"}
    with pytest.raises(CredentialsRefused):
        connector(written, {"records": "rows"}, errors=errors).read()


# Credentials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "pair", "login"),
    [
        ({}, "me:s3cret", "me"),
        ({"login": "{password}", "password": ""}, "s3cret:", None),
        ({"login": "{password}", "password": "X"}, "s3cret:X", None),
        ({"login": "api"}, "api:s3cret", None),
        ({"login": "{login}/{extra.site}"}, "me/lyon {cursor}:s3cret", "me"),
    ],
)
def test_basic_authentication(
    written: Api, auth: dict[str, str], pair: str, login: str | None
) -> None:
    """A name and a password, an empty one or a chosen one."""
    written.answers["/members"] = PEOPLE
    connector(written, login=login, auth={"kind": "basic", **auth}).read()
    sent = written.asked[0].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == pair


def test_basic_authentication_without_a_secret_is_refused() -> None:
    """R19: a secret belongs in the connection."""
    auth = {"kind": "basic", "login": "me", "password": "hunter2"}
    with pytest.raises(ValidationError, match="belongs in the connection"):
        RestSettings.model_validate(
            {"fields": {"id": "id"}, "customers": {"path": "/m"}, "auth": auth}
        )


# Encodings -----------------------------------------------------------------------------------------

NAMED = '[{"id": 1, "mail": "a@x.fr", "nom": "Zoë Müller"}]'


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (NAMED.encode("utf-8-sig"), None),
        (NAMED.encode("utf-8-sig"), "utf-8"),
        (NAMED.encode("utf-8-sig"), "iso-8859-1"),
        (NAMED.encode("latin-1"), "ISO-8859-1"),
        (NAMED.encode("cp1252"), "windows-1252"),
        (NAMED.encode("utf-16"), "utf-16"),
        (NAMED.encode("utf-16"), None),
        (NAMED.encode("utf-16-le"), "utf-16le"),
        (NAMED.encode("utf-16-be"), "utf-16be"),
        (NAMED.encode("utf-32"), None),
        (NAMED.encode(), "iso-8859-1"),
    ],
)
def test_encodings(written: Api, content: bytes, charset: str | None) -> None:
    """A byte order mark, Latin-1 and UTF-16 by their charset; UTF-8 whatever the header says."""
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    written.answers["/members"] = Response(content, headers={"Content-Type": kind})
    fields = {"id": "id", "email": "mail", "last_name": "nom"}
    reading = connector(written, fields=fields).read()
    assert reading.customers["last_name"].to_list() == ["Zoë Müller"]


# The next page's address ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/members?after=3",
        "https://127.0.0.1/members?after=3",
        "http://127.0.0.1:8080/members?after=3",
        "//127.0.0.1:1/members?after=3",
        "/members?after=3",
        "?after=3",
    ],
)
def test_a_next_address_of_the_same_host(written: Api, address: str) -> None:
    """R14: behind a proxy an ERP knows neither its own port nor that it is https: the connection's are kept."""
    written.answers["/members"] = lambda asked: (
        {"rows": PEOPLE[3:], "next": None}
        if "after" in asked.query
        else {"rows": PEOPLE[:3], "next": address}
    )
    listing = {"records": "rows", "paging": {"kind": "next_url", "at": "next"}}
    assert everybody(connector(written, listing).read())


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1.example.com/members", "https://me@example.com/m", "ftp://127.0.0.1/m"],
)
def test_a_next_address_elsewhere(written: Api, address: str) -> None:
    """R19: our key is not sent to another host."""
    written.answers["/members"] = {"rows": PEOPLE, "next": address}
    listing = {"records": "rows", "paging": {"kind": "next_url", "at": "next"}}
    with pytest.raises(ContractChanged, match="not on the connection's host"):
        connector(written, listing).read()
    assert written.paths() == ["/members"]


# One odd answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        Response("<html>Maintenance, back in a minute</html>", media_type="text/html"),
        Response("Service is starting", media_type="text/plain"),
        JSONResponse({}),
        JSONResponse({"rows": {}}),
        JSONResponse(None),
    ],
)
@pytest.mark.parametrize("at", [1, 2])
def test_one_odd_answer_is_asked_for_again(written: Api, odd: Response, at: int) -> None:
    """R14, R25: a maintenance page, or an object where the list stood, costs one more request and no cycle."""
    count = 0

    def answer(asked: Asked) -> object:
        nonlocal count
        count += 1
        return odd if count == at else {"rows": paged(asked), "pages": 3}

    written.answers["/members"] = answer
    listing = {"records": "rows", "paging": {"kind": "page", "pages": "pages"}}
    reading = connector(written, listing).read()
    assert everybody(reading)
    assert reading.certificate.complete
    assert count == 4


def test_what_is_said_twice_is_meant(written: Api) -> None:
    """R14: one more attempt, however many the settings allow."""
    written.answers["/members"] = {}
    http = {"attempts": 6, "backoff": 0}
    with pytest.raises(ContractChanged, match="instead of a list"):
        connector(written, {"records": "rows"}, http=http).read()
    assert len(written.asked) == 2


def test_a_rate_limit_of_403(written: Api) -> None:
    """R25: as GitHub's: a limit that is used up is waited for, and not taken for wrong credentials."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "90"}
    written.answers["/members"] = JSONResponse({}, 403, headers)
    with pytest.raises(RateLimited) as limited:
        connector(written).read()
    assert limited.value.retry_after == timedelta(seconds=90)
    written.answers["/members"] = JSONResponse({}, 403, {"X-RateLimit-Remaining": "812"})
    with pytest.raises(CredentialsRefused):
        connector(written).read()
