"""A zipped export -> the one file in it, with limits on what it may decompress to (R14).

It runs in a process of its own (`confined`).
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import zipfile
import zlib

from connectors.sdk.errors import FileBroken, FileOutside, LimitExceeded
from connectors.sdk.files.limits import MAX_MEGABYTES, MEGABYTE, FileLimits

ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
#: Members that make a zip archive a workbook (XLSX, ODS).
_WORKBOOK = frozenset({"[Content_Types].xml", "content.xml"})
#: What does not count: folders, and what systems leave in archives.
_LITTER = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
#: What decompresses to more times its size is no customer list; below `_SMALL` bytes the ratio proves nothing.
MAX_RATIO = 200
_SMALL = 16 * 2**20
#: Files in an archive, litter included; parts of a workbook.
MAX_ENTRIES = 2_000
#: Letters of a file's name that a message shows.
_SHOWN = 100
#: Other ways of compressing may take gigabytes of memory for a few bytes.
_KNOWN_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


#: An archive without a file starts with its end.
EMPTY_ZIP = b"PK\x05\x06"


def unpacked(data: bytes, name: str, limits: FileLimits) -> tuple[bytes, str]:
    """The content of a zipped export and its name; of anything else, workbooks too, what was given.

    :raises FileBroken: a damaged or protected archive, one with several files, or an archive in an archive.
    :raises LimitExceeded: it decompresses to too much.
    """
    if data.startswith(EMPTY_ZIP):
        raise _nothing_in(name)
    if data.startswith(GZIP):
        found, inside = _gunzipped(data, name, limits), name.removesuffix(".gz")
    elif data.startswith(ZIP):
        found, inside = _unzipped(data, name, limits)
    else:
        return data, name
    if found is not data and _is_archive(found):
        raise FileBroken(
            f"{name} is an archive with another archive in it.",
            remedy="Ask for an export that is zipped once, or not at all.",
        )
    return found, inside


def _unzipped(data: bytes, name: str, limits: FileLimits) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(archive, len(data), name, limits)
            if _WORKBOOK & set(archive.namelist()):
                return data, name
            member = _only_member(archive, name)
            return archive.read(member), f"{name}/{_plain(member.filename)}"
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, struct.error) as e:
        raise FileBroken(
            f"{name} is not a valid Excel file or zip archive: it is truncated or damaged."
        ) from e
    except (RuntimeError, NotImplementedError) as e:
        # zipfile raises them for a password, and for a compression that it does not know
        raise FileBroken(
            f"{name} is protected by a password, or compressed in a way that is not supported.",
            remedy="Ask the club for an export without a password, zipped in the usual way or not at all.",
        ) from e


def check_size(archive: zipfile.ZipFile, size: int, name: str, limits: FileLimits) -> None:
    """Check what an archive says of itself; `zipfile` reads no more of a member than it says.

    :param size: of the archive, in bytes.
    :raises LimitExceeded: it has too many files, or decompresses to too much.
    :raises NotImplementedError: it is compressed in an unusual way.
    """
    members = archive.infolist()
    if len(members) > MAX_ENTRIES:
        raise FileBroken(
            f"{name} has {len(members)} files in it; the limit is {MAX_ENTRIES}.",
            remedy="Ask for one file per archive, or unpack it in the folder and set `customers` to the file.",
        )
    if any(member.compress_type not in _KNOWN_WAYS for member in members):
        raise NotImplementedError(
            "a compression that zipfile may not know"
        )  # told by the caller, as zipfile's own
    _check_ratio(sum(member.file_size for member in members), size, name, limits)


def _check_ratio(total: int, size: int, name: str, limits: FileLimits) -> None:
    if total > limits.max_bytes:
        raise LimitExceeded(
            f"{name} decompresses to more than {limits.max_bytes // MEGABYTE} MB.",
            setting=MAX_MEGABYTES,
        )
    if total > _SMALL and total > size * MAX_RATIO:
        raise FileBroken(
            f"{name} decompresses to more than {MAX_RATIO} times its size, as no customer list does.",
        )


def _is_archive(data: bytes) -> bool:
    """Whether data is an archive, but no workbook."""
    if data.startswith(GZIP):
        return True
    if not data.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return not _WORKBOOK & set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, struct.error):
        return False


def _plain(name: str) -> str:
    """The name of a file in an archive, as a message shows it."""
    kept = "".join(c if c.isprintable() else "?" for c in name)
    return kept if len(kept) <= _SHOWN else kept[: _SHOWN - 1] + "\u2026"


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [
        m
        for m in archive.infolist()
        if not m.is_dir() and not any(litter in m.filename.lower() for litter in _LITTER)
    ]
    if any(stat.S_ISLNK(member.external_attr >> 16) for member in members):
        raise FileOutside(f"{name} has a link in it in place of a file: it was not read.")
    if not members:
        raise _nothing_in(name)
    if len(members) != 1:
        raise FileBroken(
            f"{name} has {len(members)} files in it; a zipped export has to hold exactly one.",
            remedy="Ask for one file per archive, or unpack it in the folder and set `customers` to the file.",
        )
    return members[0]


def _nothing_in(name: str) -> FileBroken:
    return FileBroken(
        f"{name} has no file in it; a zipped export has to hold exactly one.",
        remedy="Ask the club whether its export still runs; until it writes a file, its customers stay as they are.",
    )


def _gunzipped(data: bytes, name: str, limits: FileLimits) -> bytes:
    most = min(limits.max_bytes, max(_SMALL, len(data) * MAX_RATIO))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error, struct.error) as e:
        raise FileBroken(f"{name} is truncated or damaged: it is not a valid gzip file.") from e
    _check_ratio(len(content), len(data), name, limits)
    return content
