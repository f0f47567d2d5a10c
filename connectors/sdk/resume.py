"""The responses that a reading has received so far, so that the next reading can resume an interrupted one.

A reading sends one request after the other, and what it requests follows from the responses before. A reading
that starts again, and is given the stored responses as long as its requests are the same, therefore arrives
where the last one stopped, whatever the ERP's kind of paging, and with everything that its connector collects
along the way. `connectors.sdk.http.Http` does that; a connector only says when it starts
(`Connector.start`) and which fields of a response may be stored (`FieldFilter`).

Is a resumed reading as good as an uninterrupted one (R14)? What a walk proves is proved by all of it: repeated
pages and ids, totals, the end. What it cannot prove is that nothing moved unnoticed while it lasted, and for
that it is trusted as long as any reading may last, `http.max_seconds`. A resumed reading gets no more than
that: its time, like its `as_of`, counts from its first request to the ERP, however often it was interrupted
(`Connector.resumable_for`). Within that time it is merely a slow reading.

A cursor that waited is another matter. An ERP that no longer knows it says so, and the reading starts again;
an ERP that treats it as the end of the list is caught by a total. Where a cursor is opaque, its lifetime is
documented nowhere and nothing counts the rows, no reading is resumed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from connectors.sdk.errors import ConnectorError
from connectors.sdk.paths import keys_of

_PATH_PART = re.compile(r"[\w$:@-]+")
#: What a field's name looks like, as opposed to a key that is itself data (an id, an email).
_FIELD_NAME = re.compile(r"[@$_A-Za-z][A-Za-z0-9_$:-]{0,60}")


class RequestDiffers(Exception):
    """The current request is not the stored one: the stored responses belong to another series of requests.

    Not a `ConnectorError`, which would be treated as the end of a walk.
    """


class Bookmark(ABC):
    """The responses to one reading's requests, in order.

    :param started_at: when the first request was sent to the ERP; None: not yet.
    :param error: what ended the conversation with the ERP; None: nothing so far.
    """

    def __init__(self, started_at: datetime | None = None) -> None:
        self.started_at = started_at
        self.error: ConnectorError | None = None

    def start(self, now: datetime) -> datetime:
        """When the reading started: now, or when the reading that it resumes did."""
        self.started_at = self.started_at or now
        return self.started_at

    @abstractmethod
    def recall(self, request: bytes) -> bytes | None:
        """The next stored response, if it belongs to this request; None: the ERP has to be asked.

        :param request: everything that identifies it; may hold secrets.
        :raises RequestDiffers: the next response belongs to another request.
        """

    @abstractmethod
    def keep(self, request: bytes, response: bytes) -> None:
        """Store the ERP's response to the next request."""


@dataclass(frozen=True)
class FieldFilter:
    """The fields of a plain JSON response that the sync needs (R19): all others keep their names, without values.

    :param names: the keys that lead to a needed value.
    """

    names: frozenset[str]

    @classmethod
    def of(cls, *types: Any, paths: Iterable[str | None] = ()) -> FieldFilter:
        """The fields named by types and paths.

        :param types: as msgspec decodes to; every field they name is needed.
        :param paths: dotted, or JMESPath that names every key.
        """
        names = {
            name for path in paths if path for name in keys_of(path) or _PATH_PART.findall(path)
        }
        return cls(frozenset(names.union(*map(field_names, types))))

    def __call__(self, response: Any) -> Any:
        return self._kept(msgspec.to_builtins(response), True)

    def _kept(self, value: Any, needed: bool) -> Any:
        if isinstance(value, dict):
            return {
                key: self._kept(inner, needed and key in self.names)
                for key, inner in value.items()
                if key in self.names or _FIELD_NAME.fullmatch(key)
            }
        if isinstance(value, list):
            return [self._kept(item, needed) for item in value]
        return value if needed else None


def field_names(kind: Any) -> frozenset[str]:
    """All field names of a type, at any depth."""
    return _known_names(kind)


@lru_cache(maxsize=256)
def _known_names(kind: Any) -> frozenset[str]:
    return frozenset(_names(msgspec.inspect.type_info(kind)))


def _names(kind: msgspec.inspect.Type) -> set[str]:
    found: set[str] = set()
    for member in getattr(kind, "types", ()):
        found |= _names(member)
    for part in ("item_type", "value_type"):
        if (inner := getattr(kind, part, None)) is not None:
            found |= _names(inner)
    if isinstance(kind, msgspec.inspect.StructType):
        for field in kind.fields:
            found |= {field.encode_name} | _names(field.type)
    return found
