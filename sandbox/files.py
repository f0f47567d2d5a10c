"""Files that are whole or absent, whenever their writer is killed."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

TEMPORARY = ".{name}.{pid}.part"


def put(path: Path, data: bytes, *, mode: int = 0o666, mtime: datetime | None = None) -> None:
    """Write the file under a temporary name, then rename it; its folder is created.

    :param mode: permissions of the file, before the umask.
    :param mtime: modification time, if the time is simulated; default: now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(TEMPORARY.format(name=path.name, pid=os.getpid()))
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    if mtime is not None:
        os.utime(temporary, (mtime.timestamp(), mtime.timestamp()))
    temporary.replace(path)


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed writers have left below the folder."""
    for part in folder.rglob(TEMPORARY.format(name="*", pid="*")):
        part.unlink(missing_ok=True)
