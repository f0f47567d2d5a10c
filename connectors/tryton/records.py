"""Tryton's records, and how a page of them becomes canonical rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from connectors.sdk import fields
from connectors.sdk.base import Club
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.dates import Dates
from connectors.sdk.model import CUSTOMER_SCHEMA, customers_frame
from connectors.sdk.odd import several
from connectors.sdk.paths import identifier
from connectors.sdk.words import same
from connectors.tryton.settings import TrytonSettings

#: canonical field -> what it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "name",
    "last_name": "name",
    "status": "active",
    "email": "email",
    "phone": "phone",
    "groups": "categories",
    "guardian_id": "relations",
    "replaced_by": "replaced_by",
    "created_at": "create_date",
    "modified_at": "write_date",
}

#: columns of the parties before names and phones are parsed, all at once.
_ROW_SCHEMA = {
    "name": pl.String(),
    **{
        c: CUSTOMER_SCHEMA[c]
        for c in (
            *("erp_id", "email", "phone", "status", "groups", "guardian_id", "replaced_by"),
            *("created_at", "modified_at"),
        )
    },
}


class Stamp(msgspec.Struct):
    """`{"__class__": "datetime", …}`, without an offset, in UTC."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0

    def __str__(self) -> str:
        """As text, for `connectors.sdk.dates`, which knows what is no date."""
        day = f"{self.year:04}-{self.month:02}-{self.day:02}"
        return f"{day} {self.hour:02}:{self.minute:02}:{self.second:02}.{self.microsecond:06}Z"


class Party(msgspec.Struct):
    """`party.party`."""

    id: int | None
    active: bool | int | str | None
    name: str | None
    categories: list[int] | str | None
    replaced_by: int | str | None
    create_date: Stamp | str | None
    write_date: Stamp | str | None


class Mechanism(msgspec.Struct):
    """`party.contact_mechanism`: an email, a phone."""

    id: int
    party: int
    type: str
    value: str | None
    name: str | None
    sequence: int | None
    write_date: Stamp | str | None

    def order(self) -> tuple[bool, int, int]:
        """Tryton's own order: by sequence, those without one first, then by id."""
        return (self.sequence is not None, self.sequence or 0, self.id)


class Category(msgspec.Struct):
    """`party.category`."""

    id: int
    rec_name: str
    active: bool | int | None


class Relation(msgspec.Struct):
    """`party.relation.all`."""

    id: int
    from_: int
    to: int
    start_date: Stamp | str | None
    end_date: Stamp | str | None

    def covers(self, day: date) -> bool:
        """Whether it is in force on that day; a side that is open, or cannot be read, is open."""
        first, last = _day(self.start_date), _day(self.end_date)
        return (first is None or first <= day) and (last is None or day <= last)


class RecordPage(msgspec.Struct):
    """A page of parties, with their contact mechanisms and relations to guardians."""

    parties: list[Party]
    mechanisms: list[Mechanism]
    relations: list[Relation]


#: Tryton's stamps are in UTC, its dates have no zone.
_UTC = Dates(Club("tryton", ZoneInfo("UTC"), ""))


def _day(stamp: Stamp | str | None) -> date | None:
    found = _UTC.day(None if stamp is None else str(stamp))
    return found if isinstance(found, date) else None


def _moment(stamp: Stamp | str | None) -> datetime | None:
    found = _UTC.moment(None if stamp is None else str(stamp))
    return found if isinstance(found, datetime) else None


def rows(page: RecordPage, settings: TrytonSettings, today: date) -> Iterator[dict[str, Any]]:
    """The parties of a page as rows for `customers`."""
    mechanisms: dict[int, list[Mechanism]] = {}
    for m in sorted(page.mechanisms, key=Mechanism.order):
        mechanisms.setdefault(m.party, []).append(m)
    guardians: dict[int, int] = {}
    for r in page.relations:
        if r.covers(today):
            guardians[r.from_] = min(r.to, guardians.get(r.from_, r.to))
    for p in page.parties:
        own = mechanisms.get(p.id, []) if p.id is not None else []
        stamps = [_moment(s) for s in (p.write_date, *(m.write_date for m in own))]
        guardian = guardians.get(p.id) if p.id is not None else None
        yield {
            "erp_id": identifier(p.id),
            "email": _email(own, settings.email_name),
            "name": p.name,
            "phone": _phone(own, settings.phone_types),
            "status": _status(p, own),
            "groups": [
                {"id": str(c), "valid_from": None, "valid_until": None}
                # null, as of a record without the key, is unknown (R3)
                for c in several(NOT_TEXT if p.categories is None else p.categories)
            ],
            "guardian_id": str(guardian) if guardian is not None else None,
            "replaced_by": identifier(p.replaced_by),
            "created_at": _moment(p.create_date),
            "modified_at": max((stamp for stamp in stamps if stamp), default=None),
        }


def customers(found: list[dict[str, Any]], country: str) -> pl.DataFrame:
    """Rows as `rows` yields them -> `CUSTOMER_SCHEMA`.

    :param country: in which phone numbers without a prefix are parsed.
    """
    raw = pl.DataFrame(found, schema=_ROW_SCHEMA)
    return customers_frame(
        raw.with_columns(
            fields.phones(raw["phone"], country),
            *fields.split_names(raw["name"]).get_columns(),
        )
    )


def _email(mechanisms: Sequence[Mechanism], name: str | None) -> str | None:
    """The email of that name, otherwise the first; `mechanisms` in Tryton's order."""
    emails = [m for m in mechanisms if m.type == "email" and m.value]
    named = [m for m in emails if same(m.name, name)]
    return next((m.value for m in (*named, *emails)), None)


def _phone(mechanisms: Sequence[Mechanism], types: Sequence[str]) -> str | None:
    for kind in types:
        for m in mechanisms:
            if m.type == kind and m.value:
                return m.value
    return None


def _status(party: Party, mechanisms: Sequence[Mechanism]) -> str:
    if party.active is None or isinstance(party.active, str):
        return "unknown"
    if party.active:
        return "active"
    erased = party.name is None and not mechanisms and party.replaced_by is None
    return "deleted" if erased else "archived"
