"""Refuses answers to approval requests that are not about what is to be decided now (R15, R28), and holds back early
ones.

Airflow takes an answer as long as its request is there, also when the form that it comes from shows a list that has
changed since: it would say "submitted", and nothing would happen. And Airflow 3.3 loses an answer that comes before its
scheduler has noticed that the task waits: it runs the task again, which asks again. Imported by every process of
Airflow: nothing heavy here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any
from urllib.parse import unquote

from plugins.dag_ids import FIRST_SYNCS, HELD_CHANGES

log = logging.getLogger(__name__)

_ANSWER = re.compile(
    rf"/api/v2/dags/(?:{HELD_CHANGES}|{FIRST_SYNCS})/dagRuns/([^/]+)/taskInstances/\w+/-?\d+/hitlDetails"
)
SETTLED = 8.0
"""Seconds from when a request was shown until an answer to it is passed on. Airflow's worker may take five of them to
notice that the process of the task has ended."""
TOLD = (
    "What this request shows has changed, or was decided, since: your answer was not carried out. What awaits a "
    "decision now is shown under Required Actions within two minutes, and on the Clubs pages."
)


class OutdatedAnswers:
    """ASGI middleware of Airflow's server."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "PATCH":
            found = _ANSWER.search(scope["path"])
            if found is not None:
                outdated, early = await asyncio.to_thread(_look_up, unquote(str(found[1])))
                if outdated:
                    await _refuse(send)
                    return
                await asyncio.sleep(early)
        await self.app(scope, receive, send)


def _look_up(run_id: str) -> tuple[bool, float]:
    """Whether an answer to what a run shows is outdated, and for how many seconds it is too early.

    Where that is unknown the answer is taken: its run looks again before anything is done.
    """
    from clubsync.manual import holds
    from plugins.web.context import base

    try:
        outdated, shown = holds.outdated(base(), run_id), holds.shown_since(base(), run_id)
    except Exception as error:  # whatever it is, Airflow answers
        log.error("Could not look up the approval request (%s).", type(error).__name__)
        return False, 0.0
    early = 0.0 if shown is None else SETTLED - shown.total_seconds()
    return outdated, min(max(early, 0.0), SETTLED)


async def _refuse(send: Any) -> None:
    body = json.dumps({"detail": TOLD}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 409, "headers": headers})
    await send({"type": "http.response.body", "body": body})
