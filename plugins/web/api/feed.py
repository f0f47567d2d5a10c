"""The change feed: the audit, for whoever keeps something downstream (R30)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from plugins.web.auth import Reader, actor
from plugins.web.context import find_club
from plugins.web.errors import problems
from plugins.web.services import feed

router = APIRouter(tags=["feed"])


@router.get("/feed", responses=problems(404, 410), response_model_exclude_unset=True)
async def read_feed(
    user: Reader, request: Request, wanted: Annotated[feed.FeedQuery, Query()]
) -> feed.Feed:
    """Changes in the order of the audit, from any point, as often as asked; at least once each.

    410: the cursor is not continued, because the database was restored or the club's data were deleted.
    """
    shown_to = await actor(user, request) if wanted.values else None
    club = None if wanted.club is None else await run_in_threadpool(find_club, wanted.club)
    return await feed.read(wanted, club, shown_to)
