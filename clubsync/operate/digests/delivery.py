"""How an attempt to send a digest ended."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    :param delivered: hashes of the addresses that have it now, by this attempt.
    :param refused: hashes of those that are refused for good.
    :param problem: what went wrong, without an address and without a word of the server's (R19); None: nothing.
    :param remedy: what to do about it.
    :param lasting: it lasts until somebody does something about it.
    :param uncertain: nobody knows whether it was delivered.
    """

    delivered: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    problem: str | None = None
    remedy: str | None = None
    lasting: bool = False
    uncertain: bool = False


def address_hash(address: str) -> str:
    """What is stored of an address that has the digest."""
    return hashlib.blake2b(address.strip().lower().encode(), digest_size=8).hexdigest()
