"""Playtomic's third-party API, as its public documentation describes it (docs/erps/playtomic.md).

Faithful to the documentation: the token call and its two errors, a bearer token valid for an hour, pages of at
most 100 players, most recent first, `cursor_id`, `include`. Inferred [inf], as in the connector: the keys of a
benefit, `next_cursor_id` at the top level of the response and absent on the last page, status 400 for an invalid
cursor or limit and 404 for an unknown venue.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TypedDict
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults, answer, truncated
from sandbox.paged import cursor_of, read_cursor
from sandbox.world import ClubState, Person

TOKEN_LASTS = timedelta(hours=1)
#: How long an expired benefit is still listed.
EXPIRED_SHOWN = timedelta(days=30)
MOST = 100


class Benefit(TypedDict):
    """A benefit of a player, such as a membership."""

    benefit_id: str
    name: str
    type: str
    expires_at: str | None


class Player(TypedDict):
    """A player as the API returns it; `benefits` only on request (`include`)."""

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

    :param players: its current players, in any order.
    """

    client_id: str
    secret: str
    players: Callable[[], Sequence[Player]]


@dataclass
class _Tokens:
    """Issued tokens: token -> (client id, expiry)."""

    now: Callable[[], datetime]
    issued: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def issue(self, client: str) -> str:
        token = secrets.token_urlsafe(24)
        self.issued[token] = (client, self.now() + TOKEN_LASTS)
        return token

    def client(self, header: str) -> str | None:
        kind, _, token = header.partition(" ")
        client, ends = self.issued.get(token, ("", self.now()))
        return client if kind.lower() == "bearer" and ends > self.now() else None


def create_app(
    venues: Mapping[str, Venue],
    faults: Faults | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The API for these venues.

    :param venues: by venue id, which is also the name of the club in the faults.
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
                "token": self.tokens.issue(client),
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
        body: dict[str, object] = {
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
    """The players from this page on, most recent first, altered by the fault if any."""
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
    """The players of a club: neither prospects nor people who left.

    :param zone: time zone of the club; benefits expire at the end of its days.
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
    return _without_offset(datetime.combine(day, time(23, 59, 59), zone))


def _without_offset(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _key(player: Player) -> tuple[str, str]:
    return player["last_registration_date"], player["player_id"]


def _shown(player: Player, include: Sequence[str]) -> dict[str, object]:
    shown: dict[str, object] = {k: v for k, v in player.items() if k != "benefits"}
    if "BENEFITS" in include:
        shown["benefits"] = player["benefits"]
    if "SPORTS" in include:
        shown["sports"] = []
    if "WALLETS" in include:
        shown["wallets"] = []
    return shown
