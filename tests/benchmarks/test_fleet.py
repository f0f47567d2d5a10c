"""The simulated ERP of the large benchmarks: its own truth, found apart from the engine, is what the engine loads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks import club
from benchmarks.fleet import App, Fleet, venue_id
from benchmarks.whole import TRUTH
from clubsync.config import Config
from clubsync.pipeline.engine import Pipeline
from clubsync.store import embedded
from connectors.sdk.base import Connection
from tests.support.servers import serving

VENUES = 4


def wrong(url: str, fleet: Fleet) -> list[str]:
    """Clubs whose base is not what the fleet says."""
    with psycopg.connect(url) as driver:
        found: dict[str, str] = dict(driver.execute(TRUTH).fetchall())
    truth = {f"club-{venue}": {now, before} for venue, now, before in fleet.truth()}
    return [name for name, right in truth.items() if found[name] not in right]


@pytest.fixture
def database(postgres: embedded.Server) -> Iterator[str]:
    postgres.create_database("fleet")
    yield "fleet"
    postgres.drop_database("fleet")


def test_what_the_fleet_says_is_what_is_loaded(
    postgres: embedded.Server, database: str, tmp_path: Path
) -> None:
    """R4 to R6, R9, R14: through its API, after moves of every kind; a departure takes a second reading."""
    fleet, ids = Fleet(VENUES, 250), [venue_id(n) for n in range(VENUES)]
    config = Config(
        one.model_copy(update={"id": f"club-{one.id}", "settings": {"venue_id": one.id}})
        for one in club.config(ids, "playtomic").clubs
    )
    clubs = [one.id for one in config.clubs]
    with (
        serving(App(fleet, 0)) as address,
        club.pipeline(
            postgres.url(database), tmp_path, config, Connection("fleet", address, "fleet", "fleet")
        ) as pipeline,
    ):
        assert synced(pipeline, clubs) == VENUES * 225
        assert wrong(postgres.conninfo(database), fleet) == []
        fleet.move(0.02, 1)
        assert wrong(postgres.conninfo(database), fleet) != []  # it can tell
        left = [email for of in fleet.left.values() for email in of]
        assert left
        for seed in (2, 3):
            synced(pipeline, clubs)
            assert wrong(postgres.conninfo(database), fleet) == []
            fleet.move(0.02, seed)
        synced(pipeline, clubs)
        synced(pipeline, clubs)
        fleet.left.clear()  # who left has left
        assert wrong(postgres.conninfo(database), fleet) == []


def synced(pipeline: Pipeline, clubs: list[str]) -> int:
    """Sync all; returns how many customers were added."""
    steps = pipeline.sync(clubs, "test")
    assert [step["error"] for step in steps] == [None] * len(clubs)
    return sum(step["counts"]["addition"] for step in steps)
