"""Resuming a reading: what `Http` does with a bookmark, and which parts of a response may be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.playtomic.connector import PlaytomicConnector, PlaytomicSettings
from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ConnectorError, ErpUnreachable
from connectors.sdk.http import Http, HttpLimits
from connectors.sdk.resume import Bookmark, FieldFilter, RequestDiffers
from tests.contract.case import CLUB
from tests.support.api import Api

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


class Paper(Bookmark):
    """A bookmark in memory."""

    def __init__(self, started_at: datetime | None = None) -> None:
        super().__init__(started_at)
        self.responses: list[tuple[bytes, bytes]] = []
        self.read = 0

    def recall(self, request: bytes) -> bytes | None:
        if self.read == len(self.responses):
            return None
        stored, response = self.responses[self.read]
        if stored != request:
            raise RequestDiffers
        self.read += 1
        return response

    def keep(self, request: bytes, response: bytes) -> None:
        self.responses.append((request, response))
        self.read += 1

    def again(self) -> Paper:
        """The same, from its beginning."""
        copy = Paper(self.started_at)
        copy.responses = self.responses
        return copy


def client(
    written: Api,
    paper: Bookmark | None,
    *,
    login: Callable[[Http], str | Mapping[str, str]] | None = None,
    stored_fields: FieldFilter | None = None,
    stored_headers: Sequence[str] = (),
) -> Http:
    return Http(
        written.url,
        "ERP",
        HttpLimits(attempts=1),
        login=login,
        now=lambda: NOW,
        bookmark=paper,
        stored_fields=stored_fields,
        stored_headers=stored_headers,
    )


class Inner(msgspec.Struct, rename="camel"):
    until_day: str


class Outer(msgspec.Struct):
    plans: list[Inner] | None


class Someone(msgspec.Struct):
    id: int
    born: datetime | None = None


class SomeoneMore(Someone):
    ends: str | None = None


def test_a_stored_response_is_not_requested_again(written: Api) -> None:
    written.answers["/a"] = {"id": 1, "born": "1990-01-02T00:00:00Z", "iban": "FR76"}
    paper = Paper()
    first = client(written, paper).json("GET", "/a", Someone, params={"page": 1})
    again = paper.again()
    assert client(written, again).json("GET", "/a", Someone, params={"page": 1}) == first
    assert written.paths() == ["/a"]
    assert b"FR76" not in paper.responses[0][1]


@pytest.mark.parametrize(
    "other",
    [
        lambda http: http.json("GET", "/b", Someone, params={"page": 1}),
        lambda http: http.json("GET", "/a", Someone, params={"page": 2}),
        lambda http: http.json("POST", "/a", Someone, params={"page": 1}),
        lambda http: http.json("GET", "/a", Someone, params={"page": 1}, body={"x": 1}),
        lambda http: http.request(
            "GET", "/a", Someone, params={"page": 1}, headers={"Range": "items=0-9"}
        ),
    ],
)
def test_another_question_is_no_end_of_a_walk(
    written: Api, other: Callable[[Http], object]
) -> None:
    """It is no `ConnectorError`: a walk that took it for one would keep what came before."""
    written.answers |= {"/a": {"id": 1}, "/b": {"id": 2}}
    paper = Paper()
    client(written, paper).json("GET", "/a", Someone, params={"page": 1})
    with pytest.raises(RequestDiffers) as told:
        other(client(written, paper.again()))
    assert not isinstance(told.value, ConnectorError)


def test_reading_more_fields_is_another_request(written: Api) -> None:
    """A connector that was changed meanwhile reads more than was stored: not stored does not mean empty."""
    written.answers["/a"] = {"id": 1, "ends": "2026-03-02"}
    paper = Paper()
    client(written, paper).json("GET", "/a", Someone)
    with pytest.raises(RequestDiffers):
        client(written, paper.again()).json("GET", "/a", SomeoneMore)
    plain = Paper()
    client(written, plain, stored_fields=FieldFilter.of(paths=["id"])).json("GET", "/a", object)
    more = FieldFilter.of(paths=["id", "ends"])
    with pytest.raises(RequestDiffers):
        client(written, plain.again(), stored_fields=more).json("GET", "/a", object)


def test_a_damaged_stored_response_is_none(written: Api) -> None:
    """A file that was truncated when the machine went down."""
    written.answers["/a"] = {"id": 1}
    paper = Paper()
    client(written, paper).json("GET", "/a", Someone)
    (request, response) = paper.responses.pop()
    for broken in (b"", response[:-3], b"[]"):
        paper.responses = [(request, broken)]
        with pytest.raises(RequestDiffers):
            client(written, paper.again()).json("GET", "/a", Someone)


def test_a_login_is_never_stored(written: Api) -> None:
    written.answers |= {"/login": {"token": "t0ken"}, "/a": {"id": 1}}
    paper = Paper()

    def login(http: Http) -> str:
        return str(http.json("POST", "/login", dict[str, str], login=False)["token"])

    client(written, paper, login=login).json("GET", "/a", Someone)
    assert written.paths() == ["/login", "/a"]
    assert len(paper.responses) == 1
    assert b"t0ken" not in b"".join(a + b for a, b in paper.responses)


def test_paging_headers_are_stored_and_no_others(written: Api) -> None:
    from starlette.responses import JSONResponse

    told = {"Link": '<x>; rel="next"', "X-Count": "9", "Set-Cookie": "session=s3cret"}
    written.answers["/a"] = JSONResponse([], headers=told)
    paper = Paper()
    client(written, paper, stored_headers=["x-count"]).request("GET", "/a", list[Any])
    kept = client(written, paper.again()).request("GET", "/a", list[Any])
    assert (kept.headers["link"], kept.headers["X-COUNT"]) == ('<x>; rel="next"', "9")
    assert b"s3cret" not in paper.responses[0][1]


def test_an_empty_status_is_stored_as_such(written: Api) -> None:
    paper = Paper()
    for _ in range(2):
        reply = client(written, paper).request(
            "GET", "/none", list[Any], empty_statuses=frozenset({404})
        )
        assert (reply.value, reply.status) == (None, 404)
        paper = paper.again()
    assert written.paths() == ["/none"]


def test_the_error_is_known_until_the_reading_resumes(written: Api) -> None:
    from starlette.responses import Response

    paper = Paper()
    written.answers["/a"] = Response(status_code=500)
    with pytest.raises(ErpUnreachable):
        client(written, paper).json("GET", "/a", Someone)
    assert isinstance(paper.error, ErpUnreachable)
    written.answers["/a"] = {"id": 1}
    client(written, paper).json("GET", "/a", Someone)
    assert paper.error is None


def test_a_request_that_the_reading_does_not_need_leaves_no_trace(written: Api) -> None:
    """A logout that fails is no interruption of a reading that was complete by then."""
    from starlette.responses import Response

    paper = Paper()
    written.answers |= {"/a": {"id": 1}, "/logout": Response(status_code=500)}
    http = client(written, paper)
    http.json("GET", "/a", Someone)
    with pytest.raises(ErpUnreachable):
        http.json("POST", "/logout", Someone, once=True)
    assert paper.error is None
    assert len(paper.responses) == 1


def test_r14_the_time_of_a_reading_counts_from_its_first_request(written: Api) -> None:
    """`max_seconds` is for one reading, however often it was interrupted."""
    written.answers["/a"] = {"id": 1}
    late = Paper(NOW - timedelta(seconds=300))
    with pytest.raises(ErpUnreachable, match="longer than 300 s"):
        client(written, late).json("GET", "/a", Someone)
    in_time = Paper(NOW - timedelta(seconds=200))
    assert client(written, in_time).json("GET", "/a", Someone).id == 1


def test_r19_only_what_is_needed() -> None:
    """Other values are dropped, also under names that are needed elsewhere; names stay, keys that are data do not."""
    only = FieldFilter.of(Outer, paths=["contact.mail", "tags[?kind=='x'].name | [0]", None])
    assert only(
        {
            "contact": {"mail": "a@x.fr", "note": "secret"},
            "bank": {"name": "secret", "ids": [{"name": "secret"}]},
            "plans": [{"untilDay": "2026-03-02", "price": 3}],
            "tags": [{"kind": "x", "name": "gold", "by": "secret"}],
            "ana@x.fr": {"mail": "secret"},
        }
    ) == {
        "contact": {"mail": "a@x.fr", "note": None},
        "bank": {"name": None, "ids": [{"name": None}]},
        "plans": [{"untilDay": "2026-03-02", "price": None}],
        "tags": [{"kind": "x", "name": "gold", "by": None}],
    }


def within(settings: dict[str, Any]) -> timedelta | None:
    base = {"customers": {"path": "/p", "records": "p"}, "fields": {"id": "id"}}
    made = RestSettings.model_validate({**base, **settings})
    return RestConnector(Connection("c", "http://x"), made, CLUB, now=lambda: NOW).resumable_for


def paged(**paging: object) -> dict[str, Any]:
    return {"path": "/p", "records": "p", **paging}


@pytest.mark.parametrize(
    ("settings", "resumable"),
    [
        ({}, True),
        ({"customers": paged(paging={"kind": "keyset"})}, True),
        ({"customers": paged(paging={"kind": "page"}, total="n")}, True),
        ({"customers": paged(paging={"kind": "cursor", "at": "next"}, total="n")}, True),
        ({"customers": paged(paging={"kind": "cursor", "at": "next"})}, False),
        ({"customers": paged(paging={"kind": "link"})}, False),
        ({"customers": paged(paging={"kind": "link"}, total_header="X-Count")}, True),
        ({"customers": paged(paging={"kind": "next_url", "at": "next"})}, False),
        (
            {
                "groups": {
                    "held": {
                        "list": paged(paging={"kind": "cursor", "at": "next"}),
                        "customer": "who",
                    }
                }
            },
            False,
        ),
        ({"fields": {"id": "id", "name": "join(' ', [first, last])"}}, False),
        ({"fields": {"id": "id", "email": "mails.*.value"}}, False),
        ({"fields": {"id": "@id", "email": "mails[?main].value | [0]"}}, True),
    ],
)
def test_r14_which_readings_of_a_json_api_can_be_resumed(
    settings: dict[str, Any], resumable: bool
) -> None:
    """Not if a cursor may be forgotten unnoticed, nor if it is unknown which fields need not be stored (R19)."""
    assert within(settings) == (timedelta(seconds=300) if resumable else None)
    assert within({**settings, "http": {"max_seconds": 60}}) == (
        timedelta(seconds=60) if resumable else None
    )


def test_r14_playtomic_is_never_resumed() -> None:
    """There is no total, and the lifetime of a cursor is documented nowhere."""
    club = Club("c", CLUB.timezone, "FR")
    connector = PlaytomicConnector(
        Connection("c", "http://x"), PlaytomicSettings(venue_id="v"), club, now=lambda: NOW
    )
    assert connector.resumable_for is None
