"""The paginators: how each kind of paging requests a page, and which request its response leads to.

What a walk through the pages proves is the same for all connectors: `connectors.sdk.paging`. What is special to
each kind:

- **page number**, **offset**, **Range** go by position: they need a total, or state the last page (`more`, `last`),
  unless everything is on one page. By offset and Range, pages may overlap (`overlap`): then the last one is the one
  that has nothing but the rows of the page before.
- **cursor**, **Link**, **next address**: a page names the next one. Some ERPs name one behind the last row, too:
  then only a page without rows is the end (`until_empty`).
- **keyset**: the next page lies behind the last row's key, and an empty page is the end. Where several rows have one
  key, those on the other side of a boundary are skipped: only a total shows it.
- **no paging**: there is one response.

A total may count fewer rows than the list has (the active ones). It is therefore the end of a list that is
requested by number only if the page that reaches it is shorter than others were; otherwise one more page is
requested, which may fail, as where an ERP answers 404 behind the end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable
from typing import Any, Protocol

import msgspec
from requests.utils import parse_header_links

from connectors.rest.api import CONTENT_RANGE, Api, ListPage, PageRequest
from connectors.rest.settings import (
    ByOffset,
    Cursor,
    Keyset,
    LinkHeader,
    Listing,
    NextUrl,
    NoPaging,
    Offset,
    PageNumber,
    Paging,
    Pointed,
    RangeHeader,
)
from connectors.sdk.errors import ConnectorError, ContractChanged
from connectors.sdk.messages import message
from connectors.sdk.paging import Order, Overlap, Page, Progress, Walk
from connectors.sdk.paths import MISSING, getter, identifier, text
from connectors.sdk.words import truth_of


class Pager(Protocol):
    """One kind of paging."""

    order: Order
    #: of the pages, if they do.
    overlap: Overlap[Any] | None

    def first(self) -> PageRequest: ...

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        """The request for the next page; None: there is none.

        :param rows: that came so far.
        :raises ContractChanged: there is one, or may be one, and it cannot be requested.
        """
        ...

    def states_end(self, page: ListPage) -> bool:
        """Whether a page without a next one states that it is the last."""
        ...

    def names_next(self, page: ListPage) -> bool:
        """Whether a page names the next one."""
        ...

    def single_row(self) -> PageRequest | None:
        """The request for a page of a single row; None: there is no such request."""
        ...

    def ids(self, page: ListPage) -> list[int] | None:
        """The rows' keys, if the pages follow them in ascending order."""
        ...

    def doubt(self, page: ListPage) -> str | None:
        """Why rows between this page and the next one may be missing."""
        ...


class _Single:
    order = Order.SINGLE
    overlap: Overlap[Any] | None = None

    def __init__(self, paging: NoPaging) -> None:
        self._paging = paging

    def first(self) -> PageRequest:
        return PageRequest()

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        return None

    def states_end(self, page: ListPage) -> bool:
        return self._paging.unlimited

    def names_next(self, page: ListPage) -> bool:
        return False

    def single_row(self) -> PageRequest | None:
        return None

    def ids(self, page: ListPage) -> list[int] | None:
        return None

    def doubt(self, page: ListPage) -> str | None:
        return None


class _Sized:
    """What the kinds of paging with a page size share."""

    order = Order.POSITION
    overlap: Overlap[Any] | None = None

    def __init__(self, paging: Paging, api: Api, setting: str) -> None:
        self.size = () if paging.size is None else (("size", paging.size),)
        self.more = paging.more
        self.api = api
        self.setting = setting
        self._stated_more = False
        self._longest = 0
        self._before = 0

    def first(self) -> PageRequest:
        return PageRequest(self.size)

    def states_more(self, page: ListPage) -> bool | None:
        """What the response says about more pages; None: the settings do not say where it does."""
        if self.more is None:
            return None
        value = getter(self.more)(page.reply.value)
        if value is MISSING and self.api.omits_empty:
            # what an earlier page had is omitted now; what none had may be another key
            return False if self._stated_more else None
        self._stated_more = True
        if not isinstance(value, bool):
            said = truth_of(text(value, f"{self.setting}.more"), ("true", "1"), ("false", "0"))
            if said is None:
                raise ContractChanged(
                    "The response does not say whether there are more pages.",
                    remedy=f"Correct settings: {self.setting}.more.",
                )
            return said
        return value

    def over(self, page: ListPage, rows: int) -> bool:
        """Whether a list that is requested by number ends here: the response says so, or it is a page without a new
        row, or a shorter one that reaches the total."""
        more = self.states_more(page)
        if more is not None:
            return not more
        nothing_new, self._before = rows == self._before, rows
        shorter = len(page.records) < self._longest
        self._longest = max(self._longest, len(page.records))
        return nothing_new or (page.total is not None and rows >= page.total and shorter)

    def states_end(self, page: ListPage) -> bool:
        return self._stated_more

    def names_next(self, page: ListPage) -> bool:
        return False

    def single_row(self) -> PageRequest | None:
        return None

    def ids(self, page: ListPage) -> list[int] | None:
        return None

    def doubt(self, page: ListPage) -> str | None:
        return None


class _Numbered(_Sized):
    def __init__(self, paging: PageNumber, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging, self._number = paging, paging.first

    def first(self) -> PageRequest:
        self._number = self._paging.first
        return self._request()

    def _request(self) -> PageRequest:
        return PageRequest((*self.size, ("page", self._number)))

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        last = self._last(page)
        if self.over(page, rows) if last is None else self._number >= last:
            return None
        self._number += 1
        return self._request()

    def _last(self, page: ListPage) -> int | None:
        """The number of the last page; None: the settings do not say where the response states it.

        :raises ContractChanged: they do, and it does not.
        """
        stated = next(((k, v) for k, v in self._paging.ends().items() if v is not None), None)
        if stated is None:
            return None
        name, place = stated
        if name.endswith("_header"):
            value = page.reply.headers.get(place)
        else:
            value = text(getter(place)(page.reply.value), f"{self.setting}.{name}")
        if (
            value is None
            and not page.records
            and (self.api.omits_empty or page.reply.value is None)
        ):
            value = "0"
        if value is None or not re.fullmatch(r"[0-9]{1,18}", value.strip()):
            raise ContractChanged(
                "The response does not state its last page where the settings say that it does.",
                remedy=f"Correct settings: {self.setting}.{name}.",
            )
        # of ERPs that count from 0, the last of 3 pages is number 2
        return int(value) + (self._paging.first - 1 if name.startswith("pages") else 0)

    def states_end(self, page: ListPage) -> bool:
        return any(self._paging.ends().values()) or super().states_end(page)


class _ByOffset(_Sized):
    """Kinds of paging that name the position of a page's first row."""

    def __init__(self, paging: ByOffset, api: Api, setting: str, key: str | None) -> None:
        super().__init__(paging, api, setting)
        self.overlap = _overlap_of(paging, key)

    def position(self, rows: int) -> int:
        """Where the next page starts."""
        return self.overlap.next_start(rows) if self.overlap else rows

    def states_end(self, page: ListPage) -> bool:
        return self.overlap is not None or super().states_end(page)


def _overlap_of(paging: ByOffset, key: str | None) -> Overlap[Any] | None:
    """:param key: path of a row's own id."""
    if not paging.overlap:
        return None
    take = getter(key or "@")
    sorted_by = (lambda record: identifier(take(record))) if paging.by_id and key else None
    return Overlap(paging.overlap, lambda record: _identity(record, key), sorted_by)


class _Offset(_ByOffset):
    def __init__(self, paging: Offset, api: Api, setting: str, key: str | None) -> None:
        super().__init__(paging, api, setting, key)
        self._paging = paging

    def first(self) -> PageRequest:
        return PageRequest((*self.size, ("offset", self._paging.first)))

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        if self.over(page, rows):
            return None
        start = self._paging.first + self.position(rows)
        return PageRequest((*self.size, ("offset", start)))


class _Keyset(_Sized):
    order = Order.KEY

    def __init__(self, paging: Keyset, api: Api, setting: str, key: str | None) -> None:
        super().__init__(paging, api, setting)
        self._paging = paging
        self._last: str | None = None
        self._is_id = paging.at == key

    def first(self) -> PageRequest:
        first = self._paging.first
        return PageRequest((*self.size, *(() if first is None else (("cursor", first),))))

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        if self.over(page, rows):
            return None
        keys = self._keys(page)
        if keys and any(key is None for key in keys):
            raise ContractChanged(
                "A row has no key from which the next page could be requested.",
                remedy=f"Correct settings: {self.setting}.at.",
            )
        numbers = self._numbers(keys)
        if numbers is not None and numbers not in (sorted(numbers), sorted(numbers, reverse=True)):
            raise ContractChanged(
                "The rows of a page are not sorted by their keys, so that the next page cannot be requested.",
                remedy=f"Correct settings: {self.setting}.at, or make the ERP sort by it.",
            )
        self._last = keys[-1] if keys else self._last
        return PageRequest((*self.size, ("cursor", self._last)))

    def states_end(self, page: ListPage) -> bool:
        return True  # an empty page, or a shorter one

    def ids(self, page: ListPage) -> list[int] | None:
        if not self._is_id:
            return None
        numbers = self._numbers(self._keys(page))
        return numbers if numbers == sorted(numbers or ()) else None

    def doubt(self, page: ListPage) -> str | None:
        keys = self._keys(page)
        if page.total is not None or len(set(keys)) == len(keys):
            return None
        return message(
            "Several rows have the same key, so that rows between two pages may be missing."
        )

    def _keys(self, page: ListPage) -> list[str | None]:
        take = getter(self._paging.at)
        return [text(take(record), f"{self.setting}.at") for record in page.records]

    @staticmethod
    def _numbers(keys: list[str | None]) -> list[int] | None:
        """Keys as numbers; None: not all of them are."""
        if all(key and key.isdecimal() for key in keys):
            return [int(key or 0) for key in keys]
        return None


class _Range(_ByOffset):
    def __init__(self, paging: RangeHeader, api: Api, setting: str, key: str | None) -> None:
        super().__init__(paging, api, setting, key)
        self._unit, self._size = paging.unit, paging.size or 100

    def first(self) -> PageRequest:
        return self._request(0)

    def _request(self, start: int) -> PageRequest:
        value = f"{self._unit}={start}-{start + self._size - 1}"
        return PageRequest(headers=(("Range", value),))

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        if page.reply.status == 416:
            return None
        if not CONTENT_RANGE.fullmatch(page.reply.headers.get("Content-Range", "")):
            raise ContractChanged(
                "The response to a request with Range has no Content-Range.",
                remedy=f"Correct settings: {self.setting}: the ERP has another kind of paging, or none.",
            )
        # this total always counts the rows of the list
        reached = page.total is not None and rows >= page.total
        if reached or self.over(page, rows):
            return None
        return self._request(self.position(rows))


class _Pointed(_Sized, ABC):
    """Kinds of paging in which a page names the next one."""

    order = Order.CURSOR

    def __init__(self, paging: Pointed, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._until_empty = paging.until_empty

    @abstractmethod
    def pointer(self, page: ListPage) -> Any:
        """What names the next page; blank or null: there is none; MISSING: the response does not say."""

    @abstractmethod
    def follow(self, page: ListPage, pointer: str) -> PageRequest:
        """The request for the page that was named."""

    def next(self, page: ListPage, rows: int) -> PageRequest | None:
        more = self.states_more(page)
        if self._until_empty and not page.records:
            return None
        pointer = self._text(page)
        if more is False or (more is None and not pointer):
            return None
        if not pointer:
            raise ContractChanged(
                "The ERP says that there are more pages, but does not name the next one.",
                remedy=f"Correct settings: {self.setting}.",
            )
        return self.follow(page, pointer)

    def _text(self, page: ListPage) -> str | None:
        found = self.pointer(page)
        if found is False:
            return None
        value = text(found, f"{self.setting}.at")
        return value.strip() or None if value else None

    def states_end(self, page: ListPage) -> bool:
        if self._until_empty and not page.records:
            return True
        return self._stated_more or self.pointer(page) is not MISSING

    def doubt(self, page: ListPage) -> str | None:
        if not self._until_empty or self._stated_more or not page.records or self._text(page):
            return None
        return message(
            "A page with rows names no next page, although only a page without rows is the end."
        )

    def names_next(self, page: ListPage) -> bool:
        return bool(self._text(page))

    def single_row(self) -> PageRequest | None:
        return PageRequest((("size", 1),)) if self.size else None


class _Cursor(_Pointed):
    def __init__(self, paging: Cursor, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._paging = paging

    def pointer(self, page: ListPage) -> Any:
        if self._paging.header is not None:
            return page.reply.headers.get(self._paging.header, MISSING)
        return getter(self._paging.at or "@")(page.reply.value)

    def follow(self, page: ListPage, pointer: str) -> PageRequest:
        return PageRequest((*self.size, ("cursor", pointer)))


class _Address(_Pointed):
    """The next page's address, in the response or in a Link header."""

    def __init__(self, paging: NextUrl | LinkHeader, api: Api, setting: str) -> None:
        super().__init__(paging, api, setting)
        self._at = paging.at if isinstance(paging, NextUrl) else None

    def pointer(self, page: ListPage) -> Any:
        if self._at is not None:
            return getter(self._at)(page.reply.value)
        header = page.reply.headers.get("Link", "")
        links = parse_header_links(header) if header.strip() else []
        # RFC 8288: a link may have several relations, in any case
        named = (link["url"] for link in links if "next" in link.get("rel", "").lower().split())
        return next(named, MISSING)

    def follow(self, page: ListPage, pointer: str) -> PageRequest:
        return PageRequest(address=self.api.below_base(page, pointer, self.setting))


def pager_of(listing: Listing, api: Api, setting: str, key: str | None = None) -> Pager:
    """The pager of a list.

    :param key: path of a row's own id.
    """
    paging, setting = listing.paging, f"{setting}.paging"
    match paging:
        case NoPaging():
            return _Single(paging)
        case PageNumber():
            return _Numbered(paging, api, setting)
        case Offset():
            return _Offset(paging, api, setting, key)
        case Cursor():
            return _Cursor(paging, api, setting)
        case LinkHeader() | NextUrl():
            return _Address(paging, api, setting)
        case Keyset():
            return _Keyset(paging, api, setting, key)
        case RangeHeader():
            return _Range(paging, api, setting, key)


def walk_of(
    api: Api,
    listing: Listing,
    setting: str,
    *,
    key: str | None = None,
    since: Hashable = None,
    progress: Progress = lambda rows, total: None,
) -> Walk[Any, PageRequest]:
    """The walk through a list.

    :param setting: where the list is in the settings, for messages.
    :param key: path of a row's own id, by which a repeated row is recognised; None: by the whole row.
    :param since: the moment since when changes are requested, as the ERP writes it; None: everything is.
    """
    pager = pager_of(listing, api, setting, key)
    rows, later = 0, False

    def fetch(request: PageRequest) -> Page[Any, PageRequest]:
        nonlocal rows, later
        page = api.page(listing, setting, request, since=since, later=later)
        later = True
        records, doubt = page.records, None
        if pager.overlap is not None:
            records, doubt = pager.overlap.take(records)
        doubt = doubt or pager.doubt(page)
        rows += len(records)
        following: PageRequest | None = None
        dead_end: ConnectorError | None = None
        try:
            following = pager.next(page, rows)
        except ConnectorError as error:
            dead_end = error
        return Page(
            records,
            _identities(records, key),
            following,
            page.total,
            keys=pager.ids(page),
            end_stated=pager.states_end(page),
            dead_end=dead_end,
            doubt=doubt,
        )

    def probe() -> bool:
        request = pager.single_row()
        return request is not None and pager.names_next(
            api.page(listing, setting, request, since=since)
        )

    return Walk(
        fetch,
        pager.first(),
        api.limits,
        order=pager.order,
        progress=progress,
        probe=probe,
        overlap=pager.overlap,
    )


def _identities(records: list[Any], key: str | None) -> Collection[Hashable]:
    """The rows' own ids, of rows without one the whole row; rows that are the same on one page count once."""
    identities = [_identity(record, key) for record in records]
    return set(identities) if key is None else identities


def _identity(record: Any, key: str | None) -> Hashable:
    """The row's own id, or the whole row."""
    own = MISSING if key is None else getter(key)(record)
    return msgspec.json.encode(record if own in (MISSING, None) else own)
