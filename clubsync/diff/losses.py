"""R15: who would lose access by a plan, whatever the change is called; and the merges that wait with them."""

from __future__ import annotations

import polars as pl

from clubsync.model import LOSSES


def access_losses(outcome: pl.DataFrame, ended: pl.DataFrame) -> pl.DataFrame:
    """Whom the plan takes access from, and whom it merges by an email: `LOSSES`, by customer.

    A merge takes no access from one whose email lives on in a survivor that has access. Of somebody without a record
    the erp_id is that of the record whose customer absorbs them.

    :param outcome: see `clubsync.diff.outcome.outcomes`.
    :param ended: `merges.ENDED`.
    """
    leaves = pl.col("b_in_customers_group") & ~pl.col("in_customers_group")
    merged = (pl.col("how") == "merge").fill_null(False)
    by_email = pl.col("customer").is_in(ended.filter(~pl.col("stated"))["customer"].implode())
    rows = outcome.filter(leaves | (merged & by_email))
    survivors = outcome.filter(
        pl.col("into").is_null() & pl.col("erp_id").is_in(rows["into"].drop_nulls().implode())
    ).select(into="erp_id", s_email="email", s_in="in_customers_group")
    lives_on = (pl.col("s_in") & (pl.col("s_email") == pl.col("b_email"))).fill_null(False)
    return (
        rows.join(survivors, on="into", how="left", maintain_order="left")
        .with_columns(by_email=merged & by_email, loses=leaves & ~lives_on)
        .filter(pl.col("loses") | pl.col("by_email"))
        .select(
            "customer",
            erp_id=pl.coalesce("b_erp_id", "erp_id", "into"),
            kind=pl.when(merged).then(pl.lit("merge")).otherwise(pl.lit("deactivation")),
            reason=pl.when(pl.col("by_email") | (merged & pl.col("b_erp_id").is_null()))
            .then(pl.lit("merged"))
            .when(merged)
            .then(pl.lit("replaced"))
            .otherwise("reason"),
            loses="loses",
        )
        .cast(LOSSES)
        .sort("customer")
    )
