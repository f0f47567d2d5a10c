"""Where the time of runs goes: what each stage spends on each club, and what it waits for.

What a club's own thread does is the club's. What a stage does for all clubs of a batch at once, in one frame or
before the first of them, is divided evenly among the clubs that it worked on; so is the CPU of Polars' threads
while several clubs are read at a time. What a process does after a run has ended, such as the commit of its last
transaction, is in no profile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from clubsync.model import Step
from clubsync.store import profile
from clubsync.store.profile import Profile, place, total_place
from connectors.sdk import meter
from connectors.sdk.meter import Meter

_WAITED = (meter.ERP, meter.DATABASE, meter.STORE)


def profile_of(step: Step) -> Profile:
    """What the step's run has spent so far."""
    return step.setdefault("profile", profile.empty())


def seconds_in(stage: str, step: Step) -> float | None:
    """Seconds that a stage has spent on a club; None: it has not been through it."""
    return profile_of(step)[place(stage, "wall")] or None


@dataclass
class _Moment:
    """Clocks that are read together.

    :param at: seconds since 1970, which other processes share.
    """

    wall: float = field(default_factory=time.perf_counter)
    process: float = field(default_factory=time.process_time)
    thread: float = field(default_factory=time.thread_time)
    at: float = field(default_factory=time.time)


@dataclass
class _Working:
    """A stage at work on a club in this thread, since its numbers were last added.

    :param begun: how many had begun until then.
    :param alone: no other club was being worked on then.
    """

    stage: str
    step: Step
    meter: Meter
    begun: int
    alone: bool
    since: _Moment = field(default_factory=_Moment)


@dataclass
class Timing:
    """The clocks of one process.

    :param due_since: when Airflow's run, or its task, was due to start: seconds since 1970; None: not under Airflow.
    """

    due_since: float | None = None
    _opened: _Moment | None = None
    _batch_at: float | None = None
    _begun: int = 0
    _active: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _here: threading.local = field(default_factory=threading.local)

    def opened(self, moment: _Moment | None = None) -> None:
        """The process has begun to work for the stage that comes next.

        :param moment: when; None: now.
        """
        self._opened = moment or _Moment()

    # --- one club --------------------------------------------------------------------------------

    @contextmanager
    def club(self, stage: str, step: Step) -> Iterator[None]:
        """A stage works on a club, in this thread."""
        self._clocked(stage, step)
        with self._lock:
            self._begun += 1
            working = _Working(stage, step, Meter(), self._begun, self._active == 0)
            self._active += 1
        before, self._here.working = getattr(self._here, "working", None), working
        try:
            with meter.metering(working.meter):
                yield
        finally:
            self._here.working = before
            self._add(working)
            with self._lock:
                self._active -= 1

    def _add(self, working: _Working) -> None:
        """Add to the profile what was spent since it was last added."""
        now, since, told = _Moment(), working.since, profile_of(working.step)
        with self._lock:
            # others have the process's other threads
            alone = working.alone and self._begun == working.begun
        cpu = now.process - since.process if alone else now.thread - since.thread
        _spend(told, working.stage, now.wall - since.wall, cpu, working.meter)
        working.since, working.meter.seconds = now, {}
        working.meter.requests = working.meter.received = 0

    def so_far(self, step: Step) -> Profile:
        """The step's profile for the statement that ends its run."""
        working = getattr(self._here, "working", None)
        if working is not None and working.step is step:
            self._add(working)
        told = profile_of(step)
        if clocked := step.get("clocked"):
            told[total_place("elapsed")] = max(0.0, time.time() - clocked[0])
        return profile.stored(told)

    @contextmanager
    def together(self, stage: str, steps: Sequence[Step]) -> Iterator[None]:
        """Work in this thread for several clubs at once, which is divided among them."""
        since, shared = _Moment(), Meter()
        try:
            with meter.metering(shared):
                yield
        finally:
            now = _Moment()
            _divide(stage, steps, now.wall - since.wall, now.thread - since.thread, shared)

    def _clocked(self, stage: str, step: Step) -> None:
        """Note when a run began, and what Airflow took before it, if it is new."""
        if "clocked" in step:
            return
        at = self._batch_at or time.time()
        due = at if self.due_since is None else min(at, self.due_since)
        step["clocked"] = [due, 0.0]
        profile_of(step)[place(stage, "airflow")] += at - due

    # --- a batch ---------------------------------------------------------------------------------

    @contextmanager
    def batch(self, stage: str, steps: Sequence[Step] = ()) -> Iterator[list[Step]]:
        """A stage works on a batch of clubs.

        :param steps: of the clubs, from the stage before.
        :returns: the same, to which a stage that starts runs adds theirs.
        """
        clubs = [step for step in steps if step["error"] is None]
        began = self._opened or _Moment()
        self._opened, self._batch_at = None, began.at
        self._awaited(stage, clubs, began.at)
        before = [_own(stage, step) for step in clubs]
        # first, for the runs that this stage ends
        _divide(stage, clubs, *_since(began), Meter())
        started, shared = _Moment(), Meter()
        try:
            with meter.metering(shared):
                yield clubs
        finally:
            known = len(before)
            lead = started if known else began
            before += [(0.0, 0.0)] * (len(clubs) - known)
            self._share(stage, clubs, before, lead, shared)
            self._batch_at = None
            for step in clubs:
                self._clocked(stage, step)
                step["clocked"][1] = time.time()

    def _share(
        self,
        stage: str,
        clubs: Sequence[Step],
        before: Sequence[tuple[float, float]],
        since: _Moment,
        shared: Meter,
    ) -> None:
        """Divide what the batch took beyond its clubs' own."""
        worked, wall, cpu = [], 0.0, 0.0
        for step, (wall_before, cpu_before) in zip(clubs, before, strict=True):
            wall_now, cpu_now = _own(stage, step)
            if wall_now > wall_before:
                worked.append(step)
            wall, cpu = wall + wall_now - wall_before, cpu + cpu_now - cpu_before
        took, used = _since(since)
        _divide(stage, worked, max(0.0, took - wall), max(0.0, used - cpu), shared)

    def _awaited(self, stage: str, clubs: Sequence[Step], at: float) -> None:
        """What Airflow took from the end of the stage before until this one worked."""
        for step in clubs:
            self._clocked(stage, step)
            ended = step["clocked"][1]
            if ended and self.due_since is not None:
                profile_of(step)[place(stage, "airflow")] += max(0.0, at - ended)


def _own(stage: str, step: Step) -> tuple[float, float]:
    told = profile_of(step)
    return told[place(stage, "wall")], told[place(stage, "cpu")]


def _since(moment: _Moment) -> tuple[float, float]:
    """Wall and CPU seconds of the process since then."""
    now = _Moment()
    return now.wall - moment.wall, now.process - moment.process


def _divide(stage: str, clubs: Sequence[Step], wall: float, cpu: float, spent: Meter) -> None:
    """Divide what was done for all of these clubs at once evenly among them."""
    for step in clubs:
        told = profile_of(step)
        told[place(stage, "wall")] += wall / len(clubs)
        told[place(stage, "cpu")] += cpu / len(clubs)
        told[place(stage, "clubs")] = len(clubs)
        for name in _WAITED:
            told[place(stage, name)] += spent.seconds.get(name, 0.0) / len(clubs)
        told[total_place("requests")] += spent.requests / len(clubs)
        told[total_place("received")] += spent.received / len(clubs)


def _spend(told: Profile, stage: str, wall: float, cpu: float, spent: Meter) -> None:
    told[place(stage, "wall")] += wall
    told[place(stage, "cpu")] += cpu
    for name in _WAITED:
        told[place(stage, name)] += spent.seconds.get(name, 0.0)
    told[total_place("requests")] += spent.requests
    told[total_place("received")] += spent.received
