"""The pages: HTML made on the server, from the same services as the API.

A page is read by GET, with personal data masked; the same page by POST shows them, and is recorded in the audit. An
action is a POST that redirects to a page with its result.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from plugins.web.auth import Reader
from plugins.web.errors import PAGES
from plugins.web.pages import (
    chains,
    clubs,
    findings,
    holds,
    identity,
    people,
    requests,
    review,
    roster,
    runbooks,
    runs,
    similar,
    webhooks,
)
from plugins.web.pages.rendering import to_the_clubs

router = APIRouter(prefix=PAGES, include_in_schema=False, default_response_class=HTMLResponse)


@router.get("", name="home")
@router.get("/")
def home(request: Request, _: Reader) -> RedirectResponse:
    return to_the_clubs(request)


for subject in (
    clubs,
    findings,
    holds,
    identity,
    people,
    requests,
    review,
    roster,
    runbooks,
    runs,
    similar,
    chains,
    webhooks,
):
    router.include_router(subject.router)
