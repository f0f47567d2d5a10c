"""What a club's record index learns from a plan once it is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from clubsync.frames import attach
from clubsync.model import Plan
from clubsync.store import record_index
from clubsync.store.record_index import VECTOR
from clubsync.validate.affected import Scope


def vector_patch(scope: Scope, plan: Plan) -> pl.DataFrame:
    """What the club's vector has to learn from the plan once it is loaded (`vector.patched`).

    Who waits keeps the old row, so that the next snapshot looks again; who is new and waits stays out of it.
    """
    snapshot, old, judged = scope.snapshot, scope.vector, plan.due["erp_id"]
    mark: dict[str, Any] = {"seen_as_of": None, "seen_snapshot": None}
    if snapshot.certified:
        marked = old.filter(pl.col("seen_as_of").is_not_null())["erp_id"]
        news = pl.col("row_hash").ne_missing(pl.col("was")) | pl.col("erp_id").is_in(
            pl.concat([judged, marked]).implode()
        )
        shown = scope.shown.filter(news)
    else:
        shown = scope.shown
        mark = {"seen_as_of": snapshot.as_of, "seen_snapshot": snapshot.number}
    if plan.waits.len():
        shown = shown.filter(~pl.col("erp_id").is_in(plan.waits.implode()))
    rows = _emails(_due(shown.select("erp_id", "row_hash", "next_date"), plan.due), old, plan)
    rows = rows.with_columns(
        pl.lit(value, dtype=VECTOR[name]).alias(name) for name, value in mark.items()
    )
    gone = scope.absent.clear()
    if snapshot.certified:
        stay = pl.concat([scope.newer["erp_id"], plan.waits, _ids(snapshot.conflicting_ids)])
        gone = scope.absent.filter(~scope.absent.is_in(stay.implode()))
    return pl.concat([rows, gone.to_frame("erp_id")], how="diagonal").select(VECTOR.names())


def _ids(ids: Iterable[str]) -> pl.Series:
    return pl.Series("erp_id", list(ids), dtype=pl.String)


def _due(shown: pl.DataFrame, due: pl.DataFrame) -> pl.DataFrame:
    """The next dates of those just judged; the others keep theirs."""
    if due["erp_id"].equals(shown["erp_id"]):
        return shown.with_columns(due["next_date"])
    judged = shown["erp_id"].is_in(due["erp_id"].implode())
    again = attach(shown.filter(judged).drop("next_date"), due, "erp_id")
    return pl.concat([shown.filter(~judged), again])


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
