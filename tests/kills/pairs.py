"""Two workers on one club: the first stands still at a point while the second does what it can.

The second runs until it has ended or waits for the first; then the first goes on. What is stored afterwards must be
what the two leave behind one after the other, in one order or the other.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from itertools import product
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

import psycopg

from tests.kills import state
from tests.kills.actions import PAIRED, keep_house
from tests.kills.lab import Lab, Told
from tests.kills.world import CLUB, GONE, World

PATIENCE = 120.0


@dataclass(frozen=True)
class Pair:
    """:param point: of the first action, at which it stands still; "": both run as they may."""

    first: str
    second: str
    point: str

    def __str__(self) -> str:
        return f"{self.second} while {self.first} is {self.point or 'under way'}"


@dataclass
class Serial:
    """What two actions leave behind one after the other."""

    rows: state.Rows
    people: state.People


class Pairs:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._serial: dict[tuple[str, ...], Serial] = {}

    def points(self, name: str) -> list[str]:
        return self.lab.prepared(name).points

    def serial(self, *names: str) -> Serial:
        """What these leave behind, done in this order; made once."""
        if names not in self._serial:
            before = self.lab.prepared(names[0])
            with self.lab.copied(before.world, before.database) as world:
                for name in names:
                    PAIRED[name].act(world)
                self._serial[names] = self._stored(world)
        return self._serial[names]

    def _stored(self, world: World) -> Serial:
        """What is stored when upkeep has been there: an erasure waits for transactions that began before it."""
        keep_house(world)
        url = self.lab.url(world)
        return Serial(state.rows(url, numbers=False), state.people(url))

    def sample(self, count: int, seed: int) -> list[Pair]:
        """That many pairs, every combination as often as any other."""
        dice, found = Random(seed), list[Pair]()
        combinations = list(product(PAIRED, PAIRED))
        while len(found) < count:
            dice.shuffle(combinations)
            for one, two in combinations[: count - len(found)]:
                points = self.points(one)
                point = "" if dice.random() < 0.1 else dice.choice(points)
                found.append(Pair(one, two, point))
        return found

    def run(self, pair: Pair) -> Told:
        told, before = Told(tries=1), self.lab.prepared(pair.first)
        with self.lab.copied(before.world, before.database) as world:
            one = world.copy(world.url, world.store)
            first = self.lab.start(one, pair.first, fault="stop", point=pair.point)
            if pair.point:
                _until_stopped(first)
            second = self.lab.start(world, pair.second, suffix="2")
            _until_ended_or_waiting(second, self.lab.url(world), world)
            _continue(first)
            for process, name, suffix in ((first, pair.first, ""), (second, pair.second, "2")):
                process.join(PATIENCE)
                if process.exitcode is None:
                    process.kill()
                    told.failed.append(f"{pair}: {name} hangs")
                    continue
                said = self.lab.end(process, world, name, suffix)
                if said is None or said["error"]:
                    told.failed.append(f"{pair}: {name}: {said and said['error']}")
            if not told.failed:
                self._compare(pair, world, told)
        return told

    def _compare(self, pair: Pair, world: World, told: Told) -> None:
        orders = [self.serial(pair.first, pair.second), self.serial(pair.second, pair.first)]
        mine = self._stored(world)
        for key, (inside, _) in mine.people.get(CLUB, {}).items():
            if all(o.people[CLUB].get(key, (False, None))[0] != inside for o in orders):
                (told.gained if inside else told.lost).append(f"{pair}: {key}")
        found = [state.differences(mine.rows, order.rows) for order in orders]
        if all(found):
            nearest = min(found, key=len)
            told.doubled += [f"{pair}: {what}" for what in nearest if ": too many: " in what]
            told.missing += [f"{pair}: {what}" for what in nearest if ": missing: " in what]
        if "erase" in pair.first or "erase" in pair.second:
            back = state.traces(self.lab.url(world), world.store, GONE)
            # the ERP still sends the record
            world.later()
            world.sync()
            back += state.traces(self.lab.url(world), world.store, GONE)
            told.back += [f"{pair}: {where}" for where in back]


def _stopped(pid: int) -> bool | None:
    """Whether the process stands still; None: it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    kind = text.rsplit(") ", 1)[1][0]
    return None if kind in "ZX" else kind == "T"


def _until_stopped(process: BaseProcess) -> None:
    assert process.pid is not None
    deadline = time.monotonic() + PATIENCE
    while process.is_alive() and _stopped(process.pid) is False:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _continue(process: BaseProcess) -> None:
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGCONT)


def _until_ended_or_waiting(process: BaseProcess, url: str, world: World) -> None:
    """Until it has ended, or waits for a lock that the other one has."""
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as driver:
        while process.is_alive() and time.monotonic() < deadline:
            waiting = driver.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            if waiting is not None and waiting[0]:
                return
            time.sleep(0.01)
