"""R28: the lifecycle of a club: paused and resumed, moved to another ERP, confirmed empty, removed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract import resume
from clubsync.manual.action import start_action
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store

if TYPE_CHECKING:
    from clubsync.store.queries import RemovedClubsRow

log = logging.getLogger(__name__)


def pause(base: Base, club: ClubConfig, paused: bool, by: str | None = None) -> dict[str, Any]:
    """Stop reading the club, or resume. Kept in the database; clubs.yaml stays as it is.

    :raises ActionRejected: it is to be resumed, and all its data is going to be deleted.
    """
    with start_action(base, club, "paused" if paused else "resumed", by) as action:
        removed = queries().club_state(action.driver, club=action.club_no)["remove_at"]
        if removed is not None and not paused:
            raise ActionRejected(
                f"{club.name} is being removed: all its data will be deleted on {removed:%Y-%m-%d %H:%M} UTC.",
                remedy=f"To keep the club, run `clubsync clubs remove {club.id} --keep`, which resumes it too.",
            )
        queries().pause_club(action.driver, club=action.club_no, paused=paused)
    return {"club": club.id, "paused": paused}


def confirm_empty(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R14: the club really has no customers any more; its next empty response is accepted, once.

    The guard still holds the deactivations that follow (R15).
    """
    with start_action(base, club, "confirmed empty", by) as action:
        queries().confirm_empty(action.driver, club=action.club_no)
    return {"club": club.id, "confirmed": "empty"}


def confirm_source(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R14: the next snapshot is this club's, however few ids it shares with the last one; once."""
    with start_action(base, club, "snapshot confirmed", by) as action:
        queries().confirm_source(action.driver, club=action.club_no)
    return {"club": club.id, "confirmed": "snapshot"}


def approve_first_sync(base: Base, club: ClubConfig, list_hash: str, by: str | None = None) -> int:
    """R28: a person has approved the plan of the first sync: it loads, and no other plan does.

    :param list_hash: of the plan that they saw.
    :returns: the snapshot that the plan is of.
    :raises ActionRejected: no first sync awaits approval, or its plan is another by now.
    """
    with start_action(base, club, "first sync approved", by) as action:
        waits = queries().first_sync_plan(action.driver, club=action.club_no)
        if waits is None:
            raise ActionRejected(
                f"No first sync of {club.name} awaits approval.",
                remedy=f"With `first_sync: review` in clubs.yaml, `clubsync sync {club.id}` makes the plan.",
            )
        if waits["list_hash"] != list_hash:
            raise ActionRejected(
                f"The plan of the first sync of {club.name} is not {list_hash}: a newer sync has changed it.",
                remedy=f"Review the current plan, {waits['list_hash']} of run {waits['run']}, then approve that one.",
            )
        queries().approve_first_sync(action.driver, club=action.club_no, list_hash=list_hash)
        return waits["snapshot"]


def move(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R1: the club has changed its ERP or tenant: a new epoch, in which people are matched by email alone.

    Nobody loses access by the move itself. Whoever is missing from the first complete snapshot of the new
    ERP is subject to the guard, like everybody who vanishes.
    """
    with start_action(base, club, "moved to another ERP", by) as action:
        epoch = start_epoch(action.driver, action.club_no, action.at)
    return {"club": club.id, "epoch": epoch}


def start_epoch(driver: Driver, club_no: int, at: datetime) -> int:
    """Set the ids of the old source aside and start a new epoch.

    :param driver: inside a transaction of this club.
    :returns: the number of the new epoch.
    """
    sql = queries()
    epoch: int = sql.club_state(driver, club=club_no)["epoch"]
    prefix = f"@{epoch}:"
    sql.prefix_record_ids(driver, club=club_no, prefix=prefix, at=at)
    sql.prefix_customer_ids(driver, club=club_no, prefix=prefix)
    sql.prefix_group_ids(driver, club=club_no, prefix=prefix)
    sql.prefix_automatic_group_ids(driver, club=club_no, prefix=prefix)
    sql.close_all_findings(driver, club=club_no, at=at)
    sql.forget_digest_items(driver, club=club_no)
    sql.clear_record_index(driver, club=club_no)
    sql.clear_suspicions(driver, club=club_no)
    sql.clear_erased(driver, club=club_no)
    sql.start_epoch(driver, club=club_no)
    return epoch + 1


def remove(
    base: Base, club: ClubConfig, after: timedelta | None, by: str | None = None
) -> dict[str, Any]:
    """Pause the club now, and delete all its data after that time; None: cancel the removal."""
    at = None if after is None else clock.now() + after
    with start_action(base, club, "removal scheduled" if at else "removal cancelled", by) as action:
        queries().schedule_removal(action.driver, club=action.club_no, at=at)
    return {"club": club.id, "removed_at": at}


def purge_removed(base: Base, store: Store) -> list[str]:
    """Delete all data of the clubs that are due for removal, stored files included.

    A club's rows go in one transaction, which leaves a row of sync.removed_club until its files are gone: a purge that
    was killed, or could not reach the store, is finished by the next one.

    :returns: ids of the clubs of which nothing is left now.
    """
    sql = queries()
    with base.reader() as driver:
        due = list(sql.clubs_to_remove(driver, now=clock.now()))
    for row in due:
        with base.transaction() as driver:
            sql.lock_club(driver, club=row["club"])
            sql.purge_club(driver, club=row["club"], at=clock.now())
    with base.transaction() as driver:
        removed = list(sql.removed_clubs(driver))
    return [row["club_id"] for row in removed if _files_removed(base, store, row)]


def _files_removed(base: Base, store: Store, row: RemovedClubsRow) -> bool:
    """Remove the files of a removed club; False: the store could not be reached."""
    club_id = row["club_id"]
    try:
        # of a club that was registered again since, whatever no row names is swept
        if not row["back"]:
            store.remove(club_id)
        resume.forget(store, club_id)
    except Exception as error:  # each kind of store has errors of its own
        log.error(
            "%s was removed, but not all of its files are (%s): the next upkeep tries again.",
            *(club_id, type(error).__name__),
        )
        return False
    with base.transaction() as driver:
        queries().delete_removed_club(driver, club_id=club_id)
    return True
