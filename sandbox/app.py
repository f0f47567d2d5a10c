"""All that the sandbox speaks over HTTP: Playtomic, the door to Tryton, faults, health.

- `/playtomic/…`: the API (`sandbox.playtomic`); venue and client id are the club's id.
- `/tryton/{club}/rpc/`: a real Tryton behind a door for faults (`sandbox.proxy`).
- `GET /_faults`, `POST /_faults/{club}`, `DELETE /_faults[/{club}]`: `sandbox.faults`. For clubs that
  export files the kinds are those of `FILE_FAULTS`, and last until they are switched off.
- `GET /health`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox import playtomic, proxy
from sandbox.faults import Fault, Faults
from sandbox.playtomic import Venue


def create_app(
    venues: Mapping[str, Venue],
    databases: Mapping[str, str],
    faults: Faults,
    clubs: set[str],
    health: Callable[[], dict[str, Any]],
) -> Starlette:
    """The sandbox over HTTP.

    :param databases: club -> its Tryton database's own address.
    :param clubs: those that may get faults.
    """

    async def listed(_: Request) -> Response:
        return JSONResponse({c: f.model_dump() for c, f in faults.all().items()})

    async def switch_on(request: Request) -> Response:
        club = request.path_params["club"]
        if club not in clubs:
            return JSONResponse({"error": f"no club {club}", "clubs": sorted(clubs)}, 404)
        try:
            fault = Fault.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": error.errors(include_url=False)}, 422)
        faults.set(club, fault)
        return JSONResponse(fault.model_dump(), 201)

    async def switch_off(request: Request) -> Response:
        faults.clear(request.path_params.get("club"))
        return Response(status_code=204)

    async def healthy(_: Request) -> Response:
        return JSONResponse(health())

    return Starlette(
        routes=[
            Mount("/playtomic", playtomic.create_app(venues, faults)),
            Mount("/tryton", proxy.create_app(databases, faults)),
            Route("/_faults", listed, methods=["GET"]),
            Route("/_faults", switch_off, methods=["DELETE"]),
            Route("/_faults/{club}", switch_on, methods=["POST"]),
            Route("/_faults/{club}", switch_off, methods=["DELETE"]),
            Route("/health", healthy, methods=["GET"]),
        ]
    )
