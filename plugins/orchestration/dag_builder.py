"""The structure of the Dags; what their tasks do is in ``sync_tasks`` and ``upkeep_tasks``.

Imported at every parse of a Dag file and at the start of every task: heavy libraries must not be
imported here, and nothing may depend on the current time, or each parse would create a new version of
the Dag.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, task, task_group

from clubsync.config import ClubConfig, load_config
from plugins.dag_ids import HELD_CHANGES, RETENTION, SYNC_ONE, UPKEEP, WEBHOOKS
from plugins.orchestration import sync_tasks, upkeep_tasks
from plugins.orchestration.assets import CHANGED
from plugins.orchestration.failures import (
    RETRIES,
    ClubRetryPolicy,
    explain_failure,
    explain_retry,
    waits,
)
from plugins.orchestration.sync_tasks import Batch, Loaded, Step

OWNER = "data-engineering"
START = datetime(2026, 1, 1, tzinfo=UTC)
"""A backfill cannot start earlier."""

LONGEST_TASK = timedelta(hours=2)
"""The first sync of a large club over a slow API takes most of an hour."""

DB_TASK_RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""For tasks that only query our own database."""

TITLES = {"csv": "CSV exports", "rest": "REST APIs"}

LABEL = "{{ instance_label(task) }}"

DRY_RUN = "Read, validate and plan without writing anything to the club base. The plan is stored and shown."
FULL = "Read all records, even where the ERP can return changes only."

SYNC_DOC = """\
### {title}: {count} clubs, synced {often}

`due` selects the clubs that are due and splits them into batches. Each batch runs through `extract`,
`validate`, `diff` and `load`. A club that fails does not affect the others: `retry_club` retries it
separately, in a task instance with its name. `outcome` fails if at least one club failed in the end.

**If `retry_club` failed:** the end of its log says what happened, what to do, and which runbook
applies. Once the cause is fixed, *Clear* that task instance to sync the club again, or wait for the
next run.

**Manual runs:** *Trigger* lets you choose clubs, a dry run or a full read. For a single club, use the
Dag `sync_one`: it does not wait for a run of this Dag.

**After an outage**, the next run catches up automatically. Backfills are safe in any order.
"""

ONE_DOC = """\
### Sync one club now

Runs all four stages for one club, in parallel with the scheduled runs. It is started by a webhook, by
*Sync now*, or manually. A lock per club keeps it from running at the same time as a scheduled sync of
that club. Several requests for one club share one run.
"""

HELD_DOC = """\
### Deactivations awaiting approval

When a sync would deactivate more of a club's customers than its limit allows, these deactivations are
held: the customers keep access, and everything else is synced. Each list is one run of this Dag, named
after the club. It waits under *Required Actions* with the club, the causes, up to fifty customers by
ERP id, and the hash of the list.

**Approve** deactivates everyone on the list who is still not eligible in the latest sync, and nobody
else. **Reject** keeps their access and does not ask again for 30 days. The first decision counts,
whether it is made here, on the Clubs pages or by `clubsync approve`. A run ends within two minutes if
its hold is closed, decided elsewhere, or has a newer list.

`upkeep` starts these runs; do not trigger this Dag manually.
"""

UPKEEP_DOC = """\
### Every minute

* Compares each club's last sync, and its last *complete* sync, with what was promised. When a promise
  is broken, and when it is kept again, it sends one alert through the connection `clubsync_alerts`
  (Apprise: mail, Slack, Teams, …).
* Starts a run of `held_changes` for each new list of a hold, and clears runs whose list needs no
  decision any more, so that they end.
* Starts a run of `sync_one` for each nudge that has lost its run.
* Continues erasures that are not complete.
* Sends the digests of the clubs that name a contact, at the hour of each.
"""

WEBHOOKS_DOC = """\
### Every minute

Delivers what has changed to the webhooks of clubs.yaml, as signed messages, in order per club. What is not
delivered is tried again, later and later; other clubs and other webhooks do not wait for it. The task fails
when a message was given up: its club gets no more until somebody runs `clubsync webhooks replay`.
"""

RETENTION_DOC = """\
### Every night

Runs `clubsync upkeep`: deletes snapshots, plans, runs without changes and closed findings older than
the given number of days, deletes all data of clubs whose removal is due, and searches large clubs for
similar records that no sync has compared yet. The club base and its audit are kept.
"""


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
    clubs = load_config().of_erp(erp)
    if not clubs:
        return None
    every = min(club.every for club in clubs)
    title = TITLES.get(erp, erp.title())
    with DAG(
        dag_id=f"sync_{erp}",
        dag_display_name=f"Sync {title}",
        description=f"Keeps the club base of {len(clubs)} clubs in sync with {title}.",
        doc_md=SYNC_DOC.format(title=title, count=len(clubs), often=_often(every)),
        schedule=CronDataIntervalTimetable(cron(every), timezone="UTC"),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        default_args={"owner": OWNER, "execution_timeout": LONGEST_TASK},
        tags={"clubsync", "sync", erp},
        params={"clubs": _choice(clubs), **_switches()},
        user_defined_macros={"instance_label": sync_tasks.instance_label},
    ) as dag:
        _shape(erp, every)
    return dag


def _often(every: timedelta) -> str:
    minutes = int(every.total_seconds() // 60)
    return "every minute" if minutes == 1 else f"every {minutes} minutes or less often"


def _shape(erp: str, every: timedelta) -> None:
    @task(**DB_TASK_RETRIES)
    def due() -> list[Batch]:
        return sync_tasks.find_due(erp)

    @task(map_index_template=LABEL)
    def extract(clubs: Batch) -> list[Step]:
        return sync_tasks.extract(clubs)

    @task(map_index_template=LABEL)
    def validate(steps: list[Step]) -> list[Step]:
        return sync_tasks.validate(steps)

    @task(map_index_template=LABEL)
    def diff(steps: list[Step]) -> list[Step]:
        return sync_tasks.diff(steps)

    @task(map_index_template=LABEL, outlets=[CHANGED])
    def load(steps: list[Step]) -> list[Step]:
        return sync_tasks.load(steps)

    @task_group(prefix_group_id=False)
    def batch(clubs: Batch) -> Any:
        return load(diff(validate(extract(clubs))))

    @task(trigger_rule=TriggerRule.ALL_DONE, **DB_TASK_RETRIES)
    def collect_failures(due: list[Batch] | None, loaded: Loaded) -> list[Step]:
        return sync_tasks.collect_failures(due, loaded)

    @task(
        map_index_template=LABEL,
        multiple_outputs=False,
        outlets=[CHANGED],
        **_club_retries(waits(every)),
    )
    def retry_club(failed: Step) -> Step | list[Step]:
        return sync_tasks.retry(failed)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def outcome(
        due: list[Batch] | None,
        loaded: Loaded,
        retried: Loaded,
    ) -> None:
        sync_tasks.report(due, loaded, retried)

    batches = due()
    loaded = batch.expand(clubs=batches)
    failures = collect_failures(batches, loaded)
    outcome(batches, loaded, retry_club.expand(failed=failures))


def sync_one_dag() -> DAG:
    """The Dag ``sync_one``: one club of any ERP, now, in parallel with the scheduled runs."""
    clubs = load_config().clubs
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
            "club": Param(
                clubs[0].id if clubs else "",
                type="string",
                title="Club",
                examples=[club.id for club in clubs],
                values_display={club.id: club.name for club in clubs},
            ),
            **_switches(),
        },
    ) as dag:

        @task(
            multiple_outputs=False,
            outlets=[CHANGED],
            **_club_retries(waits(timedelta(minutes=1))),
        )
        def sync_club() -> Step:
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
            task_id="decide", params={"comment": COMMENT}, outlets=[CHANGED], **DB_TASK_RETRIES
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

        @task
        def look() -> list[dict[str, Any]]:
            return upkeep_tasks.look()

        TriggerDagRunOperator.partial(
            task_id="start",
            skip_when_already_exists=True,
            map_index_template="{{ task.trigger_run_id }}",
        ).expand_kwargs(look())

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

        @task(**DB_TASK_RETRIES)
        def tidy() -> dict[str, Any]:
            return upkeep_tasks.tidy()

        tidy()
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

        @task
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


def _choice(clubs: Iterable[ClubConfig]) -> Param:
    names = {club.id: club.name for club in clubs}
    return Param(
        [],
        type=["array", "null"],
        title="Clubs",
        description="Clubs to sync now, due or not; leave empty for all clubs of this ERP.",
        items={"type": "string"},
        examples=list(names),
        values_display=names,
    )


def _switches() -> dict[str, Param]:
    return {
        "dry_run": Param(False, type="boolean", title="Dry run", description=DRY_RUN),
        "full": Param(False, type="boolean", title="Full read", description=FULL),
    }
