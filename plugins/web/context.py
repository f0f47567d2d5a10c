"""What the pages stand on: the club base, clubs.yaml, the engine."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from clubsync.config import ClubConfig
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, Driver, queries
from plugins.web.errors import Refused
from plugins.web.known_clubs import registry

__all__ = ["Club", "TheClub", "base", "engine", "find_club", "numbers", "registry", "strangers"]

REMEMBERED = 10.0
"""Seconds for which a club that is missing from the base, or from clubs.yaml, is not looked for again."""


@functools.cache
def base() -> Base:
    return Base(pool_size=10)


_known: tuple[float, dict[str, int]] = (0.0, {})


def numbers(*, at_once: bool = False) -> dict[str, int]:
    """The clubs that the base has: id -> number.

    :param at_once: ask the base, however lately it was asked.
    """
    global _known  # what the base answered last, for all requests of the process
    asked, found = _known
    if at_once or time.monotonic() - asked > REMEMBERED:
        with base().reader() as driver:
            found = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
        _known = (time.monotonic(), found)
    return found


@dataclass
class Club:
    """A club of clubs.yaml that the base has."""

    number: int
    config: ClubConfig
    _open: Driver | None = None

    @property
    def id(self) -> str:
        return self.config.id

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A transaction that is bound to this club (R21): that of the page, where it is read as a whole."""
        if self._open is not None:
            yield self._open
            return
        with base().club(self.number) as driver:
            yield driver

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """All that is read of the club in the meantime is read in one transaction."""
        with base().club(self.number) as driver:
            self._open = driver
            try:
                yield
            finally:
                self._open = None


def find_club(
    club: Annotated[
        str,
        Path(description="a club's id, as in clubs.yaml", max_length=100, pattern="^[a-z0-9-]+$"),
    ],
) -> Club:
    """:raises Refused: 404: clubs.yaml has no such club, or it was never read."""
    config = registry().clubs.get(club)
    if config is None:
        raise Refused(404, "No such club", f"There is no club {club} in clubs.yaml.")
    number = numbers().get(club) or numbers(at_once=True).get(club)
    if number is None:
        raise Refused(
            404, "Never read", f"{config.name} has never been read: its first run comes by itself."
        )
    return Club(number, config)


TheClub = Annotated[Club, Depends(find_club)]


def strangers() -> list[int]:
    """Numbers of the clubs that the base has and clubs.yaml has no more."""
    known = registry().clubs
    return [number for club_id, number in numbers().items() if club_id not in known]


def engine() -> Pipeline:
    """The engine, with Airflow's connections, for one act."""
    from clubsync.store.snapshots import Store
    from plugins.connections import resolver

    return Pipeline(registry().config, base(), Store(), resolve=resolver.resolve)
