"""Webhooks: what is delivered of the change feed, and what is not (R30)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from clubsync.errors import ActionRejected
from clubsync.feed import webhooks
from connectors.sdk.messages import message as message_of
from plugins.web.auth import User
from plugins.web.context import Club, base
from plugins.web.registry import registry
from plugins.web.services.actions import Act, action


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


def resume(club: Club, user: User, webhook_id: str, message: str, *, skip: bool) -> Act:
    """Send a message that was given up again, under its id; or skip it and send what follows.

    :param message: the one that the person saw.
    :raises ActionRejected: it is not given up any more, or clubs.yaml has no such webhook.
    """
    kind = "webhook_skip" if skip else "webhook_replay"
    with action(club, user, kind, webhook=webhook_id, message=message) as begun:
        config = registry().config
        webhook = next((one for one in config.webhooks if one.id == webhook_id), None)
        given_up = {(row["club"], row["message"]) for row in webhooks.dead(base(), webhook_id)}
        if webhook is None or (club.id, message) not in given_up:
            raise ActionRejected(
                f"Message {message} of {club.name} is not given up any more.",
                remedy="Look at the list of webhooks: somebody may have resumed it already.",
            )
        webhooks.replay(base(), config, webhook, clubs=[club.id], skip=skip)
        begun.told = message_of(
            "The message is skipped; what follows it is sent with the next delivery, within a minute."
            if skip
            else "The message is sent again with the next delivery, within a minute."
        )
    return begun.recorded
