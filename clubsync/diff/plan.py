"""From facts and base to a plan: what to write, nothing else.

The table of cases. A record is in the first situation whose condition holds; `situations.cases` is this
table, in this order. Its customer is the base customer that belongs to the record; only a record in the
situation `new` gets one.

situation        the record ...                             what becomes of its customer               rule
---------------  -----------------------------------------  -----------------------------------------  -------
unseen           was on a page that was lost, or a newer    stays as it is                             R14 R16
                 snapshot has shown it
suspected        has lost, by what a walk shows and does    stays as it is until a second certified    R14
                 not prove, what gives access, or has       reading shows the same
                 taken the email of somebody with access
conflicting      came several times with different content  stays as it is                             R14
unsettled        says what only a certified snapshot may    stays as it is until a later snapshot      R12 R14
                 say, or wants the email of a customer      settles it
                 that stays as it is
id_reused        shows somebody else under a known id       stays as it is until a person decides      R1
undone           is as it was when a person undid what it   keeps access, groups and email; fields     R18
                 had led to                                 follow the ERP
held             falls due for removal, which awaits        keeps access, groups and email; fields     R15
                 approval or was rejected; or takes the     follow the ERP
                 email of somebody held, without a record
merged           has ended in another: the ERP says so, or  moves to the other record, or is absorbed  R10
                 it vanished and its email lives on there   by that record's own customer
gone             is no longer in the ERP                    leaves the Customers group                 R5
without_id       is a row without an id, which is           has none                                   R14
                 nobody's record
not_a_person     is a placeholder of the ERP                leaves the Customers group                 R5
inactive         has a status, or dates, without access     leaves the Customers group                 R3 R5
dependant        shares a family owner's email, or has      leaves the Customers group                 R8
                 an owner and no email
no_access_group  is in no group that gives access           leaves the Customers group                 R3 R5
in_doubt         cannot be evaluated: its status, a group   keeps access and groups, until another     R2 R3
                 or its email is unknown                    record needs its email
duplicate        would be eligible, but another record      leaves the Customers group                 R7 R9
                 gets its email
new              is eligible, and has no customer           comes to it by a merge or by the email     R1 R4
                                                            (adoption), or is added
detached         is eligible; the club has detached the     stays out of the Customers group           R12
                 customer, and nothing activated it since
eligible         is eligible                                is in the Customers group and the groups   R4 R6
                                                            of the record; email and fields follow     R9 R13

A customer that leaves the Customers group leaves the automatic groups too, and may move to a `new` record
that has its email (R1).
"""

from __future__ import annotations

import polars as pl

from clubsync.diff import situations
from clubsync.diff.changes import changed_customers, changes
from clubsync.diff.findings import findings as told
from clubsync.diff.losses import access_losses
from clubsync.diff.mirror import changed_records
from clubsync.diff.outcome import outcomes
from clubsync.diff.reassign import reassign
from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import PRESENT, SEEN, Plan, Proof, Situation


def plan(
    records: pl.DataFrame,
    findings: pl.DataFrame,
    base: pl.DataFrame,
    proof: Proof,
    confirmed: pl.DataFrame | None = None,
    marks: Marks = ONE_CLUB,
) -> Plan:
    """Decide what the base should be, and what has to change for it.

    :param records: facts (`clubsync.validate.facts.evaluate`) of every record in question, with the mirror's side
        as `m_known`, `m_email_norm`, `m_guardian_id`, `m_row_hash`, `m_access`, `m_lapsed`, `m_remembered`,
        `m_birth_date` and `m_` + each of `FIELDS`.
    :param findings: what the suites found of them (`FINDINGS`).
    :param base: `BASE`: base customers with one of these erp_ids or emails.
    :param proof: R14: what of the snapshot may be believed.
    :param confirmed: `SIGNS` that an earlier certified reading has shown; None: there are none.
    :param marks: whether the frames are of several clubs (`clubsync.diff.together`).
    """
    certified = proof.certified
    resolved = situations.resolve(records, base, proof, confirmed, marks)
    reassigned = reassign(resolved, base)
    outcome = outcomes(resolved.records, base, reassigned, certified=certified)
    changed = changes(outcome, marks)
    evaluated = _evaluated(resolved.records, certified)
    return Plan(
        customers=changed_customers(outcome, changed),
        changes=changed,
        losses=access_losses(outcome, resolved.ended),
        findings=told(evaluated, _credible(findings, resolved), outcome, marks),
        evaluated=evaluated["erp_id"],
        records=changed_records(resolved.records, outcome, certified=certified),
        deferred=_deferred(resolved.records),
        suspected=resolved.suspected,
        next_dates=resolved.records.lazy()
        .filter(pl.col("presence") == SEEN)
        .select("erp_id", "next_date")
        .collect(),
    )


def _credible(findings: pl.DataFrame, resolved: situations.Resolved) -> pl.DataFrame:
    """The suites' findings without the duplicates that there are only if what is suspected is true."""
    if resolved.suspected.is_empty():
        return findings
    doubted = pl.col("suspected") | ~pl.col("presence").is_in(PRESENT)
    alone = (
        resolved.records.with_columns(rivals=(~doubted).sum().over("email_norm"))
        .filter(pl.col("suspected").any().over("email_norm") & (pl.col("rivals") < 2))
        .select("erp_id", code=pl.lit("EMAIL_DUPLICATE"))
    )
    return findings.join(alone, on=["erp_id", "code"], how="anti")


def _evaluated(records: pl.DataFrame, certified: bool) -> pl.DataFrame:
    """The records that this plan may speak of, for `findings.findings`."""
    deferred = (pl.col("situation") == Situation.UNSETTLED) & pl.lit(not certified)
    silent = pl.col("situation").is_in([Situation.UNSEEN, Situation.SUSPECTED])
    return (
        records.lazy()
        .filter(~silent & ~deferred)
        .select(
            *("erp_id", "access", "claim", "wins", "winner", "undone", "situation"),
            *("row_hash", "email_norm", "c_in", "blocker", "c_awaits_email_of"),
        )
        .collect()
    )


def _deferred(records: pl.DataFrame) -> pl.Series:
    """erp_ids of the records that a later snapshot, or a person, has to settle."""
    waits = pl.col("situation").is_in(
        [Situation.SUSPECTED, Situation.UNSETTLED, Situation.ID_REUSED]
    )
    return records.lazy().filter(waits).select("erp_id").collect()["erp_id"]
