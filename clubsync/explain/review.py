"""R28: who gets access by the first sync that awaits approval, and who does not and why, from the plan that is stored.

The records are those of the plan's own snapshot, evaluated by the rules and on the day that the plan was made with; who
gets access is in the plan itself. So what is shown is what an approval of that plan loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from clubsync.config import ClubConfig
from clubsync.diff import situations
from clubsync.errors import SnapshotUnreadable
from clubsync.model import SIGNS, Planned, Situation
from clubsync.store import packages, snapshots
from clubsync.store.database import Driver, queries
from clubsync.store.packages import PLAN
from clubsync.store.record_index import RECORD_INDEX
from clubsync.store.snapshots import Store
from clubsync.validate import affected, facts
from clubsync.validate.source import MIRROR

if TYPE_CHECKING:
    from clubsync.explain.wording import Words
    from clubsync.store.queries import FirstSyncPlanRow

#: Columns of a review. `change`: what the plan does with the record, null: nothing; `reason`: the engine's, null where
#: the situation says it all; `other`: the record that has the email, the family or the place; `codes`: of the findings.
REVIEW = pl.Schema(
    {
        "erp_id": pl.String(),
        "first_name": pl.String(),
        "last_name": pl.String(),
        "email": pl.String(),
        "status": pl.String(),
        "situation": pl.String(),
        "change": pl.String(),
        "reason": pl.String(),
        "other": pl.String(),
        "codes": pl.List(pl.Struct({"code": pl.String(), "severity": pl.String()})),
    }
)
#: Situations that a reason explains better.
_EXPLAINED = (Situation.INACTIVE, Situation.NO_ACCESS_GROUP, Situation.NOT_A_PERSON)


def of_plan(
    driver: Driver, store: Store, club_no: int, club: ClubConfig, row: FirstSyncPlanRow
) -> pl.DataFrame:
    """Everybody of the reading that a first sync is planned from: `REVIEW`, by situation and id.

    :param driver: inside a transaction of this club.
    :param row: the plan that awaits approval.
    :raises SnapshotUnreadable: the plan or its snapshot is gone, or damaged.
    """
    planned = packages.unpack(Planned, packages.read(store, row["path"], PLAN))
    stored = queries().snapshot(driver, club=club_no, snapshot=row["snapshot"])
    if stored is None:
        raise SnapshotUnreadable(
            f"The reading of the first sync of {club.name} is no longer stored.",
            remedy="Sync the club again, and review the plan that it makes.",
        )
    records = _evaluated(driver, club_no, snapshots.load(store, club.id, stored), planned)
    changes = planned.plan.changes.filter(pl.col("erp_id").is_not_null())
    told = planned.plan.findings.group_by("erp_id", maintain_order=True).agg(
        codes=pl.struct("code", "severity")
    )
    explained = pl.col("situation").is_in([str(one) for one in _EXPLAINED])
    return (
        records.join(
            changes.select("erp_id", change="kind").unique("erp_id"), on="erp_id", how="left"
        )
        .join(told, on="erp_id", how="left")
        .with_columns(pl.col("situation").cast(pl.String))
        .with_columns(
            reason=pl.when(explained).then("access_reason"),
            other=pl.coalesce("winner", "owner_id", "successor"),
            codes=pl.col("codes").fill_null([]),
        )
        .with_columns(other=pl.when(pl.col("other") != pl.col("erp_id")).then("other"))
        .select(REVIEW.names())
        .sort(pl.col("situation"), pl.col("erp_id").str.len_chars(), "erp_id")
    )


def _evaluated(
    driver: Driver, club_no: int, snapshot: snapshots.Snapshot, planned: Planned
) -> pl.DataFrame:
    """The records with their situations, as when they were planned; nothing of the club was loaded since."""
    records = affected.presented(
        None,
        snapshot.customers,
        pl.DataFrame(schema=MIRROR),
        snapshot,
        RECORD_INDEX.to_frame(),
        SIGNS.to_frame(),
        pl.DataFrame(schema=affected.ERP_GROUPS),
    )
    records = facts.evaluate(records, snapshot.groups, planned.basis.policy)
    base = affected.as_stored(driver, club_no, None, {}, {}).base
    return situations.resolve(records, base, planned.basis.snapshot.proof).records


def sentence(row: dict[str, str | None], words: Words) -> str:
    """Why a record of a review gets access or does not, in the reader's language."""
    if row["reason"]:
        return words.out(row["reason"])
    situation = Situation(str(row["situation"]))
    return words.in_situation(Situation.ELIGIBLE if situation is Situation.NEW else situation)
