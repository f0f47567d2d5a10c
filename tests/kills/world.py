"""A club in a database and a store of its own, as every process that works on it sees it."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from clubsync.config import ClubConfig, Config, Guard
from clubsync.model import Policy, Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from clubsync.validate import suites
from connectors import registry
from connectors.sdk.base import Connection, Connector
from tests.support.club import ERP_NAME, Erp, MemoryConnector

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CLUB = "club-one"
OTHER = "club-two"
_FINDINGS = suites.findings
GUARD = Guard(share=0, at_least=3, at_most=3)
#: Who is erased: nothing of these may stand anywhere afterwards.
GONE = ("vanisha", "goner", "vanish@x.fr", "60000077")


@dataclass
class World:
    """Everything that a process has to know; goes from process to process.

    :param url: of the database.
    :param store: where snapshots lie.
    :param erp: what the club's ERP says.
    :param noted: what `prepare` has to tell the action.
    """

    url: str
    store: Path
    now: datetime = START
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    page_size: int | None = None
    noted: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    #: what the suites have found, by the records and the policy: they are pure, and most of a run's time.
    found: dict[str, pl.DataFrame] = field(default_factory=dict)

    def copy(self, url: str, store: Path) -> World:
        other = copy.deepcopy(replace(self, found={}))
        other.url, other.store, other.found = url, store, self.found
        return other

    # --- the ERP --------------------------------------------------------------------------------

    def put(self, id: str, email: str | None = None, **fields: object) -> None:
        erp = Erp()
        erp.put(id, email, **fields)
        self.records[id] = {**self.records.get(id, {}), **erp.records[id]}

    def change(self, id: str, **fields: object) -> None:
        self.records[id] |= fields

    def group(self, id: str, *, active: bool = True) -> None:
        self.groups[id] = {"id": id, "name": id, "active": active}

    def remove(self, *ids: str) -> None:
        for one in ids:
            del self.records[one]

    # --- the engine -----------------------------------------------------------------------------

    @property
    def club(self) -> ClubConfig:
        settings = {"guard": GUARD, "timezone": "UTC", **self.settings}
        return ClubConfig(id=CLUB, name="Club One", erp=ERP_NAME, connection=CLUB, **settings)

    @property
    def config(self) -> Config:
        other = ClubConfig(id=OTHER, name="Club Two", erp=ERP_NAME, connection=OTHER)
        return Config(clubs=(self.club, other))

    @contextmanager
    def engine(self) -> Iterator[Pipeline]:
        """A new engine, as a new process has."""
        install()
        self._remember_findings()
        os.environ["CLUBSYNC_NOW"] = self.now.isoformat()
        for name, records in ((CLUB, self.records), (OTHER, {"1": {"erp_id": "1"}})):
            erp = MemoryConnector.erps[name] = Erp()
            erp.records = copy.deepcopy(records)
            erp.groups = copy.deepcopy(self.groups) if name == CLUB else {}
            erp.lost, erp.certified = set(self.lost), not self.lost
            erp.page_size, erp.as_of = self.page_size, self.now
        erp.put("1", "other@x.fr", first_name="Other")
        base = Base(self.url)
        try:
            store = Store(str(self.store), base=base)
            yield Pipeline(self.config, base, store, lambda name: Connection(name, name))
        finally:
            suites.findings = _FINDINGS
            base.close()

    def sync(self, club: str = CLUB) -> Step:
        """One run of all four stages, which must go well."""
        with self.engine() as engine:
            (step,) = engine.sync([club], "test")
        assert step["error"] is None, step["error"]
        return step

    def _remember_findings(self) -> None:
        """Do not run Great Expectations twice on the same records; it touches neither database nor files."""

        def findings(
            clubs: Mapping[str, tuple[pl.DataFrame, Policy]], together: Collection[str] = ()
        ) -> dict[str, pl.DataFrame]:
            made = {}
            for club, (records, policy) in clubs.items():
                rules = json.dumps(asdict(policy), default=_plain, sort_keys=True)
                key = hashlib.sha256(records.serialize() + rules.encode()).hexdigest()
                if key not in self.found:
                    self.found[key] = _FINDINGS({club: (records, policy)}, together)[club]
                made[club] = self.found[key]
            return made

        suites.findings = findings

    def later(self, **delta: float) -> None:
        """Let time pass, five minutes unless told; what was stored grows old."""
        passed = timedelta(**(delta or {"minutes": 5}))
        if passed >= timedelta(days=1):
            for path in [self.store, *self.store.rglob("*")]:
                os.utime(path, (self.now.timestamp(), self.now.timestamp()))
        self.now += passed


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


def install() -> None:
    """Let `erp: memory` mean `MemoryConnector` in this process: the one thing made up."""
    known = registry.connector_class
    if known.__module__ != __name__:

        def connector_class(name: str) -> type[Connector[Any]]:
            return MemoryConnector if name == ERP_NAME else known(name)

        registry.connector_class = connector_class
