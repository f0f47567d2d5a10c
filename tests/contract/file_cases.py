"""The declarations of the connectors that read a file drop: csv, Eversports, Planity."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Unpack

import pytest

from connectors.csv import CsvConnector, CsvSettings
from connectors.eversports import EversportsConnector, EversportsSettings
from connectors.planity import PlanityConnector, PlanitySettings
from connectors.sdk.base import Connection, Connector
from connectors.sdk.errors import ConnectorError, FileBroken
from sandbox import exports, file_faults
from sandbox.sftp import Server
from tests.contract.case import CANARY, CLUB, KINDS, ConnectorCase, Erp, FaultOptions, Kind, Someone

SECRET = "s3cret-of-the-drop"

NO_PAGES = "a file has no pages."
NO_HTTP = "a file is not read over HTTP."

NOT_FOR_FILES = {
    "last_page_missing": NO_PAGES,
    "access_lost_during_the_walk": NO_PAGES,
    "page_twice": NO_PAGES,
    "page_repeated_endlessly": NO_PAGES,
    "row_moved": NO_PAGES,
    "login_expires": NO_PAGES,
    "throttled": NO_HTTP,
    "throttled_for_a_moment": NO_HTTP,
    "server_error_once": NO_HTTP,
    "server_error_persists": NO_HTTP,
    "timeout": NO_HTTP,
    "error_in_200": NO_HTTP,
    **dict.fromkeys(("too_many_pages", "hostile_page_later"), NO_PAGES),
    **dict.fromkeys(
        ("hostile_answer", "answer_too_large", "time_limit", "throttled_by_their_clock"), NO_HTTP
    ),
}


@dataclass
class Drop:
    """The folder that tests put exports into, also served over SFTP."""

    folder: Path
    server: Server
    clubs: int = 0


@dataclass
class FileErp(Erp):
    """One club's folder."""

    drop: Drop
    people: list[Someone] = field(default_factory=list)
    kinds: Sequence[Kind] = KINDS

    secret = SECRET
    #: the customers' file.
    file: ClassVar[str] = "customers.csv"

    def __post_init__(self) -> None:
        self.drop.clubs += 1
        self.name = f"club-{self.drop.clubs}"
        self.folder = self.drop.folder / self.name
        self.folder.mkdir()

    @abstractmethod
    def write(self) -> None:
        """Put the state's files into the folder."""

    @abstractmethod
    def make(self, connection: Connection, settings: dict[str, Any]) -> Connector[Any]:
        """The connector."""

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        self.people, self.kinds = list(people), kinds
        self.write()
        return {p.key: _id(p.key) for p in people}

    def set_email(self, erp_id: str, email: str) -> None:
        self.people = [replace(p, email=email) if _id(p.key) == erp_id else p for p in self.people]
        self.write()

    def spoil_email(self, erp_id: str) -> None:
        self.set_email(erp_id, "#VALUE!")

    def connector(self, *, secret: str | None = None, **settings: object) -> Connector[Any]:
        host = f"file://{self.folder}"
        if secret is not None:
            host = f"{self.drop.server.url}{self.name}"
        return self.make(
            Connection("c", host, self.drop.server.user, SECRET if secret is None else secret),
            settings,
        )

    @property
    def changed_at(self) -> datetime:
        return datetime.fromtimestamp((self.folder / self.file).stat().st_mtime, tz=UTC)

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        path = self.folder / self.file
        rows = path.with_name(path.name + ".rows")
        match kind:
            case "html":
                file_faults.html(path)
            case "truncated":
                file_faults.cut(path)
            case "half":
                file_faults.cut_between_rows(path)
            case "total-wrong":
                file_faults.wrong_rows(path, int(rows.read_text()) + 1)
            case "missing":
                file_faults.missing(path)
            case "empty":
                file_faults.no_rows(path)
                rows.unlink()
            case _:
                raise NotImplementedError(kind)

    def table(
        self, name: str, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str
    ) -> None:
        """Write a file, and beside it how many rows it has."""
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, delimiter=delimiter)
            writer.writerows([header, *rows])
        path.with_name(name + ".rows").write_text(str(len(rows)))


def _id(key: str) -> str:
    return f"k-{key}"


class CsvErp(FileErp):
    """A made-up ERP's export, with a file of groups."""

    def write(self) -> None:
        self.table(
            "groups.csv",
            ("id", "name", "active"),
            [(k.id, k.name, "yes" if k.active else "no") for k in self.kinds],
            ",",
        )
        self.table(
            self.file,
            exports.CSV_HEADER,
            [
                (
                    *(_id(p.key), p.email, p.first_name, p.last_name, p.phone, None, None),
                    "archived" if p.replaced_by else p.status,
                    "|".join(h.group for h in p.groups),
                    _id(p.guardian) if p.guardian else None,
                    None,
                    _id(p.replaced_by) if p.replaced_by else None,
                    CANARY,
                )
                for p in self.people
            ],
            ",",
        )

    def make(self, connection: Connection, settings: dict[str, Any]) -> CsvConnector:
        chosen = CsvSettings(
            **{**exports.CSV_SETTINGS, "inactive_status": ["archived"], **settings}
        )
        return CsvConnector(connection, chosen, CLUB, now=lambda: datetime.now(UTC))

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: k.id for k in KINDS}


class EversportsErp(FileErp):
    """An Eversports export, memberships beside it; what somebody holds is a membership."""

    def write(self) -> None:
        names = {k.id: k.name for k in self.kinds}
        self.table(
            "memberships.csv",
            exports.MEMBERSHIPS_HEADER,
            [
                (
                    *(_id(p.key), "", names[h.group]),
                    f"01.01.2026 - {h.until:%d.%m.%Y}" if h.until else "01.01.2026 - ",
                    *("", "", "", CANARY, ""),
                )
                for p in self.people
                for h in p.groups
            ],
            ";",
        )
        emails = {p.key: p.email for p in self.people}
        blank = len(exports.EVERSPORTS_HEADER) * [None]
        rows = []
        for p in self.people:
            row: dict[str, object] = dict(zip(exports.EVERSPORTS_HEADER, blank, strict=True))
            row |= {
                "Customer number": _id(p.key),
                "First name": p.first_name,
                "Last name": f"{p.last_name} (old)" if p.replaced_by else p.last_name,
                # A merged record is only known by its successor's email.
                "Email": emails[p.replaced_by] if p.replaced_by else p.email,
                "Mobile": p.phone,
                "Status": {"active": "Accepted", "archived": "Archived"}.get(p.status, p.status),
                "Note": CANARY,
                "Family owner": _id(p.guardian) if p.guardian else None,
            }
            rows.append(tuple(row.values()))
        self.table(self.file, exports.EVERSPORTS_HEADER, rows, ";")

    def make(self, connection: Connection, settings: dict[str, Any]) -> EversportsConnector:
        chosen = EversportsSettings(
            **{"customers": "customers.csv", "memberships": "memberships.csv", **settings}
        )
        return EversportsConnector(connection, chosen, CLUB, now=lambda: datetime.now(UTC))

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: f"membership:{k.name}" for k in KINDS}


class PlanityErp(FileErp):
    """A Planity export with a column of ids, so that records can be told apart here."""

    file = "clients.csv"

    def write(self) -> None:
        self.table(
            self.file,
            (*exports.PLANITY_HEADER, "Numéro"),
            [
                (
                    *(p.last_name, p.first_name, p.phone, p.email, None, None),
                    *(None, None, None, "Non", CANARY, None, _id(p.key)),
                )
                for p in self.people
            ],
            ";",
        )

    def make(self, connection: Connection, settings: dict[str, Any]) -> PlanityConnector:
        chosen = PlanitySettings(
            **{"customers": self.file, "columns": {"id": "Numéro"}, **settings}
        )
        return PlanityConnector(connection, chosen, CLUB, now=lambda: datetime.now(UTC))

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {}


class FileCase(ConnectorCase):
    """What the three have in common."""

    paged = False
    miscounts = True
    against = "made-up exports in a folder and on a real SFTP server"
    errors: ClassVar[Mapping[str, type[ConnectorError]]] = {
        "html": FileBroken,
        "truncated": FileBroken,
    }
    failures = ("html", "truncated", "half", "missing")
    kind: type[FileErp]

    def erp(self, request: pytest.FixtureRequest) -> FileErp:
        return self.kind(request.getfixturevalue("drop"))


class CsvCase(FileCase):
    """Any export; here with ids, groups and stated merges."""

    name = "csv"
    kind = CsvErp
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NOT_FOR_FILES,
        "group_until": "a cell has groups without dates.",
    }


class EversportsCase(FileCase):
    """Customers and memberships."""

    name = "eversports"
    kind = EversportsErp
    inferred: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("one_page", "known_status", "guardian"), "the columns' names; settable."),
        "archived": "the word for archived; settable.",
        "group_until": "the format of a membership's period.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NOT_FOR_FILES,
        "inactive_group": "memberships have an end, but no status.",
        "unknown_group": "there is no list of groups: it is derived from the rows.",
    }


class PlanityCase(FileCase):
    """Cards without groups."""

    name = "planity"
    kind = PlanityErp
    inferred: ClassVar[Mapping[str, str]] = {
        "one_page": "the columns' names, separator and encoding; settable.",
        "known_status": "whoever has a card is a customer.",
    }
    groups = False
    not_applicable: ClassVar[Mapping[str, str]] = {
        **NOT_FOR_FILES,
        "archived": "a card exists or is deleted.",
        "unknown_status": "a card has no status.",
        "guardian": "cards have no families.",
        "merge_stated": "merged cards are no longer in the export.",
        **dict.fromkeys(
            ("inactive_group", "unknown_group", "group_until", "group_list"),
            "the export has no groups.",
        ),
    }
