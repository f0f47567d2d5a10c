"""Who holds which email (R2, R7, R9), and whose decision has to wait (R14, R15).

Every record that may hold an email claims it. Claims are ranked; the first one wins. A swap or a chain
of emails needs nothing special: each record claims its new email, nobody claims the old one.
"""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.frames import attach, repeated
from clubsync.model import NO, PRESENT, UNKNOWN, YES

#: Ranks of a claim, best first.
FROZEN = 0  # not to be touched in this plan: keeps what it has
HOLDS = 1  # has access (or keeps it in doubt) and holds the email already: R7 "keeps it"
CLAIMS = 2  # would be eligible but for the email
DOUBTFUL = 3  # has access, in doubt, and takes another email
KEEPS = 4  # has access, and keeps the email that the ERP has lost until another needs it (R2)
FOLLOWS_HOLDING = 5  # no access; its base customer has the email
FOLLOWS = 6  # no access; its base customer follows the ERP where the email is free
PRESENT_ONLY = 7  # no access and no base customer: a merge may lead here (R10)


def claims(records: pl.DataFrame, by_hand: pl.Series) -> pl.DataFrame:
    """The claim of each record: erp_id, claim (the email; null where it makes none), rank, created_at; in order.

    :param records: facts, with the record's own base customer as `c_customer`, `c_email`,
        `c_in`, and `frozen`; where it has none, the one that comes to it by a stated merge as `h_*`;
        `refused` marks who may not claim at all.
    :param by_hand: emails of base customers without an ERP id: who has no access in the ERP does not
        take them away (R11).
    """
    attached = pl.col("c_customer").is_not_null() | pl.col("h_customer").is_not_null()
    email, inside = pl.coalesce("c_email", "h_email"), pl.coalesce("c_in", "h_in").fill_null(False)
    holding = attached & (email == pl.col("email_norm")).fill_null(False)
    free = (
        ~pl.col("frozen")
        & pl.col("presence").is_in(PRESENT)
        & pl.col("owner_id").is_null()
        & pl.col("successor").is_null()
        & ~pl.col("placeholder")
        & ~pl.col("refused")
    )
    states = free & (pl.col("email_state") == emails.VALID)
    has_or_keeps = (pl.col("access") == YES) | ((pl.col("access") == UNKNOWN) & inside)
    keeps = free & ~states & has_or_keeps & email.is_not_null()
    rank = (
        pl.when(pl.col("frozen"))
        .then(FROZEN)
        .when(keeps)
        .then(KEEPS)
        .when(has_or_keeps & holding)
        .then(HOLDS)
        .when(pl.col("access") == YES)
        .then(CLAIMS)
        .when(has_or_keeps)
        .then(DOUBTFUL)
        .when(holding)
        .then(FOLLOWS_HOLDING)
        .when(attached)
        .then(FOLLOWS)
        .otherwise(PRESENT_ONLY)
    )
    claim = (
        pl.when(pl.col("frozen"))
        .then("c_email")
        .when(keeps)
        .then(email)
        .when(states)
        .then("email_norm")
    )
    return (
        records.lazy()
        .select("erp_id", "created_at", rank=rank, claim=claim)
        .with_columns(
            claim=pl.when(
                (pl.col("rank") < FOLLOWS_HOLDING) | ~pl.col("claim").is_in(by_hand.implode())
            ).then("claim")
        )
        .collect()
    )


def winners(claimed: pl.DataFrame) -> pl.DataFrame:
    """Who wins each email (R7): of each record's claim the winner (erp_id) and win_rank; in order.

    Rank first; then earliest created, blank last; then lowest ERP id, as numbers where all ids of
    the cluster are digits.

    :param claimed: see `claims`.
    """
    several = repeated(claimed["claim"])
    alone = pl.col("claim").is_not_null()
    won = claimed.select(winner=pl.when(alone).then("erp_id"), win_rank=pl.when(alone).then("rank"))
    if not several.any():
        return won
    crowd = claimed.filter(several)
    digits = pl.col("erp_id").str.contains(r"^[0-9]+$")
    number = pl.col("erp_id").str.strip_chars_start("0")
    best = (
        crowd.with_columns(numeric=digits.all().over("claim"))
        .sort(
            pl.col("rank"),
            pl.col("created_at"),
            pl.when("numeric").then(number.str.len_bytes()).otherwise(0),
            pl.when("numeric").then(number).otherwise("erp_id"),
            "erp_id",
            nulls_last=True,
        )
        .unique("claim", keep="first", maintain_order=True)
        .select("claim", winner="erp_id", win_rank="rank")
    )
    theirs, where = attach(crowd.select("claim"), best, "claim"), several.arg_true()
    return won.with_columns(won[name].scatter(where, theirs[name]) for name in won.columns)


def settle(records: pl.DataFrame, by_hand: pl.Series) -> pl.DataFrame:
    """Settle all claims; freeze what this plan cannot settle, until nothing more has to wait.

    A record that has its own base customer and wants an email which somebody frozen holds (half of a
    swap whose other half is on a lost page, R14; somebody held, R15) waits, unchanged. So does
    whoever, in turn, wants what that one keeps.

    :param records: with `frozen` and `waits` as they are before.
    :returns: the records with `frozen` final and `claim`, `wins` (Boolean), `winner` (erp_id of who has
        the email this record claims), `waits` (left for a later snapshot).
    """
    while True:
        claimed = claims(records, by_hand)
        view = records.hstack([claimed["claim"], *winners(claimed)]).with_columns(
            wins=(pl.col("winner") == pl.col("erp_id")).fill_null(False)
        )
        blocked = (
            ~pl.col("frozen")
            & ~pl.col("wins")
            & (pl.col("win_rank") == FROZEN)
            & ((pl.col("access") != NO) | pl.col("c_customer").is_not_null())
        ).fill_null(False)
        view = view.with_columns(
            waits=pl.col("waits") | blocked,
            stops=blocked & pl.col("c_customer").is_not_null(),
        )
        if not view["stops"].any():
            return view.drop("stops")
        records = view.with_columns(frozen=pl.col("frozen") | pl.col("stops")).select(
            records.columns
        )
