"""The shape of the sync Dags; what their tasks do is in ``sync_tasks``.

Imported at every parse of a Dag file and at the start of every task: nothing heavy may be imported
here, and nothing may depend on the moment, or each parse would make a new version of the Dag.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, task, task_group

from clubsync.config import ClubConfig, load_config
from plugins.dag_ids import HELD_CHANGES, RETENTION, SYNC_ONE, UPKEEP
from plugins.orchestration import sync_tasks, upkeep_tasks
from plugins.orchestration.failures import RETRIES, ClubRetryPolicy, tell_failure, tell_retry, waits
from plugins.orchestration.sync_tasks import Batch, Loaded, Step

OWNER = "data-engineering"
START = datetime(2026, 1, 1, tzinfo=UTC)
"""Before it nothing can be backfilled."""

LONGEST_TASK = timedelta(hours=2)
"""A first reading of a very large club over a slow API takes most of an hour."""

HICCUP: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(seconds=5)}
"""For tasks that only ask our own data base."""

TITLES = {"csv": "CSV exports", "rest": "REST APIs"}

LABEL = "{{ instance_label(task) }}"

DRY_RUN = "Read, check and plan, and write nothing to the club base. The plan is kept and shown."
FULL = "Read everything, also where the ERP could tell only what changed."

SYNC_DOC = """\
### {title}: {count} clubs, read every {minutes} min or less often, each at its own pace

`due` finds the clubs whose time has come and deals them out in batches; each batch goes through
`extract`, `validate`, `diff` and `load`. A club that fails leaves the others alone and is tried
again by itself in `retry_club`, which bears its name. `outcome` is red exactly when a club finally
failed.

**A red `retry_club`:** the last lines of its log say what happened, what to do, and the runbook.
Once the cause is gone, *Clear* that one row to sync the club again, or wait for the next run.

**By hand:** *Trigger* offers the clubs by name, a dry run and a full read. A single club is quicker
with the Dag `sync_one`, which does not wait for a run of this one.

**After an outage** the next run catches up by itself. A backfill is safe in any order.
"""

ONE_DOC = """\
### One club, now

All four stages for one club, beside the scheduled runs: started by a webhook, by the "sync now"
button, or by hand. A lock per club keeps it and the scheduled runs apart. With the run id that
those use, a burst of wishes for one club becomes one run.
"""

HELD_DOC = """\
### Deactivations that wait for a person

A sync that would deactivate more of a club's customers than its limit holds them: they keep their
access, and everything else goes on. Each list of people becomes a run of this Dag, named after the
club, and waits under *Required Actions*: club, causes, at most fifty of the customers by ERP id, and
the list's hash.

**Approve** deactivates those of the list whom the newest reading still calls for, and nobody else;
**Reject** keeps them and does not ask again for 30 days. One decision wins, wherever it is made (here,
on the Clubs pages, by `clubsync approve`). A run whose hold has emptied, was decided elsewhere, or has
another list by now ends by itself within two minutes.

Started by `upkeep`; there is nothing to trigger here by hand.
"""

UPKEEP_DOC = """\
### Every minute

* compares each club's last reading, and its last *complete* one, with what was promised, and tells
  through the connection `clubsync_alerts` (Apprise: mail, Slack, Teams, …) what broke and what is kept
  again, once each way;
* starts a run of `held_changes` for every list of a hold that nobody was asked about yet, and clears those
  that need no answer any more, so that they look and end;
* starts a run of `sync_one` for every nudge that lost its own.
"""

RETENTION_DOC = """\
### Every night

What `clubsync upkeep` does: removes snapshots, plans, idle runs and closed findings older than that
many days, all data of clubs whose time to be removed has come, and compares the records of large clubs
that no run has come to yet. The base and its audit stay.
"""


def cron(every: timedelta) -> str:
    """The cron expression that fires at least that often, evenly.

    Cron starts anew with each hour and day, so the pace is the longest that divides them.
    """
    minutes = max(1, int(every.total_seconds() // 60))
    if minutes < 60:
        return f"*/{max(part for part in range(1, minutes + 1) if 60 % part == 0)} * * * *"
    hours = min(minutes // 60, 24)
    pace = max(part for part in range(1, hours + 1) if 24 % part == 0)
    return f"0 */{pace} * * *" if pace < 24 else "0 0 * * *"


def sync_dag(erp: str) -> DAG | None:
    """The Dag ``sync_<erp>``, or None when no club in clubs.yaml runs on that ERP.

    :raises clubsync.errors.ConfigError: clubs.yaml is wrong; Airflow shows the sentence.
    """
    clubs = load_config().of_erp(erp)
    if not clubs:
        return None
    every = min(club.every for club in clubs)
    title = TITLES.get(erp, erp.title())
    with DAG(
        dag_id=f"sync_{erp}",
        dag_display_name=f"Sync {title}",
        description=f"Keeps the customer bases of {len(clubs)} clubs in step with {title}.",
        doc_md=SYNC_DOC.format(
            title=title, count=len(clubs), minutes=int(every.total_seconds() // 60)
        ),
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


def _shape(erp: str, every: timedelta) -> None:
    @task(**HICCUP)
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

    @task(map_index_template=LABEL)
    def load(steps: list[Step]) -> list[Step]:
        return sync_tasks.load(steps)

    @task_group(prefix_group_id=False)
    def batch(clubs: Batch) -> Any:
        return load(diff(validate(extract(clubs))))

    @task(trigger_rule=TriggerRule.ALL_DONE, **HICCUP)
    def failed(due: list[Batch] | None, loaded: Loaded) -> list[Step]:
        return sync_tasks.find_failed(due, loaded)

    @task(map_index_template=LABEL, multiple_outputs=False, **_club_retries(waits(every)))
    def retry_club(failed: Step) -> Step:
        return sync_tasks.sync_again(failed)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def outcome(
        due: list[Batch] | None,
        loaded: Loaded,
        retried: Iterable[Step] | None,
    ) -> None:
        sync_tasks.report(due, loaded, retried)

    batches = due()
    loaded = batch.expand(clubs=batches)
    outcome(batches, loaded, retry_club.expand(failed=failed(batches, loaded)))


def sync_one_dag() -> DAG:
    """The Dag ``sync_one``: one club of any ERP, now, beside the scheduled runs."""
    clubs = load_config().clubs
    with DAG(
        dag_id=SYNC_ONE,
        dag_display_name="Sync one club now",
        description="One club, now: what a webhook or the sync-now button starts.",
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

        @task(multiple_outputs=False, **_club_retries(waits(timedelta(minutes=1))))
        def sync_club() -> Step:
            return sync_tasks.sync_chosen()

        sync_club()
    return dag


def held_changes_dag() -> DAG:
    """The Dag ``held_changes``: each run asks a person about one list of a hold (R15)."""
    from plugins.orchestration.approvals import COMMENT, HoldApproval

    with DAG(
        dag_id=HELD_CHANGES,
        dag_display_name="Held deactivations",
        description="Deactivations that wait for a person's decision, one run for each list.",
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
        HoldApproval(task_id="decide", params={"comment": COMMENT}, **HICCUP)
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
        description="Freshness and its alerts, holds to be asked about, nudges that lost their run.",
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
        description="Old snapshots, plans and closed findings go; so does what is left of removed clubs.",
        doc_md=RETENTION_DOC,
        schedule="17 3 * * *",
        params={
            "keep_days": Param(30, type="integer", minimum=1, title="Days that are kept"),
        },
        **common,
    ) as retention:

        @task(**HICCUP)
        def tidy() -> dict[str, Any]:
            return upkeep_tasks.tidy()

        tidy()
    return upkeep, retention


def _club_retries(pauses: list[timedelta]) -> dict[str, Any]:
    return {
        "retries": RETRIES,
        "retry_delay": pauses[0],
        "retry_policy": ClubRetryPolicy(pauses),
        "on_retry_callback": tell_retry,
        "on_failure_callback": tell_failure,
    }


def _choice(clubs: Iterable[ClubConfig]) -> Param:
    names = {club.id: club.name for club in clubs}
    return Param(
        [],
        type=["array", "null"],
        title="Clubs",
        description="Those to read now, whatever their pace. None chosen: all of this ERP's.",
        items={"type": "string"},
        examples=list(names),
        values_display=names,
    )


def _switches() -> dict[str, Param]:
    return {
        "dry_run": Param(False, type="boolean", title="Dry run", description=DRY_RUN),
        "full": Param(False, type="boolean", title="Full read", description=FULL),
    }
