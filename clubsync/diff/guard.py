"""R15: too many access losses at once await approval. Pure; `clubsync.load.holds` stores them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from clubsync.config import Guard
from clubsync.model import HELD, Plan
from connectors.sdk.messages import message
from connectors.sdk.quoted import quoted

#: reason -> how a cause reads; {group} where the reason is a group's.
_CAUSES = {
    "gone": message("no longer in the ERP"),
    "group_inactive": message("group {group} turned inactive"),
    "former_group": message("moved to the former customers' group {group}"),
    "expired": message("membership expired"),
    "dependant": message("became a family member without an email of their own"),
    "email_duplicate": message("email is on another customer too"),
    "email_given_up": message("email was given up to another customer"),
    "no_group": message("in no group any more"),
    "other_group": message("in no group that gives access, but in {group}"),
    "placeholder": message("record is not a person any more"),
    "replaced": message("record was merged in the ERP"),
    "not_begun": message("membership begins later"),
    "merged": message("record ended in another one with the same email"),
    "active": message("status active in the ERP"),
    "prospect": message("status prospect in the ERP"),
    "paused": message("status paused in the ERP"),
    "suspended": message("status suspended in the ERP"),
    "former": message("status former in the ERP"),
    "archived": message("status archived in the ERP"),
    "elsewhere": message("moved to another club of the chain"),
    "unlisted": message("on no membership of this club any more"),
}


@dataclass(frozen=True)
class LimitCheck:
    """:param limit: the most access losses that would have passed in 24 hours."""

    holds: bool
    limit: int


def limit_check(
    guard: Guard, *, deactivations: int, last_24_hours: int, customers: int, hold_is_open: bool
) -> LimitCheck:
    """Whether this run's access losses are held.

    :param deactivations: the access losses of this plan, whatever the change is called.
    :param last_24_hours: from how many the sync has taken access in this club before, in the last 24 hours.
    :param customers: in the Customers group before the run.
    :param hold_is_open: then whoever else falls due joins it, however few.
    """
    limit = guard.limit(customers)
    over = deactivations + last_24_hours > limit
    return LimitCheck(holds=deactivations > 0 and (over or hold_is_open), limit=limit)


def held(plan: Plan, records: pl.DataFrame) -> pl.DataFrame:
    """The access losses of a plan, and its merges by email, as the list that a person decides on: `HELD`, by
    customer.
    """
    if plan.losses.is_empty():
        return HELD.to_frame()
    rows = plan.losses.join(
        records.select("erp_id", "odd_groups", "row_hash"), on="erp_id", how="left"
    )
    causes = [
        _cause(reason, list(dict.fromkeys(odd or [])))
        for reason, odd in rows.select("reason", "odd_groups").iter_rows()
    ]
    return (
        rows.with_columns(cause=pl.Series(causes, dtype=pl.String))
        .select(HELD.names())
        .cast(HELD)
        .sort("customer")
    )


def _cause(reason: str, groups: list[str]) -> str:
    text = _CAUSES.get(reason, message(f"status {reason} in the ERP"))
    return text.replace("{group}", ", ".join(f"*{quoted(g)}*" for g in groups) or "*?*")


def causes(held_list: pl.DataFrame, customers: int) -> list[str]:
    """The causes in plain words, the largest first: "group *Gold* turned inactive: 412 customers".

    :param customers: in the Customers group.
    :returns: before them what is to be checked first, where the numbers suggest it.
    """
    counted = Counter(held_list["cause"])
    gone = held_list.filter(pl.col("loses") & (pl.col("reason") == "gone")).height
    hint = vanished(gone, customers)
    return [
        *([hint] if hint else []),
        *(
            with_number(cause, n)
            for cause, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        ),
    ]


def vanished(gone: int, customers: int) -> str | None:
    """What half of a club that is missing suggests: an export that is truncated, more often than a club that lost half.

    :param gone: how many would lose access because the ERP does not have them any more.
    :param customers: in the Customers group.
    """
    if not gone or gone * 2 < customers:
        return None
    return message(
        f"half of the club or more vanished from the ERP ({gone} of {customers} customers): check the export first"
    )


#: How the cause of somebody reads whom the ERP does not have any more.
GONE = _CAUSES["gone"]


def with_number(cause: str, number: int) -> str:
    """A cause, and how many customers it has."""
    return message(f"{cause}: {number} customer{'s' if number != 1 else ''}")


def list_hash(customers: pl.Series, merges: Mapping[int, bool] | None = None) -> str:
    """The hash by which a person's decision names the exact list they saw.

    :param merges: those of them who would be merged, and whether they lose access by it.
    """
    marks = {customer: "-" if loses else "+" for customer, loses in (merges or {}).items()}
    text = ",".join(f"{c}{marks.get(c, '')}" for c in sorted(customers.to_list()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
