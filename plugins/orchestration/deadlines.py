"""A run that takes longer than clubs.yaml promises is late, and is alerted while it is still running.

`upkeep` alerts about clubs, from what is loaded. This alert is about the run that keeps them waiting, and comes from
the scheduler and the triggerer, so that it also comes when no task can be started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

log = logging.getLogger(__name__)

SENT = "sent"

REPEATED = timedelta(hours=1)
"""While an ERP is slow, run after run is late: one alert an hour for each Dag is enough."""

_alerted: dict[str, float] = {}
"""Dag id -> when its last alert was sent, by the clock of the triggerer's process."""


def alert(within: timedelta, every: timedelta) -> DeadlineAlert:
    """The deadline of a Dag, counted from the end of a run's interval.

    Not from when it was queued, although that would do for runs by hand too: Airflow 3.3.2 then fails with a
    TypeError (`_recalculate_dagrun_queued_at_deadlines`) when somebody clears a task of a run that failed in time.

    :param within: how long a run may take: the shortest promise of its clubs (R25).
    :param every: the length of the interval; its beginning is what Airflow counts from.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=within + every,
        callback=AsyncCallback(late, {"minutes": int(within.total_seconds() // 60)}),
        name=f"ended within {in_words(within)}",
    )


def in_words(span: timedelta) -> str:
    """5 minutes."""
    minutes = int(span.total_seconds() // 60)
    if minutes % 60 == 0 and minutes:
        return f"{minutes // 60} hour{'s' * (minutes != 60)}"
    return f"{minutes} minute{'s' * (minutes != 1)}"


async def late(minutes: int, context: Mapping[str, Any] | None = None) -> str:
    """Tell that a run is late; the triggerer calls it. Of a backfill the interval lies in the past: that is not late.

    :returns: what was done, which Airflow keeps with the deadline.
    """
    from plugins.orchestration.failures import pages_address

    run = (context or {}).get("dag_run") or {}
    dag, run_id = run.get("dag_id", "A Dag"), run.get("dag_run_id", "")
    if not str(run_id).startswith("scheduled__"):
        return "not a scheduled run"
    title = f"clubsync: {dag} is late"
    body = (
        f"The run {run_id} of {dag} has not ended {in_words(timedelta(minutes=minutes))} after its interval, which is"
        " what clubs.yaml promises. Its clubs may be late. Open the run in Airflow: what is running, and since when?"
        f" Runbook: {pages_address()}/runbooks/erp-down"
    )
    log.warning("%s\n%s", title, body)
    last = _alerted.get(dag)
    if last is not None and time.monotonic() - last < REPEATED.total_seconds():
        return "logged; an alert was sent less than an hour ago"
    told = await asyncio.to_thread(_send, title, body)
    if told == SENT:
        _alerted[dag] = time.monotonic()
    return told


def _send(title: str, body: str) -> str:
    from clubsync.operate.freshness import Message
    from plugins.orchestration.alerts import send

    try:
        return SENT if send(Message(title, body, fixed=False, incidents=())) else "not sent"
    # each service has errors of its own, and their messages may hold an address (R19)
    except Exception as error:
        log.error("The alert was not sent (%s).", type(error).__name__)
        return f"not sent ({type(error).__name__})"
