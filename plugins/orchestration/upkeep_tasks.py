"""What `upkeep` does every minute, and `retention` every night."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from plugins.orchestration import alerts
from plugins.orchestration.failures import RunFailed, without_values

if TYPE_CHECKING:
    from clubsync.config import Config
    from clubsync.operate.freshness import Message
    from clubsync.store.database import Base

log = logging.getLogger(__name__)

MOST_STARTED = 25
"""Runs that one look starts or clears: each is a task of a third of a CPU-second, whose arguments go through XCom and
take up to 400 bytes."""


@without_values()
def watch() -> list[dict[str, Any]]:
    """Send freshness alerts and clubs' digests, finish erasures, delete abandoned reads, and find the runs to start.

    :returns: arguments of `TriggerDagRunOperator`, one set per run.
    """
    from clubsync.config import load_config
    from clubsync.extract.schedule import NUDGE_PATIENCE
    from clubsync.feed import events
    from clubsync.manual import first_syncs, holds
    from clubsync.operate import freshness, nudges, telemetry
    from clubsync.pipeline import interrupted
    from clubsync.store.database import Base

    config, base = load_config(), Base(pool_size=2)
    try:
        if closed := interrupted.close_all(base):
            log.warning("%d interrupted runs were closed.", closed)
        _alert(base, freshness.watch(base, config))
        telemetry.of_clubs(base, config)
        events.number(base)  # so that whoever reads the feed for the first time waits for nothing
        known = {club.id for club in config.clubs}
        over = [*holds.obsolete_requests(base), *first_syncs.obsolete_requests(base)]
        lost = {c: r for c, r in nudges.stranded(base, NUDGE_PATIENCE).items() if c in known}
        asked = _asked(base, known, MOST_STARTED - len(over) - len(lost))
        _finish_erasures(base)
        _remind(base, config)
        _tell_clubs(base, config)
    finally:
        base.close()
    _sweep()
    return _runs(asked, over, lost)


def _asked(base: Base, known: Collection[str], most: int) -> list[dict[str, Any]]:
    """The runs that request a decision nobody was asked for yet: of each hold one, and of each first sync.

    :param known: ids of the clubs of clubs.yaml.
    :param most: the rest is asked for in the next minutes.
    """
    from clubsync.manual import first_syncs, holds
    from plugins.orchestration import approvals

    listed = [row for row in holds.unasked(base) if row["club_id"] in known][: max(most, 0)]
    planned = [row for row in first_syncs.unasked(base) if row["club_id"] in known]
    return [
        *(approvals.run_of(row, holds.claim(base, row)) for row in listed),
        *(
            approvals.run_of(row, first_syncs.claim(base, row))
            for row in planned[: max(most - len(listed), 0)]
        ),
    ]


def _runs(
    asked: Iterable[dict[str, Any]], over: Iterable[Mapping[str, Any]], lost: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The runs to start now, what frees a place first; the rest comes in the next minutes.

    :param asked: those that request a decision; over: requests that need none any more, or whose run was lost: it is
        cleared, looks again, and ends, or shows what is to be decided.
    :param lost: nudges that have lost their run: club id -> run id.
    """
    from plugins.dag_ids import SYNC_ONE
    from plugins.orchestration import approvals

    found = [
        *(approvals.run_of(row, row["run_id"]) for row in over),
        *(
            {
                "trigger_dag_id": SYNC_ONE,
                "trigger_run_id": run,
                "conf": {"club": club},
                "reset_dag_run": False,
            }
            for club, run in lost.items()
        ),
        *asked,
    ]
    if len(found) > MOST_STARTED:
        log.warning("%d runs are to be started: %d now.", len(found), MOST_STARTED)
    return found[:MOST_STARTED]


def _finish_erasures(base: Base) -> None:
    """Continue erasures that are not complete (R20). An unreachable store does not stop alerts or nudges."""
    from clubsync.manual import erasure
    from clubsync.store.snapshots import Store

    try:
        erasure.finish_all(base, Store(base=base))
    except Exception as error:  # each kind of store has errors of its own
        log.error("Erasures are retried in a minute (%s).", type(error).__name__)


def _tell_clubs(base: Base, config: Config) -> None:
    """Send the clubs' digests (R31). What could not be sent is an incident, and stops nothing else."""
    from airflow.sdk.configuration import conf

    from clubsync.operate.digests import outbox
    from plugins.connections import resolver

    try:
        url = conf.get("api", "base_url", fallback="")
        for sent in outbox.send_due(base, config, resolver.resolve, url):
            level = logging.WARNING if sent.problem else logging.INFO
            log.log(level, "%s: digest %s. %s", sent.club, sent.state, sent.problem or "")
    except Exception as error:  # whatever it is, the runs that watch() found are started
        log.error("Digests are retried in a minute (%s).", type(error).__name__)


def _remind(base: Base, config: Config) -> None:
    """Remind of holds that nobody has decided (R15). What could not be sent is tried again in a minute."""
    from airflow.sdk.configuration import conf

    from clubsync.operate import reminders
    from clubsync.operate.freshness import Message

    try:
        reminder = reminders.due(base, config, conf.get("api", "base_url", fallback=""))
        if reminder is None:
            return
        log.warning("%s\n%s", reminder.title, reminder.body)
        told = alerts.send(Message(reminder.title, reminder.body, fixed=False, incidents=()))
        if told:
            reminders.mark_sent(base, reminder, told)
    except Exception as error:  # its message may hold the address of a service, with its secret
        log.error(
            "The reminder of holds was not sent (%s): check the connection %s. Retrying in a minute.",
            *(type(error).__name__, alerts.ALERTS),
        )


def _sweep() -> None:
    """Delete partial reads that are too old to resume. An unreachable store does not stop alerts or nudges."""
    from clubsync import clock
    from clubsync.extract import resume
    from clubsync.store.snapshots import Store

    try:
        resume.sweep(Store(), clock.now())
    except Exception as error:  # each kind of store has errors of its own
        log.error(
            "The snapshot store is unreachable (%s); retrying in a minute.", type(error).__name__
        )


@without_values()
def delete_old_data() -> dict[str, Any]:
    """Retention, as by `clubsync upkeep`."""
    from clubsync import permissions
    from clubsync.operate.retention import upkeep
    from plugins.orchestration.sync_tasks import pipeline

    keep = timedelta(days=get_current_context()["params"]["keep_days"])
    for sentence in permissions.check(everything=True):
        log.warning("%s", sentence)
    with pipeline() as engine:
        done = dict(upkeep(engine.base, engine.store, engine.config, keep))
    log.info("%s", ", ".join(f"{name} {what}" for name, what in done.items()))
    return done


@without_values()
def deliver() -> list[dict[str, Any]]:
    """Send what is due to the webhooks (R30).

    :returns: what was sent to each: ids and counts.
    :raises RunFailed: a message was given up now.
    """
    from clubsync.config import load_config
    from clubsync.feed import webhooks
    from clubsync.store.database import Base
    from plugins.connections import resolver

    base = Base(pool_size=4)
    try:
        done = webhooks.deliver(base, load_config(), resolver.resolve)
    finally:
        base.close()
    for one in done:
        log.info("Webhook %s: %d messages, %d events.", one.webhook, one.messages, one.events)
    if given_up := [f"{one.webhook} ({', '.join(one.dead)})" for one in done if one.dead]:
        raise RunFailed(
            f"Given up: {'; '.join(given_up)}. `clubsync webhooks dead` lists the messages: docs/feed.md."
        )
    return [vars(one) for one in done]


def _alert(base: Base, messages: list[Message]) -> None:
    """Send new alerts. What could not be sent is retried in a minute, and stops neither approvals nor nudges."""
    from clubsync.operate import freshness

    for message in messages:
        log.warning("%s\n%s", message.title, message.body)
        try:
            sent = alerts.send(message)
        except (
            Exception
        ) as error:  # each service has errors of its own, and so has a connection that is not valid
            # its message may hold the address of a service, with its secret
            log.error(
                "The alert was not sent (%s): check the connection %s. Retrying in a minute.",
                *(type(error).__name__, alerts.ALERTS),
            )
            continue
        if sent:
            freshness.mark_sent(base, message)
