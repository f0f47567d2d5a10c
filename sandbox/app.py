"""Everything that the sandbox serves over HTTP: Playtomic, the proxy in front of Tryton, faults, health.

- `/playtomic/…`: the API (`sandbox.playtomic`); venue id and client id are the club's id.
- `/tryton/{club}/rpc/`: a real Tryton behind a proxy that injects faults (`sandbox.proxy`).
- `GET /_faults`, `POST /_faults/{club}`, `DELETE /_faults[/{club}]`: `sandbox.faults`. Clubs that export
  files accept the kinds in `FILE_FAULTS`, which last until they are cleared.
- `GET /health`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    health: Callable[[], Mapping[str, object]],
) -> Starlette:
    """The HTTP application of the sandbox.

    :param databases: club id -> URL of its Tryton database.
    :param clubs: ids of the clubs that accept faults.
    :param health: the body of `/health`.
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
        return JSONResponse(dict(health()))

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
