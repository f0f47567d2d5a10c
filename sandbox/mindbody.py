"""Mindbody's Public API v6, as its documentation and SDK describe it (docs/erps/mindbody.md).

Faithful to them: `API-Key` and `SiteId` in every request, a staff token from `usertoken/issue`, clients by limit
(at most 200) and offset with `TotalResults`, without inactive ones unless requested, and optionally those changed
since `request.lastModifiedDate`; memberships of up to 200 clients by their `Id`; the site's list of memberships;
a daily quota of calls per key, after which requests are rejected.

Inferred [inf], as in the connector: `Bearer` before the token, clients ordered by `UniqueId`, 429 without
Retry-After once the quota is used up, an empty list for a client without active memberships, and the format of
errors.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.paged import answered, listed, total
from sandbox.world import ClubState, Membership, Person

MOST = 200

Record = dict[str, Any]


@dataclass
class Site:
    """One business of the simulated Mindbody.

    :param clients: its current clients, in any order, including inactive ones.
    :param memberships: the active memberships of the client with this `Id`.
    :param kinds: the memberships that the site sells.
    :param quota: how many calls of the key are answered; None: all.
    :param calls: how many calls the key has made.
    :param repeats: the list of memberships has its first row once more, in place of the last one.
    """

    key: str
    username: str
    password: str
    clients: Callable[[], Sequence[Record]]
    memberships: Callable[[str], Sequence[Record]]
    kinds: Callable[[], Sequence[Record]]
    quota: int | None = None
    calls: int = 0
    repeats: bool = False
    tokens: set[str] = field(default_factory=set)


def create_app(sites: Mapping[str, Site], faults: Faults | None = None) -> Starlette:
    """The API for these sites.

    :param sites: by site id, which is also the name of the club in the faults.
    """
    api = _Api(sites, faults or Faults())
    root = "/public/v6"
    return Starlette(
        routes=[
            Route(f"{root}/usertoken/issue", api.issue, methods=["POST"]),
            Route(f"{root}/client/clients", api.clients, methods=["GET"]),
            Route(f"{root}/client/activeclientsmemberships", api.memberships, methods=["GET"]),
            Route(f"{root}/site/memberships", api.kinds, methods=["GET"]),
        ]
    )


@dataclass
class _Api:
    sites: Mapping[str, Site]
    faults: Faults

    def _site(self, request: Request, *, staff: bool = True) -> Site | Response:
        """The requested site, or the error response."""
        site = self.sites.get(request.headers.get("SiteId", ""))
        key = request.headers.get("API-Key", "").encode()
        if site is None or not secrets.compare_digest(site.key.encode(), key):
            return _error(401, "DeniedAccess")
        site.calls += 1
        if site.quota is not None and site.calls > site.quota:
            return _error(429, "TooManyRequests")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if staff and (kind != "Bearer" or token not in site.tokens):
            return _error(401, "DeniedAccess")
        return site

    async def issue(self, request: Request) -> Response:
        site = self._site(request, staff=False)
        if isinstance(site, Response):
            return site
        body = await request.json()
        if (body.get("Username"), body.get("Password")) != (site.username, site.password):
            return _error(401, "InvalidCredentials")
        token = secrets.token_hex(16)
        site.tokens.add(token)
        return JSONResponse({"TokenType": "Bearer", "AccessToken": token})

    async def clients(self, request: Request) -> Response:
        site = self._site(request)
        if isinstance(site, Response):
            return site
        query = request.query_params
        try:
            limit, offset = _window(request)
            since = datetime.fromisoformat(
                query.get("request.lastModifiedDate", "0001-01-01T00:00:00Z")
            )
        except ValueError:
            return _error(400, "InvalidParameter")
        inactive = query.get("request.includeInactive") == "true"
        found = sorted(
            (
                c
                for c in site.clients()
                if (inactive or c["Active"])
                and datetime.fromisoformat(c["LastModifiedDateTime"]) >= since
            ),
            key=lambda c: int(c["UniqueId"]),
        )

        def render(fault: str | None) -> object:
            rows, _ = listed(found, offset, limit, fault)
            pages = _pages(limit, offset, len(rows), total(found, fault))
            return {"PaginationResponse": pages, "Clients": rows}

        return await answered(self.faults, request.headers["SiteId"], offset // limit + 1, render)

    async def memberships(self, request: Request) -> Response:
        site = self._site(request)
        if isinstance(site, Response):
            return site
        asked = request.query_params.getlist("request.clientIds")
        try:
            limit, offset = _window(request)
        except ValueError:
            return _error(400, "InvalidParameter")
        if not 1 <= len(asked) <= MOST:
            return _error(400, "InvalidParameter")
        rows = asked[offset : offset + limit]
        if site.repeats:
            rows[-1] = rows[0]
        return JSONResponse(
            {
                "PaginationResponse": _pages(limit, offset, len(rows), len(asked)),
                "ClientMemberships": [
                    {"ClientId": i, "Memberships": list(site.memberships(i)), "ErrorMessage": None}
                    for i in rows
                ],
            }
        )

    async def kinds(self, request: Request) -> Response:
        site = self._site(request)
        if isinstance(site, Response):
            return site
        return JSONResponse({"Memberships": list(site.kinds())})


def _window(request: Request) -> tuple[int, int]:
    limit = int(request.query_params.get("request.limit", 100))
    offset = int(request.query_params.get("request.offset", 0))
    if not 1 <= limit <= MOST or offset < 0:
        raise ValueError("out of bounds")
    return limit, offset


def _pages(limit: int, offset: int, size: int, results: int) -> Record:
    return {
        "RequestedLimit": limit,
        "RequestedOffset": offset,
        "PageSize": size,
        "TotalResults": results,
    }


def _error(status: int, code: str) -> Response:
    return JSONResponse({"Error": {"Message": code, "Code": code}}, status)


def client_of(person: Person, today: date) -> Record:
    """A person as a client; the barcode (`Id`) differs from the key (`UniqueId`)."""
    holds = any(m.start <= today and (m.end is None or m.end >= today) for m in person.memberships)
    status = {"prospect": "Non-Member", "paused": "Suspended", "former": "Terminated"}.get(
        person.status, "Active" if holds else "Expired"
    )
    guardian = person.guardian
    return {
        "UniqueId": person.number,
        "Id": f"B{person.number:05d}",
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "Email": person.email,
        "MobilePhone": person.phone,
        "BirthDate": f"{person.birth_date}T00:00:00" if person.birth_date else None,
        "Gender": {"male": "Male", "female": "Female"}.get(person.gender or "", "None"),
        "Active": person.status != "archived",
        "IsProspect": person.status == "prospect",
        "Status": status,
        "SuspensionInfo": None,
        "ClientRelationships": [
            {"RelatedUniqueId": guardian, "RelationshipName": "Paid for by"},
        ]
        if guardian
        else [],
        "CreationDate": person.created_at.replace(tzinfo=None).isoformat(),
        "LastModifiedDateTime": person.modified_at.astimezone(UTC).isoformat(),
    }


def _membership(m: Membership, number: int, name: str) -> Record:
    return {
        "MembershipId": number,
        "Name": name,
        "ActiveDate": f"{m.start}T00:00:00",
        "ExpirationDate": f"{m.end}T00:00:00" if m.end else None,
        "Current": True,
    }


def site_of(
    key: str, username: str, password: str, state: Callable[[], ClubState], zone: ZoneInfo
) -> Site:
    """The club as a site."""

    def today(club: ClubState) -> date:
        return club.at.astimezone(zone).date()

    def numbered(club: ClubState) -> dict[str, tuple[int, str]]:
        return {p.id: (i, p.name) for i, p in enumerate(club.products, 1)}

    def memberships(barcode: str) -> list[Record]:
        club = state()
        products, day = numbered(club), today(club)
        return [
            _membership(m, *products[m.product_id])
            for m in club.person(int(barcode[1:])).memberships
            if m.start <= day and (m.end is None or m.end >= day)
        ]

    def kinds() -> list[Record]:
        club = state()
        return [
            {"MembershipId": i, "MembershipName": p.name, "IsActive": p.active}
            for i, p in enumerate(club.products, 1)
        ]

    def clients() -> list[Record]:
        club = state()
        return [client_of(p, today(club)) for p in club.people]

    return Site(key, username, password, clients, memberships, kinds)
