"""R20: erase a person from club base, ERP mirror, audit, findings, holds and stored snapshots.

A keyed hash of their ERP id stays, so that the next sync does not bring them back while the ERP still sends
that record. A new ERP id lifts the erasure, and so does adding the person by hand.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract import resume
from clubsync.extract.erased import key_hash
from clubsync.load import similar_pairs
from clubsync.manual.action import start_action
from clubsync.store import packages, record_index
from clubsync.store.database import Base, queries
from clubsync.store.packages import AFFECTED, PLAN
from clubsync.store.people import resolve_person
from clubsync.store.snapshots import Store
from clubsync.validate import affected


def erase(
    base: Base, store: Store, club: ClubConfig, who: str, *, by: str | None = None
) -> dict[str, Any]:
    """Erase a person from a club: everything with their customer ids, ERP ids or emails.

    :param who: an email (any spelling) or an ERP id.
    :raises ActionRejected: no customer or ERP record of the club matches.
    """
    sql = queries()
    with start_action(base, club, "erasure", by) as action:
        email, found = resolve_person(action.driver, action.club_no, who)
        club_no, run, at, author = action.club_no, action.run, action.at, action.by
    if not found:
        raise ActionRejected(
            f"No customer or ERP record of {club.name} matches that email or id.",
            remedy="Check the spelling of the email, or the ERP id.",
        )
    with base.transaction() as driver:
        sql.lock_club(driver, club=club_no)
        customers = sorted({f["customer"] for f in found if f["customer"] is not None})
        ids = sorted({f["erp_id"] for f in found if f["erp_id"] is not None})
        known_emails = [
            email,
            *(row["email_norm"] for row in sql.records_by_id(driver, club=club_no, ids=ids)),
            *(
                row["email"]
                for row in sql.customers_by_number(driver, club=club_no, customers=customers)
            ),
        ]
        addresses = {address for address in known_emails if address}
        key = sql.club_state(driver, club=club_no)["hash_key"]
        others = {r["erp_id"] for r in sql.records_naming(driver, club=club_no, ids=ids)}
        known = record_index.read(driver, club_no)
        others |= set(affected.related_ids(driver, club_no, known, ids, sorted(addresses)))
        for erp_id in ids:
            sql.add_erased(
                driver,
                club=club_no,
                key_hash=key_hash(key, erp_id),
                email_hash=key_hash(key, min(addresses)) if addresses else None,
                at=at,
            )
        sql.erase_memberships(driver, club=club_no, customers=customers)
        sql.erase_requests(driver, club=club_no, customers=customers)
        sql.erase_changes(driver, club=club_no, customers=customers, ids=ids)
        sql.erase_findings(driver, club=club_no, ids=ids)
        sql.erase_hold_members(driver, club=club_no, customers=customers)
        sql.erase_rejections(driver, club=club_no, customers=customers)
        sql.erase_identities(driver, club=club_no, customers=customers)
        sql.erase_undone(driver, club=club_no, customers=customers)
        sql.erase_rechecks(driver, club=club_no, ids=ids, emails=sorted(addresses))
        signs = [f"email:{address}" for address in sorted(addresses)]
        sql.erase_suspicions(driver, club=club_no, ids=ids, signs=signs)
        sql.erase_pairs(driver, club=club_no, ids=ids)
        similar_pairs.renew_findings(driver, club_no, run, sorted(others), at)
        sql.erase_customers(driver, club=club_no, customers=customers)
        sql.erase_records(driver, club=club_no, ids=ids)
        record_index.write(driver, club_no, known.filter(~pl.col("erp_id").is_in(ids)))
        sql.reset_content_hash(driver, club=club_no)
        for erp_id in sorted(others - set(ids)):
            sql.add_recheck(
                driver, club=club_no, erp_id=erp_id, email=None, why="a related record was erased"
            )
        for customer in customers:
            sql.add_change(
                driver,
                club=club_no,
                run=run,
                at=at,
                kind="erasure",
                customer=customer,
                erp_id=None,
                before=None,
                after=None,
                reason="on request",
                actor=author,
            )
        sql.erase_from_actions(driver, club=club_no, people=[*ids, *(f"#{c}" for c in customers)])
        sql.summarise_club(driver, club=club_no, customers=None, at=at)
        paths = [row["path"] for row in sql.snapshot_paths(driver, club=club_no)]
    resume.forget(store, club.id)
    # a run that is in progress, or was killed, has no row that names its folder
    paths += [f"{club.id}/runs/{run}" for run in store.names(f"{club.id}/runs", "")]
    files = sum(_remove_rows(store, path, ids, customers) for path in dict.fromkeys(paths))
    return {"club": club.id, "customers": len(customers), "records": len(ids), "files": files}


_FILES = ("customers.parquet", "conflicting.parquet")


def _remove_rows(store: Store, path: str, ids: list[str], customers: list[int]) -> int:
    """Remove a person's rows from the stored files of one folder.

    :returns: how many files were rewritten.
    """

    def kept(frame: pl.DataFrame) -> pl.DataFrame:
        theirs = pl.lit(False)
        if "erp_id" in frame.columns:
            theirs = theirs | pl.col("erp_id").is_in(ids).fill_null(False)
        if "customer" in frame.columns:
            theirs = theirs | pl.col("customer").is_in(customers).fill_null(False)
        return frame.filter(~theirs)

    written = 0
    for name in (name for name in _FILES if store.exists(path, name)):
        frame = store.read(path, name)
        rest = kept(frame)
        if rest.height != frame.height:
            store.write(path, name, rest)
            written += 1
    for name in (name for name in (AFFECTED, PLAN) if store.exists(path, name)):
        written += packages.filter_rows(store, path, name, kept)
    return written
