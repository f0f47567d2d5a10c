"""R29: one reading of a tenant that several clubs share: what each club has of it, and what is nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clubsync import clock
from clubsync.chains import Chain
from clubsync.extract import endings
from clubsync.extract.erased import Erased
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.chains import Split

if TYPE_CHECKING:
    from connectors.sdk.model import Reading


def compared(base: Base, clubs: Sequence[tuple[str, int]], reading: Reading) -> Reading:
    """R14: a tenant's file with what its end says of it, beside that of the last complete reading.

    People may be missing from its end who are of many clubs, few of each: it is compared as a whole.

    :param clubs: ids and numbers of the clubs that are read; the first of which a reading is known has the last one.
    """
    file = reading.file
    if file is None:
        return reading
    before, confirmed, club = None, False, clubs[0][0]
    for named, club_no in clubs:
        club = named
        with base.club(club_no) as driver:
            before = queries().last_certified_file(driver, club=club_no)
            confirmed = queries().club_state(driver, club=club_no)["confirmed_same_club"]
        if before is not None:
            break
    last, rows = endings.last_of(reading), reading.customers.height
    reading = endings.compared(
        reading,
        before if before and before.get("rows") else None,
        club=club,
        customers=(before or {}).get("rows") or 0,
        limit=lambda: rows,
        confirmed=confirmed,
    )
    assert reading.file is not None
    return replace(reading, file=replace(reading.file, last=last, rows=rows))


def share(found: Split, club: str, known: Sequence[str]) -> Reading:
    """What a club has of the reading: its own records, and those it knows that are not its own any more.

    :param known: the erp_ids that it knows.
    """
    reading = found.own[club]
    without_ids = reading.customers["erp_id"].null_count() == reading.customers.height
    if reading.paged:
        # of a contradiction nobody knows whose it is: those are told who know the id
        there = set(known)
        reading = replace(
            reading, conflicting_ids=tuple(i for i in reading.conflicting_ids if i in there)
        )
    by_key = reading.file is not None and (
        without_ids if reading.customers.height else any(i.startswith("~") for i in known)
    )
    return replace(reading, others=found.others(club, None if by_key else known))


def note(base: Base, chain: Chain, reading: Reading, found: Split) -> None:
    """CLUB_UNKNOWN: keep which records name no club of the chain, but those that their plain status keeps out (R22).

    What a reading that is not complete lacks stays open (R14).
    """
    sql, at = queries(), clock.now()
    statuses = {status for club in chain.clubs for status in club.access_statuses}
    unknown = found.unknown.filter(pl.col("status").is_in([*statuses, "unknown"])).select(
        erp_id=pl.col("erp_id").fill_null(""), word=pl.col("word").fill_null("").str.slice(0, 80)
    )
    unknown = unknown.filter(~_erased(base, chain, unknown["erp_id"]))
    told = unknown.group_by("erp_id", "word").len("records").sort("erp_id", "word")
    certified = next(iter(found.own.values())).certificate.complete
    listed = {
        "ids": told["erp_id"].to_list(),
        "words": told["word"].to_list(),
    }
    with base.transaction() as driver:
        sql.chain_read(
            driver, chain=chain.key, name=chain.name, erp=_erp(chain), at=at, certified=certified
        )
        if certified and reading.since is None:
            sql.close_chain_findings(driver, chain=chain.key, **listed, at=at)
        sql.open_chain_findings(
            driver, chain=chain.key, **listed, records=told["records"].to_list(), at=at
        )


def _erased(base: Base, chain: Chain, erp_ids: pl.Series) -> pl.Series:
    """R20: which of these records are of people who were erased from a club of the chain."""
    theirs = pl.repeat(False, erp_ids.len(), dtype=pl.Boolean, eager=True)
    if erp_ids.is_empty():
        return theirs
    with base.transaction() as driver:
        numbers = [queries().find_club(driver, club_id=club) for club in chain.ids]
    for number in numbers:
        if number is not None:
            with base.club(number) as driver:
                theirs |= pl.Series(Erased.read(driver, number).names(erp_ids), dtype=pl.Boolean)
    return theirs


def _erp(chain: Chain) -> str:
    return chain.clubs[0].erp


def keep_moves(
    driver: Driver, club: int, reading: Reading, as_of: datetime, numbers: dict[str, int]
) -> None:
    """Keep which customers of a club another club of the chain is to take over, and forget those who are back.

    :param driver: inside a transaction of this club.
    :param reading: as it is stored.
    :param numbers: club id -> its number, of the clubs that are named.
    """
    others = reading.others
    if others is None:
        return
    shown, away = set(reading.customers["erp_id"]), set(others["erp_id"])
    under_way = [row["erp_id"] for row in queries().moves_from(driver, club=club)]
    if back := [erp_id for erp_id in under_way if erp_id in shown and erp_id not in away]:
        queries().erase_moves(driver, club=club, ids=back)
    pairs = [
        (erp_id, numbers[target])
        for erp_id, targets in others.select("erp_id", "targets").iter_rows()
        if erp_id in shown
        for target in targets
    ]
    ids, targets = [erp_id for erp_id, _ in pairs], [target for _, target in pairs]
    if reading.certificate.complete and reading.since is None:
        queries().drop_moves(driver, club=club, ids=ids, targets=targets)
    if pairs:
        by_id = not any(erp_id.startswith("~") for erp_id, _ in pairs)
        queries().add_moves(driver, club=club, ids=ids, targets=targets, as_of=as_of, by_id=by_id)
