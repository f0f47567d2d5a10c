"""Nudges (R27): signed webhooks of ERPs, and "sync now" by its older address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from plugins.web.auth import Actor
from plugins.web.errors import ProblemError, problems
from plugins.web.services import nudges

LARGEST_MESSAGE = 256 * 1024
"""Bytes of a webhook; only its id is stored."""

router = APIRouter(tags=["nudges"])


class Nudged(BaseModel):
    """The result of a nudge."""

    club: str
    run: str | None = Field(
        description="the run of sync_one that syncs the club; null: none is needed"
    )


@router.post("/webhooks/{club}", status_code=202, responses=problems(400, 401, 404, 413, 422, 503))
async def webhook(club: str, request: Request) -> Nudged:
    """A signed webhook of a club's ERP (the Standard Webhooks scheme).

    The signature authenticates it: the secret is `webhook_secret` in the extra of the club's connection.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_MESSAGE:
            raise ProblemError(413, "Too large", f"At most {LARGEST_MESSAGE} bytes.")
    run = await run_in_threadpool(nudges.by_webhook, club, dict(request.headers), bytes(body))
    return Nudged(club=club, run=run)


@router.post("/clubs/{club}/sync", status_code=202, responses=problems(401, 403, 404, 422, 503))
def sync_now(club: str, user: Actor) -> Nudged:
    """Sync a club now, before its next interval; for a club that was never synced it is only noted."""
    return Nudged(club=club, run=nudges.by_person(club, user.name))
