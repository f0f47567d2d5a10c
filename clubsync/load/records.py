"""Write the mirror: what the ERP said of every record last."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import polars as pl

from clubsync.model import VANISHED, Basis, Plan
from clubsync.store.database import (
    Driver,
    copying,
    copying_new,
    queries,
    rebuild_indexes_after,
)

_VANISHED = pl.col("presence") == VANISHED


def spans_as_json(column: str) -> pl.Expr:
    """Spans of groups as JSON text: id, and the days where there are any."""
    element = pl.element().struct
    begins, ends = element.field("valid_from"), element.field("valid_until")
    undated = pl.struct(element.field("id"))
    dated = pl.struct(element.field("id"), begins.cast(pl.String), ends.cast(pl.String))
    entry = (
        pl.when(begins.is_null() & ends.is_null())
        .then(undated.struct.json_encode())
        .otherwise(dated.struct.json_encode())
    )
    return ("[" + pl.col(column).list.eval(entry).list.join(",") + "]").alias(column)


def unreadable_as_json(rows: pl.DataFrame) -> pl.Expr:
    """Fields that cannot be read as JSON text; of nearly all records there are none."""
    if not rows["unreadable"].list.len().sum():
        return pl.lit("[]").alias("unreadable")
    entry = pl.element().struct.json_encode()
    return ("[" + pl.col("unreadable").list.eval(entry).list.join(",") + "]").alias("unreadable")


def _without_defaults(new: pl.DataFrame) -> pl.DataFrame:
    """New rows without the columns in which each has what the table gives a row that does not say."""
    empty = [name for name in ("remembered", "unreadable") if not new[name].list.len().sum()]
    flags = ("is_company", "placeholder", "lapsed", "former")
    return new.drop(*empty, *(name for name in flags if not new[name].any()))


def _as_written(part: pl.DataFrame) -> pl.DataFrame:
    as_json = [spans_as_json(name) for name in ("groups", "remembered") if name in part.columns]
    if "unreadable" in part.columns:
        as_json.append(unreadable_as_json(part))
    return part.with_columns(*as_json, pl.col("row_hash").reinterpret(signed=True))


def to_write(rows: pl.DataFrame) -> pl.DataFrame:
    """Records of small plans of several clubs, as their rows are written: `clubsync.load.small`.

    :param rows: of `Plan.records`, and `club`.
    :returns: beside those `vanished`.
    """
    return _as_written(rows).with_columns(vanished=_VANISHED).drop("presence")


def writing(
    driver: Driver, club: int, basis: Basis, plan: Plan, alone: bool, beside: Executor
) -> Callable[[], None]:
    """What writes the mirror: what the ERP said of everybody last."""
    rows = plan.records
    sql, as_of, number = queries(), basis.snapshot.as_of, basis.snapshot.number

    def written(part: pl.DataFrame) -> pl.DataFrame:
        return _as_written(part).drop("presence", "known")

    vanished = _VANISHED
    new, known = pl.col("known").not_() & ~vanished, pl.col("known") | vanished
    mark = {"as_of": pl.lit(as_of), "snapshot": pl.lit(number), "first_seen": pl.lit(as_of)}
    fresh, again = _without_defaults(rows.filter(new)), rows.filter(known)
    add = copying_new(
        driver,
        "sync.erp_customer",
        fresh,
        lambda part: written(part).with_columns(**mark),
        beside=beside,
        alone=alone,
    )
    stage = copying(
        driver,
        "plan_record",
        again,
        lambda part: written(part.with_columns(vanished=vanished)),
        beside=beside,
    )

    def write() -> None:
        with rebuild_indexes_after(driver, "sync.erp_customer", alone):
            add()
        stage()
        if (again["presence"] != VANISHED).any():
            sql.update_records(driver, club=club, as_of=as_of, snapshot=number)
        if (again["presence"] == VANISHED).any():
            sql.mark_records_missing(driver, club=club, as_of=as_of, snapshot=number)

    return write
