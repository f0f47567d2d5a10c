"""Resamania 2's API behind its gateway, as Stadline's documentation and example requests describe it
(docs/erps/resamania.md).

Faithful to those: the gateway key in every request (401), OAuth 2 client credentials in a form, IRIs in headers
(404 "Item not found" without them), Hydra collections with 30 or `itemsPerPage` items per page, the total and the
URL of the next page, subscriptions as a separate collection.

Inferred [inf], as in the connector: a token valid for an hour, `state`, `product`, `validFrom` and `validThrough`,
the filter `updatedAt[after]`, next URLs without the path of the gateway, order by number.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.faults import Faults
from sandbox.paged import answered, listed, total
from sandbox.world import ClubState, Person

TOKEN_LASTS = timedelta(hours=1)
PAGE = 30
MOST = 1000

Record = dict[str, Any]


@dataclass
class Tenant:
    """One tenant with one club.

    :param club: IRI of the club.
    :param contacts, subscriptions: its current ones, in any order.
    :param prefix: prefix of the keys of a collection; empty in newer versions of API Platform.
    :param tokens: issued tokens -> expiry.
    """

    key: str
    client_id: str
    client_secret: str
    club: str
    contacts: Callable[[], Sequence[Record]]
    subscriptions: Callable[[], Sequence[Record]]
    prefix: str = "hydra:"
    tokens: dict[str, datetime] = field(default_factory=dict)


def create_app(
    tenants: Mapping[str, Tenant],
    faults: Faults | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    environment: str = "resa2-prod",
) -> Starlette:
    """The gateway with one environment.

    :param tenants: by client token, which is also the name of the club in the faults.
    """
    api = _Api(tenants, faults or Faults(), now)
    routes = [
        Route("/{token}/oauth/v2/token", api.token, methods=["POST"]),
        Route("/{token}/contacts", api.contacts, methods=["GET"]),
        Route("/{token}/subscriptions", api.subscriptions, methods=["GET"]),
    ]
    return Starlette(routes=[Mount(f"/{environment}", routes=routes)])


@dataclass
class _Api:
    tenants: Mapping[str, Tenant]
    faults: Faults
    now: Callable[[], datetime]

    def _tenant(self, request: Request) -> Tenant | Response:
        """The requested tenant, or the error response of the gateway."""
        tenant = self.tenants.get(request.path_params["token"])
        if tenant is None:
            return _error(404, "Item not found")
        if request.headers.get("x-gravitee-api-key") != tenant.key:
            return _error(401, "Unauthorized")
        return tenant

    def _authorized(self, request: Request) -> Tenant | Response:
        """The tenant, or an error response unless the token is valid and the club is named."""
        tenant = self._tenant(request)
        if isinstance(tenant, Response):
            return tenant
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or tenant.tokens.get(token, self.now()) <= self.now():
            return _error(401, "api.error.oauth.invalid-token")
        if request.headers.get("x-user-club-id") != tenant.club:
            return _error(404, "Item not found")
        return tenant

    async def token(self, request: Request) -> Response:
        tenant = self._tenant(request)
        if isinstance(tenant, Response):
            return tenant
        form = {k: v[0] for k, v in parse_qs((await request.body()).decode()).items()}
        known = (tenant.client_id, tenant.client_secret)
        if form.get("grant_type") != "client_credentials":
            return _error(400, "invalid_grant")
        if (form.get("client_id"), form.get("client_secret")) != known:
            return _error(401, "invalid_client")
        token = secrets.token_urlsafe(24)
        tenant.tokens[token] = self.now() + TOKEN_LASTS
        lasts = int(TOKEN_LASTS.total_seconds())
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": lasts})

    async def contacts(self, request: Request) -> Response:
        tenant = self._authorized(request)
        if isinstance(tenant, Response):
            return tenant
        query = request.query_params
        found = [c for c in tenant.contacts() if query.get("email") in (None, c["email"])]
        if "updatedAt[after]" in query:
            try:
                after = datetime.fromisoformat(query["updatedAt[after]"])
            except ValueError:
                return _error(400, "Invalid date")
            found = [c for c in found if datetime.fromisoformat(c["updatedAt"]) >= after]
        return await self._collection(request, tenant, found, self.faults)

    async def subscriptions(self, request: Request) -> Response:
        tenant = self._authorized(request)
        if isinstance(tenant, Response):
            return tenant
        return await self._collection(request, tenant, list(tenant.subscriptions()), Faults())

    async def _collection(
        self, request: Request, tenant: Tenant, records: list[Record], faults: Faults
    ) -> Response:
        try:
            page = int(request.query_params.get("page", 1))
            size = int(request.query_params.get("itemsPerPage", PAGE))
        except ValueError:
            return _error(400, "Invalid page")
        if page < 1 or not 1 <= size <= MOST:
            return _error(400, "Invalid page")
        records.sort(key=lambda r: int(r["@id"].rpartition("/")[2]))
        token = request.path_params["token"]
        path = f"/{token}/{request.url.path.rpartition('/')[2]}"

        def render(fault: str | None) -> object:
            rows, more = listed(records, (page - 1) * size, size, fault)
            if fault in ("page-repeated", "row-moved"):
                more = page * size < len(records)
            view: Record = {"@id": f"{path}?page={page}", "@type": f"{tenant.prefix}PartialView"}
            if more:
                query = {**request.query_params, "page": page + 1}
                view[f"{tenant.prefix}next"] = f"{path}?{urlencode(query)}"
            return {
                "@context": f"/{token}/contexts/Contact",
                "@id": path,
                "@type": f"{tenant.prefix}Collection",
                f"{tenant.prefix}member": rows,
                f"{tenant.prefix}totalItems": total(records, fault),
                f"{tenant.prefix}view": view,
            }

        return await answered(faults, token, page, render)


def _error(status: int, text: str) -> Response:
    return JSONResponse({"@type": "hydra:Error", "hydra:description": text}, status)


def contact_of(person: Person, token: str) -> Record:
    """A person as a contact."""
    return {
        "@id": f"/{token}/contacts/{person.number}",
        "@type": "http://schema.org/Person",
        "number": f"C{person.number}",
        "givenName": person.first_name,
        "familyName": person.last_name,
        "email": person.email,
        "mobile": person.phone,
        "birthDate": person.birth_date.isoformat() if person.birth_date else None,
        "gender": person.gender,
        "address": {"addressCountryIso": "FR", "addressLocality": "Toulon"},
        "state": {"active": "client", "paused": "client", "prospect": "prospect"}.get(
            person.status, "former"
        ),
        "createdAt": person.created_at.astimezone(UTC).isoformat(),
        "updatedAt": person.modified_at.astimezone(UTC).isoformat(),
    }


def subscriptions_of(state: ClubState, token: str) -> list[Record]:
    """The memberships of everybody in the club."""
    names = {p.id: p.name for p in state.products}
    held = [(person, m) for person in state.people for m in person.memberships]
    return [
        {
            "@id": f"/{token}/subscriptions/{i}",
            "contact": {"@id": f"/{token}/contacts/{person.number}"},
            "product": names[m.product_id],
            "validFrom": m.start.isoformat(),
            "validThrough": m.end.isoformat() if m.end else None,
            "engagedThrough": m.start.isoformat(),
        }
        for i, (person, m) in enumerate(held, 1)
    ]
