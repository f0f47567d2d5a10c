"""A door in front of a real Tryton through which faults can come: `/{club}/rpc/` and `/{club}/rest/` -> the
server's own.

What is not hit by a fault passes unchanged. A page is a `search_read` of parties, counted since the last log-in; over
REST, parties in rising order, counted since the last question for the highest.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults, answer, truncated

PAGE = "model.party.party.search_read"
COUNT = "model.party.party.search_count"
LOG_IN = "common.db.login"
PARTIES = "party.party"


@dataclass
class _Walk:
    """How far a club's reader is."""

    pages: int = 0
    last: list[Any] | None = None

    def begin(self) -> None:
        """From the first page again."""
        self.pages, self.last = 0, None

    def turned(self, rows: list[Any], fault: Fault | None) -> list[Any]:
        """The next page is answered: what is shown of it."""
        shown = rows if fault is None else _listed(fault.kind, rows, self.last)
        self.pages, self.last = self.pages + 1, rows
        return shown


def create_app(databases: Mapping[str, str], faults: Faults | None = None) -> Starlette:
    """The door.

    :param databases: club -> base address of its database on the real server.
    """
    door = _Door(databases, faults or Faults())
    return Starlette(
        routes=[
            Route("/{club}/rpc/", door.rpc, methods=["POST"]),
            Route("/{club}/rest/model/{model}", door.rest, methods=["GET"]),
        ]
    )


@dataclass
class _Door:
    databases: Mapping[str, str]
    faults: Faults
    walks: dict[str, _Walk] = field(default_factory=dict)

    async def rpc(self, request: Request) -> Response:
        """JSON-RPC."""
        club = request.path_params["club"]
        if club not in self.databases:
            return Response(status_code=404)
        body = await request.body()
        method = json.loads(body).get("method")
        walk = self.walks.setdefault(club, _Walk())
        if method == LOG_IN:
            walk.begin()
        # An attempt that failed is made again for the same page.
        fault = self.faults.take(club, walk.pages + 1) if method == PAGE else None
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        got = await self._passed(request, "/rpc/", body)
        if method == COUNT and self._miscounts(club):
            answered = got.json()
            return JSONResponse({**answered, "result": answered["result"] + 1})
        if got.status_code != 200 or method != PAGE:
            return Response(got.content, got.status_code, media_type=got.headers["content-type"])
        if fault is not None and fault.kind == "truncated":
            return truncated(got.content)
        answered = got.json()
        if isinstance(answered.get("result"), list):
            answered["result"] = walk.turned(answered["result"], fault)
        return JSONResponse(answered)

    async def rest(self, request: Request) -> Response:
        """REST, of which only reading."""
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
        got = await self._passed(request, f"/rest/model/{model}?{request.url.query}")
        if got.status_code != 200 or not page:
            return self._counted(club, model, got)
        if fault is not None and fault.kind == "truncated":
            return truncated(got.content)
        return JSONResponse(walk.turned(got.json(), fault))

    async def _passed(
        self, request: Request, path: str, body: bytes | None = None
    ) -> requests.Response:
        """What the server itself answers."""
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
        """The server's answer with its `Content-Range`, which may be one too high."""
        headers = {}
        if "Content-Range" in got.headers:
            span, _, total = got.headers["Content-Range"].rpartition("/")
            if model == PARTIES and self._miscounts(club):
                total = str(int(total) + 1)
            headers["Content-Range"] = f"{span}/{total}"
        kind = got.headers.get("content-type", "text/plain")
        return Response(got.content, got.status_code, headers, media_type=kind)


def _listed(kind: str, rows: list[Any], last: list[Any] | None) -> list[Any]:
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
