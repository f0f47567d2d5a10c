"""What the pages stand on: the club base, clubs.yaml, the engine."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path

from clubsync.config import ClubConfig, Config, Promise, config_path, load_config
from clubsync.db import Base, Driver, queries
from clubsync.pipeline import Pipeline
from plugins.clubs_pages.problems import Refused

REMEMBERED = 10.0
"""Seconds for which a club that is missing from the base, or from clubs.yaml, is not looked for again."""


@functools.cache
def base() -> Base:
    return Base(pool_size=10)


@dataclass(frozen=True)
class Registry:
    """clubs.yaml as the pages need it.

    :param promise: what most clubs are promised (R25).
    :param others: what the other clubs are promised, by id.
    """

    config: Config
    clubs: Mapping[str, ClubConfig]
    promise: Promise
    others: Mapping[str, Promise]


_lock = threading.Lock()
_read: tuple[Any, Registry] | None = None


def registry() -> Registry:
    """clubs.yaml, read again when the file has changed.

    :raises ConfigError: it cannot be read, and never was.
    """
    global _read  # one file, read once for all requests of the process
    path = config_path()
    state = path.stat() if path.exists() else None
    mark = (str(path), state and (state.st_mtime_ns, state.st_size, state.st_ino))
    with _lock:
        if _read is None or _read[0] != mark:
            _read = (mark, _registry(load_config()))
        return _read[1]


def _registry(config: Config) -> Registry:
    promises = {club.id: club.promised for club in config.clubs}
    told = Counter((p.read, p.complete, p.data) for p in promises.values())
    common = Promise()
    if told:
        read, complete, data = told.most_common(1)[0][0]
        common = Promise(read=read, complete=complete, data=data)
    return Registry(
        config=config,
        clubs={club.id: club for club in config.clubs},
        promise=common,
        others={club_id: p for club_id, p in promises.items() if p != common},
    )


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


@dataclass(frozen=True)
class Club:
    """A club of clubs.yaml that the base has."""

    number: int
    config: ClubConfig

    @property
    def id(self) -> str:
        return self.config.id

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A transaction that is bound to this club (R21)."""
        with base().club(self.number) as driver:
            yield driver


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
    from clubsync.snapshot import Store
    from plugins import airflow_connections

    return Pipeline(registry().config, base(), Store(), resolve=airflow_connections.resolve)
