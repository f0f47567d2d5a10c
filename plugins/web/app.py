"""The web application inside Airflow's server: webhooks of the ERPs, "sync now", the Clubs pages and their API.

Imported by `clubsync_plugin` at the first request.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from plugins.web import api, errors, nudging, views
from plugins.web.auth import Actor, Reader

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 256 * 1024
"""Bytes of a webhook; nothing of it is kept but its id."""


class Nudged(BaseModel):
    """What a nudge has led to."""

    club: str
    run: str | None = Field(
        description="the run of sync_one that reads the club; null: none is needed"
    )


def application() -> FastAPI:
    app = FastAPI(
        title="clubsync",
        version="1",
        description=api.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    errors.install(app, views.error_page)
    app.include_router(api.router)
    app.include_router(views.router)
    app.mount("/static", views.STATIC)

    @app.get(f"{api.VERSION}/openapi.json", include_in_schema=False)
    def openapi(_: Reader) -> dict[str, Any]:
        return app.openapi()

    @app.post(
        "/webhooks/{club}",
        status_code=202,
        responses=errors.told(400, 401, 404, 413, 422, 503),
        tags=["nudges"],
    )
    async def webhook(club: str, request: Request) -> Nudged:
        """A signed webhook of a club's ERP (the Standard Webhooks scheme).

        The signature is the log-in: the secret is `webhook_secret` in the extra of the club's connection.
        """
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_MESSAGE:
                raise nudging.Refused(413, "Too large", f"At most {LARGEST_MESSAGE} bytes.")
        run = await run_in_threadpool(nudging.by_webhook, club, dict(request.headers), bytes(body))
        return Nudged(club=club, run=run)

    @app.post(
        "/clubs/{club}/sync",
        status_code=202,
        responses=errors.told(401, 403, 404, 422, 503),
        tags=["nudges"],
    )
    def sync_now(club: str, person: Actor) -> Nudged:
        """Read a club now, whatever its pace; a club that was never read is only noted."""
        return Nudged(club=club, run=nudging.by_person(club, person.name))

    return app
