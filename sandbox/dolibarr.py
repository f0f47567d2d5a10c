"""Dolibarr's REST API for members and member types, according to its source code (docs/erps/dolibarr.md).

Faithful to the source: `DOLAPIKEY` (401), `members` sorted by id, with `limit`, `sqlfilters`, `properties`,
`category` and `pagination_data`; `memberstypes` likewise, without a total; Unix times and empty strings; older
versions have no `pagination_data`, and respond 404 to an empty list.

Of `sqlfilters`, only the expressions that the connector uses are supported: `t.rowid:>:` and `t.tms:>=:`, joined
by "and".
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.paged import answered, listed, total
from sandbox.world import ClubState, Person

Record = dict[str, Any]

_ROWID = re.compile(r"\(t\.rowid:>:(\d+)\)")
_TMS = re.compile(r"\(t\.tms:>=:'(\d{8})'\)")


@dataclass(frozen=True)
class Installation:
    """One Dolibarr installation.

    :param members, types: its current records, in any order; `_tms` of a member is the day of its last change.
    :param old: a version without `pagination_data` that responds 404 to an empty list.
    """

    key: str
    members: Callable[[], Sequence[Record]]
    types: Callable[[], Sequence[Record]]
    old: bool = False


def create_app(name: str, installation: Installation, faults: Faults | None = None) -> Starlette:
    """The API of an installation.

    :param name: its name in the faults.
    """
    api = _Api(name, installation, faults or Faults())
    return Starlette(
        routes=[
            Route("/api/index.php/members", api.members, methods=["GET"]),
            Route("/api/index.php/memberstypes", api.types, methods=["GET"]),
        ]
    )


@dataclass
class _Api:
    name: str
    here: Installation
    faults: Faults

    def _known(self, request: Request) -> bool:
        key = request.headers.get("DOLAPIKEY", "").encode()
        return secrets.compare_digest(self.here.key.encode(), key)

    async def members(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, "Unauthorized")
        query = request.query_params
        filters, limit = query.get("sqlfilters", ""), int(query.get("limit", 100))
        after = _ROWID.search(filters)
        since = _TMS.search(filters)
        category = query.get("category")
        found = sorted(
            (
                m
                for m in self.here.members()
                if (since is None or m["_tms"] >= since[1])
                and (category is None or int(category) in m.get("_categories", ()))
            ),
            key=_id,
        )
        start = sum(_id(m) <= int(after[1]) for m in found) if after else 0
        wanted = query.get("properties", "").split(",")

        def render(fault: str | None) -> object:
            rows, _ = listed(found, start, limit, fault)
            shown = [{k: v for k, v in r.items() if k in wanted} for r in rows]
            if self.here.old:
                return shown or _error(404, "Not Found: No member found")
            if query.get("pagination_data") != "true":
                return shown
            count = total(found[start:], fault)
            return {"data": shown, "pagination": {"total": count, "page": 0, "limit": limit}}

        return await answered(self.faults, self.name, start // limit + 1, render)

    async def types(self, request: Request) -> Response:
        if not self._known(request):
            return _error(401, "Unauthorized")
        limit = int(request.query_params.get("limit", 100))
        start = limit * int(request.query_params.get("page", 0))
        after = _ROWID.search(request.query_params.get("sqlfilters", ""))
        found = [t for t in self.here.types() if after is None or _id(t) > int(after[1])]
        rows = sorted(found, key=_id)[start : start + limit]
        if not rows and self.here.old:
            return _error(404, "Not Found: No member type found")
        wanted = request.query_params.get("properties", "").split(",")
        return JSONResponse([{k: v for k, v in r.items() if k in wanted} for r in rows])


def _id(record: Record) -> int:
    return int(record["id"])


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": text}}, status)


def member_of(person: Person, types: Mapping[str, int], zone: ZoneInfo) -> Record:
    """A person as a member, whose type is that of the newest membership.

    :param types: product id -> id of its member type.
    """

    def midnight(day: date | None) -> int | str:
        return int(datetime.combine(day, time(0), zone).timestamp()) if day else ""

    newest = person.memberships[-1] if person.memberships else None
    paid = newest is not None and newest.end is not None
    return {
        "id": str(person.number),
        "ref": str(person.number),
        "morphy": "phy",
        "firstname": person.first_name,
        "lastname": person.last_name,
        "email": person.email,
        "phone_mobile": person.phone,
        "birth": midnight(person.birth_date),
        "gender": {"male": "man", "female": "woman"}.get(person.gender or "", ""),
        "country_code": "FR",
        "statut": {"active": "1", "paused": "1", "prospect": "-1", "archived": "-2"}.get(
            person.status, "0"
        ),
        "typeid": str(types[newest.product_id]) if newest else "",
        "need_subscription": "1" if paid else "0",
        "datefin": midnight(newest.end) if newest and newest.end else "",
        "date_creation": int(person.created_at.timestamp()),
        "date_modification": int(person.modified_at.timestamp()),
        "_tms": f"{person.modified_at.astimezone(zone):%Y%m%d}",
    }


def installation_of(
    key: str, state: Callable[[], ClubState], zone: ZoneInfo, *, old: bool = False
) -> Installation:
    """The club as an installation, with one member type per product."""

    def members() -> list[Record]:
        types = {p.id: i for i, p in enumerate(state().products, 1)}
        return [member_of(p, types, zone) for p in state().people]

    def types() -> list[Record]:
        return [
            {"id": str(i), "label": p.name, "status": "1" if p.active else "0"}
            for i, p in enumerate(state().products, 1)
        ]

    return Installation(key, members, types, old)
