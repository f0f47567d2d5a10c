"""The queries of `sql/queries/` with the types that PostgreSQL finds for them.

Written by `make queries`; tests/sql compares it with the database. A column may be None unless the query rules
that out; a parameter, where the query asks about it or its header says so. There is no module: import what is
here under TYPE_CHECKING.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypedDict
from uuid import UUID

from psycopg import Connection

Driver = Connection[Any]

class RecordsByIdRow(TypedDict):
    erp_id: str
    email: str | None
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str
    status_raw: str | None
    groups: str
    remembered: str
    valid_from: date | None
    valid_until: date | None
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    is_company: bool
    placeholder: bool
    unreadable: str
    row_hash: int
    as_of: datetime
    snapshot: int
    gone: bool
    access: str
    lapsed: bool
    former: bool

class AllRecordsRow(TypedDict):
    erp_id: str
    email: str | None
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str
    status_raw: str | None
    groups: str
    remembered: str
    valid_from: date | None
    valid_until: date | None
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    is_company: bool
    placeholder: bool
    unreadable: str
    row_hash: int
    as_of: datetime
    snapshot: int
    gone: bool
    access: str
    lapsed: bool
    former: bool

class FormerRecordsRow(TypedDict):
    erp_id: str

class RelatedIdsRow(TypedDict):
    erp_id: str

class CustomersByRecordRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    origin: str
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    detached: bool
    linked_user: int | None
    user_email: str | None

class AllCustomersRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    origin: str
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    detached: bool
    linked_user: int | None
    user_email: str | None

class RechecksRow(TypedDict):
    recheck: int
    erp_id: str | None
    email: str | None

class SuspicionsRow(TypedDict):
    erp_id: str
    sign: str
    snapshot: int
    read_at: datetime

class SuspicionsOfRow(TypedDict):
    sign: str
    read_at: datetime

class UnsettledRecordsRow(TypedDict):
    erp_id: str

class HeldCustomersRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    by_email: bool

class OpenFindingsOfRow(TypedDict):
    finding: int
    erp_id: str
    code: str
    severity: str
    detail: str

class RecordsWithFindingRow(TypedDict):
    erp_id: str

class OpenFindingsAllRow(TypedDict):
    finding: int
    erp_id: str
    code: str
    severity: str
    detail: str

class PeopleByIdRow(TypedDict):
    erp_id: str
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None

class PeopleToIdentifyRow(TypedDict):
    erp_id: str
    email_norm: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    birth_date: date | None
    gone: bool
    row_hash: int

class BatchStatesRow(TypedDict):
    club: int
    revision: int
    policy_hash: str | None
    certified_as_of: datetime | None
    certified_snapshot: int | None
    certified_rows: int | None
    content_hash: str | None
    next_recheck: date | None
    last_snapshot: int | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    next_read_at: datetime | None
    failing_since: datetime | None
    failures: int
    last_error: str | None
    paused: bool
    confirmed_empty: bool
    confirmed_same_club: bool
    hash_key: UUID
    epoch: int
    reviewed: bool
    remove_at: datetime | None
    similar_upto: str | None
    quarantined_until: datetime | None
    certified_at: datetime | None
    reviewed_plan: str | None

class BatchSnapshotsRow(TypedDict):
    club: int
    snapshot: int
    as_of: datetime
    read_at: datetime
    certified: bool
    doubts: list[str]
    customers: int
    rows_read: int
    content_hash: str
    path: str
    epoch: int
    columns: list[str]
    column_of: dict[str, str]
    file: dict[str, Any] | None
    began_at: datetime | None
    consistency: str
    memberships: str | None
    digested: bool
    reading_hash: bytes | None

class BatchDoubtsRow(TypedDict):
    club: int
    rechecks: bool
    held: bool
    decided: bool
    unclear: bool
    erasures: bool

class BatchGroupsRow(TypedDict):
    club: int | None
    id: str | None
    name: str | None
    active: bool | None
    listed: bool
    group_id: int | None
    key: str | None

class BatchRecordIndexRow(TypedDict):
    club: int
    vector: bytes

class BatchRechecksRow(TypedDict):
    club: int
    recheck: int
    erp_id: str | None
    email: str | None

class BatchHeldRow(TypedDict):
    club: int
    customer: int
    erp_id: str | None
    email: str | None
    by_email: bool

class BatchSuspicionsRow(TypedDict):
    club: int
    erp_id: str
    sign: str
    snapshot: int
    read_at: datetime

class BatchMovesUnderWayRow(TypedDict):
    club: int
    erp_id: str

class BatchFormerRecordsRow(TypedDict):
    club: int
    erp_id: str

class BatchRecordsRow(TypedDict):
    club: int
    erp_id: str
    email: str | None
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str
    status_raw: str | None
    groups: str
    remembered: str
    valid_from: date | None
    valid_until: date | None
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    is_company: bool
    placeholder: bool
    unreadable: str
    row_hash: int
    as_of: datetime
    snapshot: int
    gone: bool
    access: str
    lapsed: bool
    former: bool

class BatchAllRecordsRow(TypedDict):
    club: int
    erp_id: str
    email: str | None
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str
    status_raw: str | None
    groups: str
    remembered: str
    valid_from: date | None
    valid_until: date | None
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    is_company: bool
    placeholder: bool
    unreadable: str
    row_hash: int
    as_of: datetime
    snapshot: int
    gone: bool
    access: str
    lapsed: bool
    former: bool

class BatchCustomersRow(TypedDict):
    club: int
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    origin: str
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    detached: bool
    linked_user: int | None
    user_email: str | None

class BatchAllCustomersRow(TypedDict):
    club: int
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    origin: str
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    detached: bool
    linked_user: int | None
    user_email: str | None

class BatchRelatedRow(TypedDict):
    club: int
    erp_id: str

class ChainsReadRow(TypedDict):
    chain: str
    name: str
    erp: str
    read_at: datetime
    certified: bool

class ChainFindingsRow(TypedDict):
    erp_id: str
    word: str
    records: int
    since: datetime

class ClubUnknownRow(TypedDict):
    word: str | None
    since: datetime | None

class ChainCountsRow(TypedDict):
    chain: str
    records: int

class MovesFromRow(TypedDict):
    erp_id: str

class MovesUnderWayRow(TypedDict):
    erp_id: str

class RegisteredClubsRow(TypedDict):
    club_id: str
    club: int
    name: str
    erp: str

class ClubRow(TypedDict):
    club: int
    club_id: str
    name: str
    erp: str
    created_at: datetime

class ClubNumbersRow(TypedDict):
    club_id: str
    club: int

class ClubStatesRow(TypedDict):
    club_id: str
    last_attempt_at: datetime | None
    next_read_at: datetime | None
    paused: bool
    failing_since: datetime | None
    last_success_at: datetime | None
    certified_as_of: datetime | None
    last_error: str | None

class ClubStateRow(TypedDict):
    club: int
    revision: int
    policy_hash: str | None
    certified_as_of: datetime | None
    certified_snapshot: int | None
    certified_rows: int | None
    content_hash: str | None
    next_recheck: date | None
    last_snapshot: int | None
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    next_read_at: datetime | None
    failing_since: datetime | None
    failures: int
    last_error: str | None
    paused: bool
    confirmed_empty: bool
    confirmed_same_club: bool
    hash_key: UUID
    epoch: int
    reviewed: bool
    remove_at: datetime | None
    similar_upto: str | None
    quarantined_until: datetime | None
    certified_at: datetime | None
    reviewed_plan: str | None

class RecordIndexPartsRow(TypedDict):
    vector: bytes

class RecordIndexSizesRow(TypedDict):
    patches: int
    patch_bytes: int
    whole_bytes: int

class DigestStatesRow(TypedDict):
    club: int
    club_id: str
    silent: bool
    day: date | None
    pending: int | None
    attempts: int | None
    tried_at: datetime | None

class DigestTroublesRow(TypedDict):
    club_id: str
    club: int
    since: datetime
    problem: str

class DigestCountsRow(TypedDict):
    what: str
    code: str
    severity: str
    findings: int
    oldest: datetime | None

class DigestPeopleRow(TypedDict):
    what: str
    code: str
    severity: str
    erp_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    since: datetime | None

class DigestOfDayRow(TypedDict):
    digest: int
    state: str
    sent_at: datetime | None
    problem: str | None
    remedy: str | None

class BeginDigestRow(TypedDict):
    message_id: str
    made_at: datetime
    attempts: int
    uncertain: int
    delivered: list[str]
    refused: list[str]

class ErasedHashesRow(TypedDict):
    key_hash: str

class ErasedEmailsRow(TypedDict):
    key_hash: str
    recent: bool

class ErasuresByHashRow(TypedDict):
    erasure: int

class ErasureOfPersonRow(TypedDict):
    ordered_at: datetime
    run: int

class ErasureRow(TypedDict):
    erasure: int
    run: int
    ordered_at: datetime
    actor: str
    customers: list[int]
    ids: list[str]
    records: int
    files: int
    snapshot: int
    deleted_by: str
    completed_at: datetime | None

class ErasuresRow(TypedDict):
    erasure: int
    ordered_at: datetime
    actor: str
    completed_at: datetime | None
    customers: int
    records: int
    files: int
    remaining: int
    unreachable: int

class OpenErasuresRow(TypedDict):
    club: int
    club_id: str
    name: str
    erasure: int

class ErasureHashesRow(TypedDict):
    key_hash: str

class ErasurePartsRow(TypedDict):
    kind: str
    name: str
    tried_at: datetime | None
    problem: str | None
    remedy: str | None

class OpenTransactionsRow(TypedDict):
    pid: int | None
    xact_start: datetime | None

class CleanedSinceRow(TypedDict):
    name: str

class ColumnsRow(TypedDict):
    attname: str

class MergedRecordsRow(TypedDict):
    erp_id: str
    customer: int | None

class FindingsNamingRow(TypedDict):
    finding: int
    detail: dict[str, Any]

class RecordsNamingRow(TypedDict):
    erp_id: str

class SnapshotPathsRow(TypedDict):
    path: str

class CustomersRow(TypedDict):
    id: int
    erp_id: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    in_customers_group: bool
    groups: list[str]
    manual_groups: list[str]
    reason: str | None
    origin: str
    detached: bool
    link: str

class FindingsRow(TypedDict):
    code: str
    erp_id: str | None
    email: str | None
    severity: str
    detail: dict[str, Any]
    since: datetime
    run: int
    closed_at: datetime | None

class ChangesRow(TypedDict):
    run: int
    at: datetime
    kind: str
    customer: int
    erp_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None

class ClubOverviewRow(TypedDict):
    club_id: str
    last_success_at: datetime | None
    certified_as_of: datetime | None
    failing_since: datetime | None
    quarantined_until: datetime | None
    last_error: str | None
    paused: bool
    first_sync_waits: bool
    doubts: list[str] | None
    customers: int
    findings: int
    held: int

class HoldsRow(TypedDict):
    hold: int
    run: int
    opened_at: datetime
    state: str
    version: int
    list_hash: str
    causes: list[str]
    limit_was: int
    deactivations: int

class FindPersonRow(TypedDict):
    erp_id: str | None
    customer: int | None

class PeopleOfClubByNameRow(TypedDict):
    erp_id: str | None
    customer: int | None
    first_name: str | None
    last_name: str | None
    email: str | None
    in_customers_group: bool

class RecordRow(TypedDict):
    erp_id: str
    email: str | None
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    status: str
    status_raw: str | None
    groups: list[dict[str, Any]]
    remembered: list[dict[str, Any]]
    valid_from: date | None
    valid_until: date | None
    guardian_id: str | None
    replaced_by: str | None
    placeholder: bool
    as_of: datetime
    first_seen: datetime
    gone_at: datetime | None
    access: str

class CustomerRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    in_customers_group: bool
    reason: str | None
    reason_at: datetime | None
    detached_at: datetime | None
    origin: str
    created_at: datetime
    link: str

class OpenFindingsForRow(TypedDict):
    code: str
    severity: str
    detail: dict[str, Any]
    since: datetime
    run: int

class RowsWithoutIdRow(TypedDict):
    erp_id: str
    email_norm: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None

class WordsOfFindingsRow(TypedDict):
    word: str
    records: int
    different: int

class AllFindingsForRow(TypedDict):
    code: str
    severity: str
    detail: dict[str, Any]
    since: datetime
    run: int
    closed_at: datetime | None
    closed_run: int | None

class ChangesOfRow(TypedDict):
    run: int
    at: datetime
    kind: str
    erp_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    actor: str | None

class HeldCustomerRow(TypedDict):
    hold: int
    opened_at: datetime
    cause: str

class LastReadingRow(TypedDict):
    as_of: datetime
    certified: bool
    doubts: list[str]
    customers: int

class LastCertifiedRow(TypedDict):
    as_of: datetime
    customers: int | None

class RecordsWithFindingsRow(TypedDict):
    erp_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    valid_from: date | None
    valid_until: date | None
    groups: list[str]
    findings: list[dict[str, Any]]
    since: datetime

class RecordsOfHoldRow(TypedDict):
    erp_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    status: str | None
    guardian_id: str | None
    replaced_by: str | None
    created_at: datetime | None
    valid_from: date | None
    valid_until: date | None
    groups: list[str]
    cause: str
    loses: bool
    since: datetime

class PeopleCalledRow(TypedDict):
    erp_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None

class ExportColumnsRow(TypedDict):
    columns: list[str]
    column_of: dict[str, str]

class AccountOfEmailRow(TypedDict):
    user_id: int
    confirmed: bool
    created_at: datetime

class AccountOfCustomerRow(TypedDict):
    user_id: int
    email: str | None
    confirmed: bool

class CustomerOfAccountRow(TypedDict):
    customer: int
    erp_id: str | None

class LastRequestOfAccountRow(TypedDict):
    request_id: int
    state: str
    customer: int | None
    created_at: datetime
    decided_at: datetime | None

class MovedFromRow(TypedDict):
    customer: int
    at: datetime
    run: int
    erp_id: str | None

class DecidedHoldsOfRow(TypedDict):
    hold: int
    state: str
    decided_at: datetime
    decided_by: str | None
    cause: str
    until: datetime | None

class ProfiledRunRow(TypedDict):
    run: int
    club: str
    name: str
    erp: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    airflow_run: str | None
    profile: list[float] | None

class ProfiledRunsRow(TypedDict):
    run: int
    club: str
    name: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    airflow_run: str | None
    profile: list[float]

class FeedEntriesRow(TypedDict):
    position: int
    mark: int
    club: int
    run: int
    club_id: str

class FeedEntriesOfClubRow(TypedDict):
    position: int
    mark: int
    club: int
    run: int
    club_id: str

class LastFeedEntryRow(TypedDict):
    position: int
    mark: int
    club: int
    run: int

class FeedChangesRow(TypedDict):
    position: int
    change: int
    club: int
    run: int
    at: datetime
    kind: str
    customer: int
    erp_id: str | None
    reason: str | None
    access: bool | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

class ClubsInFeedRow(TypedDict):
    club: int

class OpenHoldRow(TypedDict):
    club: int
    hold: int
    run: int
    opened_at: datetime
    state: str
    version: int
    list_hash: str
    causes: list[str]
    limit_was: int
    decided_at: datetime | None
    decided_by: str | None
    decided_hash: str | None
    comment: str | None

class FindHoldRow(TypedDict):
    club: int
    hold: int
    run: int
    opened_at: datetime
    state: str
    version: int
    list_hash: str
    causes: list[str]
    limit_was: int
    decided_at: datetime | None
    decided_by: str | None
    decided_hash: str | None
    comment: str | None
    club_id: str

class HoldVersionByHashRow(TypedDict):
    club: int
    hold: int
    version: int
    list_hash: str
    size: int
    made_at: datetime
    asked_at: datetime | None

class HoldVersionByNumberRow(TypedDict):
    club: int
    hold: int
    version: int
    list_hash: str
    size: int
    made_at: datetime
    asked_at: datetime | None

class CurrentMembersRow(TypedDict):
    customer: int
    erp_id: str | None
    kind: str
    reason: str
    loses: bool
    cause: str
    row_hash: int | None

class OpenMembersRow(TypedDict):
    customer: int
    erp_id: str | None
    kind: str
    reason: str
    loses: bool
    cause: str
    row_hash: int | None

class MembersAtRow(TypedDict):
    customer: int
    erp_id: str | None
    kind: str
    reason: str
    loses: bool
    cause: str
    row_hash: int | None
    left_version: int | None

class RejectedMembersRow(TypedDict):
    customer: int
    erp_id: str | None
    row_hash: int | None
    until: datetime

class SamePeopleRow(TypedDict):
    customer: int
    erp_id: str
    row_hash: int

class UndoneCustomersRow(TypedDict):
    customer: int
    erp_id: str | None
    row_hash: int | None
    run: int

class FirstSyncPlanRow(TypedDict):
    plan: int
    run: int
    snapshot: int
    list_hash: str
    counts: dict[str, int]
    made_at: datetime
    path: str

class FirstSyncPlansRow(TypedDict):
    club_id: str
    run: int
    list_hash: str
    counts: dict[str, int]

class FirstSyncsWithoutRequestRow(TypedDict):
    club: int
    club_id: str
    plan: str

class ObsoleteFirstSyncsRow(TypedDict):
    club: int
    club_id: str
    run_id: str
    plan: str | None

class ClubsToRemoveRow(TypedDict):
    club: int
    club_id: str

class RemovedClubsRow(TypedDict):
    club_id: str
    back: bool

class GroupNumbersRow(TypedDict):
    id: str
    group_id: int

class OpenFindingCountsRow(TypedDict):
    code: str
    n: int

class LoginStateRow(TypedDict):
    lifts: bool | None
    made: bool
    admitted: list[str]

class FindCustomerRow(TypedDict):
    club: int
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    origin: str
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    reason_at: datetime | None
    detached_at: datetime | None
    linked_user: int | None
    created_at: datetime
    updated_at: datetime
    access: str | None
    row_hash: int | None
    gone_at: datetime | None
    undone: int | None
    reused: bool

class ReusedIdsRow(TypedDict):
    erp_id: str
    since: datetime
    customer: int
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    birth_date: date | None

class ReusedIdRow(TypedDict):
    customer: int
    row_hash: str | None

class UnsettledRow(TypedDict):
    erp_id: str

class FindUserRow(TypedDict):
    user_id: int
    email: str | None
    email_raw: str | None
    confirmed: bool
    provider: str
    created_at: datetime

class ConfirmedUserRow(TypedDict):
    user_id: int
    email: str
    email_raw: str | None
    confirmed: bool
    provider: str
    created_at: datetime

class ClubsOfUserRow(TypedDict):
    club: int

class CustomerOfUserRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None

class RequestsRow(TypedDict):
    id: int
    user: int
    email: str | None
    confirmed: bool
    state: str
    customer: int | None
    created_at: datetime
    decided_at: datetime | None

class FindRequestRow(TypedDict):
    club: int
    request_id: int
    user_id: int
    state: str
    customer: int | None
    created_at: datetime
    decided_at: datetime | None
    email: str | None
    email_raw: str | None
    confirmed: bool

class ClubFreshnessRow(TypedDict):
    club_id: str
    created_at: datetime
    last_success_at: datetime | None
    certified_as_of: datetime | None
    paused: bool
    failing_since: datetime | None
    quarantined_until: datetime | None
    certified_at: datetime | None

class OpenIncidentsRow(TypedDict):
    club: int
    kind: str

class UnreportedIncidentsRow(TypedDict):
    club_id: str
    club: int
    incident: int
    kind: str
    since: datetime | None
    opened_at: datetime
    mended_at: datetime | None
    last_error: str | None

class NudgedClubsRow(TypedDict):
    club_id: str
    nudge: int

class HoldsWithoutRequestRow(TypedDict):
    club: int
    club_id: str
    hold: int
    version: int

class ObsoleteRequestsRow(TypedDict):
    club: int
    club_id: str
    run_id: str
    hold: int
    version: int | None

class RequestOfRunRow(TypedDict):
    club: int
    asked_at: datetime
    newest: bool

class UndecidedHoldsRow(TypedDict):
    club: int
    club_id: str
    hold: int
    opened_at: datetime
    causes: list[str]
    losing: int
    customers: int
    reminded_at: datetime | None

class RemindersOfHoldRow(TypedDict):
    sent_at: datetime
    told: str

class RequestOfHoldRow(TypedDict):
    version: int | None
    asked_at: datetime

class OperationCountsRow(TypedDict):
    paused: int
    failing: int
    quarantined: int
    held: int

class DueTimesRow(TypedDict):
    club_id: str
    next_read_at: datetime | None
    paused: bool
    failing: bool

class FindActionRow(TypedDict):
    act: int
    at: datetime
    actor: str
    kind: str
    detail: dict[str, Any]
    people: list[str]
    outcome: str
    told: str | None

class RecentActionsRow(TypedDict):
    act: int
    at: datetime
    actor: str
    kind: str
    detail: dict[str, Any]
    people: list[str]
    outcome: str
    told: str | None

class ClubBoardRow(TypedDict):
    states: dict[str, int]
    erps: dict[str, int]
    club: int | None
    state: str | None
    customers: int | None
    findings: int | None
    certified_at: datetime | None
    club_id: str | None
    name: str | None
    erp: str | None
    created_at: datetime | None
    last_success_at: datetime | None
    certified_as_of: datetime | None
    next_read_at: datetime | None
    failing_since: datetime | None
    quarantined_until: datetime | None
    last_error: str | None
    remove_at: datetime | None

class ReasonsOfClubsRow(TypedDict):
    club: int
    failed_run: int | None
    runbook: str | None
    failures: int | None
    hold: int | None
    causes: list[str] | None
    held: int | None
    first_run: int | None
    additions: int | None
    suspected: int | None
    paused_at: datetime | None
    paused_by: str | None
    read_run: int | None
    doubts: list[str] | None

class FailuresByErpRow(TypedDict):
    erp: str
    clubs: int
    failing: int
    failures: int

class FailingClubsByRunbookRow(TypedDict):
    runbook: str
    clubs: int

class ClubsFailingByRunbookRow(TypedDict):
    club_id: str
    name: str
    failing_since: datetime
    error: str | None
    total: int

class LastFailedRunRow(TypedDict):
    run: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    stage: str | None
    plan: int | None
    read: int | None
    counts: dict[str, int]
    rows_written: int
    used: bool
    suspected: int
    error: str | None
    remedy: str | None
    runbook: str | None
    airflow_dag: str | None
    airflow_run: str | None
    airflow_task: str | None
    airflow_index: int | None
    profile: list[float] | None
    certified: bool | None
    doubts: list[str] | None
    as_of: datetime | None

class ChangesByPartOfDayRow(TypedDict):
    club: int
    parts: list[int]
    changes: list[int]

class ClubFactsRow(TypedDict):
    name: str
    erp: str
    created_at: datetime
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    next_read_at: datetime | None
    certified_at: datetime | None
    certified_as_of: datetime | None
    failing_since: datetime | None
    failures: int
    quarantined_until: datetime | None
    last_error: str | None
    paused: bool
    remove_at: datetime | None
    similar_upto: str | None
    first_sync_waits: bool
    customers: int
    findings: int
    hold: int | None
    similar: int

class ReadingsByHourRow(TypedDict):
    hour: datetime
    readings: int
    failed: int
    complete: int

class ChangesByHourRow(TypedDict):
    hour: datetime
    kind: str
    changes: int

class RunsOfRow(TypedDict):
    run: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    stage: str | None
    plan: int | None
    read: int | None
    counts: dict[str, int]
    rows_written: int
    used: bool
    suspected: int
    error: str | None
    remedy: str | None
    runbook: str | None
    airflow_dag: str | None
    airflow_run: str | None
    airflow_task: str | None
    airflow_index: int | None
    profile: list[float] | None
    certified: bool | None
    doubts: list[str] | None
    as_of: datetime | None
    read_at: datetime | None

class ChangesOfRunPageRow(TypedDict):
    change: int
    at: datetime
    kind: str
    customer: int
    erp_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    actor: str | None

class ChangesOfRunByKindRow(TypedDict):
    kind: str
    changes: int

class PlanOfRunRow(TypedDict):
    plan: int
    list_hash: str
    made_at: datetime
    counts: dict[str, int]
    customers: int
    held: int
    path: str
    loaded_at: datetime | None

class RunsOfAirflowRow(TypedDict):
    club_id: str
    name: str
    run: int
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    stage: str | None
    read: int | None
    counts: dict[str, int]
    rows_written: int
    used: bool
    suspected: int
    error: str | None
    remedy: str | None
    runbook: str | None
    airflow_dag: str
    airflow_run: str
    airflow_task: str | None
    airflow_index: int | None
    profile: list[float] | None
    certified: bool | None
    doubts: list[str] | None
    as_of: datetime | None
    read_at: datetime | None

class FindingGroupsRow(TypedDict):
    code: str
    severity: str
    findings: int
    oldest: datetime

class FindingsOfCodeRow(TypedDict):
    code: str
    severity: str
    detail: dict[str, Any]
    since: datetime
    run: int
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None

class FindingBoardRow(TypedDict):
    codes: dict[str, int]
    total: int
    club_id: str | None
    name: str | None
    erp: str | None
    code: str | None
    findings: int | None
    oldest: datetime | None
    place: int | None

class ErpsRow(TypedDict):
    erp: str

class GroupsWithCountsRow(TypedDict):
    name: str
    kind: str
    active: bool | None
    listed: bool | None
    customers: int

class HoldBoardRow(TypedDict):
    club_id: str
    name: str
    erp: str
    hold: int
    opened_at: datetime
    state: str
    version: int
    list_hash: str
    causes: list[str]
    limit_was: int
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    customers: int
    size: int | None
    total: int

class HoldsOfRow(TypedDict):
    hold: int
    opened_at: datetime
    state: str
    causes: list[str]
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    size: int | None

class CausesOfHoldRow(TypedDict):
    cause: str
    people: int
    losing: int

class PeopleOfHoldRow(TypedDict):
    customer: int
    erp_id: str | None
    reason: str
    cause: str
    first_name: str | None
    last_name: str | None
    email: str | None

class ClubsOfPersonRow(TypedDict):
    club_id: str
    name: str
    erp_id: str | None
    customer: int | None

class CustomersOfRosterRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    in_customers_group: bool

class ClubsOfAccountRow(TypedDict):
    club_id: str
    name: str
    erp_id: str | None
    customer: int | None

class PeopleByNameRow(TypedDict):
    club_id: str
    name: str
    erp_id: str | None
    customer: int | None
    first_name: str | None
    last_name: str | None
    email: str | None
    in_customers_group: bool

class PeopleByKeyRow(TypedDict):
    erp_id: str
    customer: int | None
    first_name: str | None
    last_name: str | None
    email: str | None
    in_customers_group: bool

class PersonRow(TypedDict):
    customer: int | None
    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    origin: str | None
    in_customers_group: bool
    status: str | None
    status_raw: str | None
    gone_at: datetime | None

class RecordsOfEmailRow(TypedDict):
    erp_id: str | None
    holds: bool

class PairsOfPersonRow(TypedDict):
    other: str
    reasons: list[str]

class RequestsOfPersonRow(TypedDict):
    id: int
    created_at: datetime

class PendingRequestsRow(TypedDict):
    id: int
    created_at: datetime
    email: str | None
    confirmed: bool

class SimilarPairsPageRow(TypedDict):
    score: float
    reasons: list[str]
    total: int
    a_erp_id: str
    a_first_name: str | None
    a_last_name: str | None
    a_email: str | None
    a_phone: str | None
    a_birth_date: date | None
    a_status: str
    a_access: bool
    b_erp_id: str
    b_first_name: str | None
    b_last_name: str | None
    b_email: str | None
    b_phone: str | None
    b_birth_date: date | None
    b_status: str
    b_access: bool

class HashKeysRow(TypedDict):
    club: int
    club_id: str
    hash_key: UUID

class ClubsThatErasedRow(TypedDict):
    club_id: str

class OldSnapshotsRow(TypedDict):
    snapshot: int
    path: str

class OldPlansRow(TypedDict):
    plan: int
    path: str

class RunsWithoutPlanRow(TypedDict):
    run: int

class FoldersRow(TypedDict):
    path: str

class UnusedFoldersRow(TypedDict):
    path: str

class ClubsWithRunningRunsRow(TypedDict):
    club: int

class LoadedRunRow(TypedDict):
    state: str
    plan: int | None
    counts: dict[str, int]
    rows: int
    used: bool
    suspected: int

class AddSnapshotRow(TypedDict):
    snapshot: int
    began_at: datetime | None
    read_at: datetime
    consistency: str
    memberships: str | None

class ComparableReadingRow(TypedDict):
    epoch: int
    hash_key: UUID
    certified_as_of: datetime | None
    snapshot: int | None
    path: str | None
    customers: int | None
    reading_hash: bytes | None
    orders: int
    erased: str

class AddSameSnapshotRow(TypedDict):
    snapshot: int
    customers: int

class SnapshotRow(TypedDict):
    club: int
    snapshot: int
    as_of: datetime
    read_at: datetime
    certified: bool
    doubts: list[str]
    customers: int
    rows_read: int
    content_hash: str
    path: str
    epoch: int
    columns: list[str]
    column_of: dict[str, str]
    file: dict[str, Any] | None
    began_at: datetime | None
    consistency: str
    memberships: str | None
    digested: bool
    reading_hash: bytes | None

class SnapshotsBetweenRow(TypedDict):
    club: int
    snapshot: int
    as_of: datetime
    read_at: datetime
    certified: bool
    doubts: list[str]
    customers: int
    rows_read: int
    content_hash: str
    path: str
    epoch: int
    columns: list[str]
    column_of: dict[str, str]
    file: dict[str, Any] | None
    began_at: datetime | None
    consistency: str
    memberships: str | None
    digested: bool
    reading_hash: bytes | None

class NewestSnapshotInRow(TypedDict):
    club: int
    snapshot: int
    as_of: datetime
    read_at: datetime
    certified: bool
    doubts: list[str]
    customers: int
    rows_read: int
    content_hash: str
    path: str
    epoch: int
    columns: list[str]
    column_of: dict[str, str]
    file: dict[str, Any] | None
    began_at: datetime | None
    consistency: str
    memberships: str | None
    digested: bool
    reading_hash: bytes | None

class PlansRow(TypedDict):
    plan: int
    run: int
    made_at: datetime
    counts: dict[str, int]
    customers: int
    held: int
    path: str

class ErpGroupsRow(TypedDict):
    id: str | None
    name: str | None
    active: bool | None
    listed: bool
    group_id: int | None
    key: str | None

class SimilarPeopleRow(TypedDict):
    erp_id: str
    first_name: str | None
    last_name: str | None
    phone: str | None
    birth_date: date | None
    email: str | None
    guardian_id: str | None
    replaced_by: str | None
    stands: bool

class NextToCompareRow(TypedDict):
    erp_id: str

class SimilarBlocksRow(TypedDict):
    key: int
    erp_id: str

class SimilarCandidatesRow(TypedDict):
    a: str
    a_first_name: str | None
    a_last_name: str | None
    a_phone: str | None
    a_birth_date: date | None
    a_email: str | None
    b: str
    b_first_name: str | None
    b_last_name: str | None
    b_phone: str | None
    b_birth_date: date | None
    b_email: str | None
    crowded: bool

class SimilarPartnersRow(TypedDict):
    a: str
    b: str

class SimilarPairsOfRow(TypedDict):
    a: str
    b: str

class IgnoredPairsRow(TypedDict):
    a: str
    b: str

class WriteSimilarPairs(TypedDict):
    club: int
    a: str
    b: str
    score: float
    reasons: list[str]

class SimilarPairsRow(TypedDict):
    score: float
    reasons: list[str]
    since: datetime | None
    a_erp_id: str
    a_first_name: str | None
    a_last_name: str | None
    a_email: str | None
    a_phone: str | None
    a_birth_date: date | None
    a_access: bool
    b_erp_id: str
    b_first_name: str | None
    b_last_name: str | None
    b_email: str | None
    b_phone: str | None
    b_birth_date: date | None
    b_access: bool

class FindRecordsRow(TypedDict):
    erp_id: str
    customer: int | None

class StoredFilesRow(TypedDict):
    name: str
    digests: list[str]

class StoredFoldersRow(TypedDict):
    path: str

class FindRunRow(TypedDict):
    club: int
    run: int
    started_at: datetime
    trigger: str
    club_id: str

class ChangesToUndoRow(TypedDict):
    customer: int
    erp_id: str | None
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

class CustomersByNumberRow(TypedDict):
    customer: int
    erp_id: str | None
    email: str | None
    email_raw: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    in_customers_group: bool
    auto_groups: list[int]
    reason: str | None
    detached: bool
    linked_user: int | None

class ConflictingCustomersRow(TypedDict):
    customer: int
    email: str | None
    erp_id: str | None
    linked_user: int | None

class WaitingUndosRow(TypedDict):
    customer: int
    erp_id: str | None
    row_hash: int | None
    run: int
    holder: int | None

class DeleteUndoneRow(TypedDict):
    customer: int

class LanesToServeRow(TypedDict):
    club: int

class LaneRow(TypedDict):
    club: int
    webhook: str
    position: int
    change: int
    mark: int
    more: bool
    delivered_at: datetime | None
    message: str | None
    made_at: datetime | None
    upto_position: int | None
    upto_change: int | None
    upto_mark: int | None
    upto_more: bool | None
    kinds: list[str] | None
    events: int | None
    tries: int
    first_try_at: datetime | None
    next_try_at: datetime | None
    problem: str | None
    dead_at: datetime | None

class WebhookStatesRow(TypedDict):
    webhook: str
    seen_at: datetime
    clubs: int
    failing: int
    dead: int
    delivered_at: datetime | None
    failing_since: datetime | None
    problem: str | None

class DeadLanesRow(TypedDict):
    webhook: str
    club_id: str
    club: int
    message: str | None
    events: int | None
    position: int
    change: int
    mark: int
    tries: int
    first_try_at: datetime | None
    dead_at: datetime
    problem: str | None

class LanesOfWebhookRow(TypedDict):
    club: int
    club_id: str
    dead_at: datetime | None

class Queries(Protocol):
    # affected.sql
    def records_by_id(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[RecordsByIdRow]: ...
    def all_records(self, driver: Driver, /, *, club: int) -> Iterator[AllRecordsRow]: ...
    def former_records(self, driver: Driver, /, *, club: int) -> Iterator[FormerRecordsRow]: ...
    def related_ids(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        emails: list[str],
        candidates: list[str],
        base_emails: list[str],
    ) -> Iterator[RelatedIdsRow]: ...
    def customers_by_record(
        self, driver: Driver, /, *, club: int, ids: list[str], emails: list[str]
    ) -> Iterator[CustomersByRecordRow]: ...
    def all_customers(self, driver: Driver, /, *, club: int) -> Iterator[AllCustomersRow]: ...
    def rechecks(self, driver: Driver, /, *, club: int) -> Iterator[RechecksRow]: ...
    def clear_rechecks(self, driver: Driver, /, *, club: int, upto: int) -> int: ...
    def suspicions(self, driver: Driver, /, *, club: int) -> Iterator[SuspicionsRow]: ...
    def suspicions_of(
        self, driver: Driver, /, *, club: int, erp_id: str
    ) -> Iterator[SuspicionsOfRow]: ...
    def is_unsettled(self, driver: Driver, /, *, club: int, erp_id: str) -> bool: ...
    def unsettled_records(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[UnsettledRecordsRow]: ...
    def held_customers(self, driver: Driver, /, *, club: int) -> Iterator[HeldCustomersRow]: ...
    def open_findings_of(
        self, driver: Driver, /, *, club: int, ids: str
    ) -> Iterator[OpenFindingsOfRow]: ...
    def records_with_finding(
        self, driver: Driver, /, *, club: int, code: str
    ) -> Iterator[RecordsWithFindingRow]: ...
    def open_findings_all(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[OpenFindingsAllRow]: ...
    def people_by_id(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[PeopleByIdRow]: ...
    def people_to_identify(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[PeopleToIdentifyRow]: ...
    # batch.sql
    def batch_states(self, driver: Driver, /, *, clubs: list[int]) -> Iterator[BatchStatesRow]: ...
    def batch_snapshots(
        self, driver: Driver, /, *, clubs: list[int], snapshots: list[int]
    ) -> Iterator[BatchSnapshotsRow]: ...
    def batch_doubts(
        self, driver: Driver, /, *, clubs: list[int], now: datetime
    ) -> Iterator[BatchDoubtsRow]: ...
    def batch_groups(self, driver: Driver, /, *, clubs: list[int]) -> Iterator[BatchGroupsRow]: ...
    def batch_record_index(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchRecordIndexRow]: ...
    def batch_rechecks(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchRechecksRow]: ...
    def batch_held(self, driver: Driver, /, *, clubs: list[int]) -> Iterator[BatchHeldRow]: ...
    def batch_suspicions(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchSuspicionsRow]: ...
    def batch_moves_under_way(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchMovesUnderWayRow]: ...
    def batch_former_records(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchFormerRecordsRow]: ...
    def batch_records(
        self, driver: Driver, /, *, clubs: list[int], ids: list[str]
    ) -> Iterator[BatchRecordsRow]: ...
    def batch_all_records(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchAllRecordsRow]: ...
    def batch_customers(
        self,
        driver: Driver,
        /,
        *,
        clubs: list[int],
        ids: list[str],
        email_clubs: list[int],
        emails: list[str],
    ) -> Iterator[BatchCustomersRow]: ...
    def batch_all_customers(
        self, driver: Driver, /, *, clubs: list[int]
    ) -> Iterator[BatchAllCustomersRow]: ...
    def batch_related(
        self,
        driver: Driver,
        /,
        *,
        clubs: list[int],
        ids: list[str],
        email_clubs: list[int],
        emails: list[str],
        candidate_clubs: list[int],
        candidates: list[str],
    ) -> Iterator[BatchRelatedRow]: ...
    # chain.sql
    def chain_read(
        self, driver: Driver, /, *, chain: str, name: str, erp: str, at: datetime, certified: bool
    ) -> int: ...
    def close_chain_findings(
        self, driver: Driver, /, *, chain: str, ids: list[str], words: list[str], at: datetime
    ) -> int: ...
    def open_chain_findings(
        self,
        driver: Driver,
        /,
        *,
        chain: str,
        ids: list[str],
        words: list[str],
        records: list[int],
        at: datetime,
    ) -> int: ...
    def chains_read(self, driver: Driver, /) -> Iterator[ChainsReadRow]: ...
    def chain_findings(self, driver: Driver, /, *, chain: str) -> Iterator[ChainFindingsRow]: ...
    def club_unknown(
        self, driver: Driver, /, *, chain: str, erp_id: str
    ) -> Iterator[ClubUnknownRow]: ...
    def chain_counts(self, driver: Driver, /) -> Iterator[ChainCountsRow]: ...
    def forget_chains(self, driver: Driver, /, *, chains: list[str]) -> int: ...
    def forget_chain_findings(self, driver: Driver, /, *, before: datetime) -> int: ...
    def erase_chain_findings(self, driver: Driver, /, *, ids: list[str]) -> object | None: ...
    def erase_moves(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def drop_moves(
        self, driver: Driver, /, *, club: int, ids: list[str], targets: list[int]
    ) -> int: ...
    def add_moves(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        targets: list[int],
        as_of: datetime,
        by_id: bool,
    ) -> int: ...
    def moves_from(self, driver: Driver, /, *, club: int) -> Iterator[MovesFromRow]: ...
    def moves_arrived(self, driver: Driver, /, *, club: int, as_of: datetime) -> int: ...
    def moves_under_way(self, driver: Driver, /, *, club: int) -> Iterator[MovesUnderWayRow]: ...
    # club.sql
    def register_club(
        self, driver: Driver, /, *, club_id: str, name: str, erp: str, now: datetime
    ) -> int: ...
    def find_club(self, driver: Driver, /, *, club_id: str) -> int | None: ...
    def registered_clubs(
        self, driver: Driver, /, *, club_ids: list[str]
    ) -> Iterator[RegisteredClubsRow]: ...
    def club_row(self, driver: Driver, /, *, club: int) -> ClubRow: ...
    def rename_club(self, driver: Driver, /, *, club: int, name: str, erp: str) -> int: ...
    def club_numbers(self, driver: Driver, /) -> Iterator[ClubNumbersRow]: ...
    def club_states(self, driver: Driver, /) -> Iterator[ClubStatesRow]: ...
    def club_state(self, driver: Driver, /, *, club: int) -> ClubStateRow: ...
    def record_index_parts(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[RecordIndexPartsRow]: ...
    def lock_club(self, driver: Driver, /, *, club: int) -> object: ...
    def attempt_club(
        self, driver: Driver, /, *, club: int, at: datetime, next_read_at: datetime
    ) -> int: ...
    def club_failed(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        at: datetime | None,
        error: str,
        next_read_at: datetime | None,
    ) -> datetime | None: ...
    def club_loaded(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        at: datetime,
        snapshot: int,
        certified: bool,
        as_of: datetime,
        rows: int,
        content_hash: str | None,
        next_recheck: date | None,
        policy_hash: str | None,
        moved: bool,
        newer: bool,
        read: bool,
    ) -> int: ...
    def touch_revision(self, driver: Driver, /, *, club: int) -> int: ...
    def write_record_index(self, driver: Driver, /, *, club: int, vector: bytes) -> int: ...
    def record_index_sizes(self, driver: Driver, /, *, club: int) -> RecordIndexSizesRow: ...
    def add_record_index_patch(self, driver: Driver, /, *, club: int, vector: bytes) -> int: ...
    # digest.sql
    def digest_states(self, driver: Driver, /) -> Iterator[DigestStatesRow]: ...
    def digest_troubles(self, driver: Driver, /) -> Iterator[DigestTroublesRow]: ...
    def end_older_digests(self, driver: Driver, /, *, club: int, at: datetime) -> int: ...
    def add_digest(
        self, driver: Driver, /, *, club: int, day: date, message_id: str, at: datetime
    ) -> int | None: ...
    def add_digest_items(self, driver: Driver, /, *, club: int, digest: int) -> int: ...
    def settle_digest(self, driver: Driver, /, *, club: int, digest: int) -> int: ...
    def delete_unsent_items(self, driver: Driver, /, *, club: int) -> int: ...
    def digest_counts(
        self, driver: Driver, /, *, club: int, digest: int
    ) -> Iterator[DigestCountsRow]: ...
    def digest_people(
        self, driver: Driver, /, *, club: int, digest: int, most: int
    ) -> Iterator[DigestPeopleRow]: ...
    def was_told(self, driver: Driver, /, *, club: int) -> bool: ...
    def digest_of_day(
        self, driver: Driver, /, *, club: int, day: date
    ) -> DigestOfDayRow | None: ...
    def begin_digest(
        self, driver: Driver, /, *, club: int, digest: int, at: datetime
    ) -> BeginDigestRow | None: ...
    def end_digest(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        digest: int,
        state: str,
        at: datetime,
        uncertain: bool,
        delivered: list[str],
        refused: list[str],
        problem: str | None,
        remedy: str | None,
        alarming: bool,
    ) -> int: ...
    def forget_digests(self, driver: Driver, /, *, club: int) -> int: ...
    def delete_old_digests(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def erase_digest_items(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def forget_digest_items(self, driver: Driver, /, *, club: int) -> int: ...
    def delete_unchanged_day(self, driver: Driver, /, *, club: int, day: date) -> int: ...
    def try_sender(self, driver: Driver, /, *, club: int) -> bool: ...
    def any_digest(self, driver: Driver, /) -> bool: ...
    # erasure.sql
    def erased_hashes(
        self, driver: Driver, /, *, club: int, snapshot: int | None
    ) -> Iterator[ErasedHashesRow]: ...
    def erased_emails(
        self, driver: Driver, /, *, club: int, snapshot: int | None, run: int | None
    ) -> Iterator[ErasedEmailsRow]: ...
    def last_erasure(self, driver: Driver, /, *, club: int) -> int: ...
    def forget_readings(self, driver: Driver, /, *, club: int) -> int: ...
    def lift_erasure(
        self, driver: Driver, /, *, club: int, email_hash: str, at: datetime
    ) -> int: ...
    def add_erasure(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        at: datetime,
        actor: str,
        customers: list[int],
        ids: list[str],
        records: int,
    ) -> int: ...
    def add_erasure_keys(
        self, driver: Driver, /, *, club: int, erasure: int, kind: str, key_hashes: list[str]
    ) -> int: ...
    def add_erased(
        self, driver: Driver, /, *, club: int, erasure: int, key_hashes: list[str], at: datetime
    ) -> int: ...
    def add_erasure_parts(self, driver: Driver, /, *, club: int, erasure: int) -> int: ...
    def add_found_parts(
        self, driver: Driver, /, *, club: int, erasure: int, kind: str, names: list[str]
    ) -> int: ...
    def erasures_by_hash(
        self, driver: Driver, /, *, club: int, key_hashes: list[str]
    ) -> Iterator[ErasuresByHashRow]: ...
    def erasure_of_person(
        self, driver: Driver, /, *, club: int, key_hashes: list[str]
    ) -> ErasureOfPersonRow | None: ...
    def erasure(self, driver: Driver, /, *, club: int, erasure: int) -> ErasureRow | None: ...
    def erasures(
        self, driver: Driver, /, *, club: int, include_all: bool
    ) -> Iterator[ErasuresRow]: ...
    def open_erasures(self, driver: Driver, /) -> Iterator[OpenErasuresRow]: ...
    def erasure_hashes(
        self, driver: Driver, /, *, club: int, erasure: int, kind: str
    ) -> Iterator[ErasureHashesRow]: ...
    def erasure_parts(
        self, driver: Driver, /, *, club: int, erasure: int
    ) -> Iterator[ErasurePartsRow]: ...
    def end_erasure_part(
        self, driver: Driver, /, *, club: int, erasure: int, kind: str, name: str, files: int
    ) -> int: ...
    def note_erasure_part(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        erasure: int,
        kind: str,
        name: str,
        at: datetime,
        problem: str | None,
        remedy: str | None,
    ) -> int: ...
    def forget_erasure_ids(self, driver: Driver, /, *, club: int, erasure: int) -> int: ...
    def complete_erasure(
        self, driver: Driver, /, *, club: int, erasure: int, at: datetime
    ) -> int: ...
    def open_transactions(
        self, driver: Driver, /, *, deleted_by: str
    ) -> Iterator[OpenTransactionsRow]: ...
    def cleaned_since(
        self, driver: Driver, /, *, club: int, erasure: int, tables: list[str]
    ) -> Iterator[CleanedSinceRow]: ...
    def columns(self, driver: Driver, /, *, table_name: str) -> Iterator[ColumnsRow]: ...
    def merged_records(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[MergedRecordsRow]: ...
    def findings_naming(
        self, driver: Driver, /, *, club: int, words: list[str]
    ) -> Iterator[FindingsNamingRow]: ...
    def write_finding_detail(
        self, driver: Driver, /, *, club: int, finding: int, detail: str
    ) -> int: ...
    def erase_references(
        self, driver: Driver, /, *, club: int, ids: list[str], emails: list[str]
    ) -> int: ...
    def move_snapshots(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        path: str,
        to_path: str,
        content_hash: str,
        removed: int,
        upto: int,
    ) -> int: ...
    def move_erasure_parts(
        self, driver: Driver, /, *, club: int, erasure: int, path: str, to_path: str
    ) -> int: ...
    def is_planned(self, driver: Driver, /, *, club: int, run: int) -> bool: ...
    def snapshots_at(self, driver: Driver, /, *, club: int, path: str, upto: int) -> int: ...
    def erase_memberships(self, driver: Driver, /, *, club: int, customers: list[int]) -> int: ...
    def erase_requests(self, driver: Driver, /, *, club: int, customers: list[int]) -> int: ...
    def erase_customers(self, driver: Driver, /, *, club: int, customers: list[int]) -> int: ...
    def erase_records(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def erase_changes(self, driver: Driver, /, *, erasure: int) -> object | None: ...
    def erase_findings(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def erase_hold_members(
        self, driver: Driver, /, *, club: int, customers: list[int], ids: list[str]
    ) -> int: ...
    def erase_rejections(
        self, driver: Driver, /, *, club: int, customers: list[int], ids: list[str]
    ) -> int: ...
    def erase_undone(
        self, driver: Driver, /, *, club: int, customers: list[int], ids: list[str]
    ) -> int: ...
    def erase_identities(
        self, driver: Driver, /, *, club: int, customers: list[int], ids: list[str]
    ) -> int: ...
    def erase_rechecks(
        self, driver: Driver, /, *, club: int, ids: list[str], emails: list[str]
    ) -> int: ...
    def erase_suspicions(
        self, driver: Driver, /, *, club: int, ids: list[str], signs: list[str]
    ) -> int: ...
    def erase_pairs(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def records_naming(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[RecordsNamingRow]: ...
    def reset_content_hash(self, driver: Driver, /, *, club: int) -> int: ...
    def snapshot_paths(self, driver: Driver, /, *, club: int) -> Iterator[SnapshotPathsRow]: ...
    # explain.sql
    def customers(self, driver: Driver, /, *, club: int) -> Iterator[CustomersRow]: ...
    def findings(
        self, driver: Driver, /, *, club: int, include_all: bool
    ) -> Iterator[FindingsRow]: ...
    def changes(
        self, driver: Driver, /, *, club: int, run: int | None, since: datetime | None
    ) -> Iterator[ChangesRow]: ...
    def club_overview(self, driver: Driver, /) -> Iterator[ClubOverviewRow]: ...
    def holds(self, driver: Driver, /, *, club: int) -> Iterator[HoldsRow]: ...
    def find_person(
        self, driver: Driver, /, *, club: int, erp_id: str, email: str | None, candidates: list[str]
    ) -> Iterator[FindPersonRow]: ...
    def people_of_club_by_name(
        self, driver: Driver, /, *, club: int, fragment: str
    ) -> Iterator[PeopleOfClubByNameRow]: ...
    def record(self, driver: Driver, /, *, club: int, erp_id: str) -> RecordRow | None: ...
    def customer(self, driver: Driver, /, *, club: int, customer: int) -> CustomerRow | None: ...
    def open_findings_for(
        self, driver: Driver, /, *, club: int, erp_id: str
    ) -> Iterator[OpenFindingsForRow]: ...
    def rows_without_id(self, driver: Driver, /, *, club: int) -> Iterator[RowsWithoutIdRow]: ...
    def words_of_findings(
        self, driver: Driver, /, *, club: int, code: str, words: list[str]
    ) -> Iterator[WordsOfFindingsRow]: ...
    def all_findings_for(
        self, driver: Driver, /, *, club: int, erp_id: str
    ) -> Iterator[AllFindingsForRow]: ...
    def changes_of(
        self, driver: Driver, /, *, club: int, customer: int
    ) -> Iterator[ChangesOfRow]: ...
    def held_customer(
        self, driver: Driver, /, *, club: int, customer: int
    ) -> HeldCustomerRow | None: ...
    def last_reading(self, driver: Driver, /, *, club: int) -> LastReadingRow | None: ...
    def last_certified(self, driver: Driver, /, *, club: int) -> LastCertifiedRow | None: ...
    def records_with_findings(
        self, driver: Driver, /, *, club: int, include_all: bool
    ) -> Iterator[RecordsWithFindingsRow]: ...
    def records_of_hold(
        self, driver: Driver, /, *, club: int, hold: int, version: int
    ) -> Iterator[RecordsOfHoldRow]: ...
    def people_called(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[PeopleCalledRow]: ...
    def export_columns(self, driver: Driver, /, *, club: int) -> ExportColumnsRow | None: ...
    def account_of_email(self, driver: Driver, /, *, email: str) -> AccountOfEmailRow | None: ...
    def account_of_customer(
        self, driver: Driver, /, *, club: int, customer: int
    ) -> AccountOfCustomerRow | None: ...
    def customer_of_account(
        self, driver: Driver, /, *, club: int, user_id: int
    ) -> CustomerOfAccountRow | None: ...
    def last_request_of_account(
        self, driver: Driver, /, *, club: int, user_id: int
    ) -> LastRequestOfAccountRow | None: ...
    def moved_from(self, driver: Driver, /, *, club: int, erp_id: str) -> MovedFromRow | None: ...
    def decided_holds_of(
        self, driver: Driver, /, *, club: int, customer: int
    ) -> Iterator[DecidedHoldsOfRow]: ...
    def profiled_run(
        self, driver: Driver, /, *, run: int | None, club_id: str | None
    ) -> ProfiledRunRow | None: ...
    def profiled_runs(
        self, driver: Driver, /, *, erp: str, since: datetime
    ) -> Iterator[ProfiledRunsRow]: ...
    # feed.sql
    def enter_feed(self, driver: Driver, /, *, club: int, run: int) -> int: ...
    def number_feed(self, driver: Driver, /) -> int: ...
    def feed_head(self, driver: Driver, /) -> int: ...
    def feed_entries(
        self, driver: Driver, /, *, position: int, max_rows: int
    ) -> Iterator[FeedEntriesRow]: ...
    def feed_entries_of_club(
        self, driver: Driver, /, *, club: int, position: int, max_rows: int
    ) -> Iterator[FeedEntriesOfClubRow]: ...
    def feed_mark(self, driver: Driver, /, *, position: int) -> int | None: ...
    def last_feed_entry(self, driver: Driver, /, *, position: int) -> LastFeedEntryRow | None: ...
    def last_change(self, driver: Driver, /, *, club: int, run: int) -> int: ...
    def feed_changes(
        self,
        driver: Driver,
        /,
        *,
        clubs: list[int],
        runs: list[int],
        positions: list[int],
        changes: list[int],
        kinds: list[str] | None,
        with_values: bool,
        max_rows: int,
    ) -> Iterator[FeedChangesRow]: ...
    def clubs_in_feed(self, driver: Driver, /, *, position: int) -> Iterator[ClubsInFeedRow]: ...
    # handed_on.sql
    def hand_on(self, driver: Driver, /, *, content: bytes, at: datetime) -> int: ...
    def handed_on(self, driver: Driver, /, *, number: int) -> bytes | None: ...
    def delete_old_handed_on(self, driver: Driver, /, *, before: datetime) -> int: ...
    # hold.sql
    def open_hold(self, driver: Driver, /, *, club: int) -> OpenHoldRow | None: ...
    def find_hold(self, driver: Driver, /, *, hold: int) -> FindHoldRow | None: ...
    def add_hold(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        at: datetime,
        list_hash: str,
        causes: str,
        limit_was: int,
    ) -> int: ...
    def update_hold_list(
        self, driver: Driver, /, *, club: int, hold: int, list_hash: str, causes: str
    ) -> int: ...
    def add_hold_version(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        hold: int,
        version: int,
        list_hash: str,
        size: int,
        at: datetime,
    ) -> int: ...
    def hold_version_by_hash(
        self, driver: Driver, /, *, club: int, hold: int, list_hash: str
    ) -> HoldVersionByHashRow | None: ...
    def hold_version_by_number(
        self, driver: Driver, /, *, club: int, hold: int, version: int
    ) -> HoldVersionByNumberRow | None: ...
    def shown_before(
        self, driver: Driver, /, *, club: int, hold: int, version: int
    ) -> int | None: ...
    def close_empty_hold(self, driver: Driver, /, *, club: int, hold: int, at: datetime) -> int: ...
    def decide_hold(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        hold: int,
        state: str,
        at: datetime,
        by: str,
        list_hash: str,
        comment: str | None,
    ) -> int: ...
    def current_members(
        self, driver: Driver, /, *, club: int, hold: int
    ) -> Iterator[CurrentMembersRow]: ...
    def open_members(self, driver: Driver, /, *, club: int) -> Iterator[OpenMembersRow]: ...
    def members_at(
        self, driver: Driver, /, *, club: int, hold: int, version: int
    ) -> Iterator[MembersAtRow]: ...
    def add_hold_member(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        hold: int,
        customer: int,
        erp_id: str | None,
        kind: str,
        reason: str,
        loses: bool,
        cause: str,
        row_hash: int | None,
        version: int,
    ) -> int: ...
    def remove_hold_members(
        self, driver: Driver, /, *, club: int, hold: int, customers: list[int], version: int
    ) -> int: ...
    def reject_members(
        self, driver: Driver, /, *, club: int, customers: list[int], until: datetime
    ) -> int: ...
    def reject_former_members(
        self, driver: Driver, /, *, club: int, hold: int, customers: list[int], until: datetime
    ) -> int: ...
    def rejected_members(self, driver: Driver, /, *, club: int) -> Iterator[RejectedMembersRow]: ...
    def delete_spent_decisions(self, driver: Driver, /, *, club: int, now: datetime) -> int: ...
    def same_people(self, driver: Driver, /, *, club: int) -> Iterator[SamePeopleRow]: ...
    def add_same_person(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        customer: int,
        erp_id: str,
        row_hash: int,
        at: datetime,
        actor: str,
    ) -> int: ...
    def delete_spent_identities(self, driver: Driver, /, *, club: int) -> int: ...
    def undone_customers(self, driver: Driver, /, *, club: int) -> Iterator[UndoneCustomersRow]: ...
    def recheck_members(
        self, driver: Driver, /, *, club: int, customers: list[int], why: str
    ) -> int: ...
    def any_rejection_expired(self, driver: Driver, /, *, club: int, now: datetime) -> bool: ...
    def newest_snapshot(self, driver: Driver, /, *, club: int) -> int | None: ...
    # lifecycle.sql
    def pause_club(self, driver: Driver, /, *, club: int, paused: bool) -> int: ...
    def confirm_empty(self, driver: Driver, /, *, club: int) -> int: ...
    def confirm_source(self, driver: Driver, /, *, club: int) -> int: ...
    def first_sync_plan(self, driver: Driver, /, *, club: int) -> FirstSyncPlanRow | None: ...
    def first_sync_plans(self, driver: Driver, /) -> Iterator[FirstSyncPlansRow]: ...
    def approve_first_sync(self, driver: Driver, /, *, club: int, list_hash: str) -> int: ...
    def first_sync_reviewed(self, driver: Driver, /, *, club: int) -> int: ...
    def first_sync_read(self, driver: Driver, /, *, club: int) -> int: ...
    def first_syncs_without_request(
        self, driver: Driver, /
    ) -> Iterator[FirstSyncsWithoutRequestRow]: ...
    def obsolete_first_syncs(
        self, driver: Driver, /, *, told_before: datetime
    ) -> Iterator[ObsoleteFirstSyncsRow]: ...
    def mark_first_sync_requested(
        self, driver: Driver, /, *, club: int, club_id: str, run_id: str, plan: str, at: datetime
    ) -> int: ...
    def schedule_removal(self, driver: Driver, /, *, club: int, at: datetime | None) -> int: ...
    def clubs_to_remove(
        self, driver: Driver, /, *, now: datetime
    ) -> Iterator[ClubsToRemoveRow]: ...
    def prefix_record_ids(
        self, driver: Driver, /, *, club: int, prefix: str, at: datetime | None
    ) -> int: ...
    def prefix_customer_ids(self, driver: Driver, /, *, club: int, prefix: str) -> int: ...
    def prefix_group_ids(self, driver: Driver, /, *, club: int, prefix: str) -> int: ...
    def prefix_automatic_group_ids(self, driver: Driver, /, *, club: int, prefix: str) -> int: ...
    def close_all_findings(self, driver: Driver, /, *, club: int, at: datetime) -> int: ...
    def clear_record_index(self, driver: Driver, /, *, club: int) -> int: ...
    def clear_erased(self, driver: Driver, /, *, club: int) -> int: ...
    def start_epoch(self, driver: Driver, /, *, club: int) -> int: ...
    def clear_suspicions(self, driver: Driver, /, *, club: int) -> int: ...
    def purge_club(self, driver: Driver, /, *, club: int, at: datetime) -> str | None: ...
    def removed_clubs(self, driver: Driver, /) -> Iterator[RemovedClubsRow]: ...
    def delete_removed_club(self, driver: Driver, /, *, club_id: str) -> int: ...
    # load.sql
    def make_plan_tables(self, driver: Driver, /) -> str: ...
    def drop_suspicions(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        signs: list[str],
        shown: list[str] | None,
    ) -> int: ...
    def add_suspicions(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        signs: list[str],
        losses: list[bool],
        snapshot: int,
        read_at: datetime,
    ) -> int: ...
    def suspected_losses(self, driver: Driver, /, *, club: int) -> int: ...
    def read_club_again(self, driver: Driver, /, *, club: int, at: datetime) -> int: ...
    def take_customer_ids(self, driver: Driver, /, *, count: int) -> int: ...
    def add_automatic_groups(
        self, driver: Driver, /, *, club: int, ids: list[str], names: list[str], now: datetime
    ) -> int: ...
    def rename_automatic_groups(
        self, driver: Driver, /, *, club: int, ids: list[str], names: list[str]
    ) -> int: ...
    def write_erp_groups(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        names: list[str],
        actives: list[bool | None],
        feeds: list[str | None],
        as_of: datetime,
    ) -> int: ...
    def unlist_erp_groups(
        self, driver: Driver, /, *, club: int, ids: list[str], as_of: datetime
    ) -> int: ...
    def group_numbers(self, driver: Driver, /, *, club: int) -> Iterator[GroupNumbersRow]: ...
    def link_users(self, driver: Driver, /, *, club: int) -> int: ...
    def link_new_users(self, driver: Driver, /, *, club: int, first: int) -> int: ...
    def audit_links(self, driver: Driver, /) -> int: ...
    def update_customers(self, driver: Driver, /, *, club: int, at: datetime | None) -> int: ...
    def update_records(
        self, driver: Driver, /, *, club: int, as_of: datetime, snapshot: int
    ) -> int: ...
    def mark_records_missing(
        self, driver: Driver, /, *, club: int, as_of: datetime, snapshot: int
    ) -> int: ...
    def open_findings(self, driver: Driver, /, *, club: int, run: int, at: datetime) -> int: ...
    def close_findings(
        self, driver: Driver, /, *, club: int, run: int, at: datetime, findings: list[int]
    ) -> int: ...
    def open_finding_counts(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[OpenFindingCountsRow]: ...
    def lock_for_first_load(self, driver: Driver, /) -> bool | None: ...
    def open_for_first_load(self, driver: Driver, /, *, table_name: str) -> object | None: ...
    def close_after_first_load(self, driver: Driver, /, *, table_name: str) -> object | None: ...
    def has_plan_tables(self, driver: Driver, /) -> bool: ...
    def stage_customers(self, driver: Driver, /, *, club: int, rows: str) -> int: ...
    def add_customers(
        self, driver: Driver, /, *, club: int, first: int, rows: str, at: datetime
    ) -> int: ...
    def add_changes(
        self, driver: Driver, /, *, club: int, run: int, first: int | None, rows: str, at: datetime
    ) -> int: ...
    def add_records(
        self, driver: Driver, /, *, club: int, rows: str, as_of: datetime, snapshot: int
    ) -> int: ...
    def stage_records(self, driver: Driver, /, *, rows: str) -> int: ...
    def close_settled_findings(
        self, driver: Driver, /, *, club: int, run: int, at: datetime, ids: str, rows: str
    ) -> int: ...
    def open_found_findings(
        self, driver: Driver, /, *, club: int, run: int, at: datetime, rows: str
    ) -> int: ...
    # logins.sql
    def login_state(self, driver: Driver, /, *, logins: list[str]) -> LoginStateRow: ...
    def admit_login(
        self, driver: Driver, /, *, login: str, verifier: str | None
    ) -> object | None: ...
    # manual.sql
    def find_customer(
        self, driver: Driver, /, *, club: int, customer: int | None, email: str | None
    ) -> FindCustomerRow | None: ...
    def insert_manual_customer(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        email: str,
        email_raw: str | None,
        first_name: str | None,
        last_name: str | None,
        phone: str | None,
        origin: str,
        linked_user: int | None,
        at: datetime,
    ) -> int: ...
    def edit_customer(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        customer: int,
        email: str | None,
        email_raw: str | None,
        first_name: str | None,
        last_name: str | None,
        phone: str | None,
        at: datetime,
    ) -> int: ...
    def detach_customer(
        self, driver: Driver, /, *, club: int, customer: int, at: datetime
    ) -> int: ...
    def reactivate_customer(
        self, driver: Driver, /, *, club: int, customer: int, at: datetime
    ) -> int: ...
    def link_customer(
        self, driver: Driver, /, *, club: int, customer: int, user_id: int | None, at: datetime
    ) -> int: ...
    def clear_lapsed(self, driver: Driver, /, *, club: int, erp_id: str) -> int: ...
    def reused_ids(self, driver: Driver, /, *, club: int) -> Iterator[ReusedIdsRow]: ...
    def reused_id(self, driver: Driver, /, *, club: int, erp_id: str) -> ReusedIdRow | None: ...
    def part_from_record(
        self, driver: Driver, /, *, club: int, customer: int, reason: str, at: datetime
    ) -> int: ...
    def add_change(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        at: datetime,
        kind: str,
        customer: int,
        erp_id: str | None,
        before: str | None,
        after: str | None,
        reason: str,
        actor: str,
    ) -> int: ...
    def add_recheck(
        self, driver: Driver, /, *, club: int, erp_id: str | None, email: str | None, why: str
    ) -> int: ...
    def recheck_records(self, driver: Driver, /, *, club: int, ids: list[str], why: str) -> int: ...
    def unsettled(self, driver: Driver, /, *, club: int) -> Iterator[UnsettledRow]: ...
    def drop_unsettled(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def end_manual_run(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        at: datetime,
        counts: str,
        rows_written: int,
    ) -> int: ...
    def find_user(
        self, driver: Driver, /, *, user_id: int | None, email: str | None
    ) -> FindUserRow | None: ...
    def confirmed_user(self, driver: Driver, /, *, email: str) -> ConfirmedUserRow | None: ...
    def add_user(
        self,
        driver: Driver,
        /,
        *,
        email: str | None,
        email_raw: str | None,
        confirmed: bool,
        provider: str,
        at: datetime,
    ) -> int: ...
    def set_user_email(
        self, driver: Driver, /, *, user_id: int, email: str, email_raw: str | None, confirmed: bool
    ) -> int: ...
    def clubs_of_user(
        self, driver: Driver, /, *, user_id: int, email: str | None
    ) -> Iterator[ClubsOfUserRow]: ...
    def customer_of_user(
        self, driver: Driver, /, *, club: int, user_id: int
    ) -> CustomerOfUserRow | None: ...
    def add_request(self, driver: Driver, /, *, club: int, user_id: int, at: datetime) -> int: ...
    def requests(
        self, driver: Driver, /, *, club: int, include_all: bool
    ) -> Iterator[RequestsRow]: ...
    def find_request(
        self, driver: Driver, /, *, club: int, request_id: int | None, email: str | None
    ) -> FindRequestRow | None: ...
    def pending_request(self, driver: Driver, /, *, club: int, user_id: int) -> int | None: ...
    def decide_request(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        request_id: int,
        state: str,
        customer: int | None,
        at: datetime,
    ) -> int: ...
    def accept_matching_requests(self, driver: Driver, /, *, club: int, at: datetime) -> int: ...
    # operate.sql
    def club_freshness(self, driver: Driver, /) -> Iterator[ClubFreshnessRow]: ...
    def open_incidents(self, driver: Driver, /) -> Iterator[OpenIncidentsRow]: ...
    def open_incident(
        self, driver: Driver, /, *, club: int, kind: str, since: datetime | None, at: datetime
    ) -> int: ...
    def resolve_incident(self, driver: Driver, /, *, club: int, kind: str, at: datetime) -> int: ...
    def unreported_incidents(self, driver: Driver, /) -> Iterator[UnreportedIncidentsRow]: ...
    def mark_incident_reported(
        self, driver: Driver, /, *, club: int, incident: int, resolved: bool, at: datetime
    ) -> int: ...
    def quarantine_club(
        self, driver: Driver, /, *, club: int, until: datetime, next_read_at: datetime
    ) -> int: ...
    def add_nudge(
        self, driver: Driver, /, *, club: int, source: str, message_id: str, at: datetime
    ) -> int | None: ...
    def first_pending_nudge(self, driver: Driver, /, *, club: int) -> int | None: ...
    def last_nudge(self, driver: Driver, /, *, club: int) -> datetime | None: ...
    def answer_nudges(self, driver: Driver, /, *, club: int, run: int, at: datetime) -> int: ...
    def nudged_clubs(self, driver: Driver, /, *, before: datetime) -> Iterator[NudgedClubsRow]: ...
    def delete_old_nudges(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def holds_without_request(self, driver: Driver, /) -> Iterator[HoldsWithoutRequestRow]: ...
    def claim_request(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        club_id: str,
        run_id: str,
        hold: int | None,
        version: int | None,
        plan: str | None,
        at: datetime,
    ) -> int: ...
    def mark_hold_requested(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        club_id: str,
        hold: int,
        version: int,
        run_id: str,
        at: datetime,
    ) -> int: ...
    def obsolete_requests(
        self, driver: Driver, /, *, decided_before: datetime, told_before: datetime
    ) -> Iterator[ObsoleteRequestsRow]: ...
    def mark_request_notified(
        self, driver: Driver, /, *, club: int, run_id: str, at: datetime
    ) -> int: ...
    def request_of_run(self, driver: Driver, /, *, run_id: str) -> RequestOfRunRow | None: ...
    def delete_request(self, driver: Driver, /, *, club: int, run_id: str) -> int: ...
    def undecided_holds(self, driver: Driver, /) -> Iterator[UndecidedHoldsRow]: ...
    def add_hold_reminder(
        self, driver: Driver, /, *, club: int, hold: int, due_at: datetime, told: str, at: datetime
    ) -> int: ...
    def reminders_of_hold(
        self, driver: Driver, /, *, club: int, hold: int
    ) -> Iterator[RemindersOfHoldRow]: ...
    def request_of_hold(
        self, driver: Driver, /, *, club: int, hold: int
    ) -> RequestOfHoldRow | None: ...
    def operation_counts(self, driver: Driver, /) -> OperationCountsRow: ...
    def due_times(self, driver: Driver, /) -> Iterator[DueTimesRow]: ...
    # pages.sql
    def summarise_club(
        self, driver: Driver, /, *, club: int, customers: int | None, at: datetime
    ) -> int: ...
    def add_change_counts(
        self, driver: Driver, /, *, club: int, at: datetime, counts: str
    ) -> int: ...
    def set_airflow_run(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        number: int,
        dag: str,
        run: str,
        task: str,
        index: int,
    ) -> int: ...
    def add_action(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        at: datetime,
        actor: str,
        kind: str,
        detail: str,
        people: list[str],
    ) -> int: ...
    def end_action(
        self, driver: Driver, /, *, club: int, act: int, outcome: str, told: str | None, detail: str
    ) -> int: ...
    def find_action(self, driver: Driver, /, *, club: int, act: int) -> FindActionRow | None: ...
    def recent_actions(
        self, driver: Driver, /, *, club: int, max_rows: int
    ) -> Iterator[RecentActionsRow]: ...
    def erase_from_actions(self, driver: Driver, /, *, club: int, people: list[str]) -> int: ...
    def club_board(
        self,
        driver: Driver,
        /,
        *,
        at: datetime,
        clubs: list[int],
        of: list[int],
        reads: list[float | None],
        completes: list[float | None],
        datas: list[float | None],
        read: timedelta | None,
        complete: timedelta | None,
        data: timedelta | None,
        unlisted: list[int],
        words: str | None,
        erp: str | None,
        state: str | None,
        sort: str,
        down: bool,
        max_rows: int,
        skip: int,
    ) -> Iterator[ClubBoardRow]: ...
    def reasons_of_clubs(
        self, driver: Driver, /, *, clubs: list[int], since: datetime
    ) -> Iterator[ReasonsOfClubsRow]: ...
    def count_failures(self, driver: Driver, /, *, club: int, since: datetime) -> int: ...
    def failures_by_erp(
        self, driver: Driver, /, *, since: datetime, unlisted: list[int]
    ) -> Iterator[FailuresByErpRow]: ...
    def failing_clubs_by_runbook(
        self, driver: Driver, /, *, unlisted: list[int]
    ) -> Iterator[FailingClubsByRunbookRow]: ...
    def clubs_failing_by_runbook(
        self, driver: Driver, /, *, runbook: str, unlisted: list[int], max_rows: int
    ) -> Iterator[ClubsFailingByRunbookRow]: ...
    def last_failed_run(self, driver: Driver, /, *, club: int) -> Iterator[LastFailedRunRow]: ...
    def changes_by_part_of_day(
        self, driver: Driver, /, *, clubs: list[int], since: datetime
    ) -> Iterator[ChangesByPartOfDayRow]: ...
    def club_facts(self, driver: Driver, /, *, club: int) -> ClubFactsRow: ...
    def readings_by_hour(
        self, driver: Driver, /, *, club: int, since: datetime
    ) -> Iterator[ReadingsByHourRow]: ...
    def changes_by_hour(
        self, driver: Driver, /, *, club: int, since: datetime
    ) -> Iterator[ChangesByHourRow]: ...
    def runs_of(
        self, driver: Driver, /, *, club: int, before: int | None, max_rows: int
    ) -> Iterator[RunsOfRow]: ...
    def changes_of_run_page(
        self, driver: Driver, /, *, club: int, run: int, kind: str | None, skip: int, max_rows: int
    ) -> Iterator[ChangesOfRunPageRow]: ...
    def changes_of_run_by_kind(
        self, driver: Driver, /, *, club: int, run: int
    ) -> Iterator[ChangesOfRunByKindRow]: ...
    def plan_of_run(self, driver: Driver, /, *, club: int, run: int) -> PlanOfRunRow | None: ...
    def runs_of_airflow(
        self, driver: Driver, /, *, dag: str, run: str
    ) -> Iterator[RunsOfAirflowRow]: ...
    def finding_groups(self, driver: Driver, /, *, club: int) -> Iterator[FindingGroupsRow]: ...
    def findings_of_code(
        self, driver: Driver, /, *, club: int, code: str | None, skip: int, max_rows: int
    ) -> Iterator[FindingsOfCodeRow]: ...
    def finding_board(
        self,
        driver: Driver,
        /,
        *,
        words: str | None,
        erp: str | None,
        code: str | None,
        before: datetime | None,
        sort: str,
        down: bool,
        unlisted: list[int],
        max_rows: int,
        skip: int,
    ) -> Iterator[FindingBoardRow]: ...
    def erps(self, driver: Driver, /) -> Iterator[ErpsRow]: ...
    def groups_with_counts(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[GroupsWithCountsRow]: ...
    def hold_board(
        self, driver: Driver, /, *, state: str, unlisted: list[int], max_rows: int, skip: int
    ) -> Iterator[HoldBoardRow]: ...
    def holds_of(self, driver: Driver, /, *, club: int, max_rows: int) -> Iterator[HoldsOfRow]: ...
    def causes_of_hold(
        self, driver: Driver, /, *, club: int, hold: int, version: int
    ) -> Iterator[CausesOfHoldRow]: ...
    def people_of_hold(
        self, driver: Driver, /, *, club: int, hold: int, version: int, skip: int, max_rows: int
    ) -> Iterator[PeopleOfHoldRow]: ...
    def clubs_of_person(
        self,
        driver: Driver,
        /,
        *,
        clubs: list[str],
        erp_id: str | None,
        email: str | None,
        max_rows: int,
    ) -> Iterator[ClubsOfPersonRow]: ...
    def customers_of_roster(
        self, driver: Driver, /, *, club: int
    ) -> Iterator[CustomersOfRosterRow]: ...
    def clubs_of_account(
        self, driver: Driver, /, *, clubs: list[str], user_id: int, max_rows: int
    ) -> Iterator[ClubsOfAccountRow]: ...
    def people_by_name(
        self, driver: Driver, /, *, clubs: list[str], fragment: str, max_rows: int
    ) -> Iterator[PeopleByNameRow]: ...
    def people_by_key(
        self, driver: Driver, /, *, club: int, key: int, max_rows: int
    ) -> Iterator[PeopleByKeyRow]: ...
    def count_all_records(self, driver: Driver, /) -> int: ...
    def count_records(self, driver: Driver, /, *, club: int) -> int: ...
    def person(
        self, driver: Driver, /, *, club: int, customer: int | None, erp_id: str | None
    ) -> PersonRow | None: ...
    def records_of_email(
        self, driver: Driver, /, *, club: int, email: str
    ) -> Iterator[RecordsOfEmailRow]: ...
    def pairs_of_person(
        self, driver: Driver, /, *, club: int, erp_id: str
    ) -> Iterator[PairsOfPersonRow]: ...
    def requests_of_person(
        self, driver: Driver, /, *, club: int, email: str
    ) -> Iterator[RequestsOfPersonRow]: ...
    def count_pending_requests(self, driver: Driver, /, *, club: int) -> int: ...
    def pending_requests(
        self, driver: Driver, /, *, club: int, max_rows: int, skip: int
    ) -> Iterator[PendingRequestsRow]: ...
    def similar_pairs_page(
        self, driver: Driver, /, *, club: int, skip: int, max_rows: int
    ) -> Iterator[SimilarPairsPageRow]: ...
    def hash_keys(self, driver: Driver, /) -> Iterator[HashKeysRow]: ...
    def clubs_that_erased(
        self, driver: Driver, /, *, clubs: list[int], key_hashes: list[str]
    ) -> Iterator[ClubsThatErasedRow]: ...
    # retention.sql
    def old_snapshots(
        self, driver: Driver, /, *, club: int, before: datetime
    ) -> Iterator[OldSnapshotsRow]: ...
    def delete_snapshots(self, driver: Driver, /, *, club: int, snapshots: list[int]) -> int: ...
    def old_plans(
        self, driver: Driver, /, *, club: int, before: datetime
    ) -> Iterator[OldPlansRow]: ...
    def delete_plans(self, driver: Driver, /, *, club: int, plans: list[int]) -> int: ...
    def runs_without_plan(
        self, driver: Driver, /, *, club: int, runs: list[int], before: datetime
    ) -> Iterator[RunsWithoutPlanRow]: ...
    def delete_idle_runs(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def thin_idle_runs(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def thin_repeated_snapshots(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def delete_old_change_hours(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def delete_old_findings(self, driver: Driver, /, *, club: int, before: datetime) -> int: ...
    def add_folder(self, driver: Driver, /, *, club: int, path: str, at: datetime) -> int: ...
    def folders(self, driver: Driver, /, *, club: int) -> Iterator[FoldersRow]: ...
    def delete_folder(self, driver: Driver, /, *, club: int, path: str) -> int: ...
    def unused_folders(
        self, driver: Driver, /, *, club: int, paths: list[str], before: datetime
    ) -> Iterator[UnusedFoldersRow]: ...
    # run.sql
    def start_run(self, driver: Driver, /, *, club: int, trigger: str, at: datetime) -> int: ...
    def hold_run(self, driver: Driver, /, *, club: int, run: int, holder: int) -> int: ...
    def close_interrupted_runs(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        at: datetime,
        before: datetime,
        error: str,
        remedy: str,
        runbook: str,
    ) -> int: ...
    def clubs_with_running_runs(self, driver: Driver, /) -> Iterator[ClubsWithRunningRunsRow]: ...
    def end_run(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        at: datetime,
        state: str,
        stage: str,
        snapshot: int | None,
        plan: int | None,
        read: int | None,
        counts: str,
        rows_written: int,
        used: bool,
        suspected: int,
        error: str | None,
        remedy: str | None,
        runbook: str | None,
        profile: list[float],
    ) -> int: ...
    def loaded_run(self, driver: Driver, /, *, club: int, run: int) -> LoadedRunRow | None: ...
    def run_snapshot(
        self, driver: Driver, /, *, club: int, run: int, snapshot: int, read: int
    ) -> int: ...
    def add_snapshot(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        as_of: datetime,
        began_at: datetime,
        read_at: datetime,
        consistency: str,
        memberships: str | None,
        certified: bool,
        doubts: list[str],
        customers: int,
        rows_read: int,
        content_hash: str,
        path: str,
        epoch: int,
        columns: list[str],
        column_of: str,
        file: str | None,
        reading_hash: bytes | None,
    ) -> AddSnapshotRow: ...
    def comparable_reading(self, driver: Driver, /, *, club: int) -> ComparableReadingRow: ...
    def add_same_snapshot(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        snapshot: int,
        as_of: datetime,
        began_at: datetime,
        read_at: datetime,
    ) -> AddSameSnapshotRow | None: ...
    def last_certified_file(self, driver: Driver, /, *, club: int) -> dict[str, Any] | None: ...
    def overtaken(self, driver: Driver, /, *, club: int, run: int, at: datetime) -> bool: ...
    def snapshot(self, driver: Driver, /, *, club: int, snapshot: int) -> SnapshotRow | None: ...
    def last_full_reading(
        self, driver: Driver, /, *, club: int, epoch: int, only_changes: str
    ) -> datetime | None: ...
    def snapshots_between(
        self, driver: Driver, /, *, club: int, start: datetime | None, until: datetime | None
    ) -> Iterator[SnapshotsBetweenRow]: ...
    def newest_snapshot_in(
        self, driver: Driver, /, *, club: int, start: datetime, until: datetime
    ) -> NewestSnapshotInRow | None: ...
    def add_plan(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        snapshot: int,
        made_at: datetime,
        revision: int,
        list_hash: str,
        counts: str,
        customers: int,
        held: int,
        path: str,
    ) -> int | None: ...
    def plans(self, driver: Driver, /, *, club: int) -> Iterator[PlansRow]: ...
    def plan_loaded(self, driver: Driver, /, *, club: int, plan: int, at: datetime) -> int: ...
    def erp_groups(self, driver: Driver, /, *, club: int) -> Iterator[ErpGroupsRow]: ...
    def access_lost_since(self, driver: Driver, /, *, club: int, since: datetime) -> int: ...
    def customers_in_group(self, driver: Driver, /, *, club: int) -> int: ...
    # similar.sql
    def similar_people(
        self, driver: Driver, /, *, club: int, ids: list[str], statuses: list[str], today: date
    ) -> Iterator[SimilarPeopleRow]: ...
    def similar_upto(self, driver: Driver, /, *, club: int) -> str | None: ...
    def set_similar_upto(self, driver: Driver, /, *, club: int, upto: str | None) -> int: ...
    def next_to_compare(
        self, driver: Driver, /, *, club: int, upto: str, max_rows: int
    ) -> Iterator[NextToCompareRow]: ...
    def delete_similar_keys(self, driver: Driver, /, *, club: int, ids: list[str]) -> int: ...
    def is_compared_already(self, driver: Driver, /, *, club: int) -> bool: ...
    def write_similar_keys(
        self, driver: Driver, /, *, club: int, ids: list[str], places: str, keys: str
    ) -> int: ...
    def similar_blocks(
        self, driver: Driver, /, *, club: int, keys: list[int], limit_to: int
    ) -> Iterator[SimilarBlocksRow]: ...
    def write_keys_of_compared(
        self, driver: Driver, /, *, club: int, rows: str, statuses: list[str], today: date
    ) -> int: ...
    def similar_candidates(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        ids: list[str],
        crowd: int,
        statuses: list[str],
        today: date,
    ) -> Iterator[SimilarCandidatesRow]: ...
    def similar_partners(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[SimilarPartnersRow]: ...
    def similar_pairs_of(self, driver: Driver, /, *, club: int) -> Iterator[SimilarPairsOfRow]: ...
    def ignored_pairs(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[IgnoredPairsRow]: ...
    def delete_similar_pairs(
        self, driver: Driver, /, *, club: int, lefts: list[str], rights: list[str]
    ) -> int: ...
    def write_similar_pairs(self, driver: Driver, rows: Iterable[WriteSimilarPairs], /) -> int: ...
    def write_few_pairs(self, driver: Driver, /, *, club: int, rows: str) -> int: ...
    def open_similar_findings(
        self, driver: Driver, /, *, club: int, run: int, at: datetime, ids: list[str]
    ) -> int: ...
    def close_similar_findings(
        self, driver: Driver, /, *, club: int, run: int, at: datetime, ids: list[str]
    ) -> int: ...
    def similar_pairs(self, driver: Driver, /, *, club: int) -> Iterator[SimilarPairsRow]: ...
    def ignore_pair(
        self, driver: Driver, /, *, club: int, a: str, b: str, at: datetime, actor: str
    ) -> int: ...
    def find_records(
        self, driver: Driver, /, *, club: int, ids: list[str]
    ) -> Iterator[FindRecordsRow]: ...
    # store.sql
    def note_stored_file(
        self, driver: Driver, /, *, path: str, name: str, digest: str
    ) -> int | None: ...
    def settle_stored_file(
        self, driver: Driver, /, *, path: str, name: str, digest: str
    ) -> int: ...
    def stored_file(self, driver: Driver, /, *, path: str, name: str) -> list[str] | None: ...
    def stored_files(self, driver: Driver, /, *, path: str) -> Iterator[StoredFilesRow]: ...
    def stored_folders(self, driver: Driver, /, *, path: str) -> Iterator[StoredFoldersRow]: ...
    def forget_stored_file(self, driver: Driver, /, *, path: str, name: str) -> int: ...
    def forget_stored_files(self, driver: Driver, /, *, path: str) -> int: ...
    # undo.sql
    def find_run(self, driver: Driver, /, *, run: int) -> FindRunRow | None: ...
    def changes_to_undo(
        self, driver: Driver, /, *, club: int, run: int
    ) -> Iterator[ChangesToUndoRow]: ...
    def customers_by_number(
        self, driver: Driver, /, *, club: int, customers: list[int]
    ) -> Iterator[CustomersByNumberRow]: ...
    def conflicting_customers(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        column_emails: list[str],
        column_erp_ids: list[str],
        column_users: list[int],
    ) -> Iterator[ConflictingCustomersRow]: ...
    def add_undone(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        run: int,
        customers: list[int],
        erp_ids: list[str | None],
        waits: bool,
        at: datetime,
    ) -> int: ...
    def waiting_undos(self, driver: Driver, /, *, club: int) -> Iterator[WaitingUndosRow]: ...
    def delete_waiting_undos(
        self, driver: Driver, /, *, club: int, customers: list[int]
    ) -> int: ...
    def delete_undone(
        self, driver: Driver, /, *, club: int, run: int
    ) -> Iterator[DeleteUndoneRow]: ...
    def end_undo(
        self, driver: Driver, /, *, club: int, customer: int, erp_id: str | None
    ) -> int: ...
    # webhooks.sql
    def see_webhook(
        self, driver: Driver, /, *, webhook: str, start_position: int, at: datetime
    ) -> int: ...
    def start_webhook(self, driver: Driver, /, *, webhook: str, start_position: int) -> int: ...
    def lanes_to_serve(
        self, driver: Driver, /, *, webhook: str, now: datetime
    ) -> Iterator[LanesToServeRow]: ...
    def open_lane(self, driver: Driver, /, *, club: int, webhook: str) -> int: ...
    def lane(self, driver: Driver, /, *, club: int, webhook: str) -> LaneRow: ...
    def pass_events(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        webhook: str,
        position: int,
        change: int,
        mark: int,
        more: bool,
    ) -> int: ...
    def store_message(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        webhook: str,
        message: str,
        at: datetime,
        position: int,
        change: int,
        mark: int,
        more: bool,
        kinds: list[str] | None,
        events: int,
    ) -> int: ...
    def message_delivered(
        self, driver: Driver, /, *, club: int, webhook: str, message: str, at: datetime
    ) -> int: ...
    def message_failed(
        self,
        driver: Driver,
        /,
        *,
        club: int,
        webhook: str,
        message: str,
        at: datetime | None,
        next_try_at: datetime,
        problem: str,
        dead: bool,
    ) -> int: ...
    def webhook_states(self, driver: Driver, /) -> Iterator[WebhookStatesRow]: ...
    def dead_lanes(self, driver: Driver, /, *, webhook: str | None) -> Iterator[DeadLanesRow]: ...
    def lanes_of_webhook(
        self, driver: Driver, /, *, webhook: str
    ) -> Iterator[LanesOfWebhookRow]: ...
    def retry_message(self, driver: Driver, /, *, club: int, webhook: str, at: datetime) -> int: ...
    def skip_message(self, driver: Driver, /, *, club: int, webhook: str) -> int: ...
    def replay_lane(
        self, driver: Driver, /, *, club: int, webhook: str, position: int, change: int, mark: int
    ) -> int: ...
