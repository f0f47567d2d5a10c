"""What the tasks of a sync do: a reference in, a reference out, the engine in between.

A ``Step`` is the result of a stage for one club: ids and counts. A club that failed is passed on with its error, and
the later stages skip it. The steps lie in the club base; through XCom goes where (``handing``).
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from clubsync.chains import Chain, chains
from clubsync.config import load_config
from clubsync.operate import telemetry
from connectors.sdk.messages import message
from plugins.dag_ids import SYNC_ONE
from plugins.orchestration import assets, handing, lineage, notes
from plugins.orchestration.failures import (
    ClubFailed,
    RunFailed,
    explanation,
    page_of,
    without_values,
    worth_retrying,
)
from plugins.orchestration.handing import Ref, Refs
from plugins.orchestration.pools import slots

if TYPE_CHECKING:
    from clubsync.model import Step
    from clubsync.pipeline.engine import Pipeline
    from clubsync.store.database import Base

log = logging.getLogger(__name__)

Batch = list[str]

SMALLEST_BATCH = 25
"""Clubs. The start of a task costs a third of a CPU-second."""

CHATTY = (
    *("alembic", "asyncssh", "botocore", "great_expectations", "s3fs"),
    *("httpcore", "httpcore2", "httpx", "httpx2", "openlineage", "airflow.providers.openlineage"),
)

MOST_RETRIED = 100
"""Clubs retried in one run. When more fail, their ERP is down, and hundreds of tasks would only delay the
next run, which syncs all of them; and Airflow maps at most 1024."""


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    """The engine with Airflow's connections; its runs are recorded with their task."""
    from clubsync.model import Origin
    from clubsync.pipeline.engine import Pipeline
    from plugins.connections import resolver

    _quieten()
    with Pipeline.from_environment(connections=resolver.resolve) as engine:
        context = get_current_context()
        task = context["ti"]
        index = -1 if task.map_index is None else task.map_index
        engine.origin = Origin(task.dag_id, task.run_id, task.task_id, index)
        engine.timing.due_since = _due_since(context).timestamp()
        yield engine


def _due_since(context: Any) -> datetime:
    """From when on a club's run waits for Airflow: the start of the Dag run; of a task that is tried or retried later,
    its own."""
    task, run = context["ti"], context["dag_run"]
    later = task.try_number > 1 or task.task_id.endswith("retry_club")
    since: datetime | None = None if later else run.start_date
    return since or task.start_date


def _quieten() -> None:
    """Leave the log of a task to us: what libraries tell at INFO is of no use to support."""
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)
    warnings.simplefilter("ignore", DeprecationWarning)


@contextmanager
def club_base() -> Iterator[Base]:
    """The club base, for a task that only takes and hands on."""
    from clubsync.store.database import Base

    _quieten()
    base = Base(pool_size=1)
    try:
        yield base
    finally:
        base.close()


@contextmanager
def _explained() -> Iterator[Pipeline]:
    """The engine for a task whose log ends with the explanation of a failure: it is said there, and only there."""
    with pipeline() as engine:
        engine.explain = False
        yield engine


@contextmanager
def _stage(name: str) -> Iterator[Pipeline]:
    """The engine for a stage over a batch; the stage is timed."""
    began = time.perf_counter()
    with pipeline() as engine, telemetry.stage(name):
        yield engine
    telemetry.flush()
    log.info("%s took %.1f s.", name.capitalize(), time.perf_counter() - began)


def batches(
    clubs: Sequence[str], slots: int, chained: Mapping[str, Chain] | None = None
) -> list[Batch]:
    """The clubs, split evenly into at most ``slots`` batches, each of at least 25 if there are several.

    :param chained: the chain of each club that is in one (R29): its clubs share a batch.
    """
    if not clubs:
        return []
    count = max(1, min(slots, len(clubs) // SMALLEST_BATCH))
    size = ceil(len(clubs) / count)
    of, units = chained or {}, dict[str, list[str]]()
    for club in clubs:
        units.setdefault(of[club].key if club in of else club, []).append(club)
    found: list[Batch] = [[]]
    for read_together in units.values():
        if found[-1] and len(found[-1]) + len(read_together) > size and len(found) < count:
            found.append([])
        found[-1].extend(read_together)
    return found


def instance_label(task: Any) -> str:
    """The label of a mapped row by its only argument, a reference. Airflow renders it before the task runs; afterwards
    the task has told how its clubs fared (``notes.LABEL``)."""
    return handing.label(next(iter([*task.op_args, *task.op_kwargs.values()])))


@without_values()
def find_due(erp: str) -> list[Ref]:
    """The clubs to sync in this run, in batches.

    A scheduled run takes the clubs that are due; a manual run takes those chosen in its form, or all
    clubs of the ERP.
    """
    context = get_current_context()
    run, chosen = context["dag_run"], context["params"].get("clubs") or None
    ours = {club.id: club.name for club in load_config().of_erp(erp)}
    if unknown := [club for club in chosen or [] if club not in ours]:
        raise RunFailed(f"clubs.yaml has no club {', '.join(unknown)} with ERP {erp}.")
    if chosen is None and run.run_type == "manual":
        chosen = list(ours)
    with pipeline() as engine:
        if _trigger(context) == "backfill":
            due = engine.alive(erp, chosen)
        else:
            due = engine.due(erp, _moment(context), chosen)
        log.info("%d of %d clubs are due.", len(due), len(ours))
        dealt = batches(due, slots(), chains(load_config().clubs))
        return handing.small(
            [
                handing.clubs(engine.base, batch, [ours.get(club, club) for club in batch])
                for batch in dealt
            ]
        )


@without_values()
def extract(batch: Ref) -> Ref:
    """Read the clubs from their ERP into snapshots; in a backfill, restore their state of that time."""
    context = get_current_context()
    with _stage("extract") as engine:
        clubs: Batch = handing.taken(engine.base, batch)
        if _trigger(context) == "backfill":
            start, end = (
                context["dag_run"].data_interval_start,
                context["dag_run"].data_interval_end,
            )
            if start is None or end is None:
                raise RunFailed("A backfill run needs a data interval.")
            steps = engine.refill(clubs, start, end)
        else:
            steps = engine.extract(clubs, _trigger(context), full=context["params"]["full"])
        lineage.read(steps)
        return _handed_on(engine, steps)


@without_values()
def validate(batch: Ref) -> Ref:
    """Evaluate the snapshots by the suites in ``expectations/``."""
    with _stage("validate") as engine:
        return _handed_on(engine, engine.validate(handing.taken(engine.base, batch)))


@without_values()
def diff(batch: Ref) -> Ref:
    """Plan the changes of the club base."""
    with _stage("diff") as engine:
        return _handed_on(engine, engine.diff(handing.taken(engine.base, batch)))


@without_values()
def load(batch: Ref) -> Ref:
    """Apply the plans, one transaction per club."""
    dry_run = get_current_context()["params"]["dry_run"]
    with _stage("load") as engine:
        loaded = engine.load(handing.taken(engine.base, batch), dry_run=dry_run)
        if not dry_run:
            lineage.loaded(loaded)
        assets.announce(loaded)
        return _handed_on(engine, loaded)


@without_values()
def collect_failures(due: Refs, loaded: Refs) -> list[Ref]:
    """The clubs to retry, each in a task of its own: those with an error, and those whose batch was
    interrupted. Clubs of a chain whose one reading failed are retried in one task."""
    from clubsync.pipeline.runs import counted, named

    with club_base() as base:
        failed = _once([step for step in _last_steps(base, due, loaded).values() if step["error"]])
        retried = failed[:MOST_RETRIED]
        refs = handing.each(base, retried, [_names(step) for step in retried])
    log.info("%s", f"{counted(len(failed), 'club')} failed." if failed else "No club failed.")
    for step in failed:
        log.warning("%s", named(step["name"], str(step["error"])))
    if len(failed) > MOST_RETRIED:
        log.warning(
            "%d clubs failed: either their ERP is down, or clubsync cannot connect. %d are retried now, the"
            " others in the next run.",
            len(failed),
            MOST_RETRIED,
        )
    return refs


@without_values()
def retry(failed_club: Ref) -> Ref:
    """All four stages for one club that failed in its batch, or for the clubs of a chain that failed together.

    :returns: where the club's step lies; of a chain the steps of its clubs, of which some may have failed alone.
    :raises ClubFailed: it failed again, or a retry would not help.
    """
    context = get_current_context()
    params = context["params"]
    with club_base() as base:
        (failed,) = handing.taken(base, failed_club)
    # A key that the ERP rejected is not tried again: the account might be locked. When somebody clears this
    # task, that is the second try, which is made.
    if context["ti"].try_number == 1 and not worth_retrying(failed):
        raise ClubFailed(failed)
    with _explained() as engine:
        if not failed.get("together"):
            return handing.steps(engine.base, [_sync(engine, failed["club"], context)])
        steps = engine.sync(
            failed["together"], _trigger(context), full=params["full"], dry_run=params["dry_run"]
        )
        if all(step["error"] for step in steps):
            raise ClubFailed(steps[0])
        if not params["dry_run"]:
            lineage.synced(steps)
        assets.announce(steps)
        return _handed_on(engine, steps)


@without_values()
def sync_chosen() -> Ref:
    """All four stages for the club of the form: its id, or its name.

    :returns: where its step lies.
    :raises ClubFailed: it failed.
    :raises RunFailed: there is no such club.
    """
    context = get_current_context()
    asked = str(context["params"]["club"]).strip()
    club = _club_of(asked)
    with _explained() as engine:
        try:
            step = _sync(engine, club, context)
        except ClubFailed as failure:
            _note(notes.of_club(failure.step))
            raise
        _note(notes.of_club(step))
        return handing.steps(engine.base, [step])


def _club_of(asked: str) -> str:
    """The id of the club that somebody typed.

    :raises RunFailed: there is none; the message names the most similar ones.
    """
    clubs = load_config().clubs
    for club in clubs:
        if asked == club.id or asked.casefold() == club.name.casefold():
            return club.id
    by_id = {club.id: f"{club.id} ({club.name})" for club in clubs}
    close = get_close_matches(asked.casefold(), by_id, n=3)
    hint = f" Did you mean {', '.join(by_id[one] for one in close)}?" if close else ""
    _note("No such club.")
    raise RunFailed(f"clubs.yaml has no club of that id or name.{hint}")


@without_values()
def report(due: Refs, loaded: Refs, retried: Refs) -> None:
    """Log the result of the run; it fails if at least one club failed in the end.

    :raises RunFailed: clubs failed, or it is unknown which clubs were due.
    """
    if due is None:
        _note("Could not determine which clubs are due.")
        raise RunFailed("Could not determine which clubs are due: see the log of `find_due`.")
    with club_base() as base:
        last = _last_steps(base, due, loaded)
        last.update({step["club"]: step for step in handing.all_taken(base, retried)})
    failed = [step for step in last.values() if step["error"]]
    done = [step for step in last.values() if not step["error"]]
    telemetry.of_steps(last.values(), load_config())
    _note(notes.of_run(last.values()))
    log.info("%d of %d clubs synced: %s.", len(done), len(last), _changes(done))
    for step in done:
        if source := notes.filled_from(step):
            log.info("%s: filled from %s.", step["name"], source)
    for step in done:
        if step["held"]:
            log.warning(
                "%s: %d deactivations awaiting approval; they appear under Required Actions of held_changes"
                " within a minute: %s/runbooks/held-deactivations",
                *(step["name"], step["held"], page_of(step["club"])),
            )
    if not failed:
        return
    for step in _once(failed):
        for line in explanation(step):
            log.error(line)
    raise RunFailed(
        f"{len(failed)} of {len(last)} clubs were not synced: "
        + notes.listed([step["name"] for step in failed])
    )


# --- helpers ----------------------------------------------------------------------------------


def _sync(engine: Pipeline, club: str, context: Any) -> Step:
    params = context["params"]
    (step,) = engine.sync([club], _trigger(context), full=params["full"], dry_run=params["dry_run"])
    if context["ti"].dag_id == SYNC_ONE:  # others are counted by `outcome`
        telemetry.of_steps([step], engine.config)
    if step["error"]:
        raise ClubFailed(step)
    if not params["dry_run"]:
        lineage.synced([step])
    assets.announce([step])
    return step


def _trigger(context: Any) -> str:
    """scheduled, manual or backfill."""
    return str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type))


def _moment(context: Any) -> datetime:
    """The time by which clubs are due: the end of the run's interval, or now for a manual run."""
    from clubsync.clock import now

    end = context["dag_run"].data_interval_end
    return now() if end is None or _trigger(context) == "manual" else end


def _handed_on(engine: Pipeline, steps: Sequence[Step]) -> Ref:
    """Hand the steps on to the next task; the row's label says who failed. The engine has logged a line for each."""
    get_current_context()[notes.LABEL] = notes.label(steps)  # type: ignore[literal-required]  # a variable of our own
    good = [step for step in steps if not step["error"]]
    if len(steps) > 1:
        log.info("%d of %d clubs done.", len(good), len(steps))
    return handing.steps(engine.base, steps)


def _note(text: str) -> None:
    """Hand the note of the run to the scheduler, also an empty one: an earlier try may have left one."""
    get_current_context()["ti"].xcom_push(key=notes.KEY, value=text)


def _changes(steps: Iterable[Step]) -> str:
    from clubsync.pipeline.runs import in_words

    total: Counter[str] = Counter()
    for step in steps:
        total.update(step["counts"])
    return in_words(total)


def _last_steps(base: Base, due: Refs, loaded: Refs) -> dict[str, Step]:
    """By club id: the last step of each club that was due, before any retry."""
    names = {club.id: club.name for club in load_config().clubs}
    last = {club: _lost(club, names.get(club, club)) for club in handing.all_taken(base, due)}
    last.update({step["club"]: step for step in handing.all_taken(base, loaded)})
    return last


def _names(failed: Step) -> list[str]:
    """Whose task a retry is: a club's name, or those of the clubs of a chain."""
    if not failed.get("together"):
        return [failed["name"]]
    known = {club.id: club.name for club in load_config().clubs}
    return [known.get(club, club) for club in failed["together"]]


def _once(failed: Iterable[Step]) -> list[Step]:
    """Failed clubs; of those of a chain that failed together one stands for all (R29)."""
    found: dict[str, Step] = {}
    for step in failed:
        found.setdefault(min(step.get("together") or [step["club"]]), step)
    return list(found.values())


def _lost(club: str, name: str) -> Step:
    """The step of a club whose batch was interrupted."""
    from clubsync.model import new_step

    step = new_step(club, name)
    step["error"] = message("The task that synced this club was interrupted; its log says why.")
    step["remedy"] = message(
        "No action needed unless it persists: the club is retried automatically."
    )
    step["runbook"], step["transient"], step["used"] = "base-unreachable", True, False
    return step
