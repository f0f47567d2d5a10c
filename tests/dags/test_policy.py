"""What every Dag has to be like, whoever wrote it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from clubsync.config import load_config
from connectors.registry import CONNECTORS
from plugins.orchestration import dag_docs

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config(ROOT / "config" / "clubs.yaml")
KNOWN_TAGS = {"clubsync", "sync", "one", "holds", "upkeep", *CONNECTORS}
HEAVY = {"pandas", "polars", "great_expectations", "fastapi", "pyarrow", "clubsync.store.database"}


def _serialized(dag: DAG) -> dict[str, Any]:
    from airflow.serialization.serialized_objects import DagSerialization

    return dict(DagSerialization.to_dict(dag))


def _deadline(dag: DAG) -> DeadlineAlert:
    """The only one."""
    (deadline,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert isinstance(deadline, DeadlineAlert)
    return deadline


@pytest.fixture
def syncs(dags: dict[str, DAG]) -> list[DAG]:
    """The Dags that run by themselves, one per ERP."""
    return [
        dag for dag_id, dag in dags.items() if dag_id in {f"sync_{c.erp}" for c in CONFIG.clubs}
    ]


def test_every_erp_with_clubs_has_its_dag(dags: dict[str, DAG]) -> None:
    assert {f"sync_{club.erp}" for club in CONFIG.clubs} <= set(dags)


def test_every_connector_has_a_dag_file() -> None:
    files = {path.stem for path in (ROOT / "dags").glob("sync_*.py")}
    assert {f"sync_{name}" for name in CONNECTORS} <= files


def test_owner_tags_and_words_for_support(dags: dict[str, DAG]) -> None:
    for dag_id, dag in dags.items():
        assert {task.owner for task in dag.tasks} == {"data-engineering"}, dag_id
        assert "clubsync" in dag.tags, dag_id
        assert set(dag.tags) <= KNOWN_TAGS, dag_id
        assert dag.doc_md, dag_id
        assert dag.catchup is False, dag_id


def test_every_task_says_what_it_does_and_what_to_do_when_it_is_red(dags: dict[str, DAG]) -> None:
    for dag_id, dag in dags.items():
        for task in dag.tasks:
            assert task.doc_md, f"{dag_id}.{task.task_id}"
            assert "**If it is red:**" in task.doc_md, f"{dag_id}.{task.task_id}"


def test_the_texts_of_dags_and_tasks_name_runbooks_and_tasks_that_exist(
    dags: dict[str, DAG],
) -> None:
    tasks = {task.task_id for dag in dags.values() for task in dag.tasks}
    assert set(dag_docs.TASK_DOCS) == tasks | {"deliver"}  # the demo has no webhooks
    runbooks = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    for text in (*dag_docs.TASK_DOCS.values(), dag_docs.SYNC_DOC):
        named = re.findall(r"[Rr]unbooks?:? (`[a-z-]+`(?:,\s`[a-z-]+`)*)", text)
        for book in (one.strip("`") for names in named for one in re.split(r",\s", names)):
            assert book in runbooks, book


def test_the_stages_of_an_erp_share_its_pool(syncs: list[DAG]) -> None:
    for dag in syncs:
        pools = {task.task_id: task.pool for task in dag.tasks}
        stages = ("extract", "validate", "diff", "load", "retry_club")
        assert {pools.pop(task) for task in stages} == {dag.dag_id}
        assert set(pools.values()) == {"default_pool"}


def test_r25_a_run_is_late_when_it_has_not_ended_within_the_shortest_promise(
    syncs: list[DAG],
) -> None:
    for dag in syncs:
        clubs = [club for club in CONFIG.clubs if f"sync_{club.erp}" == dag.dag_id]
        deadline = _deadline(dag)
        promised = min(club.promised.read for club in clubs if club.promised.read)
        assert deadline.interval == promised + min(club.every for club in clubs)
        # clearing a run whose deadline counts from when it was queued is an error of Airflow's
        assert deadline.reference == DeadlineReference.DAGRUN_LOGICAL_DATE


def test_the_triggerer_can_import_what_a_deadline_calls(syncs: list[DAG]) -> None:
    deadline = _deadline(syncs[0])
    script = (
        "import asyncio, importlib\n"
        f"module, _, name = {deadline.callback.path!r}.rpartition('.')\n"
        "late = getattr(importlib.import_module(module), name)\n"
        "assert asyncio.iscoroutinefunction(late)"
    )
    subprocess.run([sys.executable, "-c", script], cwd="/", check=True)


def test_a_scheduled_run_has_an_interval_that_is_not_empty(syncs: list[DAG]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in syncs:
        timetable = DagSerialization.from_dict(_serialized(dag)).timetable
        interval = timetable.infer_manual_data_interval(
            run_after=pendulum.datetime(2026, 11, 21, 10, 7)
        )
        assert interval.end > interval.start, dag.dag_id


def test_one_run_at_a_time_per_erp(syncs: list[DAG]) -> None:
    assert {dag.max_active_runs for dag in syncs} == {1}


def test_no_task_can_run_for_ever(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            waits_for_a_person = isinstance(task, HITLOperator)
            assert task.execution_timeout or waits_for_a_person, f"{dag.dag_id}.{task.task_id}"


def test_r15_a_question_waits_without_waking(dags: dict[str, DAG]) -> None:
    """Airflow 3.3 loses an answer that is given while the task looks; one lost all the same is asked again."""
    task = dags["held_changes"].get_task("decide")
    assert isinstance(task, HITLOperator)
    assert task.response_timeout is None
    assert task.retries


def test_the_form_offers_the_clubs_by_name(syncs: list[DAG]) -> None:
    for dag in syncs:
        ours = {c.id: c.name for c in CONFIG.clubs if f"sync_{c.erp}" == dag.dag_id}
        clubs = dag.params.get_param("clubs").schema
        assert clubs["values_display"] == ours
        assert clubs["examples"] == list(ours)
        assert dag.params["dry_run"] is False
        assert dag.params["full"] is False


def test_only_the_leaf_says_whether_the_run_is_red(syncs: list[DAG]) -> None:
    for dag in syncs:
        leaves = [task.task_id for task in dag.tasks if not task.downstream_task_ids]
        assert leaves == ["outcome"]
        outcome = dag.get_task("outcome")
        assert outcome.trigger_rule == "all_done"
        assert {"find_due", "load", "retry_club"} <= outcome.upstream_task_ids


def test_parsing_twice_gives_the_same_dag(dags: dict[str, DAG]) -> None:
    """Else each parse would make a new version of it."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_CONFIG", str(ROOT / "config" / "clubs.yaml"))
        again = DagBag(str(ROOT / "dags")).dags
    for dag_id, dag in dags.items():
        assert _serialized(again[dag_id]) == _serialized(dag), dag_id


def test_parsing_imports_nothing_heavy() -> None:
    """A Dag file is parsed every minute, and at the start of every task."""
    files = sorted(str(path) for path in (ROOT / "dags").glob("*.py"))
    script = (
        "import runpy, sys\n"
        f"for file in {files!r}: runpy.run_path(file)\n"
        f"print(*sorted(set(sys.modules) & {HEAVY!r}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_airflow_looks_for_plugins_only_in_files_that_have_some() -> None:
    ignored = (ROOT / "plugins" / ".airflowignore").read_text().split()
    for path in (ROOT / "plugins").glob("*.py"):
        assert path.name in ignored or "AirflowPlugin" in path.read_text(), path.name
