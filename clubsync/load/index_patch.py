"""What a club's record index learns from a plan once it is loaded."""

from __future__ import annotations

from typing import Any

import polars as pl

from clubsync.frames import attach
from clubsync.model import Basis, Plan
from clubsync.store import record_index
from clubsync.store.record_index import RECORD_INDEX


def index_patch(basis: Basis, plan: Plan) -> pl.DataFrame:
    """What the club's record index learns from the plan (`record_index.patched`).

    A deferred record keeps its old row, so that the next snapshot evaluates it again; one that is new and
    deferred stays out.
    """
    snapshot, evaluated, shown = basis.snapshot, plan.next_dates["erp_id"], basis.shown
    mark: dict[str, Any] = {"seen_as_of": None, "seen_snapshot": None}
    if snapshot.certified:
        shown = shown.filter(
            pl.col("row_hash").ne_missing(pl.col("was"))
            | pl.col("marked")
            | pl.col("erp_id").is_in(evaluated.implode())
        )
    else:
        mark = {"seen_as_of": snapshot.as_of, "seen_snapshot": snapshot.number}
    if plan.deferred.len():
        shown = shown.filter(~pl.col("erp_id").is_in(plan.deferred.implode()))
    rows = _email_keys(
        _next_dates(shown.select("erp_id", "row_hash", "next_date", "email_key"), plan.next_dates),
        plan,
    )
    rows = rows.with_columns(
        pl.lit(value, dtype=RECORD_INDEX[name]).alias(name) for name, value in mark.items()
    )
    gone = basis.absent.clear()
    if snapshot.certified:
        conflicting = pl.Series("erp_id", basis.conflicting_ids, dtype=pl.String)
        stay = pl.concat([basis.newer, plan.deferred, conflicting])
        gone = basis.absent.filter(~basis.absent.is_in(stay.implode()))
    return pl.concat([rows, gone.to_frame("erp_id")], how="diagonal").select(RECORD_INDEX.names())


def _next_dates(shown: pl.DataFrame, evaluated: pl.DataFrame) -> pl.DataFrame:
    """The next dates of the records just evaluated; the others keep theirs."""
    if evaluated["erp_id"].equals(shown["erp_id"]):
        return shown.with_columns(evaluated["next_date"])
    again = shown["erp_id"].is_in(evaluated["erp_id"].implode())
    renewed = attach(shown.filter(again).drop("next_date"), evaluated, "erp_id")
    return pl.concat([shown.filter(~again), renewed.select(shown.columns)])


def _email_keys(rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The keys of the mirror's emails: of what the plan writes there, else as they were."""
    written = plan.records.select(
        "erp_id", written=record_index.email_keys(plan.records["email_norm"])
    )
    if written["erp_id"].equals(rows["erp_id"]):
        return rows.with_columns(written["written"].alias("email_key"))
    renewed = pl.col("erp_id").is_in(written["erp_id"].implode())
    return (
        attach(rows, written, "erp_id")
        .with_columns(email_key=pl.when(renewed).then("written").otherwise("email_key"))
        .drop("written")
    )
