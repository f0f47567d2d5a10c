"""What is asked of Tryton, in either protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Domain = list[Any]

BY_ID = [["id", "ASC"]]
HIGHEST_FIRST = [["id", "DESC"]]

_WITH_INACTIVE = frozenset({"party.party", "party.category"})


class Queries(Protocol):
    """Searches in Tryton's models."""

    #: ids that fit into one domain.
    most_ids: int

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """Records of the domain, by id, with their id and these fields.

        :raises ConnectorError: no response, or an unexpected one.
        """

    def highest(self, model: str, domain: Domain) -> int:
        """The highest id of the domain; 0: there is none."""

    def count(self, model: str, domain: Domain) -> int:
        """How many records are in the domain."""

    def close(self) -> None:
        """Log out, if there is a session."""


def context_of(model: str) -> dict[str, Any]:
    """The context of a search: parties and categories are read with their inactive records."""
    return {"active_test": False} if model in _WITH_INACTIVE else {}


def changed_since(moment: datetime) -> Domain:
    """Parties that have a later stamp, or a mechanism with a later stamp; a new record has no `write_date`."""
    utc = moment.astimezone(UTC)
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    stamp = {"__class__": "datetime", **{part: getattr(utc, part) for part in parts}}
    own = [["create_date", ">=", stamp], ["write_date", ">=", stamp]]
    return ["OR", *own, ["contact_mechanisms", "where", [["OR", *own]]]]
