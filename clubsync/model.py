"""The frames and small types that pass between the stages.

Everything here is plain data: schemas of frames, words with a fixed meaning, and frozen values. It imports
no stage, so that every stage can import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

import polars as pl

from connectors.sdk.model import GROUP_REF

YES, NO, UNKNOWN = "yes", "no", "unknown"

#: How this reading stands to a record: `seen` in it; `unseen`, known but on a page that was lost;
#: `vanished`, missing from a certified reading for the first time; `gone`, missing since earlier;
#: `conflicting`, there, but with content that contradicts itself.
SEEN, UNSEEN, VANISHED, GONE, CONFLICTING = "seen", "unseen", "vanished", "gone", "conflicting"
#: The ERP has the record, as far as is known.
PRESENT = (SEEN, UNSEEN, CONFLICTING)


class Situation(StrEnum):
    """How a record stands to the club base before a plan changes anything; each is in exactly one.

    The table of cases in `clubsync.diff.plan` says when, and what each becomes.
    """

    UNSEEN = "unseen"
    CONFLICTING = "conflicting"
    UNSETTLED = "unsettled"
    ID_REUSED = "id_reused"
    UNDONE = "undone"
    HELD = "held"
    MERGED = "merged"
    GONE = "gone"
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

#: Columns of `base`, the base customers in question. `groups` are ERP group ids, sorted; `keep` marks
#: who must stay as they are (a hold, R15; a rejected one); `undone` is the record from whose present state
#: a person put them back (R18), else null; `user_email` is the linked user's.
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
    }
)
FINDINGS = pl.Schema(
    {"erp_id": pl.String, "code": pl.String, "severity": pl.String, "detail": pl.String}
)
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
HELD = pl.Schema(
    {
        "customer": pl.Int64,
        "erp_id": pl.String,
        "reason": pl.String,
        "cause": pl.String,
        "row_hash": pl.UInt64,
    }
)


@dataclass(frozen=True)
class Policy:
    """A club's own rules, and the day they are evaluated on.

    :param today: the club's calendar day (R3).
    :param certified: whether this snapshot may speak of absence, merges and group lists (R14).
    :param access_statuses: ERP statuses that give access.
    :param group_required: whether a record without any group stays out.
    :param former_groups: ids or names of groups of former customers.
    :param phone_centred: the ERP identifies people by phone: a missing email is no error (R22).
    """

    today: date
    certified: bool = True
    access_statuses: frozenset[str] = frozenset({"active"})
    group_required: bool = False
    former_groups: frozenset[str] = field(default_factory=frozenset)
    phone_centred: bool = False


@dataclass(frozen=True)
class Plan:
    """What a load writes: each frame holds changed rows only (R17).

    :param customers: base rows after: `customer` (null: new), `new`, and the columns of `BASE` that the
        sync writes.
    :param changes: `CHANGES`; `customer` null for additions; before and after as JSON text.
    :param findings: `FINDINGS`: all that should be open on the `evaluated` records, and on no others of them.
    :param evaluated: erp_ids whose findings were evaluated.
    :param records: mirror rows to write, with `access`, `lapsed`, `remembered`, `next_date`, `presence`.
    :param deferred: erp_ids left for a later snapshot (R14).
    :param next_dates: erp_id, next_date of every record seen: the day that changes it without the ERP (R3).
    """

    customers: pl.DataFrame
    changes: pl.DataFrame
    findings: pl.DataFrame
    evaluated: pl.Series
    records: pl.DataFrame
    deferred: pl.Series
    next_dates: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Changes by kind, every kind named."""
        found = dict(self.changes.group_by("kind").len().iter_rows())
        return {kind: int(found.get(kind, 0)) for kind in KINDS}


#: R26: what a backfill fills an interval from: a snapshot stored then, the ERP's own past, a later complete
#: reading that covers it, or a reading made now.
STORED, FROM_ERP, COVERED, READ_NOW = PAST = ("stored", "from the ERP", "covered", "read now")


class Step(TypedDict):
    """Where one club stands in one run: JSON, ids and counts only.

    :param error: the plain sentence of what went wrong, or None; with it come `remedy`, `runbook`,
        `transient` (trying again soon may help) and `retry_after` (seconds the ERP asked us to wait).
    :param counts: changes by kind, after diff; after load also what was written.
    :param held: deactivations awaiting approval.
    :param again: a stored snapshot is planned again; nothing is read.
    :param past: of a backfill: what its interval was filled from, one of `PAST`.
    :param since: of a failed club: when it last began to fail.
    :param until: of a failed club: in quarantine until then.
    """

    club: str
    name: str
    run: int | None
    snapshot: int | None
    plan: int | None
    certified: bool
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
    past: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]


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
