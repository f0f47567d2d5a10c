"""From a nudge to a run (R27), inside Airflow's server: check, put into the inbox, start `sync_one`.

The inbox is what counts: a run that is lost is started again by `upkeep`, and the run's id is the
first nudge that it answers, so that a burst makes one run.
"""

from __future__ import annotations

import functools
import logging
import threading
import uuid
from typing import Any

from cachetools import TTLCache, cached

from clubsync.clock import now
from clubsync.errors import SyncError
from clubsync.operate import nudges
from clubsync.store.database import Base
from connectors.sdk import webhooks
from plugins.dag_ids import SYNC_ONE
from plugins.web.known_clubs import registry

log = logging.getLogger(__name__)

REMEMBERED = 60.0
"""Seconds for which a club's secret, or that it has none, is not asked for again."""


class Refused(Exception):
    """A nudge that is not taken; the message says why, and nothing that a stranger may not know."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title


@functools.cache
def _base() -> Base:
    return Base()


def by_webhook(club_id: str, headers: dict[str, str], body: bytes) -> str | None:
    """Take a webhook in, signed as its ERP does; doubles are known by their id.

    :returns: the run that answers it; None where the club was never read, is paused or in quarantine: the
        nudge waits for its next reading.
    :raises Refused: with the HTTP status that says why.
    """
    club, secret = registry().clubs.get(club_id), _secret(club_id)
    if club is None or secret is None:
        raise Refused(404, "No such webhook", f"No club {club_id} takes webhooks here.")
    try:
        message_id = webhooks.verify(club.erp, secret, headers, body)
    except webhooks.BadSecret as error:
        log.error("%s: the webhook_secret of its connection cannot be used. %s", club_id, error)
        raise Refused(503, "Not taken", "The secret kept here cannot be used.") from None
    except webhooks.NotVerified as error:
        raise Refused(401, "Not verified", str(error)) from None
    return _take(club_id, "webhook", message_id)


def by_person(club_id: str, user: str) -> str | None:
    """Take a wish in: "sync now".

    :raises Refused: there is no such club.
    """
    if club_id not in registry().clubs:
        raise Refused(404, "No such club", f"There is no club {club_id} in clubs.yaml.")
    log.info("%s is to be read now, says %s.", club_id, user)
    return _take(club_id, f"by {user}", uuid.uuid4().hex, by_person=True)


def _take(club_id: str, source: str, message_id: str, *, by_person: bool = False) -> str | None:
    try:
        received = nudges.receive(_base(), club_id, source, message_id, by_person=by_person)
    except SyncError as error:
        log.error("A nudge of %s was lost: %s", club_id, error)
        raise Refused(503, "Not taken", "The club base does not answer. Send it again.") from None
    if received is None or received.run_id is None:
        return None
    start(received.run_id, club_id)
    return received.run_id


def start(run_id: str, club_id: str, **conf: Any) -> None:
    """Start the run, unless it is there. Should that fail, `upkeep` finds the nudge in the inbox."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagRunAlreadyExists
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy.exc import SQLAlchemyError

    try:
        trigger_dag(
            SYNC_ONE,
            triggered_by=DagRunTriggeredByType.REST_API,
            run_id=run_id,
            run_after=now(),
            conf={"club": club_id, **conf},
        )
    except DagRunAlreadyExists:
        pass
    except (SQLAlchemyError, ValueError, LookupError) as error:
        log.warning("%s was not started (%s); upkeep will.", run_id, type(error).__name__)


@cached(TTLCache(maxsize=100_000, ttl=REMEMBERED), lock=threading.Lock())
def _secret(club_id: str) -> str | None:
    """What the club's ERP signs with, from the extra of its connection; None: it sends no webhooks."""
    from plugins.connections import resolver

    club = registry().clubs.get(club_id)
    if club is None:
        return None
    try:
        connection = resolver.resolve(club.connection)
    except SyncError as error:
        log.warning("%s: %s", club_id, error)
        return None
    secret = connection.extra.get("webhook_secret")
    return secret if isinstance(secret, str) and secret else None
