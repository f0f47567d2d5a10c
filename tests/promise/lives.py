"""One life: an ERP that people edit between the pages of its readings, and the base that follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from random import Random
from threading import Barrier
from typing import Protocol

from connectors.sdk.model import Consistency, Memberships, Reading
from tests.support.club import Club
from tests.support.living_erp import EDITS, LivingErp, read_by
from tests.support.memory import Memory

TODAY = date(2026, 3, 2)
PEOPLE = 23
Edit = Callable[[LivingErp], object]

#: kind of disturbance -> what people do between two pages, at random.
DISTURBANCES: dict[str, tuple[Edit, ...]] = {
    "one leaves, one comes": (LivingErp.replace_one,),
    "one leaves, one returns": (LivingErp.leave, LivingErp.come_back),
    "two swap their emails": (LivingErp.swap,),
    "an email is handed on": (LivingErp.hand_on, LivingErp.share),
    "one gets another id": (LivingErp.renew,),
    "one is set inactive, or active": (LivingErp.switch, LivingErp.replace_one),
    "everything at once": EDITS,
}


class Engine(Protocol):
    """What follows the ERP."""

    def take(self, reading: Reading, number: int) -> None:
        """Load a reading."""

    def people(self) -> dict[int, tuple[bool, str | None]]:
        """Record -> whether its base customer is inside, and its email."""


class InMemory:
    """Facts and diff without a database."""

    def __init__(self, by_memberships: bool) -> None:
        self._memory = Memory(group_required=by_memberships)

    def take(self, reading: Reading, number: int) -> None:
        self._memory.read(reading, number, TODAY)

    def people(self) -> dict[int, tuple[bool, str | None]]:
        return {
            int(row["erp_id"]): (row["in_customers_group"], row["email"])
            for row in self._memory.customers()
            if row["erp_id"]
        }


class OnPostgres:
    """The whole engine: lives side by side, whose clubs are synced in one batch (R25).

    Each life runs in a thread of its own, and waits with each reading until all of them have one.

    :param clubs: one for each life.
    """

    def __init__(self, clubs: Sequence[Club]) -> None:
        self._clubs, self._readings = clubs, dict[str, Reading]()
        self._together = Barrier(len(clubs), action=self._sync)

    def live(self, lives: Sequence[Callable[[Engine], Told]]) -> Told:
        """Live them all; each takes what follows its ERP."""
        whole = Told()
        with ThreadPoolExecutor(len(lives)) as threads:
            begun = [
                threads.submit(self._live, one, club)
                for one, club in zip(lives, self._clubs, strict=True)
            ]
            for told in begun:
                whole.add(told.result())
        return whole

    def _live(self, one: Callable[[Engine], Told], club: Club) -> Told:
        try:
            return one(_InBatch(self, club))
        except BaseException:
            self._together.abort()  # the others would wait for its next reading
            raise

    def take(self, club: Club, reading: Reading) -> None:
        self._readings[club.id] = reading
        self._together.wait()

    def _sync(self) -> None:
        first, *others = self._clubs
        first.after = others
        first.later()
        for club in self._clubs:
            now = replace(self._readings[club.id], as_of=first.now)
            club.erp.reading = partial(_read_already, now)  # type: ignore[method-assign]  # on purpose: it was read already
        for step in first.pipeline().sync([club.id for club in self._clubs], "test"):
            assert step["error"] is None, step["error"]


def _read_already(reading: Reading, since: object = None) -> Reading:
    return reading


@dataclass
class _InBatch:
    """What follows the ERP of one of them."""

    batch: OnPostgres
    club: Club

    def take(self, reading: Reading, number: int) -> None:
        self.batch.take(self.club, reading)

    def people(self) -> dict[int, tuple[bool, str | None]]:
        rows = self.club.base().values()
        return {
            int(row["erp_id"]): (row["in_customers_group"], row["email"])
            for row in rows
            if row["erp_id"]
        }


@dataclass
class Told:
    """What came of some lives.

    :param readings: how many readings were loaded, `certified` of them certified, `walks` edited meanwhile.
    :param lost, gained: access lost and gained wrongly.
    :param unsettled: who was not as the ERP had them at the end, when nothing had changed for a while.
    """

    readings: int = 0
    certified: int = 0
    walks: int = 0
    lost: int = 0
    gained: int = 0
    unsettled: int = 0
    stories: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        for name in ("readings", "certified", "walks", "lost", "gained", "unsettled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.stories += other.stories


def believing(reading: Reading) -> Reading:
    """The reading as if a walk were a moment: what the product did before R14 said otherwise."""
    memberships = reading.memberships and Memberships(Consistency.MOMENT)
    return replace(reading, consistency=Consistency.MOMENT, memberships=memberships)


def live(
    disturbance: str,
    paging: str,
    seed: int,
    *,
    readings: int = 12,
    by_memberships: bool = False,
    seen_as: Callable[[Reading], Reading] = lambda reading: reading,
    engine: Engine | None = None,
) -> Told:
    """One life.

    :param engine: None: facts and diff in memory.
    :param seen_as: what becomes of each reading before it is planned.
    """
    dice, told = Random(f"{disturbance} {paging} {seed} {by_memberships}"), Told()
    erp = LivingErp(dice, newest_first=dice.random() < 0.5, by_memberships=by_memberships)
    base = engine or InMemory(by_memberships)
    for n in range(PEOPLE):
        erp.come(active=n % 6 != 5)
    edits, log = DISTURBANCES[disturbance], list[str]()

    def disturb() -> None:
        if dice.random() < 0.5:
            edit = dice.choice(edits)
            edit(erp)
            erp.promise.edited()
            log.append(edit.__name__)

    with read_by(erp, paging) as read:
        for number in range(1, readings + 5):
            quiet = number == 1 or number > readings
            erp.between = (lambda: None) if quiet else disturb
            erp.begin()
            before = len(log)
            reading = read()
            told.readings += 1
            told.certified += reading.certificate.complete
            told.walks += len(log) > before
            log.append(f"reading {number}: {reading.certificate.doubts or 'certified'}")
            base.take(seen_as(reading), number)
            people = base.people()
            lost = erp.promise.broken(people)
            gained = erp.never_active({i for i, (there, _) in people.items() if there})
            if lost or gained:
                log.append(f"lost {sorted(lost)}, gained {sorted(gained)}")
            told.lost += len(lost)
            told.gained += len(gained)
            if not quiet and dice.random() < 0.3:
                disturb()
    rightful = erp.may_enter()
    emails = {person.id for person in erp.people if not person.active} | set(rightful)
    inside = {i for i, (there, _) in base.people().items() if there}
    told.unsettled = len({i for i in emails if (i in inside) != (i in rightful)})
    if told.lost or told.gained or told.unsettled:
        told.stories.append(f"{disturbance}, {paging}, seed {seed}: " + "; ".join(log))
    return told


def cell(disturbance: str, paging: str, lives: int) -> tuple[Told, int]:
    """What came of some lives; and what those would have lost if a walk were believed as a moment."""
    told, believed = Told(), 0
    for seed in range(lives):
        joined = seed % 2 == 1
        told.add(live(disturbance, paging, seed, by_memberships=joined))
        believed += live(disturbance, paging, seed, by_memberships=joined, seen_as=believing).lost
    return told, believed
