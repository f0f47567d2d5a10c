"""What Airflow keeps of a Dag and of a run does not grow with the number of clubs."""

from __future__ import annotations

import contextlib
import cProfile
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.serialization.serialized_objects import DagSerialization

from clubsync import clock
from clubsync.config import Config, load_config
from clubsync.errors import HandedOnGone
from clubsync.model import Step, new_step
from clubsync.operate import retention
from clubsync.store import handed_on
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from plugins.orchestration import assets, dag_builder, handing, sync_tasks, upkeep_tasks
from plugins.orchestration.failures import RunFailed
from tests.support.rules import shared_base

__all__ = ["shared_base"]

ROOT = Path(__file__).resolve().parents[2]
LARGEST_DAG = 100_000
LARGEST_XCOM = 10_000
"""Bytes."""

NAME = "Salle d'escalade de Sainte-Geneviève-des-Bois, bâtiment n° "


def write_clubs(path: Path, count: int) -> Path:
    """A clubs.yaml whose ids and names are long, half of the clubs in one ERP."""
    erps = ("csv", "eversports", "planity", "square")
    rows = [
        f'  - {{id: salle-d-escalade-de-sainte-genevieve-des-bois-{n}, name: "{NAME}{n}",'
        f" erp: {erps[n % 4] if n % 2 else 'csv'}, connection: c, every: 1m}}\n"
        for n in range(count)
    ]
    path.write_text("clubs:\n" + "".join(rows))
    return path


# --- serialized Dags --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[DagBag, int]]:
    """All Dags by the number of clubs, and how many functions parsing them calls when clubs.yaml is compiled."""
    return {count: _parse(tmp_path_factory.mktemp("clubs"), count) for count in (200, 10_000)}


def _parse(folder: Path, count: int) -> tuple[DagBag, int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_CONFIG", str(write_clubs(folder / "clubs.yaml", count)))
        patch.setenv("CLUBSYNC_VAR", str(folder))
        load_config()
        DagBag(str(ROOT / "dags"))  # imports whatever is imported once
        with cProfile.Profile() as profile:
            bag = DagBag(str(ROOT / "dags"))
        calls = sum(row.callcount for row in profile.getstats())
        return bag, calls


def test_a_serialized_dag_is_small_however_many_clubs_there_are(
    parsed: dict[int, tuple[DagBag, int]],
) -> None:
    bag, _ = parsed[10_000]
    assert bag.import_errors == {}
    assert {"sync_csv", "sync_eversports", "sync_one", "upkeep"} <= set(bag.dags)
    sizes = {
        dag_id: len(json.dumps(DagSerialization.to_dict(dag))) for dag_id, dag in bag.dags.items()
    }
    assert max(sizes.values()) < LARGEST_DAG, sizes


def test_parsing_all_dags_of_ten_thousand_clubs_costs_what_two_hundred_cost(
    parsed: dict[int, tuple[DagBag, int]],
) -> None:
    """The dag-processor does it every minute. A function called once a club would be 8 % more."""
    assert parsed[10_000][1] < parsed[200][1] * 1.05


@pytest.mark.parametrize("count", [100, 400])
def test_a_form_that_offers_clubs_does_not_make_the_dag_large(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow stores the form with the Dag, and again with each of its tasks."""
    path = write_clubs(tmp_path / "clubs.yaml", count)
    for name in (NAME, "Padel Lyon "):
        text = path.read_text().replace(NAME, name)
        if name != NAME:
            text = text.replace("salle-d-escalade-de-sainte-genevieve-des-bois", "padel-lyon")
        path.write_text(text)
        monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
        for dag in (dag_builder.sync_dag("eversports"), dag_builder.sync_one_dag()):
            assert dag is not None
            assert len(json.dumps(DagSerialization.to_dict(dag))) < LARGEST_DAG
    assert "values_display" in dag_builder.sync_dag("eversports").params.get_param("clubs").schema  # type: ignore[union-attr]  # there is one


# --- XCom -------------------------------------------------------------------------------------


class Told:
    """Bytes of the XComs of a run, by task."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}

    def __call__(self, task: str, value: Any) -> Any:
        stored = BaseXCom.serialize_value(value)
        size = len(json.dumps(stored))
        self.sizes[task] = max(size, self.sizes.get(task, 0))
        return BaseXCom.deserialize_value(SimpleNamespace(value=stored))


class Engine:
    """In place of the pipeline: all that a step can have, and the real club base."""

    def __init__(self, base: Base, config: Config) -> None:
        self.base, self.config, self.explain, self.told = base, config, True, Told()
        self.clubs = {club.id: club.name for club in config.clubs}

    def due(self, erp: str, *_: object) -> list[str]:
        return [club.id for club in self.config.of_erp(erp)]

    def extract(self, clubs: Sequence[str], *_: object, **__: object) -> list[Step]:
        return [self._step(club, n) for n, club in enumerate(clubs)]

    def validate(self, steps: list[Step]) -> list[Step]:
        return steps

    def diff(self, steps: list[Step]) -> list[Step]:
        return steps

    def load(self, steps: list[Step], **_: object) -> list[Step]:
        for step in steps:
            step["rows_written"] = 3
        return steps

    def sync(self, clubs: Sequence[str], *_: object, **__: object) -> list[Step]:
        return [self._step(club, 1) for club in clubs]

    def _step(self, club: str, number: int) -> Step:
        """Every fifth has failed."""
        step = new_step(club, self.clubs[club])
        step["doubts"] = step["notes"] = ["The last page of the answer did not come, twice."] * 3
        step["findings"] = {f"FINDING_{n}": n for n in range(20)}
        if number % 5 == 0:
            step["error"] = "The ERP answered 500 Internal Server Error, three times in a row."
            step["remedy"], step["transient"] = "Ask the ERP's support.", True
        return step


@pytest.fixture
def engine(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """2,000 clubs of one ERP, in as many batches as a large deployment has slots."""
    path = write_clubs(tmp_path / "clubs.yaml", 4_000)
    path.write_text(path.read_text().replace("erp: eversports", "erp: planity"))
    monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
    monkeypatch.setenv("CLUBSYNC_SLOTS", "64")
    fake = Engine(shared_base, load_config())
    context = {
        "params": {"clubs": [], "full": False, "dry_run": False},
        "dag_run": SimpleNamespace(
            run_type="scheduled", data_interval_end=datetime(2026, 11, 21, tzinfo=UTC)
        ),
        "ti": SimpleNamespace(
            try_number=1, dag_id="sync_csv", xcom_push=lambda key, value: fake.told(key, value)
        ),
        "outlet_events": OutletEventAccessors(),
    }

    @contextlib.contextmanager
    def pipeline() -> Iterator[Engine]:
        yield fake

    @contextlib.contextmanager
    def club_base() -> Iterator[Base]:
        yield shared_base

    monkeypatch.setattr(sync_tasks, "pipeline", pipeline)
    monkeypatch.setattr(sync_tasks, "club_base", club_base)
    for module in (sync_tasks, assets):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    return fake


def test_a_run_of_two_thousand_clubs_passes_little_through_xcom(engine: Engine) -> None:
    told = engine.told
    due = told("find_due", sync_tasks.find_due("csv"))
    assert len(due) == 63
    assert sum(ref["clubs"] for ref in due) == 2_000
    loaded = []
    for batch in due:
        for stage in ("extract", "validate", "diff", "load"):
            batch = told(stage, getattr(sync_tasks, stage)(batch))
        loaded.append(batch)
    # one batch was interrupted
    failures = told("collect_failures", sync_tasks.collect_failures(due, [*loaded[:-1], None]))
    assert len(failures) == sync_tasks.MOST_RETRIED
    retried = [told("retry_club", sync_tasks.retry(failed)) for failed in failures[:3]]
    with pytest.raises(RunFailed, match="of 2000 clubs were not synced"):
        sync_tasks.report(due, loaded, retried)
    assert set(told.sizes) == {
        *("find_due", "extract", "validate", "diff", "load", "collect_failures", "retry_club"),
        "note",
    }
    assert max(told.sizes.values()) < LARGEST_XCOM, told.sizes
    # what a mapped task is expanded over is one of these lists, and its rendered argument one reference
    assert max(len(json.dumps(ref)) for ref in (*due, *failures)) < 500


def test_the_runs_that_upkeep_starts_pass_little_through_xcom() -> None:
    club, plan = "c" * 60, "f" * 64
    run = {
        "trigger_dag_id": "first_syncs",
        "trigger_run_id": f"{club}-first-{plan}",
        "conf": {"club": club, "plan": plan},
        "reset_dag_run": True,
    }
    runs = upkeep_tasks._runs([run] * 2_000, [], {})
    assert len(json.dumps(BaseXCom.serialize_value(runs))) < LARGEST_XCOM


def test_a_list_of_references_goes_without_labels_where_it_would_be_too_large() -> None:
    ref = handing.Ref(handed_on=123_456, clubs=25, label="é" * handing.LONGEST_LABEL)
    assert handing.small([ref] * 3) == [ref] * 3
    assert handing.small([ref] * 200) == [{"handed_on": 123_456, "clubs": 25}] * 200
    assert len(json.dumps(handing.small([ref] * 200))) < LARGEST_XCOM


def test_what_was_handed_on_stays_for_three_days(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is cleared takes it again; later its log says what to do."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 2, tzinfo=UTC))
    ref = handing.clubs(shared_base, ["paris", "lyon"], ["Paris", "Lyon"])
    assert handing.taken(shared_base, ref) == ["paris", "lyon"]
    for days in (2, 3):
        at = datetime(2026, 3, 2 + days, 0, 1, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        retention.upkeep(shared_base, Store(str(tmp_path)), load_config(), handed_on.KEPT * 10)
        if days == 2:
            assert handing.taken(shared_base, ref) == ["paris", "lyon"]
    with pytest.raises(HandedOnGone, match="was deleted after 3 days"):
        handing.taken(shared_base, ref)
