"""The mirror rows that a plan writes: what the ERP last said of each record, and what came of it."""

from __future__ import annotations

import polars as pl

from clubsync.model import FIELDS, NO, SEEN, VANISHED, YES, Situation

_WRITTEN = (
    "erp_id",
    "presence",
    "email",
    "email_norm",
    *FIELDS,
    "birth_date",
    "status",
    "status_raw",
    "groups",
    "remembered",
    "valid_from",
    "valid_until",
    "guardian_id",
    "replaced_by",
    "created_at",
    "is_company",
    "placeholder",
    "unreadable",
    "row_hash",
    "access",
    "lapsed",
    "former",
)


def changed_records(
    records: pl.DataFrame, outcome: pl.DataFrame, *, certified: bool
) -> pl.DataFrame:
    """The rows that changed in content, access or memory, and those that vanished.

    `lapsed` (R12): not eligible by its own doing, or gone, in a certified snapshot, and not activated since.

    :param records: with their situation.
    :param outcome: see `clubsync.diff.outcome.outcomes`.
    :returns: `_WRITTEN`, and `known`: the mirror has the record already.
    """
    detached = outcome.filter("detached")["erp_id"].drop_nulls()
    lapsed = (
        pl.when(pl.lit(not certified) | ~pl.col("presence").is_in([SEEN, VANISHED]))
        .then("m_lapsed")
        .when(pl.col("own_access") == NO)
        .then(True)
        .when((pl.col("own_access") == YES) & ~pl.col("erp_id").is_in(detached.implode()))
        .then(False)
        .otherwise("m_lapsed")
        .fill_null(False)
    )
    changed = (
        ~pl.col("m_known").fill_null(False)
        | pl.col("m_gone").fill_null(False)
        | pl.col("m_row_hash").ne_missing(pl.col("row_hash"))
        | pl.col("m_access").ne_missing(pl.col("access"))
        | pl.col("m_lapsed").ne_missing(pl.col("lapsed"))
        | pl.col("m_former").ne_missing(pl.col("former"))
        | pl.col("m_remembered").ne_missing(pl.col("remembered"))
    )
    deferred = pl.col("situation").is_in(
        [Situation.SUSPECTED, Situation.UNSETTLED, Situation.ID_REUSED]
    )
    seen = (pl.col("presence") == SEEN) & ~deferred & changed
    return (
        records.lazy()
        .with_columns(lapsed=lapsed)
        .filter(seen | ((pl.col("presence") == VANISHED) & ~pl.col("m_gone").fill_null(False)))
        .select(*_WRITTEN, known=pl.col("m_known").fill_null(False))
        .collect()
    )
