"""Webhooks: whether what changed arrives downstream (R30)."""

from __future__ import annotations

from fastapi import APIRouter

from plugins.web.auth import Reader
from plugins.web.services import webhooks

router = APIRouter(tags=["feed"])


@router.get("/webhooks")
def list_webhooks(_: Reader) -> list[webhooks.WebhookNow]:
    """The webhooks of clubs.yaml, and whether their messages arrive."""
    return webhooks.all_of_them()


@router.get("/webhooks/dead")
def list_dead_messages(_: Reader) -> list[webhooks.DeadMessage]:
    """Messages that were given up, the oldest first; `clubsync webhooks replay` resumes."""
    return webhooks.dead()
