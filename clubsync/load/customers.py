"""Write the base customers, and the automatic groups they are in (R4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime

import polars as pl

from clubsync.model import Basis, Plan
from clubsync.store.database import (
    Driver,
    copying,
    copying_new,
    fetch,
    queries,
    rebuild_indexes_after,
)
from clubsync.validate import automatic

#: Whether the email is another, and so may be that of another user (R9).
_RELINK = pl.col("email").is_not_null() & pl.col("email").ne_missing(pl.col("was_email"))


def number_new(driver: Driver, plan: Plan) -> Plan:
    """Give the new customers their ids, in the plan's order."""
    new = plan.customers["customer"].is_null()
    if not new.any():
        return plan
    first = queries().take_customer_ids(driver, count=int(new.sum()))

    def number(frame: pl.DataFrame) -> pl.DataFrame:
        missing = pl.col("customer").is_null()
        return frame.with_columns(
            customer=pl.when(missing)
            .then(first - 1 + missing.cast(pl.Int64).cum_sum())
            .otherwise("customer")
        )

    customers, changes = number(plan.customers), number(plan.changes)
    # both come from one frame in one order; a row beside its neighbour would be a stranger's audit
    added = changes.filter(pl.col("kind") == "addition")["erp_id"]
    if not added.equals(customers.filter(new)["erp_id"]):
        raise AssertionError("the plan's additions and its new customers are not in one order")
    return replace(plan, customers=customers, changes=changes)


def write_groups(driver: Driver, club: int, basis: Basis, at: datetime) -> int:
    """The automatic groups that ERP groups feed (R4), and the ERP's own list."""
    if not basis.groups_changed:
        return 0
    sql = queries()
    ids, names = basis.groups["id"].to_list(), basis.groups["name"].to_list()
    names = [name or erp_id for erp_id, name in zip(ids, names, strict=True)]
    feeds = automatic.feeds(basis.groups, basis.policy)
    fed = feeds.drop_nulls("key").unique("key", keep="first", maintain_order=True)
    keys, called = fed["key"].to_list(), fed["name"].to_list()
    written: int = sql.add_automatic_groups(driver, club=club, ids=keys, names=called, now=at)
    written += sql.rename_automatic_groups(driver, club=club, ids=keys, names=called)
    as_of = basis.snapshot.as_of
    actives = basis.groups["active"].to_list()
    sql.write_erp_groups(
        driver,
        club=club,
        ids=ids,
        names=names,
        actives=actives,
        feeds=feeds["key"].to_list(),
        as_of=as_of,
    )
    if basis.snapshot.certified:
        sql.unlist_erp_groups(driver, club=club, ids=ids, as_of=as_of)
    return written


def to_write(rows: pl.DataFrame) -> pl.DataFrame:
    """Customers of small plans of several clubs, as their rows are written: `clubsync.load.small`.

    :param rows: of `Plan.customers`, `club` and `place`; `place` of the new ones becomes that among the new ones.
    :returns: beside those `relink` (the email is another) and `joined` (1: joins the Customers group, -1: leaves it).
    """
    return rows.with_columns(
        place=pl.when("new")
        .then(pl.col("new").cum_sum().over("club").cast(pl.Int64) - 1)
        .otherwise("place"),
        relink=_RELINK,
        joined=pl.col("in_customers_group").cast(int) - pl.col("was_in").fill_null(False).cast(int),
    ).drop("was_in", "was_email")


def writing(
    driver: Driver, club: int, plan: Plan, at: datetime, alone: bool, beside: Executor
) -> Callable[[], tuple[int, int]]:
    """What writes the customers, and says how many rows, and how many were linked to a user by their new
    email (R9)."""
    sql, rows = queries(), plan.customers
    if rows.is_empty():
        return lambda: (0, 0)
    group_numbers = {"id": pl.String, "group_id": pl.Int64}
    numbers = dict(fetch(driver, sql.group_numbers, group_numbers, club=club).iter_rows())

    def numbered(part: pl.DataFrame) -> pl.DataFrame:
        return part.with_columns(auto_groups=_numbered(part["groups"], numbers)).drop(
            "groups", "new", "was_in", "was_email"
        )

    def staged(part: pl.DataFrame) -> pl.DataFrame:
        return numbered(part.with_columns(relink=_RELINK))

    def added(part: pl.DataFrame) -> pl.DataFrame:
        return (
            numbered(part)
            .with_columns(
                origin=pl.lit("erp"),
                reason_at=pl.when(pl.col("reason").is_not_null()).then(pl.lit(at)),
                created_at=pl.lit(at),
                updated_at=pl.lit(at),
            )
            .drop("detached")
        )

    new, known = rows.filter("new"), rows.filter(~pl.col("new"))
    stage = copying(driver, "plan_customer", known, staged, beside=beside)
    add = copying_new(driver, "base.customer", new, added, beside=beside, alone=alone)

    def write() -> tuple[int, int]:
        linked = written = 0
        if known.height:
            stage()
            linked = sql.link_users(driver, club=club)
        if new.height:
            with rebuild_indexes_after(driver, "base.customer", alone):
                add()
            sql.link_new_users(driver, club=club, first=new.select(pl.col("customer").min()).item())
        if known.height:
            written = sql.update_customers(driver, club=club, at=at)
        # R11: who asked to be let in, and is now somebody whom the ERP lets in
        accepted: int = sql.accept_matching_requests(driver, club=club, at=at)
        return new.height + written + accepted, linked

    return write


def _numbered(groups: pl.Series, numbers: Mapping[str, int]) -> pl.Series:
    """Lists of keys of automatic groups -> sorted lists of their numbers; each distinct list once."""
    keys = groups.list.join("\x1f")
    table = {
        key: sorted(numbers[part] for part in key.split("\x1f")) if key else []
        for key in keys.unique().to_list()
    }
    lists = pl.DataFrame(
        {"key": list(table), "numbers": list(table.values())},
        schema={"key": pl.String, "numbers": pl.List(pl.Int64)},
    )
    return keys.to_frame("key").join(lists, on="key", how="left", maintain_order="left")["numbers"]
