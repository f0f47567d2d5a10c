"""Webhooks: what is delivered of the change feed, and what is not (R30)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from clubsync.feed import webhooks
from plugins.web.context import base
from plugins.web.registry import registry


class WebhookNow(BaseModel):
    """A webhook of clubs.yaml, and whether its messages arrive."""

    webhook: str
    connection: str
    values: bool = Field(description="its messages hold personal data")
    since: datetime | None
    clubs: int = Field(description="clubs that it was sent something of")
    failing: int = Field(description="of these, clubs whose message failed and is tried again")
    dead: int = Field(description="of these, clubs whose message was given up")
    delivered_at: datetime | None
    failing_since: datetime | None
    problem: str | None


class DeadMessage(BaseModel):
    """A message that was given up. The webhook gets nothing more of that club until it is replayed."""

    webhook: str
    club: str
    message: str = Field(description="its webhook-id")
    events: int
    after: str = Field(description="the cursor before its events")
    tries: int
    first_try_at: datetime | None
    dead_at: datetime
    problem: str | None


def all_of_them() -> list[WebhookNow]:
    return [WebhookNow(**row) for row in webhooks.states(base(), registry().config)]


def dead() -> list[DeadMessage]:
    return [DeadMessage(**row) for row in webhooks.dead(base())]
