"""Plan a batch of clubs at once: what each of them gets is what `plan` would give it alone.

Of a few records nearly all that a plan costs is that of each of its hundred queries, however few rows they have. So
small clubs are put into one frame: their ids and emails bear the mark of their club meanwhile (`clubsync.marks`), so
that nothing is found in another one's rows (R21), and the plan is taken apart by club again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl

from clubsync.diff.plan import plan
from clubsync.marks import TOGETHER, club_of, marked
from clubsync.model import Plan, Proof

Key = TypeVar("Key")

_RECORD_NAMES = (
    *("erp_id", "email_norm", "guardian_id", "replaced_by", "owner_id", "successor"),
    *("m_email_norm", "m_guardian_id", "m_replaced_by"),
)
_BASE_NAMES = ("erp_id", "email", "undone", "same_person", "user_email")
#: Frame or series of a plan -> its marked columns.
_PLAN_NAMES: dict[str, tuple[str, ...]] = {
    "customers": ("erp_id", "email", "was_email"),
    "changes": ("erp_id",),
    "losses": ("erp_id",),
    "findings": ("erp_id",),
    "evaluated": ("erp_id",),
    "records": ("erp_id", "email_norm", "guardian_id", "replaced_by"),
    "deferred": ("erp_id",),
    "suspected": ("erp_id",),
    "next_dates": ("erp_id",),
}


@dataclass(frozen=True)
class PlanInput:
    """What a club's plan is made from; see `clubsync.diff.plan.plan`."""

    records: pl.DataFrame
    findings: pl.DataFrame
    base: pl.DataFrame
    proof: Proof
    confirmed: pl.DataFrame


def plans(clubs: Mapping[Key, PlanInput]) -> dict[Key, Plan]:
    """The plan of each club.

    :param clubs: what each is made from; base customers have numbers that are unique among all clubs.
    """
    made = dict[Key, Plan]()
    for proof in dict.fromkeys(club.proof for club in clubs.values()):
        alike = {name: club for name, club in clubs.items() if club.proof == proof}
        made |= zip(alike, _planned(list(alike.values()), proof), strict=True)
    return {name: made[name] for name in clubs}


def _planned(clubs: Sequence[PlanInput], proof: Proof) -> list[Plan]:
    """The plans of clubs whose snapshots prove the same, in order."""
    if len(clubs) == 1:
        one = clubs[0]
        return [plan(one.records, one.findings, one.base, proof, one.confirmed)]
    base, of_base = _joined(clubs, lambda club: club.base, _BASE_NAMES)
    planned = plan(
        _joined(clubs, lambda club: club.records, _RECORD_NAMES)[0],
        _joined(clubs, lambda club: club.findings, ("erp_id",))[0],
        base,
        proof,
        _joined(clubs, lambda club: club.confirmed, ("erp_id",))[0],
        TOGETHER,
    )
    owners = pl.DataFrame({"customer": base["customer"], "club_of_customer": of_base})
    parts: list[dict[str, Any]] = [{} for _ in clubs]
    for name, columns in _PLAN_NAMES.items():
        value = getattr(planned, name)
        frame = value if isinstance(value, pl.DataFrame) else value.to_frame("erp_id")
        for n, part in enumerate(_by_club(frame, columns, owners, len(clubs))):
            parts[n][name] = part if isinstance(value, pl.DataFrame) else part["erp_id"]
    return [Plan(**part) for part in parts]


def _joined(
    clubs: Sequence[PlanInput],
    frame_of: Callable[[PlanInput], pl.DataFrame],
    names: tuple[str, ...],
) -> tuple[pl.DataFrame, pl.Series]:
    """A frame of all clubs, marked, and of each row the number of its club.

    :param names: the columns with ids and emails.
    """
    frames = [frame_of(club) for club in clubs]
    columns = frames[0].columns  # not every club's are in this order
    numbers = [n for n, frame in enumerate(frames) for _ in range(frame.height)]
    of = pl.Series("club", numbers, dtype=pl.Int64)
    return marked(pl.concat((f.select(columns) for f in frames), rechunk=True), names, of), of


def _by_club(
    frame: pl.DataFrame, names: tuple[str, ...], owners: pl.DataFrame, clubs: int
) -> list[pl.DataFrame]:
    """The rows of each club, in order, without the marks.

    :param owners: whose each base customer is: a customer may be without a record.
    """
    number = club_of("erp_id")
    if "customer" in frame.columns:
        frame = frame.join(owners, on="customer", how="left", maintain_order="left")
        number = pl.coalesce(number, "club_of_customer")
    rows = frame.with_columns(
        *(TOGETHER.bare(pl.col(name)) for name in names), club=number
    ).partition_by("club", as_dict=True, include_key=False, maintain_order=True)
    columns = [name for name in frame.columns if name != "club_of_customer"]
    none = frame.select(columns).clear()
    return [
        part.select(columns) if (part := rows.get((n,))) is not None else none for n in range(clubs)
    ]
