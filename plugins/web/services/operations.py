"""What people do with a club: sync it, try it, pause it, approve its first sync, test its connection."""

from __future__ import annotations

from clubsync.errors import ActionRejected
from clubsync.manual import lifecycle
from clubsync.operate import connection_check
from connectors.sdk.errors import ConnectorError
from connectors.sdk.messages import message
from plugins.connections import resolver
from plugins.web.auth import User
from plugins.web.context import Club, base, engine
from plugins.web.services import nudges
from plugins.web.services.actions import Act, action

PATIENCE = 20.0
"""Seconds that a person waits for a test of a connection."""


def sync(club: Club, user: User) -> Act:
    """Sync the club now: a run of `sync_one` is started, or one that is queued is named."""
    with action(club, user, "sync") as begun:
        begun.detail["airflow_run"] = nudges.by_person(club.id, user.name)
    return begun.recorded


def dry_run(club: Club, user: User) -> Act:
    """Read the club now and plan, without writing anything: a run of `sync_one`.

    :raises ActionRejected: Airflow did not start it, and nothing else would.
    """
    with action(club, user, "dry_run") as begun:
        run = f"{club.id}-dry-run-{begun.number}"
        if not nudges.start(run, club.id, dry_run=True):
            raise ActionRejected(
                f"Airflow did not start the dry run of {club.name}.",
                remedy="Try again in a minute. If it persists, check the Dag sync_one in Airflow.",
            )
        begun.detail["airflow_run"] = run
    return begun.recorded


def pause(club: Club, user: User) -> Act:
    """R28: pause the club's syncs; ends a quarantine too."""
    with action(club, user, "pause") as begun:
        lifecycle.pause(base(), club.config, True, by=user.name)
    return begun.recorded


def resume(club: Club, user: User) -> Act:
    """R28: resume the club's syncs; ends a quarantine too."""
    with action(club, user, "resume") as begun:
        lifecycle.pause(base(), club.config, False, by=user.name)
    return begun.recorded


def confirm_empty(club: Club, user: User) -> Act:
    """R14: the club has no customers any more: its next empty response is accepted, once."""
    with action(club, user, "confirm_empty") as begun:
        lifecycle.confirm_empty(base(), club.config, by=user.name)
        begun.told = message("The next empty response is accepted, once.")
    return begun.recorded


def confirm_source(club: Club, user: User) -> Act:
    """R14: the next snapshot is this club's, however few of its customers are known; once."""
    with action(club, user, "confirm_source") as begun:
        lifecycle.confirm_source(base(), club.config, by=user.name)
        begun.told = message("The next snapshot is accepted as this club's, once.")
    return begun.recorded


def approve_first_sync(club: Club, user: User, list_hash: str) -> Act:
    """R28: somebody has seen the plan of the first sync with this hash: it loads, and no other.

    :raises ActionRejected: no first sync awaits approval, its plan is another, or it could not be loaded.
    """
    with action(club, user, "go", list=list_hash) as begun:
        step = engine().approve_first_sync(club.id, user.name, list_hash)
        if step["error"]:
            raise ActionRejected(step["error"], remedy=step["remedy"] or "")
        if step["hold"]:
            raise ActionRejected(
                f"The plan of the first sync of {club.name} has changed since you saw it.",
                remedy="Review the current plan, then approve that one.",
            )
        begun.detail |= {"run": step["run"], "customers": step["counts"]["addition"]}
    return begun.recorded


def test(club: Club, user: User) -> Act:
    """Log in to the ERP and look, storing nothing; what went wrong is the result."""

    def look() -> connection_check.Checked:
        return connection_check.check(club.config, resolver.resolve)

    with action(club, user, "test") as begun:
        try:
            checked = connection_check.within(PATIENCE, look)
        except ConnectorError as error:  # there was no answer in time
            checked = connection_check.Checked(club.config, False, error.what, error.remedy)
        begun.detail["ok"] = checked.ok
        begun.told = f"{checked.found} {checked.remedy or ''}".strip()
    return begun.recorded
