"""R20: erase a person from club base, ERP mirror, audit, findings, holds and stored files: a stored order.

The order is written in the transaction that deletes the person's rows, with everything that remains to be done: each
folder of the store that may hold the person, the interrupted readings, and the dead rows and statistics of PostgreSQL
(sync.erasure_part). Each part is done by itself and its row deleted, so that an order that was killed, or met a broken
file or a full disk, continues where it stopped: when somebody runs `clubsync erase` again, and with every upkeep. It
is complete when no part is left.

What stays is a keyed hash of each ERP id, so that the next sync does not bring the person back while the ERP still
sends that record, and of each email, by which the order is found again. A new ERP id lifts the erasure, and so does
adding the person by hand.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, TypedDict

import polars as pl

from clubsync import clock, emails
from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract.erased import key_hash
from clubsync.manual import erasure_parts, erasure_rows
from clubsync.manual.action import shell_user
from clubsync.store import snapshots
from clubsync.store.database import Base, Driver, queries
from clubsync.store.people import resolve_person
from clubsync.store.snapshots import Store
from connectors.sdk.messages import message

log = logging.getLogger(__name__)


class Unreachable(TypedDict):
    """A part of an order that could not be reached.

    :param part: a path below the root of the store, or `database`.
    :param problem, remedy: why, and what to do.
    """

    part: str
    problem: str
    remedy: str


class State(TypedDict):
    """How far an order is.

    :param customers, records: base customers and ERP records that were deleted; files: that were rewritten or removed.
    :param remaining: parts that are left.
    :param unreachable: those of them that were tried, and files that are missing from the store.
    """

    club: str
    erasure: int
    ordered_at: datetime
    customers: int
    records: int
    files: int
    complete: bool
    completed_at: datetime | None
    remaining: int
    unreachable: list[Unreachable]


class Progress(TypedDict):
    """Orders that an upkeep has carried out.

    :param completed: orders of which nothing is left since.
    :param left: those that still have something left.
    """

    completed: int
    left: list[State]


def erase(
    base: Base,
    store: Store,
    club: ClubConfig,
    who: str,
    *,
    by: str | None = None,
    by_id: bool = False,
) -> dict[str, Any]:
    """Erase a person from a club: everything with their customer ids, ERP ids or emails.

    For somebody whose erasure was ordered before, continue that order.

    :param who: an email (any spelling) or an ERP id.
    :param by_id: it is an ERP id, also where it looks like an email: nobody is erased whose email that is.
    :returns: `State`.
    :raises ActionRejected: no customer, ERP record or stored snapshot of the club matches, and no order does.
    """
    club_no, order = _order(base, store, club, who, by or shell_user(), by_id=by_id)
    return dict(carry_out(base, store, club_no, club.id, order))


def finish_all(base: Base, store: Store) -> Progress:
    """Continue every order that is not complete."""
    done = Progress(completed=0, left=[])
    with base.reader() as driver:
        rows = list(queries().open_erasures(driver))
    for row in rows:
        state = carry_out(base, store, row["club"], row["club_id"], row["erasure"])
        if state["complete"]:
            done["completed"] += 1
        else:
            done["left"].append(state)
            for part in state["unreachable"]:
                log.error(
                    "%s: erasure %s: %s could not be reached: %s %s",
                    *(row["name"], row["erasure"]),
                    *(part["part"], part["problem"], part["remedy"]),
                )
    return done


def carry_out(base: Base, store: Store, club_no: int, club_id: str, erasure: int) -> State:
    """Do what remains of an order; what cannot be reached stops nothing else."""
    missing = erasure_parts.carry_out(base, store, club_no, club_id, erasure)
    with base.club(club_no) as driver:
        found = state(driver, club_no, club_id, erasure)
    found["unreachable"] += [
        Unreachable(
            part=path,
            problem=message("It is missing from the store."),
            remedy=message("If it was moved elsewhere, delete it there."),
        )
        for path in missing
    ]
    return found


def orders(driver: Driver, club_no: int, club_id: str, *, include_all: bool = False) -> list[State]:
    """The club's orders that are not complete, or all, the newest first."""
    rows = list(queries().erasures(driver, club=club_no, include_all=include_all))
    return [state(driver, club_no, club_id, row["erasure"]) for row in rows]


def state(driver: Driver, club_no: int, club_id: str, erasure: int) -> State:
    """How far an order is."""
    sql = queries()
    row = sql.erasure(driver, club=club_no, erasure=erasure)
    assert row is not None  # orders stay as long as their club
    parts = list(sql.erasure_parts(driver, club=club_no, erasure=erasure))
    return State(
        club=club_id,
        erasure=erasure,
        ordered_at=row["ordered_at"],
        customers=len(row["customers"]),
        records=row["records"],
        files=row["files"],
        complete=row["completed_at"] is not None,
        completed_at=row["completed_at"],
        remaining=len(parts),
        unreachable=[
            Unreachable(
                part=erasure_parts.name_of(part, club_id),
                problem=part["problem"],
                remedy=part["remedy"] or "",
            )
            for part in parts
            if part["problem"] is not None
        ],
    )


def _order(
    base: Base, store: Store, club: ClubConfig, who: str, by: str, *, by_id: bool
) -> tuple[int, int]:
    """Order the erasure, or find the order: the club's number, and the order's."""
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club_no = sql.register_club(driver, club_id=club.id, name=club.name, erp=club.erp, now=at)
    with base.club(club_no) as driver:
        sql.lock_club(driver, club=club_no)
        email, found = resolve_person(driver, club_no, who, by_id=by_id)
        customers = {f["customer"] for f in found if f["customer"] is not None}
        ids = {f["erp_id"] for f in found if f["erp_id"] is not None}
        if found:
            return club_no, erasure_rows.delete(driver, club_no, customers, ids, email, at, by)
        known = _ordered(driver, club_no, who, email)
        if known is not None:
            return club_no, known
        ids = _in_store(driver, store, club_no, who, email)
        if ids:
            return club_no, erasure_rows.delete(driver, club_no, customers, ids, email, at, by)
    raise ActionRejected(
        f"No customer or ERP record of {club.name} matches that email or id.",
        remedy="Check the spelling of the email, or the ERP id.",
    )


def _ordered(driver: Driver, club_no: int, who: str, email: str | None) -> int | None:
    """The last order about this email or ERP id."""
    sql = queries()
    key = sql.club_state(driver, club=club_no)["hash_key"]
    hashes = [key_hash(key, name) for name in (who, email) if name]
    orders = sql.erasures_by_hash(driver, club=club_no, key_hashes=hashes)
    return max((row["erasure"] for row in orders), default=None)


def _in_store(driver: Driver, store: Store, club_no: int, who: str, email: str | None) -> set[str]:
    """ERP ids of somebody who is in stored snapshots only: read, and not loaded."""
    ids: set[str] = set()
    for row in queries().snapshot_paths(driver, club=club_no):
        try:
            customers = store.read(row["path"], snapshots.CUSTOMERS).select("erp_id", "email")
        except Exception as error:  # what cannot be read is told when the order comes to it
            log.warning("%s: not searched (%s)", row["path"], type(error).__name__)
            continue
        theirs = pl.col("erp_id") == who
        if email is not None:
            norm = emails.evaluate(customers["email"])["email_norm"]
            theirs = theirs | (pl.lit(norm) == email)
        ids |= set(customers.filter(theirs.fill_null(False))["erp_id"])
    return ids
