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
    digest, why = guard.list_hash(held["customer"]), guard.causes(held)
    as_json = json.dumps(why)
    before: set[int] = set()
    if hold is None:
        number = sql.add_hold(
            driver, club=club, run=run, at=at, list_hash=digest, causes=as_json, limit_was=limit
        )
        version, changed = 1, True
    else:
        number, version = hold["hold"], hold["version"]
        before = {m["customer"] for m in sql.current_members(driver, club=club, hold=number)}
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
    gone = before - set(held["customer"])
    if gone:
        sql.remove_hold_members(
            driver, club=club, hold=number, customers=list(gone), version=version
        )
    for row in held.with_columns(pl.col("row_hash").reinterpret(signed=True)).iter_rows(named=True):
        if row["customer"] not in before:
            sql.add_hold_member(driver, club=club, hold=number, version=version, **row)
    return {"hold": number, "deactivations": held.height, "causes": why}
