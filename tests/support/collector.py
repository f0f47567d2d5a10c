"""What stands in for an OpenTelemetry collector: it takes whatever is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tests.support.servers import serving


@dataclass
class Collector:
    """:param url: its address, for `OTEL_EXPORTER_OTLP_ENDPOINT`. :param bodies: what was sent, in pieces."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            self.bodies.append(message.get("body", b""))
        await Response()(scope, receive, send)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of 127.0.0.1, while the block runs."""
    it = Collector()
    with serving(it) as url:
        it.url = url
        yield it
