"""The paginator: one list of the API, page by page, and what its end proves (R14).

What proves that a walk saw everything:

- a **total** that stays the same on every page and equals the rows; or, without one,
- **cursor**, **Link**, **next address**: a page that names no next one, where the ERP is known to name one
  when there is more: it named one before, its answer has the place and nothing in it, or a page of one row,
  asked for to make sure, names one;
- **keyset**: an empty page behind the last row;
- **page number**, **offset**, **Range**: nothing, once there is more than one page: who leaves meanwhile moves
  somebody across a boundary that was passed already. They need a total;
- **no paging**: the answer itself, unless it has a round number of rows, which looks like a limit.

A page that comes twice, a cursor that comes again, and more pages than `http.max_pages` end a walk; a page
that fails after whole ones does too. What came is kept, and not certified.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec
from requests.utils import parse_header_links

from connectors.rest.auth import filled_params, params_of
from connectors.rest.errors import error_check_of
from connectors.rest.settings import (
    Cursor,
    Keyset,
    LinkHeader,
    Listing,
    NextUrl,
    NoPaging,
    Offset,
    PageNumber,
    Paging,
    RangeHeader,
    RestSettings,
)
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, ContractChanged
from connectors.sdk.http import Http, Reply
from connectors.sdk.paths import MISSING, described, getter, text

#: numbers of rows at which ERPs like to stop without saying so.
_ROUND = frozenset({10, 15, 20, 25, 30, 50, 100, 150, 200, 250, 300, 500, 1000, 2000, 2500, 5000})
#: so many pages without a row, one after the other, are a walk in a circle.
_EMPTY_PAGES = 20
_CONTENT_RANGE = re.compile(r"\s*[\w-]+ (?:(\d+)-(\d+)|\*)/(\d+|\*)\s*")


@dataclass(frozen=True)
class Ask:
    """What one request says besides what all of a list say.

    :param address: a whole path and query in place of the list's own.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    address: tuple[str, list[tuple[str, str]]] | None = None


@dataclass(frozen=True)
class Page:
    """One page. :param total: of all rows, where it says so. :param url: it was asked for there."""

    records: list[Any]
    reply: Reply[Any]
    total: int | None
    url: str


class Api:
    """The lists of one club's API."""

    def __init__(
        self, http: Http, base: str, settings: RestSettings, connection: Connection
    ) -> None:
        self._http = http
        self._base = base
        self._settings = settings
        self._connection = connection
        self._params = params_of(settings, connection)
        self._judge = error_check_of(settings)
        self.max_pages = settings.http.max_pages

    def page(self, listing: Listing, setting: str, ask: Ask) -> Page:
        """One page of a list.

        :param setting: where the list stands in the settings.
        :raises ConnectorError: no answer, or no list in it.
        """
        own = filled_params(listing.params, self._connection, f"{setting}.params")
        path, params, body = self._settings.base_path + listing.path, None, None
        if ask.address is not None:
            path, given = ask.address
            there = {name for name, _ in given}
            params = given + [(n, v) for n, v in self._params.items() if n not in there]
        elif listing.query:
            params = list({**self._params, **own, **ask.params}.items())
        else:
            params, body = list(self._params.items()), {**own, **ask.params}
        reply = self._http.request(
            listing.method,
            path,
            object,
            params=[(n, _sent(v)) for n, v in params],
            body=body,
            headers=ask.headers,
            empty_statuses=listing.empty_statuses | ({416} if ask.headers else set()),
            error_check=self._judge,
        )
        if reply.status in listing.empty_statuses or reply.status == 416:
            return Page([], reply, _range_total(reply), self._base + path)
        records = _records(reply.value, listing, setting)
        return Page(records, reply, _total(reply, listing, setting), self._base + path)

    def below(self, page: Page, address: str, setting: str) -> tuple[str, list[tuple[str, str]]]:
        """The path and query of a next page's address, which must lie on the ERP's own host: our key goes
        there.

        :raises ContractChanged: it lies elsewhere.
        """
        parts, base = urlsplit(urljoin(page.url, address)), urlsplit(self._base)
        if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or not (
            parts.path.startswith(base.path)
        ):
            raise ContractChanged(
                f"The next page's address (settings: {setting}) leads to another place than the connection's "
                "host; our key is not sent there.",
                remedy="Write the connection's host as the ERP itself writes it, with its scheme and port.",
            )
        return parts.path[len(base.path) :], parse_qsl(parts.query, keep_blank_values=True)


def _sent(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _records(answer: Any, listing: Listing, setting: str) -> list[Any]:
    found = getter(listing.records)(answer)
    if found is None and listing.null_is_empty:
        return []
    if not isinstance(found, list):
        there = "no such place" if found is MISSING else described(found)
        raise ContractChanged(
            f"At {listing.records or 'its top'} the answer to {listing.path} has {there}, "
            f"where a list should be; the answer is {described(answer)}.",
            remedy=f"Correct settings: {setting}.records; or say in settings: errors how the ERP tells errors.",
        )
    return found


def _total(reply: Reply[Any], listing: Listing, setting: str) -> int | None:
    if listing.total_header is not None:
        said: Any = reply.headers.get(listing.total_header)
        where = f"{setting}.total_header"
    elif listing.total is not None:
        said, where = (
            text(getter(listing.total)(reply.value), f"{setting}.total"),
            f"{setting}.total",
        )
    else:
        return _range_total(reply)
    if said is None or not said.strip().isdecimal():
        raise ContractChanged(
            "The ERP's answer has no number of all rows where settings say that it has.",
            remedy=f"Correct settings: {where}; the answer is {described(reply.value)}.",
        )
    return int(said)


def _range_total(reply: Reply[Any]) -> int | None:
    found = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
    return int(found[3]) if found and found[3] != "*" else None


# The ways of paging -------------------------------------------------------------------------------


class Pager(Protocol):
    """One way of paging. :param slips: rows may slip from page to page unseen, unless a total says otherwise."""

    slips: bool

    def first(self) -> Ask: ...

    def next(self, page: Page, rows: int) -> Ask | None:
        """What to ask next; None: that was the end.

        :param rows: that came so far.
        """
        ...

    def sure(self, page: Page) -> bool:
        """Whether the end of the walk, at this page, was said and not merely left unsaid."""
        ...

    def probe(self) -> Ask | None:
        """A question for one row, to see whether the ERP names a next page at all."""
        ...


class _One:
    slips = False

    def __init__(self, paging: NoPaging) -> None:
        self._paging = paging

    def first(self) -> Ask:
        return Ask()

    def next(self, page: Page, rows: int) -> Ask | None:
        return None

    def sure(self, page: Page) -> bool:
        return self._paging.unlimited or len(page.records) not in _ROUND

    def probe(self) -> Ask | None:
        return None


class _Sized:
    """What the ways of paging with a size share."""

    slips = False

    def __init__(self, paging: Paging, api: Api, setting: str) -> None:
        self.size = {paging.size_param: paging.size} if paging.size_param else {}
        self.size_param = paging.size_param
        self.more = paging.more
        self.api = api
        self.setting = setting
        self._longest = 0

    def first(self) -> Ask:
        return Ask(dict(self.size))

    def says_more(self, page: Page) -> bool | None:
        """What the answer says of more; None where nobody asked it."""
        if self.more is None:
            return None
        said = getter(self.more)(page.reply.value)
        if not isinstance(said, bool):
            word = text(said, f"{self.setting}.more")
            if word is None or word.lower() not in ("true", "false", "0", "1"):
                raise ContractChanged(
                    "The ERP's answer says neither yes nor no to whether there is more.",
                    remedy=f"Correct settings: {self.setting}.more.",
                )
            said = word.lower() in ("true", "1")
        return bool(said)

    def over(self, page: Page, rows: int) -> bool:
        """The end of a list that is asked for by numbers: as it says, an empty page, or its total.

        A total alone may count less than the list has (the active ones): it is believed when the page that
        reaches it is shorter than others were; else one more page is asked for.
        """
        more = self.says_more(page)
        if more is not None:
            return not more
        shorter = len(page.records) < self._longest
        self._longest = max(self._longest, len(page.records))
        return not page.records or (page.total is not None and rows >= page.total and shorter)

    def sure(self, page: Page) -> bool:
        return True

    def probe(self) -> Ask | None:
        return None


class _Numbered(_Sized):
    slips = True

    def __init__(self, paging: PageNumber, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging, self._at = paging, paging.first

    def first(self) -> Ask:
        self._at = self._paging.first
        return self._ask()

    def _ask(self) -> Ask:
        return Ask({**self.size, self._paging.param: self._at})

    def next(self, page: Page, rows: int) -> Ask | None:
        last = self._paging.last
        if last is not None:
            said = text(getter(last)(page.reply.value), f"{self.setting}.last")
            if said is None or not said.isdecimal():
                raise ContractChanged(
                    "The ERP's answer has no number of the last page where settings say that it has.",
                    remedy=f"Correct settings: {self.setting}.last.",
                )
            if self._at >= int(said):
                return None
        elif self.over(page, rows):
            return None
        self._at += 1
        return self._ask()


class _Offset(_Sized):
    slips = True

    def __init__(self, paging: Offset, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging = paging

    def first(self) -> Ask:
        return Ask({**self.size, self._paging.param: self._paging.first})

    def next(self, page: Page, rows: int) -> Ask | None:
        if self.over(page, rows):
            return None
        return Ask({**self.size, self._paging.param: self._paging.first + rows})


class _Keyset(_Sized):
    def __init__(self, paging: Keyset, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging = paging
        self._last: str | None = None

    def first(self) -> Ask:
        first = self._paging.first
        return Ask({**self.size, **({} if first is None else {self._paging.param: first})})

    def next(self, page: Page, rows: int) -> Ask | None:
        if self.over(page, rows):
            return None
        keys = [text(getter(self._paging.at)(r), f"{self.setting}.at") for r in page.records]
        if keys and any(key is None for key in keys):
            raise ContractChanged(
                "A row has no key to go on from.", remedy=f"Correct settings: {self.setting}.at."
            )
        if all(key and key.isdecimal() for key in keys):
            numbers = [int(key or 0) for key in keys]
            if numbers not in (sorted(numbers), sorted(numbers, reverse=True)):
                raise ContractChanged(
                    "The rows of a page do not come in the order of their keys, so that the next page cannot "
                    "be asked for.",
                    remedy=f"Correct settings: {self.setting}.at, or ask the ERP to sort by it.",
                )
        self._last = keys[-1] if keys else self._last
        return Ask({**self.size, self._paging.param: self._last})


class _Range(_Sized):
    slips = True

    def __init__(self, paging: RangeHeader, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._unit, self._size = paging.unit, paging.size or 100

    def first(self) -> Ask:
        return self._ask(0)

    def _ask(self, start: int) -> Ask:
        return Ask(headers={"Range": f"{self._unit}={start}-{start + self._size - 1}"})

    def next(self, page: Page, rows: int) -> Ask | None:
        if page.reply.status == 416:
            return None
        if not _CONTENT_RANGE.fullmatch(page.reply.headers.get("Content-Range", "")):
            raise ContractChanged(
                "The ERP does not answer our Range with a Content-Range.",
                remedy=f"Correct settings: {self.setting}: it pages in another way, or in none.",
            )
        # this total is the list's own
        there = page.total is not None and rows >= page.total
        return None if there or self.over(page, rows) else self._ask(rows)


class _Pointed(_Sized, ABC):
    """Ways of paging in which a page names the next one."""

    def __init__(self, paging: Paging, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._named_before = False
        self._seen: set[str] = set()

    @abstractmethod
    def pointer(self, page: Page) -> Any:
        """What names the next page; blank or null: there is none; MISSING: nothing is said."""

    @abstractmethod
    def follow(self, page: Page, pointer: str) -> Ask:
        """The request for the page that was named."""

    def next(self, page: Page, rows: int) -> Ask | None:
        more = self.says_more(page)
        pointer = self._text(page)
        if more is False or (more is None and not pointer):
            return None
        if not pointer:
            raise ContractChanged(
                "The ERP says that there is more, and names no next page.",
                remedy=f"Correct settings: {self.setting}.",
            )
        if pointer in self._seen:
            raise ContractChanged("A page named a next one that was read already.")
        self._seen.add(pointer)
        self._named_before = True
        return self.follow(page, pointer)

    def _text(self, page: Page) -> str | None:
        found = self.pointer(page)
        if found is False:
            return None
        said = text(found, f"{self.setting}.at")
        return said.strip() or None if said else None

    def sure(self, page: Page) -> bool:
        return (
            self._named_before
            or self.more is not None
            or self.pointer(page) is not MISSING
            or len(page.records) <= 1
        )

    def probe(self) -> Ask | None:
        return Ask({self.size_param: 1}) if self.size_param else None

    def names_next(self, page: Page) -> bool:
        return bool(self._text(page))


class _Cursor(_Pointed):
    def __init__(self, paging: Cursor, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging = paging

    def pointer(self, page: Page) -> Any:
        if self._paging.header is not None:
            return page.reply.headers.get(self._paging.header, MISSING)
        return getter(self._paging.at or "@")(page.reply.value)

    def follow(self, page: Page, pointer: str) -> Ask:
        return Ask({**self.size, self._paging.param: pointer})


class _Address(_Pointed):
    """The next page's address, in the answer or in a Link header."""

    def __init__(self, paging: NextUrl | LinkHeader, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._at = paging.at if isinstance(paging, NextUrl) else None

    def pointer(self, page: Page) -> Any:
        if self._at is not None:
            return getter(self._at)(page.reply.value)
        header = page.reply.headers.get("Link", "")
        links = parse_header_links(header) if header.strip() else []
        return next((link["url"] for link in links if link.get("rel") == "next"), MISSING)

    def follow(self, page: Page, pointer: str) -> Ask:
        return Ask(address=self.api.below(page, pointer, self.setting))


def pager_of(listing: Listing, api: Api, setting: str) -> Pager:
    """The way of paging that a list's settings name."""
    paging, setting = listing.paging, f"{setting}.paging"
    match paging:
        case NoPaging():
            return _One(paging)
        case PageNumber():
            return _Numbered(paging, api, setting)
        case Offset():
            return _Offset(paging, api, setting)
        case Cursor():
            return _Cursor(paging, api, setting)
        case LinkHeader() | NextUrl():
            return _Address(paging, api, setting)
        case Keyset():
            return _Keyset(paging, api, setting)
        case RangeHeader():
            return _Range(paging, api, setting)


# The walk -----------------------------------------------------------------------------------------


class Walk:
    """A list read from its beginning to its end; iterate over it once, for the rows of each page.

    :param key: path of a row's own key, by which a page that comes twice is known; None: by all of it.
    :param more: parameters besides the list's own.

    :raises ConnectorError: while iterating, before the first whole page.
    """

    def __init__(
        self,
        api: Api,
        listing: Listing,
        setting: str,
        *,
        key: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._listing = listing
        self._setting = setting
        self._key = key
        self._more = dict(more or {})
        #: pages with rows, or the first one.
        self.pages = 0
        self.rows = 0
        #: what each page said that there are in all.
        self.totals: list[int | None] = []
        #: why the list may not be whole; empty: it is.
        self.doubts: list[str] = []

    @property
    def total(self) -> int | None:
        return self.totals[-1] if self.totals else None

    def __iter__(self) -> Iterator[list[Any]]:
        pager = pager_of(self._listing, self._api, self._setting)
        known: set[bytes] = set()
        ask: Ask | None = pager.first()
        empty = 0
        while ask is not None:
            try:
                page = self._page(ask)
            except ConnectorError as error:
                if not self.pages:
                    raise
                self.doubts.append(f"Page {self.pages + 1} could not be read: {error.what}")
                return
            keys = self._keys(page.records)
            self.pages += bool(page.records) or not self.pages
            self.rows += len(page.records)
            self.totals.append(page.total)
            yield page.records
            try:
                ask = pager.next(page, self.rows)
            except ConnectorError as error:
                if len(self.totals) == 1:
                    raise
                self.doubts.append(f"After page {self.pages} the walk was ended: {error.what}")
                return
            if keys and keys <= known:
                self.doubts.append("A page came twice: the walk went in a circle and was ended.")
                return
            known |= keys
            empty = 0 if page.records else empty + 1
            if ask is not None and (self.pages >= self._api.max_pages or empty >= _EMPTY_PAGES):
                self.doubts.append(f"Reading was ended after {len(self.totals)} pages.")
                return
        self._judge(pager, page)

    def _page(self, ask: Ask) -> Page:
        return self._api.page(
            self._listing, self._setting, replace(ask, params={**self._more, **ask.params})
        )

    def _keys(self, records: list[Any]) -> set[bytes]:
        take = getter(self._key or "@")
        return {msgspec.json.encode(None if (k := take(r)) is MISSING else k) for r in records}

    def _judge(self, pager: Pager, page: Page) -> None:
        """What the end of the walk proves (R14); whether the total equals the rows is asked elsewhere."""
        said = set(self.totals)
        if len(said - {None}) > 1:
            self.doubts.append("The ERP's total changed while its pages were read.")
        if None not in said:
            return
        if pager.slips and self.pages > 1:
            self.doubts.append(
                "There is no total: with pages by number a row may slip from one to the next unseen."
            )
        if not pager.sure(page):
            self._make_sure(pager, page)

    def _make_sure(self, pager: Pager, page: Page) -> None:
        if isinstance(pager, _One):
            self.doubts.append(
                f"Exactly {len(page.records)} rows came in one answer, which looks like a limit."
            )
            return
        probe = pager.probe()
        assert isinstance(pager, _Pointed)
        try:
            understood = probe is not None and pager.names_next(self._page(probe))
        except ConnectorError:
            understood = False
        if not understood:
            self.doubts.append(
                "A page of several rows named no next one, and nothing shows that the ERP would have."
            )
