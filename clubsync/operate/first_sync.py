"""What a first sync of a reading would do, by the engine's own rules to the end, without a database.

Facts (R3), findings (R22), who gets an email (R7), families (R8) and the plan itself are those of the pipeline, against
an empty club base.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from clubsync.config import ClubConfig
from clubsync.diff import plan, situations
from clubsync.extract import identity
from clubsync.model import BASE, SIGNS, Plan, Policy
from clubsync.store.record_index import RECORD_INDEX
from clubsync.store.snapshots import Snapshot, prepare
from clubsync.validate import affected, facts, suites
from clubsync.validate.policy import policy_of
from clubsync.validate.source import MIRROR
from connectors.sdk.model import Reading

_NOT_STORED = b"tried, not stored"


@dataclass(frozen=True)
class FirstSync:
    """A first sync that was planned.

    :param records: every record with its facts (`validate.facts.evaluate`), its `situation` and the `winner` of its
        email (`diff.situations.resolve`), in the ERP's order.
    :param policy: the club's rules, with the configured groups that are not there.
    """

    records: pl.DataFrame
    plan: Plan
    policy: Policy


def planned(reading: Reading, club: ClubConfig) -> FirstSync:
    """Plan the first sync of a club.

    :param reading: of everything.
    """
    reading = _identified(reading, club)
    customers, content_hash = prepare(reading)
    snapshot = Snapshot(
        club=club.id,
        number=1,
        as_of=reading.as_of,
        certified=reading.certificate.complete,
        customers=customers,
        groups=reading.groups,
        conflicting_ids=reading.conflicting_ids,
        ambiguous_ids=reading.ambiguous_ids,
        content_hash=content_hash,
        path="",
        consistency=str(reading.consistency),
        memberships=reading.memberships.proof if reading.memberships else None,
    )
    policy = affected.with_absent_groups(
        policy_of(club, reading.certificate.complete), reading.groups, customers["groups"]
    )
    records = affected.presented(
        None,
        customers,
        pl.DataFrame(schema=MIRROR),
        snapshot,
        RECORD_INDEX.to_frame(),
        SIGNS.to_frame(),
        pl.DataFrame(schema=affected.ERP_GROUPS),
    )
    records = facts.evaluate(records, reading.groups, policy)
    findings = suites.findings({club.id: (records, policy)})[club.id]
    proof, base = snapshot.head.proof, BASE.to_frame()
    made = plan(records, findings, base, proof)
    resolved = situations.resolve(records, base, proof, None).records
    order = pl.concat(
        [
            reading.customers.select("erp_id"),
            pl.DataFrame({"erp_id": reading.conflicting_ids}, schema={"erp_id": pl.String}),
        ]
    )
    return FirstSync(
        records=order.join(resolved, on="erp_id", how="inner", maintain_order="left"),
        plan=made,
        policy=policy,
    )


def _identified(reading: Reading, club: ClubConfig) -> Reading:
    """The reading with ids (R1), and with its rows without one as records that are nobody's (R14)."""
    ids = reading.customers["erp_id"]
    if len(ids) and ids.null_count() == len(ids):
        customers, unclear, twins = identity.resolve(
            reading.customers,
            [],
            _NOT_STORED,
            placeholders=club.placeholder_emails,
            shared_limit=club.shared_email_limit,
        )
        reading = replace(
            reading, customers=customers, conflicting_ids=unclear, ambiguous_ids=twins
        )
    if reading.without_id is None:
        return reading
    nobodys = identity.rows_without_id(reading.without_id, _NOT_STORED)
    return replace(reading, customers=pl.concat([reading.customers, nobodys]))
