"""Readings that receive what the last one received, byte for byte: nothing of them is parsed.

What a connector makes of an ERP's responses follows from them alone, from its own code and settings, and from the day.
So a reading whose requests and responses are all those of the reading that a stored snapshot was made of would make
the same snapshot, with the same certificate (R14): pages, totals, ids that came twice, the end of the list.

A connector that takes part (all but `magicline`, `square` and `tryton`) first walks through its lists without making
anything of the rows (`Http.scout`). If all that it received is what the last reading received, that is all:
`Unchanged`. If not, it reads as it always does, and is given the responses that are there already. What is compared is
one hash over all requests and responses, in order, of the whole reading that made the snapshot: a walk that is not
exactly what that reading was costs time, and finds nothing unchanged.

The hash is keyed (R19), and part of its key is whatever else decides what is made of responses: whoever keeps it sees
to that (`clubsync.extract.unchanged`).
"""

from __future__ import annotations

import hashlib
from datetime import datetime


class Unchanged(Exception):
    """The ERP's responses are those that the stored snapshot was made of.

    Not a `ConnectorError`, which would be treated as the end of a walk.

    :param as_of: what the reading's `as_of` would be.
    """

    def __init__(self, as_of: datetime) -> None:
        super().__init__()
        self.as_of = as_of


class Received:
    """All that a reading has asked for and received, as one keyed hash.

    :param key: 64 bytes at most.
    :param before: the hash of the reading that the stored snapshot was made of; None: there is none.
    """

    def __init__(self, key: bytes, before: bytes | None = None) -> None:
        self._empty = hashlib.blake2b(digest_size=32, key=key)
        self.before = before
        self.restart()

    def restart(self) -> None:
        """Nothing was received yet."""
        self._hash, self._parts, self._usable = self._empty.copy(), 0, True

    def add(self, *parts: bytes) -> None:
        """A response, and the request that it answers."""
        for part in parts:
            self._hash.update(len(part).to_bytes(8))
            self._hash.update(part)
        self._parts += len(parts)

    def spoil(self) -> None:
        """What is made of this reading follows from more than its responses, or one of them failed."""
        self._usable = False

    @property
    def hash(self) -> bytes | None:
        """None: nothing was received, or the reading follows from more than that."""
        return self._hash.digest() if self._usable and self._parts else None

    @property
    def is_unchanged(self) -> bool:
        return self.before is not None and self.hash == self.before
