"""R25: where the time of each club's run went, also in a batch that works on several clubs at once."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from clubsync.config import Config
from clubsync.errors import ActionRejected
from clubsync.explain import profile as profiles
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.profile import FIELDS, PARTS, STAGES, TOTALS, empty, of_stage, parts, place
from connectors.sdk import meter
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club
from tests.support.rules import NewClub

#: Seconds that the ERP of a test takes to answer.
SLOW = 0.05


@pytest.fixture
def pair(new_club: NewClub) -> tuple[Club, Club]:
    clubs = new_club(), new_club()
    for club in clubs:
        club.erp.put("1", "one@x.fr", first_name="Zoé", last_name="Durand")
        club._say(True, None, (), ())
    return clubs


def together(*clubs: Club) -> Pipeline:
    first = clubs[0].pipeline()
    config = Config(clubs=tuple(club.config for club in clubs))
    return Pipeline(config, first.base, first.store, resolve=first.resolve)


def stored(club: Club, run: int | None) -> list[float] | None:
    ((found,),) = club.rows("select profile from sync.run where run = %s", run)
    profile: list[float] | None = found
    return profile


def in_tasks(engine: Pipeline, clubs: tuple[Club, ...]) -> list[Step]:
    """All four stages, with what goes from one to the next as Airflow hands it on."""
    steps = engine.extract([club.id for club in clubs], "scheduled")
    for stage in ("validate", "diff", "load"):
        steps = getattr(engine, stage)(json.loads(json.dumps(steps)))
    return steps


def test_each_stage_of_each_club_is_in_the_row_of_its_run(pair: tuple[Club, Club]) -> None:
    steps = in_tasks(together(*pair), pair)
    for club, step in zip(pair, steps, strict=True):
        profile = stored(club, step["run"])
        assert profile is not None
        assert len(profile) == len(STAGES) * len(FIELDS) + len(TOTALS)
        for stage in STAGES:
            told = of_stage(profile, stage)
            assert told["clubs"] == len(pair)
            assert told["wall"] > told["database"] > 0, stage
            assert told["cpu"] > 0
            assert told["airflow"] == 0, "no task of Airflow"
        document = profiles.of_run(club._base, step["run"])
        assert document["club"] == club.id
        assert [one["stage"] for one in document["stages"]] == list(STAGES)
        assert sum(document["parts"].values()) == pytest.approx(document["elapsed"], abs=0.01)


def test_a_quiet_run_has_one_too(pair: tuple[Club, Club]) -> None:
    engine = together(*pair)
    in_tasks(engine, pair)
    for club, step in zip(pair, in_tasks(engine, pair), strict=True):
        assert step["unchanged"]
        profile = stored(club, step["run"])
        assert profile is not None
        assert of_stage(profile, "load")["wall"] > 0


def test_what_is_done_for_all_clubs_at_once_is_divided_among_them(pair: tuple[Club, Club]) -> None:
    engine = together(*pair)
    steps = engine.extract([club.id for club in pair], "scheduled")
    with engine.timing.batch("validate", steps):
        for step in steps:
            engine.stage("validate", step, lambda _: None)
        with meter.part(meter.DATABASE):
            time.sleep(SLOW)
    one, other = (of_stage(step["profile"], "validate") for step in steps)
    assert one["database"] == other["database"] >= SLOW / 2
    assert one["wall"] >= SLOW / 2
    assert one["wall"] + other["wall"] < 4 * SLOW


def test_a_club_that_failed_before_has_no_share_of_a_later_stage(pair: tuple[Club, Club]) -> None:
    pair[0].erp.fault = ErpUnreachable("Memory did not respond.")
    steps = in_tasks(together(*pair), pair)
    failed, whole = (stored(club, step["run"]) for club, step in zip(pair, steps, strict=True))
    assert steps[0]["error"]
    assert failed is not None
    assert whole is not None
    assert of_stage(failed, "extract")["wall"] > 0
    assert [of_stage(failed, stage)["wall"] for stage in STAGES[1:]] == [0, 0, 0]
    assert of_stage(whole, "load")["clubs"] == 1


def test_airflow_is_what_lies_between_the_stages(pair: tuple[Club, Club]) -> None:
    """From the start of the Dag run to the first stage, and from the end of each stage to the next one's start."""
    engine = together(*pair)
    engine.timing.due_since = time.time() - 3
    steps = engine.extract([club.id for club in pair], "scheduled")
    for stage in ("validate", "diff", "load"):
        for step in steps:
            step["clocked"][1] -= 2
        steps = getattr(engine, stage)(steps)
    for club, step in zip(pair, steps, strict=True):
        profile = stored(club, step["run"])
        assert profile is not None
        waited = [of_stage(profile, stage)["airflow"] for stage in STAGES]
        assert waited == [pytest.approx(3, abs=1), *[pytest.approx(2, abs=1)] * 3]
        assert parts(profile)["airflow"] == pytest.approx(sum(waited), abs=0.01)


def test_waiting_for_the_erp_is_the_club_s_that_waits() -> None:
    """Clubs that are read at a time have a meter each, and a part within a part is counted once."""
    told: dict[str, meter.Meter] = {}

    def read(name: str, seconds: float) -> None:
        with meter.metering(meter.Meter()) as mine, meter.part(meter.ERP):
            with meter.part(meter.DATABASE):
                time.sleep(seconds)
            meter.received(100)
            told[name] = mine

    threads = [threading.Thread(target=read, args=(str(n), SLOW * n)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told["2"].seconds["erp"] > told["1"].seconds["erp"] >= SLOW
    assert all(set(one.seconds) == {"erp"} for one in told.values())
    assert [(one.requests, one.received) for one in told.values()] == [(1, 100)] * 2
    assert meter.current() is None


def test_a_cycle_sums_its_runs_and_names_the_slowest(pair: tuple[Club, Club]) -> None:
    for club in pair:
        club.at("2040-03-02 09:00")  # after the runs of other tests' clubs
    start = pair[0].now
    engine = together(*pair)
    steps = in_tasks(engine, pair)
    slow = pair[1].number
    pair[1].rows(
        "update sync.run set profile[%s] = 60, airflow_run = 'scheduled__1' where club = %s returning run",
        place("extract", "wall") + 1,
        slow,
    )
    found: dict[str, Any] = profiles.of_cycle(engine.base, "memory", start, slowest=1)
    assert found["runs"] >= len(steps)
    assert [one["club"] for one in found["slowest"]] == [pair[1].id]
    assert found["slowest"][0]["longest"] == "turn"
    extract = next(one for one in found["stages"] if one["stage"] == "extract")
    assert extract["seconds"]["max"] == 60
    assert extract["seconds"]["sum"] > 60 > extract["seconds"]["p50"]
    assert set(found["parts"]) == set(PARTS)
    assert [one["airflow_run"] for one in found["cycles"]] == ["scheduled__1"]


def test_a_run_without_a_profile_says_why(club: Club) -> None:
    step = club.sync()
    with pytest.raises(ActionRejected, match="There is no run 999999999"):
        profiles.of_run(club._base, 999_999_999)
    club.rows("update sync.run set profile = null where run = %s returning run", step["run"])
    with pytest.raises(ActionRejected, match="has no profile"):
        profiles.of_run(club._base, step["run"])
    with pytest.raises(ActionRejected, match="has a profile"):
        profiles.of_run(club._base, None, club.id)


def test_an_empty_profile_has_no_parts() -> None:
    assert parts(empty()) == dict.fromkeys(PARTS, 0.0)
