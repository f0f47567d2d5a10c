"""Lists over HTTP in every kind of paging, which are edited between their pages."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Rows = Callable[[], list[dict[str, Any]]]

#: kind of paging -> `paging` of the settings of `rest`, but for the size of a page.
PAGING: dict[str, dict[str, Any]] = {
    "page number": {"kind": "page", "size_param": "size"},
    "offset": {"kind": "offset", "size_param": "size"},
    "offset, pages overlap": {"kind": "offset", "size_param": "size", "overlap": 1},
    "offset by id, pages overlap": {
        "kind": "offset",
        "size_param": "size",
        "overlap": 1,
        "by_id": True,
    },
    "hidden offset": {"kind": "cursor", "at": "next", "param": "cursor"},
    "Link header": {"kind": "link"},
    "next address": {"kind": "next_url", "at": "next_url"},
    "Range header": {"kind": "range"},
    "Range header, pages overlap": {"kind": "range", "overlap": 1, "by_id": True},
    "ascending id": {"kind": "keyset", "at": "id", "size_param": "size"},
    "single answer": {"kind": "none", "unlimited": True},
}
#: Kinds in which the ERP sorts by id.
BY_ID = ("ascending id", "offset by id, pages overlap", "Range header, pages overlap")


def listing(paging: str, path: str, size: int) -> dict[str, Any]:
    """The settings of `rest` for one of the lists.

    :param size: rows of a page.
    """
    kind = PAGING[paging]
    sized = "size_param" in kind or kind["kind"] == "range"
    params: dict[str, Any] = {"sorted": 1} if paging in BY_ID else {}
    if paging == "ascending id":
        params["keyset"] = 1
    if paging == "single answer":
        params["all"] = 1
    return {
        "path": path,
        "records": "rows",
        "paging": {**kind, **({"size": size} if sized else {})},
        "params": params,
        **({} if kind["kind"] in ("range", "keyset") else {"total": "total"}),
    }


class PagedLists:
    """An API of lists; rows have an `id`, a number.

    :param lists: path -> its rows at this moment, in the ERP's order.
    :param between: called before each request but the first of a reading.
    :param size: rows of a page, where a request does not say.
    """

    def __init__(self, lists: Mapping[str, Rows], between: Callable[[], None], size: int) -> None:
        self._lists, self._between, self._size = lists, between, size
        self._begun = False
        #: held while a page is made: whoever edits from another thread takes it.
        self.lock = threading.RLock()

    def begin(self) -> None:
        """The next request is the first of a reading."""
        self._begun = False

    def app(self) -> Starlette:
        def answer(request: Request) -> Response:
            with self.lock:
                start, size = self._asked(request)
                if self._begun:
                    self._between()
                self._begun = True
                rows = self._lists[request.url.path]()
                if "sorted" in request.query_params:
                    rows = sorted(rows, key=lambda row: int(row["id"]))
                return self._page(request, rows, start, size)

        return Starlette(routes=[Route(path, answer) for path in self._lists])

    def _asked(self, request: Request) -> tuple[int, int]:
        """Where the page starts (a position, or behind an id), and its size."""
        query = request.query_params
        if "all" in query:
            return 0, 10**6
        if "cursor" in query:
            return int(base64.b64decode(query["cursor"])), self._size
        if "page" in query:
            return (int(query["page"]) - 1) * int(query["size"]), int(query["size"])
        if span := request.headers.get("Range"):
            first, _, last = span.removeprefix("items=").partition("-")
            return int(first), int(last) - int(first) + 1
        return int(query.get("offset") or query.get("after") or 0), int(
            query.get("size") or self._size
        )

    def _page(
        self, request: Request, rows: list[dict[str, Any]], start: int, size: int
    ) -> Response:
        if "keyset" in request.query_params:
            there = [row for row in rows if int(row["id"]) > start]
            return JSONResponse({"rows": there[:size], "total": None})
        page, following = rows[start : start + size], start + size
        body: dict[str, Any] = {"rows": page, "total": len(rows), "next": None, "next_url": None}
        headers = {"Content-Range": f"items {start}-{start + len(page) - 1}/{len(rows)}"}
        if following < len(rows):
            body["next"] = base64.b64encode(str(following).encode()).decode()
            body["next_url"] = f"{request.url.path}?offset={following}"
            headers["Link"] = f'<{request.url.path}?offset={following}>; rel="next"'
        return JSONResponse(body, headers=headers)
