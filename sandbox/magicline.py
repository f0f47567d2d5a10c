"""Magicline's Open API (PerfectGym Next has the same), as its documentation describes it (docs/erps/magicline.md).

Faithful to the documentation and to third-party copies of specification 1.9.0 [3rd]: one static key per studio in
`x-api-key`, 401 for any other; `GET /v1/customers` in slices ordered by id, the next one by the `offset` of the
response, the last one marked by `hasNext: false`; `GET /v1/customers/{id}/contracts`, for one customer at a time.

Inferred [inf], as in the connector: that the list without `customerStatus` includes former members,
`legalRepresentative` with `type` and `customerId`, a default slice of 50, 400 for an offset that is not a number,
and that the last slice also has an offset.
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
    :param customers: its current customers, in any order.
    :param contracts: the contracts of the customer with this id.
    """

    key: str
    customers: Callable[[], Sequence[Record]]
    contracts: Callable[[int], Sequence[Record]]


def create_app(studios: Mapping[str, Studio], faults: Faults | None = None) -> Starlette:
    """The API of a tenant with these studios.

    :param studios: by their name in the faults.
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

        def render(fault: str | None) -> object:
            rows, more = listed(everybody, start, size, fault)
            last = _id(rows[-1]) if rows else after
            return {"result": rows, "hasNext": more, "offset": str(last)}

        return await answered(self.faults, name, start // size + 1, render)

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
    """A person as a customer of Magicline."""
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
    """The memberships of a person as contracts of Magicline.

    :param names: product id -> name.
    """
    return [_contract(m, i, names, today) for i, m in enumerate(person.memberships)]


def _contract(m: Membership, i: int, names: Mapping[str, str], today: date) -> Record:
    return {
        "id": i + 1,
        "rateName": names.get(m.product_id, m.product_id),
        "createdDate": m.start.isoformat(),
        "startDate": m.start.isoformat(),
        # A contract that was not cancelled is extended when it ends.
        "endDate": (m.end or date(today.year + 1, 12, 31)).isoformat(),
        "cancelled": m.end is not None,
        "contractStatus": "INACTIVE" if m.end is not None and m.end < today else "ACTIVE",
    }


def studio_of(key: str, state: Callable[[], ClubState], zone: ZoneInfo) -> Studio:
    """The club as a studio; merged and archived records are former members."""

    def contracts(customer: int) -> list[Record]:
        club = state()
        names = {p.id: p.name for p in club.products}
        return contracts_of(club.person(customer), names, club.at.astimezone(zone).date())

    return Studio(key, lambda: [customer_of(p) for p in state().people], contracts)
