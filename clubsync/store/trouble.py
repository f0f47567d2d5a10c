"""What is wrong with the machinery below clubsync, by what PostgreSQL, the file system or Python raised.

A full disk, a stopped server or a store that cannot be written to is no internal error: whoever reads the sentence
can do something about it. No text of the server's own gets into a sentence: it may hold values (R19).
"""

from __future__ import annotations

import errno
import re
import traceback
from pathlib import Path

import polars as pl
import psycopg
import sqlalchemy as sa

from clubsync.errors import (
    BaseFull,
    BaseOverloaded,
    BaseReadOnly,
    BaseUnreachable,
    ConcurrentChange,
    DiskFull,
    OutOfMemory,
    StoreFull,
    StoreReadOnly,
    StoreUnreachable,
    SyncError,
)

#: The folder of the modules whose file operations are the snapshot store's.
_STORE = Path(__file__).parent
#: How Polars quotes the number of an error of the file system.
_NUMBER = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
#: Whatever PostgreSQL says while it starts, stops, or has no connection left: worth another try at once.
_BUSY = ("starting up", "shutting down", "recovery mode", "too many clients", "connection slots")


def explained(error: BaseException) -> SyncError | None:
    """The sentence for an error of the database, the store or the machine; None: it is none of these."""
    if isinstance(error, sa.exc.DBAPIError) and isinstance(error.orig, psycopg.Error):
        error = error.orig
    if isinstance(error, psycopg.Error):
        return of_database(error)
    if isinstance(error, MemoryError):
        return OutOfMemory(
            "The process ran out of memory.",
            remedy="Give the machine more memory, or let fewer tasks run at a time (CLUBSYNC_SLOTS).",
        )
    if isinstance(error, sa.exc.TimeoutError):
        return BaseOverloaded(
            "This process waited in vain for a connection to the club base.",
            remedy="Let fewer tasks run at a time (CLUBSYNC_SLOTS); the run is tried again by itself.",
        )
    if not isinstance(error, OSError | pl.exceptions.ComputeError):
        return None
    number = _number(error)
    if _is_of_store(error) and (number is not None or isinstance(error, OSError)):
        return _of_store(error, number)
    return _of_disk(number)


def of_database(error: psycopg.Error) -> SyncError | None:
    """The sentence for an error of PostgreSQL; None: of the statement or its values, which is our own."""
    state = error.sqlstate or ""
    if state == "53100":
        return BaseFull(
            "The disk of the club base is full; nothing of this was written.",
            remedy="Make room on PostgreSQL's disk; the run is tried again by itself.",
        )
    if state in ("53200", "53400"):
        return BaseOverloaded(
            "PostgreSQL ran out of memory for a query; nothing of this was written.",
            remedy="Give its machine more memory, or lower work_mem; the run is tried again by itself.",
        )
    if state == "53300" or _says(error, "too many clients", "connection slots"):
        return BaseOverloaded(
            "PostgreSQL accepts no more connections.",
            remedy="Raise max_connections, or let fewer tasks run at a time (CLUBSYNC_SLOTS); the run is tried again "
            "by itself.",
        )
    if state == "25006":
        return BaseReadOnly(
            "The club base is read-only; nothing was written.",
            remedy="CLUBSYNC_DATABASE may name a standby server, or PostgreSQL was switched to read-only: point it "
            "to the primary server.",
        )
    if state in ("40P01", "40001", "55P03"):
        return ConcurrentChange(
            "Somebody else changed the same rows of the club base; nothing of this was written.",
            remedy="No action needed: the run is tried again by itself.",
        )
    if state[:2] == "08" or state[:3] == "57P" or (not state and _is_lost(error)):
        return BaseUnreachable(
            "The connection to the club base was lost; the last transaction was written completely or not at all.",
            remedy="Check that PostgreSQL runs (`make status`); the run is tried again by itself.",
        )
    return None


def is_passing(error: BaseException) -> bool:
    """Whether connecting may succeed in a moment: PostgreSQL starts, stops, or has no connection left."""
    return isinstance(error, sa.exc.DBAPIError) and _says(error.orig, *_BUSY)


def _says(error: BaseException | None, *words: str) -> bool:
    return any(word in str(error) for word in words)


def _is_lost(error: psycopg.Error) -> bool:
    """Whether it is the driver's own word that there is no connection any more."""
    return isinstance(error, psycopg.OperationalError)


def _number(error: BaseException) -> int | None:
    """The error's number; Polars has it in the text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1] or found[2]) if found else None


def _is_of_store(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(Path(frame.f_code.co_filename).parent == _STORE for frame, _ in frames)


def _of_store(error: BaseException, number: int | None) -> SyncError:
    if number in _FULL:
        return StoreFull(
            "The disk of the snapshot store is full; nothing was loaded.",
            remedy="Make room, for example by `clubsync upkeep --keep-days 7`; the run is tried again by itself.",
        )
    if number in _READ_ONLY:
        return StoreReadOnly(
            "clubsync may not write to the snapshot store; nothing was loaded.",
            remedy="Check who owns CLUBSYNC_SNAPSHOTS, whether its disk is mounted read-only, and the rights of the "
            "bucket's key.",
        )
    return StoreUnreachable(
        f"The snapshot store cannot be reached ({_name(error, number)}); nothing was loaded.",
        remedy="Check the disk, the network or the bucket of CLUBSYNC_SNAPSHOTS; the run is tried again by itself.",
    )


def _of_disk(number: int | None) -> SyncError | None:
    if number not in _FULL:
        return None
    return DiskFull(
        "A disk of this machine is full.",
        remedy="Make room (`df -h` says where); the run is tried again by itself.",
    )


def _name(error: BaseException, number: int | None) -> str:
    return errno.errorcode.get(number or 0, type(error).__name__)
