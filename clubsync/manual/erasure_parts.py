"""R20: what remains of an order to erase somebody, part by part.

| part | what is done |
|---|---|
| store | look for folders that no row names, and add them to the parts |
| unfinished | remove the club's interrupted readings |
| snapshot | take the person's rows out: what is left is another content, in a folder of its own |
| run | remove what validate handed to diff, and take the person out of the stored plan |
| database | remove dead rows, and renew the statistics of PostgreSQL |

Each part that is done is a row less in sync.erasure_part. What cannot be reached is noted with the reason and what to
do, and stops no other part. Files are changed under the club's lock, so that no run writes the person back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import psycopg

from clubsync import clock
from clubsync.errors import BaseUnreachable, SnapshotUnreadable
from clubsync.extract import resume
from clubsync.manual.erasure_files import Person
from clubsync.store import folders, packages, snapshots
from clubsync.store.database import Base, Driver, queries
from clubsync.store.encryption import VARIABLE
from clubsync.store.packages import AFFECTED, PLAN
from clubsync.store.snapshots import CONFLICTING, CUSTOMERS, GROUPS, Store
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import ErasurePartsRow, ErasureRow

#: Tables that hold, or held, something of a person.
TABLES = (
    "base.customer",
    "base.membership",
    "base.attachment_request",
    "sync.act",
    "sync.chain_finding",
    "sync.chain_move",
    "sync.change",
    "sync.club_vector",
    "sync.digest_item",
    "sync.erasure",
    "sync.erp_customer",
    "sync.finding",
    "sync.hold_member",
    "sync.hold_rejected",
    "sync.ignored_pair",
    "sync.recheck",
    "sync.same_person",
    "sync.similar_key",
    "sync.similar_pair",
    "sync.snapshot",
    "sync.suspicion",
    "sync.undone",
)


class NotReached(Exception):
    """A part of an order cannot be done now.

    :param problem, remedy: why, and what to do, in sentences.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


class Waiting(Exception):
    """The database is clean; it is cleaned once more when the other parts are done."""


def name_of(part: ErasurePartsRow, club_id: str) -> str:
    """What a person calls a part: its path below the root of the store, or `database`."""
    names = {"store": club_id, "unfinished": f"{resume.ROOT}/{club_id}", "database": "database"}
    return names.get(part["kind"]) or part["name"]


def carry_out(base: Base, store: Store, club_no: int, club_id: str, erasure: int) -> list[str]:
    """Do what remains of an order.

    :returns: files that the database names and the store has lost: nothing of the person can be in them.
    :raises BaseUnreachable: the database does not respond.
    """
    work = _Work(base, store, club_no, club_id, erasure)
    while parts := [part for part in work.untried() if part["kind"] != "database"]:
        for part in parts:  # one may add others
            work.attempt(part)
    for part in work.untried():
        work.attempt(part)
    work.complete()
    return sorted(work.missing)


@dataclass(frozen=True)
class _Rest:
    """What is left of a snapshot without the person.

    :param removed: records that it has less.
    """

    customers: pl.DataFrame
    groups: pl.DataFrame
    unclear: pl.DataFrame
    removed: int

    @property
    def content_hash(self) -> str:
        hidden = self.unclear
        if "shown" in hidden.columns:
            hidden = hidden.filter(~pl.col("shown"))
        return snapshots.content_hash(self.customers, self.groups, hidden["erp_id"])


class _Work:
    """The parts of one order.

    :param missing: paths of files that are not in the store.
    """

    def __init__(self, base: Base, store: Store, club_no: int, club_id: str, erasure: int) -> None:
        self.base, self.store = base, store
        self.club_no, self.club_id, self.erasure = club_no, club_id, erasure
        self.missing: set[str] = set()
        self._found = False
        self._tried: set[tuple[str, str]] = set()
        with base.club(club_no) as driver:
            row = queries().erasure(driver, club=club_no, erasure=erasure)
            assert row is not None  # orders stay as long as their club
            self.order: ErasureRow = row
            self.person = Person.of(driver, club_no, row)

    def untried(self) -> list[ErasurePartsRow]:
        """Parts that are left and were not tried yet."""
        return [part for part in self._left() if (part["kind"], part["name"]) not in self._tried]

    def attempt(self, part: ErasurePartsRow) -> None:
        """Try a part."""
        kind, name = part["kind"], part["name"]
        self._tried.add((kind, name))
        if kind == "database" and self._not_yet(part):
            return
        do: dict[str, Callable[[str], int]] = {
            "store": self._look,
            "unfinished": self._forget_unfinished,
            "snapshot": self._clean_snapshot,
            "run": self._clean_run,
            "database": self._clean_database,
        }
        try:
            if kind != "database":
                self._find_store()
            files = do[kind](name)
        except (BaseUnreachable, psycopg.OperationalError):
            raise
        except Exception as error:  # each kind of store has errors of its own
            self._note(part, error)
            return
        with self.base.club(self.club_no) as driver:
            queries().end_erasure_part(
                driver,
                club=self.club_no,
                erasure=self.erasure,
                kind=kind,
                name=name,
                files=files,
            )

    def complete(self) -> None:
        """Say that the order is complete, if no part is left."""
        with self.base.club(self.club_no) as driver:
            queries().complete_erasure(
                driver, club=self.club_no, erasure=self.erasure, at=clock.now()
            )

    def _note(self, part: ErasurePartsRow, error: Exception) -> None:
        told = None if isinstance(error, Waiting) else _told(error)
        with self.base.club(self.club_no) as driver:
            queries().note_erasure_part(
                driver,
                club=self.club_no,
                erasure=self.erasure,
                kind=part["kind"],
                name=part["name"],
                at=clock.now(),
                problem=told.problem if told else None,
                remedy=told.remedy if told else None,
            )

    # --- the store ----------------------------------------------------------------------------

    def _look(self, _: str) -> int:
        """Add the folders that are in the store to the parts."""
        found = {
            "snapshot": folders.of_snapshots(self.store, self.club_id),
            "run": list(folders.of_runs(self.store, self.club_id).values()),
        }
        with self.base.club(self.club_no) as driver:
            for kind, names in found.items():
                queries().add_found_parts(
                    driver, club=self.club_no, erasure=self.erasure, kind=kind, names=names
                )
        return 0

    def _forget_unfinished(self, _: str) -> int:
        # under the lock: a reading under way stores nothing more afterwards
        with self.base.club(self.club_no) as driver:
            queries().lock_club(driver, club=self.club_no)
            resume.forget(self.store, self.club_id)
        return 0

    def _clean_snapshot(self, path: str) -> int:
        """Take the person out of a snapshot's folder; how many files were written or removed."""
        with self.base.club(self.club_no) as driver:
            queries().lock_club(driver, club=self.club_no)
            if not self._read_before(driver, path):
                return self._remove_unused(driver, path)
            folders.remove_parts(self.store, path)
            if not self.store.exists(path, CUSTOMERS):
                self.missing.add(f"{path}/{CUSTOMERS}")
                return 0
            rest = self._without_person(path)
        if rest is None:
            return 0
        moved = self._move(path, rest)
        with self.base.club(self.club_no) as driver:
            queries().lock_club(driver, club=self.club_no)
            self._remove_unused(driver, path)
        return moved

    def _read_before(self, driver: Driver, path: str) -> bool:
        """Whether a reading from before the order is in that folder."""
        upto = self.order["snapshot"]
        return queries().snapshots_at(driver, club=self.club_no, path=path, upto=upto) > 0

    def _remove_unused(self, driver: Driver, path: str) -> int:
        """Remove a folder that no snapshot is in: whatever was to come of it has not come."""
        highest = 2**63 - 1
        if queries().snapshots_at(driver, club=self.club_no, path=path, upto=highest):
            return 0
        files = len(self.store.names(path, ""))
        self.store.remove(path)
        return files

    def _find_store(self) -> None:
        """A store that is not there holds nothing, which is no reason to call it clean.

        :raises NotReached: none of the club's snapshots is there.
        """
        if self._found:
            return
        with self.base.club(self.club_no) as driver:
            paths = [row["path"] for row in queries().snapshot_paths(driver, club=self.club_no)]
        if paths and not any(self.store.exists(path, CUSTOMERS) for path in paths):
            raise NotReached(
                message("None of the club's snapshots is in the store."),
                message(
                    "Check that CLUBSYNC_SNAPSHOTS is the right folder or bucket and is there. If the files are lost, "
                    "sync the club; upkeep then finishes the erasure."
                ),
            )
        self._found = True

    def _without_person(self, path: str) -> _Rest | None:
        """What is left of a snapshot; None: it is all of it."""
        customers, unclear = self.store.read(path, CUSTOMERS), self.store.read(path, CONFLICTING)
        kept, clear = self.person.out_of(customers), self.person.out_of_ids(unclear)
        if kept.equals(customers) and clear.height == unclear.height:
            return None
        return _Rest(kept, self.store.read(path, GROUPS), clear, customers.height - kept.height)

    def _move(self, path: str, rest: _Rest) -> int:
        """Store what is left under its own hash, and let the readings that were in the folder be there."""
        sql, club_no = queries(), self.club_no
        digest = rest.content_hash
        target = snapshots.path_of(self.club_id, digest)
        with self.base.club(club_no) as driver:
            sql.add_folder(driver, club=club_no, path=target, at=clock.now())
        with self.base.club(club_no) as driver:
            sql.lock_club(driver, club=club_no)
            if not self._read_before(driver, path):
                return 0  # another process was quicker
            if not self.store.is_whole(target, snapshots.FILES):
                self.store.write(target, GROUPS, rest.groups)
                self.store.write(target, CONFLICTING, rest.unclear)
                self.store.write(target, CUSTOMERS, rest.customers)
            sql.move_snapshots(
                driver,
                club=club_no,
                path=path,
                to_path=target,
                content_hash=digest,
                removed=rest.removed,
                upto=self.order["snapshot"],
            )
            # other orders were to clean the old folder: it holds the same people
            sql.move_erasure_parts(
                driver, club=club_no, erasure=self.erasure, path=path, to_path=target
            )
        return len(snapshots.FILES)

    def _clean_run(self, path: str) -> int:
        """Take the person out of the packages of a run that began before the order."""
        run = int(path.rsplit("/", 1)[-1])
        if run > self.order["run"] > 0:
            return 0
        with self.base.club(self.club_no) as driver:
            queries().lock_club(driver, club=self.club_no)
            folders.remove_parts(self.store, path)
            files = int(self.store.exists(path, AFFECTED))
            # diff evaluates the snapshot again where it does not find it
            self.store.remove_file(path, AFFECTED)
            planned = queries().is_planned(driver, club=self.club_no, run=run)
            if not self.store.exists(path, PLAN):
                if planned:
                    self.missing.add(f"{path}/{PLAN}")
                return files
            if not planned:
                self.store.remove(path)
                return files + 1
            return files + packages.rewrite(self.store, path, PLAN, self.person.out_of_package)

    # --- the database -------------------------------------------------------------------------

    def _not_yet(self, part: ErasurePartsRow) -> bool:
        """Whether the database waits for the other parts: it was cleaned once, and is once more at the end."""
        others = [other for other in self._left() if other["kind"] != "database"]
        return bool(others) and part["tried_at"] is not None and part["problem"] is None

    def _left(self) -> list[ErasurePartsRow]:
        with self.base.club(self.club_no) as driver:
            return list(queries().erasure_parts(driver, club=self.club_no, erasure=self.erasure))

    def _clean_database(self, _: str) -> int:
        """Remove the dead rows, and renew the statistics.

        :raises NotReached: somebody may still see them, or they are not ours to remove; other parts are left.
        """
        last = all(other["kind"] == "database" for other in self._left())
        if last:
            with self.base.club(self.club_no) as driver:
                queries().forget_erasure_ids(driver, club=self.club_no, erasure=self.erasure)
        with self.base.club(self.club_no) as driver:
            seeing = list(queries().open_transactions(driver, deleted_by=self.order["deleted_by"]))
        refused = set(self.base.vacuum(TABLES))
        if refused:
            with self.base.club(self.club_no) as driver:
                cleaned = queries().cleaned_since(
                    driver, club=self.club_no, erasure=self.erasure, tables=sorted(refused)
                )
                refused -= {row["name"] for row in cleaned}
        if refused:
            names = ", ".join(sorted(refused))
            raise NotReached(
                message(f"PostgreSQL did not allow clubsync to clean {names}."),
                message(
                    "Run `vacuum (analyze)` on these tables as their owner; if one is empty and the server is older "
                    "than version 18, also delete its rows of pg_statistic, as a superuser."
                ),
            )
        if seeing:
            pids = ", ".join(str(row["pid"] or "prepared") for row in seeing)
            raise NotReached(
                message(
                    f"A transaction that began before the erasure is still open (process {pids})."
                ),
                message("No action needed: the deleted rows are removed when it has ended."),
            )
        if not last:
            raise Waiting
        return 0


def _told(error: BaseException) -> NotReached:
    """Why a part could not be done, and what to do."""
    if isinstance(error, NotReached):
        return error
    if isinstance(error, SnapshotUnreadable) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    if isinstance(error, SnapshotUnreadable):
        missing_key = VARIABLE in error.remedy
        return NotReached(
            error.what,
            error.remedy
            if missing_key
            else message(
                "Restore the file from a backup, or delete it if there is none; upkeep then finishes the erasure."
            ),
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NotReached(
            message("The disk of CLUBSYNC_SNAPSHOTS is full."),
            message("Make room; upkeep then finishes the erasure."),
        )
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return NotReached(
            message("The store is read-only, or does not allow clubsync to write."),
            message(
                "Allow clubsync to write to CLUBSYNC_SNAPSHOTS; upkeep then finishes the erasure."
            ),
        )
    return NotReached(
        message(f"It cannot be read or written ({type(error).__name__})."),
        message("Check the disk or bucket of CLUBSYNC_SNAPSHOTS; upkeep tries again every minute."),
    )
