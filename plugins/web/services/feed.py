"""The change feed for other programs, with waiting (R30).

Whoever waits holds neither a thread nor a connection of the database: one query a second serves everybody who waits
in this process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, ClassVar
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from clubsync.feed import events
from clubsync.feed.cursor import PATTERN
from plugins.web.auth import User
from plugins.web.context import Club, base
from plugins.web.parameters import Text
from plugins.web.services import actions

log = logging.getLogger(__name__)

LONGEST_WAIT = 60
INTERVAL = 1.0
"""Seconds between two looks for those who wait."""
MOST_WAITING = 1000
"""Requests of one process that wait at the same time; others are answered at once."""

Kind = Annotated[str, Field(max_length=40, pattern="^[a-z_]+$")]


class FeedQuery(BaseModel):
    """Which part of the feed."""

    after: str = Field(
        default="0",
        pattern=PATTERN,
        description="the id of an event, or the `next` of an earlier answer: what follows it; 0: from the beginning; "
        "latest: only what comes from now on",
    )
    club: str | None = Field(
        default=None,
        max_length=100,
        pattern="^[a-z0-9-]+$",
        description="a club's id, as in clubs.yaml; default: all clubs",
    )
    kind: list[Kind] = Field(
        default=[], max_length=20, description="only these kinds of change; default: all"
    )
    limit: int = Field(default=100, ge=1, le=events.MOST, description="events at most")
    wait: float = Field(
        default=0,
        ge=0,
        le=LONGEST_WAIT,
        description="seconds to wait for an event, if there is none",
    )
    values: bool = Field(
        default=False,
        description="with personal data, what was and what is: for users who are allowed to act; recorded in the audit",
    )


class FeedEvent(BaseModel):
    """A row of the audit."""

    id: Text = Field(description="permanent; also a cursor")
    club: str
    at: datetime
    kind: str = Field(
        description="addition, deactivation, reactivation, email_change, merge, adoption, profile_change, "
        "group_change, erasure, …"
    )
    customer: int = Field(description="permanent; the `id` of `clubsync customers`")
    erp_id: str | None
    run: int
    reason: str | None
    access: bool | None = Field(
        description="whether the customer has access now; null: this change is not about access"
    )
    before: dict[str, Any] | None = Field(default=None, description="only with `values`")
    after: dict[str, Any] | None = Field(default=None, description="only with `values`")


class Feed(BaseModel):
    """Events in order."""

    events: list[FeedEvent]
    next: str = Field(description="the cursor to resume from")
    more: bool = Field(description="more events follow at once")


async def read(wanted: FeedQuery, club: Club | None, shown_to: User | None) -> Feed:
    """Events after a cursor; if there are none, those of the first moment that has some, or none in the end.

    :param shown_to: with personal data, for this person, which is recorded.
    :raises CursorInvalid, CursorGone: the feed does not continue this cursor.
    """
    until = time.monotonic() + wanted.wait
    after = wanted.after
    while True:
        seen = _Watch.here().position
        page = await run_in_threadpool(_page, wanted, after, club, shown_to)
        left = until - time.monotonic()
        if page.events or page.more or left <= 0:
            return page
        after = page.next
        if not await _Watch.here().wait(left, seen, None if club is None else club.number):
            return page


def _page(wanted: FeedQuery, after: str, club: Club | None, shown_to: User | None) -> Feed:
    found = events.page(
        base(),
        after,
        club=None if club is None else club.number,
        kinds=wanted.kind or None,
        values=shown_to is not None,
        limit=wanted.limit,
    )
    if shown_to is not None:
        _record(found, shown_to)
    return Feed(
        events=[FeedEvent(**e.document(values=shown_to is not None)) for e in found.events],
        next=str(found.next),
        more=found.more,
    )


def _record(found: events.Page, user: User) -> None:
    """Record whose data this person is shown, club by club, before they are."""
    people: dict[int, set[str]] = defaultdict(set)
    for event in found.events:
        people[event.club_no].add(event.erp_id or f"#{event.customer}")
    for number, shown in people.items():
        with base().club(number) as driver:
            actions.disclose_feed(driver, number, user, sorted(shown))


class _Watch:
    """Who waits for the feed in an event loop, and the task that looks for them."""

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.position: int | None = None
        self._waiting: dict[asyncio.Event, int | None] = {}
        self._look: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> _Watch:
        return cls._all.setdefault(asyncio.get_running_loop(), cls())

    async def wait(self, seconds: float, seen: int | None, club: int | None) -> bool:
        """Wait until there may be something new.

        :param seen: the position that was known before the last look.
        :param club: base.club.club; None: of any club.
        :returns: False: the time is over, or too many are waiting.
        """
        if self.position != seen:
            return True
        if len(self._waiting) >= MOST_WAITING:
            return False
        moved = asyncio.Event()
        self._waiting[moved] = club
        try:
            if self._look is None or self._look.done():
                self._look = asyncio.create_task(self._looking())
            async with asyncio.timeout(seconds):
                await moved.wait()
        except TimeoutError:
            return False
        finally:
            del self._waiting[moved]
        return True

    async def _looking(self) -> None:
        """Look once a second while somebody waits. When that fails everybody asks for themselves, and is told why."""
        try:
            while self._waiting:
                clubs = await self._moved()
                for moved, club in self._waiting.items():
                    if clubs is None or (clubs and (club is None or club in clubs)):
                        moved.set()
                await asyncio.sleep(INTERVAL)
        except Exception as error:  # of the database
            log.error("Waiting for the feed is interrupted (%s).", type(error).__name__)
            for moved in self._waiting:
                moved.set()

    async def _moved(self) -> set[int] | None:
        """The clubs that have something new; None: it is not known."""
        since = self.position
        position, clubs = await run_in_threadpool(events.moved, base(), since or 0)
        self.position = position
        return None if since is None else clubs
