"""A club's own rules for a sync."""

from __future__ import annotations

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.model import Policy
from connectors import registry


def policy_of(club: ClubConfig, certified: bool) -> Policy:
    """The club's own rules, on its own calendar day."""
    return Policy(
        today=clock.today(club.zone),
        certified=certified,
        access_statuses=frozenset(club.access_statuses),
        group_required=club.group_required,
        former_groups=frozenset(club.former_groups),
        phone_centred=registry.connector_class(club.erp).phone_centred,
    )
