"""What each base customer is from now on: its email, access, groups and fields (R3 to R6, R9, R11 to R13)."""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.diff.reassign import Reassigned
from clubsync.model import (
    CONFLICTING,
    FIELDS,
    NO,
    SEEN,
    UNCHANGED,
    UNKNOWN,
    YES,
    Situation,
)

TEXTS = pl.List(pl.String)
_NONE = pl.lit([], dtype=TEXTS)
_RECORD = (
    "erp_id",
    "presence",
    "situation",
    "claim",
    "wins",
    "access",
    "access_reason",
    "active_groups",
    "unknown_groups",
    "email",
    "email_state",
    "m_known",
    "m_lapsed",
    *FIELDS,
    *(f"m_{name}" for name in FIELDS),
)


def outcomes(
    records: pl.DataFrame, base: pl.DataFrame, reassigned: Reassigned, *, certified: bool
) -> pl.DataFrame:
    """Before and after of every base customer in question, and of the new ones.

    :param records: with their situation (`situations.Resolved`).
    :param base: `BASE`.
    :returns: `customer` (null: new), `how` ("addition", "merge", "adoption", or null), `to` and `into`
        (`reassign.MOVED`, `reassign.ABSORBED`), the state before as `b_*` (null for new ones) and after as
        plain columns: erp_id, email, email_raw, first_name, last_name, phone, in_customers_group, groups
        (ERP group ids, sorted), reason, detached, linked_user, and user_email (the linked user's).
    """
    rows = _with_records(_before(base, reassigned), records, reassigned)
    rows = _groups(_access(_emails(rows), certified))
    return _links(_fields(rows), reassigned.absorbed)


def _before(base: pl.DataFrame, reassigned: Reassigned) -> pl.DataFrame:
    """The base customers as `b_*`, each with the erp_id that it belongs to from now on."""
    return (
        base.rename({name: f"b_{name}" for name in base.columns if name != "customer"})
        .join(reassigned.moved, on="customer", how="left")
        .join(reassigned.absorbed, on="customer", how="left")
        .with_columns(erp_id=pl.coalesce("to", "b_erp_id"))
    )


def _added(known: pl.DataFrame, facts: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """The base customers with the new ones after them.

    :param known: with their records.
    :param facts: the records as `r_*`.
    :param added: erp_id of each record that gets a base customer.
    """
    new = facts.filter(pl.col("r_situation") == Situation.NEW)
    if not new["erp_id"].equals(added["erp_id"]):  # mostly all of them are added
        new = new.filter(pl.col("erp_id").is_in(added["erp_id"].implode()))
    new = new.with_columns(
        how=pl.lit("addition"),
        b_detached=pl.lit(False),
        b_in_customers_group=pl.lit(False),
        b_origin=pl.lit("erp"),
    )
    if known.height:
        return pl.concat([known, new], how="diagonal")
    # what a first load does not know, of everybody, takes no room
    unknown = {name: kind for name, kind in known.schema.items() if name not in new.columns}
    return new.with_columns(pl.lit(None, dtype=kind).alias(n) for n, kind in unknown.items())


def _with_records(
    known: pl.DataFrame, records: pl.DataFrame, reassigned: Reassigned
) -> pl.DataFrame:
    """The base customers, and the new ones, each with its record as `r_*`; `wins`, and `still`: the plan leaves it
    as it is."""
    facts = records.select(_RECORD).rename(
        {name: f"r_{name}" for name in _RECORD if name != "erp_id"}
    )
    rows = _added(known.join(facts, on="erp_id", how="left"), facts, reassigned.added)
    # R13's third side, and R12's memory, are those of the record that the customer belonged to until now
    last = [f"r_m_{name}" for name in FIELDS] + ["r_m_known"]
    if reassigned.moved.height:
        lapsed = pl.col("r_m_lapsed").alias("was_lapsed")
        rows = rows.drop(last).join(
            facts.select(*last, lapsed, b_erp_id="erp_id"), on="b_erp_id", how="left"
        )
    else:
        rows = rows.with_columns(was_lapsed=pl.col("r_m_lapsed"))
    absorbed = pl.col("into").is_not_null()
    # a base customer whose record is not looked at, or that has none, is left as it is
    unchanged = pl.col("r_situation").is_in(UNCHANGED).fill_null(True)
    return rows.with_columns(
        how=pl.when(absorbed).then(pl.lit("merge")).otherwise("how"),
        still=unchanged & ~absorbed & pl.col("to").is_null(),
        wins=pl.col("r_wins").fill_null(False) & ~absorbed,
        unchanged=unchanged,
    )


def _emails(rows: pl.DataFrame) -> pl.DataFrame:
    """R9: the email that a customer's record wins; else its own, unless another customer needs it (R2)."""
    # an email is given up to a record that has, or gets, a base customer; no other needs it
    won = rows.lazy().filter(pl.col("wins") & ~pl.col("unchanged")).select("r_claim")
    taken = pl.lit(False)  # a value
    if rows["b_email"].null_count() < rows.height:
        taken = pl.col("b_email").is_in(won.collect()["r_claim"].implode()).fill_null(False)
    # R1: one whose ERP id has become another person's has no record to keep it
    apart = pl.col("b_erp_id").is_null() & (pl.col("b_origin") == "erp")
    return rows.with_columns(
        email=pl.when(pl.col("still") & ~(apart & taken).fill_null(False))
        .then("b_email")
        .when("wins")
        .then("r_claim")
        .when(~taken)
        .then("b_email"),
    )


def _access(rows: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """R3 to R6: who is in the Customers group, and why not; R12: who stays detached.

    :returns: the rows with detached, reason, in_customers_group, and `in_doubt`: what it has stays.
    """
    absorbed = pl.col("into").is_not_null()
    in_doubt = (pl.col("r_access") == UNKNOWN) & pl.col("email").is_not_null() & ~absorbed
    rows = rows.with_columns(
        in_doubt=in_doubt, out=_reason(), stays_detached=_stays_detached(certified)
    )
    reason = (
        pl.when("still")
        .then("b_reason")
        .when("stays_detached")
        .then(pl.when(absorbed).then("out").otherwise("b_reason"))
        .when("in_doubt")
        .then("b_reason")
        .otherwise("out")
    )
    return rows.with_columns(
        detached=pl.when("still").then("b_detached").otherwise("stays_detached"), reason=reason
    ).with_columns(in_customers_group=pl.col("reason").is_null())


def _reason() -> pl.Expr:
    """Why a customer has no access from now on; null where it has, or keeps what it has.

    R5: without access already, it keeps the reason for which it lost it.
    """
    absorbed = pl.col("into").is_not_null()
    reason = (
        pl.when(absorbed)
        .then(pl.lit("merged"))
        .when(pl.col("r_access") == NO)
        .then("r_access_reason")
        .when((pl.col("r_access") == YES) & ~pl.col("wins"))
        .then(pl.lit("email_duplicate"))
        .when((pl.col("r_access") == UNKNOWN) & pl.col("email").is_null())
        .then(pl.lit("email_given_up"))
    )
    had = pl.col("b_reason").is_not_null() & reason.is_not_null() & ~absorbed
    return pl.when(had).then("b_reason").otherwise(reason)


def _stays_detached(certified: bool) -> pl.Expr:
    """R12: detached by hand, and not activated afresh since."""
    # one that was not eligible and signs up again under another id is activated afresh; a merge is not (R10)
    lapsed = pl.col("r_m_lapsed").fill_null(False) | (
        pl.col("was_lapsed").fill_null(False) & (pl.col("how") == "adoption").fill_null(False)
    )
    afresh = lapsed & pl.lit(certified) & (pl.col("r_access") == YES) & pl.col("wins")
    return pl.col("b_detached") & ~afresh


def _groups(rows: pl.DataFrame) -> pl.DataFrame:
    """R4: the automatic groups, as their keys; in doubt, and of groups the ERP's list has lost, as before."""
    partly = (
        pl.col("b_groups")
        .fill_null(_NONE)
        .list.set_intersection("r_unknown_groups")
        .list.set_union("r_active_groups")
        .list.sort()
    )
    return rows.with_columns(
        groups=pl.when("still")
        .then("b_groups")
        .when(pl.col("reason").is_not_null())
        .then(_NONE)
        .when("in_doubt")
        .then(pl.coalesce("b_groups", "r_active_groups"))
        .when(pl.col("r_unknown_groups").list.len() > 0)
        .then(partly)
        .otherwise("r_active_groups"),
    )


def _fields(rows: pl.DataFrame) -> pl.DataFrame:
    """R13: a field follows the ERP where the ERP's own value has changed, also from one record to the next (R10);
    R1: of one added by hand the ERP fills the blanks only."""
    by_hand = pl.col("b_erp_id").is_null() & (pl.col("b_origin") != "erp")
    moves, known = pl.col("to").is_not_null(), pl.col("r_m_known").fill_null(False)
    # R15: of a held customer access, groups and email stay; its fields follow
    held = pl.col("r_situation").is_in([Situation.UNDONE, Situation.HELD])
    follows = (~pl.col("still") | held) & (pl.col("r_presence") == SEEN) & pl.col("into").is_null()

    def value(name: str) -> pl.Expr:
        base, erp, last = pl.col(f"b_{name}"), pl.col(f"r_{name}"), pl.col(f"r_m_{name}")
        edited = known & base.ne_missing(last)
        return (
            pl.when(~follows.fill_null(False))
            .then(base)
            .when(pl.col("customer").is_null())
            .then(erp)
            .when(by_hand)
            .then(pl.coalesce(base, erp))
            # another record says otherwise than the one before: that is no change of what was edited by hand
            .when(moves)
            .then(
                pl.when(edited).then(base).when(known).then(erp).otherwise(pl.coalesce(erp, base))
            )
            .when(~known | erp.ne_missing(last))
            .then(erp)
            .otherwise(base)
            .alias(name)
        )

    kept = pl.col("still") & pl.col("email").eq_missing(pl.col("b_email"))
    raw = (
        pl.when(kept | (pl.col("r_presence") == CONFLICTING))
        .then("b_email_raw")
        .when(pl.col("wins") & (pl.col("r_email_state") == emails.VALID))
        .then("r_email")
        .when(pl.col("email").is_not_null())
        .then("b_email_raw")
        .alias("email_raw")
    )
    return rows.with_columns([value(name) for name in FIELDS] + [raw])


def _links(rows: pl.DataFrame, absorbed: pl.DataFrame) -> pl.DataFrame:
    """R10: the survivor inherits the app link of the customer merged into it, where it has none."""
    rows = rows.with_columns(linked_user=pl.col("b_linked_user"), user_email=pl.col("b_user_email"))
    if absorbed.is_empty():
        return rows
    links = (
        rows.filter(pl.col("into").is_not_null() & pl.col("b_linked_user").is_not_null())
        .sort("customer")
        .unique("into", keep="first", maintain_order=True)
        .select(erp_id="into", link="b_linked_user", link_email="b_user_email", giver="customer")
    )
    rows = rows.join(links, on="erp_id", how="left")
    inherits = (
        pl.col("into").is_null() & pl.col("b_linked_user").is_null() & pl.col("link").is_not_null()
    )
    givers = rows.filter(inherits)["giver"]
    return rows.with_columns(
        linked_user=pl.when(inherits)
        .then("link")
        .when(pl.col("customer").is_in(givers.implode()))
        .then(None)
        .otherwise("b_linked_user"),
        user_email=pl.when(inherits).then("link_email").otherwise("b_user_email"),
    )
