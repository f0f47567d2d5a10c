"""Resamania's declaration: the sandbox's gateway, with prefixed collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from sandbox import resamania
from tests.contract.api_case import NAME, NO_FILES, ApiErp, Apis
from tests.contract.case import CANARY, KINDS, ConnectorCase, Kind, Someone

STATE = {"active": "client", "archived": "former"}


class ResamaniaErp(ApiErp):
    """One club of one client token."""

    erp = "resamania"
    id_key = "@id"
    repeats = False

    def app(self) -> Starlette:
        tenant = resamania.Tenant(
            "gateway-key",
            "client",
            self.secret,
            f"/{NAME}/clubs/7",
            lambda: self.records,
            self._subscriptions,
        )
        return resamania.create_app({NAME: tenant}, self.faults)

    def _subscriptions(self) -> list[dict[str, Any]]:
        held = [(r["@id"], h) for r in self.records for h in r["_held"]]
        rows = [
            {
                "@id": f"/{NAME}/subscriptions/{i}",
                "contact": {"@id": contact},
                "product": h["product"],
                "validFrom": "2020-01-01",
                "validThrough": h["until"],
                "note": CANARY,
            }
            for i, (contact, h) in enumerate(held, 1)
        ]
        return [*rows[:-1], rows[0]] if self.repeats else rows

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        self.repeats = False
        return super().put(people, kinds)

    def repeat_membership(self) -> None:
        self.repeats = True

    def id_of(self, record: dict[str, Any]) -> str:
        return str(record["@id"]).rpartition("/")[2]

    def record(self, person: Someone) -> dict[str, Any]:
        return {
            "@id": f"/{NAME}/contacts/{self.number(person.key)}",
            "givenName": person.first_name,
            "familyName": person.last_name,
            "email": person.email,
            "mobile": person.phone,
            "state": STATE.get(person.status, person.status),
            "iban": CANARY,
            "_held": [
                {"product": h.group, "until": h.until.isoformat() if h.until else None}
                for h in person.groups
            ],
        }

    def chosen(self) -> dict[str, Any]:
        return {"page": 3, "client_token": NAME, "club": 7}

    def connection(self, secret: str) -> Connection:
        host = f"{self.url}/resa2-prod"
        return Connection("c", host, "client", secret, extra={"api_key": "gateway-key"})


class ResamaniaCase(ConnectorCase):
    """The gateway."""

    name = "resamania"
    miscounts = True
    joined = True
    inferred: ClassVar[Mapping[str, str]] = {
        "archived": "a contact's state and its words; settable.",
        "unknown_status": "a contact's state and its words; settable.",
        "group_until": "the keys of a subscription; settable.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "inactive_group": "subscriptions have an end, but no status.",
        "unknown_group": "there is no list of products: it is derived from the subscriptions.",
        "group_list": "a product has no id but its name.",
        "merge_stated": "merges are not reported; a merged contact is no longer listed.",
        "guardian": "no field names the family of a contact belongs to.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> ResamaniaErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(ResamaniaErp)
