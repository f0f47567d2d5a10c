"""What small plans write, as JSON, made for the clubs of a batch at once.

Of a few rows nearly all that a load costs is that of each query of Polars and of each statement, however few rows they
have. So the rows of all small plans of a batch are made ready in one frame, before the first club's transaction begins:
row by row, so that no club's rows meet another's (R21), and of nothing but the plans.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from clubsync.load import audit, customers, findings, records
from clubsync.load.index_patch import index_patch
from clubsync.model import Planned
from clubsync.validate import similarity

#: Rows up to which a plan is small.
SMALL = 2_000
_CLUB = "club"
_WHO = [_CLUB, "erp_id"]


@dataclass(frozen=True)
class Rows:
    """A small plan's rows, as JSON arrays of objects; None: there are none.

    :param of: the plan.
    :param new, known: of base.customer; `added`: how many new ones.
    :param relinked: the email of a known customer is another: a user may be linked to it (R9).
    :param groups: the keys of the automatic groups that customers are in.
    :param joined: by how much the number of customers in the Customers group grows.
    :param changes: of sync.change; `changed`: how many.
    :param first_seen, again: of sync.erp_customer: new rows, and those of known records.
    :param seen, vanished: whether there are such records among those.
    :param keys: blocking keys of the records, compared or not (R23): of sync.similar_key.
    :param found: findings that are open from now on, of the records that `evaluated` lists (a JSON array of ids).
    :param patch: what the record index learns (`index_patch`).
    """

    of: Planned
    new: str | None
    known: str | None
    added: int
    relinked: bool
    groups: frozenset[str]
    joined: int
    changes: str | None
    changed: int
    first_seen: str | None
    again: str | None
    seen: bool
    vanished: bool
    keys: str | None
    found: str
    evaluated: str
    patch: pl.DataFrame


def is_small(planned: Planned) -> bool:
    """Whether a plan's rows go as JSON, and not by COPY."""
    plan = planned.plan
    frames = (plan.customers, plan.changes, plan.records, plan.findings, planned.basis.shown)
    return max(frame.height for frame in frames) <= SMALL


def rows_of(plans: Sequence[Planned]) -> list[Rows]:
    """The rows of each of these small plans, in order."""
    if not plans:
        return []
    made = [one.plan for one in plans]
    people = customers.to_write(_joined([plan.customers for plan in made]))
    new, known = people.filter("new"), people.filter(~pl.col("new"))
    theirs = dict[int, dict[str, Any]]()
    for row in (
        people.group_by(_CLUB)
        .agg(
            added=pl.col("new").sum(),
            joined=pl.col("joined").sum(),
            relinked=(pl.col("relink") & ~pl.col("new")).any(),
            groups=pl.col("groups").explode(empty_as_null=False, keep_nulls=False).unique(),
        )
        .iter_rows(named=True)
    ):
        theirs[row.pop(_CLUB)] = row
    mirror = records.to_write(_joined([plan.records for plan in made]))
    again = mirror.filter(pl.col("known") | pl.col("vanished"))
    counts = again.group_by(_CLUB).agg(
        seen=(~pl.col("vanished")).any(), vanished=pl.col("vanished").any()
    )
    presences = {club: (seen, vanished) for club, seen, vanished in counts.iter_rows()}
    changes = _joined([plan.changes for plan in made])
    # R18: both are numbered in their order; a row beside its neighbour would be a stranger's audit
    if not changes.filter(pl.col("kind") == "addition")[_WHO].equals(new[_WHO]):
        raise AssertionError("the plans' additions and their new customers are not in one order")
    texts = {
        "new": _texts(new.drop("new", "joined", "relink", "detached")),
        "known": _texts(known.drop("new", "joined")),
        "changes": _texts(
            changes.with_columns(access_lost=audit.access_lost([plan.losses for plan in made]))
        ),
        "first_seen": _texts(mirror.filter(~(pl.col("known") | pl.col("vanished")))),
        "again": _texts(again),
    }
    open_now = _joined([findings.found(one.basis, one.plan) for one in plans])
    texts["keys"] = _texts(_keys(mirror))
    found = _texts(findings.each_once(open_now, _CLUB))
    rows = []
    for n, one in enumerate(plans):
        person = theirs.get(n, {})
        seen, vanished = presences.get(n, (False, False))
        rows.append(
            Rows(
                of=one,
                **{name: text.get(n) for name, text in texts.items()},
                added=person.get("added", 0),
                joined=person.get("joined", 0),
                relinked=person.get("relinked", False),
                groups=frozenset(person.get("groups", ())),
                changed=one.plan.changes.height,
                seen=seen,
                vanished=vanished,
                found=found.get(n, "[]"),
                evaluated=json.dumps(findings.evaluated(one.basis, one.plan).to_list()),
                patch=index_patch(one.basis, one.plan),
            )
        )
    return rows


def _keys(mirror: pl.DataFrame) -> pl.DataFrame:
    """The blocking keys of records: club, erp_id, key."""
    rows = mirror.filter(~pl.col("vanished")).with_row_index("row")
    people = rows.select(
        pl.col("row").cast(pl.String).alias("erp_id"),
        *("first_name", "last_name", "phone", "birth_date"),
        email="email_norm",
    )
    keys = similarity.keys(people).select("key", row=pl.col("erp_id").cast(pl.UInt32))
    return keys.join(rows.select("row", *_WHO), on="row", how="left", maintain_order="left").drop(
        "row"
    )


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """A frame of all clubs: `club`, the number of the club among them, and `place`, of the row among the club's."""
    columns = frames[0].columns
    heights = [frame.height for frame in frames]
    club = pl.Series(
        _CLUB, [n for n, height in enumerate(heights) for _ in range(height)], pl.Int64
    )
    place = pl.Series("place", [at for height in heights for at in range(height)], pl.Int64)
    return pl.concat([frame.select(columns) for frame in frames]).with_columns(club, place)


def _texts(rows: pl.DataFrame) -> dict[int, str]:
    """Club -> its rows as a JSON array, of the clubs that have some."""
    parts = rows.partition_by(_CLUB, as_dict=True, include_key=False, maintain_order=True)
    return {int(club): part.write_json() for (club,), part in parts.items()}
