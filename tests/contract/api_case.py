"""What the declarations of simulated APIs have in common: one club, whose records are put in as a list."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar, Unpack

from starlette.applications import Starlette

from connectors.registry import connector_class
from connectors.sdk.base import Connection, Connector
from sandbox.faults import Fault, Faults
from tests.contract.case import CLUB, KINDS, Erp, FaultOptions, Kind, Someone, limits
from tests.support.servers import Recorder, serving

E = TypeVar("E", bound="ApiErp")

#: the club's name among the faults.
NAME = "club"

#: why checks mean nothing to most APIs.
NO_FILES = "no files."
STATIC_KEY = "a static key does not expire, and there is no login."
PRIMARY_KEYS = "ids are the database's primary keys, and pages follow them."


@dataclass
class ApiErp(Erp):
    """One club; `records` is what it lists, `order` the number of each key, from 1."""

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    recorder: Recorder | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)
    kinds: Sequence[Kind] = KINDS

    #: the connector's name.
    erp: ClassVar[str]
    secret = "s3cret-of-the-erp"
    #: key of an id and of an email in a record.
    id_key: ClassVar[str] = "id"
    email_key: ClassVar[str] = "email"

    @abstractmethod
    def app(self) -> Starlette:
        """The simulated ERP with this club."""

    @abstractmethod
    def record(self, person: Someone) -> dict[str, Any]:
        """The person as the ERP keeps one."""

    @abstractmethod
    def connection(self, secret: str) -> Connection:
        """How to log in with that secret."""

    def chosen(self) -> dict[str, Any]:
        """The club's settings."""
        return {"page": 3}

    def number(self, key: str) -> int:
        """The ERP's number of a person."""
        return self.order[key]

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        self.order = {}
        for person in people:
            self.order.setdefault(person.key, len(self.order) + 1)
        self.kinds = kinds
        self.records[:] = [self.record(person) for person in people]
        assert self.recorder is not None
        self.recorder.forget()
        keys = dict(zip((p.key for p in people), self.records, strict=True))
        return {key: self.id_of(record) for key, record in keys.items()}

    def id_of(self, record: dict[str, Any]) -> str:
        """The ERP's id of a record, as the connector gives it."""
        return str(record[self.id_key])

    def set_email(self, erp_id: str, email: str) -> None:
        for record in self.records:
            if self.id_of(record) == erp_id:
                record[self.email_key] = email

    def replace_one(self, erp_id: str, comes: Someone) -> None:
        self.order[comes.key] = max(self.order.values()) + 1
        self.records[:] = [r for r in self.records if self.id_of(r) != erp_id]
        self.records.append(self.record(comes))

    def spoil_email(self, erp_id: str) -> None:
        for record in self.records:
            if self.id_of(record) == erp_id:
                record[self.email_key] = {"value": 5}

    def connector(self, *, secret: str | None = None, **settings: object) -> Connector[Any]:
        http = limits(settings)
        cls = connector_class(self.erp)
        return cls(
            self.connection(self.secret if secret is None else secret),
            cls.settings_type(**{**self.chosen(), "http": http, **settings}),
            CLUB,
            now=lambda: datetime.now(UTC),
        )

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: k.id for k in self.kinds}

    @property
    def changed_at(self) -> datetime:
        assert self.recorder is not None
        return self.recorder.times[0]

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        self.faults.set(NAME, Fault(kind=kind, **how))


@dataclass
class Apis:
    """The simulated ERPs of this session, each started when it is first asked for."""

    stack: ExitStack
    running: dict[type[ApiErp], ApiErp] = field(default_factory=dict)

    def of(self, kind: type[E]) -> E:
        """That ERP, without faults."""
        if kind not in self.running:
            erp = kind()
            erp.recorder = Recorder(erp.app())
            erp.url = self.stack.enter_context(serving(erp.recorder))
            self.running[kind] = erp
        found = self.running[kind]
        assert isinstance(found, kind)
        found.faults.clear()
        return found
