"""Courtside: a fictional ERP with habits that no connector was written for; the example of the guide.

`docs/adding-an-erp.md` reads it with the settings in `docs/examples/rest-courtside.yaml` and nothing else.

- `POST /session` with `user` and `secret` gives a session, which every request carries as `X-Session`.
- `GET /v2/people?after=NO&count=N`: people ordered by number, starting after `after` (keyset). After the last
  person comes an empty page. People who left are listed only with `state=any`; `touched_after` (seconds since
  1970) filters on a later timestamp. `of` is the total.
- `GET /v2/passes?after=ID&count=N`: who holds which plan, as a separate list.
- `GET /v2/plans`: all plans in one response, including those no longer sold.
- Errors have status 200: `{"ok": false, "error": {"code", "text", "retry_in"}}`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults, answer, truncated

MOST = 200

Record = dict[str, Any]


@dataclass
class Place:
    """The Courtside account of one club.

    :param people: each with `no` and `state`, and the fields that the API returns.
    :param passes: each with `id`, `person` and `plan`.
    """

    user: str
    secret: str
    people: list[Record] = field(default_factory=list)
    passes: list[Record] = field(default_factory=list)
    plans: list[Record] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)


def create_app(places: Mapping[str, Place], faults: Faults | None = None) -> Starlette:
    """The API of these clubs, each under `/{club}`."""
    api = _Api(places, faults or Faults())
    return Starlette(
        routes=[
            Route("/{club}/session", api.session, methods=["POST"]),
            Route("/{club}/v2/people", api.people),
            Route("/{club}/v2/passes", api.passes),
            Route("/{club}/v2/plans", api.plans),
        ]
    )


@dataclass
class _Api:
    places: Mapping[str, Place]
    faults: Faults

    async def session(self, request: Request) -> Response:
        place = self.places[request.path_params["club"]]
        body = await request.json()
        if (body.get("user"), body.get("secret")) != (place.user, place.secret):
            return _refused("BAD_LOGIN", "Unknown user or wrong secret.")
        session = secrets.token_urlsafe(12)
        place.sessions.add(session)
        return JSONResponse({"ok": True, "session": session})

    async def people(self, request: Request) -> Response:
        place = self._known(request)
        if place is None:
            return _refused("NO_SESSION", "Log in first.")
        query, club = request.query_params, request.path_params["club"]
        listed = [p for p in place.people if query.get("state") == "any" or p["state"] == "member"]
        if "touched_after" in query:
            listed = [p for p in listed if p["touched"] > int(query["touched_after"])]
        listed.sort(key=lambda p: p["no"])
        after, count = int(query.get("after", 0)), min(int(query.get("count", 50)), MOST)
        before = sum(p["no"] <= after for p in listed)
        fault = self.faults.take(club, -(-before // count) + 1)
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        shown = _page(listed, before, count, fault)
        wrong = fault is not None and fault.kind == "total-wrong"
        response = JSONResponse({"ok": True, "of": len(listed) + wrong, "people": shown})
        if fault is not None and fault.kind == "truncated":
            return truncated(bytes(response.body))
        return response

    async def passes(self, request: Request) -> Response:
        return self._plain(request, "passes", lambda place: place.passes)

    async def plans(self, request: Request) -> Response:
        place = self._known(request)
        if place is None:
            return _refused("NO_SESSION", "Log in first.")
        return JSONResponse({"ok": True, "plans": place.plans})

    def _plain(
        self, request: Request, name: str, rows: Callable[[Place], Sequence[Record]]
    ) -> Response:
        place = self._known(request)
        if place is None:
            return _refused("NO_SESSION", "Log in first.")
        query = request.query_params
        after, count = int(query.get("after", 0)), min(int(query.get("count", 50)), MOST)
        behind = sorted((r for r in rows(place) if r["id"] > after), key=lambda r: r["id"])
        return JSONResponse({"ok": True, name: behind[:count]})

    def _known(self, request: Request) -> Place | None:
        place = self.places.get(request.path_params["club"])
        session = request.headers.get("X-Session")
        return place if place is not None and session in place.sessions else None


def _refused(code: str, text: str, **more: object) -> Response:
    return JSONResponse({"ok": False, "error": {"code": code, "text": text, **more}})


def _page(listed: list[Record], before: int, count: int, fault: Fault | None) -> list[Record]:
    """One page, altered by the fault if there is one."""
    kind = fault.kind if fault else None
    if kind == "empty":
        return []
    if kind == "half":
        listed = listed[: len(listed) // 2]
    start = before
    if kind == "page-repeated":
        start = max(0, before - count)
    if kind == "row-moved":
        start = max(0, before - 1)
    return listed[start : start + count]
