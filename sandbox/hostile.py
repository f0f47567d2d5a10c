"""A hostile ERP: each path misbehaves in its own way until the client gives up.

It writes to the socket itself, because a web framework would not allow most of this: responses byte by byte,
endless headers, bodies that decompress to gigabytes, endless pages. `Hostile` counts requests and the bytes that
the client took, so that tests can check a limit without a clock.
"""

from __future__ import annotations

import contextlib
import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

#: The bytes that a slow response sends at once, and the pause after them (seconds).
DRIP, REST = b" ", 0.02
PIECE = 64 * 1024
#: Bytes that the gzip bomb decompresses to.
BOMB = 2 * 1024**3


@dataclass
class Hostile:
    """A running server.

    :param asked: number of requests by path.
    :param sent: bytes of response bodies by path.
    :param over: set when the server shuts down; ends every endless response.
    """

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serving() -> Iterator[Hostile]:
    """Run the server on a free port of 127.0.0.1 during the block."""
    it = Hostile()
    handler = type("Handler", (_Handler,), {"hostile": it})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    it.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield it
    finally:
        it.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _people(start: int, count: int = 3) -> list[dict[str, object]]:
    return [{"id": n, "mail": f"p{n}@x.fr"} for n in range(start, start + count)]


def _bomb() -> Iterator[bytes]:
    """A list as gzip, which ends only after two gigabytes of blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield packer.compress(b"[")
    blank = b" " * (1024 * 1024)
    for _ in range(BOMB // len(blank)):
        yield packer.compress(blank)
    yield packer.compress(b"]") + packer.flush()


class _Handler(BaseHTTPRequestHandler):
    hostile: ClassVar[Hostile]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        name = parts.path.strip("/")
        self.hostile.asked[name] += 1
        with contextlib.suppress(OSError):
            getattr(self, f"_{name.replace('-', '_')}", self._nothing)(query)

    def log_message(self, *_: object) -> None:
        """Do not log requests."""

    # responses that do not end

    def _drip_body(self, _: dict[str, str]) -> None:
        self._head(length=10**9)
        self._forever(lambda: DRIP, REST)

    def _drip_chunks(self, _: dict[str, str]) -> None:
        self._head(chunked=True)
        self._forever(lambda: b"1\r\n \r\n", REST)

    def _drip_head(self, _: dict[str, str]) -> None:
        self.wfile.write(b"HTTP/1.1 200 O")
        self._forever(lambda: b"K", REST)

    def _endless_headers(self, _: dict[str, str]) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self._forever(lambda: b"X-More: and more\r\n")

    def _continue(self, _: dict[str, str]) -> None:
        self._forever(lambda: b"HTTP/1.1 100 Continue\r\n\r\n", REST)

    def _endless_body(self, _: dict[str, str]) -> None:
        self._head(chunked=True)
        piece = b" " * PIECE
        self._forever(lambda: b"%x\r\n%s\r\n" % (PIECE, piece))

    def _bomb(self, _: dict[str, str]) -> None:
        self._head(chunked=True, more={"Content-Encoding": "gzip"})
        for piece in _bomb():
            if piece:
                self._put(b"%x\r\n%s\r\n" % (len(piece), piece))
        self._put(b"0\r\n\r\n")

    # pages that do not end

    def _endless_pages(self, query: dict[str, str]) -> None:
        at = int(query.get("cursor", 0))
        self._json({"data": _people(at), "next": str(at + 3)})

    def _same_cursor(self, query: dict[str, str]) -> None:
        at = self.hostile.asked["same-cursor"]
        self._json({"data": _people(10 * at), "next": "again"})

    def _same_page(self, query: dict[str, str]) -> None:
        self._json({"data": _people(1), "next": str(self.hostile.asked["same-page"])})

    def _empty_pages(self, query: dict[str, str]) -> None:
        self._json({"data": [], "next": str(self.hostile.asked["empty-pages"])})

    def _growing_total(self, query: dict[str, str]) -> None:
        at = int(query.get("cursor", 0))
        more = {"next": str(at + 3)} if at < 6 else {"next": None}
        self._json({"data": _people(at), "total": at + 3, **more})

    # links to other hosts

    def _redirect(self, _: dict[str, str]) -> None:
        self._head(302, length=0, more={"Location": f"{self.hostile.url}/stolen"})

    def _next_elsewhere(self, _: dict[str, str]) -> None:
        other = self.hostile.url.replace("127.0.0.1", "localhost")
        self._json({"data": _people(1), "next": f"{other}/stolen"})

    # bodies that are not what they claim

    def _page_as_json(self, _: dict[str, str]) -> None:
        self._body(b"<!doctype html><title>Log in</title>", "application/json")

    def _json_as_page(self, _: dict[str, str]) -> None:
        self._body(json.dumps({"data": _people(1), "next": None}).encode(), "text/html")

    def _two_documents(self, _: dict[str, str]) -> None:
        one = json.dumps({"data": _people(1), "next": None}).encode()
        self._body(one + one, "application/json")

    def _one_id_two_types(self, _: dict[str, str]) -> None:
        rows = [{"id": 1, "mail": "a@x.fr"}, {"id": "1", "mail": "b@x.fr"}, {"id": 1.0, "mail": ""}]
        self._json({"data": rows, "next": None})

    def _ids_of_all_sorts(self, _: dict[str, str]) -> None:
        self._json({"data": [{"id": {"a": 1}, "mail": "a@x.fr"}], "next": None})

    def _large_values(self, _: dict[str, str]) -> None:
        rows = [
            {"id": 10**40, "mail": "x" * 100_000 + "@x.fr", "name": "\0A\u202e\u200b" * 1000},
            {"id": 2, "mail": "b@x.fr", "name": "B", **{f"k{n}": n for n in range(5000)}},
        ]
        self._json({"data": rows, "next": None})

    # helpers

    def _nothing(self, _: dict[str, str]) -> None:
        self._head(404, length=0)

    def _json(self, document: object) -> None:
        self._body(json.dumps(document).encode(), "application/json")

    def _body(self, body: bytes, kind: str) -> None:
        self._head(length=len(body), more={"Content-Type": kind})
        self._put(body)

    def _head(
        self,
        status: int = 200,
        *,
        length: int | None = None,
        chunked: bool = False,
        more: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def _put(self, piece: bytes) -> None:
        self.wfile.write(piece)
        self.wfile.flush()
        self.hostile.sent[urlsplit(self.path).path.strip("/")] += len(piece)

    def _forever(self, piece: Callable[[], bytes], rest: float = 0.0) -> None:
        """Send pieces until the client hangs up."""
        self.close_connection = True
        while not self.hostile.over.is_set():
            self._put(piece())
            if rest:
                self.hostile.over.wait(rest)
