"""Open and close findings: they do so by themselves (R22)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

import polars as pl

from clubsync.model import FINDINGS, THE_CLUB, Basis, Plan
from clubsync.store.database import (
    Driver,
    copying,
    fetch,
    queries,
)

#: what GROUP_UNKNOWN is about there (`expectations/customers.json`): whether groups of former customers, and groups
#: that give access, are missing.
_ABSENT = {
    (True, False): "absent_group",
    (False, True): "absent_access_group",
    (True, True): "absent_groups",
}

_KEY = ("erp_id", "code")


def open_findings(driver: Driver, club: int) -> dict[str, int]:
    """What is open and counts as open, by code."""
    return {row["code"]: row["n"] for row in queries().open_finding_counts(driver, club=club)}


def evaluated(basis: Basis, plan: Plan) -> pl.Series:
    """erp_ids whose findings a plan settles; `THE_CLUB` among them."""
    return pl.concat([plan.evaluated, basis.unknown, pl.Series("erp_id", [THE_CLUB])])


def found(basis: Basis, plan: Plan) -> pl.DataFrame:
    """All findings that should be open on those: `FINDINGS`."""
    absent = _of_the_club(basis)
    return pl.concat([plan.findings, absent]) if absent.height else plan.findings


def writing(
    driver: Driver,
    club: int,
    run: int,
    basis: Basis,
    plan: Plan,
    at: datetime,
    beside: Executor,
) -> Callable[[], None]:
    """What opens and closes findings: they do so by themselves (R22)."""
    sql = queries()
    schema = {
        "finding": pl.Int64,
        "erp_id": pl.String,
        "code": pl.String,
        "severity": pl.String,
        "detail": pl.String,
    }
    said, now = evaluated(basis, plan), found(basis, plan)
    if basis.everything:
        was = fetch(driver, sql.open_findings_all, schema, club=club)
        theirs = said.filter(said.is_in(was["erp_id"].implode()))
        was = was.filter(pl.col("erp_id").is_in(theirs.implode()))
    else:
        ids = json.dumps(said.unique().to_list())
        was = fetch(driver, sql.open_findings_of, schema, club=club, ids=ids)
    compared = beside.submit(_moved_findings, now, was)

    def write() -> None:
        fresh, gone = compared.result()
        if gone:
            sql.close_findings(driver, club=club, run=run, at=at, findings=gone)
        if fresh.height:
            copying(driver, "plan_finding", fresh)()
            sql.open_findings(driver, club=club, run=run, at=at)

    return write


def each_once(found: pl.DataFrame, *also: str) -> pl.DataFrame:
    """Findings, the first of each record and code.

    :param also: columns that tell records apart beside their ids.
    """
    return found.unique([*also, *_KEY], keep="first", maintain_order=True)


def _of_the_club(basis: Basis) -> pl.DataFrame:
    """Findings about the club itself: `FINDINGS`, with `THE_CLUB` as erp_id.

    R3: groups that clubs.yaml names and the ERP does not have.
    """
    former, giving = basis.policy.absent_groups, basis.policy.absent_access_groups
    absent = sorted(former | giving)
    about = _ABSENT.get((bool(former), bool(giving)))
    detail = json.dumps({"about": about, "groups": absent})
    rows = [(THE_CLUB, "GROUP_UNKNOWN", "warning", detail)] if absent else []
    return pl.DataFrame(rows, schema=FINDINGS, orient="row")


def _moved_findings(found: pl.DataFrame, was: pl.DataFrame) -> tuple[pl.DataFrame, list[int]]:
    """Findings that are new or say something else now, and the numbers of those that are no more."""
    key = list(_KEY)
    now = each_once(found)
    gone = was.join(now, on=key, how="anti")["finding"].to_list()
    both = now.join(was, on=[*key, "severity"], suffix="_was")
    same = both.filter(_canonical(both["detail"]) == _canonical(both["detail_was"]))
    fresh = now.join(same, on=key, how="anti", maintain_order="left")
    return fresh.select(*key, "severity", "detail"), gone


def _canonical(details: pl.Series) -> pl.Series:
    """JSON text in one spelling, whatever wrote it."""
    table = {d: json.dumps(json.loads(d), sort_keys=True) for d in details.unique().to_list()}
    return details.replace_strict(table, return_dtype=pl.String) if table else details
