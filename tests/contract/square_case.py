"""Square's declaration: the sandbox's directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from connectors.sdk.model import Consistency
from sandbox import square
from tests.contract.api_case import NAME, NO_FILES, STATIC_KEY, ApiErp, Apis
from tests.contract.case import ALWAYS_PARSED, CANARY, KINDS, ConnectorCase, Kind, Someone

BEGAN = datetime(2026, 11, 1, 9)
NO_STATUS = "nobody has a status: who is listed is a customer."


class SquareErp(ApiErp):
    """One seller."""

    erp = "square"
    email_key = "email_address"

    def app(self) -> Starlette:
        seller = square.Seller(
            self.secret,
            lambda: self.records,
            lambda: [{"id": k.id, "name": k.name, "note": CANARY} for k in self.kinds],
        )
        return square.create_app({NAME: seller}, self.faults)

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        return super().put([p for p in people if p.status == "active"], kinds)

    def record(self, person: Someone) -> dict[str, Any]:
        number = self.number(person.key)
        created = (BEGAN + timedelta(minutes=number)).isoformat() + "Z"
        return {
            "id": f"SQ{number}",
            "given_name": person.first_name,
            "family_name": person.last_name,
            "email_address": person.email,
            "phone_number": person.phone,
            "group_ids": [h.group for h in person.groups],
            "note": CANARY,
            "created_at": created,
            "updated_at": created,
        }

    def connection(self, secret: str) -> Connection:
        return Connection("c", f"{self.url}/v2", None, secret)


class SquareCase(ConnectorCase):
    """The Customers API."""

    name = "square"
    miscounts = True
    alone = True
    walk = Consistency.BY_ID  # who is missing is asked for
    inferred: ClassVar[Mapping[str, str]] = {
        "empty": "there is a count even if it is 0.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "unchanged": ALWAYS_PARSED,
        "login_expires": STATIC_KEY,
        "archived": NO_STATUS,
        "unknown_status": NO_STATUS,
        "inactive_group": "groups have no status.",
        "group_until": "groups are held without dates.",
        "guardian": "no field names the family of a customer belongs to.",
        "merge_stated": "a merge creates a third profile, which names neither of the two.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> SquareErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(SquareErp)
