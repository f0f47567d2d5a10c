"""Extract: read the clubs' ERPs, several at a time, and store a snapshot of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from clubsync import clock
from clubsync.extract.reader import reject_implausible
from clubsync.model import Step
from clubsync.pipeline.runs import Runs, run_of
from clubsync.store import snapshots
from clubsync.store.database import queries
from connectors.sdk.model import Reading

#: ERPs that are read at a time.
READERS = 16


def extract(runs: Runs, club_ids: Sequence[str], trigger: str, *, full: bool) -> list[Step]:
    """Start a run of each club and read it.

    :param full: everything, from the beginning.
    """
    steps = [runs.start(club_id, trigger) for club_id in club_ids]
    return at_once(runs, steps, read, full)


def at_once(runs: Runs, steps: Sequence[Step], work: Callable[..., None], *args: Any) -> list[Step]:
    """Extract several clubs at a time; the steps come back in order.

    :param work: called with the runs, a step and the arguments.
    """
    with ThreadPoolExecutor(max_workers=min(READERS, max(1, len(steps)))) as pool:
        return list(
            pool.map(
                lambda step: runs.stage("extract", step, lambda one: work(runs, one, *args)), steps
            )
        )


def read(runs: Runs, step: Step, full: bool) -> None:
    """Read a club as it is now and store what was read."""
    club = runs.club(step)
    keep(runs, step, runs.reader.read(club, runs.club_no(club), full=full))


def keep(runs: Runs, step: Step, read: Reading) -> None:
    """Store a reading as a snapshot, unless it cannot be believed (R14)."""
    club = runs.club(step)
    club_no = runs.club_no(club)
    reading = runs.reader.identified(read, club_no)
    customers, content_hash = snapshots.prepare(reading)
    certificate = reading.certificate
    step["certified"], step["as_of"] = certificate.complete, reading.as_of.isoformat()
    step["read"] = customers.height
    step["notes"].extend((*read.notes, *certificate.doubts))
    with runs.base.club(club_no) as driver:
        state = queries().club_state(driver, club=club_no)
        if reading.since is None:  # that little has changed, or only newcomers, is no outage
            reject_implausible(
                club, customers, reading.conflicting_ids, content_hash, state, driver, club_no
            )
        path = snapshots.path_of(club.id, content_hash)
        _write(runs, path, customers, reading)
        taken = queries().add_snapshot(
            driver,
            club=club_no,
            as_of=reading.as_of,
            read_at=clock.now(),
            certified=certificate.complete,
            doubts=list(certificate.doubts),
            customers=customers.height,
            rows_read=certificate.rows,
            content_hash=content_hash,
            path=path,
            epoch=state["epoch"],
            columns=list(reading.columns),
            column_of=json.dumps(dict(reading.column_of)),
        )
        queries().run_snapshot(
            driver, club=club_no, run=run_of(step), snapshot=taken, read=step["read"]
        )
    step["snapshot"] = taken
    runs.handed(step).snapshot = snapshots.Snapshot(
        club=club.id,
        number=taken,
        as_of=reading.as_of,
        certified=certificate.complete,
        customers=customers,
        groups=reading.groups,
        conflicting_ids=reading.conflicting_ids,
        content_hash=content_hash,
        path=path,
        epoch=state["epoch"],
    )


def _write(runs: Runs, path: str, customers: pl.DataFrame, reading: Reading) -> None:
    """Store the reading's content, unless a reading of the same content is stored."""
    store = runs.store
    if store.exists(path, "customers.parquet"):
        return
    store.write(path, "groups.parquet", reading.groups)
    conflicting = pl.DataFrame(
        {"erp_id": list(reading.conflicting_ids)}, schema={"erp_id": pl.String}
    )
    store.write(path, "conflicting.parquet", conflicting)
    # last: it says that the rest is there
    store.write(path, "customers.parquet", customers)
