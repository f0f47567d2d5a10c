"""The structure of the Dags; what their tasks do is in ``sync_tasks`` and ``upkeep_tasks``.

Imported at every parse of a Dag file and at the start of every task: heavy libraries must not be
imported here, and nothing may depend on the current time, or each parse would create a new version of
the Dag.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, task_group
from airflow.sdk import task as airflow_task

from clubsync.config import load_config
from plugins.dag_ids import FIRST_SYNCS, HELD_CHANGES, RETENTION, SYNC_ONE, UPKEEP, WEBHOOKS
from plugins.orchestration import deadlines, notes, pools, sync_tasks, upkeep_tasks
from plugins.orchestration.assets import CHANGED
from plugins.orchestration.dag_docs import (
    FIRST_DOC,
    HELD_DOC,
    ONE_DOC,
    RETENTION_DOC,
    SYNC_DOC,
    TASK_DOCS,
    UPKEEP_DOC,
    WEBHOOKS_DOC,
)
from plugins.orchestration.failures import (
    RETRIES,
    ClubRetryPolicy,
    DatabaseRetryPolicy,
    explain_failure,
    explain_retry,
    waits,
)
from plugins.orchestration.handing import Ref, Refs

OWNER = "data-engineering"
START = datetime(2026, 1, 1, tzinfo=UTC)
"""A backfill cannot start earlier."""

LONGEST_TASK = timedelta(hours=2)
"""The first sync of a large club over a slow API takes most of an hour."""

DB_TASK_RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": DatabaseRetryPolicy(),
}
"""For tasks that only query our own database."""

TITLES = {"csv": "CSV exports", "rest": "REST APIs"}

LABEL = f"{{{{ {notes.LABEL} if {notes.LABEL} is defined else instance_label(task) }}}}"

LARGEST_OFFER = 8_000
"""The bytes of JSON that the clubs take that a form offers by name. Airflow stores them with the Dag and again with
each of its tasks."""

DRY_RUN = "Read, validate and plan without writing anything to the club base. The plan is stored and shown."
FULL = "Read all records, even where the ERP can return changes only."


def task(task_id: str, **options: Any) -> Any:
    """The decorator of a task: with its text, and without its return value in the log, whose lines say it all.

    A dict that it returns is one value.
    """
    return airflow_task(
        task_id=task_id,
        doc_md=TASK_DOCS[task_id],
        show_return_value_in_logs=False,
        multiple_outputs=False,
        **options,
    )


def cron(every: timedelta) -> str:
    """The cron expression that fires at least that often, evenly.

    Cron restarts with each hour and day, so this is the longest interval that divides them.
    """
    minutes = max(1, int(every.total_seconds() // 60))
    if minutes < 60:
        return f"*/{max(part for part in range(1, minutes + 1) if 60 % part == 0)} * * * *"
    hours = min(minutes // 60, 24)
    interval = max(part for part in range(1, hours + 1) if 24 % part == 0)
    return f"0 */{interval} * * *" if interval < 24 else "0 0 * * *"


def sync_dag(erp: str) -> DAG | None:
    """The Dag ``sync_<erp>``; None if no club in clubs.yaml uses that ERP.

    :raises clubsync.errors.ConfigError: clubs.yaml is not valid; Airflow shows the message.
    """
    clubs = load_config().summary(erp)
    if clubs is None:
        return None
    title = TITLES.get(erp, erp.title())
    with DAG(
        dag_id=f"sync_{erp}",
        dag_display_name=f"Sync {title}",
        description=f"Keeps the club base of {clubs.count} clubs in sync with {title}.",
        doc_md=SYNC_DOC.format(
            title=title,
            count=clubs.count,
            often=_often(clubs.every),
            pool=pools.pool_of(erp),
            within=deadlines.in_words(clubs.within),
        ),
        deadline=deadlines.alert(clubs.within, clubs.every),
        schedule=CronDataIntervalTimetable(cron(clubs.every), timezone="UTC"),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args={"owner": OWNER, "execution_timeout": LONGEST_TASK},
        tags={"clubsync", "sync", erp},
        params={"clubs": _choice(clubs.names), **_switches()},
        user_defined_macros={"instance_label": sync_tasks.instance_label},
    ) as dag:
        _shape(erp, clubs.every)
    return dag


def _often(every: timedelta) -> str:
    minutes = int(every.total_seconds() // 60)
    return "every minute" if minutes == 1 else f"every {minutes} minutes or less often"


def _shape(erp: str, every: timedelta) -> None:
    pool = pools.pool_of(erp)

    @task("find_due", **DB_TASK_RETRIES)
    def find_due() -> list[Ref]:
        return sync_tasks.find_due(erp)

    @task("extract", map_index_template=LABEL, pool=pool)
    def extract(clubs: Ref) -> Ref:
        return sync_tasks.extract(clubs)

    @task("validate", map_index_template=LABEL, pool=pool)
    def validate(steps: Ref) -> Ref:
        return sync_tasks.validate(steps)

    @task("diff", map_index_template=LABEL, pool=pool)
    def diff(steps: Ref) -> Ref:
        return sync_tasks.diff(steps)

    @task("load", map_index_template=LABEL, pool=pool, outlets=[CHANGED])
    def load(steps: Ref) -> Ref:
        return sync_tasks.load(steps)

    @task_group(prefix_group_id=False)
    def batch(clubs: Ref) -> Any:
        return load(diff(validate(extract(clubs))))

    @task("collect_failures", trigger_rule=TriggerRule.ALL_DONE, **DB_TASK_RETRIES)
    def collect_failures(due: Refs, loaded: Refs) -> list[Ref]:
        return sync_tasks.collect_failures(due, loaded)

    @task(
        "retry_club",
        map_index_template=LABEL,
        pool=pool,
        outlets=[CHANGED],
        **_club_retries(waits(every)),
    )
    def retry_club(failed: Ref) -> Ref:
        return sync_tasks.retry(failed)

    @task("outcome", trigger_rule=TriggerRule.ALL_DONE, **DB_TASK_RETRIES)
    def outcome(due: Refs, loaded: Refs, retried: Refs) -> None:
        sync_tasks.report(due, loaded, retried)

    batches = find_due()
    loaded = batch.expand(clubs=batches)
    failures = collect_failures(batches, loaded)
    outcome(batches, loaded, retry_club.expand(failed=failures))


def sync_one_dag() -> DAG:
    """The Dag ``sync_one``: one club of any ERP, now, in parallel with the scheduled runs."""
    clubs = load_config().summary()
    with DAG(
        dag_id=SYNC_ONE,
        dag_display_name="Sync one club now",
        description="Syncs one club now: started by a webhook or by Sync now.",
        doc_md=ONE_DOC,
        schedule=None,
        start_date=START,
        catchup=False,
        max_active_runs=16,
        default_args={"owner": OWNER, "execution_timeout": LONGEST_TASK},
        tags={"clubsync", "sync", "one"},
        params={
            "club": _one_of(clubs.names if clubs else {}),
            **_switches(),
        },
    ) as dag:

        @task(
            "sync_club",
            outlets=[CHANGED],
            **_club_retries(waits(timedelta(minutes=1))),
        )
        def sync_club() -> Ref:
            return sync_tasks.sync_chosen()

        sync_club()
    return dag


def held_changes_dag() -> DAG:
    """The Dag ``held_changes``: each run requests a decision on one list of a hold (R15)."""
    from plugins.orchestration.approvals import COMMENT, HoldApproval

    with DAG(
        dag_id=HELD_CHANGES,
        dag_display_name="Held deactivations",
        description="Deactivations awaiting approval, one run for each list.",
        doc_md=HELD_DOC,
        schedule=None,
        start_date=START,
        catchup=False,
        max_active_runs=1000,
        default_args={"owner": OWNER},
        tags={"clubsync", "holds"},
        params={
            "club": Param("", type="string", title="Club"),
            "hold": Param(0, type="integer", title="Hold"),
            "version": Param(0, type="integer", title="List"),
        },
    ) as dag:
        HoldApproval(
            task_id="decide",
            doc_md=TASK_DOCS["decide"],
            params={"comment": COMMENT},
            outlets=[CHANGED],
            **DB_TASK_RETRIES,
        )
    return dag


def first_syncs_dag() -> DAG:
    """The Dag ``first_syncs``: each run requests the approval of a plan of a club's first sync (R28)."""
    from plugins.orchestration.approvals import APPROVE, FirstSyncApproval

    with DAG(
        dag_id=FIRST_SYNCS,
        dag_display_name="First syncs",
        description="First syncs awaiting approval, one run for each plan.",
        doc_md=FIRST_DOC,
        schedule=None,
        start_date=START,
        catchup=False,
        max_active_runs=1000,
        default_args={"owner": OWNER},
        tags={"clubsync", "holds"},
        params={
            "club": Param("", type="string", title="Club"),
            "plan": Param("", type="string", title="Plan"),
        },
    ) as dag:
        FirstSyncApproval(
            task_id="approve_first_sync",
            doc_md=TASK_DOCS["approve_first_sync"],
            options=[APPROVE],
            outlets=[CHANGED],
            **DB_TASK_RETRIES,
        )
    return dag


def upkeep_dags() -> tuple[DAG, DAG]:
    """The Dags ``upkeep`` (every minute) and ``retention`` (every night)."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    common: dict[str, Any] = {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {"owner": OWNER, "execution_timeout": LONGEST_TASK},
        "tags": {"clubsync", "upkeep"},
    }
    with DAG(
        dag_id=UPKEEP,
        dag_display_name="Upkeep",
        description="Freshness alerts, approval requests for holds, nudges without a run.",
        doc_md=UPKEEP_DOC,
        schedule="* * * * *",
        **common,
    ) as upkeep:

        @task("watch")
        def watch() -> list[dict[str, Any]]:
            return upkeep_tasks.watch()

        TriggerDagRunOperator.partial(
            task_id="start_runs",
            doc_md=TASK_DOCS["start_runs"],
            skip_when_already_exists=True,
            map_index_template="{{ task.trigger_run_id }}",
        ).expand_kwargs(watch())

    with DAG(
        dag_id=RETENTION,
        dag_display_name="Retention",
        description="Deletes old snapshots, plans and closed findings, and the data of removed clubs.",
        doc_md=RETENTION_DOC,
        schedule="17 3 * * *",
        params={
            "keep_days": Param(30, type="integer", minimum=1, title="Days to keep"),
        },
        **common,
    ) as retention:

        @task("delete_old_data", **DB_TASK_RETRIES)
        def delete_old_data() -> dict[str, Any]:
            return upkeep_tasks.delete_old_data()

        delete_old_data()
    return upkeep, retention


def webhooks_dag() -> DAG | None:
    """The Dag ``webhooks``; None if clubs.yaml has none.

    :raises clubsync.errors.ConfigError: clubs.yaml is not valid; Airflow shows the message.
    """
    if not load_config().webhooks:
        return None
    with DAG(
        dag_id=WEBHOOKS,
        dag_display_name="Webhooks",
        description="Delivers what has changed to the webhooks of clubs.yaml.",
        doc_md=WEBHOOKS_DOC,
        schedule="* * * * *",
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args={"owner": OWNER, "execution_timeout": LONGEST_TASK},
        tags={"clubsync", "upkeep"},
    ) as dag:

        @task("deliver")
        def deliver() -> list[dict[str, Any]]:
            return upkeep_tasks.deliver()

        deliver()
    return dag


def _club_retries(pauses: list[timedelta]) -> dict[str, Any]:
    return {
        "retries": RETRIES,
        "retry_delay": pauses[0],
        "retry_policy": ClubRetryPolicy(pauses),
        "on_retry_callback": explain_retry,
        "on_failure_callback": explain_failure,
    }


def _choice(names: dict[str, str]) -> Param:
    description = "Clubs to sync now, due or not; leave empty for all clubs of this ERP."
    offered = _offered(names)
    if not offered:
        description += " Type their ids, one per line."
    return Param(
        [],
        type=["array", "null"],
        title="Clubs",
        description=description,
        items={"type": "string"},
        **offered,
    )


def _one_of(names: dict[str, str]) -> Param:
    """A club by name; of many clubs its id, or its name. The task checks it, and not the form: a club that was added
    to clubs.yaml is synced at once, although Airflow has not parsed this Dag again yet."""
    offered = _offered(names)
    if not offered:
        description = "The id or the name of the club, as in clubs.yaml."
        return Param(type="string", title="Club", description=description, minLength=1)
    return Param(type="string", title="Club", minLength=1, **offered)


def _offered(names: dict[str, str]) -> dict[str, Any]:
    """The clubs by name, for a form; empty if they are too many, or their names too long."""
    offered = {"examples": list(names), "values_display": names}
    return offered if names and len(json.dumps(offered)) <= LARGEST_OFFER else {}


def _switches() -> dict[str, Param]:
    return {
        "dry_run": Param(False, type="boolean", title="Dry run", description=DRY_RUN),
        "full": Param(False, type="boolean", title="Full read", description=FULL),
    }
