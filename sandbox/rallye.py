"""Rallye: a fictional ERP with a GraphQL API; the example of docs/examples/rest-graphql.yaml.

`POST /graphql` answers what `SCHEMA` allows, by graphql-core, which validates every request as a real server does.
Members are ordered by id; a cursor is opaque; `filter.updated.gte` returns those that changed since, and who has left
is listed only with `includeFormer`. Errors have status 200 and a code in their extensions.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphql import GraphQLError, build_schema, graphql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SCHEMA = build_schema("""
    type Query { members(first: Int!, after: String, filter: MemberFilter): Members! }
    input MemberFilter { includeFormer: Boolean = false, updated: Since }
    input Since { gte: String! }
    type Members { totalCount: Int!, pageInfo: PageInfo!, edges: [Edge!]! }
    type PageInfo { hasNextPage: Boolean!, endCursor: String }
    type Edge { cursor: String!, node: Member! }
    type Member {
        id: ID!, email: String, status: Status!, updatedAt: String!, name: Name!, memberships: [Membership!]!
    }
    enum Status { ACTIVE PAUSED FORMER }
    type Name { given: String, family: String }
    type Membership { endsOn: String, plan: Plan! }
    type Plan { id: ID!, name: String! }
    """)

Record = dict[str, Any]


@dataclass
class Rallye:
    """One club's account.

    :param members: in the form of the schema's `Member`, ordered by id.
    :param asked: the requests, as they came.
    """

    token: str
    members: list[Record] = field(default_factory=list)
    asked: list[Record] = field(default_factory=list)

    def app(self) -> Starlette:
        """The API."""
        return Starlette(routes=[Route("/graphql", self._graphql, methods=["POST"])])

    async def _graphql(self, request: Request) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            error = {"message": "Who are you?", "extensions": {"code": "UNAUTHENTICATED"}}
            return JSONResponse({"errors": [error]})
        asked = await request.json()
        self.asked.append(asked)
        done = await graphql(
            SCHEMA, asked["query"], {"members": self._members}, variable_values=asked["variables"]
        )
        return JSONResponse(done.formatted)

    def _members(self, _info: object, first: int, **asked: Any) -> Record:
        wanted: Record = asked.get("filter") or {}
        found = [m for m in self.members if wanted.get("includeFormer") or m["status"] != "FORMER"]
        if "updated" in wanted:
            since = datetime.fromisoformat(wanted["updated"]["gte"])
            found = [m for m in found if datetime.fromisoformat(m["updatedAt"]) >= since]
        start = _position(found, asked.get("after"))
        page = found[start : start + first]
        edges = [{"cursor": _cursor(member), "node": member} for member in page]
        return {
            "totalCount": len(found),
            "pageInfo": {
                "hasNextPage": start + first < len(found),
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
            "edges": edges,
        }


def _cursor(member: Record) -> str:
    return base64.b64encode(f"member:{member['id']}".encode()).decode()


def _position(members: Sequence[Record], after: str | None) -> int:
    if after is None:
        return 0
    for position, member in enumerate(members):
        if _cursor(member) == after:
            return position + 1
    raise GraphQLError("Unknown cursor.", extensions={"code": "BAD_CURSOR"})
