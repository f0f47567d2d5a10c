"""Odoo's declarations: the sandbox's server, over JSON-2 and over JSON-RPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, ErpUnreachable
from connectors.sdk.model import Consistency
from sandbox import odoo
from tests.contract.api_case import NAME, NO_FILES, PRIMARY_KEYS, STATIC_KEY, ApiErp, Apis
from tests.contract.case import CANARY, ConnectorCase, Someone

NUMBERS = {"gold": 11, "kids": 12, "old": 13}


class OdooErp(ApiErp):
    """One database."""

    erp = "odoo"
    protocol: ClassVar[str] = "json2"

    def app(self) -> Starlette:
        database = odoo.Database("user", self.secret, lambda: self.records, self._categories)
        return odoo.create_app({NAME: database}, self.faults)

    def _categories(self) -> list[dict[str, Any]]:
        return [
            {"id": NUMBERS.get(k.id, 99), "display_name": k.name, "active": k.active}
            for k in self.kinds
        ]

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: str(NUMBERS.get(k.id, 99)) for k in self.kinds}

    def record(self, person: Someone) -> dict[str, Any]:
        guardian = [self.number(person.guardian), CANARY] if person.guardian else None
        return {
            "id": self.number(person.key),
            "name": " ".join(filter(None, (person.first_name, person.last_name))) or None,
            "active": person.status != "archived",
            "email": person.email,
            "mobile": person.phone,
            "phone": None,
            "category_id": [NUMBERS[h.group] for h in person.groups],
            "parent_id": guardian,
            "is_company": False,
            "comment": CANARY,
            "create_date": "2026-11-01 09:00:00",
            "write_date": "2026-11-01 09:00:00",
        }

    def chosen(self) -> dict[str, Any]:
        return {
            "page": 3,
            "database": NAME,
            "guardian_field": "parent_id",
            "protocol": self.protocol,
        }

    def connection(self, secret: str) -> Connection:
        return Connection("c", self.url, "user", secret)


class OdooRpcErp(OdooErp):
    """The same, as it was asked before Odoo 19."""

    protocol = "jsonrpc"


class OdooCase(ConnectorCase):
    """JSON-2."""

    name = "odoo"
    variant = "JSON-2"
    kind: ClassVar[type[OdooErp]] = OdooErp
    against = "a simulator, made from the vendor's documentation and source, over JSON-2"
    miscounts = True
    walk = Consistency.BY_ID
    inferred: ClassVar[Mapping[str, str]] = {
        "guardian": "which field leads to the guardian; settable.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "login_expires": STATIC_KEY,
        "unknown_status": "a partner is active or archived; there are no other words.",
        "group_until": "categories are held without dates.",
        "id_twice_equal": PRIMARY_KEYS,
        "id_twice_different": PRIMARY_KEYS,
        "merge_stated": "merged partners are deleted, which is not reported.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> OdooErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(self.kind)


class OdooRpcCase(OdooCase):
    """JSON-RPC."""

    kind = OdooRpcErp
    variant = "JSON-RPC"
    against = "a simulator, made from the vendor's documentation and source, over JSON-RPC"
    errors: ClassVar[Mapping[str, type[ConnectorError]]] = {"error-in-200": ErpUnreachable}
