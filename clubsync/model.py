"""The frames and small types that pass between the stages.

Everything here is plain data: schemas of frames, words with a fixed meaning, and frozen values. It imports
no stage, so that every stage can import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

import polars as pl

from connectors.sdk.model import GROUP_REF, Consistency

#: Metadata of a field that is not stored, and has its default when it is read (`store.packages`).
NOT_STORED = {"stored": False}

YES, NO, UNKNOWN = "yes", "no", "unknown"

#: What the id starts with that stands for a row without an id of a source with ids (finding ID_MISSING): such a
#: record is shown and explained, and is nobody's. Its `status_raw` is the number of the row.
WITHOUT_ID = "~row-"

#: How this reading stands to a record: `seen` in it; `unseen`, known but on a page that was lost;
#: `missing` from a certified walk, which does not prove that it is gone (R14); `vanished`, proved to be
#: gone for the first time; `gone`, since earlier; `conflicting`, there, but with content that contradicts itself.
SEEN, UNSEEN, MISSING, VANISHED, GONE, CONFLICTING = (
    "seen",
    "unseen",
    "missing",
    "vanished",
    "gone",
    "conflicting",
)
#: A word of a few, as a column of one byte a row.
ACCESS = pl.Enum([YES, NO, UNKNOWN])
PRESENCE = pl.Enum([SEEN, UNSEEN, MISSING, VANISHED, GONE, CONFLICTING])
#: The ERP has the record, as far as is known.
PRESENT = (SEEN, UNSEEN, MISSING, CONFLICTING)


class Situation(StrEnum):
    """How a record stands to the club base before a plan changes anything; each is in exactly one.

    The table of cases in `clubsync.diff.plan` says when, and what each becomes.
    """

    UNSEEN = "unseen"
    SUSPECTED = "suspected"
    CONFLICTING = "conflicting"
    UNSETTLED = "unsettled"
    ID_REUSED = "id_reused"
    UNDONE = "undone"
    HELD = "held"
    MERGED = "merged"
    GONE = "gone"
    WITHOUT_ID = "without_id"
    NOT_A_PERSON = "not_a_person"
    INACTIVE = "inactive"
    DEPENDANT = "dependant"
    NO_ACCESS_GROUP = "no_access_group"
    IN_DOUBT = "in_doubt"
    DUPLICATE = "duplicate"
    NEW = "new"
    DETACHED = "detached"
    ELIGIBLE = "eligible"


SITUATION = pl.Enum(Situation)
#: The plan leaves the record's base customer as it is: access, automatic groups and email.
UNCHANGED = (
    Situation.UNSEEN,
    Situation.SUSPECTED,
    Situation.CONFLICTING,
    Situation.UNSETTLED,
    Situation.ID_REUSED,
    Situation.UNDONE,
    Situation.HELD,
)

GROUP_LIST = pl.List(GROUP_REF)

FIELDS = ("first_name", "last_name", "phone")

#: The kinds of change, as counted and audited (R18).
KINDS = (
    "addition",
    "deactivation",
    "reactivation",
    "email_change",
    "profile_change",
    "group_change",
    "merge",
    "adoption",
)

#: Columns of `base`, the base customers in question. `groups` are keys of automatic groups, sorted
#: (`validate.automatic`: the id of the ERP group, unless clubs.yaml says otherwise); `keep` marks
#: who must stay as they are (a hold, R15; a rejected one); `undone` is the record from whose present state
#: a person put them back (R18), else null; `same_person` is the record whose present values, another person's by
#: all they say, a person said are the same person's (R1), else null; `user_email` is the linked user's.
BASE = pl.Schema(
    {
        "customer": pl.Int64(),
        "erp_id": pl.String(),
        "email": pl.String(),
        "email_raw": pl.String(),
        "first_name": pl.String(),
        "last_name": pl.String(),
        "phone": pl.String(),
        "origin": pl.String(),
        "in_customers_group": pl.Boolean(),
        "groups": pl.List(pl.String),
        "reason": pl.String(),
        "detached": pl.Boolean(),
        "linked_user": pl.Int64(),
        "user_email": pl.String(),
        "keep": pl.Boolean(),
        "undone": pl.String(),
        "awaits_email_of": pl.Int64(),
        "same_person": pl.String(),
    }
)
FINDINGS = pl.Schema(
    {"erp_id": pl.String, "code": pl.String, "severity": pl.String, "detail": pl.String}
)
#: erp_id of a finding that is about the club, not about a record of its.
THE_CLUB = ""
CHANGES = pl.Schema(
    {
        "customer": pl.Int64,
        "erp_id": pl.String,
        "kind": pl.String,
        "before": pl.String,
        "after": pl.String,
        "reason": pl.String,
    }
)
#: The consistency of a file that may end too early (`Certificate.settled`), beside those of `Consistency`.
MAY_BE_TRUNCATED = "may be truncated"
#: The sign of a record that is missing from a walk.
ABSENT = "absent"
#: The sign of a record that names another club of the chain, which has not taken it over yet (R29).
MOVED = "moved"
#: What a walk shows of a record and does not prove (`clubsync.diff.suspicion`).
SIGNS = pl.Schema({"erp_id": pl.String, "sign": pl.String})
#: Signs that await a second reading; `loss`: of somebody with access.
SUSPICIONS = pl.Schema({"erp_id": pl.String, "sign": pl.String, "loss": pl.Boolean})
#: R15: whom a plan takes access from, by which kind of change ("deactivation" or "merge"); and those whom it
#: merges by an email, which `loses` tells apart: whether access is lost.
LOSSES = pl.Schema(
    {
        "customer": pl.Int64,
        "erp_id": pl.String,
        "kind": pl.String,
        "reason": pl.String,
        "loses": pl.Boolean,
    }
)
HELD = pl.Schema([*LOSSES.items(), ("cause", pl.String()), ("row_hash", pl.UInt64())])


@dataclass(frozen=True)
class Policy:
    """A club's own rules, and the day they are evaluated on.

    :param today: the club's calendar day (R3).
    :param certified: whether this snapshot may speak of absence, merges and group lists (R14).
    :param access_statuses: ERP statuses that give access.
    :param group_required: whether a record without any group stays out.
    :param former_groups: ids or names of groups of former customers.
    :param phone_centred: the ERP identifies people by phone: a missing email is no error (R22).
    :param placeholder_emails: addresses that are no email (R2), or patterns of them.
    :param shared_email_limit: an address that more unrelated records carry is no email (R2).
    :param access_groups: ids or names of the groups that give access; none: every active group does.
    :param automatic_groups: R4: id or name of an ERP group, and the name of the automatic group that it feeds; None:
        it feeds none. See `validate.automatic`.
    :param absent_groups: the former groups that the ERP, as far as was read, does not have.
    :param absent_access_groups: the same of the groups that give access.
    """

    today: date
    certified: bool = True
    access_statuses: frozenset[str] = frozenset({"active"})
    group_required: bool = False
    former_groups: frozenset[str] = field(default_factory=frozenset)
    phone_centred: bool = False
    placeholder_emails: frozenset[str] = field(default_factory=frozenset)
    shared_email_limit: int = 5
    access_groups: frozenset[str] = field(default_factory=frozenset)
    automatic_groups: tuple[tuple[str, str | None], ...] = ()
    absent_groups: frozenset[str] = field(default_factory=frozenset)
    absent_access_groups: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Proof:
    """What a snapshot proves (R14).

    :param certified: it is complete.
    :param moment: its customers were all there, as they are shown, at one moment.
    :param absence: who is missing from it is not in the ERP.
    :param memberships: a group that a record is not shown in is none of its groups.
    :param joined: memberships are a list of their own, which is not of the moment of the customers'.
    """

    certified: bool
    moment: bool = True
    absence: bool = True
    memberships: bool = True
    joined: bool = False


@dataclass(frozen=True)
class SnapshotHead:
    """A stored snapshot without its frames.

    :param number: sync.snapshot.snapshot; of two snapshots of one moment the higher was read later (R16).
    :param rows: customers in it.
    :param epoch: of the club's source (R1); an earlier one's ids mean other people.
    :param began_at, read_at: when the reading began and had ended, by our own clock.
    :param consistency, memberships: see `sync.snapshot`.
    """

    number: int
    as_of: datetime
    certified: bool
    rows: int
    content_hash: str
    epoch: int
    began_at: datetime
    read_at: datetime
    consistency: str = Consistency.MOMENT
    memberships: str | None = None

    @property
    def proof(self) -> Proof:
        """What it proves."""
        return Proof(
            certified=self.certified,
            moment=self.consistency in (Consistency.MOMENT, MAY_BE_TRUNCATED),
            absence=self.certified and self.consistency in (Consistency.MOMENT, Consistency.BY_ID),
            memberships=self.memberships in (None, Consistency.MOMENT, Consistency.BY_ID),
            joined=self.memberships is not None,
        )

    @property
    def version(self) -> tuple[datetime, int]:
        """What R16 compares: the newer moment wins, of one moment the one read later."""
        return (self.as_of, self.number)


@dataclass(frozen=True)
class Basis:
    """What a plan is based on: a snapshot, and the club base at one revision.

    :param policy_hash: of the rules that `policy` states, and of the engine's own.
    :param revision: of the base that all this was read at.
    :param everything: every record is evaluated, whatever its row hash.
    :param rechecks: the highest sync.recheck that was taken up.
    :param groups: the ERP groups in force: id, name, active.
    :param shown: what the snapshot shows of the records that may change the record index: erp_id, row_hash,
        next_date and email_key as they were, `was` (the row hash before), `marked` (a partial snapshot
        newer than the last certified one has shown the record).
    :param absent: erp_ids of the record index that the snapshot does not show, `newer` among them.
    :param newer: erp_ids that a newer partial snapshot has shown (R16): left as they are.
    :param unknown: erp_ids to recheck that neither snapshot nor mirror has (of a certified snapshot).
    :param record_index: `RECORD_INDEX` at that revision; None: not read in this process.
    """

    snapshot: SnapshotHead
    policy: Policy
    policy_hash: str
    revision: int
    everything: bool
    rechecks: int
    groups_changed: bool
    conflicting_ids: tuple[str, ...]
    groups: pl.DataFrame
    shown: pl.DataFrame
    absent: pl.Series
    newer: pl.Series
    unknown: pl.Series
    record_index: pl.DataFrame | None = field(default=None, metadata=NOT_STORED)


@dataclass(frozen=True)
class Affected:
    """What `validate` hands on: everything that a plan is made from.

    :param records: the records that the snapshot affects, with their facts (`validate.facts.evaluate`).
    :param base: `BASE`.
    :param findings: `FINDINGS`, by the suites.
    :param confirmed: `SIGNS` that an earlier certified reading, ended before this one began, has shown.
    """

    basis: Basis
    records: pl.DataFrame
    base: pl.DataFrame
    findings: pl.DataFrame
    confirmed: pl.DataFrame


@dataclass(frozen=True)
class Plan:
    """What a load writes: each frame holds changed rows only (R17).

    :param customers: base rows after: `customer` (null: new), `new`, and the columns of `BASE` that the
        sync writes.
    :param changes: `CHANGES`; `customer` null for additions; before and after as JSON text.
    :param losses: `LOSSES`: access losses among the changes, and the merges by email (R15).
    :param findings: `FINDINGS`: all that should be open on the `evaluated` records, and on no others of them.
    :param evaluated: erp_ids whose findings were evaluated.
    :param records: mirror rows to write, with `access`, `lapsed`, `remembered`, `next_date`, `presence`.
    :param deferred: erp_ids left for a later snapshot (R14).
    :param suspected: `SUSPICIONS`: what only a second certified reading will settle.
    :param next_dates: erp_id, next_date of every record seen: the day that changes it without the ERP (R3).
    """

    customers: pl.DataFrame
    changes: pl.DataFrame
    losses: pl.DataFrame
    findings: pl.DataFrame
    evaluated: pl.Series
    records: pl.DataFrame
    deferred: pl.Series
    suspected: pl.DataFrame
    next_dates: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Changes by kind, every kind named."""
        found = dict(self.changes.group_by("kind").len().iter_rows())
        return {kind: int(found.get(kind, 0)) for kind in KINDS}


@dataclass(frozen=True)
class Planned:
    """What `diff` hands on: the plan, whole, as it is shown, approved and loaded.

    :param held: `HELD`: access losses awaiting approval, and the merges held with them (R15); not in the plan.
    :param unseen: erp_ids of affected records that the snapshot does not show and may not speak of (R14).
    :param limit: access losses that pass the guard in 24 hours.
    :param customers: in the Customers group before.
    """

    basis: Basis
    plan: Plan
    held: pl.DataFrame
    unseen: pl.Series
    limit: int
    customers: int


#: R26: what a backfill fills an interval from: a snapshot stored then, the ERP's own past, a later complete
#: reading that covers it, or a reading made now.
STORED, FROM_ERP, COVERED, READ_NOW = PAST = ("stored", "from the ERP", "covered", "read now")


class Step(TypedDict):
    """Where one club stands in one run: JSON, ids and counts only.

    :param error: the plain sentence of what went wrong, or None; with it come `remedy`, `runbook`,
        `transient` (trying again soon may help) and `retry_after` (seconds the ERP asked us to wait).
    :param used: False: the reading was older than what is loaded, or dated later than now (R16).
    :param doubts: why the reading is not certified (R14).
    :param suspected: access losses that await a second reading (R14).
    :param counts: changes by kind, after diff; after load also what was written.
    :param held: access losses awaiting approval.
    :param again: a stored snapshot is planned again; nothing is read.
    :param unchanged: nothing of the club has changed since the last load: there is nothing to plan.
    :param past: of a backfill: what its interval was filled from, one of `PAST`.
    :param moving: of a club of a chain: customers who await that another club takes them over (R29).
    :param together: of a club that failed with all of its chain: the ids of the chain's clubs, this one first.
    :param since: of a failed club: when it last began to fail.
    :param until: of a failed club: in quarantine until then.
    :param profile: where its time went so far (`clubsync.store.profile`).
    :param clocked: when the run was due to start, and when its last stage ended: seconds since 1970.
    """

    club: str
    name: str
    run: int | None
    snapshot: int | None
    plan: int | None
    certified: bool
    used: bool
    doubts: list[str]
    suspected: int
    as_of: str | None
    read: int
    counts: dict[str, int]
    rows_written: int
    findings: dict[str, int]
    hold: dict[str, Any] | None
    held: int
    notes: list[str]
    error: str | None
    remedy: str | None
    runbook: str | None
    transient: bool
    retry_after: float | None
    again: NotRequired[bool]
    unchanged: NotRequired[bool]
    past: NotRequired[str]
    moving: NotRequired[int]
    together: NotRequired[list[str]]
    since: NotRequired[str]
    until: NotRequired[str]
    profile: NotRequired[list[float]]
    clocked: NotRequired[list[float]]


def new_step(club: str, name: str) -> Step:
    """The step of a club of which nothing is known yet."""
    return Step(
        club=club,
        name=name,
        run=None,
        snapshot=None,
        plan=None,
        certified=False,
        used=True,
        doubts=[],
        suspected=0,
        as_of=None,
        read=0,
        counts=dict.fromkeys(KINDS, 0),
        rows_written=0,
        findings={},
        hold=None,
        held=0,
        notes=[],
        error=None,
        remedy=None,
        runbook=None,
        transient=False,
        retry_after=None,
    )


@dataclass(frozen=True)
class Origin:
    """The task of Airflow that runs are part of.

    :param index: of a mapped task; -1: it is not mapped.
    """

    dag: str
    run: str
    task: str
    index: int


@dataclass(frozen=True)
class Decision:
    """R15: what a person decided of a hold: on the exact list they saw, known by its hash."""

    hold: int
    list_hash: str
    customers: list[int]
    by: str
    comment: str | None = None
