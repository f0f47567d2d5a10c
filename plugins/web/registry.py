"""clubs.yaml in Airflow's api-server: read once, and again when it has changed.

Reading ten thousand clubs takes seconds. Until a changed file is read, the previous one is in effect.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clubsync.config import ClubConfig, Config, Promise, config_path, load_config, stamp
from clubsync.errors import ConfigError, place_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """clubs.yaml as the api-server needs it.

    :param promise: what most clubs are promised (R25).
    :param promises: what other clubs are promised; others: which of these a club is, by its id, from 1.
    """

    config: Config
    clubs: Mapping[str, ClubConfig]
    promise: Promise
    promises: Sequence[Promise]
    others: Mapping[str, int]


class _File:
    """The file at one path, as it was read last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.path: str | None = None
        self.mark: Any = None
        self.read: Registry | None = None
        self.reading = False

    def now(self) -> Registry:
        path = config_path()
        mark = None
        with suppress(OSError, ConfigError):  # it may be replaced right now
            mark = stamp(path)
        with self.lock:
            if self.read is None or self.path != str(path):
                self.read = _registry(load_config(path))
                self.path, self.mark = str(path), mark
            elif self.mark != mark and not self.reading:
                self.reading = True
                threading.Thread(target=self._again, args=(mark,), daemon=True).start()
            return self.read

    def _again(self, mark: Any) -> None:
        read = None
        try:
            read = _registry(load_config())
        except ConfigError as error:
            log.error(
                "The changed clubs.yaml is not valid; the previous one stays in effect: %s", error
            )
        except Exception as error:  # whatever it is, the next change is read again
            log.error(
                "The changed clubs.yaml cannot be read; the previous one stays in effect: %s",
                place_of(error),
            )
        finally:
            with self.lock:
                self.read, self.mark, self.reading = read or self.read, mark, False


_file = _File()


def registry() -> Registry:
    """clubs.yaml.

    :raises ConfigError: it cannot be read, and never was.
    """
    return _file.now()


def _registry(config: Config) -> Registry:
    promised = {c.id: (c.promised.read, c.promised.complete, c.promised.data) for c in config.clubs}
    kinds = [kind for kind, _ in Counter(promised.values()).most_common()] or [(None, None, None)]
    number = {kind: n for n, kind in enumerate(kinds)}
    common, *others = [Promise(read=r, complete=c, data=d) for r, c, d in kinds]
    return Registry(
        config=config,
        clubs={club.id: club for club in config.clubs},
        promise=common,
        promises=others,
        others={club_id: number[kind] for club_id, kind in promised.items() if number[kind]},
    )
