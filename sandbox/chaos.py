"""A bad line to a real ERP: passes requests on, and spoils one in so many, below what a web framework can.

In place of mitmproxy, of which only release 0.14 fits beside the libraries that are locked here. Which
request is spoiled, and how, is a seeded dice's choice.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal, get_args

import requests

Spoiled = Literal[
    "throttled",  # 429, sometimes with Retry-After
    "server-error",  # 500, or 502 with a web page
    "cut-before",  # the connection ends without an answer
    "cut-within",  # the connection ends in the middle of an answer
    "late",  # the answer comes, after a while
    "too-late",  # the answer comes after whoever asked has gone
    "truncated",  # half of the JSON, with the right length
]

#: seconds of `late` and `too-late`; the reader's timeout lies between them.
LATE, TOO_LATE = 0.05, 1.5


@dataclass
class BadLine:
    """A line, as it is now.

    :param share: of the requests that are spoiled.
    :param passed, spoiled: what has been done so far.
    """

    to: str
    share: float
    dice: random.Random
    url: str = ""
    passed: int = 0
    spoiled: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def throw(self) -> Spoiled | None:
        """What becomes of the next request."""
        with self.lock:
            if self.dice.random() >= self.share:
                self.passed += 1
                return None
            kind: Spoiled = self.dice.choice(get_args(Spoiled))
            self.spoiled[kind] += 1
            return kind

    def heads(self) -> bool:
        with self.lock:
            return self.dice.random() < 0.5


@contextlib.contextmanager
def bad_line(to: str, *, share: float, seed: int) -> Iterator[BadLine]:
    """A port of 127.0.0.1 that leads to the address `to`, while the block runs."""
    line = BadLine(to, share, random.Random(seed))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"line": line}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    line.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield line
    finally:
        line.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    line: ClassVar[BadLine]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with contextlib.suppress(OSError):
            self._answer(self.line.throw(), body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _answer(self, kind: Spoiled | None, body: bytes) -> None:
        match kind:
            case "throttled":
                more = {"Retry-After": "0.02"} if self.line.heads() else {}
                self._say(429, b'{"error": "TOO_MANY"}', more=more)
            case "server-error":
                if self.line.heads():
                    self._say(500, b'{"error": "INTERNAL"}')
                else:
                    self._say(502, b"<html><h1>Bad Gateway</h1></html>", kind="text/html")
            case "cut-before":
                self._cut()
            case _:
                self._pass_on(kind, body)

    def _pass_on(self, kind: Spoiled | None, body: bytes) -> None:
        kept = {"content-type", "authorization"}
        got = requests.post(
            f"{self.line.to}{self.path}",
            data=body,
            headers={k: v for k, v in self.headers.items() if k.lower() in kept},
            timeout=60,
        )
        said, content = got.headers.get("content-type", "text/plain"), got.content
        if kind == "truncated":
            content = content[: len(content) // 2]
        if kind in ("late", "too-late"):
            self.line.over.wait(LATE if kind == "late" else TOO_LATE)
        if kind == "cut-within":
            self._head(got.status_code, len(content), said)
            self.wfile.write(content[: len(content) // 2])
            self._cut()
            return
        self._say(got.status_code, content, kind=said)

    def _say(
        self,
        status: int,
        content: bytes,
        *,
        kind: str = "application/json",
        more: dict[str, str] | None = None,
    ) -> None:
        self._head(status, len(content), kind, more)
        self.wfile.write(content)

    def _head(
        self, status: int, length: int, kind: str, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
