"""What the Airflow UI says about each Dag and each task (Markdown).

A task's text says what the task does, what to do when it is red, and which runbook applies. The runbooks lie in
``docs/runbooks/``.
"""

from __future__ import annotations

from collections.abc import Mapping

SYNC_DOC = """\
### {title}: {count} clubs, synced {often}

`find_due` selects the clubs that are due and splits them into batches. Each batch runs through `extract`,
`validate`, `diff` and `load`. A club that fails does not affect the others: the batch stays green, its
label names the club, and `retry_club` retries it separately, in a task instance with its name. `outcome`
fails if at least one club failed in the end; the run's note names these clubs.

**If `retry_club` failed:** the end of its log says what happened, what to do, and which runbook
applies. Once the cause is fixed, *Clear* that task instance to sync the club again, or wait for the
next run.

**Manual runs:** *Trigger* lets you choose clubs, a dry run or a full read. For a single club, use the
Dag `sync_one`: it does not wait for a run of this Dag.

**After an outage**, the next run catches up automatically. Backfills are safe in any order; the note of
each run says what its interval was filled from.

**Pool:** the stages run in the pool `{pool}`, so that this ERP is asked by a limited number of tasks at a
time. Change its size under *Admin → Pools*.

**Deadline:** a scheduled run that has not ended {within} after its interval is late, and is alerted through the
connection `clubsync_alerts`.
"""

ONE_DOC = """\
### Sync one club now

Runs all four stages for one club, in parallel with the scheduled runs. It is started by a webhook, by
*Sync now*, or manually. The note of a run names its club. A lock per club keeps it from running at the
same time as a scheduled sync of that club. Several requests for one club share one run.
"""

HELD_DOC = """\
### Deactivations awaiting approval

When a sync would deactivate more of a club's customers than its limit allows, these deactivations are
held: the customers keep access, and everything else is synced. Each list is one run of this Dag, named
after the club. It waits under *Required Actions* with the club, the causes, up to fifty customers by
ERP id, and the hash of the list.

**Approve** deactivates everyone on the list who is still not eligible in the latest sync, and nobody
else. **Reject** keeps their access and does not ask again for 30 days. The first decision counts,
whether it is made here, on the Clubs pages or by `clubsync approve`.

A hold has one open request at a time. When its list changes, the request for the old list ends within two
minutes, and one for the newest list takes its place, which says how many customers joined and left. An
answer to an old list is refused at once. A run also ends if its hold is closed or decided elsewhere.

`upkeep` starts these runs; do not trigger this Dag manually.
"""

FIRST_DOC = """\
### First syncs awaiting approval

A club with `first_sync: review` is read, and its plan waits: nobody has access before somebody approves
it. Each such club is one run of this Dag. It waits under *Required Actions* with the counts and a link to
everybody who gets access, and who does not and why.

**Approve** loads that plan at once, and no other. When a later sync makes another plan, its request takes
the place of this one within two minutes, and an answer to the old one is refused at once. The plan can
also be approved on the Clubs pages or by `clubsync clubs approve-first-sync`; the run then ends.

`upkeep` starts these runs; do not trigger this Dag manually.
"""

UPKEEP_DOC = """\
### Every minute

* Compares each club's last sync, and its last *complete* sync, with what was promised. When a promise
  is broken, and when it is kept again, it sends one alert through the connection `clubsync_alerts`
  (Apprise: mail, Slack, Teams, …).
* Starts a run of `held_changes` for each new list of a hold, and of `first_syncs` for each plan of a first
  sync to review, once the run of the one before has ended. Clears runs that need no decision any more, so
  that they end.
* Reminds of holds that nobody has decided, through the same connection, as often as `guard.remind_after` of
  the club says.
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

_SAFE = (
    "Nothing of a club is written half: each club is loaded in one transaction. A repeated run changes nothing"
    " twice."
)

_STAGE = """\
A club that fails here does not make the task red: the label of the row names it, its log line says why, and
`retry_club` retries it separately.

**If it is red:** the task itself was interrupted (a stopped machine, no memory, an unreachable database). Its
clubs are retried by `retry_club` and by the next run. {safe} If it stays red, see the runbook
`base-unreachable`.
"""

_FAILED_CLUB = """\
**If it is red:** the last lines of the log say what happened, what to do, and which runbook applies. Once the
cause is fixed, *Clear* this row, or wait for the next run. The club's customers are unchanged until then.
"""

TASK_DOCS: Mapping[str, str] = {
    "find_due": """\
Selects the clubs to sync in this run and splits them into batches. A club is due by its own `every`; a manual
run takes the clubs of its form.

**If it is red:** clubs.yaml is not valid (the log names file, line and club), the form named an unknown club, or
the database is unreachable: runbook `base-unreachable`. Nothing was read or written; the next run tries again.
""",
    "extract": "Reads the clubs of the batch from their ERP and stores a snapshot of each. In a backfill it takes up"
    " the snapshot of that time.\n\n" + _STAGE.format(safe=_SAFE),
    "validate": "Evaluates the snapshots by the suites in `expectations/`: what is wrong with which record.\n\n"
    + _STAGE.format(safe=_SAFE),
    "diff": "Plans the changes of the club base, and holds access losses that exceed the club's limit.\n\n"
    + _STAGE.format(safe=_SAFE),
    "load": "Applies the plans, one transaction per club, and sends an asset event for each club that changed.\n\n"
    + _STAGE.format(safe=_SAFE),
    "collect_failures": """\
Lists the clubs that failed in their batch, and those whose batch was interrupted; `retry_club` retries each of
them. Green means that the list could be made, not that it is empty.

**If it is red:** see the log, then *Clear* it. The next run syncs the clubs in any case.
""",
    "retry_club": """\
Retries one club that failed, through all four stages. Clubs of a chain that failed together share a row. A club
that a retry cannot help (rejected credentials, a changed file) is not retried, and is red at once.

"""
    + _FAILED_CLUB,
    "outcome": """\
Says how the run ended, and is red if at least one club was not synced. The note of the run names these clubs.

**If it is red:** open the red rows of `retry_club`; this log has the same explanations, one after the other. When
more clubs failed than are retried, their ERP is down: runbook `erp-down`.
""",
    "sync_club": "Syncs the club of the form, through all four stages.\n\n" + _FAILED_CLUB,
    "decide": """\
Asks whether the deactivations on one list are right, under *Required Actions*, and carries the decision out.

**If it is red:** the log says why the decision was not carried out; a later or newer decision may have won. Where
the hold is still open, it is shown again within two minutes. Runbook: `held-deactivations`.
""",
    "approve_first_sync": """\
Asks whether the plan of a club's first sync is right, under *Required Actions*, and loads it when it is approved.

**If it is red:** the log says why the plan was not loaded. Where the first sync still awaits approval, its newest
plan is shown again within two minutes.
""",
    "watch": """\
Sends freshness alerts and the digests of clubs, continues erasures, deletes abandoned reads, and finds the runs
to start.

**If it is red:** nothing is lost, and the next minute tries again. Red for several minutes: the database is
unreachable, runbook `base-unreachable`. An alert or digest that could not be sent is a line in the log, not a
failure.
""",
    "start_runs": """\
Starts one run: an approval request for a list of a hold, or a sync that a nudge asked for. The row is named after
the run.

**If it is red:** the next minute starts the run.
""",
    "delete_old_data": """\
Deletes what is older than the given number of days, and all data of clubs whose removal is due.

**If it is red:** nothing that has to be kept was deleted, and the next night continues. Runbooks: `disk-full`,
`base-unreachable`.
""",
    "deliver": """\
Sends what has changed to the webhooks of clubs.yaml.

**If it is red:** a message was given up, and the log names the webhook and the club. Fix the receiver, then run
`clubsync webhooks replay` (docs/feed.md).
""",
}
