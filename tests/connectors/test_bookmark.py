"""What `Http` does with a bookmark, and what of an answer may lie on one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.playtomic.connector import PlaytomicConnector, PlaytomicSettings
from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ConnectorError, ErpUnreachable
from connectors.sdk.http import Http, HttpLimits
from connectors.sdk.resume import Bookmark, Only, QuestionDiffers
from tests.contract.case import CLUB
from tests.support.api import Api

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


class Paper(Bookmark):
    """A bookmark in memory."""

    def __init__(self, begun: datetime | None = None) -> None:
        super().__init__(begun)
        self.answers: list[tuple[bytes, bytes]] = []
        self.read = 0

    def recall(self, question: bytes) -> bytes | None:
        if self.read == len(self.answers):
            return None
        asked, answer = self.answers[self.read]
        if asked != question:
            raise QuestionDiffers
        self.read += 1
        return answer

    def keep(self, question: bytes, answer: bytes) -> None:
        self.answers.append((question, answer))
        self.read += 1

    def again(self) -> Paper:
        """The same, from its beginning."""
        copy = Paper(self.begun)
        copy.answers = self.answers
        return copy


def speaking(written: Api, paper: Bookmark | None, **how: Any) -> Http:
    limits = HttpLimits(attempts=1, **how.pop("limits", {}))
    return Http(written.url, "ERP", limits, now=lambda: NOW, bookmark=paper, **how)


class Inner(msgspec.Struct, rename="camel"):
    until_day: str


class Outer(msgspec.Struct):
    plans: list[Inner] | None


class Someone(msgspec.Struct):
    id: int
    born: datetime | None = None


class SomeoneMore(Someone):
    ends: str | None = None


def test_a_kept_answer_is_not_asked_for_again(written: Api) -> None:
    written.answers["/a"] = {"id": 1, "born": "1990-01-02T00:00:00Z", "iban": "FR76"}
    paper = Paper()
    first = speaking(written, paper).json("GET", "/a", Someone, params={"page": 1})
    again = paper.again()
    assert speaking(written, again).json("GET", "/a", Someone, params={"page": 1}) == first
    assert written.paths() == ["/a"]
    assert b"FR76" not in paper.answers[0][1]


@pytest.mark.parametrize(
    "other",
    [
        lambda http: http.json("GET", "/b", Someone, params={"page": 1}),
        lambda http: http.json("GET", "/a", Someone, params={"page": 2}),
        lambda http: http.json("POST", "/a", Someone, params={"page": 1}),
        lambda http: http.json("GET", "/a", Someone, params={"page": 1}, body={"x": 1}),
        lambda http: http.ask(
            "GET", "/a", Someone, params={"page": 1}, headers={"Range": "items=0-9"}
        ),
    ],
)
def test_another_question_is_no_end_of_a_walk(written: Api, other: Callable[[Http], Any]) -> None:
    """It is no `ConnectorError`: a walk that took it for one would keep what came before."""
    written.answers |= {"/a": {"id": 1}, "/b": {"id": 2}}
    paper = Paper()
    speaking(written, paper).json("GET", "/a", Someone, params={"page": 1})
    with pytest.raises(QuestionDiffers) as told:
        other(speaking(written, paper.again()))
    assert not isinstance(told.value, ConnectorError)


def test_an_answer_of_another_form_is_another_question(written: Api) -> None:
    """A connector that was changed meanwhile takes more from it than was kept: not having it is not being empty."""
    written.answers["/a"] = {"id": 1, "ends": "2026-03-02"}
    paper = Paper()
    speaking(written, paper).json("GET", "/a", Someone)
    with pytest.raises(QuestionDiffers):
        speaking(written, paper.again()).json("GET", "/a", SomeoneMore)
    plain = Paper()
    speaking(written, plain, needed=Only.of(paths=["id"])).json("GET", "/a", object)
    more = Only.of(paths=["id", "ends"])
    with pytest.raises(QuestionDiffers):
        speaking(written, plain.again(), needed=more).json("GET", "/a", object)


def test_a_kept_answer_that_is_none_is_none(written: Api) -> None:
    """A file that was cut when the machine went down."""
    written.answers["/a"] = {"id": 1}
    paper = Paper()
    speaking(written, paper).json("GET", "/a", Someone)
    (question, answer) = paper.answers.pop()
    for broken in (b"", answer[:-3], b"[]"):
        paper.answers = [(question, broken)]
        with pytest.raises(QuestionDiffers):
            speaking(written, paper.again()).json("GET", "/a", Someone)


def test_a_log_in_is_never_kept(written: Api) -> None:
    written.answers |= {"/login": {"token": "t0ken"}, "/a": {"id": 1}}
    paper = Paper()

    def login(http: Http) -> str:
        return str(http.json("POST", "/login", dict[str, str], login=False)["token"])

    speaking(written, paper, login=login).json("GET", "/a", Someone)
    assert written.paths() == ["/login", "/a"]
    assert len(paper.answers) == 1
    assert b"t0ken" not in b"".join(a + b for a, b in paper.answers)


def test_headers_that_page_are_kept_and_no_others(written: Api) -> None:
    from starlette.responses import JSONResponse

    told = {"Link": '<x>; rel="next"', "X-Count": "9", "Set-Cookie": "session=s3cret"}
    written.answers["/a"] = JSONResponse([], headers=told)
    paper = Paper()
    speaking(written, paper, told=["x-count"]).ask("GET", "/a", list[Any])
    kept = speaking(written, paper.again()).ask("GET", "/a", list[Any])
    assert (kept.headers["link"], kept.headers["X-COUNT"]) == ('<x>; rel="next"', "9")
    assert b"s3cret" not in paper.answers[0][1]


def test_a_status_that_says_nothing_is_kept_as_such(written: Api) -> None:
    paper = Paper()
    for _ in range(2):
        reply = speaking(written, paper).ask("GET", "/none", list[Any], absent=frozenset({404}))
        assert (reply.value, reply.status) == (None, 404)
        paper = paper.again()
    assert written.paths() == ["/none"]


def test_what_ended_the_talk_is_known_until_it_goes_on(written: Api) -> None:
    from starlette.responses import Response

    paper = Paper()
    written.answers["/a"] = Response(status_code=500)
    with pytest.raises(ErpUnreachable):
        speaking(written, paper).json("GET", "/a", Someone)
    assert isinstance(paper.broken, ErpUnreachable)
    written.answers["/a"] = {"id": 1}
    speaking(written, paper).json("GET", "/a", Someone)
    assert paper.broken is None


def test_r14_the_time_of_a_reading_counts_from_its_first_question(written: Api) -> None:
    """`max_seconds` is for one reading, however often it broke off."""
    written.answers["/a"] = {"id": 1}
    late = Paper(NOW - timedelta(seconds=300))
    with pytest.raises(ErpUnreachable, match="longer than 300 s"):
        speaking(written, late).json("GET", "/a", Someone)
    in_time = Paper(NOW - timedelta(seconds=200))
    assert speaking(written, in_time).json("GET", "/a", Someone).id == 1


def test_r19_only_what_is_needed() -> None:
    """Values under other keys go, also under names that are needed elsewhere; names stay, keys that are data do not."""
    only = Only.of(Outer, paths=["contact.mail", "tags[?kind=='x'].name | [0]", None])
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
    return RestConnector(Connection("c", "http://x"), made, CLUB, now=lambda: NOW).goes_on_within


def paged(**paging: Any) -> dict[str, Any]:
    return {"path": "/p", "records": "p", **paging}


@pytest.mark.parametrize(
    ("settings", "goes_on"),
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
def test_r14_which_readings_of_a_json_api_are_gone_on_with(
    settings: dict[str, Any], goes_on: bool
) -> None:
    """Not where a cursor may be forgotten unnoticed, nor where nobody can say what need not be kept (R19)."""
    assert within(settings) == (timedelta(seconds=300) if goes_on else None)
    assert within({**settings, "http": {"max_seconds": 60}}) == (
        timedelta(seconds=60) if goes_on else None
    )


def test_r14_playtomic_begins_anew() -> None:
    """No total, and nobody says how long a cursor lives."""
    club = Club("c", CLUB.timezone, "FR")
    connector = PlaytomicConnector(
        Connection("c", "http://x"), PlaytomicSettings(venue_id="v"), club, now=lambda: NOW
    )
    assert connector.goes_on_within is None
