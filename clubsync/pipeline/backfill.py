"""R26: the first stage of a backfill: take up what the ERP said in an interval of the past.

From the snapshot stored then, else from the ERP where it keeps its past, else the interval is covered by a
later reading; only where there is none is the club read, once, however many intervals are filled at a
time. The other stages follow as ever, and newest wins (R16).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.extract.schedule import next_slot
from clubsync.model import COVERED, FROM_ERP, READ_NOW, STORED, Step
from clubsync.pipeline import extract
from clubsync.pipeline.runs import Runs, run_of, take_from
from clubsync.store.database import queries
from connectors.sdk.errors import FileMissing

if TYPE_CHECKING:
    from clubsync.store.queries import NewestSnapshotInRow


def refill(
    runs: Runs, club_ids: Sequence[str], start: datetime, end: datetime, trigger: str
) -> list[Step]:
    """Take up an interval of the past, several clubs at a time.

    :param start, end: the interval, its end not included, UTC.
    """
    steps = [runs.start(club_id, trigger, attempt=False) for club_id in club_ids]
    return extract.at_once(runs, steps, _refill, start, end)


def _refill(runs: Runs, step: Step, start: datetime, end: datetime) -> None:
    """Take up one club's interval; of several backfills side by side one reads the ERP, for all."""
    club_no, interval = runs.club_no(runs.club(step)), f"{start:%d %B, %H:%M} to {end:%H:%M} UTC"
    before = _newest(runs, club_no)
    with runs.base.one_reader(club_no):
        if _from_store(runs, step, start, end):
            step["notes"].append(f"{interval}: from the snapshot stored then.")
            return
        if _from_erp(runs, step, start, end, interval):
            return
        now = _newest(runs, club_no)
        meanwhile = now is not None and (before is None or now["snapshot"] > before["snapshot"])
        loaded = now is not None and _is_loaded(runs, club_no, now)
        if now is not None and not loaded and (meanwhile or now["as_of"] >= end):
            _take_over(step, now, interval)
        elif now is not None and meanwhile:
            _end_covered(runs, step, now["as_of"], interval)
        else:
            _cover(runs, step, end, interval)


def _newest(runs: Runs, club_no: int) -> NewestSnapshotInRow | None:
    """The newest stored snapshot of the club's source, which may not be loaded yet."""
    sql, ever = queries(), datetime.max.replace(tzinfo=UTC)
    with runs.base.club(club_no) as driver:
        epoch = sql.club_state(driver, club=club_no)["epoch"]
        row = sql.newest_snapshot_in(
            driver, club=club_no, start=datetime.min.replace(tzinfo=UTC), until=ever
        )
    return row if row is not None and row["epoch"] == epoch else None


def _is_loaded(runs: Runs, club_no: int, snapshot: NewestSnapshotInRow) -> bool:
    """Whether a snapshot, or a later one, is loaded."""
    with runs.base.club(club_no) as driver:
        last = queries().newest_snapshot(driver, club=club_no)
    return last is not None and last >= snapshot["snapshot"]


def _take_over(step: Step, row: NewestSnapshotInRow, interval: str) -> None:
    """Plan what another run has just read, which may not come to load it."""
    step["past"] = STORED
    step["notes"].append(
        f"{interval}: from the reading of {row['as_of']:%d %B, %H:%M} UTC, which another run made."
    )
    take_from(step, row)


def _end_covered(runs: Runs, step: Step, as_of: datetime, interval: str) -> None:
    """End a run whose interval another run has filled meanwhile."""
    club_no = runs.club_no(runs.club(step))
    step["past"] = COVERED
    step["notes"].append(f"{interval}: the reading of {as_of:%d %B, %H:%M} UTC covers it (R26).")
    with runs.base.club(club_no) as driver:
        runs.end(driver, club_no, step, "done", "extract")


def _cover(runs: Runs, step: Step, end: datetime, interval: str) -> None:
    """Let a later reading stand for an interval of which nothing is known; make one where there is none."""
    club = runs.club(step)
    covered = _covered(runs, step, club, end)
    if covered is not None:
        title = runs.reader.connector(club).title
        step["notes"].append(
            f"{interval}: nothing was stored then and {title} answers for the present only; the reading "
            f"of {covered:%d %B, %H:%M} UTC covers it (R26)."
        )
        return
    step["past"], step["again"] = READ_NOW, False
    step["notes"].append(
        f"{interval}: nothing was stored then; one reading now stands for all that was missed (R26)."
    )
    extract.read(runs, step, full=True)


def _from_store(runs: Runs, step: Step, start: datetime, end: datetime) -> bool:
    club_no = runs.club_no(runs.club(step))
    with runs.base.club(club_no) as driver:
        # of several the newest: the others are older, and would only be history
        stored = queries().newest_snapshot_in(driver, club=club_no, start=start, until=end)
    if stored is None:
        return False
    step["past"] = STORED
    take_from(step, stored)
    return True


def _from_erp(runs: Runs, step: Step, start: datetime, end: datetime, interval: str) -> bool:
    """Read the ERP as it was at the end of the interval, where it answers for the past."""
    club = runs.club(step)
    began = extract.begin(runs, runs.club_no(club))
    try:
        reading = runs.reader.past(club, runs.club_no(club), end - timedelta(microseconds=1))
    except FileMissing:
        return False
    if reading is None or reading.as_of < start:
        return False
    step["past"] = FROM_ERP
    step["notes"].append(f"{interval}: from what the ERP had written by then.")
    extract.keep(runs, step, reading, began)
    return True


def _covered(runs: Runs, step: Step, club: ClubConfig, end: datetime) -> datetime | None:
    """When a reading that covers the interval was made; None: there is none, and this run is to read.

    Several intervals are filled at a time: the first of them reads, for all.
    """
    club_no, at, sql = runs.club_no(club), clock.now(), queries()
    with runs.base.club(club_no) as driver:
        sql.lock_club(driver, club=club_no)
        state = sql.club_state(driver, club=club_no)
        last = state["last_success_at"]
        begun = state["last_attempt_at"] if state["failing_since"] is None else None
        covered: datetime | None = max(filter(None, (last, begun)), default=None)
        if covered is not None and covered >= end:
            step["past"] = COVERED
            runs.end(driver, club_no, step, "done", "extract")
            return covered
        sql.attempt_club(driver, club=club_no, at=at, next_read_at=next_slot(club.every, at))
        sql.answer_nudges(driver, club=club_no, run=run_of(step), at=at)
    return None
