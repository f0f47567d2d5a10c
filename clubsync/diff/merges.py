"""R10: records that have ended in another record, stated by the ERP or found through their email."""

from __future__ import annotations

import polars as pl

from clubsync.diff import witness
from clubsync.model import SEEN, VANISHED

#: A record whose base customer goes to the record it has ended in; `stated` by the ERP, or through the email.
ENDED = pl.Schema(
    {"erp_id": pl.String, "customer": pl.Int64, "survivor": pl.String, "stated": pl.Boolean}
)

GUARDIANS = ("guardian_id", "m_guardian_id")


def ward_of(owner: str) -> pl.Expr:
    """Whether the record is, or was until now, recorded as a dependant of that one (R8).

    :param owner: the column with the other's erp_id.
    """
    return pl.any_horizontal([(pl.col(g) == pl.col(owner)).fill_null(False) for g in GUARDIANS])


def _movable() -> pl.Expr:
    """Whether the record's customer may go elsewhere: one merged into another before already stays there,
    though the ERP still lists the old record."""
    return (
        pl.col("c_customer").is_not_null()
        & ~pl.col("frozen")
        & pl.col("c_reason").ne_missing("merged")
    )


def stated(records: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """Records that the ERP says have ended in another: `ENDED`."""
    ended = pl.col("successor").is_not_null() & pl.lit(certified)
    return (
        records.lazy()
        .filter(ended & _movable())
        .select("erp_id", customer="c_customer", survivor="successor", stated=pl.lit(True))
        .collect()
    )


def waiting(ended: pl.DataFrame, records: pl.DataFrame) -> pl.Series:
    """erp_ids of records whose customer would move to one that has none and is deferred itself: they wait with it,
    or the customer would stand for a record that was never taken over.

    :param ended: `ENDED`, the stated ones.
    :param records: with their claims resolved.
    """
    deferred = records.filter(pl.col("deferred") & pl.col("c_customer").is_null())["erp_id"]
    return ended.filter(pl.col("survivor").is_in(deferred.implode()))["erp_id"]


def by_email(records: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """Records that vanished while their email lives on under another id of the same certified snapshot: `ENDED`.

    Never under one of their own dependants (R8), also where the ERP forgot the tie with the guardian; nor under
    a record that by its own witness is another person's (R1).

    :param records: with their claims resolved.
    """
    vanished = (pl.col("presence") == VANISHED) & pl.col("successor").is_null() & pl.lit(certified)
    gone = (
        records.lazy()
        .filter(vanished & _movable())
        .select("erp_id", "c_customer", "m_email_norm", *witness.WITNESS)
        .collect()
    )
    if gone.is_empty():
        return ENDED.to_frame()
    living = (
        records.lazy()
        .filter(
            pl.col("wins")
            & (pl.col("presence") == SEEN)
            & (pl.col("claim") == pl.col("email_norm"))
        )
        .select("claim", *GUARDIANS, survivor="erp_id", **{f"o_{n}": n for n in witness.WITNESS})
    )
    found = (
        gone.lazy()
        .join(living, left_on="m_email_norm", right_on="claim", how="inner")
        .filter(~ward_of("erp_id"))
        .collect()
    )
    return found.filter(~witness.two_people(found)).select(
        "erp_id", customer="c_customer", survivor="survivor", stated=pl.lit(False)
    )


def ranked(ended: pl.DataFrame, records: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """In the order in which they come to their survivor; `first` marks the one customer that moves to it.

    Of several that end in one record without a base customer one moves: stated before found by email,
    then with access, then linked, then the oldest.

    :param ended: `ENDED`.
    :returns: `ENDED`, and `email`, `in_customers_group`, `linked_user` of the customer, and `first`.
    """
    people = base.select("customer", "email", "in_customers_group", "linked_user")
    if ended.is_empty():
        return ended.hstack(people.drop("customer").clear()).with_columns(first=pl.lit(False))
    own = records.filter(pl.col("c_customer").is_not_null()).select(
        survivor="erp_id", own="c_customer"
    )
    return (
        ended.join(own, on="survivor", how="left")
        .join(people, on="customer", how="left")
        .sort(
            pl.col("stated"),
            pl.col("in_customers_group"),
            pl.col("linked_user").is_not_null(),
            -pl.col("customer"),
            descending=True,
        )
        .with_columns(first=pl.col("survivor").is_first_distinct() & pl.col("own").is_null())
        .drop("own")
    )


def targets(ended: pl.DataFrame, records: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Records that a base customer comes to by a stated merge, known before emails are resolved.

    :param ended: `ENDED`, the stated ones.
    :returns: erp_id, and the customer as `t_customer`, `t_email`, `t_in`.
    """
    return (
        ranked(ended, records, base)
        .filter("first")
        .select(
            t_customer="customer", t_email="email", t_in="in_customers_group", erp_id="survivor"
        )
    )
