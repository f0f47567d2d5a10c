"""From facts and base to a plan: what to write, nothing else."""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.diff import email_claims, reassign
from clubsync.diff.outcome import outcomes
from clubsync.frames import attach
from clubsync.model import (
    CHANGES,
    CONFLICTING,
    FIELDS,
    FINDINGS,
    NO,
    SEEN,
    UNSEEN,
    VANISHED,
    YES,
    Plan,
)

_STATE = (
    "erp_id",
    "email",
    "email_raw",
    *FIELDS,
    "in_customers_group",
    "groups",
    "reason",
    "detached",
    "linked_user",
)
_PROFILE = (*FIELDS, "email_raw", "linked_user")
_ACCESS = ("in_customers_group", "groups", "reason", "detached")


def plan(
    records: pl.DataFrame, findings: pl.DataFrame, base: pl.DataFrame, *, certified: bool
) -> Plan:
    """Decide what the base should be, and what has to change for it.

    :param records: facts (`clubsync.validate.facts.evaluate`) of every record in question, with the mirror's side as
        `m_known`, `m_email_norm`, `m_guardian_id`, `m_row_hash`, `m_access`, `m_lapsed`, `m_remembered`, `m_birth_date`
        and `m_` + each of `FIELDS`.
    :param findings: what the suites found of them (`FINDINGS`).
    :param base: `BASE`: base customers with one of these erp_ids or emails.
    :param certified: R14: whether absence, merges and group lists may be believed.
    """
    own = base.drop_nulls("erp_id").select(
        "erp_id",
        c_customer="customer",
        c_email="email",
        c_in="in_customers_group",
        c_reason="reason",
        c_keep=pl.col("keep") | pl.col("undone").is_not_null(),
        c_undone=pl.col("undone").is_not_null(),
        c_detached="detached",
    )
    records = attach(records, own, "erp_id")
    records = records.with_columns(reused=_reused(), waits=_unsettled(certified))
    records = records.with_columns(
        frozen=pl.col("presence").is_in([UNSEEN, CONFLICTING])
        | pl.col("c_keep").fill_null(False)
        | pl.col("reused")
        | pl.col("waits")
        | (pl.lit(not certified) & pl.col("successor").is_not_null() & (pl.col("presence") == SEEN))
    )
    records = attach(records, reassign.heirs(records, base, certified), "erp_id")
    # R18: an adoption that was undone does not come back from the same state of the record that adopted
    parted = base.filter(pl.col("erp_id").is_null())["undone"].drop_nulls()
    records = records.with_columns(
        refused=pl.col("erp_id").is_in(parted.implode())
        & pl.col("c_customer").is_null()
        & pl.col("h_customer").is_null()
    )
    by_hand = base.filter(pl.col("erp_id").is_null())["email"].drop_nulls()
    settled = email_claims.settle(records, by_hand)
    moved, absorbed, additions = reassign.decide(settled, base, certified)
    after = outcomes(settled, base, moved, absorbed, additions, certified)
    changes = _changes(after)
    judged = (
        settled.lazy()
        .filter((pl.col("presence") != UNSEEN) & ~(pl.col("waits") & pl.lit(not certified)))
        .with_columns(undone=pl.col("c_undone").fill_null(False) | pl.col("refused"))
        .select("erp_id", "access", "claim", "wins", "winner", "reused", "undone")
        .collect()
    )
    return Plan(
        customers=_customers(after, changes),
        changes=changes,
        findings=_findings(judged, findings, after),
        evaluated=judged["erp_id"],
        records=_records(settled, after, certified),
        deferred=settled["erp_id"].filter(settled["waits"] | settled["reused"]),
        next_dates=settled.select("erp_id", "next_date", "presence")
        .filter(pl.col("presence") == SEEN)
        .drop("presence"),
    )


def _unsettled(certified: bool) -> pl.Expr:
    """What only a certified snapshot may say of a customer (R14): merged (R10), or activated afresh (R12).

    Left for one, unchanged, or its row hash would have nothing new to tell then.
    """
    fresh = (
        pl.col("c_detached").fill_null(False)
        & pl.col("m_lapsed").fill_null(False)
        & (pl.col("access") == YES)
    )
    return (
        pl.lit(not certified)
        & (pl.col("presence") == SEEN)
        & pl.col("c_customer").is_not_null()
        & (pl.col("successor").is_not_null() | fresh)
    )


def _reused() -> pl.Expr:
    """R1: the same id with another email, another name, and another phone or birth date."""

    def other(name: str) -> pl.Expr:
        return (pl.col(name) != pl.col(f"m_{name}")).fill_null(False)

    name = other("first_name") & other("last_name")
    return (
        pl.col("c_customer").is_not_null()
        & (pl.col("presence") == SEEN)
        & (pl.col("email_state") == emails.VALID)
        & other("email_norm")
        & name
        & (other("phone") | other("birth_date"))
    )


def _differs(*names: str) -> pl.Expr:
    return pl.any_horizontal([pl.col(n).ne_missing(pl.col(f"b_{n}")) for n in names])


def _json(prefix: str, *names: str) -> pl.Expr:
    return pl.struct([pl.col(f"{prefix}{n}").alias(n) for n in names]).struct.json_encode()


def _changes(after: pl.DataFrame) -> pl.DataFrame:
    """One row for each customer and kind of change."""
    was, now = pl.col("b_in_customers_group"), pl.col("in_customers_group")
    plain = pl.col("how").is_null()
    absorbed = pl.col("into").is_not_null()
    carried = ("erp_id", "email", *_ACCESS, "linked_user")
    kinds: list[tuple[str, pl.Expr, tuple[str, ...], pl.Expr]] = [
        (
            "addition",
            pl.col("how") == "addition",
            ("email", "in_customers_group", "groups"),
            pl.lit("eligible"),
        ),
        ("merge", (pl.col("how") == "merge") & _differs(*carried), carried, pl.lit("merged")),
        ("adoption", pl.col("how") == "adoption", carried, pl.lit("same_email")),
        ("deactivation", plain & was & ~now, _ACCESS, pl.col("reason")),
        ("reactivation", plain & ~was & now, _ACCESS, pl.lit("eligible")),
        (
            "email_change",
            pl.col("customer").is_not_null() & ~absorbed & _differs("email"),
            ("email", "email_raw"),
            pl.when(pl.col("email").is_null())
            .then(pl.lit("email_given_up"))
            .otherwise(pl.lit("erp")),
        ),
        (
            "profile_change",
            pl.col("customer").is_not_null()
            & ~absorbed
            & (_differs(*FIELDS, "linked_user") | (_differs("email_raw") & ~_differs("email"))),
            _PROFILE,
            pl.lit("erp"),
        ),
        ("group_change", plain & was & now & _differs("groups"), ("groups",), pl.lit("erp")),
    ]
    parts = []
    for kind, when, names, reason in kinds:
        before = pl.lit(None, dtype=pl.String) if kind == "addition" else _json("b_", *names)
        rows = after.lazy().filter(when)
        parts.append(
            rows.select(
                "customer",
                "erp_id",
                kind=pl.lit(kind),
                before=before,
                after=_json("", *names),
                reason=reason,
            )
            .cast(CHANGES)
            .collect()
        )
    return pl.concat(parts)


def _customers(after: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The base rows that the changes write, whole."""
    new = pl.col("customer").is_null()
    touched = new | pl.col("customer").is_in(changes["customer"].drop_nulls().unique().implode())
    rows = after.lazy().filter(touched)
    return rows.select(
        "customer", *_STATE, new=new, was_in="b_in_customers_group", was_email="b_email"
    ).collect()


def _findings(judged: pl.DataFrame, findings: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The suites' findings, plus those that only the base can tell.

    :param judged: of the settled records those that this plan may speak of.
    """
    mine = _of(findings, judged)

    def tell(rows: pl.DataFrame, code: str, severity: str, detail: pl.Expr) -> pl.DataFrame:
        return rows.select(
            "erp_id", code=pl.lit(code), severity=pl.lit(severity), detail=detail
        ).cast(FINDINGS)

    nothing = pl.lit("{}")
    attached = after.lazy().filter(pl.col("erp_id").is_not_null() & pl.col("into").is_null())
    # R7, where the holder itself is in doubt or held, so that the suites saw no cluster
    lost = judged.filter(
        (pl.col("access") == YES) & pl.col("winner").is_not_null() & ~pl.col("wins")
    )
    keepers = (
        judged.filter(pl.col("wins") & pl.col("claim").is_in(lost["claim"].implode()))
        .join(lost.select("claim", loser="erp_id"), on="claim", how="inner")
        .unique("erp_id", keep="first", maintain_order=True)
    )
    duplicates = pl.concat(
        [
            tell(
                lost,
                "EMAIL_DUPLICATE",
                "error",
                pl.struct(others=pl.concat_list("winner")).struct.json_encode(),
            ),
            tell(
                keepers,
                "EMAIL_DUPLICATE",
                "error",
                pl.struct(others=pl.concat_list("loser")).struct.json_encode(),
            ),
        ]
    ).join(mine, on=["erp_id", "code"], how="anti")
    off = attached.filter("detached").select("erp_id").collect()
    detached = judged.filter(
        (pl.col("access") != NO) & pl.col("erp_id").is_in(off["erp_id"].implode())
    )
    apart = (
        attached.filter(
            pl.col("in_customers_group")
            & pl.col("linked_user").is_not_null()
            & pl.col("b_user_email").ne_missing(pl.col("email"))
            & pl.col("b_linked_user").eq_missing(pl.col("linked_user"))
        )
        .select("erp_id")
        .collect()
    )
    return pl.concat(
        [
            mine.select(FINDINGS.names()),
            duplicates,
            tell(detached, "DETACHED", "warning", nothing),
            tell(judged.filter("reused"), "ID_REUSED", "error", nothing),
            tell(judged.filter("undone"), "UNDONE", "warning", nothing),
            tell(_of(apart, judged), "EMAIL_MISMATCH_APP", "warning", nothing),
        ]
    )


def _of(few: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Those of few rows whose record is among many; a table of the many would be the largest thing here."""
    theirs = judged["erp_id"].filter(judged["erp_id"].is_in(few["erp_id"].implode()))
    return few.filter(pl.col("erp_id").is_in(theirs.implode()))


def _records(settled: pl.DataFrame, after: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """The mirror rows that changed: content, judgement or memory; and who vanished.

    `lapsed` (R12): not eligible by its own doing, or gone, in a certified snapshot, and not activated since.
    """
    detached = after.filter("detached")["erp_id"].drop_nulls()
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
    rows = settled.lazy().with_columns(lapsed=lapsed)
    changed = (
        ~pl.col("m_known").fill_null(False)
        | pl.col("m_gone").fill_null(False)
        | pl.col("m_row_hash").ne_missing(pl.col("row_hash"))
        | pl.col("m_access").ne_missing(pl.col("access"))
        | pl.col("m_lapsed").ne_missing(pl.col("lapsed"))
        | pl.col("m_remembered").ne_missing(pl.col("remembered"))
    )
    seen = (pl.col("presence") == SEEN) & ~pl.col("waits") & ~pl.col("reused") & changed
    written = rows.filter(seen | (pl.col("presence") == VANISHED)).select(
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
        "row_hash",
        "access",
        "lapsed",
        known=pl.col("m_known").fill_null(False),
    )
    return written.collect()
