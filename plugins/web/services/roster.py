"""Everybody of a club: its ERP records and its customers, by the situation that the engine has each of them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, Field

from clubsync.explain.situation import situations_of_club
from clubsync.model import WITHOUT_ID, Situation
from clubsync.store.database import fetch, queries
from plugins.web.auth import User
from plugins.web.context import OpenClub
from plugins.web.errors import ProblemError
from plugins.web.parameters import Paged, Unset, pages_of
from plugins.web.services import actions, masking

PAGE_SIZE = 50
LARGEST = 50_000
"""Of a club with more records, situations are not evaluated for a page."""

WITHOUT_RECORD: Literal["without_record"] = "without_record"
"""Customers of the club alone: added by hand, or from a request."""

Kind = Literal[
    "eligible",
    "new",
    "suspected",
    "held",
    "undone",
    "unsettled",
    "in_doubt",
    "duplicate",
    "dependant",
    "no_access_group",
    "inactive",
    "gone",
    "merged",
    "detached",
    "id_reused",
    "conflicting",
    "without_id",
    "not_a_person",
    "unseen",
    "without_record",
]


class Person(BaseModel):
    """An ERP record, a base customer, or both."""

    erp_id: str | None
    customer: int | None
    first_name: str | None
    last_name: str | None
    email: str | None
    status: str | None = Field(description="of the ERP record")
    in_customers_group: bool
    situation: Kind = Field(description="without_record: a customer whom the ERP does not have")


class Roster(BaseModel):
    """A page of a club's people; `situations` counts what the other filters leave."""

    people: list[Person]
    total: int
    page: int
    pages: int
    situations: dict[str, int]
    inside: int = Field(description="of them in the Customers group")


class RosterList(Paged):
    """Which people of a club.

    :param inside: true: those in the Customers group; false: those who are not.
    """

    situation: Annotated[Kind | None, Unset] = None
    inside: Annotated[bool | None, Unset] = None


def of_club(club: OpenClub, wanted: RosterList, shown_to: User | None = None) -> Roster:
    """A page of the club's people, in the order of their situations, then of their ids.

    :param shown_to: with personal data, for this person, which is recorded.
    :raises ProblemError: the club is too large.
    """
    if queries().count_records(club.driver, club=club.number) > LARGEST:
        raise ProblemError(
            422,
            "Too many customers",
            f"{club.name} has more than {LARGEST:,} records. Search for a person instead, or use "
            "`clubsync customers`.",
        )
    everybody = _everybody(club)
    if wanted.inside is not None:
        everybody = everybody.filter(pl.col("in_customers_group") == wanted.inside)
    counts = everybody.group_by("situation", maintain_order=True).len()
    rows = everybody
    if wanted.situation is not None:
        rows = rows.filter(pl.col("situation") == wanted.situation)
    page = rows.slice((wanted.page - 1) * PAGE_SIZE, PAGE_SIZE).to_dicts()
    if shown_to:
        named = [row["erp_id"] or f"#{row['customer']}" for row in page]
        actions.disclose(club, shown_to, "customers", named)
    return Roster(
        people=[_person(row, shown=shown_to is not None) for row in page],
        total=rows.height,
        page=wanted.page,
        pages=pages_of(rows.height, PAGE_SIZE),
        situations=dict(counts.iter_rows()),
        inside=int(everybody["in_customers_group"].sum()),
    )


def _person(row: Mapping[str, Any], *, shown: bool) -> Person:
    erp_id = row["erp_id"]
    hidden = bool(erp_id) and erp_id.startswith(WITHOUT_ID)
    return Person(**{**masking.row(row, shown), "erp_id": None if hidden else erp_id})


def _everybody(club: OpenClub) -> pl.DataFrame:
    """The fields of `Person` of everybody in the club, in order."""
    records = situations_of_club(club.driver, club.number, club.config)
    fields = ("erp_id", "first_name", "last_name", "status", "situation")
    seen = records.select(*fields, email="email_norm")
    schema = {
        "customer": pl.Int64,
        **dict.fromkeys(("erp_id", "email", "first_name", "last_name"), pl.String),
        "in_customers_group": pl.Boolean,
    }
    customers = fetch(club.driver, queries().customers_of_roster, schema, club=club.number)
    own = customers.rename({name: f"c_{name}" for name in ("email", "first_name", "last_name")})
    both = seen.join(own, on="erp_id", how="full", coalesce=True, nulls_equal=False)
    order = pl.Enum([str(one) for one in (*Situation, WITHOUT_RECORD)])
    return (
        both.select(
            *("erp_id", "customer", "status"),
            *(
                pl.coalesce(f"c_{name}", name).alias(name)
                for name in ("first_name", "last_name", "email")
            ),
            pl.col("in_customers_group").fill_null(False),
            pl.col("situation").fill_null(WITHOUT_RECORD).cast(order),
        )
        .sort("situation", pl.col("erp_id").str.len_chars(), "erp_id", "customer")
        .with_columns(pl.col("situation").cast(pl.String))
    )
