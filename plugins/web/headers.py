"""What every response carries, and where its redirects may lead.

A redirect names a path, never a host: the address that a framework makes of the request's Host header is whatever
the client wrote there. Nothing but static files is kept by a browser or a proxy: it may hold personal data.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = "/static/"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every response, unless the route has set its own."""


class Headers:
    """Middleware: adds `HEADERS`, and makes redirects relative."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if not (name == "Cache-Control" and path.startswith(STATIC)):
                        headers.setdefault(name, value)
                if "location" in headers:
                    headers["location"] = relative(headers["location"])
            await send(message)

        await self._app(scope, receive, completed)


def relative(address: str) -> str:
    """Path and query of an address; a path that starts with two slashes would be another host's."""
    parts = urlsplit(address)
    path = "/" + parts.path.lstrip("/\\")
    return f"{path}?{parts.query}" if parts.query else path
