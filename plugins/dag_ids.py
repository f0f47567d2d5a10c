"""Ids of the Dags that are not named after an ERP."""

from __future__ import annotations

SYNC_ONE = "sync_one"
HELD_CHANGES = "held_changes"
FIRST_SYNCS = "first_syncs"
UPKEEP = "upkeep"
RETENTION = "retention"
WEBHOOKS = "webhooks"

OURS = frozenset({SYNC_ONE, HELD_CHANGES, UPKEEP, RETENTION, WEBHOOKS})
