"""The audit: one row for every change, in the transaction of the change (R18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime

import polars as pl

from clubsync.model import Decision
from clubsync.store.database import (
    Driver,
    copying_new,
    queries,
    rebuild_indexes_after,
)

_DEACTIVATED = pl.col("kind") == "deactivation"


def _losing(losses: pl.DataFrame) -> pl.Expr:
    lost = losses.filter("loses")["customer"].implode()
    return pl.col("kind").is_in(["deactivation", "merge"]) & pl.col("customer").is_in(lost)


def access_lost(losses: Sequence[pl.DataFrame]) -> pl.Expr:
    """Whether a change of one of several clubs is an access loss: `clubsync.load.small`.

    :param losses: `LOSSES` of each club, in the order of the numbers in `club`; none: as in `writing`.
    """
    known = [n for n, frame in enumerate(losses) if frame.height]
    if not known:
        return _DEACTIVATED
    # a customer's number is no other club's customer's
    losing = _losing(pl.concat([losses[n] for n in known]))
    return pl.when(pl.col("club").is_in(known)).then(losing).otherwise(_DEACTIVATED)


def audit(driver: Driver, club: int, run: int, changes: pl.DataFrame, at: datetime, by: str) -> int:
    """R18: a row for every change, in the transaction of the change; how many.

    :param changes: `diff.CHANGES`.
    :param by: the person who made them.
    """
    return writing(driver, club, run, changes, at, by=by)(0)


def writing(
    driver: Driver,
    club: int,
    run: int,
    changes: pl.DataFrame,
    at: datetime,
    decision: Decision | None = None,
    by: str | None = None,
    *,
    losses: pl.DataFrame | None = None,
    beside: Executor | None = None,
    alone: bool = False,
) -> Callable[[int], int]:
    """What writes the audit, and says how many rows; it takes how many customers were linked to a user meanwhile.

    :param by: None: the sync, but for what a decision approved.
    :param losses: `LOSSES`; None: every deactivation is an access loss.
    """
    losing = _DEACTIVATED if losses is None or losses.is_empty() else _losing(losses)

    def rows(part: pl.DataFrame) -> pl.DataFrame:
        actor = pl.lit(by, dtype=pl.String)
        if decision is not None:
            # R18, R15: what a person approved bears their name
            theirs = pl.col("kind").is_in(["deactivation", "merge"]) & pl.col("customer").is_in(
                decision.customers
            )
            actor = pl.when(theirs).then(pl.lit(decision.by)).otherwise(actor)
        return part.with_columns(run=pl.lit(run), at=pl.lit(at), actor=actor, access_lost=losing)

    add = copying_new(driver, "sync.change", changes, rows, beside=beside, alone=alone)

    def write(linked: int) -> int:
        if changes.height:
            queries().enter_feed(driver, club=club, run=run)
        with rebuild_indexes_after(driver, "sync.change", alone):
            add.send()
            if linked:  # of customers who were known: not in a first load
                queries().audit_links(driver)
            add.take()
        return changes.height

    return write
