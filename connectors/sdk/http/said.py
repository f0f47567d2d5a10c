"""The ERP's own words of the last response that was an error, for a person who tries settings and asks for them.

They may name people, so they never become part of an error or a log line (R19): only within `listening` are they kept,
in memory, for whoever listens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from connectors.sdk.visible import visible

#: Bytes that are looked at, and characters that are kept.
_MOST_BYTES, _MOST_CHARACTERS = 4_000, 600


@dataclass
class Heard:
    """What an ERP said last. :param words: on one line, with what cannot be seen escaped; "": nothing."""

    status: int | None = None
    words: str = ""


_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)


@contextmanager
def listening() -> Iterator[Heard]:
    """Keep the words of the last error within this block."""
    heard = Heard()
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def forget() -> None:
    """A response that is no error: what was said before does not matter any more."""
    heard = _heard.get()
    if heard is not None:
        heard.status, heard.words = None, ""


def note(status: int, content: bytes) -> None:
    """A response that is an error.

    :param content: its body, in UTF-8 if it is text.
    """
    heard = _heard.get()
    if heard is None:
        return
    text = content[:_MOST_BYTES].decode("utf-8", "replace")
    words = visible(" ".join(text.split()))
    heard.status = status
    heard.words = words[:_MOST_CHARACTERS] + ("…" if len(words) > _MOST_CHARACTERS else "")
