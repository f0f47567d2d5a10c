"""What the scheduler does for us when a run starts or ends: pools, and the notes of runs.

A task has no access to Airflow's database, and the scheduler has. Airflow logs what a listener raises, and continues.
Imported by every process of Airflow: nothing heavy here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from plugins.dag_ids import OURS, SYNC_ONE
from plugins.orchestration import pools
from plugins.orchestration.notes import KEY

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Create the pools that are needed: of this Dag, and of whatever waits for one that somebody has deleted."""
    if not _is_ours(dag_run.dag_id):
        return
    from airflow.utils.session import create_session

    # a session of its own: the scheduler's must not be committed here
    with create_session(scoped=False) as session:
        wanted = pools.waiting(session)
        if dag_run.dag_id.startswith(pools.PREFIX) and dag_run.dag_id != SYNC_ONE:
            wanted.append(dag_run.dag_id)
        if created := pools.ensure(session, wanted):
            log.info("Created the pools %s.", ", ".join(created))


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    _note(dag_run)


def _is_ours(dag_id: str) -> bool:
    return dag_id.startswith(pools.PREFIX) or dag_id in OURS


def _note(dag_run: DagRun) -> None:
    """Write what the run's task has to say into its note, unless a person has written one.

    The run's own session writes it: another one would wait for the lock that the scheduler has on the run.
    """
    if not dag_run.dag_id.startswith(pools.PREFIX):
        return
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return
    statement = (
        select(XComModel.value)
        .where(
            XComModel.dag_id == dag_run.dag_id,
            XComModel.run_id == dag_run.run_id,
            XComModel.key == KEY,
        )
        .order_by(XComModel.timestamp.desc())
        .limit(1)
    )
    told = session.scalar(statement)
    text = told if isinstance(told, str) else ""
    written = dag_run.dag_run_note
    if written is not None and written.user_id is not None:
        return
    if written is None and text:
        dag_run.note = text
    elif written is not None and written.content != text:
        written.content = text
