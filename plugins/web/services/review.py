"""R28: a first sync that awaits approval: who gets access, and who does not and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, Field

from clubsync.explain import review
from clubsync.explain.todo import general_advice
from clubsync.explain.wording import Words
from clubsync.model import WITHOUT_ID
from clubsync.store.database import queries
from plugins.web.auth import User
from plugins.web.context import OpenClub, engine
from plugins.web.errors import ProblemError
from plugins.web.parameters import Hash, Paged, Unset, pages_of
from plugins.web.services import actions, masking
from plugins.web.services.roster import Kind

if TYPE_CHECKING:
    from clubsync.store.queries import FirstSyncPlanRow

PAGE_SIZE = 50
LARGEST = 200_000
"""A reading with more records is not evaluated for a page."""


class Reviewed(BaseModel):
    """An ERP record of the reading that the first sync is planned from."""

    erp_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    status: str | None
    change: str | None = Field(
        description="what the plan does; null: nothing, the record gets no access"
    )
    situation: Kind
    why: str = Field(description="the engine's own reason, in a sentence")
    other: str | None = Field(
        description="the record that has the email, the family or the place instead"
    )
    codes: list[str] = Field(description="of the findings that the sync would open")
    to_do: str | None


class Review(BaseModel):
    """A page of everybody whom the first sync is about; an approval names `list_hash`."""

    run: int
    list_hash: str
    newest: bool = Field(description="false: a newer sync has changed the plan; nobody is listed")
    made_at: datetime
    changes: dict[str, int] = Field(description="what the plan does, by kind")
    gets_access: int
    no_access: int
    situations: dict[str, int] = Field(description="counts what the other filters leave")
    people: list[Reviewed]
    total: int
    page: int
    pages: int


class ReviewList(Paged):
    """Whom of them.

    :param list_hash: of the plan that was looked at; null: the newest.
    """

    who: Annotated[Literal["in", "out"] | None, Unset] = None
    situation: Annotated[Kind | None, Unset] = None
    list_hash: Hash | None = None


def newest_plan(club: OpenClub) -> str | None:
    """The hash of the plan that awaits approval; None: none does."""
    row = queries().first_sync_plan(club.driver, club=club.number)
    return None if row is None else row["list_hash"]


def of_club(
    club: OpenClub, wanted: ReviewList, language: str, shown_to: User | None = None
) -> Review | None:
    """A page of who gets access and who does not; None: no first sync of the club awaits approval.

    :param shown_to: with personal data, for this person, which is recorded.
    :raises ProblemError: 422: it is too large.
    :raises SnapshotUnreadable: what is stored of it is gone, or damaged.
    """
    row = queries().first_sync_plan(club.driver, club=club.number)
    if row is None:
        return None
    newest = wanted.list_hash in (None, row["list_hash"])
    frame = _everybody(club, row) if newest else review.REVIEW.to_frame()
    inside = pl.col("change").is_not_null()
    gets_access = frame.filter(inside).height
    listed = frame
    if wanted.who is not None:
        listed = listed.filter(inside if wanted.who == "in" else ~inside)
    counts = listed.group_by("situation", maintain_order=True).len()
    if wanted.situation is not None:
        listed = listed.filter(pl.col("situation") == wanted.situation)
    part = listed.slice((wanted.page - 1) * PAGE_SIZE, PAGE_SIZE).to_dicts()
    if shown_to:
        named = [one["erp_id"] for one in part]
        actions.disclose(club, shown_to, "first_sync", named, page=wanted.page)
    words = Words(
        club.config.name, club.config.zone, language, masking.address, to_viewer=not shown_to
    )
    return Review(
        run=row["run"],
        list_hash=wanted.list_hash or row["list_hash"],
        newest=newest,
        made_at=row["made_at"],
        changes={kind: n for kind, n in row["counts"].items() if n},
        gets_access=gets_access,
        no_access=frame.height - gets_access,
        situations=dict(counts.iter_rows()),
        people=[_person(one, words, language, shown=shown_to is not None) for one in part],
        total=listed.height,
        page=wanted.page,
        pages=pages_of(listed.height, PAGE_SIZE),
    )


def _everybody(club: OpenClub, row: FirstSyncPlanRow) -> pl.DataFrame:
    """`review.REVIEW` of the plan that awaits approval."""
    snapshot = queries().snapshot(club.driver, club=club.number, snapshot=row["snapshot"])
    if snapshot is not None and snapshot["customers"] > LARGEST:
        raise ProblemError(
            422, "Too many records", f"{club.name} has more than {LARGEST:,} records."
        )
    return review.of_plan(club.driver, engine().store, club.number, club.config, row)


def _person(row: Mapping[str, Any], words: Words, language: str, *, shown: bool) -> Reviewed:
    erp_id: str = row["erp_id"]
    advice = [general_advice(one["code"], one["severity"], language) for one in row["codes"]]
    kept = ("first_name", "last_name", "email", "status", "change", "situation", "other")
    return Reviewed(
        **masking.row({name: row[name] for name in kept}, shown),
        erp_id=None if erp_id.startswith(WITHOUT_ID) else erp_id,
        why=review.sentence(dict(row), words),
        codes=[one["code"] for one in row["codes"]],
        to_do=" ".join(dict.fromkeys(advice)) or None,
    )
