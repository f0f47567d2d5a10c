"""Where a reader of the feed is: after which audit row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from clubsync.errors import CursorInvalid

_FORM = re.compile(r"(?P<position>[0-9]{1,18})\.(?P<change>[0-9]{1,18})\.(?P<mark>[0-9a-f]{8})")
#: What a cursor looks like, for OpenAPI and JSON Schema.
PATTERN = r"^(0|latest|[0-9]{1,18}\.[0-9]{1,18}\.[0-9a-f]{8})$"
#: The cursor before the first event, and the one after the last that there is.
START, LATEST = "0", "latest"


@dataclass(frozen=True, order=True)
class Cursor:
    """After an audit row; also the id of the event that this row is.

    :param position: of the entry in sync.feed; 0: before the first.
    :param change: the number of the row in sync.change.
    :param mark: of the entry.
    """

    position: int = 0
    change: int = 0
    mark: int = 0

    def __str__(self) -> str:
        return f"{self.position}.{self.change}.{self.mark:08x}" if self.position else START

    @classmethod
    def of(cls, text: str) -> Self:
        """:raises CursorInvalid: the text is none."""
        if text in ("", START):
            return cls()
        match = _FORM.fullmatch(text)
        if match is None or not int(match["position"]):
            raise CursorInvalid(
                "This is not a cursor of the change feed.",
                remedy="Use the id of an event, the `next` of an earlier answer, 0 for the beginning, or latest.",
            )
        return cls(int(match["position"]), int(match["change"]), int(match["mark"], 16))
