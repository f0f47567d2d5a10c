"""Files and folders that only their owner can read (R19): for new ones, and for those of earlier versions.

Everything that clubsync writes lies below `CLUBSYNC_VAR` and in the snapshot store; both may hold personal data,
passwords and keys. What else lies there is left as it is.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
#: What is below `CLUBSYNC_VAR`.
STATE = frozenset(
    {
        "airflow",
        "clubsync.env",
        "logs",
        "postgres",
        "registry",
        "sandbox",
        "secrets.json",
        "snapshots",
        "stack",
    }
)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: Others may pass through a folder, and neither list it nor write there.
_PASSABLE = stat.S_IXGRP | stat.S_IXOTH
#: What a club's folder in the store holds.
_OF_A_CLUB = re.compile(r"[0-9a-f]{32}|runs")


def private() -> None:
    """From now on, this process and those that it starts write files that only their owner can read."""
    os.umask(UMASK)


def folders() -> list[Path]:
    """The folders of this machine that clubsync writes to, whether they exist or not."""
    state = Path(os.environ.get("CLUBSYNC_VAR") or "var").absolute()
    store = os.environ.get("CLUBSYNC_SNAPSHOTS") or ""
    scheme, _, path = store.rpartition("://")
    if not store or scheme not in ("", "file", "local"):
        return [state]
    return list(dict.fromkeys((state, Path(path).absolute())))


def check(*, everything: bool = False) -> list[str]:
    """Close what other users can read; at once where nothing is to be done.

    :param everything: look at every file, though the folder above it is closed.
    :returns: sentences about what was closed, and about what cannot be.
    """
    told: list[str] = []
    for folder in folders():
        with suppress(FileNotFoundError):
            told += _checked(folder, everything)
    return told


def _checked(folder: Path, everything: bool) -> Iterator[str]:
    if not everything and not folder.stat().st_mode & _OTHERS:
        return  # nobody else gets to what is in it
    wanted = _PASSABLE if _has_foreign_server(folder) else 0
    own, foreign = _parts(folder)
    loose = [part for part in own if everything or part.lstat().st_mode & _OTHERS]
    closed = sum(_close(part) for part in loose if not part.is_symlink())
    if closed:
        yield f"{closed} files and folders in {folder} were readable by other users; they no longer are."
    if not folder.stat().st_mode & _OTHERS & ~wanted or foreign:
        return
    if _is_ours(folder):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~_OTHERS | wanted)
    else:
        owner = _name_of(folder.stat().st_uid)
        yield f"{folder} is readable by other users and belongs to {owner}, who has to run: chmod go-rwx {folder}"


def _parts(folder: Path) -> tuple[list[Path], bool]:
    """What clubsync has written into a folder, and whether there is anything else."""
    found = list(folder.iterdir())
    if folder == folders()[0]:
        own = [part for part in found if part.name in STATE]
    else:
        own = [part for part in found if part.name == "_unfinished" or _is_club(part)]
    return own, len(own) < len(found)


def _is_club(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(_OF_A_CLUB.fullmatch(part.name) for part in folder.iterdir())


def _close(part: Path) -> int:
    """Close a file, or a folder and all in it, the folder last.

    :returns: how many were open.
    """
    if not _is_ours(part):
        return 0  # PostgreSQL's folder: it sees to it itself
    closed = 0
    if part.is_dir():
        for inner in part.iterdir():
            if not inner.is_symlink():
                closed += _close(inner)
    mode = stat.S_IMODE(part.stat().st_mode)
    if mode & _OTHERS:
        part.chmod(mode & ~_OTHERS)
        closed += 1
    return closed


def _has_foreign_server(folder: Path) -> bool:
    """Whether PostgreSQL, as another user, has to pass through the folder to its own."""
    with suppress(FileNotFoundError):
        return (folder / "postgres").stat().st_uid != os.geteuid()
    return False


def _is_ours(path: Path) -> bool:
    return path.stat().st_uid == os.geteuid()


def _name_of(user: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return f"user {user}"
