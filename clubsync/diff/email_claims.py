"""Which record holds which email (R2, R7, R9), and which are deferred (R14, R15).

Every record that may hold an email claims it. Claims are ranked; the first one wins. A swap or a chain
of emails needs nothing special: each record claims its new email, no record claims the old one.
"""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.frames import attach, repeated
from clubsync.marks import ONE_CLUB, Marks
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
        `c_in`, and `frozen`; where it has none, the one that comes to it by a stated merge as `t_*`.
    :param by_hand: emails of base customers without an ERP id: a record without access in the ERP does not
        take them away (R11).
    """
    claim = (
        pl.when(pl.col("rank") == FROZEN)
        .then("c_email")
        .when(pl.col("rank") == KEEPS)
        .then(pl.coalesce("c_email", "t_email"))
        .when(_free() & (pl.col("email_state") == emails.VALID))
        .then("email_norm")
    )
    return (
        records.lazy()
        .with_columns(rank=_rank())
        .select("erp_id", "created_at", "rank", claim=claim)
        .with_columns(
            claim=pl.when(
                (pl.col("rank") < FOLLOWS_HOLDING) | ~pl.col("claim").is_in(by_hand.implode())
            ).then("claim")
        )
        .collect()
    )


def _free() -> pl.Expr:
    """Whether the record may hold an email: the ERP has it, as a person with an email of their own."""
    return (
        ~pl.col("frozen")
        & pl.col("presence").is_in(PRESENT)
        & pl.col("owner_id").is_null()
        & pl.col("successor").is_null()
        & ~pl.col("placeholder")
    )


def _rank() -> pl.Expr:
    """How good the record's claim is, best first: FROZEN to PRESENT_ONLY."""
    attached = pl.col("c_customer").is_not_null() | pl.col("t_customer").is_not_null()
    email, inside = pl.coalesce("c_email", "t_email"), pl.coalesce("c_in", "t_in").fill_null(False)
    holding = attached & (email == pl.col("email_norm")).fill_null(False)
    has_or_keeps = (pl.col("access") == YES) | ((pl.col("access") == UNKNOWN) & inside)
    lost = _free() & (pl.col("email_state") != emails.VALID) & email.is_not_null()
    return (
        pl.when(pl.col("frozen"))
        .then(FROZEN)
        .when(lost & has_or_keeps)
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


def winners(claimed: pl.DataFrame, marks: Marks = ONE_CLUB) -> pl.DataFrame:
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
    erp_id = marks.bare(pl.col("erp_id"))
    digits = erp_id.str.contains(r"^[0-9]+$")
    number = erp_id.str.strip_chars_start("0")
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


def resolve(records: pl.DataFrame, by_hand: pl.Series, marks: Marks = ONE_CLUB) -> pl.DataFrame:
    """Resolve all claims; freeze what this plan cannot settle, until nothing more has to wait.

    A record that has its own base customer and wants an email which a frozen one holds (half of a
    swap whose other half is on a lost page, R14; a held one, R15) is deferred, unchanged. So is
    whichever, in turn, wants what that one keeps.

    :param records: with `frozen` and `deferred` as they are before.
    :returns: the records with `blocker` (erp_id of the record that keeps the email it wants), `frozen` final and
        `claim`, `wins` (Boolean), `winner` (erp_id of the record that gets the email this one claims), `win_rank`
        (the winner's), `deferred` (to a later snapshot).
    """
    records = records.with_columns(blocker=pl.lit(None, dtype=pl.String))
    while True:
        claimed = claims(records, by_hand)
        view = records.hstack([claimed["claim"], *winners(claimed, marks)]).with_columns(
            wins=(pl.col("winner") == pl.col("erp_id")).fill_null(False)
        )
        blocked = (
            ~pl.col("frozen")
            & ~pl.col("wins")
            & (pl.col("win_rank") == FROZEN)
            & ((pl.col("access") != NO) | pl.col("c_customer").is_not_null())
        ).fill_null(False)
        view = view.with_columns(
            deferred=pl.col("deferred") | blocked,
            blocker=pl.when(blocked).then("winner").otherwise("blocker"),
            stops=blocked & pl.col("c_customer").is_not_null(),
        )
        if not view["stops"].any():
            return view.drop("stops")
        records = view.with_columns(frozen=pl.col("frozen") | pl.col("stops")).select(
            records.columns
        )
