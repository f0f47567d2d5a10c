"""The JSON API behind the pages: the same answers, for other programs. Errors are problem+json (RFC 9457).

Personal data are masked. `…/shown` returns them, to users who are allowed to act, and is recorded in the audit.
A person's email or name is sent by POST: addresses end up in logs.
"""

from __future__ import annotations

from fastapi import APIRouter

from plugins.web.api import (
    chains,
    clubs,
    feed,
    findings,
    holds,
    identity,
    operations,
    people,
    requests,
    review,
    roster,
    runs,
    similar,
    webhooks,
)
from plugins.web.errors import problems

VERSION = "/api/v1"

router = APIRouter(prefix=VERSION, responses=problems(401, 403, 422, 503))
for subject in (
    clubs,
    findings,
    holds,
    people,
    roster,
    review,
    runs,
    operations,
    requests,
    similar,
    identity,
    chains,
    feed,
    webhooks,
):
    router.include_router(subject.router)
