"""Extract: read the clubs' ERPs, several at a time, and store a snapshot of each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.chains import readings
from clubsync.config import ClubConfig
from clubsync.errors import ReadingNotUsed
from clubsync.extract import endings, together
from clubsync.extract.erased import Erased
from clubsync.extract.reader import reject_implausible
from clubsync.extract.unchanged import Comparison
from clubsync.model import MAY_BE_TRUNCATED, WITHOUT_ID, Step
from clubsync.pipeline.runs import Runs, run_of
from clubsync.store import snapshots
from clubsync.store.database import Driver, queries
from connectors.sdk import moments
from connectors.sdk.model import Reading
from connectors.sdk.unchanged import Unchanged

if TYPE_CHECKING:
    from clubsync.store.queries import AddSnapshotRow, ClubStateRow

#: ERPs that are read at a time.
READERS = 16
#: How far the clock of a file server may be ahead of ours: such a file is read as of now.
SKEW = timedelta(minutes=1)


def extract(runs: Runs, club_ids: Sequence[str], trigger: str, *, full: bool) -> list[Step]:
    """Start a run of each club and read it.

    :param full: everything, from the beginning.
    """
    steps = [runs.start(club_id, trigger) for club_id in club_ids]
    alone, chained = _apart(runs, steps)
    with ThreadPoolExecutor(max_workers=min(READERS, max(1, len(alone) + len(chained)))) as pool:
        read_alone = pool.map(lambda step: runs.stage("extract", step, _read, runs, full), alone)
        read_together = pool.map(lambda of: read_chain(runs, of, full), chained)
        for _ in itertools.chain(read_alone, read_together):
            pass
    return steps


def _read(step: Step, runs: Runs, full: bool) -> None:
    read(runs, step, full)


def _apart(runs: Runs, steps: Sequence[Step]) -> tuple[list[Step], list[list[Step]]]:
    """The clubs that are read alone, and those that one reading serves (R29)."""
    by_club = {step["club"]: step for step in steps if step["error"] is None}
    chains = runs.chains
    keys = {chains[club].key: chains[club] for club in by_club if club in chains}
    chained = [
        [by_club[club.id] for club in clubs]
        for chain in keys.values()
        for clubs in readings(chain, by_club)
    ]
    return [step for club, step in by_club.items() if club not in chains], chained


def read_chain(runs: Runs, steps: Sequence[Step], full: bool) -> None:
    """R29: read the tenant of several clubs once, and store a snapshot of each.

    A failure of the reading is one failure of all; what is wrong with one club's part is that club's.
    """
    try:
        clubs = [(club, runs.club_no(club)) for club in map(runs.club, steps)]
        began = {club.id: begin(runs, number) for club, number in clubs}
        with runs.timing.together("extract", steps):
            found = runs.reader.read_chain(clubs, full=full)
    except Exception as error:
        runs.fail_together("extract", steps, error)
        return
    for step in steps:
        runs.stage("extract", step, _keep, runs, found[step["club"]], began[step["club"]])


def _keep(step: Step, runs: Runs, reading: Reading, began: Began) -> None:
    keep(runs, step, reading, began)


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


@dataclass(frozen=True)
class Began:
    """How a reading began.

    :param at: when, by our own clock; a reading that was resumed began earlier.
    :param epoch: of the club's source (R1).
    """

    at: datetime
    epoch: int


def begin(runs: Runs, club_no: int) -> Began:
    """A reading begins."""
    with runs.base.club(club_no) as driver:
        return Began(clock.now(), queries().club_state(driver, club=club_no)["epoch"])


def read(runs: Runs, step: Step, full: bool) -> None:
    """Read a club as it is now and store what was read."""
    club = runs.club(step)
    club_no = runs.club_no(club)
    comparison = _comparison(runs, club_no)
    began = Began(clock.now(), comparison.last["epoch"])
    if full or club.id in runs.chains:
        keep(runs, step, runs.reader.read(club, club_no, full=full), began)
        return
    try:
        found = runs.reader.read(club, club_no, full=False, comparison=comparison)
    except Unchanged as same:
        if _keep_same(runs, step, same.as_of, comparison, began):
            return
        # the stored snapshot does not stand for it any more: what was received is not there either
        found = runs.reader.read(club, club_no, full=False)
        comparison.stop()
    keep(runs, step, found, began, comparison)


def _comparison(runs: Runs, club_no: int) -> Comparison:
    with runs.base.club(club_no) as driver:
        return Comparison(queries().comparable_reading(driver, club=club_no))


def _keep_same(
    runs: Runs, step: Step, as_of: datetime, comparison: Comparison, began: Began
) -> bool:
    """Let the stored snapshot stand for a reading that would make the same one; False: it does not.

    Under the club's lock it is seen that its files are there, and that nobody was erased (R20), no other reading was
    stored or loaded, and the club was not moved to another ERP meanwhile.
    """
    sql, last, at = queries(), comparison.last, clock.now()
    club_no, path, number = runs.club_no(runs.club(step)), last["path"], last["snapshot"]
    if path is None or number is None or not comparison.is_same_day or as_of > at:
        return False
    with runs.base.club(club_no) as driver:
        sql.lock_club(driver, club=club_no)
        if sql.comparable_reading(driver, club=club_no) != last:
            return False
        loaded = last["certified_as_of"]
        if (loaded is not None and as_of < loaded) or not runs.store.is_whole(
            path, snapshots.FILES
        ):
            return False
        taken = sql.add_same_snapshot(
            driver,
            club=club_no,
            run=run_of(step),
            snapshot=number,
            as_of=as_of,
            began_at=min(began.at, as_of),
            read_at=at,
        )
        assert taken is not None  # the row just written
    step["certified"], step["as_of"] = True, as_of.isoformat()
    step["read"], step["snapshot"] = taken["customers"], taken["snapshot"]
    return True


def keep(
    runs: Runs, step: Step, read: Reading, began: Began, comparison: Comparison | None = None
) -> None:
    """Store a reading as a snapshot, unless it cannot be believed (R14).

    :param comparison: what was received, where the next reading may be compared with it.
    :raises ReadingNotUsed: it is older than what is loaded, or dated later than now (R16); or the club was moved to
        another ERP meanwhile, whose ids mean other people (R1).
    """
    club = runs.club(step)
    club_no = runs.club_no(club)
    with runs.base.club(club_no) as driver:
        filtered = queries().last_erasure(driver, club=club_no)
    reading = _compared(runs, club_no, club, _dated(step, read))
    with_ids = runs.reader.with_rows_without_id(reading, club_no)
    certificate = reading.certificate
    step["certified"], step["as_of"] = certificate.complete, reading.as_of.isoformat()
    others = 0 if reading.others is None else reading.others.height
    step["read"], step["doubts"] = reading.customers.height - others, list(certificate.doubts)
    step["notes"].extend((*read.notes, *certificate.doubts))
    kept = None
    while kept is None:
        # who is erased while it is stored is filtered out, and what is left is stored in its own folder
        with runs.base.club(club_no) as driver:
            orders = queries().last_erasure(driver, club=club_no)
            erased = Erased.read(driver, club_no, run=run_of(step))
            if orders == filtered:
                erased = replace(erased, ids=frozenset())  # it lacks them already
            left = erased.of_reading(with_ids)
        step["read"] -= with_ids.customers.height - left.customers.height
        with_ids, filtered = left, orders
        told = comparison.hash_of(with_ids, orders) if comparison is not None else None
        kept = _kept(runs, step, with_ids, orders, began, told)
    snapshot, state, overtaken = kept
    step["snapshot"] = snapshot.number
    loaded = state["certified_as_of"]
    if "past" not in step and loaded is not None and reading.as_of < loaded and not overtaken:
        # it is stored all the same: it fills the history
        raise _old(step, reading, loaded)
    runs.handed(step).snapshot = snapshot


def _kept(
    runs: Runs, step: Step, reading: Reading, orders: int, began: Began, told: bytes | None
) -> tuple[snapshots.Snapshot, ClubStateRow, bool] | None:
    """Store a reading under the club's lock; None: somebody was erased meanwhile (R20).

    :param reading: with the rows without an id among its customers.
    :param orders: the last erasure that is filtered out of it.
    :param told: what the next reading may be compared with.
    :returns: the snapshot, the club's state then, and whether another reading has overtaken this one (R16).
    """
    sql, club = queries(), runs.club(step)
    club_no = runs.club_no(club)
    customers, content_hash = snapshots.prepare(reading)
    path = snapshots.path_of(club.id, content_hash)
    named = {target for of in _targets(reading) for target in of}
    numbers = {target: runs.club_no(runs.config.club(target)) for target in sorted(named)}
    with runs.base.club(club_no) as driver:
        # committed before the first file is there: whatever kills this process, the folder has a row
        sql.add_folder(driver, club=club_no, path=path, at=clock.now())
    with runs.base.club(club_no) as driver:
        sql.lock_club(driver, club=club_no)
        if sql.last_erasure(driver, club=club_no) != orders:
            return None
        state = sql.club_state(driver, club=club_no)
        if state["epoch"] != began.epoch:
            step["used"] = False
            raise ReadingNotUsed(
                f"{club.name} was moved to another ERP while it was read: nothing of this reading was used.",
                remedy="No action needed: the next sync reads the new ERP.",
            )
        if reading.since is None:  # that little has changed, or only newcomers, is no outage
            known = customers
            if reading.without_id is not None:
                known = customers.filter(~pl.col("erp_id").str.starts_with(WITHOUT_ID))
            reject_implausible(
                club, known, reading.conflicting_ids, content_hash, state, driver, club_no
            )
        _write(runs, path, customers, reading)
        taken = _add(driver, club_no, reading, customers.height, content_hash, path, began, told)
        sql.run_snapshot(
            driver, club=club_no, run=run_of(step), snapshot=taken["snapshot"], read=step["read"]
        )
        together.keep_moves(driver, club_no, reading, reading.as_of, numbers)
        overtaken = sql.overtaken(driver, club=club_no, run=run_of(step), at=clock.now())
    snapshot = snapshots.Snapshot(
        club=club.id,
        number=taken["snapshot"],
        as_of=reading.as_of,
        certified=reading.certificate.complete,
        customers=customers,
        groups=reading.groups,
        conflicting_ids=reading.conflicting_ids,
        ambiguous_ids=reading.ambiguous_ids,
        content_hash=content_hash,
        path=path,
        epoch=state["epoch"],
        began_at=taken["began_at"],
        read_at=taken["read_at"],
        consistency=taken["consistency"],
        memberships=taken["memberships"],
    )
    return snapshot, state, bool(overtaken)


def _targets(reading: Reading) -> Iterable[list[str]]:
    """R29: the clubs that records name which are not the club's own."""
    return [] if reading.others is None else reading.others["targets"]


def _compared(runs: Runs, club_no: int, club: ClubConfig, read: Reading) -> Reading:
    """The reading with its ids, and with what the end of its file says of it (R14)."""
    reading = runs.reader.identified(read, club, club_no)
    if reading.others is not None:
        # of a chain: the file was compared as a whole
        others = reading.others.select(reading.customers.columns)
        return replace(reading, customers=pl.concat([reading.customers, others]))
    if reading.file is None:
        return reading
    with runs.base.club(club_no) as driver:
        state = queries().club_state(driver, club=club_no)
        before = queries().last_certified_file(driver, club=club_no)

    def limit() -> int:
        """Access losses that pass the guard: none while a hold is open, which everybody joins (R15)."""
        with runs.base.club(club_no) as driver:
            if queries().open_hold(driver, club=club_no) is not None:
                return 0
            return club.guard.limit(queries().customers_in_group(driver, club=club_no))

    last = endings.last_of(reading)
    reading = endings.compared(
        reading,
        before,
        club=club.id,
        customers=state["certified_rows"] or 0,
        limit=limit,
        confirmed=state["confirmed_same_club"],
    )
    assert reading.file is not None
    return replace(reading, file=replace(reading.file, last=last))


def _add(
    driver: Driver,
    club_no: int,
    reading: Reading,
    customers: int,
    content_hash: str,
    path: str,
    began: Began,
    told: bytes | None,
) -> AddSnapshotRow:
    """Write the row of a snapshot; what it says of the reading."""
    certificate, file = reading.certificate, reading.file
    taken = queries().add_snapshot(
        driver,
        club=club_no,
        as_of=reading.as_of,
        began_at=min(began.at, reading.as_of) if reading.paged else began.at,
        read_at=clock.now(),
        consistency=str(reading.consistency) if certificate.settled else MAY_BE_TRUNCATED,
        memberships=reading.memberships.proof if reading.memberships else None,
        certified=certificate.complete,
        doubts=list(certificate.doubts),
        customers=customers,
        rows_read=certificate.rows,
        content_hash=content_hash,
        path=path,
        epoch=began.epoch,
        columns=list(reading.columns),
        column_of=json.dumps(dict(reading.column_of)),
        file=None if file is None else json.dumps(asdict(file)),
        reading_hash=told,
    )
    assert taken is not None  # the row just written
    return taken


def _dated(step: Step, reading: Reading) -> Reading:
    """R14, R16: the reading, its `as_of` not later than now.

    :raises ReadingNotUsed: it is dated later than now; the reading of a past interval is as old as was asked for. Or
        it is dated so that no clock shows it.
    """
    now = clock.now()
    if moments.in_range(reading.as_of) is None:
        step["used"] = False
        raise ReadingNotUsed(
            f"The data of {step['name']} are dated {reading.as_of:%Y-%m-%d}, which cannot be right: nothing of them "
            "was used.",
            remedy="Correct the clock of the machine that writes the data, and export again. Until then the club's "
            "data count as stale.",
        )
    if "past" in step or reading.as_of <= now or clock.stamped_now(reading.as_of):
        return reading
    if reading.as_of <= now + SKEW:
        return replace(reading, as_of=now)
    step["used"], step["as_of"] = False, reading.as_of.isoformat()
    dated, time = f"{reading.as_of:%Y-%m-%d %H:%M:%S}", f"{now:%H:%M:%S}"
    raise ReadingNotUsed(
        f"{reading.file.name} is dated {dated} UTC, which is still to come: nothing of it was used."
        if reading.file is not None
        else f"The data of {step['name']} are dated {dated} UTC, which is still to come: nothing of them was used.",
        remedy=f"Here it is {time} UTC. Correct the clock or the time zone of the machine that writes the data, and "
        "export again. Until then the club's data count as stale.",
    )


def _old(step: Step, reading: Reading, loaded: datetime) -> ReadingNotUsed:
    """R16: nothing of a reading that is older than what is loaded is used, and that is not a success."""
    step["used"] = False
    dated, before = f"{reading.as_of:%Y-%m-%d %H:%M:%S}", f"{loaded:%Y-%m-%d %H:%M:%S}"
    return ReadingNotUsed(
        f"{reading.file.name} is dated {dated} UTC, older than the data of {before} UTC that are loaded: nothing of "
        "it was used."
        if reading.file is not None
        else f"The data of {step['name']} are dated {dated} UTC, older than those of {before} UTC that are loaded: "
        "nothing of them was used.",
        remedy="Export again. If an older file was put back, remove it; if a clock was set back, correct it. Until "
        "newer data come, the club's data count as stale.",
    )


def _write(runs: Runs, path: str, customers: pl.DataFrame, reading: Reading) -> None:
    """Store the reading's content, unless it is stored already.

    Written again is what lacks a file or a digest, or was damaged: after a removal that was interrupted, after an
    upgrade from a version without digests, or when a disk failed.
    """
    store = runs.store
    if store.is_whole(path, snapshots.FILES):
        return
    store.write(path, snapshots.GROUPS, reading.groups)
    unclear = [(i, False) for i in reading.conflicting_ids]
    unclear += [(i, True) for i in reading.ambiguous_ids]
    schema = {"erp_id": pl.String, "shown": pl.Boolean}
    store.write(path, snapshots.CONFLICTING, pl.DataFrame(unclear, schema=schema, orient="row"))
    # last: it says that the rest is there
    store.write(path, snapshots.CUSTOMERS, customers)
