"""Requests to become a customer, made in the app (R11)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from clubsync.manual import requests as manual
from clubsync.store.database import queries
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, base
from plugins.web.services import actions, masking
from plugins.web.services.actions import Act

PAGE_SIZE = 100


class Request(BaseModel):
    """R11: an app user asks to become a customer."""

    id: int
    created_at: datetime
    email: str | None
    confirmed: bool


def count(club: OpenClub) -> int:
    """How many are pending."""
    return queries().count_pending_requests(club.driver, club=club.number)


def pending(club: OpenClub, page: int = 1, shown_to: User | None = None) -> list[Request]:
    """A page of them, the oldest first.

    :param shown_to: with personal data, for this person, which is recorded.
    """
    rows = queries().pending_requests(
        club.driver, club=club.number, max_rows=PAGE_SIZE, skip=(page - 1) * PAGE_SIZE
    )
    found = [Request(**masking.row(row, shown_to is not None)) for row in rows]
    if shown_to:
        actions.disclose(club, shown_to, "requests", [], requests=[row.id for row in found])
    return found


def decide(club: Club, user: User, request: int, accepted: bool) -> Act:
    """Accept or reject a request.

    :raises ActionRejected: there is no such pending request, or it cannot be accepted.
    """
    carry_out = manual.accept if accepted else manual.refuse
    kind = "accept" if accepted else "refuse"
    with actions.action(club, user, kind, request=request) as begun:
        made = carry_out(base(), club.config, str(request), by=user.name)
        begun.detail["customer"] = made.get("customer")
    return begun.recorded
