"""Makes *Test* in Airflow's list of connections work for our connection types.

Airflow tests a connection under a generated id, which does not tell its hook which clubs use it: the real id is kept
in `resolver.tested_id`. The list of Airflow 3.3.2 also sends port 0 for a connection without a port; the server
compares it to the stored port and rejects the test, so 0 is removed. (Later versions of Airflow do that themselves.)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from plugins.connections.resolver import tested_id

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = "/api/v2/connections/test"
LONGEST = 2**20
"""Bytes; no connection is longer. A longer request is passed on unread."""


class ConnectionTests:
    """ASGI middleware; every other request passes through untouched."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or not scope["path"].endswith(PATH)
            or (length := _length(scope)) is None
        ):
            await self.app(scope, receive, send)
            return
        body = b""
        while len(body) < length:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client disconnected
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        conn_id, body = parse(body)
        scope["headers"] = [
            (name, str(len(body)).encode() if name == b"content-length" else value)
            for name, value in scope["headers"]
        ]
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        token = tested_id.set(conn_id)
        try:
            await self.app(scope, again, send)
        finally:
            tested_id.reset(token)


def parse(body: bytes) -> tuple[str | None, bytes]:
    """The id of the connection to test, and the request without port 0."""
    try:
        asked = json.loads(body)
    except ValueError:
        return None, body
    if not isinstance(asked, dict):
        return None, body
    conn_id = asked.get("connection_id")
    if asked.get("port") == 0:
        body = json.dumps({**asked, "port": None}).encode()
    return conn_id if isinstance(conn_id, str) else None, body


def _length(scope: Scope) -> int | None:
    """The request's length; None if it is unknown or too long."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() and int(said) <= LONGEST else None


class ConnectionTestPlugin(AirflowPlugin):
    """Airflow looks for this class."""

    name = "clubsync_connection_test"
    # Airflow declares it as an attribute of instances, and mypy takes no ClassVar in its place.
    fastapi_root_middlewares = [  # noqa: RUF012  # Airflow's base class declares no ClassVar
        {"name": "Tests of clubsync's connections", "middleware": ConnectionTests}
    ]
