"""The web application inside Airflow's server: webhooks of the ERPs, and "sync now".

Imported by `clubsync_plugin` at the first request.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from plugins import nudging

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 256 * 1024
"""Bytes of a webhook; nothing of it is kept but its id."""


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    title: str
    detail: str
    status: int


class Nudged(BaseModel):
    """What a nudge has led to."""

    club: str
    run: str | None = Field(
        description="the run of sync_one that reads the club; null: none is needed"
    )


def problem(status: int, title: str, detail: str) -> JSONResponse:
    return JSONResponse(
        {"title": title, "detail": detail, "status": status},
        status_code=status,
        media_type="application/problem+json",
    )


def application() -> FastAPI:
    app = FastAPI(
        title="clubsync",
        description="Nudges: an ERP or a person asks for a club to be read now.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.exception_handler(nudging.Refused)
    async def refused(_: Request, error: nudging.Refused) -> JSONResponse:
        return problem(error.status, error.title, str(error))

    errors: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem} for code in (400, 401, 404, 413, 503)
    }

    @app.post("/webhooks/{club}", status_code=202, responses=errors, tags=["nudges"])
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
        responses={**errors, 403: {"model": Problem}},
        dependencies=[Depends(requires_access_dag("POST", DagAccessEntity.RUN, nudging.ONE))],
        tags=["nudges"],
    )
    def sync_now(club: str, user: GetUserDep) -> Nudged:
        """Read a club now, whatever its pace: the "sync now" button."""
        return Nudged(club=club, run=nudging.by_person(club, user.get_name()))

    return app
