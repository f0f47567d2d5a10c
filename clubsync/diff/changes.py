"""What differs from what was, by kind: one row for each customer and kind of change (R17, R18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import CHANGES, FIELDS

STATE = (
    "erp_id",
    "email",
    "email_raw",
    *FIELDS,
    "in_customers_group",
    "groups",
    "reason",
    "detached",
    "linked_user",
)
_PROFILE = (*FIELDS, "email_raw", "linked_user")
_ACCESS = ("in_customers_group", "groups", "reason", "detached")
_CARRIED = ("erp_id", "email", *_ACCESS, "linked_user")


@dataclass(frozen=True)
class _Kind:
    """:param when: which rows of the outcome are changes of this kind.
    :param columns: what is told of before and after.
    """

    name: str
    when: pl.Expr
    columns: tuple[str, ...]
    reason: pl.Expr


def _differs(*names: str) -> pl.Expr:
    return pl.any_horizontal([pl.col(n).ne_missing(pl.col(f"b_{n}")) for n in names])


#: What names a record or a customer.
_NAMES = ("erp_id", "email")


def _json(prefix: str, names: Sequence[str], marks: Marks) -> pl.Expr:
    values = {n: pl.col(f"{prefix}{n}") for n in names}
    told = [(marks.bare(value) if n in _NAMES else value).alias(n) for n, value in values.items()]
    return pl.struct(told).struct.json_encode()


def _kinds() -> list[_Kind]:
    """One row for each customer and kind: a merge, an adoption or an addition carries its access change with it."""
    was, now, how = pl.col("b_in_customers_group"), pl.col("in_customers_group"), pl.col("how")
    plain = how.is_null()
    stays = pl.col("customer").is_not_null() & pl.col("into").is_null()
    profile = _differs(*FIELDS, "linked_user") | (_differs("email_raw") & ~_differs("email"))
    added = ("email", "in_customers_group", "groups")
    eligible, erp = pl.lit("eligible"), pl.lit("erp")
    email_reason = pl.when(pl.col("email").is_null()).then(pl.lit("email_given_up")).otherwise(erp)
    merged = (how == "merge") & _differs(*_CARRIED)
    return [
        _Kind("addition", how == "addition", added, eligible),
        _Kind("merge", merged, _CARRIED, pl.lit("merged")),
        _Kind("adoption", how == "adoption", _CARRIED, pl.lit("same_email")),
        _Kind("deactivation", plain & was & ~now, _ACCESS, pl.col("reason")),
        _Kind("reactivation", plain & ~was & now, _ACCESS, eligible),
        _Kind("email_change", stays & _differs("email"), ("email", "email_raw"), email_reason),
        _Kind("profile_change", stays & profile, _PROFILE, erp),
        _Kind("group_change", plain & was & now & _differs("groups"), ("groups",), erp),
    ]


def changes(outcome: pl.DataFrame, marks: Marks = ONE_CLUB) -> pl.DataFrame:
    """One row for each customer and kind of change: `CHANGES`, kind by kind.

    :param outcome: see `clubsync.diff.outcome.outcomes`.
    """
    kinds = _kinds()
    which = outcome.select(kind.when.fill_null(False).alias(kind.name) for kind in kinds)
    # mostly there are few kinds, and what is told of a kind costs more than to see that there is none
    parts = [
        _told(outcome, which[kind.name], kind, marks) for kind in kinds if which[kind.name].any()
    ]
    return pl.concat(parts) if parts else CHANGES.to_frame()


def _told(outcome: pl.DataFrame, which: pl.Series, kind: _Kind, marks: Marks) -> pl.DataFrame:
    """The changes of one kind: `CHANGES`.

    :param which: whether each row of the outcome is one; Boolean.
    """
    before = _json("b_", kind.columns, marks)
    if kind.name == "addition":
        before = pl.lit(None, dtype=pl.String)
    return (
        outcome.lazy()
        .filter(which)
        .select(
            "customer",
            "erp_id",
            kind=pl.lit(kind.name),
            before=before,
            after=_json("", kind.columns, marks),
            reason=kind.reason,
        )
        .cast(CHANGES)
        .collect()
    )


def changed_customers(outcome: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """The base rows that the changes write, whole: customer, `STATE`, new, was_in, was_email.

    :param changed: `CHANGES`.
    """
    new = pl.col("customer").is_null()
    touched = new | pl.col("customer").is_in(changed["customer"].drop_nulls().unique().implode())
    return (
        outcome.lazy()
        .filter(touched)
        .select("customer", *STATE, new=new, was_in="b_in_customers_group", was_email="b_email")
        .collect()
    )
