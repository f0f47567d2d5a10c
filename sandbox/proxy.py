"""A proxy that injects faults between a connector and a real Tryton: `/{club}/rpc/` and `/{club}/rest/`.

Without a fault, requests and responses pass unchanged. A page is a `search_read` of parties, counted since the last
login; over REST, a request for parties in ascending order, counted since the last request for the highest id.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults, answer, truncated

PAGE = "model.party.party.search_read"
COUNT = "model.party.party.search_count"
LOGIN = "common.db.login"
PARTIES = "party.party"


@dataclass
class _Walk:
    """How far the reader of a club is."""

    pages: int = 0
    last: list[object] | None = None

    def begin(self) -> None:
        """Start again at the first page."""
        self.pages, self.last = 0, None

    def next_page(self, rows: list[object], fault: Fault | None) -> list[object]:
        """Count a page, and return the rows to send: those of the server, altered by the fault if any."""
        shown = rows if fault is None else _listed(fault.kind, rows, self.last)
        self.pages, self.last = self.pages + 1, rows
        return shown


def create_app(databases: Mapping[str, str], faults: Faults | None = None) -> Starlette:
    """The proxy.

    :param databases: club id -> base URL of its database on the real server.
    """
    proxy = _Proxy(databases, faults or Faults())
    return Starlette(
        routes=[
            Route("/{club}/rpc/", proxy.rpc, methods=["POST"]),
            Route("/{club}/rest/model/{model}", proxy.rest, methods=["GET"]),
        ]
    )


@dataclass
class _Proxy:
    databases: Mapping[str, str]
    faults: Faults
    walks: dict[str, _Walk] = field(default_factory=dict)

    async def rpc(self, request: Request) -> Response:
        """Forward a JSON-RPC call."""
        club = request.path_params["club"]
        if club not in self.databases:
            return Response(status_code=404)
        body = await request.body()
        method = json.loads(body).get("method")
        walk = self.walks.setdefault(club, _Walk())
        if method == LOGIN:
            walk.begin()
        # A failed request does not advance the walk, so its retry is for the same page.
        fault = self.faults.take(club, walk.pages + 1) if method == PAGE else None
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        got = await self._forward(request, "/rpc/", body)
        if method == COUNT and self._miscounts(club):
            counted = got.json()
            return JSONResponse({**counted, "result": counted["result"] + 1})
        if got.status_code != 200 or method != PAGE:
            return Response(got.content, got.status_code, media_type=got.headers["content-type"])
        if fault is not None and fault.kind == "truncated":
            return truncated(got.content)
        document = got.json()
        if isinstance(document.get("result"), list):
            document["result"] = walk.next_page(document["result"], fault)
        return JSONResponse(document)

    async def rest(self, request: Request) -> Response:
        """Forward a REST request (GET only)."""
        club, model = request.path_params["club"], request.path_params["model"]
        if club not in self.databases:
            return Response(status_code=404)
        walk = self.walks.setdefault(club, _Walk())
        order = base64.urlsafe_b64decode(request.query_params.get("o", "")).decode()
        if model == PARTIES and "DESC" in order:
            walk.begin()
        page = model == PARTIES and "ASC" in order and "range" not in request.headers
        fault = self.faults.take(club, walk.pages + 1) if page else None
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        got = await self._forward(request, f"/rest/model/{model}?{request.url.query}")
        if got.status_code != 200 or not page:
            return self._counted(club, model, got)
        if fault is not None and fault.kind == "truncated":
            return truncated(got.content)
        return JSONResponse(walk.next_page(got.json(), fault))

    async def _forward(
        self, request: Request, path: str, body: bytes | None = None
    ) -> requests.Response:
        """The response of the real server."""
        kept = {"content-type", "authorization", "range", "x-tryton-context"}
        return await run_in_threadpool(
            requests.request,
            request.method,
            self.databases[request.path_params["club"]] + path,
            data=body,
            headers={k: v for k, v in request.headers.items() if k in kept},
            timeout=60,
        )

    def _miscounts(self, club: str) -> bool:
        active = self.faults.all().get(club)
        return active is not None and active.kind == "total-wrong"

    def _counted(self, club: str, model: str, got: requests.Response) -> Response:
        """The response with its `Content-Range`, whose total is one too high under `total-wrong`."""
        headers = {}
        if "Content-Range" in got.headers:
            span, _, total = got.headers["Content-Range"].rpartition("/")
            if model == PARTIES and self._miscounts(club):
                total = str(int(total) + 1)
            headers["Content-Range"] = f"{span}/{total}"
        kind = got.headers.get("content-type", "text/plain")
        return Response(got.content, got.status_code, headers, media_type=kind)


def _listed(kind: str, rows: list[object], last: list[object] | None) -> list[object]:
    match kind:
        case "empty":
            return []
        case "page-repeated":
            return last or rows
        case "row-moved":
            return [*(last or [])[-1:], *rows]
        case "half":
            return rows[::2]
    return rows
