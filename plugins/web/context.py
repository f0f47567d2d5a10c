"""The club base, clubs.yaml and the engine; and the read transactions of a request.

A request reads in at most one transaction for each club (R21), and one across clubs. They begin when they are first
used, in the thread that serves the request: a dependency that waited for a connection of the pool would keep threads
from those who hold one. They end before the response is sent, so that what a request wrote down (who saw personal
data) is committed, or nothing is shown.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Path

from clubsync.config import ClubConfig
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, Driver, queries
from plugins.web.errors import ProblemError
from plugins.web.registry import registry

REMEMBERED = 10.0
"""Seconds until a club that is missing from the base, or from clubs.yaml, is looked for again."""


@functools.cache
def base() -> Base:
    return Base(pool_size=10)


_known: tuple[float, dict[str, int]] = (0.0, {})


def numbers(*, at_once: bool = False) -> dict[str, int]:
    """The clubs that the base has: id -> number.

    :param at_once: query the base, even if it was queried a moment ago.
    """
    global _known  # the base's last answer, for all requests of the process
    asked, found = _known
    if at_once or time.monotonic() - asked > REMEMBERED:
        with base().reader() as driver:
            found = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
        _known = (time.monotonic(), found)
    return found


@dataclass(frozen=True)
class Club:
    """A club of clubs.yaml that the base has."""

    number: int
    config: ClubConfig

    @property
    def id(self) -> str:
        return self.config.id

    @property
    def name(self) -> str:
        return self.config.name

    def transaction(self) -> AbstractContextManager[Driver]:
        """A transaction of its own, limited to this club (R21): for actions."""
        return base().club(self.number)


def find_club(
    club: Annotated[
        str,
        Path(description="a club's id, as in clubs.yaml", max_length=100, pattern="^[a-z0-9-]+$"),
    ],
) -> Club:
    """:raises ProblemError: 404: clubs.yaml has no such club, or it was never synced."""
    config = registry().clubs.get(club)
    if config is None:
        raise ProblemError(404, "No such club", f"clubs.yaml has no club {club}.")
    number = numbers().get(club) or numbers(at_once=True).get(club)
    if number is None:
        raise ProblemError(
            404, "Never synced", f"{config.name} has not been synced yet. It syncs automatically."
        )
    return Club(number, config)


TheClub = Annotated[Club, Depends(find_club)]


@dataclass
class Reads:
    """The read transactions of a request."""

    _stack: ExitStack = field(default_factory=ExitStack)
    _drivers: dict[int | None, Driver] = field(default_factory=dict)

    def across(self) -> Driver:
        """The transaction that sees every club."""
        if None not in self._drivers:
            self._drivers[None] = self._stack.enter_context(base().reader())
        return self._drivers[None]

    def of(self, club: Club) -> Driver:
        """The transaction that is limited to a club."""
        if club.number not in self._drivers:
            self._drivers[club.number] = self._stack.enter_context(club.transaction())
        return self._drivers[club.number]


def reads() -> Iterator[Reads]:
    stack = ExitStack()
    with stack:
        yield Reads(stack)


Reading = Annotated[Reads, Depends(reads, scope="function")]


@dataclass(frozen=True)
class OpenClub(Club):
    """A club with the transactions of the request."""

    reads: Reads

    @classmethod
    def of(cls, club: Club, reads: Reads) -> OpenClub:
        return cls(club.number, club.config, reads)

    @property
    def driver(self) -> Driver:
        return self.reads.of(self)


def open_club(club: TheClub, reads: Reading) -> OpenClub:
    return OpenClub.of(club, reads)


ReadClub = Annotated[OpenClub, Depends(open_club, scope="function")]


def unlisted() -> list[int]:
    """Numbers of the clubs that the base has and clubs.yaml no longer lists."""
    known = registry().clubs
    return [number for club_id, number in numbers().items() if club_id not in known]


def engine() -> Pipeline:
    """The engine with Airflow's connections, for one action."""
    from clubsync.store.snapshots import Store
    from plugins.connections import resolver

    return Pipeline(registry().config, base(), Store(base=base()), resolve=resolver.resolve)
