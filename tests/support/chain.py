"""A chain: several clubs on one ERP tenant that a test holds in memory; everything behind it is real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import ClubConfig, Config, Members
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from tests.support.club import Club, Erp, MemoryConnector


class ChainClub(Club):
    """One club of a chain; it is synced through the chain.

    :param chain: whose tenant it is read from.
    """

    def __init__(
        self, chain: Chain, base: Base, store: Path, monkeypatch: pytest.MonkeyPatch, **entry: Any
    ) -> None:
        super().__init__(base, store, monkeypatch, **entry)
        self._chain = chain
        self.erp = chain.erp

    @property
    def config(self) -> ClubConfig:
        entry = {"name": self.id, "erp": self._chain.erp_name, "settings": self._chain.settings}
        return ClubConfig(id=self.id, connection=self._chain.connection, **entry, **self._settings)

    def pipeline(self) -> Pipeline:
        return self._chain.pipeline()


class Chain:
    """Clubs that share a tenant.

    :param names: what the tenant calls the clubs.
    :param host: of the tenant's connection; None: it is in memory.
    """

    def __init__(
        self,
        base: Base,
        store: Path,
        monkeypatch: pytest.MonkeyPatch,
        names: Sequence[str],
        *,
        members: dict[str, Any] | None = None,
        erp: str = "memory",
        host: str | None = None,
        settings: dict[str, Any] | None = None,
        **entry: Any,
    ) -> None:
        self.erp = Erp()
        self.erp_name, self.settings = erp, settings or {}
        self._base, self._store, self._host = base, store, host
        told = members or {"at": "home_club"}

        def one_more(name: str) -> ChainClub:
            own = Members(**told, own=(name,))
            return ChainClub(self, base, store, monkeypatch, members=own, **entry)

        #: makes a club of the chain by the tenant's name for it.
        self.one_more = one_more
        self.clubs = [one_more(name) for name in names]
        self.connection = f"tenant-of-{self.clubs[0].id}"
        MemoryConnector.erps[self.connection] = self.erp

    def pipeline(self) -> Pipeline:
        """A pipeline with no memory of earlier runs, as a new process has."""
        return Pipeline(
            Config(clubs=tuple(club.config for club in self.clubs)),
            self._base,
            Store(str(self._store), base=self._base),
            resolve=lambda conn_id: Connection(id=conn_id, host=self._host or conn_id),
        )

    def attempt(self, *clubs: Club, certified: bool = True, dry_run: bool = False) -> list[Step]:
        """Five minutes later, one sync of these clubs, or of all; whatever comes of it."""
        self.clubs[0].later()
        self.erp.certified, self.erp.as_of = certified, self.clubs[0].now
        for club in self.clubs:
            club.at(self.clubs[0].now)
        ids = [club.id for club in clubs or self.clubs]
        steps = self.pipeline().sync(ids, "test", dry_run=dry_run)
        for club in self.clubs:
            club.last = next((step for step in steps if step["club"] == club.id), None)
        return steps

    def sync(self, *clubs: Club, certified: bool = True) -> list[Step]:
        """`attempt`, which must go well."""
        steps = self.attempt(*clubs, certified=certified)
        assert [step["error"] for step in steps] == [None] * len(steps)
        return steps

    def unknown(self) -> dict[str, str]:
        """CLUB_UNKNOWN: erp_id -> the word, of the findings that are open."""
        (key,) = {chain.key for chain in self.pipeline().chains.values()}
        with self._base.reader() as driver:
            rows = list(queries().chain_findings(driver, chain=key))
        return {row["erp_id"]: row["word"] for row in rows}
