"""The club's record index: what is known of all its ERP records at once, packed.

Comparing a snapshot with it costs less than asking the database for a million rows, and finding records by
their email costs no index that each of a million rows would have to be written to. It is written in the
load's own transaction: as a whole, or, where a large club changed a little, as a patch beside the whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date

import polars as pl
import xxhash

from clubsync.store.database import Driver, fetch_bytes, queries

#: One row for each record the ERP is known to have, in the order of their ids. `email_key`: of the mirror's
#: normalised email (`email_keys`), null where there is none. `seen_as_of`, `seen_snapshot`: set where a
#: partial snapshot newer than the last certified one has shown the record (R16), else null.
RECORD_INDEX = pl.Schema(
    {
        "erp_id": pl.String(),
        "row_hash": pl.UInt64(),
        "email_key": pl.UInt64(),
        "next_date": pl.Date(),
        "seen_as_of": pl.Datetime("us", "UTC"),
        "seen_snapshot": pl.Int64(),
    }
)

#: Records from which on a small change is written as a patch, not as a new whole.
PATCHED_FROM = 20_000
#: Patches there may be, and their bytes beside the whole's, before it is written again as a whole.
_MOST_PATCHES, _LARGEST_SHARE = 48, 1 / 4


def email_keys(emails: pl.Series) -> pl.Series:
    """xxh3 (64 bits) of normalised emails; null stays null. UInt64."""
    digest = xxhash.xxh3_64_intdigest
    keys = [None if email is None else digest(email) for email in emails.cast(pl.Binary)]
    return pl.Series("email_key", keys, dtype=pl.UInt64)


def by_email(index: pl.DataFrame, emails: Iterable[str]) -> list[str]:
    """erp_ids that have one of these normalised emails, and now and then one that has not (64 bits)."""
    keys = email_keys(pl.Series(list(emails), dtype=pl.String))
    return index.filter(pl.col("email_key").is_in(keys.implode()))["erp_id"].to_list()


def read(driver: Driver, club: int) -> pl.DataFrame:
    """The club's record index (`RECORD_INDEX`); empty for a club that was never loaded."""
    return put_together(fetch_bytes(driver, queries().record_index_parts, club=club))


def put_together(packed_parts: Iterable[bytes]) -> pl.DataFrame:
    """An index from its parts as they lie in the database, in order."""
    # not the bytes themselves: a frame that held them would need Python's lock wherever it is freed
    parts = [pl.read_ipc(io.BytesIO(packed)) for packed in packed_parts]
    if not parts:
        return RECORD_INDEX.to_frame()
    whole, *patches = parts
    if not patches:
        return whole
    return patched(whole, pl.concat(patches).unique("erp_id", keep="last"))


def patched(index: pl.DataFrame, patch: pl.DataFrame) -> pl.DataFrame:
    """An index with the rows of a patch in their places.

    :param patch: `RECORD_INDEX`, no erp_id twice; a row without row_hash takes its record out.
    """
    rows = patch.drop_nulls("row_hash").sort("erp_id")
    return _without(index, patch).merge_sorted(rows, key="erp_id")


def earliest(index: pl.DataFrame, patch: pl.DataFrame) -> date | None:
    """The first day that will change some record by itself (R3), once the patch is in."""
    dated = index.select("erp_id", "next_date").drop_nulls()
    # mostly somebody of the first day stays as they are, and nobody else has to be looked at
    first = _without(dated.filter(pl.col("next_date") == pl.col("next_date").min()), patch)
    kept = first if first.height else _without(dated, patch)
    day = pl.concat([kept["next_date"], patch["next_date"]]).min()
    return day if isinstance(day, date) else None


def _without(index: pl.DataFrame, patch: pl.DataFrame) -> pl.DataFrame:
    if index.is_empty() or patch.is_empty():
        return index
    return index.filter(~pl.col("erp_id").is_in(patch["erp_id"].implode()))


def write(driver: Driver, club: int, index: pl.DataFrame) -> None:
    """Write it as a whole."""
    queries().write_record_index(driver, club=club, vector=_packed(index))


def write_patch(driver: Driver, club: int, index: pl.DataFrame, patch: pl.DataFrame) -> None:
    """Write what changed.

    :param index: as it was before, and lies in the database.
    """
    if patch.is_empty():
        return
    if index.height >= PATCHED_FROM:
        packed = _packed(patch)
        room = queries().record_index_sizes(driver, club=club)
        if (
            room["patches"] < _MOST_PATCHES
            and (room["patch_bytes"] + len(packed)) < room["whole_bytes"] * _LARGEST_SHARE
        ):
            queries().add_record_index_patch(driver, club=club, vector=packed)
            return
    write(driver, club, patched(index, patch))


def packed_whole(index: pl.DataFrame, patch: pl.DataFrame) -> bytes | None:
    """What `write_patch` writes of an index that has no patches; None: it has, or nothing changed: call it.

    :param index: as it was before.
    """
    if patch.is_empty() or index.height >= PATCHED_FROM:
        return None
    return _packed(patched(index, patch))


def _packed(index: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    index.select(RECORD_INDEX.names()).write_ipc(buffer, compression="lz4")
    return buffer.getvalue()
