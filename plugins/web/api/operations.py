"""What people do with a club."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from plugins.web.api.responses import ACT
from plugins.web.auth import Actor
from plugins.web.context import TheClub
from plugins.web.parameters import Hash
from plugins.web.services import operations
from plugins.web.services.actions import Act

router = APIRouter(tags=["actions"], responses=ACT)


class Approval(BaseModel):
    """Binds to the plan that was seen."""

    list_hash: Hash


@router.post("/clubs/{club}/sync-now", status_code=202)
def sync_now(user: Actor, club: TheClub) -> Act:
    """Sync the club now, by a run of `sync_one`."""
    return operations.sync(club, user)


@router.post("/clubs/{club}/dry-run", status_code=202)
def dry_run(user: Actor, club: TheClub) -> Act:
    """Read the club now and plan, without writing anything; the run then has the plan."""
    return operations.dry_run(club, user)


@router.post("/clubs/{club}/pause")
def pause(user: Actor, club: TheClub) -> Act:
    """Pause the club's syncs."""
    return operations.pause(club, user)


@router.post("/clubs/{club}/resume")
def resume(user: Actor, club: TheClub) -> Act:
    """Resume the club's syncs; ends a quarantine too."""
    return operations.resume(club, user)


@router.post("/clubs/{club}/confirm-empty")
def confirm_empty(user: Actor, club: TheClub) -> Act:
    """The club has no customers any more: its next empty response is accepted, once (R14)."""
    return operations.confirm_empty(club, user)


@router.post("/clubs/{club}/confirm-source")
def confirm_source(user: Actor, club: TheClub) -> Act:
    """The next snapshot is this club's, however few of its customers are known; once (R14)."""
    return operations.confirm_source(club, user)


@router.post("/clubs/{club}/go")
def go(user: Actor, club: TheClub, approval: Approval) -> Act:
    """Approve the plan of the first sync that was seen: it loads, and no other (R28)."""
    return operations.approve_first_sync(club, user, approval.list_hash)


@router.post("/clubs/{club}/test")
def test(user: Actor, club: TheClub) -> Act:
    """Test the club's connection: log in to the ERP and look, storing nothing."""
    return operations.test(club, user)
