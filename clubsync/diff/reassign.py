"""Which base customer belongs to which ERP record from now on (R1, R8, R10).

A base customer keeps its id permanently; what changes is the ERP record it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clubsync.diff import merges, witness
from clubsync.diff.email_claims import DOUBTFUL
from clubsync.diff.situations import Resolved
from clubsync.frames import attach
from clubsync.model import GONE, UNCHANGED, VANISHED, Situation

#: Base customer -> the record it belongs to from now on, and how: "merge" or "adoption".
MOVED = pl.Schema({"customer": pl.Int64, "to": pl.String, "how": pl.String})
#: A record, the base customer that it takes on by its email, and that one's record until now.
_ADOPTED = pl.Schema({"customer": pl.Int64, "erp_id": pl.String, "holder_erp": pl.String})
#: Base customers that end as `merged` into another: the record whose customer inherits their link.
ABSORBED = pl.Schema({"customer": pl.Int64, "into": pl.String})

#: A base customer of a record in one of these leaves it when another record wins its email (R1).
_RELEASING = (
    Situation.MERGED,
    Situation.GONE,
    Situation.NOT_A_PERSON,
    Situation.INACTIVE,
    Situation.DEPENDANT,
    Situation.NO_ACCESS_GROUP,
    Situation.DUPLICATE,
)


@dataclass(frozen=True)
class Reassigned:
    """:param moved: `MOVED`.
    :param absorbed: `ABSORBED`.
    :param added: erp_id of each record that gets a base customer of its own (R4).
    """

    moved: pl.DataFrame
    absorbed: pl.DataFrame
    added: pl.DataFrame


def reassign(resolved: Resolved, base: pl.DataFrame) -> Reassigned:
    """Decide about all base customers at once.

    :param base: `BASE`.
    """
    records = resolved.records
    ended = merges.ranked(resolved.ended, records, base)
    first, others = ended.filter("first"), ended.filter(~pl.col("first"))
    holders = _holders(base)
    new = _new_records(records, given=first["survivor"])
    adopted, added = _ADOPTED.to_frame(), new.select("erp_id")
    if new.height:
        found = _with_holders(new, records, holders)
        adopts = _adopts(taken=ended["customer"])
        adopted = found.filter(adopts).select(_ADOPTED.names())
        added = found.filter(~adopts).select("erp_id")

    # R10: a survivor whose own customer goes elsewhere in this run is without one: the best of those
    # that end there moves to it
    left = pl.concat([adopted["holder_erp"].drop_nulls(), first["erp_id"]])
    takes = pl.col("survivor").is_in(left.implode()) & pl.col("survivor").is_first_distinct()
    merged = pl.concat([first, others.filter(takes)])
    absorbed = others.filter(~takes).select("customer", into="survivor")
    moved = [
        merged.select("customer", to="survivor", how=pl.lit("merge")),
        adopted.select("customer", to="erp_id", how=pl.lit("adoption")),
    ]
    taken_in = _added_by_hand(records, holders, given=merged["survivor"])
    return Reassigned(
        pl.concat(moved).cast(MOVED), pl.concat([absorbed, taken_in]).cast(ABSORBED), added
    )


def _holders(base: pl.DataFrame) -> pl.DataFrame:
    """Base customers with an email: customer, holder_erp, claim; and `apart`, first_name and last_name of one
    whose ERP id has become another person's (R1), null for all others: what people enter by hand witnesses nothing.
    """
    apart = pl.col("erp_id").is_null() & (pl.col("origin") == "erp")
    named = {f"apart_{n}": pl.when(apart).then(n) for n in ("first_name", "last_name")}
    return base.select("customer", holder_erp="erp_id", claim="email", **named).drop_nulls("claim")


def _new_records(records: pl.DataFrame, given: pl.Series) -> pl.DataFrame:
    """Records in the situation NEW: erp_id, claim, `merges.GUARDIANS`, `witness.WITNESS`.

    :param given: erp_ids that get a base customer by a merge.
    """
    return (
        records.lazy()
        .filter((pl.col("situation") == Situation.NEW) & ~pl.col("erp_id").is_in(given.implode()))
        .select("erp_id", "claim", *merges.GUARDIANS, *witness.WITNESS)
        .collect()
    )


def _with_holders(new: pl.DataFrame, records: pl.DataFrame, holders: pl.DataFrame) -> pl.DataFrame:
    """New records, each with the base customer that has its email, where there is one.

    :param new: see `_new_records`.
    :param holders: see `_holders`.
    :returns: new, with customer, holder_erp; of the record that holder_erp names, where it is one of these,
        holder_situation, holder_in, holder_absent; and `two_people`: by their own witness.
    """
    found = attach(new, holders, "claim")
    former = records.filter(
        pl.col("erp_id").is_in(found["holder_erp"].drop_nulls().implode())
    ).select(
        holder_erp="erp_id",
        holder_situation="situation",
        holder_in=pl.col("c_in").fill_null(False),
        holder_absent=pl.col("presence").is_in([GONE, VANISHED]),
        **{f"o_{name}": name for name in witness.WITNESS},
    )
    return _with_witness(attach(found, former, "holder_erp"))


def _with_witness(found: pl.DataFrame) -> pl.DataFrame:
    """The new records with `two_people`.

    :param found: `witness.WITNESS` of each; of the record that the email's holder belongs to as `o_*`, of a holder
        without one as `apart_*`.
    """
    held = found["customer"].is_not_null()
    none = pl.repeat(False, found.height, dtype=pl.Boolean, eager=True)
    pairs = found.filter(held).with_columns(
        o_first_name=pl.coalesce("o_first_name", "apart_first_name"),
        o_last_name=pl.coalesce("o_last_name", "apart_last_name"),
    )
    two = none.scatter(held.arg_true(), witness.two_people(pairs)) if pairs.height else none
    return found.with_columns(two_people=two)


def _adopts(taken: pl.Series) -> pl.Expr:
    """R1: whether a new record takes on the base customer that has its email: one without an ERP id, or one
    whose own record is gone or no longer eligible; never that of its vanished guardian (R8), nor of somebody
    who is another person by the records' own witness.

    :param taken: customers that go elsewhere by a merge.
    """
    releasing = pl.col("holder_situation").is_in(_RELEASING) | (
        (pl.col("holder_situation") == Situation.IN_DOUBT) & ~pl.col("holder_in")
    )
    return (
        pl.col("customer").is_not_null()
        & ~pl.col("customer").is_in(taken.implode())
        & (pl.col("holder_erp").is_null() | releasing.fill_null(False))
        & ~pl.col("two_people")
        & ~(merges.ward_of("holder_erp") & pl.col("holder_absent").fill_null(False))
    ).fill_null(False)


def _added_by_hand(records: pl.DataFrame, holders: pl.DataFrame, given: pl.Series) -> pl.DataFrame:
    """R1: base customers added by hand whose email a record with its own base customer takes on: `ABSORBED`.

    :param given: erp_ids that have their base customer by a merge in this run.
    """
    by_hand = holders.filter(pl.col("holder_erp").is_null())
    if by_hand.is_empty():
        return ABSORBED.to_frame()
    found = (
        records.lazy()
        .filter(
            pl.col("wins")
            & ~pl.col("situation").is_in(UNCHANGED)
            & (pl.col("c_customer").is_not_null() | pl.col("erp_id").is_in(given.implode()))
            & (pl.col("win_rank") <= DOUBTFUL)
            & (pl.col("c_email").is_null() | (pl.col("c_email") != pl.col("claim")))
        )
        .select("claim", *witness.WITNESS, into="erp_id")
        .join(by_hand.lazy(), on="claim", how="inner")
        .with_columns(o_first_name="apart_first_name", o_last_name="apart_last_name")
        .collect()
    )
    same = ~witness.two_people(found.with_columns(o_birth_date=pl.lit(None, dtype=pl.Date)))
    return found.filter(same).select("customer", "into")
