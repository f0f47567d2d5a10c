"""R24: what the engine itself makes of a record, by its own table of cases (`clubsync.diff.plan`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.diff import situations
from clubsync.model import Policy, Proof, Situation
from clubsync.store.database import Driver, queries
from clubsync.validate import affected, facts
from clubsync.validate.policy import policy_of

if TYPE_CHECKING:
    from clubsync.store.queries import OpenFindingsForRow, SuspicionsOfRow

#: What the mirror does not keep, since the record was not loaded: finding -> situation.
_NOT_LOADED = {"ID_DUPLICATE": Situation.CONFLICTING, "ID_REUSED": Situation.ID_REUSED}


@dataclass(frozen=True)
class Evaluated:
    """What a plan would make of a record if the ERP showed it, and its neighbours, as it last did.

    :param situation: None for a record that was never loaded.
    :param facts: of `clubsync.validate.facts.evaluate` and `clubsync.diff.situations.resolve`; empty for such a record.
    :param groups: of `clubsync.validate.facts.memberships`, those that give access first.
    """

    situation: Situation | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[Mapping[str, Any]] = ()


def evaluated(
    driver: Driver,
    club: int,
    config: ClubConfig,
    erp_id: str,
    findings: Sequence[OpenFindingsForRow],
) -> Evaluated:
    """Evaluate a record as it is stored.

    It is evaluated, not stored: a column would be one more to write for each record of a first load, and would
    be wrong from what people do by hand until the next sync.

    :param driver: inside a transaction of this club.
    :param findings: the open ones of the record.
    """
    others = {i for f in findings for i in f["detail"].get("others", [])}
    records, groups, policy = _resolved(driver, club, config, {erp_id, *others})
    records = records.filter(pl.col("erp_id") == erp_id)
    if records.is_empty():
        return Evaluated(_not_loaded(driver, club, erp_id, findings))
    found = facts.memberships(records, groups, policy)
    gives = pl.col("state") == "gives"
    (row,) = records.to_dicts()
    return Evaluated(
        situation=_not_loaded(driver, club, erp_id, findings) or Situation(row["situation"]),
        facts=row,
        groups=found.sort(gives, "valid_until", descending=[True, True]).to_dicts(),
    )


def situations_of_club(driver: Driver, club: int, config: ClubConfig) -> pl.DataFrame:
    """Every record of a club with its situation: the facts of `evaluated`, and `situation` (text).

    :param driver: inside a transaction of this club.
    """
    records, _, _ = _resolved(driver, club, config, None)
    sql = queries()
    # in the order of `_not_loaded`, the last first
    waiting = {
        Situation.UNSETTLED: [r["erp_id"] for r in sql.unsettled_records(driver, club=club)],
        **{
            situation: [r["erp_id"] for r in sql.records_with_finding(driver, club=club, code=code)]
            for code, situation in reversed(_NOT_LOADED.items())
        },
        Situation.SUSPECTED: [r["erp_id"] for r in sql.suspicions(driver, club=club)],
    }
    situation = pl.col("situation").cast(pl.String)
    for name, ids in waiting.items():
        listed = pl.col("erp_id").is_in(pl.lit(pl.Series(ids, dtype=pl.String).implode()))
        situation = pl.when(listed).then(pl.lit(str(name))).otherwise(situation)
    return records.with_columns(situation=situation)


def _resolved(
    driver: Driver, club: int, config: ClubConfig, erp_ids: set[str] | None
) -> tuple[pl.DataFrame, pl.DataFrame, Policy]:
    """The records as they are stored, resolved as of the last load; the ERP's groups, and the policy.

    :param erp_ids: None: all.
    """
    stored = _as_stored(driver, club, erp_ids)
    state = queries().club_state(driver, club=club)
    loaded_at = state["last_success_at"] or clock.now()
    # dates count as of the last load: that is the day on which the base stands
    policy = policy_of(config, True)
    policy = replace(policy, today=loaded_at.astimezone(config.zone).date())
    policy = affected.with_absent_groups(policy, stored.groups, stored.records["groups"])
    known = facts.evaluate(stored.records, stored.groups, policy)
    resolved = situations.resolve(known, stored.base, Proof(certified=True)).records
    return resolved, stored.groups, policy


def _not_loaded(
    driver: Driver, club: int, erp_id: str, findings: Sequence[OpenFindingsForRow]
) -> Situation | None:
    """The situation of a record whose newest reading was not loaded: the mirror has an older one."""
    if suspicions_of(driver, club, erp_id):
        return Situation.SUSPECTED
    for finding in findings:
        if finding["code"] in _NOT_LOADED and finding["severity"] != "info":
            return _NOT_LOADED[finding["code"]]
    if queries().is_unsettled(driver, club=club, erp_id=erp_id):
        return Situation.UNSETTLED
    return None


def suspicions_of(driver: Driver, club: int, erp_id: str) -> list[SuspicionsOfRow]:
    """What awaits a second reading of a record (R14), by sign."""
    return list(queries().suspicions_of(driver, club=club, erp_id=erp_id))


def _as_stored(driver: Driver, club: int, erp_ids: set[str] | None) -> affected.Stored:
    """The records with what people decided of them (R15, R18); who is on an open hold is kept."""
    sql, now = queries(), clock.now()
    kept = {
        row["customer"]: (row["erp_id"], row["row_hash"])
        for row in sql.rejected_members(driver, club=club)
        if row["until"] > now
    }
    undone = {
        row["customer"]: (row["erp_id"], row["row_hash"])
        for row in sql.undone_customers(driver, club=club)
    }
    stored = affected.as_stored(driver, club, erp_ids, kept, undone)
    held = pl.Series([r["customer"] for r in sql.held_customers(driver, club=club)], dtype=pl.Int64)
    keep = pl.col("keep") | pl.col("customer").is_in(held.implode())
    return replace(stored, base=stored.base.with_columns(keep=keep))
