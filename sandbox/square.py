"""Square's Customers API, as its reference describes it (docs/erps/square.md).

Faithful to the reference: bearer token (401), `POST /v2/customers/search` by cursor with an advisory limit of at most
100, `count` on request, `updated_at.start_at`, sorted by creation; groups by cursor; `GET /v2/customers/{id}`, which
returns the surviving profile for a merged id; profiles without any name, email or phone are not listed.

Inferred [inf], as in the connector: `count` on every page, also when it is 0.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.paged import answered, cursor_of, listed, read_cursor, total
from sandbox.world import ClubState, Person

MOST = 100

Record = dict[str, Any]


@dataclass(frozen=True)
class Seller:
    """The account of one seller.

    :param customers, groups: its current ones, in any order.
    :param merged: merged id -> surviving id.
    """

    token: str
    customers: Callable[[], Sequence[Record]]
    groups: Callable[[], Sequence[Record]]
    merged: Callable[[], Mapping[str, str]] = dict


def create_app(sellers: Mapping[str, Seller], faults: Faults | None = None) -> Starlette:
    """The API for these sellers.

    :param sellers: by their name in the faults.
    """
    api = _Api(sellers, faults or Faults())
    return Starlette(
        routes=[
            Route("/v2/customers/search", api.search, methods=["POST"]),
            Route("/v2/customers/groups", api.groups, methods=["GET"]),
            Route("/v2/customers/{customer}", api.customer, methods=["GET"]),
        ]
    )


@dataclass
class _Api:
    sellers: Mapping[str, Seller]
    faults: Faults

    def _seller(self, request: Request) -> tuple[str, Seller] | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        for name, seller in self.sellers.items():
            if kind == "Bearer" and secrets.compare_digest(seller.token.encode(), token.encode()):
                return name, seller
        return None

    async def search(self, request: Request) -> Response:
        found = self._seller(request)
        if found is None:
            return _error(401, "UNAUTHORIZED")
        name, seller = found
        body = await request.json()
        query, limit = body.get("query", {}), body.get("limit", MOST)
        if not 1 <= limit <= MOST:
            return _error(400, "VALUE_TOO_HIGH")
        since = query.get("filter", {}).get("updated_at", {}).get("start_at")
        after = datetime.fromisoformat(since) if since else None
        customers = sorted(
            (
                c
                for c in seller.customers()
                if _public(c)
                and (after is None or datetime.fromisoformat(c["updated_at"]) >= after)
            ),
            key=_key,
        )
        try:
            page, last = read_cursor(body.get("cursor"))
        except ValueError:
            return _error(400, "INVALID_CURSOR")
        start = sum(last is not None and _key(c) <= last for c in customers)

        def render(fault: str | None) -> object:
            if fault == "cursor-invalid":
                return _error(400, "INVALID_CURSOR")
            rows, more = listed(customers, start, limit, fault)
            document: Record = {"customers": rows} if rows else {}
            if body.get("count"):
                document["count"] = total(customers, fault)
            if more:
                document["cursor"] = cursor_of(page + 1, _key(rows[-1]))
            return document

        return await answered(self.faults, name, page, render)

    async def groups(self, request: Request) -> Response:
        found = self._seller(request)
        if found is None:
            return _error(401, "UNAUTHORIZED")
        limit = int(request.query_params.get("limit", 50))
        start = int(request.query_params.get("cursor", 0))
        groups = list(found[1].groups())
        rows = groups[start : start + limit]
        document: Record = {"groups": rows} if rows else {}
        if start + limit < len(groups):
            document["cursor"] = str(start + limit)
        return JSONResponse(document)

    async def customer(self, request: Request) -> Response:
        found = self._seller(request)
        if found is None:
            return _error(401, "UNAUTHORIZED")
        key = request.path_params["customer"]
        while key in found[1].merged():
            key = found[1].merged()[key]
        for record in found[1].customers():
            if record["id"] == key:
                return JSONResponse({"customer": record})
        return _error(404, "NOT_FOUND")


def _public(record: Record) -> bool:
    names = ("given_name", "family_name", "company_name", "email_address", "phone_number")
    return any(record.get(name) for name in names)


def _key(record: Record) -> tuple[str, str]:
    return record["created_at"], record["id"]


def _error(status: int, code: str) -> Response:
    return JSONResponse({"errors": [{"category": "API_ERROR", "code": code}]}, status)


def customer_of(person: Person) -> Record:
    """A person as a customer profile."""
    return {
        "id": f"SQ{person.number}",
        "given_name": person.first_name,
        "family_name": person.last_name,
        "email_address": person.email,
        "phone_number": person.phone,
        "birthday": person.birth_date.isoformat() if person.birth_date else None,
        "group_ids": sorted({m.product_id for m in person.memberships}),
        "creation_source": "DIRECTORY",
        "created_at": person.created_at.astimezone(UTC).isoformat(),
        "updated_at": person.modified_at.astimezone(UTC).isoformat(),
    }


def seller_of(token: str, state: Callable[[], ClubState]) -> Seller:
    """The club as a seller: people who left are deleted; a merged record resolves to the surviving one."""

    def customers() -> list[Record]:
        people = (p for p in state().people if p.status not in ("former", "archived"))
        return [customer_of(p) for p in people]

    def merged() -> dict[str, str]:
        return {f"SQ{p.number}": f"SQ{p.replaced_by}" for p in state().people if p.replaced_by}

    return Seller(
        token,
        customers,
        lambda: [{"id": p.id, "name": p.name} for p in state().products],
        merged,
    )
