"""The findings of a plan: the suites' own, and those that only the base can tell (R22)."""

from __future__ import annotations

import polars as pl

from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import FINDINGS, NO, UNKNOWN, YES, Situation

_NOTHING = pl.lit("{}")


def findings(
    evaluated: pl.DataFrame,
    of_suites: pl.DataFrame,
    outcome: pl.DataFrame,
    marks: Marks = ONE_CLUB,
) -> pl.DataFrame:
    """All that should be open on these records: `FINDINGS`.

    :param evaluated: the records that this plan may speak of: erp_id, access, claim, wins, winner, undone,
        situation, row_hash, email_norm, c_in, blocker, c_awaits_email_of.
    :param of_suites: `FINDINGS` of the suites, of these records and of others.
    :param outcome: see `clubsync.diff.outcome.outcomes`.
    """
    known = _of(of_suites, evaluated)
    attached = outcome.lazy().filter(pl.col("erp_id").is_not_null() & pl.col("into").is_null())
    off = attached.filter("detached").select("erp_id").collect()
    detached = evaluated.filter(
        (pl.col("access") != NO) & pl.col("erp_id").is_in(off["erp_id"].implode())
    )
    reused = evaluated.filter(pl.col("situation") == Situation.ID_REUSED)
    return pl.concat(
        [
            known.select(FINDINGS.names()),
            _duplicates(evaluated, marks).join(known, on=["erp_id", "code"], how="anti"),
            _told(detached, "DETACHED", "warning"),
            _told(reused, "ID_REUSED", "error", _shown_hash()),
            _told(evaluated.filter("undone"), "UNDONE", "warning"),
            _told(_waiting(evaluated), "UNDONE", "warning", _email_holder()),
            _told(_of(_mismatched(attached), evaluated), "EMAIL_MISMATCH_APP", "warning"),
        ]
    )


def _shown_hash() -> pl.Expr:
    """What a decision about the record's new values names them by (R1): their row hash, signed, as text."""
    signed = pl.col("row_hash").reinterpret(signed=True).cast(pl.String)
    return pl.struct(row_hash=signed).struct.json_encode()


def _waiting(evaluated: pl.DataFrame) -> pl.DataFrame:
    """R18: whose undo waits for an email that another customer has."""
    return evaluated.filter(pl.col("c_awaits_email_of").is_not_null() & ~pl.col("undone"))


def _email_holder() -> pl.Expr:
    """Who that is: the base customer's number, no value of theirs."""
    parts = [pl.lit("waits").alias("about"), pl.col("c_awaits_email_of").alias("holder")]
    return pl.struct(parts).struct.json_encode()


def _told(rows: pl.DataFrame, code: str, severity: str, detail: pl.Expr = _NOTHING) -> pl.DataFrame:
    if rows.is_empty():
        return FINDINGS.to_frame()
    return rows.select("erp_id", code=pl.lit(code), severity=pl.lit(severity), detail=detail).cast(
        FINDINGS
    )


def _duplicates(evaluated: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    """R7, R15: EMAIL_DUPLICATE where the holder itself is in doubt, held, or otherwise stays as it is, so that the
    suites saw no cluster; on both records."""
    access, email = pl.col("access"), pl.col("email_norm")
    inside = (access == YES) | ((access == UNKNOWN) & pl.col("c_in").fill_null(False))
    # who wants the email of somebody who stays as they are keeps their own, which their claim is then
    wants = pl.col("blocker").is_not_null() | ((access == YES) & ~pl.col("wins"))
    lost = (
        evaluated.filter(inside & wants)
        .with_columns(
            claim=pl.when(pl.col("blocker").is_not_null()).then(email).otherwise("claim"),
            winner=pl.coalesce("blocker", "winner"),
        )
        .drop_nulls("winner")
    )
    if lost.is_empty():
        return FINDINGS.to_frame()
    keepers = (
        evaluated.filter(pl.col("wins") & pl.col("claim").is_in(lost["claim"].implode()))
        .join(lost.select("claim", loser="erp_id"), on="claim", how="inner")
        .unique("erp_id", keep="first", maintain_order=True)
    )

    def told(rows: pl.DataFrame, other: str) -> pl.DataFrame:
        others = pl.struct(others=pl.concat_list(marks.bare(pl.col(other)))).struct.json_encode()
        return _told(rows, "EMAIL_DUPLICATE", "error", others)

    return pl.concat([told(lost, "winner"), told(keepers, "loser")])


def _mismatched(attached: pl.LazyFrame) -> pl.DataFrame:
    """Customers with access whose linked app account has another email: erp_id."""
    return (
        attached.filter(
            pl.col("in_customers_group")
            & pl.col("linked_user").is_not_null()
            & pl.col("user_email").ne_missing(pl.col("email"))
        )
        .select("erp_id")
        .collect()
    )


def _of(few: pl.DataFrame, evaluated: pl.DataFrame) -> pl.DataFrame:
    """Those of few rows whose record is among many; a table of the many would be the largest thing here."""
    theirs = evaluated["erp_id"].filter(evaluated["erp_id"].is_in(few["erp_id"].implode()))
    return few.filter(pl.col("erp_id").is_in(theirs.implode()))
