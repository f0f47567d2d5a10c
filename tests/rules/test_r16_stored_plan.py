"""The plan that is stored is the plan that is loaded: each stage in a process of its own, as Airflow runs it."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clubsync.config import Guard
from clubsync.model import Step
from clubsync.pipeline import diff
from clubsync.pipeline.engine import Pipeline
from clubsync.store import packages
from clubsync.store.packages import AFFECTED, PLAN
from clubsync.validate import facts
from connectors import registry
from tests.support.club import Club

#: Imported once, by the process that each stage's process is forked from: libraries, and nothing that was computed.
PRELOADED = ["clubsync.pipeline.engine", "great_expectations", __name__]

Stage = Callable[[str, list[Step]], tuple[list[Step], dict[str, int]]]


def in_a_process(stage: str, given: str, environment: dict[str, str]) -> str:
    """One stage: steps come in and go out as JSON, as through XCom.

    :returns: JSON: the steps, and how many clubs' records were evaluated, and how many plans were made.
    """
    os.environ.update(environment)
    registry.CONNECTORS["memory"] = "tests.support.club:MemoryConnector"
    calls: Counter[str] = Counter()

    def counted(module: ModuleType, name: str) -> None:
        plain = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return plain(*args, **kwargs)

        setattr(module, name, call)

    counted(facts, "evaluate")
    counted(diff, "plan")
    with Pipeline.from_environment() as pipeline:
        steps = getattr(pipeline, stage)(json.loads(given))
    return json.dumps({"steps": steps, "calls": calls})


@pytest.fixture(scope="module")
def forked() -> Callable[..., str]:
    """Calls `in_a_process` in a new process each time; its imports were made once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    def call(*arguments: Any) -> str:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(in_a_process, *arguments).result()

    return call


@pytest.fixture
def stages(club: Club, tmp_path: Path, forked: Callable[..., str]) -> Stage:
    """Runs a stage in a process of its own; what it was called with comes back with its steps."""
    config = tmp_path / "clubs.yaml"
    config.write_text(
        f"clubs:\n  - {{id: {club.id}, name: {club.config.name}, erp: memory, connection: memory}}\n"
    )
    pipeline = club.pipeline()
    environment = {
        "CLUBSYNC_CONFIG": str(config),
        "CLUBSYNC_DATABASE": pipeline.base.engine.url.render_as_string(hide_password=False),
        "CLUBSYNC_SNAPSHOTS": pipeline.store.root,
        "CLUBSYNC_NOW": club.now.isoformat(),
        "GX_ANALYTICS_ENABLED": "false",
    }

    def run(stage: str, steps: list[Step]) -> tuple[list[Step], dict[str, int]]:
        out = json.loads(forked(stage, json.dumps(steps), environment))
        return out["steps"], out["calls"]

    return run


def extracted(club: Club) -> list[Step]:
    """The steps of one club that was read just now, as they go through XCom."""
    steps = club.pipeline().extract([club.id], "scheduled")
    back: list[Step] = json.loads(json.dumps(steps))
    return back


def test_r16_records_are_evaluated_once_and_planned_once(club: Club, stages: Stage) -> None:
    """Validate evaluates, diff plans, load does neither; what comes out is what one process makes."""
    for number in range(30):
        club.erp.put(str(number), f"p{number}@x.fr")
    club.sync()
    club.erp.put("30", "new@x.fr")
    club.erp.change("3", status="former")
    club.erp.change("4", email="other@x.fr")
    calls: dict[str, int] = {}
    steps = extracted(club)
    for stage in ("validate", "diff", "load"):
        steps, made = stages(stage, steps)
        assert steps[0]["error"] is None
        for name, count in made.items():
            calls[f"{stage}: {name}"] = count
    assert calls == {"validate: evaluate": 1, "diff: plan": 1}
    assert {k: n for k, n in steps[0]["counts"].items() if n} == {
        "addition": 1,
        "deactivation": 1,
        "email_change": 1,
    }
    assert club.base()["30"]["in_customers_group"]
    assert not club.base()["3"]["in_customers_group"]
    assert club.base()["4"]["email"] == "other@x.fr"
    assert club.unsettled() == {}


def test_r17_a_quiet_club_hands_on_nothing(club: Club, stages: Stage) -> None:
    """Nothing has changed: nothing is evaluated, planned or stored in any stage."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    steps = extracted(club)
    for stage in ("validate", "diff", "load"):
        steps, made = stages(stage, steps)
        assert made == {}
    assert steps[0]["plan"] is None
    assert club.pipeline().store.names(f"{club.id}/runs/{steps[0]['run']}", "") == []


def test_r16_somebody_wrote_in_between(club: Club, stages: Stage) -> None:
    """The base has another revision than the plan: load plans again, once, and says so in the same row."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.put("2", "b@x.fr")
    steps, _ = stages("validate", extracted(club))
    steps, _ = stages("diff", steps)
    club.add_by_hand("b@x.fr")
    steps, made = stages("load", steps)
    assert made == {"evaluate": 1, "plan": 1}
    assert steps[0]["counts"]["adoption"] == 1
    assert club.rows("select count(*) from sync.plan where run = %s", steps[0]["run"]) == [(1,)]
    assert len([row for row in club.base().values() if row["email"] == "b@x.fr"]) == 1


def test_r16_one_row_and_one_file_a_run(club: Club, stages: Stage) -> None:
    """What validate stored goes when the plan is stored; the plan stays to be looked at."""
    club.erp.put("1", "a@x.fr")
    steps = extracted(club)
    folder = packages.folder(club.id, steps[0]["run"] or 0)
    store = club.pipeline().store
    steps, _ = stages("validate", steps)
    assert store.names(folder, "") == [AFFECTED]
    steps, _ = stages("diff", steps)
    assert store.names(folder, "") == [PLAN]
    steps, _ = stages("load", steps)
    assert store.names(folder, "") == [PLAN]
    assert club.rows("select count(*) from sync.plan where run = %s", steps[0]["run"]) == [(1,)]


def test_r16_what_validate_stored_is_lost(club: Club, stages: Stage) -> None:
    """Without its package diff evaluates the stored snapshot again, and the run ends as it should."""
    club.erp.put("1", "a@x.fr")
    steps, _ = stages("validate", extracted(club))
    club.pipeline().store.remove_file(packages.folder(club.id, steps[0]["run"] or 0), AFFECTED)
    steps, made = stages("diff", steps)
    assert made == {"evaluate": 1, "plan": 1}
    steps, made = stages("load", steps)
    assert made == {}
    assert steps[0]["error"] is None
    assert club.base()["1"]["in_customers_group"]


def test_r15_the_list_that_is_held_is_the_stored_one(new_club: Callable[..., Club]) -> None:
    """A dry run, the run's page and the hold read one object: what the plan sets apart is what is held."""
    club = new_club(guard=Guard(share=0.1, at_least=3, at_most=200))
    for number in range(40):
        club.erp.put(str(number), f"p{number}@x.fr")
    club.sync()
    club.erp.remove(*(str(number) for number in range(20)))
    (dry,) = club.pipeline().sync([club.id], "by hand", dry_run=True)
    store = club.pipeline().store
    planned = packages.stored_plan(store, packages.folder(club.id, dry["run"] or 0))
    step = club.sync()
    held = packages.stored_plan(store, packages.folder(club.id, step["run"] or 0)).held
    members = {row[0] for row in club.rows("select customer from sync.hold_member")}
    assert dry["hold"] is not None
    assert set(planned.held["customer"]) == set(held["customer"]) == members
    assert dry["hold"]["deactivations"] == len(members) == 20
