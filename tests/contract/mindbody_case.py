"""Mindbody's declaration: the sandbox's API, asked for everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from sandbox import mindbody
from tests.contract.api_case import NAME, NO_FILES, ApiErp, Apis
from tests.contract.case import CANARY, KINDS, ConnectorCase, Kind, Someone

NUMBERS = {"gold": 11, "kids": 12, "old": 13}
STATUS = {"active": "Active", "archived": "Terminated"}


class MindbodyErp(ApiErp):
    """One site."""

    erp = "mindbody"
    id_key = "UniqueId"
    email_key = "Email"

    def app(self) -> Starlette:
        self.site = mindbody.Site(
            "api-key", "staff", self.secret, lambda: self.records, self._memberships, self._kinds
        )
        return mindbody.create_app({NAME: self.site}, self.faults)

    def _memberships(self, barcode: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = next(
            r["_memberships"] for r in self.records if r["Id"] == barcode
        )
        return found

    def _kinds(self) -> list[dict[str, Any]]:
        return [
            {
                "MembershipId": NUMBERS.get(k.id, 99),
                "MembershipName": k.name,
                "IsActive": k.active,
                "Note": CANARY,
            }
            for k in self.kinds
        ]

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: str(NUMBERS.get(k.id, 99)) for k in self.kinds}

    def record(self, person: Someone) -> dict[str, Any]:
        return {
            "UniqueId": self.number(person.key),
            "Id": f"B{self.number(person.key)}",
            "Active": person.status != "archived",
            "Status": STATUS.get(person.status, person.status),
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "Email": person.email,
            "MobilePhone": person.phone,
            "RedAlert": CANARY,
            "LastModifiedDateTime": "2026-11-01T09:00:00+00:00",
            "ClientRelationships": [
                {
                    "RelatedUniqueId": self.number(person.guardian),
                    "RelationshipName": "Paid for by",
                }
            ]
            if person.guardian
            else None,
            "_memberships": [
                {
                    "MembershipId": NUMBERS[h.group],
                    "Name": h.group,
                    "ActiveDate": "2020-01-01T00:00:00",
                    "ExpirationDate": f"{h.until}T00:00:00Z" if h.until else None,
                    "Note": CANARY,
                }
                for h in person.groups
            ],
        }

    def put(self, people: Sequence[Someone], kinds: Sequence[Kind] = KINDS) -> dict[str, str]:
        self.site.repeats = False
        return super().put(people, kinds)

    def repeat_membership(self) -> None:
        self.site.repeats = True

    def chosen(self) -> dict[str, Any]:
        return {"page": 3, "site_id": NAME, "guardian_relation": "Paid for by"}

    def connection(self, secret: str) -> Connection:
        return Connection("c", self.url, "staff", secret, extra={"api_key": "api-key"})


class MindbodyCase(ConnectorCase):
    """The Public API v6."""

    name = "mindbody"
    miscounts = True
    joined = True
    inferred: ClassVar[Mapping[str, str]] = {
        "known_status": "what a status means for access; settable.",
        "guardian": "the name of the relationship; settable.",
        "group_until": "the expiry is the last day.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "merge_stated": "merges are not reported; the merged client disappears.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> MindbodyErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(MindbodyErp)
