"""The simulated Playtomic with many venues, as a separate process: `python -m benchmarks.erp …`.

`POST /_move` changes a share of all players: another email or phone, and one in five leaves or joins.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox import playtomic
from sandbox.playtomic import Player, Venue, players_of
from sandbox.world import ClubSpec, World

SECRET = "benchmark"


class Delay:
    """Delays every response by this many seconds."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        await self.app(scope, receive, send)


def move(clubs: dict[str, list[Player]], share: float, seed: int) -> int:
    """Change this share of all players; returns the number of affected clubs."""
    rng = random.Random(seed)
    everybody = [(club, n) for club, players in clubs.items() for n in range(len(players))]
    moving = rng.sample(everybody, round(len(everybody) * share))
    leaving = []
    for number, (club, n) in enumerate(moving):
        player = clubs[club][n]
        if number % 10 < 4:
            player["email"] = f"moved{seed}.{number}@example.org"
        elif number % 10 < 8:
            player["phone"] = f"+3363998{rng.randrange(10_000):04d}"
        elif number % 10 == 8:
            leaving.append((club, n))
        else:
            fresh: Player = {**player, "player_id": f"n{seed}-{number}"}
            fresh["email"] = f"new{seed}.{number}@example.org"
            clubs[club].append(fresh)
    for club, n in sorted(leaving, reverse=True):
        del clubs[club][n]
    return len({club for club, _ in moving})


def app(clubs: int, customers: int, latency: float) -> ASGIApp:
    now = datetime.now(UTC)
    specs = [ClubSpec(f"club-{n}", f"Club {n}", customers) for n in range(clubs)]
    world = World(1, specs, now, events_per_hour=0)
    zone = ZoneInfo("Europe/Paris")
    players = {spec.id: players_of(world.club(spec.id, now), zone) for spec in specs}

    async def moved(request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"clubs": move(players, body["share"], body["seed"])})

    venues = {
        spec.id: Venue(spec.id, SECRET, lambda club=spec.id: players[club])  # type: ignore[misc]  # a lambda with a default
        for spec in specs
    }
    return Starlette(
        routes=[
            Route("/_move", moved, methods=["POST"]),
            Mount("/", Delay(playtomic.create_app(venues), latency)),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clubs", type=int, required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--latency", type=float, required=True, help="seconds")
    given = parser.parse_args()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app(given.clubs, given.customers, given.latency), log_level="warning", lifespan="off"
        )
    )
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
