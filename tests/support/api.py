"""A server whose answers a test writes, and which remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.servers import serving


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Api:
    """Answers by path: JSON, a response, or what a function makes of the request."""

    url: str = ""
    answers: dict[str, object | Callable[[Asked], object]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]

    async def answer(self, request: Request) -> Response:
        """The answer to a request; 404 where none was written."""
        asked = Asked(
            request.method,
            request.url.path,
            dict(request.query_params),
            dict(request.headers),
            await request.body(),
        )
        self.asked.append(asked)
        if asked.path not in self.answers:
            return JSONResponse({"error": "NOT_FOUND"}, 404)
        said = self.answers[asked.path]
        if callable(said) and not isinstance(said, Response):
            said = said(asked)
        return said if isinstance(said, Response) else JSONResponse(said)


@contextmanager
def api() -> Iterator[Api]:
    """One, on a port of its own."""
    it = Api()
    route = Route("/{path:path}", it.answer, methods=["GET", "POST"])
    with serving(Starlette(routes=[route])) as it.url:
        yield it
