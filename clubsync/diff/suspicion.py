"""R14: what a walk shows of a record and does not prove, because a walk is not a moment.

People change while the pages of a list are read. So a walk may show one half of a swap of emails, hide somebody
who was there all along, or lack a membership of theirs. Whatever would take access away, or give it, on such
grounds alone is only suspected: the record stays as it is until a second certified reading, which began after this
one had ended, shows the same. What a record says of itself (its status, dates, groups and successor) is no
suspicion.

Each ground is told by a sign, a text that is the same where the next reading shows the same:

sign              what the walk shows
----------------  ----------------------------------------------------------------------------------------
absent            the record is missing, also one of an earlier source that nobody's email matches
email:E|I,J       it has taken on the email E, which somebody else with access holds (unless that one's own record
                  says, beyond doubt, that it has another email now), or which the records I and J show too
dependant:G       its guardian G has taken on its email
memberships:…     groups that it had are missing from the list of memberships
no membership     the record would get access, and is on no membership, where those are a list of their own: it may
                  have come, and its membership with it, after that list was read
guardian:G        it would get access because its guardian G is missing
moved             it names another club of the chain, which has not taken it over yet (R29): this awaits no reading,
                  but that club's load
"""

from __future__ import annotations

import polars as pl

from clubsync import emails
from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import ABSENT, GONE, MISSING, MOVED, NO, PRESENT, SEEN, SUSPICIONS, YES, Proof
from connectors.sdk.chains import ELSEWHERE, UNLISTED

#: How the ids of an earlier source begin (R1: `manual.lifecycle.start_epoch`).
_EARLIER_SOURCE = r"^@[0-9]+:"
_DEPENDANT = "dependant:"


def find(
    records: pl.DataFrame,
    base: pl.DataFrame,
    proof: Proof,
    confirmed: pl.DataFrame,
    marks: Marks = ONE_CLUB,
) -> pl.DataFrame:
    """What the snapshot shows of the records and does not prove: `SUSPICIONS`, each once, sorted.

    What an earlier reading has shown too is no suspicion any more (`suspected`).

    :param records: facts of each record, with its own base customer as `c_*`.
    :param base: `BASE`.
    :param proof: what the snapshot proves.
    :param confirmed: `SIGNS` that an earlier certified reading has shown.
    """
    found = [_missing(records), _of_earlier_source(records, proof), _moved(records)]
    if not proof.moment:
        found.append(_dependants(records, marks))
    if not proof.moment and not proof.absence:
        found.append(_without_guardian(records, marks))
    if not proof.memberships:
        found.append(_fewer_memberships(records))
    if proof.joined:
        found.append(_without_membership(records))
    if not proof.moment:
        others = suspected(pl.concat(found), confirmed)
        found.append(_taken(_emails(records, base, marks), records, others, confirmed))
    return pl.concat(found).unique().sort("erp_id", "sign")


def suspected(signs: pl.DataFrame, confirmed: pl.DataFrame) -> pl.Series:
    """The records of which something is suspected: erp_ids.

    :param confirmed: `SIGNS` that an earlier certified reading has shown.
    """
    return _left(signs, confirmed)["erp_id"].unique()


def guardians(signs: pl.DataFrame, confirmed: pl.DataFrame, marks: Marks = ONE_CLUB) -> pl.Series:
    """The guardians whose new email makes a dependant of somebody only if it is true: they wait too, erp_ids."""
    guardian = marks.marked_as(pl.col("erp_id"), pl.col("sign").str.strip_prefix(_DEPENDANT))
    of_guardian = pl.col("sign").str.starts_with(_DEPENDANT)
    return (
        _left(signs, confirmed)
        .filter(of_guardian)
        .select(guardian.alias("guardian"))["guardian"]
        .unique()
    )


def _left(signs: pl.DataFrame, confirmed: pl.DataFrame) -> pl.DataFrame:
    """The signs that no earlier reading has shown."""
    return signs.join(confirmed, on=["erp_id", "sign"], how="anti", maintain_order="left")


def _signs(
    rows: pl.LazyFrame, sign: pl.Expr, loss: pl.Expr | None = None, **more: pl.Expr
) -> pl.DataFrame:
    """`SUSPICIONS`.

    :param loss: whether somebody would lose access; None: who has it would.
    :param more: other columns.
    """
    loses = _inside() if loss is None else _inside() & loss
    return rows.select("erp_id", sign=sign, loss=loses, **more).collect()


def _inside() -> pl.Expr:
    """Whether the record's base customer is in the Customers group."""
    return pl.col("c_in").fill_null(False)


def _gains() -> pl.Expr:
    """Whether the record would give access that its person does not have."""
    return (pl.col("presence") == SEEN) & (pl.col("access") == YES) & ~_inside()


def _says_so() -> pl.Expr:
    """Whether the record itself says that it gives no access: that is no suspicion."""
    return (
        (pl.col("status_access") == NO)
        | pl.col("placeholder")
        | pl.col("successor").is_not_null()
        | (pl.col("group_state") == "former")
    )


def _missing(records: pl.DataFrame) -> pl.DataFrame:
    return _signs(records.lazy().filter(pl.col("presence") == MISSING), pl.lit(ABSENT))


def _moved(records: pl.DataFrame) -> pl.DataFrame:
    """R29: people with access whose record names another club, or is on no membership of this one."""
    away = (pl.col("presence") == SEEN) & pl.col("status").is_in([ELSEWHERE, UNLISTED])
    return _signs(records.lazy().filter(away & _inside()), pl.lit(MOVED))


def _of_earlier_source(records: pl.DataFrame, proof: Proof) -> pl.DataFrame:
    """R1: people of an earlier source are found by email alone; whose email this one does not show is absent."""
    if proof.absence:
        return SUSPICIONS.to_frame()
    shown = records.filter(pl.col("presence") == SEEN)["email_norm"]
    left = (
        _inside()
        & (pl.col("presence") == GONE)
        & pl.col("erp_id").str.contains(_EARLIER_SOURCE)
        & ~pl.col("c_email").is_in(shown.implode()).fill_null(False)
    )
    return _signs(records.lazy().filter(left), pl.lit(ABSENT))


def _email_sign(marks: Marks) -> pl.Expr:
    return pl.concat_str(pl.lit("email:"), marks.bare(pl.col("email_norm")))


def _changed() -> pl.Expr:
    """Whether the record shows an email for the first time since it was last loaded."""
    new = ~pl.col("m_known").fill_null(False) | pl.col("email_norm").ne_missing(
        pl.col("m_email_norm")
    )
    return (pl.col("presence") == SEEN) & (pl.col("email_state") == emails.VALID) & new


def _taken(
    emails_taken: pl.DataFrame, records: pl.DataFrame, others: pl.Series, confirmed: pl.DataFrame
) -> pl.DataFrame:
    """`SUSPICIONS` of emails, without those that their holders' own records give up in the same snapshot.

    Whose record shows another email beyond doubt takes that one now, and leaves the old one free: nobody loses it.
    Halves of a swap are in doubt for as long as the other one is.

    :param emails_taken: see `_emails`.
    :param others: erp_ids of which something else is suspected.
    """
    if emails_taken.is_empty():
        return SUSPICIONS.to_frame()
    leaving = records.filter(_changed() & ~pl.col("reused").fill_null(False))["erp_id"]
    left = emails_taken
    while True:
        doubtful = pl.concat([suspected(left.select(SUSPICIONS.names()), confirmed), others])
        given_up = (
            ~pl.col("shared")
            & pl.col("holder").is_in(leaving.implode())
            & ~pl.col("holder").is_in(doubtful.implode())
        ).fill_null(False)
        kept = left.filter(~given_up)
        if kept.height == left.height:
            return left.select(SUSPICIONS.names())
        left = kept


def _emails(records: pl.DataFrame, base: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    """Emails newly taken on that somebody else with access has, or that would cost the taker's access (R7, R9).

    :returns: `SUSPICIONS`; `holder`, the record whose customer has the email; `shared`: other records show it too,
        which would cost the taker's access.
    """
    held = base.filter("in_customers_group")["email"].drop_nulls()
    concerned = (pl.col("access") != NO) | (_inside() & pl.col("owner_id").is_not_null())
    matters = _inside() | pl.col("email_norm").is_in(held.implode())
    takers = records.filter(_changed() & matters & concerned & ~_says_so())
    if takers.is_empty():
        return pl.DataFrame(schema={**SUSPICIONS, "holder": pl.String, "shared": pl.Boolean})
    of_these = records.filter(pl.col("email_norm").is_in(takers["email_norm"].implode()))
    rivals = (
        pl.col("rivals").fill_null([]).list.set_difference(pl.concat_list("erp_id")).list.sort()
    )
    by_hand = pl.col("holder").is_null() & pl.col("c_customer").is_not_null()
    keeps = pl.col("holder").is_not_null() & (pl.col("holder_access").fill_null(YES) != NO)
    taken = (
        pl.col("customer").is_not_null()
        & pl.col("customer").ne_missing(pl.col("c_customer"))
        & (by_hand | keeps)
    )
    shared = _inside() & (rivals.list.len() > 0)
    # a swap, and a half of the next one, show the same email on a record, not the same others with it
    named = rivals.list.eval(marks.bare(pl.element())).list.join(",")
    among = pl.when(rivals.list.len() > 0).then(pl.concat_str(pl.lit("|"), named))
    # who has had the email for longer keeps it
    newly = of_these.filter(_changed())["erp_id"]
    stay = pl.concat_list(rivals, "holder").list.drop_nulls()
    return _signs(
        takers.lazy()
        .join(_holders(records, base).lazy(), on="email_norm", how="left")
        .join(_rivals(of_these).lazy(), on="email_norm", how="left")
        .filter(taken | shared),
        pl.concat_str(_email_sign(marks), among.fill_null("")),
        stay.list.set_difference(pl.lit(newly.implode())).list.len() > 0,
        holder=pl.col("holder"),
        shared=shared.fill_null(False),
    )


def _holders(records: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """The base customers with access: email_norm, customer, holder (its record), holder_access."""
    return (
        base.filter("in_customers_group")
        .select("customer", holder="erp_id", email_norm="email")
        .drop_nulls("email_norm")
        .join(records.select(holder="erp_id", holder_access="access"), on="holder", how="left")
    )


def _rivals(records: pl.DataFrame) -> pl.DataFrame:
    """Those who would have access by an email: email_norm, rivals (erp_ids)."""
    return (
        records.lazy()
        .filter(pl.col("presence").is_in(PRESENT) & (pl.col("group_access") != NO) & ~_says_so())
        .group_by("email_norm")
        .agg(rivals="erp_id")
        .collect()
    )


def _dependants(records: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    """R8: people with access who become dependants because they, or their guardian, took on an email."""
    wards = records.filter(
        _inside()
        & (pl.col("presence") == SEEN)
        & pl.col("owner_id").is_not_null()
        & (pl.col("email_state") == emails.VALID)
        & ~_says_so()
    )
    owners = records.filter(pl.col("erp_id").is_in(wards["owner_id"].implode()) & _changed())
    of_owner = pl.col("owner_id").is_in(owners["erp_id"].implode())
    sign = (
        pl.when(_changed())
        .then(_email_sign(marks))
        .otherwise(pl.concat_str(pl.lit(_DEPENDANT), marks.bare(pl.col("owner_id"))))
    )
    return _signs(wards.lazy().filter(_changed() | of_owner), sign)


def _without_guardian(records: pl.DataFrame, marks: Marks) -> pl.DataFrame:
    """R8: a guardian that the ERP does not have makes nobody a dependant; that it is missing has to be proved."""
    there = records.filter(pl.col("presence").is_in(PRESENT))["erp_id"]
    orphan = (
        _gains()
        & pl.col("owner_id").is_null()
        & pl.col("guardian_id").is_not_null()
        & ~pl.col("guardian_id").is_in(there.implode())
    )
    sign = pl.concat_str(pl.lit("guardian:"), marks.bare(pl.col("guardian_id")))
    return _signs(records.lazy().filter(orphan), sign)


def _fewer_memberships(records: pl.DataFrame) -> pl.DataFrame:
    """Groups that a record had and has no more, of people who have access or would get it."""
    concerned = _inside() | (pl.col("access") == YES)
    rows = records.lazy().filter(
        (pl.col("presence") == SEEN)
        & pl.col("m_known")
        & concerned
        & (~_says_so() | (pl.col("status") == UNLISTED))
    )

    def ids(column: str) -> pl.Expr:
        return pl.col(column).list.eval(pl.element().struct.field("id"))

    lost = (
        rows.filter(pl.col("m_groups").list.len() > 0)
        .with_columns(lost=ids("m_groups").list.set_difference(ids("groups")).list.sort())
        .filter(pl.col("lost").list.len() > 0)
    )
    sign = pl.concat_str(pl.lit("memberships:"), pl.col("lost").list.join(","))
    return _signs(lost, sign, pl.col("access") == NO)


def _without_membership(records: pl.DataFrame) -> pl.DataFrame:
    """Records that get access newly, and that no membership keeps out, nor lets in."""
    newly = pl.col("m_gone").fill_null(False) | pl.col("m_access").ne_missing(pl.lit(YES))
    nowhere = _gains() & newly & (pl.col("groups").list.len() == 0)
    return _signs(records.lazy().filter(nowhere), pl.lit("no membership"))
