"""What a reading has been answered so far, so that the next one may go on where it broke off.

A reading asks its ERP one question after the other, and what it asks follows from what it was answered. So a
reading that begins anew, and is given the kept answers as long as its questions are the same, comes by itself
to where the last one stopped, whatever its ERP's way of paging, and with all that its connector gathers on the
way. `connectors.sdk.http.Http` does that; connectors only say when they begin (`Connector.begin`), and what of an
answer must not lie on a disk (`Only`).

Is such a reading as good as one in a single go (R14)? What a walk proves is proved by the whole of it: repeated
pages and ids, totals, the end. What it can not prove is that nothing moved unseen while it lasted, and for that
it is trusted as long as any reading may last, `http.max_seconds`. A reading that is gone on with gets no more:
its time, like its `as_of`, counts from the first question that was asked of the ERP, however often it broke off
(`Connector.goes_on_within`). Within it a resumed walk is a slow walk.

What else is different is a cursor that waited. An ERP that no longer knows it says so, and the reading begins
anew; one that took it for the end of the list would be caught by a total. Where a cursor is the ERP's own word,
whose life nobody states, and nothing counts the rows, no reading is gone on with.
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

_WORD = re.compile(r"[\w$:@-]+")
#: What the name of a field looks like, unlike a key that is itself data (an id, an email).
_NAME = re.compile(r"[@$_A-Za-z][A-Za-z0-9_$:-]{0,60}")


class QuestionDiffers(Exception):
    """What is asked now is not what was asked then: the kept answers are to another question.

    No `ConnectorError`, which would be taken for the end of a walk.
    """


class Bookmark(ABC):
    """The answers to one reading's questions, in their order.

    :param begun: when the first question was asked of the ERP; None: not yet.
    :param broken: what ended the talk with the ERP; None: nothing, so far.
    """

    def __init__(self, begun: datetime | None = None) -> None:
        self.begun = begun
        self.broken: ConnectorError | None = None

    def begin(self, now: datetime) -> datetime:
        """When the reading began: now, or when the one began that it goes on with."""
        self.begun = self.begun or now
        return self.begun

    @abstractmethod
    def recall(self, question: bytes) -> bytes | None:
        """The answer that was kept to this question, the next one; None: there is none, the ERP is to be asked.

        :param question: all that makes it this one; it may hold secrets.
        :raises QuestionDiffers: the next answer was to another one.
        """

    @abstractmethod
    def keep(self, question: bytes, answer: bytes) -> None:
        """Keep the ERP's answer to the next question."""


@dataclass(frozen=True)
class Only:
    """What of an answer in plain JSON the sync needs (R19): the rest loses its values, and keeps its names.

    :param words: the keys that lead to what is needed.
    """

    words: frozenset[str]

    @classmethod
    def of(cls, *types: Any, paths: Iterable[str | None] = ()) -> Only:
        """What types and paths name.

        :param types: as msgspec decodes to; what they name is needed, all of it.
        :param paths: dotted, or JMESPath that names every key.
        """
        words = {word for path in paths if path for word in _WORD.findall(path)}
        return cls(frozenset(words.union(*map(keys_of, types))))

    def __call__(self, answer: Any) -> Any:
        return self._kept(msgspec.to_builtins(answer), True)

    def _kept(self, thing: Any, needed: bool) -> Any:
        if isinstance(thing, dict):
            return {
                key: self._kept(value, needed and key in self.words)
                for key, value in thing.items()
                if key in self.words or _NAME.fullmatch(key)
            }
        if isinstance(thing, list):
            return [self._kept(one, needed) for one in thing]
        return thing if needed else None


def keys_of(kind: Any) -> frozenset[str]:
    """All keys that a type names, at any depth."""
    return _known_keys(kind)


@lru_cache(maxsize=256)
def _known_keys(kind: Any) -> frozenset[str]:
    return frozenset(_keys(msgspec.inspect.type_info(kind)))


def _keys(kind: msgspec.inspect.Type) -> set[str]:
    found: set[str] = set()
    for one in getattr(kind, "types", ()):
        found |= _keys(one)
    for part in ("item_type", "value_type"):
        if (inner := getattr(kind, part, None)) is not None:
            found |= _keys(inner)
    if isinstance(kind, msgspec.inspect.StructType):
        for named in kind.fields:
            found |= {named.encode_name} | _keys(named.type)
    return found
