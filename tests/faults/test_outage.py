"""The outage drill (R14, R25, R26): an ERP down for two hours, then empty, then half of itself, then back.

Real HTTP to the simulated Playtomic, the real engine on PostgreSQL, and alerts through Apprise to a real
HTTP server; only the clock is the test's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clubsync.config import ClubConfig, Config
from clubsync.model import Step
from clubsync.operate import freshness
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from plugins.orchestration import upkeep_tasks
from sandbox.faults import Fault, Faults
from sandbox.playtomic import Player, Venue
from sandbox.playtomic import create_app as playtomic
from tests.support.servers import serving

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLUB = "drill"


def _player(number: int) -> Player:
    return Player(
        player_id=f"u-{number:03d}",
        name=f"Person Number{number}",
        email=f"person{number}@x.fr",
        phone=None,
        birth_date=None,
        gender="HIDDEN",
        last_registration_date="2025-01-01T09:00:00",
        accepts_commercial_communications=False,
        benefits=[],
    )


class Drill:
    """A club of eighty on a cadence of five minutes, and a person's clock."""

    def __init__(
        self, base: Base, folder: Path, url: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.base, self.faults, self._patch = base, faults, monkeypatch
        club = ClubConfig(
            id=CLUB,
            name="Drill",
            erp="playtomic",
            connection="drill",
            settings={
                "venue_id": CLUB,
                "page": 10,
                "http": {"attempts": 1, "backoff": 0.01, "longest_wait": 0.1},
            },
        )
        self.pipeline = Pipeline(
            Config(clubs=(club,)),
            base,
            Store(str(folder)),
            resolve=lambda conn_id: Connection(conn_id, url, "client", "drill-secret"),
        )
        self.now = START
        self.steps: list[Step] = []

    def until(self, minutes: int) -> list[Step]:
        """Let that much time pass: every minute upkeep looks, and the club is read when it is due."""
        begun = len(self.steps)
        for _ in range(minutes):
            self.now += MINUTE
            self._patch.setenv("CLUBSYNC_NOW", self.now.isoformat())
            due = self.pipeline.due("playtomic", self.now)
            self.steps += self.pipeline.sync(due, "scheduled")
            upkeep_tasks._alert(self.base, freshness.watch(self.base, self.pipeline.config))
        return self.steps[begun:]

    def inside(self) -> set[str]:
        with self.base.transaction() as driver:
            number = queries().find_club(driver, club_id=CLUB)
        assert number is not None
        with self.base.club(number) as driver:
            rows = list(queries().customers(driver, club=number))
        return {str(row["erp_id"]) for row in rows if row["in_customers_group"]}


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What arrived at the place where alerts go."""
    arrived: list[dict[str, Any]] = []

    async def take(request: Request) -> Response:
        arrived.append(await request.json())
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/alerts", take, methods=["POST"])])) as url:
        place = {"path": url.replace("http://", "json://") + "/alerts", "tag": "all"}
        connection = {"conn_type": "apprise", "extra": {"config": place}}
        monkeypatch.setenv("AIRFLOW_CONN_CLUBSYNC_ALERTS", json.dumps(connection))
        yield arrived


@pytest.fixture
def players() -> list[Player]:
    return [_player(n) for n in range(80)]


@pytest.fixture
def drill(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, players: list[Player]
) -> Iterator[Drill]:
    faults = Faults()
    venue = Venue("client", "drill-secret", lambda: players)
    with ExitStack() as stack:
        url = stack.enter_context(serving(playtomic({CLUB: venue}, faults)))
        monkeypatch.setenv("CLUBSYNC_NOW", START.isoformat())
        yield Drill(shared_base, tmp_path, url, faults, monkeypatch)


def test_outage_drill(drill: Drill, players: list[Player], alerts: list[dict[str, Any]]) -> None:
    everybody = {player["player_id"] for player in players}
    assert [step["error"] for step in drill.until(6)] == [None, None]
    assert drill.inside() == everybody

    # down for two hours, in which two people leave and two come
    drill.faults.set(CLUB, Fault(kind="server-error"))
    del players[:2]
    players += [_player(100), _player(101)]
    down = drill.until(120)
    assert all(step["error"] for step in down)
    assert len(down) < 15, "asked ever more rarely, not 24 times"
    assert drill.inside() == everybody
    assert [alert["title"] for alert in alerts] == ["clubsync: 1 club not fresh"]

    # up, and empty: an outage still, until a person says otherwise
    drill.faults.set(CLUB, Fault(kind="empty"))
    empty = drill.until(60)
    assert empty
    assert all("returned no customers" in (step["error"] or "") for step in empty)
    assert drill.inside() == everybody

    # half of its pages: whoever is seen is believed, whoever is not is left alone
    drill.faults.set(CLUB, Fault(kind="server-error", from_page=5))
    half = drill.until(70)
    assert half
    assert [step["error"] for step in half] == [None] * len(half)
    assert not any(step["certified"] for step in half)
    assert drill.inside() >= everybody
    assert sum(step["counts"]["deactivation"] for step in half) == 0

    # all of it: the first good run catches everything up, but for who is missing (R14): the second one, a minute
    # later, misses them too
    drill.faults.clear()
    first, second, *_ = drill.until(6)
    assert (first["certified"], first["suspected"]) == (True, 2)
    assert (second["certified"], second["counts"]["deactivation"]) == (True, 2)
    assert drill.inside() == {player["player_id"] for player in players}
    drill.until(30)
    told = [(alert["title"], alert["message"]) for alert in alerts]
    assert [title for title, _ in told] == [
        "clubsync: 1 club not fresh",  # late
        "clubsync: 1 club not fresh",  # by now without a complete reading for three hours, too
        "clubsync: 1 club fresh again",
        "clubsync: 1 club fresh again",
    ]
    assert "Drill (drill) has not been read since 02 March" in told[0][1]
    assert "has had no complete read since" in told[1][1]
    assert "recovered after" in told[2][1]
    assert "has complete data again" in told[3][1]
