"""ASGI apps on a real port of 127.0.0.1, in a thread of the test process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The base address of the app while the block runs."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
        # A handler that hangs on purpose must not hold up the end of the tests.
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listening.close()


@dataclass
class Recorder:
    """Passes everything on, and remembers when and what was asked.

    :param arrived: set by each request.
    """

    app: ASGIApp
    times: list[datetime] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.times.append(datetime.now(UTC))
        self.paths.append(scope["path"])
        self.arrived.set()
        await self.app(scope, receive, send)

    def forget(self) -> None:
        """Start over."""
        self.arrived.clear()
        self.times.clear()
        self.paths.clear()
