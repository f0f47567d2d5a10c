"""The keys of SFTP servers: kept when a server is first seen, and from then on the only ones that are accepted.

They stand in a file in the format of OpenSSH, so that its tools work on it: `ssh-keygen -F`, `ssh-keygen -R`. All
processes that read clubs have to share it (`CLUBSYNC_KNOWN_HOSTS`, by default `CLUBSYNC_VAR/known_hosts`): a worker
with a file of its own would trust a server once more. A connection with `known_hosts` of its own does not use it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.sdk.errors import ErpUnreachable, SettingsWrong

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def path() -> Path:
    """Where the keys are kept."""
    named = os.environ.get("CLUBSYNC_KNOWN_HOSTS")
    return Path(named or Path(os.environ.get("CLUBSYNC_VAR") or "var") / "known_hosts")


def kept(host: str, port: int, ask: Callable[[], str]) -> Any:
    """The keys that a server may have, as asyncssh takes them.

    :param ask: the server's key as it shows it now, "ssh-ed25519 AAAA…"; called when it was never seen before.
    :raises SettingsWrong: the host has no usable name, or its key cannot be kept.
    """
    import asyncssh

    if not _HOST.fullmatch(host):
        raise SettingsWrong(f"The name of the file server {host!r} is not valid.")
    name = host if port == 22 else f"[{host}]:{port}"
    with _told():
        lines = _lines_of(name)
    if not lines:
        # asked before the file is locked: a server may take its time
        shown = ask()
        if not shown:
            raise ErpUnreachable(f"The file server {name} showed no key.")
        with _told():
            lines = _learned(name, shown)
    with _told():
        return asyncssh.import_known_hosts("".join(lines))


@contextmanager
def _told() -> Iterator[None]:
    """:raises SettingsWrong: the file cannot be used."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SettingsWrong(
            f"The keys of SFTP servers cannot be kept in {path()} ({type(error).__name__}).",
            remedy="Make the file readable and writable for clubsync, or set known_hosts in the connection.",
        ) from error


def _lines_of(name: str) -> list[str]:
    """The lines that name a server."""
    try:
        text = path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [f"{line}\n" for line in text.splitlines() if name in line.partition(" ")[0].split(",")]


def _learned(name: str, key: str) -> list[str]:
    """Keep the key of a server that is seen for the first time; of several processes at once the first one's counts."""
    path().parent.mkdir(parents=True, exist_ok=True)
    number = os.open(path(), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = _lines_of(name)
        if known:
            return known
        line = f"{name} {key}\n"
        file.write(line)
        file.flush()
        os.fsync(number)
        return [line]
