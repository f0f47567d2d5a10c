"""How a connector declares itself to the contract suite.

A `ConnectorCase` knows how to start an ERP of its kind (`erp`), which of the checks mean nothing to it, and why.
An `Erp` holds one club, takes people and groups in the words below, and can be made to fail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from connectors.sdk.base import Club, Connector
from connectors.sdk.errors import ConnectorError
from tests.support.servers import Recorder

#: stands in every field of an ERP that the sync does not need; it may turn up nowhere (R19).
CANARY = "FR7630006000011234567890189"

CLUB = Club(id="paris-11", timezone=ZoneInfo("Europe/Paris"), country="FR")


@dataclass(frozen=True)
class Kind:
    """A group, product, benefit or category."""

    id: str
    name: str
    active: bool = True


@dataclass(frozen=True)
class Held:
    """A group that somebody holds.

    :param until: last day.
    """

    group: str
    until: date | None = None


@dataclass(frozen=True)
class Someone:
    """An ERP customer.

    :param key: the tests' own name of the record; the ERP gives its own id. `replaced_by` and `guardian`
        are keys.
    :param status: `active`, `archived`, or a word that no ERP knows.
    """

    key: str
    first_name: str | None = "Ana"
    last_name: str | None = "Ruiz"
    email: str | None = None
    phone: str | None = None
    status: str = "active"
    groups: tuple[Held, ...] = ()
    guardian: str | None = None
    replaced_by: str | None = None


GOLD = Kind("gold", "Gold")
KIDS = Kind("kids", "Enfants & famille")
OLD = Kind("old", "Ancien tarif", active=False)
KINDS = (GOLD, KIDS, OLD)


NO_PAGES = "it is read from one file, whole or not at all."
NO_MISCOUNT = "the ERP states no total, or its simulator cannot be made to state a wrong one."


def crowd(n: int) -> list[Someone]:
    """So many people who have nothing in common."""
    return [
        Someone(
            f"p{i}",
            first_name=f"Prénom{chr(97 + i)}",
            last_name=f"Nom{chr(97 + i)}",
            email=f"p{i}@example.com",
            phone=f"+3361234{i:04d}",
            groups=(Held("gold"),),
        )
        for i in range(n)
    ]


class Erp(ABC):
    """One club on a running ERP. :param recorder: what it was asked; None of files."""

    recorder: Recorder | None = None

    @abstractmethod
    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        """Make these the club's whole state; returns the ERP's own id of each key."""

    @abstractmethod
    def set_email(self, erp_id: str, email: str) -> None:
        """Change one email, and nothing else: no stamp moves, where the ERP can do that."""

    @abstractmethod
    def connector(self, *, secret: str | None = None, **settings: Any) -> Connector[Any]:
        """A new connector of that club, with small pages, short pauses and few attempts.

        :param secret: another than the right one.
        """

    @property
    @abstractmethod
    def secret(self) -> str:
        """The right one."""

    @property
    @abstractmethod
    def group_ids(self) -> Mapping[str, str]:
        """Kind id -> the ERP's own id of that group."""

    @property
    @abstractmethod
    def changed_at(self) -> datetime:
        """What `as_of` must not be later than: the first request since `put`, or the file's own time."""

    def fault(self, kind: str, **how: Any) -> None:
        """Switch a fault of `sandbox.faults` on; files do what comes nearest."""
        raise NotImplementedError


class ConnectorCase(ABC):
    """A connector's declaration."""

    #: the connector's name.
    name: str
    #: what sets this case apart from another one of the same connector ("JSON-RPC"); usually nothing.
    variant: str = ""
    #: rows per page of `Erp.connector`; where all comes in one file, a number of rows that suits it.
    page: int = 3
    #: whether an answer comes in pages.
    paged: bool = True
    #: name of a check of test_contract.py, without `test_` -> why it means nothing here.
    not_applicable: ClassVar[Mapping[str, str]]
    #: faults that mean something else here than over HTTP.
    errors: ClassVar[Mapping[str, type[ConnectorError]]] = {}

    #: whether the ERP has groups.
    groups: bool = True
    #: whether its simulator can be made to state a wrong total (`total-wrong` of `sandbox.faults`).
    miscounts: bool = False
    #: what the checks are made against, for docs/connectors.md.
    against: str = "a simulator, made after the vendor's pages"
    #: name of a check -> what of it rests on our inference only; the connector's module says more ([inf]).
    inferred: ClassVar[Mapping[str, str]] = {}
    #: faults of the first page, one of each sort, for the check of what errors say.
    failures: tuple[str, ...] = (
        *("forbidden", "throttled-seconds", "server-error"),
        *("html", "truncated", "error-in-200"),
    )

    @property
    def label(self) -> str:
        """Its name in reports and tables."""
        return f"{self.name} {self.variant}".rstrip()

    def reasons(self) -> dict[str, str]:
        """Check -> why it means nothing here: those declared, and those that follow from the rest."""
        follows = {} if self.miscounts else {"total_wrong": NO_MISCOUNT}
        if not self.paged:
            follows |= {"killed_on_the_way": NO_PAGES, "forgotten_on_the_way": NO_PAGES}
        return {**follows, **self.not_applicable}

    @abstractmethod
    def erp(self, request: pytest.FixtureRequest) -> Erp:
        """A running ERP of this kind, without faults."""
