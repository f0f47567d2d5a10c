"""R28: a club's life: paused and resumed, moved to another ERP, confirmed empty, removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.extract import resume
from clubsync.manual import customers
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store


def pause(base: Base, club: ClubConfig, paused: bool, by: str | None = None) -> dict[str, Any]:
    """Stop reading the club, or go on. Kept in the data base; clubs.yaml stays as it is."""
    with customers.act(base, club, "paused" if paused else "resumed", by) as doing:
        queries().pause_club(doing.driver, club=doing.club, paused=paused)
    return {"club": club.id, "paused": paused}


def say_empty(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R14: the club really has no customers any more; the next empty answer is believed, once.

    Who loses access by it still passes the guard (R15).
    """
    with customers.act(base, club, "confirmed empty", by) as doing:
        queries().confirm_empty(doing.driver, club=doing.club)
    return {"club": club.id, "confirmed": "empty"}


def say_same_club(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R14: the next snapshot is this club's, however few ids it shares with the last, once."""
    with customers.act(base, club, "snapshot confirmed", by) as doing:
        queries().confirm_source(doing.driver, club=doing.club)
    return {"club": club.id, "confirmed": "snapshot"}


def say_reviewed(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R28: a person has seen the plan of the first sync; the next one loads."""
    with customers.act(base, club, "first sync confirmed", by) as doing:
        queries().approve_first_sync(doing.driver, club=doing.club)
    return {"club": club.id, "confirmed": "first sync"}


def move(base: Base, club: ClubConfig, by: str | None = None) -> dict[str, Any]:
    """R1: the club has changed its ERP or tenant: a new epoch, in which people are found by email alone.

    Nobody loses access by the move itself. The first complete snapshot of the new ERP tells who is
    there; who is not passes the guard like everybody who vanishes.
    """
    with customers.act(base, club, "moved to another ERP", by) as doing:
        number = new_epoch(doing.driver, doing.club, doing.at)
    return {"club": club.id, "epoch": number}


def new_epoch(driver: Driver, club: int, at: datetime) -> int:
    """Set the old source's ids apart and begin anew.

    :param driver: inside a transaction of this club.
    :returns: the number of the epoch that begins.
    """
    sql = queries()
    epoch: int = sql.club_state(driver, club=club)["epoch"]
    prefix = f"@{epoch}:"
    sql.prefix_record_ids(driver, club=club, prefix=prefix, at=at)
    sql.prefix_customer_ids(driver, club=club, prefix=prefix)
    sql.prefix_group_ids(driver, club=club, prefix=prefix)
    sql.prefix_automatic_group_ids(driver, club=club, prefix=prefix)
    sql.close_all_findings(driver, club=club, at=at)
    sql.clear_record_index(driver, club=club)
    sql.start_epoch(driver, club=club)
    return epoch + 1


def remove(
    base: Base, club: ClubConfig, after: timedelta | None, by: str | None = None
) -> dict[str, Any]:
    """The club leaves: paused now, and all its data goes after that time (None: it stays after all)."""
    at = None if after is None else clock.now() + after
    with customers.act(base, club, "to be removed" if at else "kept after all", by) as doing:
        queries().schedule_removal(doing.driver, club=doing.club, at=at)
    return {"club": club.id, "removed_at": at}


def purge_removed(base: Base, store: Store) -> list[str]:
    """Delete all data, stored snapshots too, of the clubs whose time has come; their ids."""
    sql, gone = queries(), []
    with base.transaction() as driver:
        for row in list(sql.clubs_to_remove(driver, now=clock.now())):
            sql.purge_customers(driver, club=row["club"])
            sql.purge_records(driver, club=row["club"])
            sql.purge_changes(driver, club=row["club"])
            sql.purge_club(driver, club=row["club"])
            gone.append(row["club_id"])
    for club_id in gone:
        store.remove(club_id)
        resume.forget(store, club_id)
    return gone
