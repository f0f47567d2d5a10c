"""What each base customer is from now on: its email, access, groups and fields (R3 to R6, R9, R11 to R13)."""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.model import CONFLICTING, FIELDS, NO, SEEN, UNKNOWN, YES

TEXTS = pl.List(pl.String)
_RECORD = (
    "erp_id",
    "presence",
    "frozen",
    "claim",
    "wins",
    "access",
    "access_reason",
    "own_access",
    "active_groups",
    "unknown_groups",
    "email",
    "email_state",
    "m_known",
    "m_lapsed",
    "c_keep",
    "waits",
    "reused",
    *FIELDS,
    *(f"m_{name}" for name in FIELDS),
)


def outcomes(
    records: pl.DataFrame,
    base: pl.DataFrame,
    moves: pl.DataFrame,
    absorbed: pl.DataFrame,
    additions: pl.DataFrame,
    certified: bool,
) -> pl.DataFrame:
    """Before and after of every base customer in question, and of the new ones.

    :returns: `customer` (null: new), `how` ("addition", "merge", "adoption", or null), the state
        before as `b_*` (null for new ones) and after as plain columns: erp_id, email, email_raw,
        first_name, last_name, phone, in_customers_group, groups (ERP group ids, sorted), reason,
        detached, linked_user.
    """
    before = base.rename({name: f"b_{name}" for name in base.columns if name != "customer"})
    rows = (
        before.join(moves, on="customer", how="left")
        .join(absorbed, on="customer", how="left")
        .with_columns(erp_id=pl.coalesce("to", "b_erp_id"))
    )
    new = additions.select(
        "erp_id",
        how=pl.lit("addition"),
        b_detached=pl.lit(False),
        b_in_customers_group=pl.lit(False),
        b_origin=pl.lit("erp"),
    )
    rows = pl.concat([rows, new], how="diagonal")
    facts = records.select(_RECORD).rename(
        {name: f"r_{name}" for name in _RECORD if name != "erp_id"}
    )
    rows = rows.join(facts, on="erp_id", how="left")
    # R13's third side, and R12's memory, are those of the record that the customer stood for until now
    last = [f"r_m_{name}" for name in FIELDS] + ["r_m_known"]
    if moves.height:
        lapsed = pl.col("r_m_lapsed").alias("was_lapsed")
        rows = rows.drop(last).join(
            facts.select(*last, lapsed, b_erp_id="erp_id"), on="b_erp_id", how="left"
        )
    else:
        rows = rows.with_columns(was_lapsed=pl.col("r_m_lapsed"))
    rows = rows.with_columns(
        how=pl.when(pl.col("into").is_not_null()).then(pl.lit("merge")).otherwise("how"),
        # a base customer whose record is not looked at, or that has none, is left as it is
        still=(
            pl.col("r_frozen").fill_null(True) & pl.col("into").is_null() & pl.col("to").is_null()
        ),
        wins=pl.col("r_wins").fill_null(False) & pl.col("into").is_null(),
    )
    # R2: an email is given up to who has, or gets, a base customer; nobody else needs it
    won = rows.filter(pl.col("wins") & ~pl.col("r_frozen"))["r_claim"]
    rows = rows.with_columns(taken=pl.col("b_email").is_in(won.implode()).fill_null(False))
    rows = rows.with_columns(
        email=pl.when(pl.col("still"))
        .then("b_email")
        .when("wins")
        .then("r_claim")
        .when(~pl.col("taken"))
        .then("b_email"),
    )
    return _links(_fields(_access(rows, certified)), absorbed)


def _access(rows: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """R3 to R6: who is in the Customers group, and why not; R12: who stays detached."""
    # who was not eligible and signs up anew under another id is activated afresh; a merge is none (R10)
    lapsed = pl.col("r_m_lapsed").fill_null(False) | (
        pl.col("was_lapsed").fill_null(False) & (pl.col("how") == "adoption").fill_null(False)
    )
    fresh = pl.col("b_detached") & lapsed & pl.lit(certified)
    state = (
        pl.when(pl.col("into").is_not_null())
        .then(pl.lit("merged"))
        .when(pl.col("r_access") == NO)
        .then("r_access_reason")
        .when((pl.col("r_access") == YES) & ~pl.col("wins"))
        .then(pl.lit("email_duplicate"))
        .when((pl.col("r_access") == UNKNOWN) & pl.col("email").is_null())
        .then(pl.lit("email_given_up"))
    )
    unknown = (
        (pl.col("r_access") == UNKNOWN) & pl.col("email").is_not_null() & pl.col("into").is_null()
    )
    rows = rows.with_columns(fresh=fresh & (pl.col("r_access") == YES) & pl.col("wins"), out=state)
    stays_detached = pl.col("b_detached") & ~pl.col("fresh")
    rows = rows.with_columns(
        # R5: who is out already keeps the reason and time of going
        out=pl.when(
            pl.col("b_reason").is_not_null()
            & pl.col("out").is_not_null()
            & pl.col("into").is_null()
        )
        .then("b_reason")
        .otherwise("out")
    )
    return rows.with_columns(
        detached=pl.when("still").then("b_detached").otherwise(stays_detached),
        reason=pl.when("still")
        .then("b_reason")
        .when(stays_detached)
        .then(pl.when(pl.col("into").is_not_null()).then("out").otherwise("b_reason"))
        .when(unknown)
        .then("b_reason")
        .otherwise("out"),
    ).with_columns(
        in_customers_group=pl.col("reason").is_null(),
        # in doubt, what somebody has stays as it is; so does the group that the ERP's list has lost
        groups=pl.when("still")
        .then("b_groups")
        .when(pl.col("reason").is_not_null())
        .then(pl.lit([], dtype=TEXTS))
        .when(unknown)
        .then(pl.coalesce("b_groups", "r_active_groups"))
        .when(pl.col("r_unknown_groups").list.len() > 0)
        .then(
            pl.col("b_groups")
            .fill_null(pl.lit([], dtype=TEXTS))
            .list.set_intersection("r_unknown_groups")
            .list.set_union("r_active_groups")
            .list.sort()
        )
        .otherwise("r_active_groups"),
    )


def _fields(rows: pl.DataFrame) -> pl.DataFrame:
    """R13: a field follows the ERP where the ERP's own value has moved; R1: adoption fills blanks only."""
    by_hand = pl.col("b_erp_id").is_null()
    moves = pl.col("to").is_not_null()
    # R15: of who is held access and groups stay; changes go on
    held = pl.col("r_c_keep").fill_null(False) & ~pl.col("r_waits") & ~pl.col("r_reused")
    follows = (~pl.col("still") | held) & (pl.col("r_presence") == SEEN) & pl.col("into").is_null()

    def value(name: str) -> pl.Expr:
        base, erp, last = pl.col(f"b_{name}"), pl.col(f"r_{name}"), pl.col(f"r_m_{name}")
        moved = ~pl.col("r_m_known").fill_null(False) | erp.ne_missing(last)
        return (
            pl.when(~follows.fill_null(False))
            .then(base)
            .when(pl.col("customer").is_null())
            .then(erp)
            .when(by_hand)
            .then(pl.coalesce(base, erp))
            .when(moved)
            .then(pl.when(moves).then(pl.coalesce(erp, base)).otherwise(erp))
            .otherwise(base)
            .alias(name)
        )

    raw = (
        pl.when(pl.col("still") | (pl.col("r_presence") == CONFLICTING))
        .then("b_email_raw")
        .when(pl.col("wins") & (pl.col("r_email_state") == emails.VALID))
        .then("r_email")
        .when(pl.col("email").is_not_null())
        .then("b_email_raw")
        .alias("email_raw")
    )
    return rows.with_columns([value(name) for name in FIELDS] + [raw])


def _links(rows: pl.DataFrame, absorbed: pl.DataFrame) -> pl.DataFrame:
    """R10: the survivor inherits the app link of who was merged into it, where it has none."""
    rows = rows.with_columns(linked_user=pl.col("b_linked_user"))
    if absorbed.is_empty():
        return rows
    heirs = (
        rows.filter(pl.col("into").is_not_null() & pl.col("b_linked_user").is_not_null())
        .sort("customer")
        .unique("into", keep="first", maintain_order=True)
        .select(erp_id="into", heir_user="b_linked_user", giver="customer")
    )
    rows = rows.join(heirs.select("erp_id", "heir_user"), on="erp_id", how="left")
    inherits = (
        pl.col("into").is_null()
        & pl.col("b_linked_user").is_null()
        & pl.col("heir_user").is_not_null()
    )
    given = rows.filter(inherits)["heir_user"]
    return rows.with_columns(
        linked_user=pl.when(inherits)
        .then("heir_user")
        .when(pl.col("into").is_not_null() & pl.col("b_linked_user").is_in(given.implode()))
        .then(None)
        .otherwise("b_linked_user")
    )
