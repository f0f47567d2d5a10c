"""From a nudge to a run (R27), inside Airflow's server: verify it, store it in the inbox, start `sync_one`.

The inbox decides: `upkeep` starts a lost run again, and a run's id is that of the first nudge it answers, so
that a burst of nudges starts one run.
"""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

from cachetools import TTLCache, cached

from clubsync.clock import now
from clubsync.errors import SyncError
from clubsync.operate import nudges
from connectors.sdk import webhooks
from plugins.dag_ids import SYNC_ONE
from plugins.web.context import base
from plugins.web.errors import ProblemError
from plugins.web.registry import registry

log = logging.getLogger(__name__)

REMEMBERED = 60.0
"""Seconds until the secret of a connection is looked up again."""

_secrets: TTLCache[Any, str | None] = TTLCache(maxsize=100_000, ttl=REMEMBERED)


def by_webhook(club_id: str, headers: dict[str, str], body: bytes) -> str | None:
    """Accept a webhook that is signed as its ERP does; duplicates are recognized by their id.

    :returns: the run that answers it; None where the club was never synced, is paused or quarantined: its next
        sync answers it.
    :raises ProblemError: with the HTTP status of the reason, and nothing that a stranger is not allowed to know.
    """
    club = registry().clubs.get(club_id)
    secret = None if club is None else _secret(club.connection)
    if club is None or secret is None:
        raise ProblemError(404, "No such webhook", f"No club {club_id} accepts webhooks here.")
    try:
        message_id = webhooks.verify(club.erp, secret, headers, body)
    except webhooks.BadSecret as error:
        log.error("%s: the webhook_secret of its connection is not usable. %s", club_id, error)
        raise ProblemError(
            503, "Not accepted", "The webhook_secret of the connection is not usable."
        ) from None
    except webhooks.NotVerified as error:
        raise ProblemError(401, "Not verified", str(error)) from None
    return _receive(club_id, "webhook", message_id)


def by_person(club_id: str, user: str) -> str | None:
    """Accept a request to sync now.

    :raises ProblemError: clubs.yaml has no such club.
    """
    if club_id not in registry().clubs:
        raise ProblemError(404, "No such club", f"clubs.yaml has no club {club_id}.")
    log.info("%s: sync requested by %s.", club_id, user)
    return _receive(club_id, f"by {user}", uuid.uuid4().hex, by_person=True)


def _receive(club_id: str, source: str, message_id: str, *, by_person: bool = False) -> str | None:
    try:
        received = nudges.receive(base(), club_id, source, message_id, by_person=by_person)
    except SyncError as error:
        log.error("%s: a nudge was lost: %s", club_id, error)
        raise ProblemError(
            503, "Not accepted", "The club base is not reachable. Send it again."
        ) from None
    if received is None or received.run_id is None:
        return None
    start(received.run_id, club_id)
    return received.run_id


def start(run_id: str, club_id: str, **conf: Any) -> bool:
    """Start the run, unless it exists; whether there is one now. `upkeep` starts the run of a nudge in the inbox."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagRunAlreadyExists
    from airflow.sdk.exceptions import AirflowException
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
    except (AirflowException, SQLAlchemyError, ValueError, LookupError) as error:
        # among them DagNotFound: Airflow has not parsed the Dag yet
        log.warning("%s was not started (%s).", run_id, type(error).__name__)
        return False
    return True


@cached(_secrets, lock=threading.Lock())
def _secret(conn_id: str) -> str | None:
    """The secret that the ERP signs with, from the extra of the connection; None: it sends no webhooks.

    Remembered by the connections of clubs.yaml, never by what a stranger asks for: that would have no limit.
    """
    from plugins.connections import resolver

    try:
        connection = resolver.resolve(conn_id)
    except SyncError as error:
        log.warning("%s", error)
        return None
    secret = connection.extra.get("webhook_secret")
    return secret if isinstance(secret, str) and secret else None
