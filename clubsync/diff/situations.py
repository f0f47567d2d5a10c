"""In which situation each record is: the table of cases of `clubsync.diff.plan`, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clubsync import emails
from clubsync.diff import email_claims, merges, suspicion, witness
from clubsync.frames import attach
from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import (
    CONFLICTING,
    GONE,
    MISSING,
    NO,
    SEEN,
    SIGNS,
    SITUATION,
    UNKNOWN,
    UNSEEN,
    VANISHED,
    WITHOUT_ID,
    YES,
    Proof,
    Situation,
)


@dataclass(frozen=True)
class Resolved:
    """Records of which it is decided who has which email, and in which situation each is.

    :param records: the facts of each record; its own base customer as `c_customer`, `c_email`, `c_in`,
        `c_reason`, `c_detached`; `claim`, `wins`, `winner`, `win_rank` (`email_claims.resolve`); and
        `situation` (`SITUATION`), never null.
    :param ended: `merges.ENDED`: records whose base customer goes to another record (R10).
    :param suspected: `SUSPICIONS` of these records.
    """

    records: pl.DataFrame
    ended: pl.DataFrame
    suspected: pl.DataFrame


def resolve(
    records: pl.DataFrame,
    base: pl.DataFrame,
    proof: Proof,
    confirmed: pl.DataFrame | None = None,
    marks: Marks = ONE_CLUB,
) -> Resolved:
    """Find the situation of every record.

    :param records, proof, confirmed, marks: see `clubsync.diff.plan.plan`.
    :param base: `BASE`.
    """
    certified = proof.certified
    records = attach(records, _own_customers(base), "erp_id")
    known = SIGNS.to_frame() if confirmed is None else confirmed
    records = records.with_columns(reused=_reused(records))
    signs = suspicion.find(records, base, proof, known, marks)
    suspected = pl.col("erp_id").is_in(suspicion.suspected(signs, known).implode())
    with_them = pl.col("erp_id").is_in(suspicion.guardians(signs, known, marks).implode())
    records = records.with_columns(
        suspected=suspected, deferred=_unsettled(certified) | suspected | with_them
    )
    records = records.with_columns(
        undone=pl.col("c_undone").fill_null(False),
        frozen=pl.col("presence").is_in([UNSEEN, MISSING, CONFLICTING])
        | pl.col("c_keep").fill_null(False)
        | pl.col("reused")
        | pl.col("deferred"),
    )
    while True:
        stated = merges.stated(records, certified)
        view = _claimed(records, stated, base, marks)
        waiting = merges.waiting(stated, view)
        if waiting.is_empty():
            break
        waits = pl.col("erp_id").is_in(waiting.implode())
        records = records.with_columns(
            deferred=pl.col("deferred") | waits, frozen=pl.col("frozen") | waits
        )
    ended = pl.concat([stated, merges.by_email(view, certified)])
    records = view.with_columns(situation=_situation(ended, certified))
    return Resolved(records, ended, _awaited(signs, records))


def _claimed(
    records: pl.DataFrame, stated: pl.DataFrame, base: pl.DataFrame, marks: Marks
) -> pl.DataFrame:
    """The records with who has which email.

    :param stated: `merges.ENDED`: what the ERP states to have ended in another.
    """
    records = attach(records, merges.targets(stated, records, base), "erp_id")
    # R18: an adoption that was undone does not come back from the same state of the record that adopted
    by_hand = base.filter(pl.col("erp_id").is_null())
    parted = (
        pl.col("erp_id").is_in(by_hand["undone"].drop_nulls().implode())
        & pl.col("c_customer").is_null()
        & pl.col("t_customer").is_null()
    )
    # R15: somebody without a record, who is held, would be absorbed by the customer of the one that takes the email
    kept = by_hand.filter("keep")["email"].drop_nulls()
    absorbs = (
        pl.col("email_norm").is_in(kept.implode())
        & (pl.col("access") != NO)
        & (pl.col("c_customer").is_not_null() | pl.col("t_customer").is_not_null())
        & pl.col("c_email").ne_missing(pl.col("email_norm"))
    ).fill_null(False)
    records = records.with_columns(
        undone=pl.col("undone") | parted,
        absorbs_held=absorbs,
        frozen=pl.col("frozen") | parted | absorbs,
    )
    return email_claims.resolve(records, by_hand["email"].drop_nulls(), marks)


def _awaited(signs: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """The signs of records that stay as they are: `SUSPICIONS`.

    One that has been confirmed counts on while something else keeps its record waiting.
    """
    waiting = pl.col("deferred") | (pl.col("presence") == MISSING)
    waits = records.filter(waiting)["erp_id"]
    return signs.filter(pl.col("erp_id").is_in(waits.implode()))


def _own_customers(base: pl.DataFrame) -> pl.DataFrame:
    """The base customer of each record that has one: erp_id, and its columns as `c_*`.

    `c_keep`: a person decided that it stays as it is (R15), `c_undone` by undoing a change (R18), `c_same_person`
    that the record's new values are the same person's (R1).
    """
    return base.drop_nulls("erp_id").select(
        "erp_id",
        c_customer="customer",
        c_email="email",
        c_in="in_customers_group",
        c_reason="reason",
        c_keep=pl.col("keep") | pl.col("undone").is_not_null(),
        c_undone=pl.col("undone").is_not_null(),
        c_awaits_email_of="awaits_email_of",
        c_same_person=pl.col("same_person").is_not_null(),
        c_detached="detached",
    )


def _reused(records: pl.DataFrame) -> pl.Series:
    """R1: an id alone proves nobody: another email, and another first and last name, where neither a phone nor
    a birth date known on both sides agrees; unless a person has said that it is the same person."""

    def known(name: str) -> pl.Expr:
        return pl.col(name).is_not_null() & pl.col(f"m_{name}").is_not_null()

    def agrees(name: str) -> pl.Expr:
        return (pl.col(name) == pl.col(f"m_{name}")).fill_null(False)

    email = pl.col("email_state").is_in([emails.VALID, emails.INVALID])
    names = pl.any_horizontal([known(name) & ~agrees(name) for name in ("first_name", "last_name")])
    maybe = records.select(
        maybe=pl.col("c_customer").is_not_null()
        & ~pl.col("c_same_person").fill_null(False)
        & (pl.col("presence") == SEEN)
        & email
        & pl.col("m_email_norm").is_not_null()
        & ~agrees("email_norm")
        & names
        & ~agrees("phone")
        & ~agrees("birth_date")
    )["maybe"]
    if not maybe.any():
        return maybe
    named = {f"o_{name}": f"m_{name}" for name in witness.WITNESS}
    pairs = records.filter(maybe).select(*witness.WITNESS, **named)
    return maybe.scatter(maybe.arg_true(), witness.other_names(pairs))


def _unsettled(certified: bool) -> pl.Expr:
    """What only a certified snapshot may say of a customer (R14): merged (R10), or, of a detached one, lapsed or
    activated afresh (R12).

    Deferred to one, unchanged, or its row hash would have nothing new to tell then.
    """
    lapsed = pl.col("m_lapsed").fill_null(False)
    turns = (lapsed & (pl.col("access") == YES)) | (~lapsed & (pl.col("own_access") == NO))
    return (
        pl.lit(not certified)
        & (pl.col("presence") == SEEN)
        & pl.col("c_customer").is_not_null()
        & (pl.col("successor").is_not_null() | (pl.col("c_detached").fill_null(False) & turns))
    )


def cases(ended: pl.DataFrame, certified: bool) -> list[tuple[Situation, pl.Expr]]:
    """The table of cases: each situation and what it asks for where none above it fits; one always does.

    :param ended: `merges.ENDED`.
    """
    absent = pl.col("presence").is_in([VANISHED, GONE])
    merged = (
        pl.col("successor").is_not_null()
        | pl.col("erp_id").is_in(ended["erp_id"].implode())
        | (absent & (pl.col("c_reason") == "merged"))
    )
    fresh = pl.col("m_lapsed").fill_null(False) & pl.lit(certified)
    eligible = pl.col("access") == YES
    return [
        (Situation.UNSEEN, pl.col("presence") == UNSEEN),
        (Situation.SUSPECTED, pl.col("suspected") & pl.lit(certified)),
        (Situation.CONFLICTING, pl.col("presence") == CONFLICTING),
        (Situation.UNSETTLED, pl.col("deferred")),
        (Situation.ID_REUSED, pl.col("reused")),
        (Situation.UNDONE, pl.col("undone")),
        (Situation.HELD, pl.col("c_keep") | pl.col("absorbs_held")),
        (Situation.MERGED, merged),
        (Situation.GONE, absent),
        (Situation.WITHOUT_ID, pl.col("erp_id").str.starts_with(WITHOUT_ID)),
        (Situation.NOT_A_PERSON, pl.col("placeholder")),
        (Situation.INACTIVE, pl.col("status_access") == NO),
        (Situation.DEPENDANT, pl.col("owner_id").is_not_null()),
        (Situation.NO_ACCESS_GROUP, pl.col("group_access") == NO),
        (Situation.IN_DOUBT, pl.col("access") == UNKNOWN),
        (Situation.DUPLICATE, eligible & ~pl.col("wins")),
        (Situation.NEW, eligible & pl.col("c_customer").is_null()),
        (Situation.DETACHED, eligible & pl.col("c_detached") & ~fresh),
        (Situation.ELIGIBLE, eligible),
    ]


def _situation(ended: pl.DataFrame, certified: bool) -> pl.Expr:
    """The first of the cases that fits."""
    fits = [
        pl.when(when).then(pl.lit(situation, dtype=SITUATION))
        for situation, when in cases(ended, certified)
    ]
    return pl.coalesce(fits)
