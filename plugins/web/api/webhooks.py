"""Webhooks: whether what changed arrives downstream (R30)."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from plugins.web.api.responses import ACT
from plugins.web.auth import Actor, Reader
from plugins.web.context import TheClub
from plugins.web.parameters import RequiredText
from plugins.web.services import webhooks
from plugins.web.services.actions import Act

router = APIRouter(tags=["feed"])


@router.get("/webhooks")
def list_webhooks(_: Reader) -> list[webhooks.WebhookNow]:
    """The webhooks of clubs.yaml, and whether their messages arrive."""
    return webhooks.all_of_them()


@router.get("/webhooks/dead")
def list_dead_messages(_: Reader) -> list[webhooks.DeadMessage]:
    """Messages that were given up, the oldest first."""
    return webhooks.dead()


class GivenUp(BaseModel):
    """A message that was given up."""

    webhook: RequiredText
    message: RequiredText
    skip: bool = Field(
        default=False, description="never send it, and continue after it; default: send it again"
    )


@router.post("/clubs/{club}/webhooks/resume", responses=ACT)
def resume(user: Actor, club: TheClub, wanted: GivenUp) -> Act:
    """Resume a webhook of a club after a message that was given up."""
    return webhooks.resume(club, user, wanted.webhook, wanted.message, skip=wanted.skip)
