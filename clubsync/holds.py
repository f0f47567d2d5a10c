"""R15: a hold is decided by a person, on the exact list they saw; one decision wins."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.db import Base, Driver, queries
from clubsync.errors import ActRefused

if TYPE_CHECKING:
    from clubsync.pipeline import Decision

#: How long a rejected person is not asked about again, while their ERP record stays as it is.
REST = timedelta(days=30)


def seen(
    base: Base, hold: int, by: str, list_hash: str | None, comment: str | None
) -> tuple[str, Decision]:
    """The decision on the list that a person saw: the club's id, and whom it is about.

    :param list_hash: None: the list as it is at this moment.
    :raises ActRefused: no such hold, no such list of it, or it was decided already.
    """
    from clubsync.pipeline import Decision

    sql = queries()
    with base.transaction() as driver:
        row = sql.find_hold(driver, hold=hold)
        if row is None:
            raise ActRefused(f"There is no hold {hold}.", remedy="`clubsync holds` lists them.")
        if row["state"] != "open":
            raise _decided(row)
        wanted = list_hash or row["list_hash"]
        version = sql.hold_version(driver, club=row["club"], hold=hold, list_hash=wanted)
        if version is None:
            raise ActRefused(
                f"Hold {hold} never had a list {list_hash}.",
                remedy=f"`clubsync holds {row['club_id']}` shows the list there is, and its hash.",
            )
        members = sql.members_at(driver, club=row["club"], hold=hold, version=version["version"])
        customers = [member["customer"] for member in members]
    return row["club_id"], Decision(hold, wanted, customers, by, comment)


def _decided(row: dict[str, Any]) -> ActRefused:
    if row["state"] == "emptied":
        return ActRefused(
            f"Hold {row['hold']} closed itself: the ERP brought everybody back.",
            remedy="Nothing needs deciding.",
        )
    return ActRefused(
        f"Hold {row['hold']} was {row['state']} by {row['decided_by']} on "
        f"{row['decided_at']:%d %B %Y, %H:%M} UTC.",
        remedy="One decision wins; who has fallen due since is in a hold of its own.",
    )


def close(driver: Driver, club: int, decision: Decision, state: str, at: datetime) -> None:
    """Write the decision down.

    :raises ActRefused: somebody was first.
    """
    sql = queries()
    changed = sql.decide_hold(
        driver,
        club=club,
        hold=decision.hold,
        state=state,
        at=at,
        by=decision.by,
        list_hash=decision.list_hash,
        comment=decision.comment,
    )
    if not changed:
        raise _decided(sql.find_hold(driver, hold=decision.hold))


def reject(base: Base, club_id: str, decision: Decision) -> dict[str, Any]:
    """Keep the people of the seen list; who joined later stays held, in a hold of its own."""
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club = sql.find_club(driver, club_id=club_id)
    with base.club(club) as driver:
        sql.lock_club(driver, club=club)
        members = [m["customer"] for m in sql.members_of(driver, club=club, hold=decision.hold)]
        close(driver, club, decision, "rejected", at)
        kept = [c for c in members if c in set(decision.customers)]
        sql.reject_members(driver, club=club, customers=kept, until=at + REST)
        later = [c for c in members if c not in set(decision.customers)]
        sql.recheck_members(
            driver, club=club, customers=later, why="joined a hold after it was seen"
        )
        sql.touch_revision(driver, club=club)
    return {
        "hold": decision.hold,
        "club": club_id,
        "state": "rejected",
        "by": decision.by,
        "kept": len(kept),
        "still_held": len(later),
    }


def newest_snapshot(driver: Driver, club: int) -> int | None:
    """The last snapshot that was loaded; a decision is carried out on it."""
    found: int | None = queries().newest_snapshot(driver, club=club)
    return found
