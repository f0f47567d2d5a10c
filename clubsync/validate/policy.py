"""A club's own rules for a sync."""

from __future__ import annotations

import hashlib
import json

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.model import Policy
from connectors import registry

#: Goes up whenever the engine evaluates the same facts otherwise than before: every record is evaluated again.
RULES_VERSION = 3


def policy_of(club: ClubConfig, certified: bool) -> Policy:
    """The club's own rules, on its own calendar day."""
    return Policy(
        today=clock.today(club.zone),
        certified=certified,
        access_statuses=frozenset(club.access_statuses),
        group_required=club.group_required,
        former_groups=frozenset(club.former_groups),
        access_groups=frozenset(club.access_groups),
        automatic_groups=tuple(club.automatic_groups.items()),
        phone_centred=registry.connector_class(club.erp).phone_centred,
        placeholder_emails=frozenset(club.placeholder_emails),
        shared_email_limit=club.shared_email_limit,
    )


def policy_hash(policy: Policy) -> str:
    """16 hex digits over the rules that a policy states: another hash, and every record is evaluated."""
    parts = [
        RULES_VERSION,
        sorted(policy.access_statuses),
        policy.group_required,
        sorted(policy.former_groups),
        sorted(policy.access_groups),
        policy.automatic_groups,
        policy.phone_centred,
        sorted(policy.placeholder_emails),
        policy.shared_email_limit,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
