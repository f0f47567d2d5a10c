"""Virtuagym's Public API v1, as its documentation describes it (docs/erps/virtuagym.md).

Faithful to the documentation: both keys in the query, members in ascending id order by `from_id` and `max_results`
(at most 500), `results_remaining`, `with=memberships`, a flat or nested envelope, a mix of seconds, milliseconds and
dates, 500 requests an hour and status 421 beyond.

Inferred [inf], as in the connector: `from_id` is the last id that was read, 401 for a wrong key.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.paged import answered, listed, total
from sandbox.world import ClubState, Membership, Person

MOST = 500

Record = dict[str, Any]


@dataclass
class Club:
    """One club.

    :param members: its current members with their memberships, in any order.
    :param nested: whether the envelope is nested.
    :param quota: how many requests are answered; None: all.
    :param calls: how many requests were made.
    """

    api_key: str
    club_secret: str
    members: Callable[[], Sequence[Record]]
    nested: bool = False
    quota: int | None = None
    calls: int = 0


def create_app(clubs: Mapping[int, tuple[str, Club]], faults: Faults | None = None) -> Starlette:
    """The API for these clubs.

    :param clubs: club number -> (its name in the faults, club).
    """
    api = _Api(clubs, faults or Faults())
    return Starlette(routes=[Route("/api/v1/club/{club:int}/member", api.members, methods=["GET"])])


@dataclass
class _Api:
    clubs: Mapping[int, tuple[str, Club]]
    faults: Faults

    async def members(self, request: Request) -> Response:
        query = request.query_params
        name, club = self.clubs.get(request.path_params["club"], ("", None))
        if club is None or not all(
            secrets.compare_digest(query.get(k, "").encode(), known.encode())
            for k, known in (("api_key", club.api_key), ("club_secret", club.club_secret))
        ):
            return _response(401, [], None, nested=True, status=401)
        club.calls += 1
        if club.quota is not None and club.calls > club.quota:
            return _response(421, [], None, nested=club.nested, status=421)
        try:
            after = int(query.get("from_id", 0))
            limit = min(MOST, int(query.get("max_results", MOST)))
        except ValueError:
            return _response(420, [], None, nested=club.nested, status=400)
        everybody = sorted(club.members(), key=_id)
        start = sum(_id(m) <= after for m in everybody)

        def render(fault: str | None) -> Response:
            rows, _ = listed(everybody, start, limit, fault)
            if query.get("with") != "memberships":
                rows = [{k: v for k, v in r.items() if k != "memberships"} for r in rows]
            last = max([after, *(_id(r) for r in rows)])
            remaining = total([m for m in everybody if _id(m) > last], fault)
            return _response(200, rows, remaining, nested=club.nested)

        return await answered(self.faults, name, start // limit + 1, render)


def _id(record: Record) -> int:
    return int(record["member_id"])


def _response(
    code: int, rows: list[Record], remaining: int | None, *, nested: bool, status: int = 200
) -> Response:
    status_part: Record = {"statuscode": code, "statusmessage": "…", "result_count": len(rows)}
    if remaining is not None:
        status_part["results_remaining"] = remaining
        if remaining and rows:
            status_part["next_page"] = f"from_id={_id(rows[-1])}"
    if nested:
        return JSONResponse({"status": status_part, "result": rows}, status)
    return JSONResponse({**status_part, "result": rows}, status)


def member_of(person: Person, names: Mapping[str, str], today: date) -> Record:
    """A person as a member; every second member has timestamps in seconds, the others in milliseconds.

    :param names: product id -> name.
    """
    scale = 1000 if person.number % 2 else 1
    products = {key: i for i, key in enumerate(names, 1)}
    return {
        "member_id": person.number,
        "firstname": person.first_name,
        "lastname": person.last_name,
        "email": person.email,
        "mobile": person.phone,
        "active": person.status in ("active", "paused"),
        "is_pro": False,
        "gender": {"male": "m", "female": "f"}.get(person.gender or "", "u"),
        "birthday": person.birth_date.isoformat() if person.birth_date else None,
        "member_since": person.created_at.date().isoformat(),
        "timestamp_edit": int(person.modified_at.timestamp()) * scale,
        "memberships": [
            _membership(m, products[m.product_id], names[m.product_id], today)
            for m in person.memberships
        ],
    }


def _membership(m: Membership, number: int, name: str, today: date) -> Record:
    over = m.end is not None and m.end < today
    return {
        "membership_id": number,
        "membership_name": name,
        "active": int(m.start <= today and not over),
        "cancelled": int(m.end is not None),
        "paused": 0,
        "stopped": int(over),
        "completed": 0,
        "start_date": m.start.isoformat(),
        "contract_end_date": m.end.isoformat() if m.end else None,
    }


def club_of(api_key: str, club_secret: str, state: Callable[[], ClubState], zone: ZoneInfo) -> Club:
    """The club as a club of Virtuagym."""

    def members() -> list[Record]:
        club = state()
        names = {p.id: p.name for p in club.products}
        today = club.at.astimezone(zone).date()
        return [member_of(p, names, today) for p in club.people]

    return Club(api_key, club_secret, members)
