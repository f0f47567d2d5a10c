"""Kills an action at a point, has it done again, and compares everything with an undisturbed twin."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import Any, ClassVar

import psutil

from clubsync.store import embedded
from tests.kills import actions, child, state
from tests.kills.actions import Action
from tests.kills.world import CLUB, GONE, OTHER, World


@dataclass
class Stages:
    """What is stored after the action, after the next sync, and after upkeep 40 days later."""

    done: state.Rows
    synced: state.Rows
    kept: state.Rows
    files: Any


@dataclass
class Told:
    """What came of one or more tries.

    :param lost, gained: access lost, or got, by whom the twin does not say so at any time.
    :param doubled: rows that the twin does not have.
    :param missing: rows that only the twin has.
    :param back: traces of who was erased or removed.
    :param files: stored files that the twin has not, or has only.
    """

    tries: int = 0
    lost: list[str] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def faults(self) -> list[str]:
        """All that is wrong, in words."""
        return [
            f"{name}: {what}"
            for name in ("lost", "gained", "doubled", "missing", "back", "files", "failed")
            for what in getattr(self, name)
        ]


@dataclass
class Prepared:
    """An action with what was before it: a database to copy, a folder to copy, and its twin.

    :param points: names of the points, in the order in which they are reached.
    :param known: the base customers that there were before.
    :param before, after: who is inside, before the action and after it.
    """

    action: Action
    world: World
    database: str
    points: list[str]
    known: list[int]
    before: state.People
    after: state.People
    twin: Stages


class Lab:
    """:param folder: for the stores."""

    #: of the server, where it is started again.
    settings: ClassVar[dict[str, str]] = {"fsync": "off", "shared_buffers": "64MB"}

    def __init__(self, server: embedded.Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([child.__name__])
        self._prepared: dict[str, Prepared] = {}
        self._timeless: dict[tuple[str, bool], Stages] = {}
        self._worlds: dict[actions.Act, tuple[World, str]] = {}
        self._found: dict[str, Any] = {}

    # --- databases and stores -------------------------------------------------------------------

    @contextmanager
    def copied(self, world: World, database: str) -> Iterator[World]:
        """A copy of a world, gone afterwards."""
        name = f"kill_{uuid.uuid4().hex[:12]}"
        folder = self.folder / name
        if world.store.exists():
            shutil.copytree(world.store, folder / "store")
        else:
            (folder / "store").mkdir(parents=True)
        self.server.create_database(name, template=database)
        try:
            yield world.copy(self.server.url(name), folder / "store")
        finally:
            self.server.drop_database(name)
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, world: World) -> str:
        """For psycopg itself."""
        return world.url.replace("+psycopg:", ":", 1)

    # --- children -------------------------------------------------------------------------------

    def start(self, world: World, action: str, suffix: str = "", **how: Any) -> BaseProcess:
        """Begin an action in a process of its own.

        :param suffix: tells two processes of one world apart.
        """
        out = self.out(world, action + suffix)
        out.unlink(missing_ok=True)
        process = self._context.Process(target=child.run, args=(world, action, out), kwargs=how)
        process.start()
        return process

    def out(self, world: World, action: str) -> Path:
        return world.store.parent / f"{action}.json"

    def end(
        self, process: BaseProcess, world: World, action: str, suffix: str = ""
    ) -> dict[str, Any] | None:
        """Wait for it; what it has to say, None where it was killed."""
        process.join()
        killed, out = process.exitcode == -SIGKILL, self.out(world, action + suffix)
        process.close()
        if killed:
            return None
        told: dict[str, Any] = json.loads(out.read_text())
        return told

    # --- an action ------------------------------------------------------------------------------

    def prepared(self, name: str) -> Prepared:
        """The action with its twin; made once."""
        if name not in self._prepared:
            self._prepared[name] = self._prepare({**actions.ACTIONS, **actions.PAIRED}[name])
        return self._prepared[name]

    def _prepare(self, action: Action) -> Prepared:
        world, database = self._before(action.prepare)
        with self.copied(world, database) as one:
            known = state.numbers(self.url(one))
            before = state.people(self.url(one), known)
            action.act(one)
            action.finish(one)
            after = state.people(self.url(one), known)
            twin = self._stages(action, one, times=not action.late)
        with self.copied(world, database) as one:
            told = self.end(self.start(one, action.name), one, action.name)
            assert told is not None
            assert told["error"] is None, told["error"]
        points = list(dict.fromkeys(told["points"]))
        return Prepared(action, world, database, points, known, before, after, twin)

    def _before(self, prepare: actions.Act) -> tuple[World, str]:
        """A world in which what was before an action has happened, and its database; made once."""
        if prepare not in self._worlds:
            database = f"before_{uuid.uuid4().hex[:12]}"
            self.server.create_database(database)
            world = World(self.server.url(database), self.folder / database, found=self._found)
            world.store.mkdir()
            prepare(world)
            self._worlds[prepare] = world, database
        return self._worlds[prepare]

    def twin(self, prepared: Prepared, fault: str) -> list[Stages]:
        """What may be stored where nobody disturbed.

        After a jump of the clock, without when. Nothing was killed then, so that doing it again is a second reading: by
        the clock it was begun after the first had ended, and confirms what that suspected (R14), or it was not.
        """
        action = prepared.action
        if action.late or "clock" not in fault:
            return [prepared.twin]
        return [self._without_times(prepared, again=again) for again in (False, True)]

    def _without_times(self, prepared: Prepared, *, again: bool) -> Stages:
        action = prepared.action
        key = action.name, again
        if key not in self._timeless:
            with self.copied(prepared.world, prepared.database) as one:
                action.act(one)
                if again:
                    one.later()
                    action.repeat(one)
                action.finish(one)
                self._timeless[key] = self._stages(action, one, times=False)
        return self._timeless[key]

    def _stages(self, action: Action, world: World, *, times: bool) -> Stages:
        done = state.rows(self.url(world), times=times) if not action.late else {}
        read = state.snapshots(self.url(world))
        if action.name == "migrate":
            return Stages(done, done, done, state.files(world.store))
        synced = done
        if action.syncs:
            world.later()
            world.sync()
            synced = state.rows(self.url(world), times=times)
            read |= state.snapshots(self.url(world))
        world.later(days=40)
        actions.keep_house(world)
        kept = state.rows(self.url(world), read=read, times=times)
        return Stages(done, synced, kept, state.files(world.store))

    def kill(self, name: str, point: str) -> Told:
        """Kill the action there, do it again, and compare."""
        return self.disturb(name, point, "kill")

    def disturb(self, name: str, point: str, fault: str) -> Told:
        """Disturb the action there, do it again, and compare.

        :param fault: one of `plan.FAULTS`.
        """
        prepared = self.prepared(name)
        action, told = prepared.action, Told(tries=1)
        with self.copied(prepared.world, prepared.database) as world:
            process = self.start(world, name, fault=fault, point=point, postmaster=self.postmaster)
            said = self.end(process, world, name)
            if fault == "crash":
                self.restart()
            if said is not None and point not in said["points"]:
                told.failed.append(f"not reached: {said['error']}")
            if fault == "kill" and said is not None:
                told.failed.append(f"not killed: {said['error']}")
            self._watch(prepared, world, told)
            try:
                action.repeat(world)
                action.finish(world)
                timed = not action.late and "clock" not in fault
                mine = self._traced(action, world, told, times=timed)
                self._compare(action, self.twin(prepared, fault), mine, world, told)
            except Exception as error:
                told.failed.append(f"{type(error).__name__}: {error}")
        for key in ("lost", "gained", "doubled", "missing", "back", "files", "failed"):
            setattr(told, key, [f"[{name}, {fault} {point}] {w}" for w in getattr(told, key)])
        return told

    @property
    def postmaster(self) -> int:
        """The server's main process."""
        text = (self.server.data_dir / "data" / "postmaster.pid").read_text()
        return int(text.split()[0])

    def restart(self) -> None:
        """Start PostgreSQL again, which takes back what was not committed."""
        gone = self.postmaster
        psutil.wait_procs([psutil.Process(gone)] if psutil.pid_exists(gone) else [], timeout=30)
        self.server = embedded.ensure_running(self.server.data_dir, settings=self.settings)

    def _watch(self, prepared: Prepared, world: World, told: Told) -> None:
        """The promise, at the moment of the kill: everybody is as they were or as they will be."""
        now = state.people(self.url(world), prepared.known)
        for club in (CLUB, OTHER):
            before, after = prepared.before.get(club, {}), prepared.after.get(club, {})
            here = now.get(club, {})
            for key in before.keys() | after.keys() | here.keys():
                was, will, inside = before.get(key), after.get(key), here.get(key)
                if inside in (was, will):
                    continue
                if inside is None or not inside[0]:
                    told.lost.append(f"{club} {key}: {inside}, was {was}, will be {will}")
                else:
                    told.gained.append(f"{club} {key}: {inside}, was {was}, will be {will}")

    def _traced(self, action: Action, world: World, told: Told, *, times: bool) -> Stages:
        if action.erases:
            told.back += state.traces(self.url(world), world.store, GONE)
        stages = self._stages(action, world, times=times)
        if action.erases:
            told.back += state.traces(self.url(world), world.store, GONE)
        if action.removes:
            told.back += [str(p) for p in world.store.rglob(f"{CLUB}/**/*") if p.is_file()]
        return stages

    def _compare(
        self, action: Action, twins: list[Stages], mine: Stages, world: World, told: Told
    ) -> None:
        twin = min(twins, key=lambda one: len(state.differences(mine.done, one.done)))
        for when in ("done", "synced", "kept"):
            for what in state.differences(getattr(mine, when), getattr(twin, when)):
                (told.doubled if ": too many: " in what else told.missing).append(f"{when}: {what}")
            if told.doubled or told.missing:
                break
        told.files += [f"too many: {name[:200]}" for name in mine.files - twin.files]
        told.files += [f"missing: {name[:200]}" for name in twin.files - mine.files]
        if action.name != "migrate":
            told.files += [
                f"unknown: {n}" for n in state.unknown_files(self.url(world), world.store)
            ]
            told.failed += [f"run {run} never ends" for run in state.unfinished(self.url(world))]
