"""What `upkeep` does every minute, and `retention` every night."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
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

MOST_STARTED = 500
"""Runs that one look starts or clears: Airflow maps at most 1024, and would start none of more."""


@without_values()
def watch() -> list[dict[str, Any]]:
    """Send freshness alerts and clubs' digests, finish erasures, delete abandoned reads, and find the runs to start.

    :returns: arguments of `TriggerDagRunOperator`, one set per run.
    """
    from clubsync.config import load_config
    from clubsync.extract.schedule import NUDGE_PATIENCE
    from clubsync.feed import events
    from clubsync.manual import holds
    from clubsync.operate import freshness, nudges, telemetry
    from clubsync.pipeline import interrupted
    from clubsync.store.database import Base, queries

    config, base = load_config(), Base(pool_size=2)
    try:
        if closed := interrupted.close_all(base):
            log.warning("%d interrupted runs were closed.", closed)
        _alert(base, freshness.watch(base, config))
        telemetry.of_clubs(base, config)
        events.number(base)  # so that whoever reads the feed for the first time waits for nothing
        known = {club.id for club in config.clubs}
        with base.reader() as driver:
            unasked = [r for r in queries().holds_without_request(driver) if r["club_id"] in known]
        over = holds.obsolete_requests(base)
        lost = {c: r for c, r in nudges.stranded(base, NUDGE_PATIENCE).items() if c in known}
        _finish_erasures(base)
        _tell_clubs(base, config)
    finally:
        base.close()
    _sweep()
    return _runs(unasked, over, lost)


def _runs(
    unasked: Iterable[Mapping[str, Any]], over: Iterable[Mapping[str, Any]], lost: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The runs to start now, what frees a place first; the rest comes in the next minutes.

    :param unasked: lists that need a decision; over: those that need none any more: their run is cleared, checks
        again, and ends.
    :param lost: nudges that have lost their run: club id -> run id.
    """
    from plugins.dag_ids import SYNC_ONE
    from plugins.orchestration import approvals

    found = [
        *({**approvals.run_of(row), "reset_dag_run": True} for row in over),
        *(
            {
                "trigger_dag_id": SYNC_ONE,
                "trigger_run_id": run,
                "conf": {"club": club},
                "reset_dag_run": False,
            }
            for club, run in lost.items()
        ),
        *({**approvals.run_of(row), "reset_dag_run": False} for row in unasked),
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
