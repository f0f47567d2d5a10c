"""Where a name in a folder really is: links are followed, but not out of the folder (R21).

Whoever can write into one club's folder could otherwise have another club's people loaded, by a link.
"""

from __future__ import annotations

import os
import posixpath
import stat
from pathlib import PurePath
from typing import Any

from fsspec.asyn import sync

from connectors.sdk.errors import FileOutside

_NO_LINK = os.O_CLOEXEC | os.O_NOFOLLOW
#: a folder may be closed to listing, which its path alone is not (Linux)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | _NO_LINK | os.O_DIRECTORY
_FILE = os.O_RDONLY | _NO_LINK | os.O_NONBLOCK | os.O_NOCTTY


def local(root: str, name: str) -> str:
    """The path of a file or folder on this machine, without links.

    :param root: the connection's folder, which may be reached by a link itself.
    :param name: below the folder; "" is the folder.
    :raises FileOutside: it is not in the folder.
    """
    top = os.path.realpath(root)
    found = os.path.realpath(f"{top}/{name}")
    if not _is_below(found, top):
        raise _outside(name)
    return found


def opened(root: str, path: str) -> int:
    """Open a file for reading, without waiting, and without following a link.

    Links were followed by then: one that is there now, in place of the file or of a folder above it, was not there
    before.

    :param path: from `local`.
    :returns: the number of the open file.
    :raises OSError: it cannot be opened, or there is a link now.
    """
    top = os.path.realpath(root)
    *folders, name = PurePath(path).relative_to(top).parts
    at = os.open(top, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)


def sftp(fs: Any, root: str, name: str, timeout: float) -> str:
    """The same on an SFTP server.

    A server may answer for the path without following its links: then whatever of it is a link is refused.

    :param fs: a connected SSHFileSystem.
    :param timeout: seconds.
    :raises FileOutside: it is not in the folder, or the server does not tell.
    """

    async def ask() -> str:
        async with fs._pool.get() as channel:
            top = await channel.realpath(root)
            found = await channel.realpath(posixpath.join(top, name) if name else top)
            if not _is_below(found, top):
                raise _outside(name)
            at = top
            for part in filter(None, found.removeprefix(top).split("/")):
                at = posixpath.join(at, part)
                if await _is_link(channel, at):
                    raise _outside(name)
            return str(found)

    path: str = sync(fs.loop, ask, timeout=timeout)
    return path


async def _is_link(channel: Any, path: str) -> bool:
    from asyncssh import FILEXFER_TYPE_SYMLINK, SFTPNoSuchFile

    try:
        found = await channel.lstat(path)
    except SFTPNoSuchFile:
        return False
    return found.type == FILEXFER_TYPE_SYMLINK or stat.S_ISLNK(found.permissions or 0)


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _outside(name: str) -> FileOutside:
    return FileOutside(f"{name} is a link that leads out of the club's folder: it was not read.")
