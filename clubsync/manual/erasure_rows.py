"""R20: delete a person's rows, and write the order that says what remains to be done. One transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any

import polars as pl

from clubsync.extract import identity
from clubsync.extract.erased import key_hash
from clubsync.frames import compacted
from clubsync.load import similar_pairs
from clubsync.manual.action import BY_HAND
from clubsync.model import WITHOUT_ID
from clubsync.store import record_index
from clubsync.store.database import Driver, fetch, queries
from clubsync.validate import affected

#: Names in JSON under which records are named by their ERP ids.
NAMING = frozenset({"conflicting_ids", "erp_id", "not_the_same_as", "others", "owner", "successor"})
_PEOPLE = {
    **dict.fromkeys(("erp_id", "email_norm", "phone", "first_name", "last_name"), pl.String()),
    "birth_date": pl.Date(),
    "gone": pl.Boolean(),
    "row_hash": pl.Int64(),
}


def delete(
    driver: Driver,
    club_no: int,
    customers: set[int],
    ids: set[str],
    email: str | None,
    at: datetime,
    by: str,
) -> int:
    """Delete a person's rows, and order the rest; the number of the order.

    :param driver: a transaction of the club, which holds its lock.
    :param customers, ids: of base customers and ERP records; those that the ERP has merged with them (R10) are theirs
        too.
    :param email: that the person was found by.
    """
    sql = queries()
    for row in sql.merged_records(driver, club=club_no, ids=sorted(ids)):
        ids.add(row["erp_id"])
        if row["customer"] is not None:
            customers.add(row["customer"])
    addresses = _addresses(driver, club_no, customers, ids, email)
    run = sql.start_run(driver, club=club_no, trigger=f"{BY_HAND}erasure", at=at)
    erasure = sql.add_erasure(
        driver,
        club=club_no,
        run=run,
        at=at,
        actor=by,
        customers=sorted(customers),
        ids=sorted(ids),
        records=len(ids),
    )
    _add_keys(driver, club_no, erasure, ids, addresses, at)
    known = record_index.read(driver, club_no)
    named = sql.records_naming(driver, club=club_no, ids=sorted(ids))
    others = {row["erp_id"] for row in named} - ids
    others |= set(affected.related_ids(driver, club_no, known, sorted(ids), sorted(addresses)))
    sql.erase_changes(driver, erasure=erasure)
    _delete_rows(driver, club_no, sorted(customers), sorted(ids), sorted(addresses))
    _delete_references(driver, club_no, ids, addresses)
    similar_pairs.renew_findings(driver, club_no, run, sorted(others), at)
    left = known.filter(~pl.col("erp_id").is_in(list(ids)))
    record_index.write(driver, club_no, compacted(left))
    for erp_id in sorted(others - ids):
        sql.add_recheck(
            driver, club=club_no, erp_id=erp_id, email=None, why="a related record was erased"
        )
    if customers:
        sql.enter_feed(driver, club=club_no, run=run)
    for customer in sorted(customers):
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
            actor=by,
        )
    # plans that were made before are of another revision now: no run under way loads one
    sql.reset_content_hash(driver, club=club_no)
    sql.forget_readings(driver, club=club_no)
    sql.add_erasure_parts(driver, club=club_no, erasure=erasure)
    sql.end_manual_run(
        driver, club=club_no, run=run, at=at, counts="{}", rows_written=2 * len(customers)
    )
    sql.summarise_club(driver, club=club_no, customers=None, at=at)
    return erasure


def _addresses(
    driver: Driver,
    club_no: int,
    customers: Collection[int],
    ids: Collection[str],
    email: str | None,
) -> set[str]:
    """The person's normalised emails."""
    sql = queries()
    records = sql.records_by_id(driver, club=club_no, ids=sorted(ids))
    rows = sql.customers_by_number(driver, club=club_no, customers=sorted(customers))
    found = [email, *(r["email_norm"] for r in records), *(r["email"] for r in rows)]
    return {address for address in found if address}


def _add_keys(
    driver: Driver,
    club_no: int,
    erasure: int,
    ids: Collection[str],
    addresses: Collection[str],
    at: datetime,
) -> None:
    """Write the keyed hashes that stay."""
    sql = queries()
    key = sql.club_state(driver, club=club_no)["hash_key"]

    def hashes(names: Iterable[str]) -> list[str]:
        return sorted({key_hash(key, name) for name in names})

    of_ids = hashes(ids)
    sql.add_erasure_keys(driver, club=club_no, erasure=erasure, kind="erp_id", key_hashes=of_ids)
    sql.add_erasure_keys(
        driver, club=club_no, erasure=erasure, kind="email", key_hashes=hashes(addresses)
    )
    made = hashes(_made_ids(driver, club_no, ids, key.bytes))
    sql.add_erased(
        driver, club=club_no, erasure=erasure, key_hashes=sorted({*of_ids, *made}), at=at
    )


def _made_ids(driver: Driver, club_no: int, ids: Collection[str], secret: bytes) -> Iterable[str]:
    """R1: of a source without ids, the ids that the person's rows would get by any of their keys."""
    made = [i for i in ids if i.startswith("~") and not i.startswith(WITHOUT_ID)]
    if not made:
        return []
    people = fetch(driver, queries().people_to_identify, _PEOPLE, club=club_no)
    theirs = people.filter(pl.col("erp_id").is_in(made))
    return [i for keys in identity.keys_of(theirs) for i in identity.ids_of(keys, secret)]


def _delete_rows(
    driver: Driver, club_no: int, customers: list[int], ids: list[str], addresses: list[str]
) -> None:
    sql = queries()
    sql.erase_memberships(driver, club=club_no, customers=customers)
    sql.erase_requests(driver, club=club_no, customers=customers)
    sql.erase_findings(driver, club=club_no, ids=ids)
    sql.erase_digest_items(driver, club=club_no, ids=ids)
    sql.erase_hold_members(driver, club=club_no, customers=customers, ids=ids)
    sql.erase_rejections(driver, club=club_no, customers=customers, ids=ids)
    sql.erase_identities(driver, club=club_no, customers=customers, ids=ids)
    sql.erase_undone(driver, club=club_no, customers=customers, ids=ids)
    sql.erase_rechecks(driver, club=club_no, ids=ids, emails=addresses)
    signs = [f"email:{address}" for address in addresses]
    signs += [f"{word}:{erp_id}" for word in ("guardian", "dependant") for erp_id in ids]
    sql.erase_suspicions(driver, club=club_no, ids=ids, signs=signs)
    sql.erase_moves(driver, club=club_no, ids=ids)
    sql.erase_chain_findings(driver, ids=ids)
    sql.erase_pairs(driver, club=club_no, ids=ids)
    sql.erase_customers(driver, club=club_no, customers=customers)
    sql.erase_records(driver, club=club_no, ids=ids)
    sql.erase_from_actions(driver, club=club_no, people=[*ids, *(f"#{c}" for c in customers)])


def _delete_references(
    driver: Driver, club_no: int, ids: Collection[str], addresses: Collection[str]
) -> None:
    """Take the person's ids out of what is said of others, and their email from who is their ward (R8)."""
    sql = queries()
    sql.erase_references(driver, club=club_no, ids=sorted(ids), emails=sorted(addresses))
    words = sorted({word for i in ids for word in (i, json.dumps(i)[1:-1])})
    theirs = ids.__contains__
    for found in list(sql.findings_naming(driver, club=club_no, words=words)):
        detail = without_people(found["detail"], theirs)
        if detail != found["detail"]:
            sql.write_finding_detail(
                driver, club=club_no, finding=found["finding"], detail=json.dumps(detail)
            )


def without_people(value: Any, theirs: Callable[[str], bool]) -> Any:
    """JSON values without the ERP ids that are an erased person's: left out of lists, null elsewhere.

    Only what names people is looked at (`NAMING`): groups have ids too. The same as sync.without_people.
    """
    if not isinstance(value, dict):
        return value
    return {
        name: _without(each, theirs) if name in NAMING else without_people(each, theirs)
        for name, each in value.items()
    }


def _without(value: Any, theirs: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [each for each in value if not (isinstance(each, str) and theirs(each))]
    return None if isinstance(value, str) and theirs(value) else value
