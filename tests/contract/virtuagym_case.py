"""Virtuagym's declaration: the sandbox's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from connectors.sdk.model import Consistency
from sandbox import virtuagym
from tests.contract.api_case import NAME, NO_FILES, PRIMARY_KEYS, STATIC_KEY, ApiErp, Apis
from tests.contract.case import CANARY, ConnectorCase, Someone

NUMBERS = {"gold": 11, "kids": 12, "old": 13}


class VirtuagymErp(ApiErp):
    """One club."""

    erp = "virtuagym"
    id_key = "member_id"

    def app(self) -> Starlette:
        club = virtuagym.Club("api-key", self.secret, lambda: self.records)
        return virtuagym.create_app({7: (NAME, club)}, self.faults)

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: str(NUMBERS.get(k.id, 99)) for k in self.kinds}

    def record(self, person: Someone) -> dict[str, Any]:
        names = {k.id: k.name for k in self.kinds}
        return {
            "member_id": self.number(person.key),
            "active": person.status == "active",
            "firstname": person.first_name,
            "lastname": person.last_name,
            "email": person.email,
            "mobile": person.phone,
            "ba_number": CANARY,
            "memberships": [
                {
                    "membership_id": NUMBERS[h.group],
                    "membership_name": names[h.group],
                    "active": 1,
                    "cancelled": int(h.until is not None),
                    **dict.fromkeys(("paused", "stopped", "completed"), 0),
                    "contract_end_date": h.until.isoformat() if h.until else None,
                    "note": CANARY,
                }
                for h in person.groups
            ],
        }

    def chosen(self) -> dict[str, Any]:
        return {"page": 3, "club_id": 7}

    def connection(self, secret: str) -> Connection:
        return Connection("c", self.url, None, secret, extra={"api_key": "api-key"})


class VirtuagymCase(ConnectorCase):
    """The Public API v1."""

    name = "virtuagym"
    miscounts = True
    walk = Consistency.BY_ID
    inferred: ClassVar[Mapping[str, str]] = {
        "many_pages": "`from_id` is the last id that was seen, not the first to come.",
        "group_until": "a membership ends at its contract's end only if it is cancelled.",
    }
    not_applicable: ClassVar[Mapping[str, str]] = {
        "login_expires": STATIC_KEY,
        "unknown_status": "a member is active or not; there are no other words.",
        "inactive_group": "memberships have an end, but no status.",
        "unknown_group": "there is no list of memberships: it is derived from what members hold.",
        "id_twice_equal": PRIMARY_KEYS,
        "id_twice_different": PRIMARY_KEYS,
        "merge_stated": "merges are not reported; a merged member is no longer listed.",
        "guardian": "no field names the family of a member belongs to.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> VirtuagymErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(VirtuagymErp)
