"""What a club's record index learns from a plan once it is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from clubsync.frames import attach
from clubsync.model import Plan
from clubsync.store import record_index
from clubsync.store.record_index import RECORD_INDEX
from clubsync.validate.affected import Affected


def index_patch(affected: Affected, plan: Plan) -> pl.DataFrame:
    """What the club's record index has to learn from the plan once it is loaded (`record_index.patched`).

    Who waits keeps the old row, so that the next snapshot looks again; who is new and waits stays out of it.
    """
    snapshot, old, evaluated = affected.snapshot, affected.record_index, plan.next_dates["erp_id"]
    mark: dict[str, Any] = {"seen_as_of": None, "seen_snapshot": None}
    if snapshot.certified:
        marked = old.filter(pl.col("seen_as_of").is_not_null())["erp_id"]
        news = pl.col("row_hash").ne_missing(pl.col("was")) | pl.col("erp_id").is_in(
            pl.concat([evaluated, marked]).implode()
        )
        shown = affected.shown.filter(news)
    else:
        shown = affected.shown
        mark = {"seen_as_of": snapshot.as_of, "seen_snapshot": snapshot.number}
    if plan.deferred.len():
        shown = shown.filter(~pl.col("erp_id").is_in(plan.deferred.implode()))
    rows = _emails(
        _due(shown.select("erp_id", "row_hash", "next_date"), plan.next_dates), old, plan
    )
    rows = rows.with_columns(
        pl.lit(value, dtype=RECORD_INDEX[name]).alias(name) for name, value in mark.items()
    )
    gone = affected.absent.clear()
    if snapshot.certified:
        stay = pl.concat([affected.newer["erp_id"], plan.deferred, _ids(snapshot.conflicting_ids)])
        gone = affected.absent.filter(~affected.absent.is_in(stay.implode()))
    return pl.concat([rows, gone.to_frame("erp_id")], how="diagonal").select(RECORD_INDEX.names())


def _ids(ids: Iterable[str]) -> pl.Series:
    return pl.Series("erp_id", list(ids), dtype=pl.String)


def _due(shown: pl.DataFrame, due: pl.DataFrame) -> pl.DataFrame:
    """The next dates of those just evaluated; the others keep theirs."""
    if due["erp_id"].equals(shown["erp_id"]):
        return shown.with_columns(due["next_date"])
    evaluated = shown["erp_id"].is_in(due["erp_id"].implode())
    again = attach(shown.filter(evaluated).drop("next_date"), due, "erp_id")
    return pl.concat([shown.filter(~evaluated), again])


def _emails(rows: pl.DataFrame, old: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The keys of the mirror's emails: of what the plan writes there, else as they were."""
    written = plan.records.select(
        "erp_id", written=record_index.email_keys(plan.records["email_norm"])
    )
    if written["erp_id"].equals(rows["erp_id"]):
        return rows.with_columns(written["written"].alias("email_key"))
    was = old.select("erp_id", "email_key").filter(pl.col("erp_id").is_in(rows["erp_id"].implode()))
    rows = attach(attach(rows, was, "erp_id"), written, "erp_id")
    anew = pl.col("erp_id").is_in(written["erp_id"].implode())
    return rows.with_columns(email_key=pl.when(anew).then("written").otherwise("email_key")).drop(
        "written"
    )
