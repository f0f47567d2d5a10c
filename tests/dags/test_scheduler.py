"""What the scheduler does when a run starts or ends: pools, and the notes of runs."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.models import import_all_models
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy.orm import Session

from plugins.orchestration import listener, pools


@pytest.fixture
def session() -> Iterator[Session]:
    """A part of Airflow's database, in memory."""
    import_all_models()  # type: ignore[no-untyped-call]  # Airflow has no types for it
    engine = sa.create_engine("sqlite://")
    tables = [model.__table__ for model in (Pool, TaskInstance, DagRun, DagRunNote, XComModel)]
    DagRun.metadata.create_all(engine, tables=tables)
    with Session(engine) as opened:
        yield opened


def sizes(session: Session) -> dict[str, int]:
    return {str(pool.pool): pool.slots for pool in session.scalars(sa.select(Pool))}


def test_a_pool_that_is_missing_is_created(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUBSYNC_SLOTS", "6")
    assert pools.ensure(session, ["sync_csv", "sync_rest"]) == ["sync_csv", "sync_rest"]
    assert pools.ensure(session, ["sync_csv"]) == []
    assert sizes(session) == {"sync_csv": 6, "sync_rest": 6}


def test_the_size_is_the_setting_s_unless_somebody_has_changed_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUBSYNC_POOL_SLOTS", "3")
    monkeypatch.setenv("CLUBSYNC_POOL_SLOTS_CSV", "9")
    both = ["sync_csv", "sync_rest"]
    pools.ensure(session, both)
    assert sizes(session) == {"sync_csv": 9, "sync_rest": 3}
    session.execute(sa.update(Pool).where(Pool.pool == "sync_csv").values(slots=1))
    monkeypatch.setenv("CLUBSYNC_POOL_SLOTS", "4")
    monkeypatch.setenv("CLUBSYNC_POOL_SLOTS_CSV", "8")
    pools.ensure(session, both)
    assert sizes(session) == {"sync_csv": 1, "sync_rest": 4}


@pytest.mark.parametrize("given", ["many", "0", "-1", "2.5"])
def test_a_setting_that_is_no_number_is_logged_and_leaves_no_task_without_its_pool(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: str,
) -> None:
    monkeypatch.setenv("CLUBSYNC_SLOTS", "6")
    monkeypatch.setenv("CLUBSYNC_POOL_SLOTS", given)
    pools.ensure(session, ["sync_csv"])
    assert sizes(session) == {"sync_csv": 6}
    assert "CLUBSYNC_POOL_SLOTS has to be a number" in caplog.text


def _waits(session: Session, state: str, pool: str) -> None:
    """A task, of which only its state and its pool matter here."""
    values = {"state": state, "pool": pool, "task_id": pool, "dag_id": "d", "run_id": "r"}
    more: dict[str, Any] = {}
    for column in TaskInstance.__table__.columns:
        given = column.nullable or column.default is not None or column.name in values
        if not given and column.name != "map_index":
            more[column.name] = 0 if isinstance(column.type, sa.Integer) else "0"
    session.execute(sa.insert(TaskInstance).values(**values, **more, map_index=-1))


def test_a_pool_that_a_task_waits_for_is_missed_whoever_deleted_it(session: Session) -> None:
    pools.ensure(session, ["sync_rest"])
    for state, pool in (
        ("scheduled", "sync_csv"),
        ("scheduled", "sync_rest"),
        ("scheduled", "somebody_elses"),
        ("running", "sync_odoo"),
    ):
        _waits(session, state, pool)
    assert pools.waiting(session) == ["sync_csv"]


def test_only_runs_of_ours_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("no session is needed")

    monkeypatch.setattr("airflow.utils.session.create_session", fail)
    listener.on_dag_run_running(SimpleNamespace(dag_id="somebody_elses"), "started")  # type: ignore[arg-type]  # it has all that is used
    listener.on_dag_run_failed(SimpleNamespace(dag_id="upkeep"), "")  # type: ignore[arg-type]  # it has all that is used


@pytest.fixture
def noted(session: Session, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run, and what its task has to say."""
    run = SimpleNamespace(dag_id="sync_csv", run_id="r", dag_run_note=None, note=None, said="")
    monkeypatch.setattr("sqlalchemy.orm.object_session", lambda _: session)
    monkeypatch.setattr(session, "scalar", lambda _: run.said)
    return run


def note(text: str, user: str | None = None) -> DagRunNote:
    return DagRunNote(text, user_id=user)  # type: ignore[no-untyped-call]  # Airflow has no types for it


def test_a_note_names_the_clubs_and_goes_when_they_are_synced(noted: Any) -> None:
    noted.said = "Not synced: Lyon."
    listener.on_dag_run_failed(noted, "task_failure")
    assert noted.note == "Not synced: Lyon."
    noted.dag_run_note, noted.said = note(noted.note), ""
    listener.on_dag_run_success(noted, "success")
    assert noted.dag_run_note.content == ""


def test_the_note_of_a_person_stays(noted: Any) -> None:
    noted.dag_run_note, noted.said = note("I called them.", "support"), "Not synced."
    listener.on_dag_run_failed(noted, "task_failure")
    assert noted.dag_run_note.content == "I called them."


def test_a_run_without_anything_to_say_has_no_note(noted: Any) -> None:
    listener.on_dag_run_success(noted, "success")
    assert noted.note is None
