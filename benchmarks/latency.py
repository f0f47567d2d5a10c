"""Pages a second from an ERP that takes 50 ms to answer, by one connection and by as many as a task has.

`python -m benchmarks.latency` is that ERP, in a process of its own: each page is the same hundred customers.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import data
from benchmarks.gates import Book
from benchmarks.serving import serving
from clubsync.pipeline.engine import READERS
from connectors.sdk.http import Http, HttpLimits

LATENCY, ROWS = 0.05, 100
#: Pages that each connection reads in a round.
PAGES = 40


class _Page(msgspec.Struct):
    data: list[dict[str, object]]


def measure(book: Book, rounds: int) -> None:
    """Measure interleaved rounds: seconds a page by all connections, and by one."""
    with serving(__name__) as address:
        _read(address)  # warm-up
        for _ in range(rounds):
            one, many = _seconds(address, 1), _seconds(address, READERS)
            book.add("a page by 16 connections : by one, at 50 ms", many / one)
            book.note("pages a second at 50 ms", one=1 / one, sixteen=1 / many)


def _seconds(address: str, connections: int) -> float:
    """Seconds a page."""
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(_read, [address] * connections))
    return (time.perf_counter() - start) / (PAGES * connections)


def _read(address: str) -> None:
    with Http(address, "The ERP", HttpLimits(), now=lambda: datetime.now(UTC)) as http:
        for number in range(PAGES):
            page = http.json("GET", "/customers", _Page, params={"page": number}, login=False)
            assert len(page.data) == ROWS


def main() -> None:
    fields = ["erp_id", "first_name", "last_name", "email", "phone", "status"]
    page = msgspec.json.encode({"data": data.customers(ROWS).select(fields).to_dicts()})

    async def customers(_: Request) -> Response:
        await asyncio.sleep(LATENCY)
        return Response(page, media_type="application/json")

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/customers", customers)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
