"""Try a connector's settings: read and evaluate a club, and store nothing.

The result is for the person who writes the settings: the first records as a sync would see them, who would have
access and why, and which fields of the ERP's response no setting uses. Personal values are masked by default,
because the result may end up in a terminal's log or a ticket (R19).
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
from clubsync.operate import group_check
from clubsync.store.snapshots import KEPT, prepare
from clubsync.validate import facts
from clubsync.validate.affected import with_absent_groups
from clubsync.validate.policy import policy_of
from connectors.sdk import quoted
from connectors.sdk.base import Connection
from connectors.sdk.model import Reading

_ORDINAL = re.compile(r"\.\d+(?=\.|$)")


@dataclass(frozen=True)
class Tryout:
    """The result of a try.

    :param records: the first records, in the ERP's order.
    :param statuses, access: how many records have each value.
    :param groups: id, name, active, and held_by: how many customers have the group.
    :param unused: columns or paths of the ERP's response that no setting uses.
    :param absent_groups: groups of former customers that clubs.yaml names and the ERP does not have (R3).
    :param absent_access_groups: the same of groups that give access.
    :param absent_automatic_groups: the same of groups that feed automatic groups (R4).
    """

    reading: Reading
    records: list[dict[str, Any]]
    statuses: dict[str, int]
    access: dict[str, int]
    groups: list[dict[str, Any]]
    unused: list[str]
    absent_groups: list[str]
    absent_access_groups: list[str]
    absent_automatic_groups: list[str]


def try_out(
    club: ClubConfig, resolve: Callable[[str], Connection], *, first: int = 10, show: bool = False
) -> Tryout:
    """Read a club with its settings and evaluate its records. Stores nothing.

    :param first: how many records to show.
    :param show: whether names, emails and phones are shown unmasked.
    :raises SyncError, ConnectorError: the club cannot be read.
    """
    reading = connector_of(club, resolve).read(full=True)
    evaluated = _evaluated(reading, club)
    names = dict(reading.groups.select("id", "name").iter_rows())
    held = evaluated.select(pl.col("groups").list.eval(pl.element().struct.field("id"))).explode(
        "groups"
    )
    holders = dict(held.drop_nulls().group_by("groups").len().iter_rows())
    used = {*reading.column_of.values(), *reading.decided_by}
    shown = [_shown(row, names, show) for row in evaluated.head(first).iter_rows(named=True)]
    return Tryout(
        reading=reading,
        records=shown,
        statuses=_counts(evaluated, "status"),
        access=_counts(evaluated, "access"),
        groups=[
            {
                **group,
                **{name: _word(group[name], show) for name in ("id", "name")},
                "held_by": holders.get(group["id"], 0),
            }
            for group in reading.groups.iter_rows(named=True)
        ],
        unused=[c for c in reading.columns if not _is_used(c, used)],
        absent_groups=group_check.absent(club.former_groups, reading),
        absent_access_groups=group_check.absent(club.access_groups, reading),
        absent_automatic_groups=group_check.absent(club.automatic_groups, reading),
    )


def _evaluated(reading: Reading, club: ClubConfig) -> pl.DataFrame:
    """The facts of all records, as in a first sync, in the ERP's order (R3)."""
    customers = reading.customers
    if customers.height and customers["erp_id"].null_count() == customers.height:
        customers, _, _ = identity.resolve(
            customers,
            [],
            b"tried, not stored",
            placeholders=club.placeholder_emails,
            shared_limit=club.shared_email_limit,
        )
    order = customers.select("erp_id")
    kept, _ = prepare(Reading(customers, reading.groups, reading.certificate, as_of=reading.as_of))
    nothing = pl.lit([], dtype=model.GROUP_LIST)
    records = kept.select(KEPT).with_columns(
        presence=pl.lit(model.SEEN), m_groups=nothing, m_remembered=nothing
    )
    policy = policy_of(club, reading.certificate.complete)
    policy = with_absent_groups(policy, reading.groups, customers["groups"])
    evaluated = facts.evaluate(records, reading.groups, policy)
    return order.join(evaluated, on="erp_id", how="left", maintain_order="left")


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
        "groups": [_span(group, names, show) for group in row["groups"]],
        "guardian": row["guardian_id"],
        "access": row["access"],
        "why": _why(row),
    }


def _word(text: str, show: bool) -> str:
    return text if show else quoted.quoted(text)


def _span(group: dict[str, Any], names: dict[str, str], show: bool) -> str:
    until: date | None = group["valid_until"]
    id_, name = group["id"], names.get(group["id"])
    name = _word(name, show) if name else f"{_word(id_, show)} (not in the ERP's list)"
    return f"{name} until {until}" if until else name


def _why(row: dict[str, Any]) -> str | None:
    """Why a record has no access, in a few words; None if it has."""
    if row["access_reason"]:
        return str(row["access_reason"]).replace("_", " ")
    if row["access"] == model.YES:
        return f"shares its email with {row['cluster'] - 1} others" if row["cluster"] > 1 else None
    if row["status"] == "unknown":
        return "unknown status"
    if row["unreadable"]:
        fields = sorted({note["field"] for note in row["unreadable"]})
        return f"cannot be read: {', '.join(fields)}"
    if row["email_state"] != "valid":
        return f"email {row['email_state']}"
    return "unknown group"


def masked(value: str | None) -> str | None:
    """A personal value of which only the form is left; null stays null."""
    return quoted.masked(value) if value else value


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    counted = frame.group_by(column).len().sort("len", column, descending=[True, False])
    return {str(name): int(n) for name, n in counted.iter_rows()}


def _is_used(column: str, used: set[str]) -> bool:
    """Whether a setting uses this path, a path above it or a path below it."""
    plain = column.replace("[]", "")
    for path in used:
        # of a JMESPath the part before its first bracket; of `phones.0` the list
        start = _ORDINAL.sub("", path.partition("[")[0])
        if plain == start or plain.startswith(f"{start}.") or start.startswith(f"{plain}."):
            return True
    return False
