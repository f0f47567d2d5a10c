"""Magicline's declaration: the sandbox's API, with contracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from sandbox import magicline
from tests.contract.api_case import NAME, NO_FILES, STATIC_KEY, ApiErp, Apis
from tests.contract.case import ALWAYS_PARSED, CANARY, ConnectorCase, Someone

STATUS = {"active": "MEMBER", "archived": "FORMER_MEMBER"}


class MagiclineErp(ApiErp):
    """One studio."""

    erp = "magicline"

    def app(self) -> Starlette:
        studio = magicline.Studio(self.secret, lambda: self.records, self._contracts)
        return magicline.create_app({NAME: studio}, self.faults)

    def _contracts(self, customer: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = next(
            r["_contracts"] for r in self.records if r["id"] == customer
        )
        return found

    def record(self, person: Someone) -> dict[str, Any]:
        guardian = self.number(person.guardian) if person.guardian else None
        return {
            "id": self.number(person.key),
            "status": STATUS.get(person.status, person.status),
            "firstName": person.first_name,
            "lastName": person.last_name,
            "email": person.email,
            "phonePrivateMobile": person.phone,
            "bankAccount": {"iban": CANARY},
            "legalRepresentative": guardian
            and {"type": "EXISTING_CUSTOMER", "customerId": guardian},
            "_contracts": [
                {
                    "id": i,
                    "rateName": h.group,
                    "startDate": "2020-01-01",
                    "endDate": (h.until.isoformat() if h.until else "2030-01-01"),
                    "cancelled": h.until is not None,
                    "cancellationReason": CANARY,
                }
                for i, h in enumerate(person.groups)
            ],
        }

    def chosen(self) -> dict[str, Any]:
        return {"page": 3, "contracts": True}

    def connection(self, secret: str) -> Connection:
        return Connection("c", f"{self.url}/v1", None, secret)


class MagiclineCase(ConnectorCase):
    """The Open API."""

    name = "magicline"
    inferred: ClassVar[Mapping[str, str]] = {
        "guardian": "where a record has the legal representative; settable.",
        "archived": "the list without a filter has former members too.",
        "group_until": "a contract ends at its end date only if it is cancelled.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "rows_missing": "Magicline states no total, only `hasNext`: a list that ends early looks complete. "
        "The share of known ids (R14) and the guard (R15) cover that.",
        "unchanged": ALWAYS_PARSED,
        "login_expires": STATIC_KEY,
        "inactive_group": "contracts have an end, but no status.",
        "unknown_group": "there is no list of rates: it is derived from the contracts.",
        "group_list": "a rate has no id but its name.",
        "merge_stated": "merges are not reported; a merged card is no longer listed.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> MagiclineErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(MagiclineErp)
