"""Keep a club's open hold in step with what the guard holds (R15)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl

from clubsync.diff import guard
from clubsync.store.database import (
    Driver,
    queries,
)

#: A customer on the list, the kind of change that would come, and whether it takes access: who becomes another
#: of these has left the list and joined it again.
_Member = tuple[int, str, bool]


def update_hold(
    driver: Driver, club: int, run: int, held: pl.DataFrame, at: datetime, limit: int
) -> dict[str, Any] | None:
    """Open a hold, let people join and leave the open one, close it when it is empty (R15).

    :returns: the open hold as `sync --json` shows it, or None.
    """
    sql = queries()
    hold = sql.open_hold(driver, club=club)
    if held.is_empty():
        if hold is not None:
            members = [
                m["customer"] for m in sql.current_members(driver, club=club, hold=hold["hold"])
            ]
            version = hold["version"] + 1
            sql.remove_hold_members(
                driver, club=club, hold=hold["hold"], customers=members, version=version
            )
            sql.close_empty_hold(driver, club=club, hold=hold["hold"], at=at)
        return None
    merges = dict(held.filter(pl.col("kind") == "merge").select("customer", "loses").iter_rows())
    digest = guard.list_hash(held["customer"], merges)
    why = guard.causes(held, sql.customers_in_group(driver, club=club))
    as_json = json.dumps(why)
    before: set[_Member] = set()
    if hold is None:
        number = sql.add_hold(
            driver, club=club, run=run, at=at, list_hash=digest, causes=as_json, limit_was=limit
        )
        version, changed = 1, True
    else:
        number, version = hold["hold"], hold["version"]
        listed = sql.current_members(driver, club=club, hold=number)
        before = {(m["customer"], m["kind"], m["loses"]) for m in listed}
        changed = bool(
            sql.update_hold_list(driver, club=club, hold=number, list_hash=digest, causes=as_json)
        )
        version += changed
    if changed:
        sql.add_hold_version(
            driver,
            club=club,
            hold=number,
            version=version,
            list_hash=digest,
            size=held.height,
            at=at,
        )
    now: set[_Member] = set(held.select("customer", "kind", "loses").iter_rows())
    if gone := [customer for customer, *_ in before - now]:
        sql.remove_hold_members(driver, club=club, hold=number, customers=gone, version=version)
    for row in held.with_columns(pl.col("row_hash").reinterpret(signed=True)).iter_rows(named=True):
        if (row["customer"], row["kind"], row["loses"]) not in before:
            sql.add_hold_member(driver, club=club, hold=number, version=version, **row)
    return {"hold": number, "deactivations": int(held["loses"].sum()), "causes": why}
