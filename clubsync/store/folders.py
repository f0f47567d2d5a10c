"""Everything in the store has a row in the database, or is taken away.

| in the store | its row |
|---|---|
| `<club>/<content hash>/`, a snapshot | sync.folder, written before the first file is there; sync.snapshot names it |
| `<club>/runs/<run>/`, the packages of a run | sync.run; sync.plan names what is kept |
| `_unfinished/…`, an interrupted reading | none: its name says when it expires (`clubsync.extract.resume`) |
| all of a removed club | sync.removed_club, until it is gone |

Who writes snapshots and packages holds the club's lock meanwhile, and so does `sweep`: what no row names then is what
a killed process, a full disk or an earlier version has left.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clubsync import clock
from clubsync.store import packages
from clubsync.store.database import Driver, queries
from clubsync.store.snapshots import PART, Store

#: A run that was started longer ago is under way no more.
UNDER_WAY = timedelta(days=1)


def of_snapshots(store: Store, club_id: str) -> list[str]:
    """The folders of a club's snapshots that are in the store: paths."""
    return [f"{club_id}/{name}" for name in store.names(club_id, "") if name != "runs"]


def of_runs(store: Store, club_id: str) -> dict[int, str]:
    """The folders of a club's runs that are in the store, or of which digests are kept: run -> path."""
    names = set(store.names(f"{club_id}/runs", ""))
    if store.ledger is not None:
        # who removed the folder was killed before they were forgotten
        names |= {path.rsplit("/", 1)[-1] for path in store.ledger.folders(f"{club_id}/runs")}
    return {int(name): packages.folder(club_id, int(name)) for name in names if name.isdecimal()}


def sweep(driver: Driver, store: Store, club_no: int, club_id: str) -> int:
    """Remove the folders of a club that no row names and no run under way writes to; how many.

    A folder without any row gets one, and goes when that is old enough; or at once, where the store says that it is.

    :param driver: inside the club's transaction, which holds its lock.
    """
    sql, before = queries(), clock.now() - UNDER_WAY
    there = of_snapshots(store, club_id)
    known = {row["path"] for row in sql.folders(driver, club=club_no)}
    for path in there:
        if path not in known and not _older(store, path, before):
            sql.add_folder(driver, club=club_no, path=path, at=clock.now())
    unused = sql.unused_folders(driver, club=club_no, paths=there, before=before)
    gone = [row["path"] for row in unused]
    for path in gone:
        store.remove(path)
        sql.delete_folder(driver, club=club_no, path=path)
    runs = of_runs(store, club_id)
    ended = sql.runs_without_plan(driver, club=club_no, runs=list(runs), before=before)
    over = [runs[row["run"]] for row in ended]
    for path in over:
        store.remove(path)
    for path in [*there, *runs.values()]:
        remove_parts(store, path)
    return len(gone) + len(over)


def remove_parts(store: Store, path: str) -> None:
    """Remove the files of a folder whose writing was interrupted.

    Called under the club's lock, so that nobody is writing them.
    """
    for name in store.names(path, ""):
        if name.endswith(PART):
            store.remove_file(path, name)


def _older(store: Store, path: str, before: datetime) -> bool:
    """Whether all that is in a folder was written before that time, as far as the store says when."""
    written = store.written(path)
    return written is not None and written < before
