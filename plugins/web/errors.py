"""Errors as RFC 9457 has them; on the pages as a page that says the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clubsync.errors import (
    ActionRejected,
    CursorGone,
    CursorInvalid,
    SyncError,
    UnknownClub,
    place_of,
)
from clubsync.store import trouble
from connectors.sdk.errors import ConnectorError
from connectors.sdk.messages import message

log = logging.getLogger(__name__)

#: HTTP's own words for what people meet on the pages.
PHRASES = (message("Not Found"), message("Method Not Allowed"), message("Not authenticated"))
PAGES = "/pages"
"""The path of the pages within the application; all others are for programs."""


_STATUSES: dict[type[Exception], int] = {
    ActionRejected: 409,
    UnknownClub: 404,
    CursorInvalid: 422,
    CursorGone: 410,
}
"""Of errors that are neither the server's nor the database's."""

ErrorPage = Callable[[Request, int, str, str], Response]


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    title: str
    detail: str
    status: int


class ProblemError(Exception):
    """A request that is rejected.

    :param status: HTTP's.
    :param detail: the reason, without anything that the client is not allowed to know.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may return these problems."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        code: {"model": Problem, "description": HTTPStatus(code).phrase, "content": content}
        for code in codes
    }


def install(app: FastAPI, page: ErrorPage) -> None:
    """Return every error of the application as a problem document; on the pages, as a page.

    :param page: makes that page from the request, the status, a title and a detail.
    """

    def answer(request: Request, status: int, title: str, detail: str) -> Response:
        if request.scope["path"].removeprefix(request.scope.get("root_path", "")).startswith(PAGES):
            return page(request, status, title, detail)
        return JSONResponse(
            {"title": title, "detail": detail, "status": status},
            status_code=status,
            media_type="application/problem+json",
        )

    @app.exception_handler(ProblemError)
    async def rejected(request: Request, error: ProblemError) -> Response:
        return answer(request, error.status, error.title, str(error))

    @app.exception_handler(ConnectorError)
    @app.exception_handler(SyncError)
    async def stopped(request: Request, error: SyncError | ConnectorError) -> Response:
        status = next((s for kind, s in _STATUSES.items() if isinstance(error, kind)), 503)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            log.error("%s", error)
        return answer(request, status, error.what, error.remedy)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        made = answer(
            request, error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail)
        )
        made.headers.update(error.headers or {})
        return made

    app.add_middleware(_InternalErrors, answer=answer)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # what was sent may hold a person's data (R19): where it is wrong says enough
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        return answer(request, 422, message("Invalid request"), wrong)


class _InternalErrors:
    """Log an internal error without its message, and answer with a problem that names its class.

    The handler that FastAPI has for any exception raises it again, and the server then logs the message and the
    source lines, which may hold a person's data (R19).
    """

    def __init__(self, app: ASGIApp, answer: ErrorPage) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            known = trouble.explained(error)
            if known is not None:
                log.error("%s", known)
                if not begun:
                    answer = self._answer(Request(scope, receive), 503, known.what, known.remedy)
                    await answer(scope, receive, send)
                return
            log.critical("Internal error: %s", place_of(error))
            if begun:  # the client sees an answer that ends early
                return
            detail = message(
                f"Internal error ({type(error).__name__}). An engineer can find it in the log of the server."
            )
            answer = self._answer(Request(scope, receive), 500, message("Internal error"), detail)
            await answer(scope, receive, send)
