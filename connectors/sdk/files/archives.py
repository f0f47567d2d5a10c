"""A zipped export -> the one file in it, with limits on what it may decompress to (R14)."""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib

from connectors.sdk.errors import FileBroken, FileOutside

ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
#: Members that make a zip archive a workbook (XLSX, ODS).
_WORKBOOK = frozenset({"[Content_Types].xml", "content.xml"})
#: What does not count: folders, and what systems leave in archives.
_LITTER = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
#: A file that decompresses to more bytes, or to more times its size, is not a customer list.
MAX_UNPACKED = 4 * 2**30
MAX_RATIO = 1000
#: Below this the ratio proves nothing.
_SMALL = 64 * 2**20


def unpacked(data: bytes, name: str, limit: int = MAX_UNPACKED) -> tuple[bytes, str]:
    """The content of a zipped export and its name; of anything else, workbooks too, what was given.

    :param limit: bytes.
    :raises FileBroken: a damaged or protected archive, one with several files, or one too large.
    """
    if data.startswith(GZIP):
        return _gunzipped(data, name, limit), name.removesuffix(".gz")
    if not data.startswith(ZIP):
        return data, name
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(archive, len(data), name, limit)
            if _WORKBOOK & set(archive.namelist()):
                return data, name
            member = _only_member(archive, name)
            return archive.read(member), f"{name}/{member.filename}"
    except (zipfile.BadZipFile, zlib.error, EOFError) as e:
        raise FileBroken(
            f"{name} is not a valid Excel file or zip archive: it is truncated or damaged."
        ) from e
    except (RuntimeError, NotImplementedError) as e:
        # zipfile raises them for a password, and for a compression that it does not know
        raise FileBroken(
            f"{name} is protected by a password, or compressed in a way that is not supported.",
            remedy="Ask the club for an export without a password, zipped in the usual way or not at all.",
        ) from e


def check_size(archive: zipfile.ZipFile, size: int, name: str, limit: int = MAX_UNPACKED) -> None:
    """:raises FileBroken: the archive decompresses to too much."""
    total = sum(member.file_size for member in archive.infolist())
    if total > limit or (total > _SMALL and total > size * MAX_RATIO):
        raise FileBroken(f"{name} decompresses to {total // 2**20} MB, which is too much.")


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [
        m
        for m in archive.infolist()
        if not m.is_dir() and not any(litter in m.filename.lower() for litter in _LITTER)
    ]
    if any(stat.S_ISLNK(member.external_attr >> 16) for member in members):
        raise FileOutside(f"{name} has a link in it in place of a file: it was not read.")
    if len(members) != 1:
        raise FileBroken(
            f"{name} has {len(members)} files in it; a zipped export has to hold exactly one.",
            remedy="Ask for one file per archive, or unpack it in the folder and set `customers` to the file.",
        )
    return members[0]


def _gunzipped(data: bytes, name: str, limit: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as e:
        raise FileBroken(f"{name} is truncated or damaged: it is not a valid gzip file.") from e
    if len(content) > min(limit, max(_SMALL, len(data) * MAX_RATIO)):
        raise FileBroken(f"{name} decompresses to {len(content) // 2**20} MB, which is too much.")
    return content
