"""Which files were written into the snapshot store: their digests, in the database (R21).

Whoever can write to the store but not to the database cannot have anything loaded: a file that was changed, or put
in the place of another, is refused before anything of it is used.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

from clubsync.errors import SnapshotUnreadable
from clubsync.store.database import Base, queries

#: Where the responses of interrupted readings lie, for minutes only.
UNFINISHED = "_unfinished/"


class Ledger:
    """The digests of the store's files.

    :param base: None: that of the environment, opened when it is first needed.
    """

    def __init__(self, base: Base | None = None) -> None:
        self._given = base

    @cached_property
    def _base(self) -> Base:
        return self._given or Base(pool_size=1)

    def note(self, path: str, name: str, content: bytes) -> bool:
        """Accept a file that is about to be put in its place, and the one that is there until then.

        Which one that is cannot be told where an earlier attempt was interrupted: each of them stays accepted until
        `settle`.

        :returns: whether there was one: then `settle`, when it is replaced.
        """
        with self._base.transaction() as driver:
            accepted = queries().note_stored_file(
                driver, path=path, name=name, digest=digest(content)
            )
        return accepted != 1

    def settle(self, path: str, name: str, content: bytes) -> None:
        """Accept this file and no other."""
        with self._base.transaction() as driver:
            queries().settle_stored_file(driver, path=path, name=name, digest=digest(content))

    def check(self, path: str, name: str, content: bytes) -> bool:
        """Whether a file is one that was written there; False: it is not known, from before digests were kept.

        :raises SnapshotUnreadable: it is another one.
        """
        with self._base.transaction() as driver:
            accepted = queries().stored_file(driver, path=path, name=name)
        if accepted is None:
            return False
        if digest(content) not in accepted:
            raise SnapshotUnreadable(
                f"The stored file {path}/{name} is not the one that was written there.",
                remedy="Nothing of it was used. Find out who writes to the snapshot store; then sync the club again.",
            )
        return True

    def accepted(self, path: str) -> dict[str, list[str]]:
        """The digests that are accepted of a folder's files: name -> digests."""
        with self._base.transaction() as driver:
            return {r["name"]: r["digests"] for r in queries().stored_files(driver, path=path)}

    def folders(self, path: str) -> list[str]:
        """The folders below one of whose files digests are kept."""
        with self._base.transaction() as driver:
            rows = list(queries().stored_folders(driver, path=path))
        return [row["path"] for row in rows]

    def forget(self, path: str, name: str | None = None) -> None:
        """A file, or all files of a folder, are no longer there."""
        with self._base.transaction() as driver:
            if name is None:
                queries().forget_stored_files(driver, path=path)
            else:
                queries().forget_stored_file(driver, path=path, name=name)


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
