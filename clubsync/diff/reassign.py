"""Which base customer belongs to which ERP record from now on (R1, R8, R10).

A base customer keeps its id for ever; what moves is the ERP record it stands for.
"""

from __future__ import annotations

import polars as pl

from clubsync.diff.email_claims import CLAIMS, DOUBTFUL
from clubsync.frames import attach
from clubsync.model import GONE, NO, SEEN, UNKNOWN, VANISHED, YES

#: A move: base customer -> the record it stands for from now on, and why.
MOVES = pl.Schema({"customer": pl.Int64, "to": pl.String, "how": pl.String})
#: Base customers that end as `merged` into another: whose link the survivor inherits.
ABSORBED = pl.Schema({"customer": pl.Int64, "into": pl.String})


_GUARDIANS = ("guardian_id", "m_guardian_id")


def _ward_of(owner: str) -> pl.Expr:
    """Whether the record is, or was until now, recorded as that one's ward."""
    return pl.any_horizontal([(pl.col(g) == pl.col(owner)).fill_null(False) for g in _GUARDIANS])


def _stated(records: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """R10: records that the ERP says have ended in another: erp_id, customer, survivor."""
    return (
        _ended(records)
        .filter(pl.col("successor").is_not_null() & pl.lit(certified))
        .select("erp_id", customer="c_customer", survivor="successor")
    )


def _ended(records: pl.DataFrame) -> pl.DataFrame:
    """Records whose customer may move by a merge: who has ended in another already stays there, though
    the ERP go on listing the old record."""
    return (
        records.lazy()
        .filter(
            pl.col("c_customer").is_not_null()
            & ~pl.col("frozen")
            & pl.col("c_reason").ne_missing("merged")
        )
        .select("erp_id", "c_customer", "presence", "successor", "m_email_norm")
        .collect()
    )


def _vanished(records: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """R10: records that vanished while their email lives on under another id of the same certified
    snapshot: erp_id, customer, survivor.

    Never under one of its own dependants (R8), also where the ERP forgot the tie with the guardian.
    """
    living = (
        records.lazy()
        .filter(
            pl.col("wins")
            & (pl.col("presence") == SEEN)
            & (pl.col("claim") == pl.col("email_norm"))
        )
        .select("claim", *_GUARDIANS, survivor="erp_id")
    )
    gone = (pl.col("presence") == VANISHED) & pl.col("successor").is_null() & pl.lit(certified)
    return (
        _ended(records)
        .filter(gone)
        .select("erp_id", "c_customer", "m_email_norm")
        .lazy()
        .join(living, left_on="m_email_norm", right_on="claim", how="inner")
        .filter(~_ward_of("erp_id"))
        .select("erp_id", customer="c_customer", survivor="survivor")
        .collect()
    )


def _ranked(ended: pl.DataFrame, records: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Of several that end in one record without a base customer one moves (`first`): whom the ERP states,
    then who has access, then who is linked, then the oldest."""
    own = records.filter(pl.col("c_customer").is_not_null()).select(
        survivor="erp_id", own="c_customer"
    )
    people = base.select("customer", "email", "in_customers_group", "linked_user")
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
    )


def heirs(records: pl.DataFrame, base: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """Who comes to a base customer by a stated merge, known before emails are settled: erp_id, and the
    customer as `h_customer`, `h_email`, `h_in`."""
    stated = _stated(records, certified).with_columns(stated=pl.lit(True))
    return (
        _ranked(stated, records, base)
        .filter("first")
        .select(
            h_customer="customer", h_email="email", h_in="in_customers_group", erp_id="survivor"
        )
    )


def decide(
    records: pl.DataFrame, base: pl.DataFrame, certified: bool
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Decide all moves at once.

    :param records: settled (see `contest.settle`).
    :param base: base customers in question.
    :returns: moves (`MOVES`, how: "merge" or "adoption"), absorbed (`ABSORBED`), and the erp_ids of
        additions (one column, erp_id).
    """
    ended = pl.concat(
        [
            _stated(records, certified).with_columns(stated=pl.lit(True)),
            _vanished(records, certified).with_columns(stated=pl.lit(False)),
        ]
    )
    ended = _ranked(ended, records, base)
    moved = ended.filter("first").select("customer", to="survivor", how=pl.lit("merge"))
    given = moved["to"]
    newcomers = (
        records.lazy()
        .filter(
            (pl.col("access") == YES)
            & pl.col("wins")
            & (pl.col("win_rank") <= CLAIMS)
            & ~pl.col("frozen")
            & (pl.col("presence") == SEEN)
            & pl.col("c_customer").is_null()
            & ~pl.col("erp_id").is_in(given.implode())
        )
        .select("erp_id", "claim", *_GUARDIANS)
        .collect()
    )
    holders = base.select("customer", holder_erp="erp_id", claim="email").drop_nulls("claim")
    found = attach(newcomers, holders, "claim")
    former = records.filter(
        pl.col("erp_id").is_in(found["holder_erp"].drop_nulls().implode())
    ).select(
        holder_erp="erp_id",
        holder_free=~pl.col("frozen")
        & (
            (pl.col("access") == NO)
            | ((pl.col("access") == YES) & ~pl.col("wins"))
            | ((pl.col("access") == UNKNOWN) & ~pl.col("c_in").fill_null(False))
        ),
        holder_left=pl.col("presence").is_in([GONE, VANISHED]),
    )
    found = attach(found, former, "holder_erp")
    taken = ended["customer"]
    adopts = (
        pl.col("customer").is_not_null()
        & ~pl.col("customer").is_in(taken.implode())
        & (pl.col("holder_erp").is_null() | pl.col("holder_free").fill_null(False))
        & ~(_ward_of("holder_erp") & pl.col("holder_left").fill_null(False))
    ).fill_null(False)
    adopted = found.filter(adopts)
    added = found.filter(~adopts).select("erp_id")

    # R10: a survivor whose own customer goes elsewhere in this very run is without one: the best of those
    # that end there moves to it
    left = pl.concat([adopted["holder_erp"].drop_nulls(), ended.filter("first")["erp_id"]])
    rest = ended.filter(~pl.col("first"))
    follows = pl.col("survivor").is_in(left.implode()) & pl.col("survivor").is_first_distinct()
    after = rest.filter(follows).select("customer", to="survivor", how=pl.lit("merge"))
    moved = pl.concat([moved, after])
    absorbed = rest.filter(~follows).select("customer", into="survivor")
    given = moved["to"]

    # R1: a record with its own base customer, be it by a merge in this very run, takes on the email of
    # one added by hand: swallowed.
    swallowed = (
        records.lazy()
        .filter(
            pl.col("wins")
            & ~pl.col("frozen")
            & (pl.col("c_customer").is_not_null() | pl.col("erp_id").is_in(given.implode()))
            & (pl.col("win_rank") <= DOUBTFUL)
            & (pl.col("c_email").is_null() | (pl.col("c_email") != pl.col("claim")))
        )
        .select("claim", into="erp_id")
        .join(holders.filter(pl.col("holder_erp").is_null()).lazy(), on="claim", how="inner")
        .select("customer", "into")
        .collect()
    )
    return (
        pl.concat([moved, adopted.select("customer", to="erp_id", how=pl.lit("adoption"))]).cast(
            MOVES
        ),
        pl.concat([absorbed, swallowed]).cast(ABSORBED),
        added,
    )
