"""Dolibarr's declaration: the sandbox's installation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any, ClassVar

import pytest
from starlette.applications import Starlette

from connectors.sdk.base import Connection
from connectors.sdk.model import Consistency
from sandbox import dolibarr
from tests.contract.api_case import NAME, NO_FILES, PRIMARY_KEYS, STATIC_KEY, ApiErp, Apis
from tests.contract.case import CANARY, CLUB, ConnectorCase, Someone

NUMBERS = {"gold": 11, "kids": 12, "old": 13}
STATUT = {"active": "1", "archived": "0"}
ONE_TYPE = "a member has one type, so nobody holds two."


class DolibarrErp(ApiErp):
    """One installation."""

    erp = "dolibarr"

    def app(self) -> Starlette:
        here = dolibarr.Installation(self.secret, lambda: self.records, self._types)
        return dolibarr.create_app(NAME, here, self.faults)

    def _types(self) -> list[dict[str, Any]]:
        return [
            {
                "id": str(NUMBERS.get(k.id, 99)),
                "label": k.name,
                "status": str(int(k.active)),
                "note": CANARY,
            }
            for k in self.kinds
        ]

    @property
    def group_ids(self) -> Mapping[str, str]:
        return {k.id: str(NUMBERS.get(k.id, 99)) for k in self.kinds}

    def record(self, person: Someone) -> dict[str, Any]:
        (held,) = person.groups or (None,)
        until = held.until if held else None
        ends = datetime.combine(until, time(0), CLUB.timezone) if until else None
        return {
            "id": str(self.number(person.key)),
            "statut": STATUT.get(person.status, person.status),
            "typeid": str(NUMBERS[held.group]) if held else "",
            "need_subscription": "1" if ends else "0",
            "datefin": int(ends.timestamp()) if ends else "",
            "morphy": "phy",
            "firstname": person.first_name,
            "lastname": person.last_name,
            "email": person.email,
            "phone_mobile": person.phone,
            "birth": "",
            "note_private": CANARY,
        }

    def connection(self, secret: str) -> Connection:
        return Connection("c", self.url, None, secret)


class DolibarrCase(ConnectorCase):
    """The REST API of members."""

    name = "dolibarr"
    against = "a simulator, made from Dolibarr's source"
    miscounts = True
    walk = Consistency.BY_ID
    not_applicable: ClassVar[Mapping[str, str]] = {
        "login_expires": STATIC_KEY,
        "inactive_group": ONE_TYPE,
        "group_list": ONE_TYPE,
        "id_twice_equal": PRIMARY_KEYS,
        "id_twice_different": PRIMARY_KEYS,
        "merge_stated": "members are not merged; a deleted one is no longer listed.",
        "guardian": "no field names the family of a member belongs to.",
        "file_missing": NO_FILES,
    }

    def erp(self, request: pytest.FixtureRequest) -> DolibarrErp:
        apis: Apis = request.getfixturevalue("apis")
        return apis.of(DolibarrErp)
