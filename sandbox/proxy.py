"""A door in front of a real Tryton through which faults can come: `/{club}/rpc/` -> the server's own.

What is not hit by a fault passes unchanged. A page is a `search_read` of parties, counted since the last
log-in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults, answer, truncated

PAGE = "model.party.party.search_read"
COUNT = "model.party.party.search_count"
LOG_IN = "common.db.login"


@dataclass
class _Walk:
    """How far a club's reader is."""

    pages: int = 0
    last: list[Any] | None = None


def create_app(databases: Mapping[str, str], faults: Faults | None = None) -> Starlette:
    """The door.

    :param databases: club -> base address of its database on the real server.
    """
    faults = faults or Faults()
    walks: dict[str, _Walk] = {}

    async def rpc(request: Request) -> Response:
        club = request.path_params["club"]
        if club not in databases:
            return Response(status_code=404)
        body = await request.body()
        method = json.loads(body).get("method")
        walk = walks.setdefault(club, _Walk())
        if method == LOG_IN:
            walk.pages, walk.last = 0, None
        fault = None
        if method == PAGE:
            # An attempt that failed is made again for the same page.
            fault = faults.take(club, walk.pages + 1)
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        kept = {"content-type", "authorization"}
        got = await run_in_threadpool(
            requests.post,
            f"{databases[club]}/rpc/",
            data=body,
            headers={k: v for k, v in request.headers.items() if k in kept},
            timeout=60,
        )
        if method == COUNT and (active := faults.all().get(club)) and active.kind == "total-wrong":
            answered = got.json()
            return JSONResponse({**answered, "result": answered["result"] + 1})
        if got.status_code != 200 or method != PAGE:
            return Response(got.content, got.status_code, media_type=got.headers["content-type"])
        if fault is not None and fault.kind == "truncated":
            return truncated(got.content)
        answered = got.json()
        rows = answered.get("result")
        if isinstance(rows, list):
            if fault is not None:
                answered["result"] = _listed(fault.kind, rows, walk.last)
            walk.pages, walk.last = walk.pages + 1, rows
        return JSONResponse(answered)

    return Starlette(routes=[Route("/{club}/rpc/", rpc, methods=["POST"])])


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
