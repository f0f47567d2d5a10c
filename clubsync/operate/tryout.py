"""Trying a connector's settings: a club read and judged, and nothing of it stored.

What comes out is for the person who writes the settings: the first records as the sync would take them, who of
them would have access and why, and what of the ERP's answer no setting uses. Personal values are masked
unless asked for: the answer may end in a terminal's log or a ticket (R19).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from clubsync import model
from clubsync.config import ClubConfig
from clubsync.extract import identity
from clubsync.extract.reader import connector_of
from clubsync.store.snapshots import KEPT, prepare
from clubsync.validate import facts
from clubsync.validate.policy import policy_of
from connectors.sdk.base import Connection
from connectors.sdk.model import Reading

_ORDINAL = re.compile(r"\.\d+(?=\.|$)")


@dataclass(frozen=True)
class Tryout:
    """What came of a try.

    :param records: the first ones, in the ERP's own order.
    :param statuses, access: how many records have each.
    :param groups: id, name, active, and how many hold it.
    :param unused: columns or paths of the ERP's answer that nothing was read from, and nothing decided by.
    """

    reading: Reading
    records: list[dict[str, Any]]
    statuses: dict[str, int]
    access: dict[str, int]
    groups: list[dict[str, Any]]
    unused: list[str]


def try_out(
    club: ClubConfig, resolve: Callable[[str], Connection], *, first: int = 10, show: bool = False
) -> Tryout:
    """Read a club by its settings and judge what came; stores nothing.

    :param first: so many records are shown.
    :param show: with their names, emails and phones.
    :raises SyncError, ConnectorError: with what to do.
    """
    reading = connector_of(club, resolve).read(full=True)
    judged = _judged(reading, club)
    names = dict(reading.groups.select("id", "name").iter_rows())
    held = judged.select(pl.col("groups").list.eval(pl.element().struct.field("id"))).explode(
        "groups"
    )
    holders = dict(held.drop_nulls().group_by("groups").len().iter_rows())
    used = {*reading.column_of.values(), *reading.decided_by}
    shown = [_shown(row, names, show) for row in judged.head(first).iter_rows(named=True)]
    return Tryout(
        reading=reading,
        records=shown,
        statuses=_counts(judged, "status"),
        access=_counts(judged, "access"),
        groups=[
            {**group, "held_by": holders.get(group["id"], 0)}
            for group in reading.groups.iter_rows(named=True)
        ],
        unused=[c for c in reading.columns if not _is_used(c, used)],
    )


def _judged(reading: Reading, club: ClubConfig) -> pl.DataFrame:
    """R3 for everybody, as a first sync would judge them, in the ERP's own order."""
    customers = reading.customers
    if customers.height and customers["erp_id"].null_count() == customers.height:
        customers, _ = identity.resolve(customers, [], b"tried, not stored")
    order = customers.select("erp_id")
    kept, _ = prepare(Reading(customers, reading.groups, reading.certificate, as_of=reading.as_of))
    nothing = pl.lit([], dtype=model.GROUP_LIST)
    records = kept.select(KEPT).with_columns(
        presence=pl.lit(model.SEEN), m_groups=nothing, m_remembered=nothing
    )
    judged = facts.evaluate(records, reading.groups, policy_of(club, reading.certificate.complete))
    return order.join(judged, on="erp_id", how="left", maintain_order="left")


def _shown(row: dict[str, Any], names: dict[str, str], show: bool) -> dict[str, Any]:
    hide = (lambda value: value) if show else masked
    return {
        "erp_id": row["erp_id"],
        "name": hide(" ".join(filter(None, (row["first_name"], row["last_name"]))) or None),
        "email": hide(row["email"]),
        "phone": hide(row["phone"]),
        "status": row["status"]
        if not row["status_raw"]
        else f"unknown ({hide(row['status_raw'])})",
        "until": row["valid_until"],
        "groups": [_span(group, names) for group in row["groups"]],
        "guardian": row["guardian_id"],
        "access": row["access"],
        "why": _why(row),
    }


def _span(group: dict[str, Any], names: dict[str, str]) -> str:
    until: date | None = group["valid_until"]
    name = names.get(group["id"]) or f"{group['id']} (not in the ERP's list)"
    return f"{name} until {until}" if until else name


def _why(row: dict[str, Any]) -> str | None:
    """What stands between a record and its access, in a word or two."""
    if row["access_reason"]:
        return str(row["access_reason"]).replace("_", " ")
    if row["access"] == model.YES:
        return f"shares its email with {row['cluster'] - 1} more" if row["cluster"] > 1 else None
    if row["status"] == "unknown":
        return "status not understood"
    if row["email_state"] != "valid":
        return f"email {row['email_state']}"
    return "group not understood"


def masked(value: str | None) -> str | None:
    """A personal value of which only its form is left: `a…@e….com`, `+33…`, `A… R…`."""
    if not value:
        return value
    local, at, domain = value.rpartition("@")
    if at:
        name, dot, end = domain.rpartition(".")
        return f"{local[:1]}…@{name[:1]}…{dot}{end}"
    if value.startswith("+"):
        return f"{value[:3]}…"
    return " ".join(f"{word[:1]}…" for word in value.split())


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(column).len().sort("len", column, descending=[True, False])
    return {str(name): int(n) for name, n in counted.iter_rows()}


def _is_used(column: str, used: set[str]) -> bool:
    """Whether something was read from that path, from above it or from below it."""
    plain = column.replace("[]", "")
    for path in used:
        # of JMESPath what comes before its first bracket; of `phones.0` the list
        start = _ORDINAL.sub("", path.partition("[")[0])
        if plain == start or plain.startswith(f"{start}.") or start.startswith(f"{plain}."):
            return True
    return False
