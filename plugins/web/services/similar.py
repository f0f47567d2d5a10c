"""Records that look like one person (R23)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from clubsync.manual import customers as manual
from clubsync.store.database import queries
from clubsync.validate import suites
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, base
from plugins.web.services import actions, masking
from plugins.web.services.actions import Act

PAGE_SIZE = 50
COMPARED = ("first_name", "last_name", "email", "phone", "birth_date")


class Card(BaseModel):
    """One record of a pair."""

    erp_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    birth_date: str | None
    status: str
    access: bool


class SimilarPair(BaseModel):
    """Two records that look like one person; the score is from 0.5 (just enough) to 1."""

    score: float
    reasons: list[str]
    same: list[str] = Field(description="fields that are identical on both")
    records: tuple[Card, Card]


class SimilarPairs(BaseModel):
    pairs: list[SimilarPair]
    total: int


def pairs(
    club: OpenClub, language: str, page: int = 1, shown_to: User | None = None
) -> SimilarPairs:
    """A page of a club's pairs, the highest score first.

    :param shown_to: with personal data, for this person, which is recorded.
    """
    rows = list(
        queries().similar_pairs_page(
            club.driver, club=club.number, max_rows=PAGE_SIZE, skip=(page - 1) * PAGE_SIZE
        )
    )
    shown = shown_to is not None
    found = [
        SimilarPair(
            score=round(row["score"], 3),
            reasons=suites.similarity(row["reasons"], language),
            same=_same(row),
            records=(_card(row, "a_", shown), _card(row, "b_", shown)),
        )
        for row in rows
    ]
    if shown_to:
        named = [card.erp_id for pair in found for card in pair.records]
        actions.disclose(club, shown_to, "similar", named, page=page)
    return SimilarPairs(pairs=found, total=rows[0]["total"] if rows else 0)


def _same(pair: Mapping[str, Any]) -> list[str]:
    return [n for n in COMPARED if pair[f"a_{n}"] and pair[f"a_{n}"] == pair[f"b_{n}"]]


def _card(row: Mapping[str, Any], side: str, shown: bool) -> Card:
    names = ("erp_id", *COMPARED, "status", "access")
    card = masking.row({name: row[f"{side}{name}"] for name in names}, shown)
    if isinstance(card["birth_date"], date):
        card["birth_date"] = card["birth_date"].isoformat()
    return Card(**card)


def ignore(club: Club, user: User, one: str, other: str) -> Act:
    """Two records are two people: never suggest the pair again."""
    with actions.action(club, user, "ignore", [one, other], one=one, other=other) as begun:
        made = manual.ignore_pair(base(), club.config, one, other, by=user.name)
        begun.detail["already"] = made["already"]
    return begun.recorded
