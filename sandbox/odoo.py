"""Odoo's external API for two models, as its documentation and source describe it (docs/erps/odoo.md).

Faithful to those: JSON-2 with its statuses (401, 403, 404, 422) and named arguments, JSON-RPC with errors in
responses of status 200 and a `common.login` that returns false, `search_read`, `search_count` and `fields_get` on
`res.partner` and `res.partner.category`, archived records hidden unless `active_test` is false, `false` for empty
values, many2one as `[id, name]`, dates in UTC without an offset.

Of domains, only what the connector uses is supported: terms joined by "and", operators =, !=, in, <, <=, >, >=.
"""

from __future__ import annotations

import operator
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
from sandbox.paged import answered, listed, total
from sandbox.world import ClubState, Person

PARTNER, CATEGORY = "res.partner", "res.partner.category"

Record = dict[str, Any]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, choices: value in choices,
}


@dataclass(frozen=True)
class Database:
    """One database.

    :param key: the API key of JSON-2, and the password of JSON-RPC.
    :param partners, categories: its current records, in any order; each has all fields.
    """

    login: str
    key: str
    partners: Callable[[], Sequence[Record]]
    categories: Callable[[], Sequence[Record]]


class _Rejected(Exception):
    """A call whose response is an error. :param status: that of JSON-2; :param kind: Odoo's exception class."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status, self.kind = status, kind


def create_app(databases: Mapping[str, Database], faults: Faults | None = None) -> Starlette:
    """A server with these databases.

    :param databases: by name, which is also the name of the club in the faults.
    """
    api = _Api(databases, faults or Faults())
    return Starlette(
        routes=[
            Route("/json/2/{model}/{method}", api.json2, methods=["POST"]),
            Route("/jsonrpc", api.jsonrpc, methods=["POST"]),
        ]
    )


@dataclass
class _Api:
    databases: Mapping[str, Database]
    faults: Faults

    async def json2(self, request: Request) -> Response:
        name = request.headers.get("X-Odoo-Database", next(iter(self.databases)))
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        database = self.databases.get(name)
        if database is None:
            return _error(404, "NotFound")
        if kind.lower() != "bearer" or not secrets.compare_digest(
            key.encode(), database.key.encode()
        ):
            return _error(401, "Unauthorized")
        body = await request.json()
        if body.pop("ids", None):
            return _error(422, "UnprocessableEntity")
        model, method = request.path_params["model"], request.path_params["method"]
        try:
            return await self._called(name, database, model, method, body, lambda value: value)
        except _Rejected as rejected:
            return _error(rejected.status, rejected.kind)

    async def jsonrpc(self, request: Request) -> Response:
        body = await request.json()
        params = body["params"]
        service, method, args = params["service"], params["method"], params["args"]

        def wrap(value: object) -> object:
            return {"jsonrpc": "2.0", "id": body["id"], "result": value}

        database = self.databases.get(args[0])
        if database is None:
            return JSONResponse(_rpc_error(body, "psycopg2.OperationalError"))
        if (service, method) == ("common", "login"):
            known = (args[1], args[2]) == (database.login, database.key)
            return JSONResponse(wrap(2 if known else False))
        _, user, key, model, called, _, keywords = args
        if (user, key) != (2, database.key):
            return JSONResponse(_rpc_error(body, "odoo.exceptions.AccessDenied"))
        try:
            return await self._called(args[0], database, model, called, keywords, wrap)
        except _Rejected as rejected:
            return JSONResponse(_rpc_error(body, rejected.kind))

    async def _called(
        self,
        name: str,
        database: Database,
        model: str,
        method: str,
        arguments: Record,
        wrap: Callable[[object], object],
    ) -> Response:
        """Call a method of a model with named arguments.

        :param wrap: makes the body of the response from the result.
        """
        records = {PARTNER: database.partners, CATEGORY: database.categories}.get(model)
        if records is None or method not in ("search_read", "search_count", "fields_get"):
            raise _Rejected(404, "builtins.KeyError")
        everything = list(records())
        if method == "fields_get":
            there = everything[0] if everything else dict.fromkeys(_PARTNER_FIELDS)
            return JSONResponse(
                wrap({f: {"type": "char"} for f in arguments["allfields"] if f in there})
            )
        context = arguments.get("context", {})
        found = [
            r
            for r in everything
            if (r["active"] or context.get("active_test") is False)
            and all(_matches(r, term) for term in arguments["domain"])
        ]
        if method == "search_count":
            # Not a page, so the fault is not taken; but the count has to agree with the pages.
            fault = self.faults.all().get(name)
            wrong = fault.kind if fault and fault.kind == "total-wrong" else None
            return JSONResponse(wrap(total(found, wrong)))
        limit = arguments.get("limit")
        found.sort(key=lambda r: int(r["id"]), reverse=arguments.get("order") == "id desc")
        wanted = arguments["fields"]
        if model != PARTNER or arguments.get("order") != "id asc" or limit is None:
            return JSONResponse(wrap([_shown(r, wanted) for r in found[:limit]]))
        return await self._page(name, everything, found, limit, wanted, wrap)

    async def _page(
        self,
        name: str,
        everything: list[Record],
        found: list[Record],
        limit: int,
        wanted: list[str],
        wrap: Callable[[object], object],
    ) -> Response:
        """One page of partners, which faults may alter."""
        ordered = sorted(everything, key=lambda r: int(r["id"]))
        before = ordered[: ordered.index(found[0])] if found else ordered

        def render(fault: str | None) -> object:
            rows, _ = listed([*before, *found], len(before), limit, fault)
            return wrap([_shown(r, wanted) for r in rows])

        return await answered(self.faults, name, len(before) // limit + 1, render)


_PARTNER_FIELDS = ("name", "phone", "country_code", "parent_id")


def _matches(record: Record, term: Sequence[Any]) -> bool:
    name, sign, value = term
    if name not in record:
        raise _Rejected(422, "builtins.ValueError")
    return _OPERATORS[sign](record[name], value)


def _shown(record: Record, wanted: Sequence[str]) -> Record:
    if any(name not in record for name in wanted):
        raise _Rejected(422, "builtins.ValueError")
    shown = {name: record[name] for name in ("id", *wanted)}
    return {name: False if value is None else value for name, value in shown.items()}


def _error(status: int, name: str) -> Response:
    return JSONResponse({"name": name, "message": name, "arguments": []}, status)


def _rpc_error(body: Record, name: str) -> Record:
    data = {"name": name, "message": "Odoo Server Error", "debug": "Traceback …"}
    error = {"code": 200, "message": "Odoo Server Error", "data": data}
    return {"jsonrpc": "2.0", "id": body["id"], "error": error}


def partner_of(person: Person, categories: Mapping[str, int]) -> Record:
    """A person as a partner.

    :param categories: product id -> id of its category.
    """
    return {
        "id": person.number,
        "name": f"{person.first_name} {person.last_name}",
        "active": person.status not in ("archived", "former"),
        "email": person.email,
        "phone": person.phone,
        "country_code": "FR",
        "category_id": sorted({categories[m.product_id] for m in person.memberships}),
        "parent_id": [person.guardian, "…"] if person.guardian else None,
        "is_company": False,
        "customer_rank": 1,
        "create_date": _stamp(person.created_at),
        "write_date": _stamp(person.modified_at),
    }


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def database_of(login: str, key: str, state: Callable[[], ClubState]) -> Database:
    """The club as a database, with one category per product."""

    def numbered() -> dict[str, int]:
        return {p.id: i for i, p in enumerate(state().products, 1)}

    def categories() -> list[Record]:
        return [
            {"id": i, "display_name": p.name, "active": p.active}
            for i, p in enumerate(state().products, 1)
        ]

    return Database(
        login, key, lambda: [partner_of(p, numbered()) for p in state().people], categories
    )
