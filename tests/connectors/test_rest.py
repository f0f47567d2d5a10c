"""The `rest` connector: each word of its settings, against an API that a test makes as it likes.

What it shares with the others is in tests/contract, where it reads Courtside.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest import RestConnector, RestSettings, records
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.model import Reading
from tests.support.servers import serving

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CLUB = Club("gym", ZoneInfo("Europe/Paris"), "FR")
PEOPLE: list[dict[str, Any]] = [{"id": n, "mail": f"p{n}@x.fr", "state": "on"} for n in range(1, 8)]
BARE: dict[str, Any] = {
    "fields": {"id": "id", "email": "mail"},
    "http": {"attempts": 1, "backoff": 0, "longest_wait": 0.1},
}


@dataclass
class Api:
    """Answers with whatever the test's function makes of a request."""

    url: str = ""
    answer: Callable[[Request], object] = lambda _: []
    asked: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    it = Api()

    async def anything(request: Request) -> Response:
        it.bodies.append(await request.body())
        it.asked.append(request)
        found = it.answer(request)
        return found if isinstance(found, Response) else JSONResponse(found)

    route = Route("/{rest:path}", anything, methods=["GET", "POST"])
    with serving(Starlette(routes=[route])) as url:
        it.url = url
        yield it


@pytest.fixture
def api(server: Api) -> Api:
    server.asked.clear()
    server.bodies.clear()
    server.answer = lambda _: []
    return server


def connector(
    api: Api,
    *,
    since: datetime | None = None,
    extra: dict[str, Any] | None = None,
    **settings: object,
) -> RestConnector:
    chosen = {**BARE, "customers": {"path": "/members"}, **settings}
    return RestConnector(
        Connection("c", api.url, "me", "s3cret", extra=extra or {}),
        RestSettings.model_validate(chosen),
        CLUB,
        now=lambda: NOW,
        since=since,
    )


def ids(reading: Reading) -> list[int]:
    return [int(i) for i in reading.customers["erp_id"]]


def query(request: Request, name: str, default: str = "0") -> int:
    return int(request.query_params.get(name, default))


# Authenticator ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer"}, "authorization", "Bearer s3cret"),
        ({"kind": "basic"}, "authorization", "Basic " + base64.b64encode(b"me:s3cret").decode()),
        ({"kind": "header", "headers": {"X-Api-Key": "{password}"}}, "x-api-key", "s3cret"),
        (
            {"kind": "header", "headers": {"X-Key": "{login}", "X-Site": "site {extra.tenant}"}},
            "x-site",
            "site 7",
        ),
    ],
)
def test_keys_in_headers(api: Api, auth: dict[str, Any], header: str, value: str) -> None:
    """Header keys, one or several, Basic and bearer; nothing is taken from elsewhere."""
    api.answer = lambda _: PEOPLE
    connector(api, auth=auth, extra={"tenant": 7}).read()
    assert api.asked[0].headers[header] == value


def test_keys_in_the_query(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """They reach the ERP and no log."""
    caplog.set_level("DEBUG")
    api.answer = lambda _: PEOPLE
    auth = {"kind": "query", "params": {"api_key": "{password}"}}
    connector(api, auth=auth, params={"lang": "fr"}).read()
    assert dict(api.asked[0].query_params) == {"api_key": "s3cret", "lang": "fr"}
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("client", ["form", "basic"])
def test_oauth2_client_credentials(api: Api, client: str) -> None:
    """RFC 6749, 4.4; an expired token is requested again, once."""
    given = iter(["one", "two"])
    good = {"Bearer two"}

    def answer(request: Request) -> object:
        if request.url.path == "/oauth/token":
            return {"access_token": next(given), "token_type": "Bearer"}
        known = request.headers.get("authorization") in good
        return PEOPLE if known else JSONResponse({}, 401)

    api.answer = answer
    auth = {"kind": "oauth2", "url": "/oauth/token", "client": client, "scope": "read"}
    assert connector(api, auth=auth).read().customers.height == 7
    form = api.bodies[0].decode()
    assert "grant_type=client_credentials" in form
    assert "scope=read" in form
    assert ("client_secret=s3cret" in form) is (client == "form")
    assert ("authorization" in api.asked[0].headers) is (client == "basic")


def test_oauth2_on_another_host(api: Api) -> None:
    """The token's server may be another; it gets the client's secret and nothing else does."""
    with serving(
        Starlette(
            routes=[Route("/t", lambda _: JSONResponse({"access_token": "away"}), methods=["POST"])]
        )
    ) as elsewhere:
        api.answer = lambda _: PEOPLE
        connector(api, auth={"kind": "oauth2", "url": f"{elsewhere}/t"}).read()
    assert [r.headers["authorization"] for r in api.asked] == ["Bearer away"]


def test_oauth2_refused(api: Api) -> None:
    """`invalid_client` comes with 400 or 401 (RFC 6749, 5.2)."""
    api.answer = lambda _: JSONResponse({"error": "invalid_client"}, 400)
    with pytest.raises(CredentialsRefused):
        connector(api, auth={"kind": "oauth2", "url": "/token"}).read()


def test_a_session_in_a_cookie(api: Api) -> None:
    """A log-in form, answered by a cookie that later requests bring back."""

    def answer(request: Request) -> object:
        if request.url.path == "/login":
            response = JSONResponse({"hello": True})
            response.set_cookie("sid", "abc")
            return response
        return PEOPLE if request.cookies.get("sid") == "abc" else JSONResponse({}, 401)

    api.answer = answer
    send = {"user": "{login}", "password": "{password}"}
    auth = {"kind": "session", "path": "/login", "send": send, "form": True}
    assert connector(api, auth=auth).read().customers.height == 7
    assert api.bodies[0] == b"user=me&password=s3cret"


def test_a_secret_has_its_place_in_the_connection() -> None:
    """Written into clubs.yaml it is refused, by the setting's name and never by its value."""
    for settings in (
        {"auth": {"kind": "header", "headers": {"X-Api-Key": "hunter2"}}},
        {"headers": {"Authorization": "hunter2"}},
        {"params": {"api_key": "hunter2"}},
        {"customers": {"path": "/m", "params": {"token": "hunter2"}}},
    ):
        with pytest.raises(ValidationError, match="connection"):
            RestSettings.model_validate({**BARE, "customers": {"path": "/m"}, **settings})


def test_what_the_connection_lacks_is_said(api: Api) -> None:
    auth = {"kind": "header", "headers": {"X-Site": "{extra.tenant}"}}
    with pytest.raises(SettingsWrong, match=r"auth\.headers\.X-Site.*extra\.tenant"):
        connector(api, auth=auth).check()


# Paginator ----------------------------------------------------------------------------------------


def paged_by_number(request: Request) -> object:
    page, size = query(request, "page", "1"), query(request, "per", "3")
    return {"data": PEOPLE[(page - 1) * size :][:size], "meta": {"total": 7, "last": 3}}


def paged_by_offset(request: Request) -> object:
    # two at a time, whatever is asked for
    return {"data": PEOPLE[query(request, "skip") :][:2], "count": 7}


def paged_by_cursor(request: Request) -> object:
    at, size = query(request, "after"), query(request, "n", "3")
    body: dict[str, Any] = {"data": PEOPLE[at : at + size]}
    if at + size < 7:
        body["next"] = str(at + size)
    return body


def paged_by_header(request: Request) -> object:
    at = query(request, "c")
    more = {"X-Next": str(at + 3)} if at + 3 < 7 else {}
    return JSONResponse(PEOPLE[at : at + 3], headers=more)


def paged_by_link(request: Request) -> object:
    at, size = query(request, "at"), query(request, "per", "3")
    first = f'<{request.base_url}members?at=0>; rel="first"'
    more = f', <{request.base_url}members?at={at + size}>; rel="next"' if at + size < 7 else ""
    return JSONResponse(PEOPLE[at : at + size], headers={"Link": first + more})


def paged_by_link_in_one(request: Request) -> object:
    """RFC 8288: one link with several relations, in any case."""
    at = query(request, "at")
    last = "Next last" if at + 6 >= 7 else "NEXT"
    link = f'<{request.base_url}members?at={at + 3}>; rel="{last}"' if at + 3 < 7 else ""
    return JSONResponse(PEOPLE[at : at + 3], headers={"Link": link} if link else {})


def paged_by_address(request: Request) -> object:
    at = query(request, "at")
    return {"items": PEOPLE[at : at + 3], "next": f"/members?at={at + 3}" if at + 3 < 7 else None}


def paged_by_key(request: Request) -> object:
    return [p for p in PEOPLE if int(str(p["id"])) > query(request, "after")][:3]


def paged_by_range(request: Request) -> object:
    first, last = request.headers["range"].removeprefix("rows=").split("-")
    rows = PEOPLE[int(first) : int(last) + 1]
    if not rows:
        return Response(status_code=416)
    said = f"rows {first}-{int(first) + len(rows) - 1}/7"
    return JSONResponse(rows, 206, headers={"Content-Range": said})


WAYS: dict[str, tuple[Callable[[Request], object], dict[str, Any]]] = {
    "page": (
        paged_by_number,
        {
            "records": "data",
            "total": "meta.total",
            "paging": {"kind": "page", "size": 3, "size_param": "per"},
        },
    ),
    "page-last": (
        paged_by_number,
        {
            "records": "data",
            "total": "meta.total",
            "paging": {"kind": "page", "last": "meta.last"},
        },
    ),
    "offset": (
        paged_by_offset,
        {"records": "data", "total": "count", "paging": {"kind": "offset", "param": "skip"}},
    ),
    "cursor": (
        paged_by_cursor,
        {
            "records": "data",
            "paging": {"kind": "cursor", "param": "after", "at": "next"},
        },
    ),
    "cursor-header": (
        paged_by_header,
        {"paging": {"kind": "cursor", "param": "c", "header": "X-Next"}},
    ),
    "link": (paged_by_link, {"paging": {"kind": "link"}}),
    "link of several": (paged_by_link_in_one, {"paging": {"kind": "link"}}),
    "next-url": (
        paged_by_address,
        {"records": "items", "paging": {"kind": "next_url", "at": "next"}},
    ),
    "keyset": (paged_by_key, {"paging": {"kind": "keyset"}}),
    "range": (paged_by_range, {"paging": {"kind": "range", "unit": "rows", "size": 3}}),
    "none": (lambda _: PEOPLE, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_paging_is_certified(api: Api, way: str) -> None:
    """Everybody, once, proved (R14)."""
    api.answer, listing = WAYS[way]
    reading = connector(api, customers={"path": "/members", **listing}).read()
    assert ids(reading) == list(range(1, 8))
    assert reading.certificate.doubts == ()
    assert reading.certificate.complete


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"none"}))
def test_a_page_that_comes_for_ever_ends(api: Api, way: str) -> None:
    """The first page again and again: ended, and not certified."""
    answer, listing = WAYS[way]
    kept: list[object] = []

    def stuck(request: Request) -> object:
        kept[:] = kept or [answer(request)]
        return kept[0]

    api.answer = stuck
    reading = connector(api, customers={"path": "/members", **listing}).read()
    assert not reading.certificate.complete
    assert reading.certificate.pages <= 3


def doubts(api: Api, **listing: object) -> str:
    reading = connector(api, customers={"path": "/members", **listing}).read()
    assert not reading.certificate.complete
    return " ".join(reading.certificate.doubts)


def test_numbered_pages_without_a_total_prove_nothing(api: Api) -> None:
    """Who leaves while we read moves somebody over a boundary that was passed already."""
    api.answer = paged_by_number
    listing = {"records": "data", "paging": {"kind": "page", "size": 3, "size_param": "per"}}
    assert "neither a total nor which page is the last" in doubts(api, **listing)
    # one page, and an empty one behind it, cannot hide anybody
    listing["paging"] = {"kind": "page", "size": 9, "size_param": "per"}
    api.answer = lambda r: paged_by_number(r) if query(r, "page") == 1 else {"data": []}
    assert connector(api, customers={"path": "/members", **listing}).read().certificate.complete


def test_somebody_leaves_while_we_read(api: Api) -> None:
    """The rows equal the last total, and somebody was skipped all the same: the total moved."""
    left = list(PEOPLE)

    def answer(request: Request) -> object:
        rows = {"data": left[query(request, "skip") :][:3], "count": len(left)}
        if len(left) == 7:
            del left[0]
        return rows

    api.answer = answer
    listing = {"records": "data", "total": "count", "paging": {"kind": "offset", "param": "skip"}}
    assert "total changed" in doubts(api, **listing)


def test_a_total_that_counts_less_than_the_list_has(api: Api) -> None:
    """It counts the active ones, and is reached on a page's last row: what follows is looked at all the same."""

    def answer(request: Request) -> object:
        return {"data": PEOPLE[query(request, "after") :][:3], "active": 6}

    api.answer = answer
    listing = {"records": "data", "total": "active", "paging": {"kind": "keyset"}}
    assert "a total of 6, but the number of customers received is 7" in doubts(api, **listing)


def test_a_cursor_that_never_shows_is_not_understood(api: Api) -> None:
    """A full page and no cursor: a page of one, asked for to make sure, tells whether there would be one."""
    paging = {"kind": "cursor", "param": "after", "at": "nxt", "size": 3, "size_param": "n"}
    api.answer = paged_by_cursor
    assert "named no next page" in doubts(api, records="data", paging=paging)
    paging["at"] = "next"

    def two(request: Request) -> object:
        if query(request, "n") == 1:
            return {"data": PEOPLE[:1], "next": "1"}
        return {"data": PEOPLE[:2]}

    api.answer = two
    customers = {"path": "/members", "records": "data", "paging": paging}
    assert connector(api, customers=customers).read().certificate.complete


@pytest.mark.parametrize("kind", ["cursor", "next_url", "link"])
def test_a_next_page_that_is_named_behind_the_last_row(api: Api, kind: str) -> None:
    """R14: where every page names a next one, a page without rows is the end, and nothing else is."""
    asked: list[int] = []

    def answer(request: Request) -> object:
        start = query(request, "after")
        asked.append(start)
        body: dict[str, object] = {"data": PEOPLE[start : start + 3]}
        if start < named_until:
            address = str(request.url.include_query_params(after=start + 3))
            body["next"] = f"{start + 3}" if kind == "cursor" else address
            return JSONResponse(body, headers={"Link": f'<{address}>; rel="next"'})
        return body

    api.answer = answer
    paging: dict[str, object] = {"kind": kind, "until_empty": True}
    paging |= {"at": "next"} if kind != "link" else {}
    paging |= {"param": "after"} if kind == "cursor" else {}
    listing = {"path": "/members", "records": "data", "paging": paging}

    named_until = 999
    assert connector(api, customers=listing).read().certificate.complete
    assert asked == [0, 3, 6, 9]
    # what promised a next page and does not name it is no end
    named_until = 6
    assert "only a page without rows is the end" in doubts(api, **listing)
    # an ERP that ends otherwise is not asked for one page more than it has
    paging["until_empty"] = False
    assert connector(api, customers=listing).read().certificate.complete


def test_a_round_number_in_one_answer_looks_like_a_limit(api: Api) -> None:
    api.answer = lambda _: [{"id": n, "mail": None} for n in range(100)]
    assert "looks like a limit" in doubts(api)
    paging = {"kind": "none", "unlimited": True}
    assert connector(api, customers={"path": "/m", "paging": paging}).read().certificate.complete


def test_the_end_that_is_a_404(api: Api) -> None:
    """Dolibarr's older versions answer so behind the last page (docs/erps/dolibarr.md)."""

    def answer(request: Request) -> object:
        rows = PEOPLE[query(request, "page") * 3 :][:3]
        return rows or JSONResponse({"error": "none"}, 404)

    api.answer = answer
    listing = {"paging": {"kind": "page", "first": 0}, "empty_statuses": [404]}
    reading = connector(api, customers={"path": "/members", **listing}).read()
    assert ids(reading) == list(range(1, 8))


def test_keys_that_several_rows_have_may_skip_one(api: Api) -> None:
    """R14: the page behind 20:00 lacks the other row of 20:00; a total would show it."""
    rows = [{**p, "at": f"2026-11-21T{19 + p['id'] // 2}:00"} for p in PEOPLE]

    def answer(request: Request) -> object:
        after = request.query_params.get("after", "")
        return {"rows": [r for r in rows if r["at"] > after][:3], "of": shown}

    shown: int | None = 7
    api.answer = answer
    keyset = {"path": "/m", "records": "rows", "paging": {"kind": "keyset", "at": "at"}}
    certificate = connector(api, customers=keyset).read().certificate
    assert "Several rows have the same key" in certificate.doubts[0]
    certificate = connector(api, customers={**keyset, "total": "of"}).read().certificate
    assert certificate.doubts == (
        "The ERP states a total of 7, but the number of customers received is 6.",
    )
    rows = [{**p, "at": f"2026-11-21T{10 + p['id']}:00"} for p in PEOPLE]
    assert connector(api, customers=keyset).read().certificate.complete


def test_a_post_with_its_parameters_in_the_body(api: Api) -> None:
    """Square's search: filters and cursor in the body."""

    def answer(_: Request) -> object:
        asked = json.loads(api.bodies[-1])
        at = int(asked.get("cursor", 0))
        return {"customers": PEOPLE[at : at + 3], "cursor": str(at + 3) if at + 3 < 7 else None}

    api.answer = answer
    listing = {
        "path": "/search",
        "method": "POST",
        "params": {"archived": True},
        "records": "customers",
        "paging": {"kind": "cursor", "at": "cursor", "size": 3, "size_param": "limit"},
    }
    assert connector(api, customers=listing).read().certificate.complete
    assert json.loads(api.bodies[0]) == {"archived": True, "limit": 3}


@pytest.mark.parametrize(
    "address", ["https://evil.example.com/members?at=3", "//evil.example.com/"]
)
def test_our_key_goes_to_nobody_else(api: Api, address: str) -> None:
    """A next page on another host is refused, however it is written."""
    api.answer = lambda _: {"items": PEOPLE[:3], "next": address}
    listing = {"path": "/m", "records": "items", "paging": {"kind": "next_url", "at": "next"}}
    with pytest.raises(ContractChanged, match="not on the connection's host"):
        connector(api, customers=listing).read()


# Records, fields, status --------------------------------------------------------------------------


def one(api: Api, record: dict[str, Any], **settings: object) -> dict[str, Any]:
    api.answer = lambda _: [record]
    reading = connector(api, since=None, extra=None, **settings).read()
    return reading.customers.row(0, named=True)


def test_fields_by_dotted_paths_and_jmespath(api: Api) -> None:
    """Nested, in lists, of other types, with the club's calendar."""
    record = {
        "@id": "/people/7",
        "contact": {"phones": ["0612345678"], "emails": [{"v": "a@x.fr"}, {"v": "b@x.fr", "p": 1}]},
        "who": "Anna van der Berg",
        "born": "1990-02-03T00:00:00",
        "made": 1_790_000_000,
        "until": "2026-11-30T23:00:00Z",
        "firm": 0,
    }
    fields = {
        "id": '"@id"',
        "email": "contact.emails[?p].v | [0]",
        "phone": "contact.phones.0",
        "name": "who",
        "birth_date": "born",
        "created_at": "made",
        "valid_until": "until",
        "is_company": "firm",
    }
    row = one(api, record, fields=fields)
    assert (row["erp_id"], row["email"], row["phone"]) == ("/people/7", "b@x.fr", "+33612345678")
    assert (row["first_name"], row["last_name"]) == ("Anna", "van der Berg")
    assert row["birth_date"] == date(1990, 2, 3)
    assert row["created_at"] == datetime.fromtimestamp(1_790_000_000, UTC)
    # midnight in Paris is that day: an exclusive end is not guessed
    assert row["valid_until"] == date(2026, 12, 1)
    assert row["is_company"] is False


@pytest.mark.parametrize(
    ("until", "day", "odd"),
    [
        ("2026-11-30", date(2026, 11, 30), None),
        ("2026-11-30 10:00:00", date(2026, 11, 30), None),
        ("30/11/2026", date(2026, 11, 30), None),
        (1_796_000_000, date(2026, 11, 30), None),
        ("9999-12-31", None, None),
        (None, None, None),
        ("", None, None),
        ("0000-00-00", None, None),
        ("soon", None, "soon"),
        ({"day": 30}, None, "#NOT_TEXT!"),
    ],
)
def test_an_end_that_cannot_be_read_is_not_no_end(
    api: Api, until: Any, day: date | None, odd: str | None
) -> None:
    """R3: what is unknown changes nothing; "never" is a missing date."""
    fields = {"id": "id", "valid_until": "until"}
    row = one(api, {"id": 1, "until": until}, fields=fields)
    unreadable = [{"field": "valid_until", "word": odd, "group": None}] if odd else []
    assert (row["valid_until"], row["unreadable"]) == (day, unreadable)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ({"state": "On"}, "active"),
        ({"state": True}, "active"),
        ({"state": "frozen"}, "paused"),
        ({"state": "gone"}, "unknown"),
        ({"state": None}, "unknown"),
        ({"state": " "}, "unknown"),
        ({"state": "on", "hidden": True}, "archived"),
        ({"state": "on", "tags": ["vip", "banned"]}, "suspended"),
    ],
)
def test_status_rule(api: Api, record: dict[str, Any], status: str) -> None:
    rule = {
        "at": "state",
        "active": ["on", True],
        "paused": ["frozen"],
        "unless": [
            {"at": "hidden", "is": [True], "means": "archived"},
            {"at": "tags", "is": ["banned"], "means": "suspended"},
        ],
    }
    row = one(
        api, {"id": 1, "hidden": False, "tags": [], **record}, fields={"id": "id"}, status=rule
    )
    assert row["status"] == status
    assert row["status_raw"] == ("gone" if record["state"] == "gone" else None)


def test_a_flag_that_no_record_has_is_not_one_that_is_not_set(api: Api) -> None:
    """R3: a renamed `hidden` would let in everybody whom it keeps out; some ERPs have it only where it is set."""
    rule = {
        "at": "state",
        "active": ["on"],
        "unless": [{"at": "hidden", "is": [True], "means": "archived"}],
    }
    api.answer = lambda _: [{**p, "is_hidden": p["id"] == 3} for p in PEOPLE]
    with pytest.raises(ContractChanged, match=r"hidden \(settings: status.unless\)"):
        connector(api, status=rule).read()
    assert connector(api, status=rule, omits_empty=True).read().customers.height == 7
    api.answer = lambda _: [{**p, **({"hidden": True} if p["id"] == 3 else {})} for p in PEOPLE]
    statuses = connector(api, status=rule).read().customers["status"].to_list()
    assert statuses == ["active", "active", "archived", "active", "active", "active", "active"]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("setting", ["from", "until", "ended.at"])
def test_a_key_that_no_membership_has_is_an_error(api: Api, setting: str, listed: bool) -> None:
    """R3: without it every membership would have begun, or would never end."""
    subs = [
        {"plan": 5, "who": p["id"], "starts": "2026-01-01", "ends": None, "s": "ok"} for p in PEOPLE
    ]
    held: dict[str, Any] = {"id": "plan", "from": "starts", "until": "ends"}
    held |= {"ended": {"at": "s", "is": ["over"]}, setting.partition(".")[0]: "renamed"}
    if setting == "ended.at":
        held["ended"] = {"at": "renamed", "is": ["over"]}
    api.answer = lambda r: (
        subs
        if r.url.path == "/subs"
        else [{**p, "subs": [sub]} for p, sub in zip(PEOPLE, subs, strict=True)]
    )
    held |= {"list": {"path": "/subs"}, "customer": "who"} if listed else {"at": "subs"}
    with pytest.raises(ContractChanged, match=rf"7 of 7 .* renamed .*groups\.held\.{setting}"):
        connector(api, groups={"held": held}).read()
    reading = connector(api, groups={"held": held}, omits_empty=True).read()
    assert reading.customers["unreadable"].list.len().sum() == 0


@pytest.mark.parametrize("lost", ["ends", "s"])
def test_a_membership_that_lacks_its_end_is_unknown(api: Api, lost: str) -> None:
    """R3: a key that one membership lacks says nothing of whether it still runs."""
    sub = {"plan": 5, "ends": None, "s": "ok"}
    api.answer = lambda _: [
        {**p, "subs": [{k: v for k, v in sub.items() if k != lost or p["id"] != 3}]} for p in PEOPLE
    ]
    held = {"at": "subs", "id": "plan", "until": "ends", "ended": {"at": "s", "is": ["over"]}}
    rows = connector(api, groups={"held": held}).read().customers.to_dicts()
    odd = {row["erp_id"]: row["unreadable"] for row in rows if row["unreadable"]}
    assert odd == {"3": [{"field": "valid_until", "word": "#NO_KEY!", "group": "5"}]}


def test_groups_inside_the_record(api: Api) -> None:
    """With days; one that is ended is held in the past, and not left out: R3 tells those apart."""
    record = {
        "id": 1,
        "subs": [
            {"plan": {"id": 5, "name": "Gold"}, "from": "2026-01-01", "to": None, "s": "ok"},
            {"plan": {"id": 6, "name": "Pool"}, "from": "2026-01-01", "to": None, "s": "ended"},
            {"plan": {"id": 7, "name": "Day"}, "from": None, "to": "2026-12-01", "s": "ok"},
        ],
    }
    held = {
        "at": "subs",
        "id": "plan.id",
        "name": "plan.name",
        "from": "from",
        "until": "to",
        "until_included": False,
        "ended": {"at": "s", "is": ["ended"]},
    }
    api.answer = lambda _: [record]
    reading = connector(api, fields={"id": "id"}, groups={"held": held}).read()
    spans = {g["id"]: g["valid_until"] for g in reading.customers["groups"][0]}
    assert spans == {"5": None, "6": date(1970, 1, 1), "7": date(2026, 11, 30)}
    assert set(reading.groups.iter_rows()) == {
        ("5", "Gold", True),
        ("6", "Pool", True),
        ("7", "Day", True),
    }


@pytest.mark.parametrize("part", [1, 3, 7, 100])
def test_rows_are_packed_in_parts(api: Api, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Many pages become one frame; wherever the cut falls, rows and what they hold stay together."""
    monkeypatch.setattr(records, "_PART", part)
    held = [{**p, "subs": [{"id": f"g{p['id']}", "to": "2026-12-01"}]} for p in PEOPLE]
    api.answer = lambda r: [p for p in held if p["id"] > query(r, "after")][:2]
    listing = {"path": "/m", "paging": {"kind": "keyset"}}
    groups = {"held": {"at": "subs", "id": "id", "until": "to"}}
    reading = connector(api, customers=listing, groups=groups).read()
    assert ids(reading) == list(range(1, 8))
    assert [row[0]["id"] for row in reading.customers["groups"]] == [f"g{n}" for n in range(1, 8)]
    assert {row[0]["valid_until"] for row in reading.customers["groups"]} == {date(2026, 12, 1)}


def test_a_membership_whose_day_cannot_be_read_is_unknown(api: Api) -> None:
    """R3: read as "never ends", it would give permanent access; the other memberships are read as usual."""
    subs = [{"id": 5, "to": "soon"}, {"id": 6, "to": "2026-11-30"}, {"id": 7, "to": "9999-12-31"}]
    api.answer = lambda _: [{"id": 1, "subs": subs}]
    held = {"at": "subs", "id": "id", "until": "to"}
    row = connector(api, fields={"id": "id"}, groups={"held": held}).read().customers.to_dicts()[0]
    assert [(g["id"], g["valid_until"]) for g in row["groups"]] == [
        ("5", None),
        ("6", date(2026, 11, 30)),
        ("7", None),
    ]
    assert row["unreadable"] == [{"field": "valid_until", "word": "soon", "group": "5"}]


def test_days_of_memberships_are_in_one_order(api: Api) -> None:
    """R3: a day that proves month first, on whatever page, says so of all."""
    until = ["01/02/2026", "11/28/2026", "03/04/2026"]
    api.answer = lambda _: [{"id": n, "subs": [{"id": 5, "to": t}]} for n, t in enumerate(until)]
    held = {"at": "subs", "id": "id", "until": "to"}
    rows = connector(api, fields={"id": "id"}, groups={"held": held}).read().customers["groups"]
    assert [row[0]["valid_until"] for row in rows] == [
        date(2026, 1, 2),
        date(2026, 11, 28),
        date(2026, 3, 4),
    ]


#: One record is odd, each in its own way; `odd` names the fields that cannot be read.
ODD: list[tuple[dict[str, Any], set[str]]] = [
    ({"mail": {"work": "a@x.fr"}}, {"email"}),
    ({"mail": ["a@x.fr"]}, {"email"}),
    ({"born": {"y": 1990}}, {"birth_date"}),
    ({"until": [2026]}, {"valid_until"}),
    ({"state": {"code": 1}}, set()),
    ({"state": None}, set()),
    ({"name": "Zo\ud83d"}, set()),
    ({"groups": "gold"}, {"groups"}),
    ({"groups": [{"id": {"x": 1}}]}, {"groups"}),
]


@pytest.mark.parametrize(("change", "odd"), ODD)
def test_one_odd_record_is_that_records_alone(
    api: Api, change: dict[str, Any], odd: set[str]
) -> None:
    """R3: what is wrong with one record stops no club, and the others are read as ever."""
    people = [
        {
            "id": n,
            "mail": f"p{n}@x.fr",
            "born": "1990-01-02",
            "until": None,
            "state": "on",
            "name": "Ann",
            "groups": [{"id": "gold"}],
        }
        for n in range(1, 21)
    ]
    people[7] |= change
    body = json.dumps({"rows": people})
    api.answer = lambda _: Response(body, media_type="application/json")
    fields = {"id": "id", "email": "mail", "birth_date": "born", "valid_until": "until"}
    reading = connector(
        api,
        customers={"path": "/members", "records": "rows"},
        fields={**fields, "first_name": "name"},
        status={"at": "state", "active": ["on"], "otherwise": "former"},
        groups={"held": {"at": "groups", "id": "id"}},
    ).read()
    rows = reading.customers.to_dicts()
    assert len(rows) == 20
    assert {note["field"] for note in rows[7]["unreadable"]} == odd
    assert rows[7]["status"] == ("unknown" if "state" in change else "active")
    assert {row["status"] for row in rows[:7] + rows[8:]} == {"active"}
    assert not any(row["unreadable"] for row in rows[:7] + rows[8:])


@pytest.mark.parametrize("id", [None, {"x": 1}, [1], True, 1.5, "#REF!", "1,23E+12", "NULL"])
def test_a_record_without_a_usable_id_is_kept_apart(api: Api, id: object) -> None:
    """R14: it is a row without an id, which doubts and stops nothing."""
    api.answer = lambda _: [*PEOPLE, {**PEOPLE[0], "id": id}]
    reading = connector(api, fields={"id": "id", "email": "mail"}).read()
    assert ids(reading) == list(range(1, 8))
    assert reading.without_id is not None
    assert reading.without_id["row"].to_list() == [8]


def test_many_odd_records_are_another_format(api: Api) -> None:
    """More than a tenth, and at least three."""
    people = [{**PEOPLE[0], "id": n} for n in range(1, 21)]
    for row in people[:3]:
        row["mail"] = {"work": "a@x.fr"}
    api.answer = lambda _: people
    with pytest.raises(ContractChanged, match=r"fields\.email is an object with work"):
        connector(api, fields={"id": "id", "email": "mail"}).read()


def test_half_of_the_memberships_are_none(api: Api) -> None:
    """An incomplete second list would remove groups from the people on its missing pages."""

    def answer(request: Request) -> object:
        if request.url.path == "/members":
            return PEOPLE
        page = query(request, "page")
        if page > 1:
            return JSONResponse({}, 500)
        return {"rows": [{"who": 1, "plan": "a"}, {"who": 2, "plan": "a"}], "all": 3}

    api.answer = answer
    listing = {"path": "/passes", "records": "rows", "total": "all", "paging": {"kind": "page"}}
    groups = {"held": {"list": listing, "customer": "who", "id": "plan"}}
    reading = connector(api, groups=groups).read()
    assert not reading.certificate.complete
    assert "could not be read completely" in reading.certificate.doubts[0]
    assert reading.memberships is not None
    assert reading.memberships.proof == "incomplete"


@pytest.mark.parametrize("nobody", [None, "", " ", [7], True])
def test_a_membership_of_nobody_stops_no_club(api: Api, nobody: object) -> None:
    """R3: it may be anybody's, so that nobody loses a group by it (R14)."""
    subs: list[dict[str, Any]] = [{"id": p["id"], "who": p["id"], "plan": 5} for p in PEOPLE]
    subs.append({"id": 99, "who": nobody, "plan": 6})
    api.answer = lambda r: subs if r.url.path == "/subs" else PEOPLE
    held = {"list": {"path": "/subs"}, "customer": "who", "id": "plan"}
    reading = connector(api, groups={"held": held}).read()
    assert [[g["id"] for g in groups] for groups in reading.customers["groups"]] == [["5"]] * 7
    assert reading.memberships is not None
    assert reading.memberships.proof == "incomplete"
    assert reading.certificate.doubts == ("The list at /subs has rows that name no customer: 1.",)
    connector(api, groups={"held": held}).check()
    subs[:3] = [{**sub, "who": nobody} for sub in subs[:3]]
    with pytest.raises(ContractChanged, match=r"groups\.held\.customer"):
        connector(api, groups={"held": held}).read()


def test_conditions_compare_numbers_as_numbers(api: Api) -> None:
    """R3: some JSON writers make every number a decimal; the membership is over all the same."""
    sub = {"plan": 5, "over": 1.0}
    body = json.dumps([{**p, "subs": [sub]} for p in PEOPLE])
    api.answer = lambda _: Response(body, media_type="application/json")
    held = {"at": "subs", "id": "plan", "ended": {"at": "over", "is": [1]}}
    rows = connector(api, groups={"held": held}).read().customers["groups"]
    assert {row[0]["valid_until"] for row in rows} == {date(1970, 1, 1)}


def test_memberships_of_strangers(api: Api) -> None:
    """A join by the wrong id joins nobody, which would take everybody's groups away."""

    def answer(request: Request) -> object:
        return PEOPLE if request.url.path == "/members" else [{"who": "x-1", "plan": "a"}]

    api.answer = answer
    held = {"list": {"path": "/passes"}, "customer": "who", "id": "plan"}
    with pytest.raises(ContractChanged, match=r"groups\.held\.customer"):
        connector(api, groups={"held": held}).read()


# R14: who is missing from a walk is asked for alone ------------------------------------------------


def test_r14_who_is_missing_is_asked_for_alone(api: Api) -> None:
    """One left and one came between two pages: the ERP itself says who is gone, and no second reading is needed."""
    there = list(PEOPLE)

    def answer(request: Request) -> object:
        if request.url.path != "/members":
            found = [p for p in there if f"/members/{p['id']}" == request.url.path]
            return {"member": found[0]} if found else JSONResponse({}, 404)
        rows = {"data": there[query(request, "skip") :][:3], "count": len(there)}
        if there[0] is PEOPLE[0]:
            del there[0]
            there.append({**PEOPLE[0], "id": 99})
        return rows

    api.answer = answer
    customers = {
        "path": "/members",
        "records": "data",
        "total": "count",
        "paging": {"kind": "offset", "param": "skip"},
        "one": {"path": "/members/{id}", "record": "member"},
    }
    everybody = [str(person["id"]) for person in PEOPLE]
    reader = connector(api, customers=customers)
    reader.known = lambda: [*everybody, "77"]
    reading = reader.read()
    assert reading.certificate.complete
    assert reading.consistency == "by id"
    # the first of the list was read before it left; 77 is gone, and the fourth was only hidden
    assert set(reading.customers["erp_id"]) == {*everybody, "99"}

    del there[:]
    there.extend(PEOPLE)
    reader = connector(api, customers=customers)
    reader.known = lambda: [str(n) for n in range(1000, 1100)]
    assert reader.read().consistency == "by position"


# Wrong settings are found, and named ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named", "found"),
    [
        ({"customers": {"path": "/members", "records": "items"}}, "customers.records", "rows, of"),
        (
            {"customers": {"path": "/members", "records": "rows", "total": "n"}},
            "customers.total",
            "rows, of",
        ),
        ({"fields": {"id": "uid", "email": "mail"}}, "fields.id", "id, mail, state, tags, plan"),
        ({"fields": {"id": "state", "email": "mail"}}, "fields.id", "same state"),
        (
            {"fields": {"id": "id", "email": "e_mail"}},
            "fields.email",
            "id, mail, state, tags, plan",
        ),
        ({"fields": {"id": "id", "email": "state"}}, "fields.email", "is an email"),
        ({"fields": {"id": "id", "email": "plan"}}, "fields.email", "an object with code, ends"),
        (
            {"status": {"at": "status", "active": ["on"]}},
            "status.at",
            "id, mail, state, tags, plan",
        ),
        ({"status": {"at": "state", "active": ["yes"]}}, "status.at", "None of the records (7)"),
        ({"groups": {"held": {"at": "groups"}}}, "groups.held.at", "id, mail, state, tags, plan"),
        ({"groups": {"held": {"at": "plan", "id": "id"}}}, "groups.held.id", "code, ends"),
        (
            {"groups": {"held": {"at": "plan", "id": "code", "until": "ends"}}},
            "groups.held.until",
            "day",
        ),
        (
            {
                "groups": {
                    "held": {"at": "plan", "id": "code"},
                    "known": {"list": {"path": "/plans"}, "id": "id"},
                }
            },
            "groups.known.id",
            "None of the groups that customers hold (1)",
        ),
        ({"customers": {"path": "/nowhere", "records": "rows"}}, "/nowhere", "404"),
    ],
)
def test_check_names_the_setting(
    api: Api, settings: dict[str, Any], named: str, found: str
) -> None:
    """`clubsync clubs check` says which setting, what there is instead, and what to do; no values."""
    plan = {"code": "gold", "ends": "whenever"}
    rows = [{**p, "tags": [], "plan": plan} for p in PEOPLE]

    def answer(request: Request) -> object:
        if request.url.path == "/plans":
            return [{"id": 12, "name": "Gold"}]
        if request.url.path == "/nowhere":
            return JSONResponse({}, 404)
        return {"rows": rows, "of": "seven"}

    api.answer = answer
    wrong = {"customers": {"path": "/members", "records": "rows"}, **settings}
    with pytest.raises(ConnectorError) as told:
        connector(api, **wrong).check()
    said = str(told.value)
    assert named in said
    assert found in said
    assert not any(f"p{n}@" in said for n in range(9))
    assert "whenever" not in said


def test_check_says_what_it_found(api: Api) -> None:
    api.answer = lambda _: {"rows": PEOPLE, "of": 812}
    listing = {"path": "/m", "records": "rows", "total": "of"}
    rule = {"at": "state", "active": ["off"], "otherwise": "former"}
    said = connector(api, customers=listing, status=rule).check()
    assert said == "Login works: 812 customers, 7 on the first page."


def test_what_is_left_out_when_empty(api: Api) -> None:
    """A key that no record has is a mistake, unless the ERP is one that leaves out empty ones."""
    api.answer = lambda _: [{"id": 1}, {"id": 2}]
    with pytest.raises(ContractChanged, match=r"omits_empty"):
        connector(api).read()
    reading = connector(api, omits_empty=True).read()
    assert reading.customers["email"].null_count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": {"id": "a["}},
        {"customers": {"path": "members"}},
        {"customers": {"path": "/m?x=1"}},
        {"customers": {"path": "/m", "paging": {"kind": "page", "size": 5}}},
        {"customers": {"path": "/m", "paging": {"kind": "cursor"}}},
        {"customers": {"path": "/m", "paging": {"kind": "scroll"}}},
        {"customers": {"path": "/m", "changes": {"param": "s", "format": "rfc"}}},
        {"status": {"at": "s"}},
        {"status": {"at": "s", "active": ["x"], "former": ["X"]}},
        {"groups": {"held": {"id": "x"}}},
        {"groups": {"held": {"list": {"path": "/p"}}}},
        {"auth": {"kind": "bearer", "token": "hunter2"}},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    """Found before anything is asked."""
    with pytest.raises(ValidationError):
        RestSettings.model_validate({**BARE, "customers": {"path": "/m"}, **wrong})


# Errors in a 200 ----------------------------------------------------------------------------------

ERRORS = {
    "at": "error",
    "code": "error.code",
    "refused": ["BAD_KEY"],
    "expired": ["OLD"],
    "throttled": ["SLOW"],
    "wait": "error.wait",
}


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ({"code": "BAD_KEY", "text": "Ana Ruiz"}, CredentialsRefused),
        ({"code": "OLD"}, CredentialsRefused),
        ({"code": "SLOW", "wait": 3600}, RateLimited),
        ({"code": "SLOW", "wait": None}, RateLimited),
        ({"code": "OOPS", "text": "Ana Ruiz"}, ErpUnreachable),
        ("Ana Ruiz", ErpUnreachable),
    ],
)
def test_errors_in_a_200(api: Api, error: object, raised: type[ConnectorError]) -> None:
    """They mean what the same status would; the ERP's text is not passed on."""
    api.answer = lambda _: {"error": error, "rows": []}
    with pytest.raises(raised) as told:
        connector(api, customers={"path": "/m", "records": "rows"}, errors=ERRORS).read()
    assert "Ana" not in str(told.value)
    if isinstance(error, dict) and error.get("wait"):
        assert isinstance(told.value, RateLimited)
        assert told.value.retry_after == timedelta(hours=1)


def test_a_moments_wait_in_a_200_is_waited(api: Api) -> None:
    """Like a 429 that says so."""
    told = iter([{"error": {"code": "SLOW", "wait": 0.01}}, {"error": None, "rows": PEOPLE}])
    api.answer = lambda _: next(told)
    settings = {**BARE["http"], "attempts": 2}
    customers = {"path": "/m", "records": "rows"}
    reading = connector(api, customers=customers, errors=ERRORS, http=settings).read()
    assert reading.certificate.complete


def test_a_session_that_ran_out_in_a_200(api: Api) -> None:
    """One new log-in, and the walk goes on where it was."""
    given = iter("abc")
    old: set[str] = set()

    def answer(request: Request) -> object:
        if request.url.path == "/login":
            return {"session": next(given)}
        session = request.headers["x-session"]
        if query(request, "after") == 3 and not old:
            old.add(session)
        if session in old:
            return {"error": {"code": "OLD"}}
        return {"rows": PEOPLE[query(request, "after") :][:3]}

    api.answer = answer
    auth = {
        "kind": "session",
        "path": "/login",
        "send": {"key": "{password}"},
        "token": "session",
        "headers": {"X-Session": "{token}"},
    }
    customers = {"path": "/m", "records": "rows", "paging": {"kind": "keyset"}}
    reading = connector(api, auth=auth, customers=customers, errors=ERRORS).read()
    assert (ids(reading), reading.certificate.complete) == (list(range(1, 8)), True)
    assert [r.url.path for r in api.asked].count("/login") == 2


# Incremental cursor -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("iso", "2026-11-21T08:50:00Z"),
        ("epoch", "1795251000"),
        ("epoch_ms", "1795251000000"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-21 08:50:00"),
    ],
)
def test_only_what_changed(api: Api, how: str, said: str) -> None:
    """Asked from the last certified reading on, with an overlap; never certified."""
    api.answer = lambda _: PEOPLE[:1]
    customers = {"path": "/m", "changes": {"param": "since", "format": how}}
    it = connector(api, customers=customers, since=datetime(2026, 11, 21, 9, tzinfo=UTC))
    reading = it.read()
    assert api.asked[0].query_params["since"] == said
    assert reading.since == datetime(2026, 11, 21, 8, 50, tzinfo=UTC)
    assert reading.certificate.doubts == ("Only what changed since 2026-11-21 08:50 UTC was read.",)
    assert it.read(full=True).certificate.complete
    assert "since" not in api.asked[1].query_params


def test_what_is_not_used_is_known_by_name_only(api: Api) -> None:
    """Columns are the ERP's own paths (R22); a key that is itself data is not one (R19)."""
    record = {
        "id": 1,
        "mail": "a@x.fr",
        "bank": {"iban": "FR76"},
        "subs": [{"plan": 1}],
        "by_email": {"ana@example.com": 1, "Ana Ruiz": 2},
    }
    api.answer = lambda _: [record]
    reading = connector(api).read()
    assert reading.columns == ("id", "mail", "bank.iban", "subs[].plan")
    assert dict(reading.column_of) == {"erp_id": "id", "email": "mail"}


NAMES = [{"id": n, "name": {"en": f"Plan {n}", "fr": f"Formule {n}"}} for n in range(1, 4)]


@pytest.mark.parametrize(
    ("name", "plans"),
    [("name", NAMES), ("title", [{"id": n, "name": "x"} for n in range(1, 4)])],
)
def test_a_group_list_without_a_single_name(
    api: Api, name: str, plans: list[dict[str, Any]]
) -> None:
    """R4: the ids would become the names of automatic groups."""
    api.answer = lambda r: plans if r.url.path == "/plans" else PEOPLE
    groups = {
        "held": {"at": "state"},
        "known": {"list": {"path": "/plans"}, "name": name},
    }
    with pytest.raises(ContractChanged, match=r"groups\.known\.name") as said:
        connector(api, groups=groups).read()
    assert said.value.remedy is not None
    assert f"{name}.en" in said.value.remedy


def test_one_group_without_a_name_has_its_id(api: Api) -> None:
    plans = [*NAMES, {"id": 4}, {"id": 5, "name": {"fr": "Nom"}}]
    api.answer = lambda r: plans if r.url.path == "/plans" else PEOPLE
    groups = {"held": {"at": "state"}, "known": {"list": {"path": "/plans"}, "name": "name.en"}}
    found = connector(api, groups=groups).read().groups
    assert found["name"].to_list() == ["Plan 1", "Plan 2", "Plan 3", "4", "5"]


@pytest.mark.parametrize("name", ["name", "title"])
def test_held_groups_without_a_single_name(api: Api, name: str) -> None:
    people = [{**person, "plans": NAMES[:1]} for person in PEOPLE]
    api.answer = lambda _: people
    groups = {"held": {"at": "plans", "id": "id", "name": name}}
    with pytest.raises(ContractChanged, match=r"groups\.held\.name"):
        connector(api, groups=groups).read()
    api.answer = lambda _: people[:1]  # of a single one, it may be odd
    assert connector(api, groups=groups).read().groups["name"].to_list() == ["1"]


_LOGIN = """mutation ($user: String!, $secret: String!) {
  login(user: $user, secret: $secret) { ... on Error { code } }
}"""
_BY_HEADER = {
    "kind": "session",
    "path": "/graphql",
    "send": {"query": _LOGIN, "variables": {"user": "{login}", "secret": "{password}"}},
    "token_header": "x-auth-token",
}


def test_a_login_by_graphql_with_its_token_in_a_header(api: Api) -> None:
    def answer(request: Request) -> object:
        if request.url.path == "/graphql":
            return JSONResponse({"data": {"login": {}}}, headers={"x-auth-token": "t0k"})
        assert request.headers["authorization"] == "Bearer t0k"
        return PEOPLE

    api.answer = answer
    assert ids(connector(api, auth=_BY_HEADER).read()) == [1, 2, 3, 4, 5, 6, 7]
    variables = {"user": "me", "secret": "s3cret"}
    assert json.loads(api.bodies[0]) == {"query": _LOGIN, "variables": variables}


def test_a_login_whose_answer_lacks_the_header(api: Api) -> None:
    """GraphQL rejects credentials with status 200."""
    api.answer = lambda _: {"data": {"login": {"code": "INVALID"}}}
    with pytest.raises(CredentialsRefused, match="x-auth-token"):
        connector(api, auth=_BY_HEADER).read()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"send": {"password": "s3cret"}}, "looks like a secret"),
        ({"send": {"variables": {"password": "s3cret"}}}, "looks like a secret"),
        ({"form": True}, "form"),
        ({"token": "at"}, "not both"),
    ],
)
def test_a_login_that_cannot_be(api: Api, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        connector(api, auth={**_BY_HEADER, **wrong})
