"""Playtomic's third-party API, as its public pages describe it (docs/erps/playtomic.md).

Faithful to those pages: the token call and its two errors, the bearer that lasts an hour, pages of at most 100
players, most recent first, `cursor_id`, `include`. Inferred [inf], as in the connector: the keys of a benefit,
`next_cursor_id` at the top of the answer and left out on the last page, status 400 for a bad cursor or limit
and 404 for an unknown venue.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults, answer, truncated
from sandbox.paged import cursor_of, read_cursor
from sandbox.world import ClubState, Person

TOKEN_LASTS = timedelta(hours=1)
#: a benefit that ran out is listed for so long.
EXPIRED_SHOWN = timedelta(days=30)
MOST = 100


class Benefit(TypedDict):
    """What a player holds."""

    benefit_id: str
    name: str
    type: str
    expires_at: str | None


class Player(TypedDict):
    """A player as the API gives one; the three lists only where they are asked for."""

    player_id: str
    name: str
    email: str | None
    phone: str | None
    birth_date: str | None
    gender: str
    last_registration_date: str
    accepts_commercial_communications: bool
    benefits: list[Benefit]


@dataclass(frozen=True)
class Venue:
    """One venue of the simulated Playtomic.

    :param players: its players now, in any order.
    """

    client_id: str
    secret: str
    players: Callable[[], Sequence[Player]]


@dataclass
class _Tokens:
    """Tokens that were given out: token -> (client id, when it runs out)."""

    now: Callable[[], datetime]
    given: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def give(self, client: str) -> str:
        token = secrets.token_urlsafe(24)
        self.given[token] = (client, self.now() + TOKEN_LASTS)
        return token

    def client(self, header: str) -> str | None:
        kind, _, token = header.partition(" ")
        client, ends = self.given.get(token, ("", self.now()))
        return client if kind.lower() == "bearer" and ends > self.now() else None


def create_app(
    venues: Mapping[str, Venue],
    faults: Faults | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The API for these venues.

    :param venues: by venue id, which is also the club's name among the faults.
    """
    api = _Api(venues, faults or Faults(), _Tokens(now))
    return Starlette(
        routes=[
            Route("/api/v1/oauth/token", api.token, methods=["POST"]),
            Route("/api/v1/venues/{venue}/players", api.players, methods=["GET"]),
        ]
    )


@dataclass
class _Api:
    venues: Mapping[str, Venue]
    faults: Faults
    tokens: _Tokens

    async def token(self, request: Request) -> Response:
        try:
            body = await request.json()
            client, secret = body["client_id"], body["secret"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "MISSING_PARAMETERS"}, 400)
        known = any(
            v.client_id == client
            and secrets.compare_digest(v.secret.encode(), str(secret).encode())
            for v in self.venues.values()
        )
        if not known:
            return JSONResponse({"error": "UNAUTHORIZED"}, 401)
        return JSONResponse(
            {
                "token": self.tokens.give(client),
                "token_type": "BEARER",
                "expires_in": int(TOKEN_LASTS.total_seconds()),
            }
        )

    async def players(self, request: Request) -> Response:
        name = request.path_params["venue"]
        venue = self.venues.get(name)
        client = self.tokens.client(request.headers.get("Authorization", ""))
        if client is None:
            return JSONResponse({"error": "UNAUTHORIZED"}, 401)
        if venue is None:
            return JSONResponse({"error": "NOT_FOUND"}, 404)
        if venue.client_id != client:
            return JSONResponse({"error": "FORBIDDEN"}, 403)
        query = request.query_params
        try:
            limit = int(query.get("limit", 20))
            page, after = read_cursor(query.get("cursor_id"))
        except ValueError:
            return JSONResponse({"error": "BAD_REQUEST"}, 400)
        if not 1 <= limit <= MOST:
            return JSONResponse({"error": "BAD_REQUEST"}, 400)
        fault = self.faults.take(name, page)
        if fault is not None and (instead := await answer(fault)) is not None:
            return instead
        if fault is not None and fault.kind == "cursor-invalid":
            return JSONResponse({"error": "INVALID_CURSOR"}, 400)
        listed = _listed(venue.players(), after, limit, fault.kind if fault else None)
        body: dict[str, Any] = {
            "data": [_shown(p, query.getlist("include")) for p in listed[:limit]]
        }
        if len(listed) > limit:
            body["next_cursor_id"] = cursor_of(page + 1, _key(listed[limit - 1]))
        response = JSONResponse(body)
        if fault is not None and fault.kind == "truncated":
            return truncated(bytes(response.body))
        return response


def _listed(
    players: Sequence[Player], after: tuple[str, str] | None, limit: int, fault: str | None
) -> list[Player]:
    """The players from this page on, most recent first, as a fault may have them."""
    everybody = sorted(players, key=_key, reverse=True)
    if fault == "empty":
        return []
    if fault == "half":
        everybody = everybody[: len(everybody) // 2]
    if after is None:
        return everybody
    rest = [p for p in everybody if _key(p) < after]
    before = everybody[: len(everybody) - len(rest)]
    if fault == "page-repeated":
        return [*before[-limit:], *rest]
    if fault == "row-moved":
        return [*before[-1:], *rest]
    return rest


def players_of(state: ClubState, zone: ZoneInfo) -> list[Player]:
    """The club as Playtomic would list it: neither prospects nor who has left.

    :param zone: the club's; benefits end at the end of its days.
    """
    names = {p.id: p.name for p in state.products}
    today = state.at.astimezone(zone).date()
    return [
        _player(p, names, today, zone) for p in state.people if p.status in ("active", "paused")
    ]


def _player(person: Person, names: Mapping[str, str], today: date, zone: ZoneInfo) -> Player:
    return {
        "player_id": f"u-{person.number}",
        "name": f"{person.first_name} {person.last_name}",
        "email": person.email,
        "phone": person.phone,
        "birth_date": person.birth_date.isoformat() if person.birth_date else None,
        "gender": {"male": "MALE", "female": "FEMALE"}.get(person.gender or "", "HIDDEN"),
        "last_registration_date": _without_offset(person.created_at),
        "accepts_commercial_communications": person.number % 3 == 0,
        "benefits": [
            {
                "benefit_id": m.product_id,
                "name": names.get(m.product_id, m.product_id),
                "type": "MEMBERSHIP",
                "expires_at": _end_of(m.end, zone) if m.end else None,
            }
            for m in person.memberships
            if m.start <= today and (m.end is None or m.end >= today - EXPIRED_SHOWN)
        ],
    }


def _end_of(day: date, zone: ZoneInfo) -> str:
    return _without_offset(datetime.combine(day + timedelta(days=1), time(0), zone))


def _without_offset(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _key(player: Player) -> tuple[str, str]:
    return player["last_registration_date"], player["player_id"]


def _shown(player: Player, include: Sequence[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {k: v for k, v in player.items() if k != "benefits"}
    if "BENEFITS" in include:
        shown["benefits"] = player["benefits"]
    if "SPORTS" in include:
        shown["sports"] = []
    if "WALLETS" in include:
        shown["wallets"] = []
    return shown
