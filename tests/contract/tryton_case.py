"""Tryton's declaration: a real one, behind the sandbox's door for faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Unpack

import pytest

from connectors.sdk.base import Connection
from connectors.sdk.model import Consistency
from connectors.tryton import TrytonConnector, TrytonSettings
from sandbox.faults import Fault, Faults
from tests.contract.api_case import STATIC_KEY
from tests.contract.case import (
    ALWAYS_PARSED,
    CANARY,
    CLUB,
    KINDS,
    ConnectorCase,
    Erp,
    FaultOptions,
    Kind,
    Someone,
    limits,
)
from tests.support.servers import Recorder
from tests.support.tryton import Tryton

CHILD_OF = "Child of"


@dataclass
class TrytonErp(Erp):
    """One database; everything is entered over its own JSON-RPC."""

    tryton: Tryton
    url: str
    faults: Faults
    recorder: Recorder
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        return self.tryton.password

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        call = self.tryton.client.model
        self.tryton.clear()
        made = call("party.category", "create", [{"name": k.name} for k in kinds])
        self.ids = {k.id: str(c) for k, c in zip(kinds, made, strict=True)}
        parties: dict[str, int] = {}
        if people:
            created = call("party.party", "create", [self._values(p) for p in people])
            parties = {p.key: c for p, c in zip(people, created, strict=True)}
        off = [int(self.ids[k.id]) for k in kinds if not k.active]
        if off:
            call("party.category", "write", off, {"active": False})
        (relation,) = call("party.relation.type", "create", [{"name": CHILD_OF}])
        for p in people:
            if p.guardian:
                values = {"from_": parties[p.key], "to": parties[p.guardian], "type": relation}
                call("party.relation.all", "create", [values])
            if p.replaced_by:
                self.tryton.client.wizard(
                    "party.replace",
                    {"source": parties[p.key], "destination": parties[p.replaced_by]},
                    "replace",
                    {"_skip_warnings": True},
                )
            elif p.status == "archived":
                call("party.party", "write", [parties[p.key]], {"active": False})
        self.recorder.forget()
        return {key: str(party) for key, party in parties.items()}

    def _values(self, person: Someone) -> dict[str, Any]:
        mechanisms = [
            {"type": kind, "value": value, "comment": CANARY}
            for kind, value in (("email", person.email), ("mobile", person.phone))
            if value
        ]
        name = " ".join(filter(None, (person.first_name, person.last_name)))
        return {
            "name": name or None,
            "contact_mechanisms": [["create", mechanisms]] if mechanisms else [],
            "categories": [["add", [int(self.ids[h.group]) for h in person.groups]]],
            "identifiers": [["create", [{"type": None, "code": CANARY}]]],
        }

    def set_email(self, erp_id: str, email: str) -> None:
        before = self.tryton.search("party.party", [["id", "=", int(erp_id)]], ["write_date"])
        found = self.tryton.search(
            "party.contact_mechanism", [["party", "=", int(erp_id)], ["type", "=", "email"]], []
        )
        self.tryton.client.model(
            "party.contact_mechanism", "write", [m["id"] for m in found], {"value": email}
        )
        after = self.tryton.search("party.party", [["id", "=", int(erp_id)]], ["write_date"])
        assert before == after, "the party's own stamp moved: Tryton has changed"

    def replace_one(self, erp_id: str, comes: Someone) -> None:
        self.tryton.client.model("party.party", "delete", [int(erp_id)])
        self.tryton.client.model("party.party", "create", [self._values(comes)])

    def connector(self, *, secret: str | None = None, **settings: object) -> TrytonConnector:
        http = limits(settings)
        # Another user name for a wrong login: Tryton slows down users whose login failed.
        login = "admin" if secret is None else "nobody"
        chosen = {"page": 3, "guardian_relation": CHILD_OF, "http": http, **settings}
        return TrytonConnector(
            Connection("c", self.url, login, self.secret if secret is None else secret),
            TrytonSettings(**chosen),
            CLUB,
            now=lambda: datetime.now(UTC),
        )

    @property
    def group_ids(self) -> Mapping[str, str]:
        return self.ids

    @property
    def changed_at(self) -> datetime:
        return self.recorder.times[0]

    def fault(self, kind: str, **how: Unpack[FaultOptions]) -> None:
        self.faults.set("club", Fault(kind=kind, **how))


@dataclass
class TrytonRestErp(TrytonErp):
    """The same database, read over REST."""

    key: str = ""

    @property
    def secret(self) -> str:
        if not self.key:
            self.key = self.tryton.application_key()
        return self.key

    def connector(self, *, secret: str | None = None, **settings: object) -> TrytonConnector:
        made = super().connector(secret=None, protocol="rest", **settings)
        key = self.secret if secret is None else secret
        made.connection = Connection("c", self.url, None, key)
        return made


class TrytonCase(ConnectorCase):
    """Tryton 8.2.1."""

    name = "tryton"
    variant = "JSON-RPC"
    miscounts = True
    walk = Consistency.BY_ID
    against = "a real Tryton 8.2.1, behind a proxy that injects faults"
    not_applicable: ClassVar[Mapping[str, str]] = {
        "unchanged": ALWAYS_PARSED,
        "unknown_status": "a party is active or not; there are no other words.",
        "unknown_group": "the database does not allow a category that does not exist.",
        "group_until": "categories are held without dates.",
        "id_twice_equal": "ids are the database's primary keys; a repeated page is another check.",
        "id_twice_different": "ids are the database's primary keys.",
        "one_odd_record": "an email is a text column of the database.",
        "file_missing": "no files.",
    }

    def erp(self, request: pytest.FixtureRequest) -> TrytonErp:
        erp: TrytonErp = request.getfixturevalue("tryton_erp")
        erp.faults.clear()
        return erp


class TrytonRestCase(TrytonCase):
    """The same over REST."""

    variant = "REST"
    rest: TrytonRestErp | None = None
    against = "a real Tryton 8.2.1, behind the same proxy, over REST"
    not_applicable: ClassVar[Mapping[str, str]] = {
        **TrytonCase.not_applicable,
        "login_expires": STATIC_KEY,
    }

    def erp(self, request: pytest.FixtureRequest) -> TrytonErp:
        here = super().erp(request)
        if self.rest is None:
            self.rest = TrytonRestErp(here.tryton, here.url, here.faults, here.recorder)
        return self.rest
