"""R20: filter out erased people, by a keyed hash of their ERP id: none of their data is stored."""

from __future__ import annotations

import hashlib
import uuid

import polars as pl


def key_hash(key: uuid.UUID, text: str) -> str:
    """The keyed hash of an ERP id or an email: 32 hex digits."""
    return hashlib.blake2b(text.encode(), key=key.bytes, digest_size=16).hexdigest()


def without_erased(customers: pl.DataFrame, key: uuid.UUID, erased: set[str]) -> pl.DataFrame:
    """R20: filter out erased people before anything is stored.

    :param customers: with `erp_id`.
    :param erased: `key_hash` of the erased ERP ids.
    """
    if not erased:
        return customers
    kept = [i is None or key_hash(key, i) not in erased for i in customers["erp_id"]]
    return customers.filter(pl.Series(kept, dtype=pl.Boolean))
