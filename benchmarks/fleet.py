"""A simulated Playtomic with thousands of venues, as a separate process: `python -m benchmarks.fleet …`.

All venues have the same people, but for the number of the venue in every id and email, so that a venue costs memory
only for what was changed in it. It is `sandbox.playtomic` in what it answers, at a fiftieth of the CPU: what is
measured shares two cores with it.

- `POST /_move {"share", "seed"}` changes a share of all players: of ten, four get another email, four another phone,
  one leaves and one joins. Answers with the number of venues touched.
- `POST /_edit {"venue", "kind", "tag"}` makes one change of that kind (`email`, `join`, `leave`); answers with the
  email to look for.
- `GET /_requests` answers with the number of pages asked for.
- `GET /_truth` answers, for every venue, with a digest of the emails that have access: `now`, and `before`, in which
  the people who left with the last move have it still (R14: a departure awaits a second reading).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec
import uvicorn

PAGE = 100
#: Stands for the number of the venue; as long as any of them.
_NUMBER = b"@@@@@@"


def venue_id(number: int) -> str:
    """The id of a venue: always of the same length."""
    return f"{number:06d}"


def people(customers: int) -> list[dict[str, Any]]:
    """The players of every venue, before anything was changed; a tenth of them has no access.

    Every tenth has a benefit that has expired long ago, or no email.
    """
    rng, number = random.Random(7), _NUMBER.decode()
    first = [
        "Ana",
        "Ben",
        "Emma",
        "Farid",
        "Hugo",
        "Jean",
        "Kim",
        "Max",
        "Nora",
        "Omar",
        "Paul",
        "Rosa",
        "Sami",
    ]
    last = [
        "Adler",
        "Brun",
        "Costa",
        "Diaz",
        "Evans",
        "Faure",
        "Girard",
        "Haas",
        "Jung",
        "Klein",
        "Lopez",
    ]
    found = []
    for n in range(customers):
        given, family = rng.choice(first), f"{rng.choice(last)}-{n:04d}"
        expired = n % 20 == 0
        found.append(
            {
                "player_id": f"p{number}-{n:05d}",
                "name": f"{given} {family}",
                "email": None if n % 20 == 10 else f"p{n:05d}@v{number}.example.org",
                "phone": f"+336{rng.randrange(10**8):08d}",
                "birth_date": f"{rng.randrange(1950, 2008)}-{rng.randrange(1, 13):02d}-11",
                "gender": rng.choice(["MALE", "FEMALE"]),
                "last_registration_date": f"2024-03-{n % 28 + 1:02d}T10:00:00",
                "accepts_commercial_communications": True,
                "benefits": [
                    {
                        "benefit_id": f"b{n % 3}",
                        "name": ("Gold", "Silver", "Student")[n % 3],
                        "type": "MEMBERSHIP",
                        "expires_at": "2020-01-01T22:59:59" if expired else "2098-12-31T22:59:59",
                    }
                ],
            }
        )
    return found


def has_access(player: dict[str, Any]) -> bool:
    """Written without regard to how the engine finds it: somebody with an email and a benefit that has not expired."""
    return bool(player["email"]) and player["benefits"][0]["expires_at"] > "2098"


@dataclass
class Fleet:
    """All venues.

    :param edits: venue -> position -> the player as changed, or None who has left.
    :param left: venue -> emails of those who left with the last move.
    """

    venues: int
    customers: int
    edits: dict[int, dict[int, dict[str, Any] | None]] = field(default_factory=dict)
    left: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = people(self.customers)
        self.texts: list[bytes | None] = [msgspec.json.encode(player) for player in self.people]
        self.pages = [self._page(self.texts, at) for at in range(0, self.customers, PAGE)]
        self.emails = [player["email"] for player in self.people if has_access(player)]

    def page(self, venue: int, cursor: int) -> bytes:
        """The answer to a request for a page."""
        number, edits = venue_id(venue).encode(), self.edits.get(venue)
        if not edits:
            return self.pages[cursor].replace(_NUMBER, number) if cursor < len(self.pages) else b""
        texts: list[bytes | None] = list(self.texts)
        texts += [None] * (max(max(edits) + 1 - len(texts), 0))
        for at, player in edits.items():
            texts[at] = None if player is None else msgspec.json.encode(player)
        if cursor * PAGE >= len(texts):
            return b""
        return self._page(texts, cursor * PAGE).replace(_NUMBER, number)

    @staticmethod
    def _page(texts: list[bytes | None], at: int) -> bytes:
        body = b'{"data":[' + b",".join(filter(None, texts[at : at + PAGE])) + b"]"
        if at + PAGE < len(texts):
            return body + b',"next_cursor_id":"%d"}' % (at // PAGE + 1)
        return body + b"}"

    def player(self, venue: int, at: int) -> dict[str, Any] | None:
        """Somebody as they are now; None: they have left."""
        edits = self.edits.get(venue, {})
        return edits[at] if at in edits else self.people[at]

    def move(self, share: float, seed: int) -> int:
        """Change this share of all players; returns the number of venues touched."""
        rng, touched = random.Random(seed), set[int]()
        self.left.clear()
        chosen = rng.sample(
            range(self.venues * self.customers), round(self.venues * self.customers * share)
        )
        for n, one in enumerate(chosen):
            venue, at = divmod(one, self.customers)
            kind = ("email",) * 4 + ("phone",) * 4 + ("leave", "join")
            if self.change(venue, at, kind[n % 10], f"{seed}-{n}"):
                touched.add(venue)
        return len(touched)

    def change(self, venue: int, at: int, kind: str, tag: str) -> str | None:
        """Make one change; returns the email to look for, None if there was nothing to change."""
        was, edits = self.player(venue, at), self.edits.setdefault(venue, {})
        if was is None or not has_access(was):
            return None
        email = f"{kind}-{tag}@v{venue_id(venue)}.example.org"
        if kind == "email":
            edits[at] = {**was, "email": email}
        elif kind == "phone":
            edits[at] = {
                **was,
                "phone": f"+3367{int(hashlib.md5(tag.encode()).hexdigest(), 16) % 10**7:07d}",
            }  # no secret
        elif kind == "leave":
            edits[at] = None
            email = was["email"].replace(_NUMBER.decode(), venue_id(venue))
            self.left.setdefault(venue, []).append(email)
        else:
            place = max(max(edits, default=0) + 1, self.customers)
            new = {"player_id": f"n{venue_id(venue)}-{tag}", "email": email, "name": f"New {tag}"}
            edits[place] = {**was, **new, "phone": None}
        return email

    def truth(self) -> list[tuple[str, str, str]]:
        """Venue, digest now, digest before the last departures."""
        found = []
        for venue in range(self.venues):
            number, edits = venue_id(venue), self.edits.get(venue)
            if edits:
                size = max(self.customers, max(edits) + 1)
                players = (
                    self.player(venue, at) if at < self.customers else edits.get(at)
                    for at in range(size)
                )
                emails = [player["email"] for player in players if player and has_access(player)]
            else:
                emails = self.emails
            now = [email.replace(_NUMBER.decode(), number) for email in emails]
            found.append((number, digest(now), digest([*now, *self.left.get(venue, [])])))
        return found


def digest(emails: Iterable[str]) -> str:
    """Of a set of emails; PostgreSQL computes the same."""
    return hashlib.md5(",".join(sorted(emails)).encode()).hexdigest()  # no secret


class App:
    """The fleet over HTTP, as an ASGI application without a framework."""

    def __init__(self, fleet: Fleet, latency: float) -> None:
        self.fleet, self.latency, self.requests = fleet, latency, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, query = scope["path"], parse_qs(scope["query_string"].decode())
        if path.startswith("/api/v1/venues/"):
            self.requests += 1
            await asyncio.sleep(self.latency)
            body = self.fleet.page(int(path.split("/")[4]), int(query.get("cursor_id", ["0"])[0]))
            if query.get("limit") == ["1"]:  # the probe whether cursors are where they were
                body = self.fleet.page(int(path.split("/")[4]), 0)
        elif path == "/_requests":
            body = str(self.requests).encode()
        elif path == "/_truth":
            body = json.dumps(self.fleet.truth()).encode()
        else:
            given = json.loads((await receive())["body"] or b"{}")
            if path == "/_move":
                body = json.dumps(
                    {"venues": self.fleet.move(given["share"], given["seed"])}
                ).encode()
            elif path == "/_edit":
                email = self.fleet.change(given["venue"], given["at"], given["kind"], given["tag"])
                body = json.dumps({"email": email}).encode()
            else:
                body = b'{"token":"t","token_type":"BEARER","expires_in":3600}'
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send(
            {"type": "http.response.start", "status": 200 if body else 400, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venues", type=int, required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    given = parser.parse_args()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = App(Fleet(given.venues, given.customers), given.latency)
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
