"""R24: the situation of a record, by the engine's own table of cases (`clubsync.diff.plan`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.diff import situations
from clubsync.model import Proof, Situation
from clubsync.store.database import Driver, queries
from clubsync.validate import affected, facts
from clubsync.validate.policy import policy_of

if TYPE_CHECKING:
    from clubsync.store.queries import OpenFindingsForRow, SuspicionsOfRow

#: What the mirror does not keep, since the record was not loaded: finding -> situation.
_NOT_LOADED = {"ID_DUPLICATE": Situation.CONFLICTING, "ID_REUSED": Situation.ID_REUSED}


def situation_of(
    driver: Driver,
    club: int,
    config: ClubConfig,
    erp_id: str,
    findings: Sequence[OpenFindingsForRow],
) -> Situation | None:
    """In which situation a plan would find the record if the ERP showed it, and its neighbours, as it last did.

    It is evaluated, not stored: a column would be one more to write for each record of a first load, and would
    be wrong from what people do by hand until the next sync.

    :param driver: inside a transaction of this club.
    :param findings: the open ones of the record.
    :returns: None for a record that was never loaded.
    """
    if suspicions_of(driver, club, erp_id):
        return Situation.SUSPECTED
    for finding in findings:
        if finding["code"] in _NOT_LOADED and finding["severity"] != "info":
            return _NOT_LOADED[finding["code"]]
    if queries().is_unsettled(driver, club=club, erp_id=erp_id):
        return Situation.UNSETTLED
    others = {i for f in findings for i in f["detail"].get("others", [])}
    stored = _as_stored(driver, club, {erp_id, *others})
    state = queries().club_state(driver, club=club)
    loaded_at = state["last_success_at"] or clock.now()
    # dates count as of the last load: that is the day on which the base stands
    policy = policy_of(config, True)
    policy = replace(policy, today=loaded_at.astimezone(config.zone).date())
    policy = affected.with_absent_groups(policy, stored.groups, stored.records["groups"])
    evaluated = facts.evaluate(stored.records, stored.groups, policy)
    records = situations.resolve(evaluated, stored.base, Proof(certified=True)).records
    found = records.filter(pl.col("erp_id") == erp_id)["situation"].to_list()
    return Situation(found[0]) if found else None


def suspicions_of(driver: Driver, club: int, erp_id: str) -> list[SuspicionsOfRow]:
    """What awaits a second reading of a record (R14), by sign."""
    return list(queries().suspicions_of(driver, club=club, erp_id=erp_id))


def _as_stored(driver: Driver, club: int, erp_ids: set[str]) -> affected.Stored:
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
