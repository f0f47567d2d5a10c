"""R20: a person's data goes from base, mirror, audit, findings, holds and stored snapshots.

What stays is a keyed hash of their ERP id, so that the next sync does not bring them back while the ERP
still sends that record. A new ERP id, or a person adding them by hand, lifts it.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract import resume
from clubsync.extract.erased import key_hash
from clubsync.load import similar_pairs
from clubsync.manual.customers import act
from clubsync.store import record_index
from clubsync.store.database import Base, queries
from clubsync.store.people import resolve_person
from clubsync.store.snapshots import Store
from clubsync.validate import affected


def erase(
    base: Base, store: Store, club: ClubConfig, who: str, *, by: str | None = None
) -> dict[str, Any]:
    """Erase a person from a club: everything with their customer number, ERP ids or email.

    :param who: an email (any spelling) or an ERP id.
    :raises ActionRejected: nobody of that club is meant by it.
    """
    sql = queries()
    with act(base, club, "erasure", by) as doing:
        email, found = resolve_person(doing.driver, doing.club, who)
        number, run, at, name = doing.club, doing.run, doing.at, doing.by
    if not found:
        raise ActionRejected(
            f"{club.name} knows nobody by that.", remedy="Check the spelling, or the ERP id."
        )
    with base.transaction() as driver:
        sql.lock_club(driver, club=number)
        customers = sorted({f["customer"] for f in found if f["customer"] is not None})
        ids = sorted({f["erp_id"] for f in found if f["erp_id"] is not None})
        known_emails = [
            email,
            *(row["email_norm"] for row in sql.records_by_id(driver, club=number, ids=ids)),
            *(
                row["email"]
                for row in sql.customers_by_number(driver, club=number, customers=customers)
            ),
        ]
        addresses = {address for address in known_emails if address}
        key = sql.club_state(driver, club=number)["hash_key"]
        others = {r["erp_id"] for r in sql.records_naming(driver, club=number, ids=ids)}
        known = record_index.read(driver, number)
        others |= set(affected.related_ids(driver, number, known, ids, sorted(addresses)))
        for erp_id in ids:
            sql.add_erased(
                driver,
                club=number,
                key_hash=key_hash(key, erp_id),
                email_hash=key_hash(key, min(addresses)) if addresses else None,
                at=at,
            )
        sql.erase_memberships(driver, club=number, customers=customers)
        sql.erase_requests(driver, club=number, customers=customers)
        sql.erase_changes(driver, club=number, customers=customers, ids=ids)
        sql.erase_findings(driver, club=number, ids=ids)
        sql.erase_hold_members(driver, club=number, customers=customers)
        sql.erase_rejections(driver, club=number, customers=customers)
        sql.erase_undone(driver, club=number, customers=customers)
        sql.erase_rechecks(driver, club=number, ids=ids, emails=sorted(addresses))
        sql.erase_pairs(driver, club=number, ids=ids)
        similar_pairs.renew_findings(driver, number, run, sorted(others), at)
        sql.erase_customers(driver, club=number, customers=customers)
        sql.erase_records(driver, club=number, ids=ids)
        record_index.write(driver, number, known.filter(~pl.col("erp_id").is_in(ids)))
        sql.reset_content_hash(driver, club=number)
        for erp_id in sorted(others - set(ids)):
            sql.add_recheck(
                driver, club=number, erp_id=erp_id, email=None, why="a neighbour was erased"
            )
        for customer in customers:
            sql.add_change(
                driver,
                club=number,
                run=run,
                at=at,
                kind="erasure",
                customer=customer,
                erp_id=None,
                before=None,
                after=None,
                reason="on request",
                actor=name,
            )
        sql.erase_from_actions(driver, club=number, people=[*ids, *(f"#{c}" for c in customers)])
        sql.summarise_club(driver, club=number, customers=None, at=at)
        paths = [row["path"] for row in sql.snapshot_paths(driver, club=number)]
    resume.forget(store, club.id)
    files = sum(_clean(store, path, ids, customers) for path in paths)
    return {"club": club.id, "customers": len(customers), "records": len(ids), "files": files}


_FILES = ("customers", "conflicting", "changes", "values", "held")


def _clean(store: Store, path: str, ids: list[str], customers: list[int]) -> int:
    """Take a person's rows out of the stored files of one folder; how many files were rewritten."""
    written = 0
    names = [f"{name}.parquet" for name in _FILES if store.exists(path, f"{name}.parquet")]
    for name in [*names, *store.names(path, "findings-")]:
        frame = store.read(path, name)
        theirs = pl.col("erp_id").is_in(ids).fill_null(False)
        if "customer" in frame.columns:
            theirs = theirs | pl.col("customer").is_in(customers).fill_null(False)
        kept = frame.filter(~theirs)
        if kept.height != frame.height:
            store.write(path, name, kept)
            written += 1
    return written
