"""What a walk through pages proves, and what it leaves in doubt (R14): each rule for a connector in Python and for
one by settings (`rest`), against an API whose pages the test writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse

from connectors.rest import RestConnector, RestSettings
from connectors.rest.paging import walk_of
from connectors.sdk.base import Club, Connection, Connector, Settings
from connectors.sdk.errors import ConnectorError, ContractChanged, ErpUnreachable
from connectors.sdk.http import Http, HttpLimits
from connectors.sdk.model import Consistency, Reading, customers_frame, groups_frame
from connectors.sdk.paging import (
    MAX_EMPTY_PAGES,
    Order,
    Page,
    Walk,
    next_offset,
    walk_by_id,
)
from tests.support.api import Api, Asked

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CLUB = Club("gym", ZoneInfo("Europe/Paris"), "FR")
MEMBERS = "/members"
ORDERS = ("cursor", "position", "key")

Fetch = Callable[[Any], Page[dict[str, Any], Any]]


class PlainSettings(Settings):
    """:param order: how the API pages."""

    order: str = "cursor"
    http: HttpLimits = HttpLimits()


class PlainConnector(Connector[PlainSettings]):
    """A connector as one writes it in Python."""

    name: ClassVar[str] = "plain"
    title: ClassVar[str] = "The ERP"
    settings_type: ClassVar[type[Settings]] = PlainSettings

    def read(self, *, full: bool = False) -> Reading:
        as_of = self.start()
        with Http.of(self, self.connection.host, self.settings.http) as http:
            walk = self.walk(http)
            rows = [{"erp_id": text(row.get("id")), "status": "active"} for row in walk.all_rows()]
        return walk.reading(
            customers_frame(rows), groups_frame([]), as_of=as_of, column_of={"erp_id": "id"}
        )

    def check(self) -> str:
        return "Fine."

    def walk(self, http: Http) -> Walk[dict[str, Any], Any]:
        """The walk through the members."""
        order = self.settings.order
        limits, progress = self.settings.http, self.progress
        if order == "single":
            return Walk(self._single(http), "", limits, order=Order.SINGLE, progress=progress)
        if order == "position":
            return Walk(self._position(http), 0, limits, order=Order.POSITION, progress=progress)
        if order == "key":
            return Walk(self._key(http), 0, limits, order=Order.KEY, progress=progress)
        probe = lambda: bool(self._page(http, n=1).get("next"))  # noqa: E731  # as connectors do
        return Walk(
            self._cursor(http), "", limits, order=Order.CURSOR, progress=progress, probe=probe
        )

    def _page(self, http: Http, **params: Any) -> dict[str, Any]:
        reply = http.request(
            "GET", MEMBERS, dict[str, Any], params=params, empty_statuses=frozenset({404})
        )
        return reply.value or {"rows": []}

    def _single(self, http: Http) -> Fetch:
        def fetch(_: str) -> Page[dict[str, Any], Any]:
            found = self._page(http)
            return Page(found["rows"], ids(found), None, end_stated=False)

        return fetch

    def _position(self, http: Http) -> Fetch:
        def fetch(offset: int) -> Page[dict[str, Any], Any]:
            found = self._page(http, offset=offset)
            rows, total = found["rows"], found.get("total")
            if total is None:
                following = offset + len(rows) if rows else None
            else:
                following = next_offset(offset, len(rows), total)
            return Page(rows, ids(found), following, total, end_stated=False)

        return fetch

    def _key(self, http: Http) -> Fetch:
        def fetch(after: int) -> Page[dict[str, Any], Any]:
            found = self._page(http, after=after)
            keys = [row["id"] for row in found["rows"]]
            following = keys[-1] if keys else None
            return Page(found["rows"], keys, following, found.get("total"), keys=keys)

        return fetch

    def _cursor(self, http: Http) -> Fetch:
        def fetch(cursor: str) -> Page[dict[str, Any], Any]:
            found = self._page(http, **({"cursor": cursor} if cursor else {}))
            more, following = found.get("more"), found.get("next") or None
            lost = ContractChanged("There is more, but not where.")
            return Page(
                found["rows"],
                ids(found),
                following,
                found.get("total"),
                end_stated="next" in found,
                dead_end=lost if more and following is None else None,
            )

        return fetch


def text(value: Any) -> str | None:
    return None if value is None else str(value)


def ids(found: dict[str, Any]) -> list[Any]:
    return [row.get("id") for row in found["rows"]]


#: the same API by settings.
PAGING: dict[str, dict[str, Any]] = {
    "single": {"kind": "none"},
    "position": {"kind": "offset"},
    "cursor": {"kind": "cursor", "at": "next", "size": 3, "size_param": "n"},
    "key": {"kind": "keyset", "at": "id"},
}


def rest_settings(order: str, *, total: bool, more: bool, **http: Any) -> RestSettings:
    listing: dict[str, Any] = {
        "path": MEMBERS,
        "records": "rows",
        "paging": {**PAGING[order], **({"more": "more"} if more else {})},
        "empty_statuses": [404],
        **({"total": "total"} if total else {}),
    }
    return RestSettings.model_validate(
        {"customers": listing, "fields": {"id": "id"}, "omits_empty": True, "http": http}
    )


@dataclass
class Reader:
    """One of the two connectors, over the pages that a test writes: one after the other, whatever is asked for."""

    kind: str
    api: Api

    def connector(self, order: str, pages: tuple[Any, ...], **http: Any) -> Connector[Any]:
        answers = list(pages)

        def answer(_: Asked) -> Any:
            page = answers.pop(0) if len(answers) > 1 else answers[0]
            return JSONResponse({}, page) if isinstance(page, int) else page

        self.api.answers[MEMBERS] = answer
        self.api.asked.clear()
        limits = {"attempts": 1, **http}
        connection = Connection("c", self.api.url)
        if self.kind == "plain":
            settings = PlainSettings(order=order, http=HttpLimits(**limits))
            return PlainConnector(connection, settings, CLUB, now=lambda: NOW)
        shown = [page for page in pages if isinstance(page, dict)]
        total, more = (any(key in page for page in shown) for key in ("total", "more"))
        return RestConnector(
            connection,
            rest_settings(order, total=total, more=more, **limits),
            CLUB,
            now=lambda: NOW,
        )

    def read(self, order: str, *pages: Any, **http: Any) -> Reading:
        return self.connector(order, pages, **http).read()

    def doubts(self, order: str, *pages: Any, **http: Any) -> tuple[str, ...]:
        reading = self.read(order, *pages, **http)
        assert reading.certificate.complete == (not reading.certificate.doubts)
        return reading.certificate.doubts

    def walk(self, order: str, *pages: Any) -> Walk[Any, Any]:
        """The walk itself, at its end."""
        connector = self.connector(order, pages)
        with Http.of(connector, self.api.url, connector.settings.http) as http:
            if isinstance(connector, PlainConnector):
                walk = connector.walk(http)
            else:
                assert isinstance(connector, RestConnector)
                settings = connector.settings
                walk = walk_of(connector._api(http), settings.customers, "customers", key="id")
            self.rows = walk.all_rows()
        return walk

    def whole(self, order: str, *pages: Any) -> list[int]:
        """Ids of a list that has to be complete."""
        connector = self.connector(order, pages)
        with Http.of(connector, self.api.url, connector.settings.http) as http:
            if isinstance(connector, PlainConnector):
                walk = connector.walk(http)
            else:
                assert isinstance(connector, RestConnector)
                walk = walk_of(connector._api(http), connector.settings.customers, "customers")
            return [row["id"] for row in walk.whole(MEMBERS)]


@pytest.fixture(params=["plain", "rest"])
def reader(request: pytest.FixtureRequest, written: Api) -> Reader:
    return Reader(request.param, written)


def page(*rows: int, **more: Any) -> dict[str, Any]:
    return {"rows": [{"id": row} for row in rows], **more}


def erp_ids(reading: Reading) -> list[int]:
    return [int(i) for i in reading.customers["erp_id"]]


# The whole list ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        ("single", (page(1, 2, 3),)),
        ("cursor", (page(1, 2, next="a"), page(3, next="b"), page(4))),
        ("cursor", (page(1, 2, next="a", total=3), page(3, next=None, total=3))),
        ("cursor", (page(1, 2, next=None),)),
        ("position", (page(1, 2, total=3), page(3, total=3))),
        ("key", (page(1, 2), page(4), page())),
    ],
)
def test_a_list_to_its_end(reader: Reader, order: str, pages: tuple[Any, ...]) -> None:
    """Everybody, once, and certified."""
    reading = reader.read(order, *pages)
    assert erp_ids(reading) == [row["id"] for one in pages for row in one["rows"]]
    assert reading.certificate.doubts == ()


@pytest.mark.parametrize("order", ["single", *ORDERS])
def test_an_empty_list_is_complete(reader: Reader, order: str) -> None:
    reading = reader.read(order, page(next=None))
    assert (reading.customers.height, reading.certificate.pages) == (0, 1)
    assert reading.certificate.complete


def test_progress(reader: Reader) -> None:
    """After each page: rows so far, and the total if there is one."""
    told: list[tuple[int, int | None]] = []
    pages = (page(1, 2, next="a", total=3), page(3, next=None, total=3))
    connector = reader.connector("cursor", pages)
    connector.progress = lambda rows, total: told.append((rows, total))
    connector.read()
    assert told == [(2, 3), (3, 3)]


# The rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["cursor", "position"])
def test_a_page_twice_is_dropped_and_ends_the_walk(reader: Reader, order: str) -> None:
    """However its rows are ordered."""
    pages = (page(1, 2, next="a"), page(2, 1, next="b"), page(3, next="c"))
    reading = reader.read(order, *pages)
    assert erp_ids(reading) == [1, 2]
    assert reading.certificate.doubts == ("The ERP returned a page twice; reading stopped there.",)
    assert len(reader.api.asked) == 2


@pytest.mark.parametrize("order", ["cursor", "position"])
def test_two_records_without_an_id_are_not_a_page_twice(reader: Reader, order: str) -> None:
    """R14: each is a row without an id, and doubts nothing; the walk goes on behind them."""
    pages = [page(1, 0, next="a", total=4), page(0, next="b", total=4), page(2, next=None, total=4)]
    for n, one in enumerate(pages):
        one["rows"] = [{"id": row["id"] or None, "name": f"Ann {n}"} for row in one["rows"]]
    reading = reader.read(order, *pages)
    assert erp_ids(reading) == [1, 2]
    assert reading.certificate.complete
    assert reading.without_id is not None
    assert reading.without_id["row"].to_list() == [2, 3]


def test_a_next_page_that_was_requested_before_ends_the_walk(reader: Reader) -> None:
    pages = (page(1, next="a"), page(2, next="b"), page(3, next="a"), page(4))
    reading = reader.read("cursor", *pages)
    assert erp_ids(reading) == [1, 2, 3]
    assert reading.certificate.doubts == (
        "The ERP named a next page that had already been read; reading stopped there.",
    )


@pytest.mark.parametrize("wrong", [(2, 3), (1, 2), (4, 3)])
def test_a_page_of_a_walk_by_id_is_the_one_behind_the_last_id(
    reader: Reader, wrong: tuple[int, ...]
) -> None:
    """An id before it, the same page, and ids that do not rise are another page than the requested one."""
    reading = reader.read("key", page(1, 2), page(*wrong), page())
    assert erp_ids(reading) == [1, 2]
    assert reading.certificate.doubts == (
        "Page 2 could not be read: The ERP did not return the page that was requested.",
    )


@pytest.mark.parametrize("order", ORDERS)
def test_a_page_that_fails_ends_the_walk(reader: Reader, order: str) -> None:
    """What came before is kept."""
    reading = reader.read(order, page(1, 2, next="a"), 500)
    assert erp_ids(reading) == [1, 2]
    (doubt,) = reading.certificate.doubts
    assert doubt.startswith("Page 2 could not be read: The ERP (GET /members) failed")


@pytest.mark.parametrize("order", ["single", *ORDERS])
def test_a_first_page_that_fails_is_a_failure(reader: Reader, order: str) -> None:
    with pytest.raises(ErpUnreachable):
        reader.read(order, 500)


def test_a_page_that_says_that_there_is_more_and_not_where(reader: Reader) -> None:
    """Its rows are kept; on the first page it is a failure."""
    more, lost = page(1, more=True, next="a"), page(2, more=True, next=None)
    reading = reader.read("cursor", more, lost)
    assert erp_ids(reading) == [1, 2]
    (doubt,) = reading.certificate.doubts
    assert doubt.startswith("Reading stopped after page 2: ")
    with pytest.raises(ContractChanged):
        reader.read("cursor", lost)


def test_an_empty_page_in_the_middle_is_not_the_end(reader: Reader) -> None:
    """It does not count as a page either."""
    reading = reader.read("cursor", page(1, next="a"), page(next="b"), page(2, next=None))
    assert (erp_ids(reading), reading.certificate.doubts) == ([1, 2], ())
    assert reading.certificate.pages == 2


def test_empty_pages_without_end(reader: Reader) -> None:
    pages = (page(1, next="0"), *(page(next=f"{n}") for n in range(1, 99)))
    assert reader.doubts("cursor", *pages) == (
        f"Reading stopped after {MAX_EMPTY_PAGES} empty pages in a row.",
    )
    assert len(reader.api.asked) == 1 + MAX_EMPTY_PAGES


@pytest.mark.parametrize("order", ORDERS)
def test_the_number_of_pages_is_limited(reader: Reader, order: str) -> None:
    pages = tuple(page(n, next=f"{n}") for n in range(1, 9))
    reading = reader.read(order, *pages, max_pages=3)
    assert erp_ids(reading) == [1, 2, 3]
    assert "Reading stopped at the limit of 3 pages." in reading.certificate.doubts


@pytest.mark.parametrize("order", ["cursor", "position", "key"])
def test_a_total_that_changes(reader: Reader, order: str) -> None:
    """The rows may equal the last one, and somebody was skipped all the same."""
    pages = (page(1, 2, next="a", total=4), page(4, next=None, total=3), page(total=3))
    reading = reader.read(order, *pages)
    assert (erp_ids(reading), reading.certificate.total) == ([1, 2, 4], 3)
    assert reading.certificate.doubts == (
        "The ERP's total changed from 4 to 3 while its pages were read.",
    )


@pytest.mark.parametrize("order", ORDERS)
def test_a_total_that_is_not_the_number_of_rows(reader: Reader, order: str) -> None:
    (doubt,) = reader.doubts(order, page(1, 2, next="a", total=4), page(3, total=4), page(total=4))
    assert "total of 4" in doubt


def test_r14_pages_by_position_without_a_total_have_to_state_the_last(reader: Reader) -> None:
    assert reader.doubts("position", page(1, 2), page(3), page()) == (
        "The ERP states neither a total nor which page is the last, so pages may be missing.",
    )


def test_r14_pages_by_position_that_state_the_last_need_no_total() -> None:
    """A flag, or the number of pages; who was hidden between two of them is only suspected (`consistency`)."""
    pages = {0: Page([1, 2], [1, 2], 2), 2: Page([3], [3], None, end_stated=True)}
    walk = Walk(pages.__getitem__, 0, HttpLimits(), order=Order.POSITION)
    assert walk.all_rows() == [1, 2, 3]
    assert walk.doubts == []
    assert walk.consistency == Consistency.BY_POSITION


@pytest.mark.parametrize("order", ["position", "cursor"])
def test_r14_a_page_behind_the_total_may_fail(reader: Reader, order: str) -> None:
    """A number of rows that is a multiple of the page size: an ERP may answer 404 behind the end."""
    pages = page(1, 2, next="a", total=4), page(3, 4, next="b", total=4), 500
    assert reader.doubts(order, *pages) == ()
    pages = page(1, 2, next="a", total=5), page(3, 4, next="b", total=5), 500
    assert reader.doubts(order, *pages)


def test_a_page_of_rows_without_a_total_is_a_list_without_one(reader: Reader) -> None:
    """However many of the others have one."""
    pages = (page(1, 2, total=4), page(3), page())
    assert any("neither a total" in doubt for doubt in reader.doubts("position", *pages))


def test_an_empty_page_needs_no_total(reader: Reader) -> None:
    """An ERP that leaves out what is empty leaves out the total of its last page, and the list."""
    assert reader.doubts("position", page(1, 2, total=4), page(3, 4, total=4), 404) == ()
    if reader.kind == "rest":
        assert reader.doubts("position", page(1, 2, total=4), page(3, 4, total=4), {}) == ()


def test_a_single_page_by_position_needs_no_total(reader: Reader) -> None:
    """One page, and an empty one behind it, cannot hide anybody."""
    assert reader.doubts("position", page(1, 2), page()) == ()


def test_a_cursor_that_is_not_understood(reader: Reader) -> None:
    """Several rows, and no next page named: a page of a single row shows whether the ERP would name one."""
    assert reader.doubts("cursor", page(1, 2), page(1)) == (
        "A page of several rows named no next page, and nothing shows that the ERP would have named one.",
    )
    assert [a.query.get("n") for a in reader.api.asked][1] == "1"
    assert reader.doubts("cursor", page(1, 2), page(1, next="a")) == ()
    assert reader.doubts("cursor", page(1, 2), 500) != ()


def test_a_next_page_that_is_stated_to_be_missing_is_the_end(reader: Reader) -> None:
    """No more than one row, an earlier page that named one, null in its place: nothing else is requested."""
    for pages in ((page(1),), (page(1, 2, next=None),), (page(1, next="a"), page(2, 3))):
        assert reader.doubts("cursor", *pages) == ()
        assert len(reader.api.asked) == len(pages)


@pytest.mark.parametrize("rows", [50, 100, 1000])
def test_a_round_number_of_rows_in_one_response_looks_like_a_limit(
    reader: Reader, rows: int
) -> None:
    assert reader.doubts("single", page(*range(1, rows + 1))) == (
        f"The ERP returned exactly {rows} rows, which looks like a limit.",
    )
    assert reader.doubts("single", page(*range(1, rows))) == ()


@pytest.mark.parametrize("order", ["cursor", "position"])
def test_an_id_on_two_pages(reader: Reader, order: str) -> None:
    """Rows moved; nobody is there twice."""
    reading = reader.read(
        order, page(1, 2, next="a", total=4), page(2, 3, next=None, total=4), page(total=4)
    )
    assert erp_ids(reading) == [1, 2, 3]
    (doubt,) = reading.certificate.doubts
    assert doubt == "Rows moved while they were read: 1 id came more than once."


# Lists that customers are joined with ------------------------------------------------------------


def test_a_joined_list_is_complete_or_an_error(reader: Reader) -> None:
    """Half of the memberships would take groups away from the other half."""
    assert reader.whole("cursor", page(1, next="a", total=2), page(2, next=None, total=2)) == [1, 2]
    for pages, why in (
        ((page(1, next="a"), 500), "Page 2 could not be read"),
        ((page(1, next=None, total=2),), "states a total of 2"),
        ((page(1, 2, next="a"), page(2, 3, next=None)), "1 came more than once"),
    ):
        with pytest.raises(ErpUnreachable, match=why) as error:
            reader.whole("cursor", *pages)
        assert "The list at /members could not be read completely: " in error.value.what


# What a walk is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "pages", "consistency"),
    [
        ("single", (page(1, 2),), Consistency.MOMENT),
        ("cursor", (page(1, 2, next=None),), Consistency.MOMENT),
        ("key", (page(1, 2), page()), Consistency.MOMENT),
        ("cursor", (page(1, next="a"), page(2, next=None)), Consistency.BY_POSITION),
        ("position", (page(1, total=2), page(2, total=2)), Consistency.BY_POSITION),
        ("key", (page(1), page(2), page()), Consistency.BY_ID),
    ],
)
def test_what_the_rows_of_a_walk_have_in_common(
    reader: Reader, order: str, pages: tuple[Any, ...], consistency: Consistency
) -> None:
    """One moment, an ascending id, or merely a position."""
    assert reader.walk(order, *pages).consistency == consistency


def test_a_descending_key_is_no_walk_by_id(written: Api) -> None:
    """Newcomers come before its start, and it is not told apart from another order."""
    reader = Reader("rest", written)
    walk = reader.walk("key", page(4, 3), page(2, 1), page())
    assert (walk.rows, walk.doubts) == (4, [])
    assert walk.consistency == Consistency.BY_POSITION


def test_a_key_that_changes_its_order_is_none(written: Api) -> None:
    """Ascending first, descending then: not the page that was requested."""
    reader = Reader("rest", written)
    (doubt,) = reader.doubts("key", page(1, 2), page(4, 3), page())
    assert "did not return the page" in doubt


# Helpers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "rows", "total", "then"),
    [(0, 3, 7, 3), (3, 2, 7, 5), (5, 2, 7, None), (0, 0, 0, None), (3, 0, 7, None)],
)
def test_next_offset_follows_what_came(offset: int, rows: int, total: int, then: int) -> None:
    assert next_offset(offset, rows, total) == then


def by_id(*pages: list[int], last: int, total: int) -> tuple[Walk[str, int], list[str], list[int]]:
    """A walk by id over these pages, its rows, and the ids behind which it asked."""
    asked: list[int] = []

    def fetch(after: int) -> tuple[list[str], list[int]]:
        asked.append(after)
        keys = pages[len(asked) - 1]
        return [f"r{i}" for i in keys], keys

    walk = walk_by_id(fetch, last, total, HttpLimits())
    return walk, walk.all_rows(), asked


def test_by_id_up_to_the_highest() -> None:
    walk, rows, asked = by_id([1, 4], [6, 9], last=9, total=4)
    assert (rows, asked, walk.doubts) == (["r1", "r4", "r6", "r9"], [0, 4], [])
    assert walk.total == 4


def test_by_id_when_the_highest_is_gone_meanwhile() -> None:
    """An empty page ends the walk; the total says that somebody is missing."""
    walk, rows, asked = by_id([1, 4], [], last=9, total=3)
    assert (rows, asked, walk.total) == (["r1", "r4"], [0, 4], 3)


def test_by_id_of_nothing_asks_nothing() -> None:
    walk, rows, asked = by_id(last=0, total=0)
    assert (rows, walk.pages, walk.total, asked) == ([], 0, 0, [])


@pytest.mark.parametrize("keys", [[4, 5], [7, 6], [6, 10], [0, 6]])
def test_by_id_with_a_page_that_was_not_requested(keys: list[int]) -> None:
    walk, rows, _ = by_id([1, 4], keys, last=9, total=4)
    assert rows == ["r1", "r4"]
    assert walk.doubts == [
        "Page 2 could not be read: The ERP did not return the page that was requested."
    ]
    with pytest.raises(ConnectorError):
        by_id([2, 1], last=9, total=4)
