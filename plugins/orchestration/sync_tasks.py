"""What the tasks of a sync do: ids and counts in, ids and counts out, the engine in between.

A ``Step`` is what the engine says of one club after a stage. Clubs that failed travel on with their
error, and the stages leave them alone.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from clubsync.config import load_config
from clubsync.operate import telemetry
from plugins.dag_ids import SYNC_ONE
from plugins.orchestration.failures import ClubFailed, plain_words, without_values, worth_retrying

if TYPE_CHECKING:
    from clubsync.model import Step
    from clubsync.pipeline.engine import Pipeline
else:  # Dag files come by here, and the engine brings Polars with it
    Step = dict

log = logging.getLogger(__name__)

Batch = list[str]
Loaded = Iterable[list[Step] | Step | None] | None

SMALLEST_BATCH = 25
"""Clubs. A task costs a third of a CPU-second before it does anything."""

MOST_RETRIED = 100
"""Clubs tried again in one run. When more fail, it is their ERP that is down, and hundreds of tasks
would only hold up the next run, which tries them all; Airflow maps no more than 1024 anyway."""


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    """The engine, with Airflow's connections; its runs say which task they are part of."""
    from clubsync.model import Origin
    from clubsync.pipeline.engine import Pipeline
    from plugins.connections import resolver

    with Pipeline.from_environment(connections=resolver.resolve) as engine:
        task = get_current_context()["ti"]
        index = -1 if task.map_index is None else task.map_index
        engine.origin = Origin(task.dag_id, task.run_id, task.task_id, index)
        yield engine


@contextmanager
def _stage(name: str) -> Iterator[Pipeline]:
    """The engine for a stage over a batch, with the stage on the clock."""
    with pipeline() as engine, telemetry.stage(name):
        yield engine
    telemetry.flush()


def slots() -> int:
    """How many batches can run at a time: ``CLUBSYNC_SLOTS``, else two for each core."""
    return int(os.environ.get("CLUBSYNC_SLOTS") or 2 * (os.cpu_count() or 1))


def batches(clubs: Sequence[str], slots: int) -> list[Batch]:
    """The clubs dealt out evenly over at most ``slots`` batches, of at least 25 where there are
    several."""
    if not clubs:
        return []
    count = max(1, min(slots, len(clubs) // SMALLEST_BATCH))
    size = ceil(len(clubs) / count)
    return [list(clubs[start : start + size]) for start in range(0, len(clubs), size)]


def label(names: Sequence[str]) -> str:
    """A batch's name in the UI: its clubs while they are few, else the first and how many more."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1} more"


def instance_label(task: Any) -> str:
    """What the UI shows for a mapped instance in place of its number, from its one argument: club
    ids, steps, or a step. Airflow asks before the task runs, and again when it ends."""
    given = next(iter([*task.op_args, *task.op_kwargs.values()]))
    if isinstance(given, dict):
        return str(given["name"])
    names = {club.id: club.name for club in load_config().clubs}
    return label([names.get(one, one) if isinstance(one, str) else one["name"] for one in given])


@without_values()
def find_due(erp: str) -> list[Batch]:
    """The clubs to read in this run, in batches.

    A scheduled run takes those whose time has come; one started by hand takes the clubs chosen in
    its form, or all of the ERP's.
    """
    context = get_current_context()
    run, chosen = context["dag_run"], context["params"].get("clubs") or None
    ours = {club.id: club.name for club in load_config().of_erp(erp)}
    if strangers := [club for club in chosen or [] if club not in ours]:
        raise AirflowFailException(f"{erp} has no club {', '.join(strangers)} in clubs.yaml.")
    if chosen is None and run.run_type == "manual":
        chosen = list(ours)
    with pipeline() as engine:
        if _trigger(context) == "backfill":
            due = engine.alive(erp, chosen)
        else:
            due = engine.due(erp, _moment(context), chosen)
    log.info("%d of %d clubs are due.", len(due), len(ours))
    return batches(due, slots())


@without_values()
def extract(clubs: Batch) -> list[Step]:
    """Read the clubs from their ERP into snapshots; in a backfill, take up what they were then."""
    context = get_current_context()
    with _stage("extract") as engine:
        if _trigger(context) == "backfill":
            start, end = (
                context["dag_run"].data_interval_start,
                context["dag_run"].data_interval_end,
            )
            if start is None or end is None:
                raise AirflowFailException("A backfill run without an interval fills nothing.")
            steps = engine.refill(clubs, start, end)
            for step in steps:
                log.info("%s: %s", step["name"], " ".join(step["notes"]) or step["error"])
            return _told(steps)
        return _told(engine.extract(clubs, _trigger(context), full=context["params"]["full"]))


@without_values()
def validate(steps: list[Step]) -> list[Step]:
    """Judge the snapshots by the suites in ``expectations/``."""
    with _stage("validate") as engine:
        return _told(engine.validate(steps))


@without_values()
def diff(steps: list[Step]) -> list[Step]:
    """Plan what has to change in the club base."""
    with _stage("diff") as engine:
        return _told(engine.diff(steps))


@without_values()
def load(steps: list[Step]) -> list[Step]:
    """Apply the plans, one transaction per club."""
    with _stage("load") as engine:
        return _told(engine.load(steps, dry_run=get_current_context()["params"]["dry_run"]))


@without_values()
def find_failed(due: list[Batch] | None, loaded: Loaded) -> list[Step]:
    """The clubs to try again, each by itself: those with an error, and those whose batch never
    came to its end."""
    failed = [step for step in _last_steps(due, loaded).values() if step["error"]]
    for step in failed:
        log.warning("%s: %s", step["name"], step["error"])
    if len(failed) > MOST_RETRIED:
        log.warning(
            "%d clubs failed: their ERP is down, or we are. %d are tried again now, all of them in"
            " the next run.",
            len(failed),
            MOST_RETRIED,
        )
    return failed[:MOST_RETRIED]


@without_values()
def sync_again(failed: Step) -> Step:
    """All four stages for one club that failed in its batch.

    :raises ClubFailed: it failed again, or nothing would be gained by trying.
    """
    context = get_current_context()
    # An ERP that refused a key need not be asked again with the same one, and may lock the account.
    # When a person clears this task, that is the second try, and it is made.
    if context["ti"].try_number == 1 and not worth_retrying(failed):
        raise ClubFailed(failed)
    return _sync(failed["club"], context)


@without_values()
def sync_chosen() -> Step:
    """All four stages for the one club of the form.

    :raises ClubFailed: it failed.
    """
    context = get_current_context()
    return _sync(context["params"]["club"], context)


@without_values()
def report(
    due: list[Batch] | None,
    loaded: Loaded,
    retried: Iterable[Step] | None,
) -> None:
    """Say what the run did; red exactly when a club finally failed.

    :raises AirflowFailException: clubs failed, or the run never came to know which were due.
    """
    if due is None:
        raise AirflowFailException("It could not be found out which clubs were due: see `due`.")
    last = _last_steps(due, loaded)
    last.update({step["club"]: step for step in retried or [] if step})
    failed = [step for step in last.values() if step["error"]]
    done = [step for step in last.values() if not step["error"]]
    telemetry.of_steps(last.values(), load_config())
    log.info("%d of %d clubs synced%s", len(done), len(last), _in_words(_total(done)))
    for step in done:
        if step["held"]:
            log.warning(
                "%s: %d deactivations wait for a person, under Required Actions of held_changes in a"
                " minute: docs/runbooks/held-deactivations.md",
                step["name"],
                step["held"],
            )
    if not failed:
        return
    for step in failed:
        for line in plain_words(step):
            log.error(line)
    raise AirflowFailException(
        f"{len(failed)} of {len(last)} clubs were not synced: "
        + label([step["name"] for step in failed])
    )


# --- helpers ----------------------------------------------------------------------------------


def _sync(club: str, context: Any) -> Step:
    params = context["params"]
    with pipeline() as engine:
        (step,) = engine.sync(
            [club], _trigger(context), full=params["full"], dry_run=params["dry_run"]
        )
        if context["ti"].dag_id == SYNC_ONE:  # others are counted by `outcome`
            telemetry.of_steps([step], engine.config)
    if step["error"]:
        raise ClubFailed(step)
    _told([step])
    return step


def _trigger(context: Any) -> str:
    """scheduled, manual or backfill: why this run is."""
    return str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type))


def _moment(context: Any) -> datetime:
    """The time by which clubs are due: the end of the run's interval, or now for one by hand."""
    from clubsync.clock import now

    end = context["dag_run"].data_interval_end
    return now() if end is None or _trigger(context) == "manual" else end


def _told(steps: Sequence[Step]) -> list[Step]:
    """The steps as they go to the next task, with a line on them in the log. The engine has written
    what went wrong with whom."""
    good = [step for step in steps if not step["error"]]
    log.info("%d of %d clubs%s", len(good), len(steps), _in_words(_total(good)))
    return list(steps)


def _total(steps: Iterable[Step]) -> Counter[str]:
    total: Counter[str] = Counter()
    for step in steps:
        total.update(step["counts"])
    return total


def _in_words(counts: Counter[str]) -> str:
    return "".join(f", {name} {count}" for name, count in sorted(counts.items()) if count)


def _last_steps(due: list[Batch] | None, loaded: Loaded) -> dict[str, Step]:
    """By club id: what was last known of each club that was due, before any retry."""
    names = {club.id: club.name for club in load_config().clubs}
    last = {club: _lost(club, names.get(club, club)) for batch in due or [] for club in batch}
    last.update({step["club"]: step for step in _flat(loaded)})
    return last


def _flat(loaded: Loaded) -> Iterator[Step]:
    """The steps of all batches. Airflow hands over the batches' lists in a list, that of an only
    batch without one around it, and None for no batch."""
    for one in loaded or []:
        if isinstance(one, list):
            yield from one
        elif one:
            yield one


def _lost(club: str, name: str) -> Step:
    """The step of a club whose batch ended before it could say anything."""
    return Step(
        club=club,
        name=name,
        run=None,
        snapshot=None,
        plan=None,
        certified=False,
        as_of=None,
        read=0,
        counts={},
        rows_written=0,
        findings={},
        hold=None,
        held=0,
        notes=[],
        error="The task that this club was read in broke off; the log of that task says why.",
        remedy="Nothing needs doing unless it lasts: the club is tried again by itself.",
        runbook="base-unreachable",
        transient=True,
        retry_after=None,
    )
