"""Magicline's Open API (PerfectGym Next speaks the same), as its pages describe it (docs/erps/magicline.md).

Faithful to those pages and to the specification 1.9.0 as others keep it [3rd]: one static key per studio in
`x-api-key`, 401 for another; `GET /v1/customers` in slices by id, the next one by the `offset` that the answer
names, the last one by `hasNext: false`; `GET /v1/customers/{id}/contracts`, of one customer at a time.

Inferred [inf], as in the connector: that the list without `customerStatus` has former members too,
`legalRepresentative` with `type` and `customerId`, a slice of 50 where none is asked for, 400 for an offset that
is no number, and that the last slice names an offset as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.paged import answered, listed
from sandbox.world import ClubState, Membership, Person

MOST = 1000

Record = dict[str, Any]


@dataclass(frozen=True)
class Studio:
    """One studio of the simulated Magicline.

    :param key: its API key.
    :param customers: those it has now, in any order.
    :param contracts: of the customer of that id.
    """

    key: str
    customers: Callable[[], Sequence[Record]]
    contracts: Callable[[int], Sequence[Record]]


def create_app(studios: Mapping[str, Studio], faults: Faults | None = None) -> Starlette:
    """The API of a tenant with these studios.

    :param studios: by the name that faults know them by.
    """
    api = _Api(studios, faults or Faults())
    return Starlette(
        routes=[
            Route("/v1/customers", api.customers, methods=["GET"]),
            Route("/v1/customers/{customer:int}/contracts", api.contracts, methods=["GET"]),
        ]
    )


@dataclass
class _Api:
    studios: Mapping[str, Studio]
    faults: Faults

    def _studio(self, request: Request) -> tuple[str, Studio] | None:
        key = request.headers.get("x-api-key", "").encode()
        for name, studio in self.studios.items():
            if secrets.compare_digest(studio.key.encode(), key):
                return name, studio
        return None

    async def customers(self, request: Request) -> Response:
        found = self._studio(request)
        if found is None:
            return _error(401, "UNAUTHORIZED")
        name, studio = found
        query = request.query_params
        try:
            after = int(query.get("offset", 0))
            size = int(query.get("sliceSize", 50))
        except ValueError:
            return _error(400, "VALIDATION_FAILED")
        if not 1 <= size <= MOST:
            return _error(400, "VALIDATION_FAILED")
        wanted = query.get("customerStatus")
        everybody = sorted(
            (c for c in studio.customers() if wanted in (None, c["status"])), key=_id
        )
        start = sum(_id(c) <= after for c in everybody)

        def say(fault: str | None) -> Any:
            rows, more = listed(everybody, start, size, fault)
            last = _id(rows[-1]) if rows else after
            return {"result": rows, "hasNext": more, "offset": str(last)}

        return await answered(self.faults, name, start // size + 1, say)

    async def contracts(self, request: Request) -> Response:
        found = self._studio(request)
        if found is None:
            return _error(401, "UNAUTHORIZED")
        customer = request.path_params["customer"]
        if all(_id(c) != customer for c in found[1].customers()):
            return _error(404, "NOT_FOUND")
        return JSONResponse(list(found[1].contracts(customer)))


def _id(record: Record) -> int:
    return int(record["id"])


def _error(status: int, code: str) -> Response:
    return JSONResponse({"errorMessage": code.lower(), "errorCode": code}, status)


def customer_of(person: Person) -> Record:
    """A person of the world as Magicline lists one."""
    return {
        "id": person.number,
        "customerNumber": f"1-{person.number}",
        "firstName": person.first_name,
        "lastName": person.last_name,
        "dateOfBirth": person.birth_date.isoformat() if person.birth_date else None,
        "email": person.email,
        "phonePrivateMobile": person.phone,
        "gender": {"male": "MALE", "female": "FEMALE"}.get(person.gender or "", "UNISEX"),
        "status": {"active": "MEMBER", "paused": "MEMBER", "prospect": "PROSPECT"}.get(
            person.status, "FORMER_MEMBER"
        ),
        "accessRefusal": False,
        "idlePeriods": [],
        "legalRepresentative": {"type": "EXISTING_CUSTOMER", "customerId": person.guardian}
        if person.guardian
        else None,
    }


def contracts_of(person: Person, names: Mapping[str, str], today: date) -> list[Record]:
    """What a person of the world holds, as Magicline's contracts.

    :param names: of the products by id.
    """
    return [_contract(m, i, names, today) for i, m in enumerate(person.memberships)]


def _contract(m: Membership, i: int, names: Mapping[str, str], today: date) -> Record:
    return {
        "id": i + 1,
        "rateName": names.get(m.product_id, m.product_id),
        "createdDate": m.start.isoformat(),
        "startDate": m.start.isoformat(),
        # One that nobody has cancelled is extended at its end.
        "endDate": (m.end or date(today.year + 1, 12, 31)).isoformat(),
        "cancelled": m.end is not None,
        "contractStatus": "INACTIVE" if m.end is not None and m.end < today else "ACTIVE",
    }


def studio_of(key: str, state: Callable[[], ClubState], zone: ZoneInfo) -> Studio:
    """The club as a studio; merged and archived cards are former members."""

    def contracts(customer: int) -> list[Record]:
        club = state()
        names = {p.id: p.name for p in club.products}
        return contracts_of(club.person(customer), names, club.at.astimezone(zone).date())

    return Studio(key, lambda: [customer_of(p) for p in state().people], contracts)
