"""A connector's case in the contract suite.

A `ConnectorCase` starts an ERP of its kind (`erp`), and says which of the checks do not apply, and why. An `Erp`
has one club, takes people and groups in the terms below, and can be made to fail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, TypedDict, Unpack
from zoneinfo import ZoneInfo

import pytest

from connectors.sdk.base import Club, Connector
from connectors.sdk.errors import ConnectorError
from connectors.sdk.http import HttpLimits
from connectors.sdk.model import Consistency
from tests.support.servers import Recorder

#: value of every field of an ERP that the sync does not need; it must not appear anywhere (R19).
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


NO_PAGES = "a file is read in one piece."
_OF_PAGES = (
    *("killed_and_resumed", "killed_and_not_resumable"),
    *("edited_between_pages", "swapped_between_pages", "asked_alone", "maintenance_page_later"),
    "unchanged",
)
ALWAYS_PARSED = "what it sends is parsed each time."
NOT_JOINED = "memberships are read with the customer, not from a list of their own."
NOT_ALONE = (
    "the connector does not ask for one customer alone; the rules name why (docs/rules.md, R14)."
)
NO_NEED = "the walk goes by id, so that it says itself who is missing."
NO_MISCOUNT = "the ERP states no total, or its simulator cannot be made to state a wrong one."


def crowd(n: int) -> list[Someone]:
    """That many people who have nothing in common."""
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


class FaultOptions(TypedDict, total=False):
    """What `sandbox.faults.Fault` takes beside its kind."""

    from_page: int
    times: int
    wait: float


def limits(settings: dict[str, object]) -> HttpLimits:
    """Few attempts and short pauses; what the check says of `http` goes before, and out of the settings."""
    given = settings.pop("http", {})
    assert isinstance(given, dict)
    return HttpLimits(**{"attempts": 2, "backoff": 0.01, "longest_wait": 0.1, **given})


class Erp(ABC):
    """One club on a running ERP. :param recorder: the requests it received; None for files."""

    recorder: Recorder | None = None

    @abstractmethod
    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        """Replace the club's state; returns the ERP's own id of each key."""

    @abstractmethod
    def set_email(self, erp_id: str, email: str) -> None:
        """Change one email and nothing else: no stamp, if the ERP can do that."""

    def replace_one(self, erp_id: str, comes: Someone) -> None:
        """One record is deleted and another one entered, as people do while the list is read."""
        raise NotImplementedError

    def spoil_email(self, erp_id: str) -> None:
        """Let one record have something in place of its email that is no text, or says that it cannot be read."""
        raise NotImplementedError

    def repeat_membership(self) -> None:
        """Let the list of memberships have one row twice, and another one not at all: its total stays right."""
        raise NotImplementedError

    @abstractmethod
    def connector(self, *, secret: str | None = None, **settings: object) -> Connector[Any]:
        """A new connector of that club, with small pages, short pauses and few attempts.

        :param secret: instead of the right one.
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

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        """Activate a fault of `sandbox.faults`; files do what is closest to it."""
        raise NotImplementedError


class ConnectorCase(ABC):
    """A connector's case."""

    #: the connector's name.
    name: str
    #: distinguishes this case from another one of the same connector ("JSON-RPC"); usually empty.
    variant: str = ""
    #: rows per page of `Erp.connector`; of a file, any number of rows.
    page: int = 3
    #: whether the list has pages.
    paged: bool = True
    #: name of a check of test_contract.py, without `test_` -> why it does not apply.
    not_applicable: ClassVar[Mapping[str, str]]
    #: faults that mean something else here than over HTTP.
    errors: ClassVar[Mapping[str, type[ConnectorError]]] = {}

    #: whether the ERP has groups.
    groups: bool = True
    #: whether memberships are read from a list of their own.
    joined: bool = False
    #: what a reading of several pages proves of who is missing.
    walk: Consistency = Consistency.BY_POSITION
    #: whether customers whom a walk misses are asked for alone.
    alone: bool = False
    #: whether its simulator can be made to state a wrong total (`total-wrong` of `sandbox.faults`).
    miscounts: bool = False
    #: what the checks run against, for docs/connectors.md.
    against: str = "a simulator, made from the vendor's pages"
    #: name of a check -> what of it rests on inference; the connector's docstring says more ([inf]).
    inferred: ClassVar[Mapping[str, str]] = {}
    #: faults of the first page, one of each kind, for the check of error messages.
    failures: tuple[str, ...] = (
        *("forbidden", "throttled-seconds", "server-error"),
        *("html", "truncated", "error-in-200"),
    )

    @property
    def label(self) -> str:
        """Its name in reports and tables."""
        return f"{self.name} {self.variant}".rstrip()

    def reasons(self) -> dict[str, str]:
        """Check -> why it does not apply: those declared, and those that follow from the other attributes."""
        follows = {} if self.miscounts else {"total_wrong": NO_MISCOUNT}
        if not self.alone:
            follows["asked_alone"] = NO_NEED if self.walk is Consistency.BY_ID else NOT_ALONE
        if not self.paged:
            follows |= dict.fromkeys(_OF_PAGES, NO_PAGES)
        if not self.joined:
            follows["joined_list_repeats"] = NOT_JOINED
        if until := self.not_applicable.get("group_until"):
            follows["no_end"] = until
        return {**follows, **self.not_applicable}

    @abstractmethod
    def erp(self, request: pytest.FixtureRequest) -> Erp:
        """A running ERP of this kind, without faults."""
