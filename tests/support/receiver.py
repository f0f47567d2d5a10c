"""A webhook's receiver: real HTTP on 127.0.0.1, which writes down what it got and answers as it is told.

Signatures are verified here as the specification has it, without the library that made them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes !!!").decode()


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Standard Webhooks: v1 is the HMAC-SHA256 of `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(one, expected) for one in headers["webhook-signature"].split(" ")
    )


@dataclass
class Got:
    """A message as it came."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.document["data"]["events"])


@dataclass
class Receiver:
    """:param answer: the status of each message; None: 204.
    :param drips: the headers of its answer never end."""

    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], int | None] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    drips: bool = False

    def events(self) -> list[dict[str, Any]]:
        """The events of all messages in the order in which they came first."""
        seen: set[str] = set()
        found: list[dict[str, Any]] = []
        for one in self.got:
            if one.id not in seen:
                found += one.events
            seen.add(one.id)
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Got(headers["webhook-id"], headers, body)
            receiver.got.append(one)
            status = receiver.answer(one) or 204
            if receiver.drips:
                self._drip()
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def _drip(self) -> None:
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
                while True:
                    self.wfile.write(b".")
                    self.wfile.flush()
                    time.sleep(0.1)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks/clubsync"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
