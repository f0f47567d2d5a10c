"""A file drop: the folder (local, SFTP, S3) that receives an ERP's exports, read through fsspec.

The rules (R14): the newest file that matches the pattern is read. If it is incomplete the club fails; an older
file is never read instead. `FILE.rows` next to a file, if present, holds the number of its data rows. A file
must not change while it is read. Its modification time is the reading's `as_of`.

Connection: `host` is `file:///folder` (or a plain path), `sftp://host:port/folder` or `s3://bucket/prefix`;
login and password as usual (S3: key id and secret). Extras:

- `known_hosts` (SFTP): the path of a file, or its lines. Without it the key that the server shows when it is first
  seen is kept (`host_keys`), and another one is refused from then on.
- `private_key` (SFTP): a PEM key, used instead of or in addition to the password.
- `endpoint_url`, `region_name` (S3).

A link is followed within the folder, and refused where it leads out of it: what is there may be another club's.

Keys, agents and configuration of the user who runs this are never used: a club is read with the club's own
credentials or not at all (R21).
"""

from __future__ import annotations

import fnmatch
import logging
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec.asyn import get_loop, sync
from fsspec.exceptions import FSTimeoutError

from connectors.sdk import meter, moments
from connectors.sdk.base import Connection
from connectors.sdk.errors import (
    ConnectorError,
    CredentialsRefused,
    ErpUnreachable,
    FileBroken,
    FileMissing,
    SettingsWrong,
)
from connectors.sdk.files import host_keys, inside, parts
from connectors.sdk.files.limits import FileLimits
from connectors.sdk.messages import message
from connectors.sdk.words import word

_LOG = logging.getLogger(__name__)

#: What uploads and editors leave in a folder: never an export, whatever the pattern is.
_LEFTOVERS = ("*.rows", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload")


@dataclass(frozen=True)
class FoundFile:
    """A file in the drop.

    :param name: its path below the connection's folder.
    :param size: bytes.
    :param modified: UTC.
    """

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Content:
    """A file that was read completely and did not change meanwhile.

    :param rows: the number of data rows that `FILE.rows` states; None: there is no such file.
    """

    name: str
    data: bytes
    modified: datetime
    rows: int | None


class FileDrop:
    """A connection's folder. Use it as a context manager, so that SFTP connections are closed.

    :param timeout: seconds per step: connecting, listing, reading a file.
    :param max_bytes: a larger file is rejected.
    :param until: files written later are ignored.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: float = 120.0,
        max_bytes: int = FileLimits.max_bytes,
        until: datetime | None = None,
    ) -> None:
        self.connection = connection
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.until = until
        self.scheme, self.where, self.root = _address(connection)
        self._fs: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        fs, self._fs = self._fs, None
        client = getattr(fs, "_client", None)
        if client is not None and self.scheme == "sftp":
            fs.loop.call_soon_threadsafe(client.abort)

    # finding and reading files

    @meter.part(meter.ERP)
    def find(self, pattern: str, *, exclude: str | None = None) -> list[FoundFile]:
        """The files that match `pattern`, newest first (then by name, last first).

        :param pattern: a path below the folder; `*`, `?` and `[…]` match within one path segment, in any case and any
            Unicode form. A file of exactly that name wins over the pattern. A wildcard never matches hidden
            files, unfinished uploads and `.rows` files.
        :param exclude: the pattern of another file of the club's, which may match the same files.
        :raises ConnectorError: see the module; no match is an empty list.
        """
        segments = _segments(pattern)
        with self._translated_errors(pattern):
            fs = self._connected()
            folders = [""]
            exact = self._look(fs, "/".join(segments))
            for part in () if exact else segments[:-1]:
                folders = [path for folder in folders for path in self._folders(fs, folder, part)]
            found = (
                [exact]
                if exact
                else [f for folder in folders for f in self._files(fs, folder, segments[-1])]
            )
        if exclude is not None:
            found = [f for f in found if not _fits(f.name, exclude)]
        if self.until is not None:
            found = [f for f in found if f.modified <= self.until]
        return sorted(found, key=lambda f: (f.modified, f.name), reverse=True)

    def read_newest(self, pattern: str, *, exclude: str | None = None) -> Content:
        """Read the newest file that matches `pattern`, and `FILE.rows` next to it.

        :raises FileMissing: no file matches.
        :raises FileBroken: too large, changed while it was read, shorter than announced, or a `.rows` file that
            does not hold a number. Whether the number of rows is right is checked by `tabular.parse`.
        """
        found = self.find(pattern, exclude=exclude)
        if not found:
            raise FileMissing(f"No file matching `{pattern}` in {self.where}.")
        return self._read_whole(found[0].name)

    def read_parts(self, pattern: str, *, exclude: str | None = None) -> list[Content]:
        """Read all parts of the newest export that matches `pattern` (`parts`), in order.

        :raises FileMissing: no file matches.
        :raises FileBroken: as `read_newest`; or a part is missing, or of another time.
        """
        found = self.find(pattern, exclude=exclude)
        if not found:
            raise FileMissing(f"No file matching `{pattern}` in {self.where}.")
        newest = parts.of_newest(found)
        together = sum(f.size for f in newest)
        FileLimits(max_bytes=self.max_bytes).check_size(newest[-1].name, together)
        return [self._read_whole(f.name) for f in newest]

    @meter.part(meter.ERP)
    def _read_whole(self, name: str) -> Content:
        with self._translated_errors(name):
            fs = self._connected()
            # Listings do not resolve links, and round times in their own way: ask for the file itself.
            before = self._look(fs, name)
        if before is None:
            raise FileMissing(f"{name} disappeared while the folder was read.")
        FileLimits(max_bytes=self.max_bytes).check_size(before.name, before.size)
        with self._translated_errors(name):
            # one byte more shows that there is more than was announced
            data = self._read(fs, name, before.size + 1)
            rows = self._rows(fs, name + ".rows")
            after = self._look(fs, name)
        if after is None or (after.size, after.modified) != (before.size, before.modified):
            raise FileBroken(
                f"{before.name} changed while it was read: it is still being written.",
                remedy="No action needed unless it persists: the next run tries again.",
            )
        if len(data) < before.size:
            raise FileBroken(f"{before.name} has {before.size} bytes, {len(data)} were received.")
        if len(data) > before.size:
            raise FileBroken(f"{before.name} has more than the {before.size} bytes that it says.")
        meter.received(len(data))
        return Content(before.name, data, before.modified, rows)

    def check(self, pattern: str, *, exclude: str | None = None) -> str:
        """A sentence that says what matches: "3 files, newest customers.csv of 2026-11-21 10:05 UTC."

        :raises FileMissing: nothing matches.
        """
        found = self.find(pattern, exclude=exclude)
        if not found:
            raise FileMissing(f"No file matching `{pattern}` in {self.where}.")
        name, at = found[0].name, f"{found[0].modified:%Y-%m-%d %H:%M} UTC"
        size = f"{-(-found[0].size // 1024):,}"
        if len(found) == 1:
            return f"1 file {name} of {at}, {size} kB."
        return f"{len(found)} files, newest {name} of {at}, {size} kB."

    def _folders(self, fs: Any, folder: str, part: str) -> list[str]:
        """The folders in a folder that one segment of a pattern names."""
        exact = posixpath.join(folder, part)
        # the folder above may be closed to listing
        if not _is_glob(part) and fs.exists(self._path(exact)):
            return [exact]
        entries = self._list(fs, folder)
        names = _named([name for name, info in entries if info["type"] == "directory"], part)
        return [posixpath.join(folder, name) for name in names]

    def _files(self, fs: Any, folder: str, part: str) -> list[FoundFile]:
        """The files in a folder that the last segment of a pattern names."""
        entries = {n: info for n, info in self._list(fs, folder) if info["type"] != "directory"}
        return [_found(posixpath.join(folder, n), entries[n]) for n in _named([*entries], part)]

    # fsspec

    def _path(self, name: str) -> str:
        """Where a file or folder is, with its links followed.

        :raises FileOutside: not in the connection's folder.
        """
        if self.scheme == "file":
            return inside.local(self.root, name)
        if self.scheme == "sftp":
            return inside.sftp(self._fs, self.root, name, self.timeout)
        return posixpath.join(self.root, name) if name else self.root

    def _timeout_option(self) -> dict[str, float]:
        # Only the asynchronous filesystems take a timeout.
        return {"timeout": self.timeout} if self.scheme != "file" else {}

    def _list(self, fs: Any, folder: str) -> list[tuple[str, Mapping[str, Any]]]:
        entries = fs.ls(self._path(folder), detail=True, **self._timeout_option())
        named = [(posixpath.basename(e["name"].rstrip("/")), e) for e in entries]
        # a name that is no text can neither be stored nor shown
        return [(name, e) for name, e in named if _is_text(name)]

    def _look(self, fs: Any, name: str) -> FoundFile | None:
        try:
            info = fs.info(self._path(name), **self._timeout_option())
        except FileNotFoundError:
            return None
        if info["type"] == "directory":
            return None
        if info["type"] not in _REGULAR:
            raise _not_regular(name)
        return _found(name, info)

    def _read(self, fs: Any, name: str, most: int) -> bytes:
        """The first bytes of a file, `most` of them at most."""
        return _READ[self.scheme](self, fs, name, most)

    def _rows(self, fs: Any, name: str) -> int | None:
        found = self._look(fs, name)
        if found is None:
            return None
        words = (
            self._read(fs, name, min(found.size, 64))
            .decode("ascii", "replace")
            .strip("\ufeff \t\r\n")
        )
        if not re.fullmatch(r"\d{1,12}", words):
            raise FileBroken(f"{name} does not hold a number of rows.")
        return int(words)

    def _connected(self) -> Any:
        if self._fs is None:
            self._fs = _OPEN[self.scheme](self)
        return self._fs

    @contextmanager
    def _translated_errors(self, name: str) -> Iterator[None]:
        """Turn the errors of libraries into ours."""
        try:
            yield
        except ConnectorError:
            raise
        except FileNotFoundError as e:
            raise FileMissing(f"{name} does not exist in {self.where}.") from e
        except NotADirectoryError as e:
            raise FileMissing(f"{self.where} is not a folder.") from e
        except Exception as e:
            raise self._translated(e, name) from e

    def _other_key(self) -> ConnectorError:
        """The server shows another key than the one that is known: nothing was sent to it."""
        if self.connection.extra.get("known_hosts"):
            return CredentialsRefused(
                f"The key of the file server {self.where} is not the one in known_hosts.",
                remedy="Ask the club whether its server has a new key; do not connect until that is confirmed.",
            )
        return CredentialsRefused(
            f"The file server {self.where} has another key than when it was first seen.",
            remedy="Ask the club whether its server has a new key; do not connect until that is confirmed. Then remove "
            f"the old one with `ssh-keygen -R` from {host_keys.path()}.",
        )

    def _translated(self, error: Exception, name: str) -> ConnectorError:
        # By name: the libraries of one transport are not imported for another.
        kinds = {c.__name__ for c in type(error).__mro__}
        code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
        if kinds & {"HostKeyNotVerifiable", "KeyExchangeFailed"}:
            return self._other_key()
        if "NoCredentialsError" in kinds:
            return SettingsWrong(f"The connection {self.connection.id} has no login.")
        if (
            kinds & {"PermissionError", "PermissionDenied", "SFTPPermissionDenied"}
            or code in _REFUSED
        ):
            if self._fs is None or self.scheme == "s3":
                return CredentialsRefused(
                    f"{self.where} rejected the credentials of connection {self.connection.id}."
                )
            return CredentialsRefused(
                f"The connection's user has no permission to read {name} in {self.where}.",
                remedy="Ask whoever runs the file server to grant it.",
            )
        if isinstance(error, FSTimeoutError | TimeoutError):
            return ErpUnreachable(f"{self.where} did not respond within {self.timeout:g} seconds.")
        _LOG.debug("reading %s failed with %s", name, type(error).__name__)
        return ErpUnreachable(f"{self.where} could not be reached ({type(error).__name__}).")


_REFUSED = (
    "403",
    "401",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "Forbidden",
)


def _address(connection: Connection) -> tuple[str, str, str]:
    """(scheme, description without secrets, root path for fsspec) of a connection's folder."""
    host = connection.host.strip()
    if not host:
        raise SettingsWrong(f"The connection {connection.id} has no host.")
    if "://" not in host:
        if host.startswith("file:"):
            host = host.removeprefix("file:")
        return (
            "file",
            message(f"the folder of connection {connection.id}"),
            str(Path(host).absolute()),
        )
    parts = urlsplit(host)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise SettingsWrong(f"The host of {connection.id} needs three slashes: file:///folder.")
        return (
            "file",
            message(f"the folder of connection {connection.id}"),
            unquote(parts.path) or "/",
        )
    if parts.scheme == "sftp":
        if not parts.hostname:
            raise SettingsWrong(
                f"The host of {connection.id} lacks the server's name: sftp://host:port/folder."
            )
        return "sftp", f"sftp://{parts.hostname}", unquote(parts.path) or "/"
    if parts.scheme == "s3":
        if not parts.netloc:
            raise SettingsWrong(
                f"The host of {connection.id} lacks the bucket's name: s3://bucket/prefix."
            )
        root = f"{parts.netloc}{parts.path}".rstrip("/")
        return "s3", f"s3://{parts.netloc}", root
    raise SettingsWrong(
        f"The host of {connection.id} has to be file:///folder, sftp://host/folder or s3://bucket/prefix."
    )


def _open_local(drop: FileDrop) -> Any:
    if not Path(drop.root).is_dir():
        raise FileMissing(
            f"The folder of connection {drop.connection.id} does not exist.",
            remedy="Create the folder, or correct the host of the Airflow connection.",
        )
    return fsspec.filesystem("file", skip_instance_cache=True)


def _open_sftp(drop: FileDrop) -> Any:
    # Imported here: the libraries take half a second to load, and only SFTP drops need them.
    import asyncssh
    from sshfs import SSHFileSystem

    connection = drop.connection
    parts = urlsplit(connection.host.strip())
    login = connection.login or (unquote(parts.username) if parts.username else None)
    if not login:
        raise SettingsWrong(f"The connection {connection.id} has no login.")
    keys = None
    if pem := connection.extra.get("private_key"):
        try:
            keys = [asyncssh.import_private_key(str(pem))]
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as e:
            raise SettingsWrong(
                f"private_key of connection {connection.id} is not a valid key."
            ) from e
    known = connection.extra.get("known_hosts") or None  # a form may store a blank
    if known is not None:
        lines = str(known)
        try:
            if "\n" not in lines and Path(lines).is_file():
                lines = Path(lines).read_text()
            known = asyncssh.import_known_hosts(lines)
        except (ValueError, OSError) as e:
            raise SettingsWrong(
                f"known_hosts of connection {connection.id} is not a valid known_hosts file."
            ) from e
    host, port = str(parts.hostname), parts.port or connection.port or 22
    if known is None:
        known = host_keys.kept(host, port, lambda: _key_shown(host, port, drop.timeout))
    return SSHFileSystem(
        host,
        port=port,
        username=login,
        password=connection.password or (unquote(parts.password) if parts.password else None),
        known_hosts=known,
        client_keys=keys,
        agent_path=None,
        config=None,
        connect_timeout=drop.timeout,
        login_timeout=drop.timeout,
        # So that a server that disappeared is noticed also between requests.
        keepalive_interval=15,
        keepalive_count_max=4,
        timeout=drop.timeout * 2,
        skip_instance_cache=True,
    )


def _key_shown(host: str, port: int, timeout: float) -> str:
    """The key that a server shows; no credentials are sent."""
    import asyncssh

    async def ask() -> str:
        key = await asyncssh.get_server_host_key(host, port, config=None)
        return key.export_public_key().decode().strip() if key else ""

    shown: str = sync(get_loop(), ask, timeout=timeout)
    # without the comment, which the server may choose
    return " ".join(shown.split()[:2])


def _open_s3(drop: FileDrop) -> Any:
    connection, extra = drop.connection, drop.connection.extra
    client = {k: extra[k] for k in ("endpoint_url", "region_name") if extra.get(k)}
    return fsspec.filesystem(
        "s3",
        key=connection.login,
        secret=connection.password,
        # Without a login the bucket is read anonymously, never with the machine's own account.
        anon=not connection.login,
        client_kwargs=client,
        config_kwargs={
            "connect_timeout": drop.timeout,
            "read_timeout": drop.timeout,
            "retries": {"max_attempts": 2},
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )


_OPEN = {"file": _open_local, "sftp": _open_sftp, "s3": _open_s3}


def _read_local(drop: FileDrop, fs: Any, name: str, most: int) -> bytes:
    """Open without waiting, whatever it is, and read only if it is a file: a pipe waits for a writer."""
    number = inside.opened(drop.root, drop._path(name))
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise _not_regular(name)
        return file.read(most)


def _read_sftp(drop: FileDrop, fs: Any, name: str, most: int) -> bytes:
    path = drop._path(name)

    async def read() -> bytes:
        async with fs._pool.get() as channel, channel.open(path, "rb") as file:
            data: bytes = await file.read(most)
            return data

    found: bytes = sync(fs.loop, read, timeout=drop.timeout)
    return found


def _read_s3(drop: FileDrop, fs: Any, name: str, most: int) -> bytes:
    # a range of an empty object is an error
    only = {"start": 0, "end": most} if most > 1 else {}
    data: bytes = fs.cat_file(drop._path(name), **only, **drop._timeout_option())
    return data


_READ = {"file": _read_local, "sftp": _read_sftp, "s3": _read_s3}
#: What fsspec calls a file that can be read to its end.
_REGULAR = ("file", "link")


def _not_regular(name: str) -> FileBroken:
    return FileBroken(
        f"{name} is not a regular file, but a pipe or a device.",
        remedy="Replace it by the export itself.",
    )


def _segments(pattern: str) -> list[str]:
    parts = [p for p in pattern.replace("\\", "/").split("/") if p not in ("", ".")]
    if not parts or ".." in parts or PurePosixPath(pattern).is_absolute():
        raise SettingsWrong(f"{pattern!r} is not a path below the connection's folder.")
    return parts


def _is_glob(part: str) -> bool:
    return any(c in part for c in "*?[")


def _named(names: Sequence[str], part: str) -> list[str]:
    """The names that one segment of a pattern means: this one, as it stands or as a word, else those that match."""
    if part in names:
        return [part]
    same = [name for name in names if word(name) == word(part)]
    if same or not _is_glob(part):
        return same
    return [name for name in names if _matches(name, part)]


def _fits(name: str, pattern: str) -> bool:
    names, parts = name.split("/"), _segments(pattern)
    return len(names) == len(parts) and all(
        word(n) == word(p) or _fnmatch(n, p) for n, p in zip(names, parts, strict=True)
    )


def _matches(name: str, part: str) -> bool:
    if name.startswith((".", "~$")) or any(
        fnmatch.fnmatchcase(name.lower(), x) for x in _LEFTOVERS
    ):
        return False
    return _fnmatch(name, part)


def _fnmatch(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(word(name), word(part))


def _is_text(name: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" or c == "\0" for c in name)


def _found(name: str, info: Mapping[str, Any]) -> FoundFile:
    modified = info.get("mtime", info.get("LastModified"))
    if isinstance(modified, int | float):
        modified = moments.of_timestamp(modified)
    elif isinstance(modified, datetime):
        modified = moments.in_range(modified)
    if not isinstance(modified, datetime):
        raise FileBroken(f"The file server does not say when {name} was written.")
    return FoundFile(name, int(info.get("size") or 0), modified)
