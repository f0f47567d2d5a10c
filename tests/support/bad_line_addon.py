"""A bad line, inside mitmproxy: passes requests on, and spoils one in so many.

`mitmdump -s` runs this in mitmproxy's own environment, so it imports nothing of ours; `bad_line` starts it.
Which request is spoiled, and how, is a seeded dice's choice. What it did it notes in a file, a line of JSON
each: first the port it listens on and the kinds of spoiling, then of every request its kind, or null.
"""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader

KINDS = (
    "throttled",  # 429, sometimes with Retry-After
    "server-error",  # 500, or 502 with a web page
    "cut-before",  # the connection ends without an answer
    "cut-within",  # the connection ends in the middle of an answer
    "late",  # the answer comes, after a while
    "too-late",  # the answer comes after whoever asked has gone
    "truncated",  # half of the JSON, with the right length
)

#: seconds of `late`; those of `too-late` are an option: the reader's timeout lies between them.
LATE = 0.05


class BadLine:
    """The addon. Its options: the dice's seed, one request in how many is spoiled, the seconds of `too-late`, the
    file of notes."""

    dice: random.Random

    def load(self, loader: Loader) -> None:
        """mitmproxy asks which options there are."""
        loader.add_option("bad_seed", int, 0, "of the dice")
        loader.add_option("bad_one_in", int, 5, "one request in so many is spoiled")
        loader.add_option(
            "bad_too_late", str, "1.5", "seconds until an answer that nobody waits for"
        )
        loader.add_option("bad_notes", str, "", "the file that says what was done")

    def running(self) -> None:
        """The port is open."""
        self.dice = random.Random(ctx.options.bad_seed)
        ((_, port, *_),) = ctx.master.addons.get("proxyserver").listen_addrs()
        self._note(port=port, kinds=KINDS)

    def request(self, flow: http.HTTPFlow) -> None:
        """A whole request is here, and not yet passed on: the dice is thrown."""
        spoiled = self.dice.randrange(ctx.options.bad_one_in) == 0
        kind = self.dice.choice(KINDS) if spoiled else None
        flow.metadata["kind"] = kind
        self._note(kind=kind)
        match kind:
            case "throttled":
                more = {"Retry-After": "0.02"} if self._heads() else {}
                flow.response = _said(429, b'{"error": "TOO_MANY"}', **more)
            case "server-error" if self._heads():
                flow.response = _said(500, b'{"error": "INTERNAL"}')
            case "server-error":
                page = b"<html><h1>Bad Gateway</h1></html>"
                flow.response = _said(502, page, **{"Content-Type": "text/html"})
            case "cut-before":
                flow.kill()

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """The head of the ERP's answer: of one to be cut, the head and the first half go out."""
        if flow.metadata["kind"] == "cut-within":
            flow.response.stream = _Half()

    async def response(self, flow: http.HTTPFlow) -> None:
        """The ERP's answer is here, whole."""
        match flow.metadata["kind"]:
            case "late":
                await asyncio.sleep(LATE)
            case "too-late":
                await asyncio.sleep(float(ctx.options.bad_too_late))
            case "truncated":
                flow.response.content = _half(flow.response.content)
            case "cut-within":
                flow.kill()

    def _heads(self) -> bool:
        return self.dice.random() < 0.5

    def _note(self, **what: object) -> None:
        with Path(ctx.options.bad_notes).open("a") as notes:
            notes.write(json.dumps(what) + "\n")


class _Half:
    """Streams the first half of a body: holds all of it until its end is known."""

    def __init__(self) -> None:
        self.held = b""

    def __call__(self, chunk: bytes) -> bytes:
        self.held += chunk
        return b"" if chunk else _half(self.held)


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _said(status: int, content: bytes, **headers: str) -> http.Response:
    return http.Response.make(status, content, {"Content-Type": "application/json", **headers})


addons = [BadLine()]
