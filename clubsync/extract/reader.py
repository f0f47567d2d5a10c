"""What a club's ERP says, read so that it can be taken: what `extract` does before anything is stored.

A reading is of everything, or of changes where those are enough; it goes on where one broke off; its rows have
ids (R1) and are without those who asked to be forgotten (R20); and what cannot be believed, whatever its
certificate says, is refused (R14).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.errors import ConfigError, SourceMismatch, UnexpectedlyEmpty
from connectors.sdk.base import Connection, Connector

if TYPE_CHECKING:
    import polars as pl

    from clubsync.store.database import Base, Driver
    from clubsync.store.queries import ClubStateRow
    from clubsync.store.snapshots import Store
    from connectors.sdk.model import Reading

#: Customers from which on strangers in a reading are too many to be newcomers.
OTHER_CLUB_FROM = 20


def connector_of(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    progress: Callable[[int, int | None], None] = lambda rows, total: None,
    until: datetime | None = None,
    since: datetime | None = None,
) -> Connector[Any]:
    """A club's connector, ready to read.

    :param until: as the ERP stood then, of a connector that `answers_past`; None: now.
    :param since: changes since then are enough, of a connector that `answers_changes`; None: everything.
    :raises ConfigError, ConnectionMissing, ConnectorError: with what to do.
    """
    from pydantic import ValidationError

    from connectors.registry import connector_class
    from connectors.sdk.base import Club

    try:
        cls = connector_class(club.erp)
        settings = cls.settings_type.model_validate(club.settings)
    except KeyError as error:
        raise ConfigError(
            f"Club {club.id}: {error.args[0]}.", remedy="Correct `erp:` in clubs.yaml."
        ) from None
    except ValidationError as error:
        wrong = "; ".join(
            f"settings.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"Club {club.id}: {wrong}.", remedy="Correct it in clubs.yaml.") from None
    return cls(
        resolve(club.connection),
        settings,
        Club(id=club.id, timezone=club.zone, country=club.country),
        now=clock.now,
        progress=progress,
        until=until,
        since=since,
    )


@dataclass(frozen=True)
class Reader:
    """Reads clubs.

    :param store: where what a reading that broke off had been answered is kept for a while.
    :param resolve: connection id -> Connection.
    :param progress: called with (club id, stage, rows so far, total where known).
    """

    base: Base
    store: Store
    resolve: Callable[[str], Connection]
    progress: Callable[[str, str, int, int | None], None]

    def connector(
        self, club: ClubConfig, *, until: datetime | None = None, since: datetime | None = None
    ) -> Connector[Any]:
        """`connector_of`, which tells how far it is."""

        def progress(rows: int, total: int | None) -> None:
            self.progress(club.id, "extract", rows, total)

        return connector_of(club, self.resolve, progress, until, since)

    def read(self, club: ClubConfig, number: int, *, full: bool) -> Reading:
        """Read a club as it is now.

        :param number: base.club.club.
        :param full: everything, from the beginning: a person wants it so.
        :raises SyncError, ConnectorError: with what to do.
        """
        since = None if full else self._changes_since(club, number)
        reading = self._read(club, number, since, full)
        if reading.since is not None and self._strangers(number, reading):
            # R14: newcomers, or another club's people? Of everything that is read it can be told
            reading = self.connector(club).read(full=True)
        return reading

    def _read(self, club: ClubConfig, number: int, since: datetime | None, full: bool) -> Reading:
        """Go on with a reading that broke off where that is sound."""
        connector = self.connector(club, since=since)
        if full or connector.resumable_for is None:
            return connector.read(full=full)
        from clubsync.extract import resume
        from clubsync.store.database import queries

        sql = queries()
        with self.base.club(number) as driver:
            state = sql.club_state(driver, club=number)
            nudged = sql.last_nudge(driver, club=number)
        shelf = resume.Shelf(self.store, club.id, state["hash_key"], state["epoch"])
        now = clock.now()
        newest = max(filter(None, (state["certified_as_of"], nudged)), default=None)
        if since is not None and shelf.found(self.connector(club), now, newest):
            since = None  # what is left of a reading of everything costs less than the next one
        return shelf.read(lambda: self.connector(club, since=since), now, newest)

    def _changes_since(self, club: ClubConfig, number: int) -> datetime | None:
        """From when on changes are enough for this reading; None: everything is to be read."""
        from clubsync.extract import incremental
        from clubsync.store.database import queries
        from connectors.registry import connector_class
        from connectors.sdk.model import ONLY_CHANGES

        if not connector_class(club.erp).answers_changes:
            return None
        sql = queries()
        with self.base.club(number) as driver:
            state = sql.club_state(driver, club=number)
            tried = sql.last_full_reading(
                driver, club=number, epoch=state["epoch"], only_changes=ONLY_CHANGES
            )
        return incremental.since(club, state, tried, clock.now())

    def _strangers(self, number: int, reading: Reading) -> bool:
        """Whether most of those who are said to have changed are not known to us, and they are many."""
        from clubsync.store import record_index

        changed = reading.customers["erp_id"].drop_nulls()
        if changed.len() < OTHER_CLUB_FROM:
            return False
        with self.base.club(number) as driver:
            known = record_index.read(driver, number)["erp_id"]
        return int(changed.is_in(known.implode()).sum()) * 2 < changed.len()

    def identified(self, reading: Reading, number: int) -> Reading:
        """R1: ids for the rows of a source that has none; R20: without who asked to be forgotten."""
        from clubsync.extract import identity
        from clubsync.extract.erased import without_erased
        from clubsync.store.database import fetch, queries

        sql = queries()
        with self.base.club(number) as driver:
            key = sql.club_state(driver, club=number)["hash_key"]
            erased = {row["key_hash"] for row in sql.erased_hashes(driver, club=number)}
        ids = reading.customers["erp_id"]
        if not len(ids) or ids.null_count() < len(ids):
            kept = without_erased(reading.customers, key, erased)
            return replace(reading, customers=kept)
        import polars as pl

        schema = {
            **dict.fromkeys(
                ("erp_id", "email_norm", "phone", "first_name", "last_name"), pl.String()
            ),
            "birth_date": pl.Date(),
            "gone": pl.Boolean(),
        }
        with self.base.club(number) as driver:
            people = fetch(driver, queries().people_to_identify, schema, club=number)
        known = [
            identity.Known(erp_id, keys, gone)
            for erp_id, keys, gone in zip(
                people["erp_id"], identity.keys_of(people), people["gone"], strict=True
            )
        ]
        customers, unclear = identity.resolve(reading.customers, known, key.bytes)
        customers = without_erased(customers, key, erased)
        return replace(reading, customers=customers, conflicting_ids=unclear)


def believe(
    club: ClubConfig,
    customers: pl.DataFrame,
    conflicting: Sequence[str],
    content_hash: str,
    state: ClubStateRow,
    driver: Driver,
    number: int,
) -> None:
    """R14: refuse what cannot be believed, whatever its certificate says.

    :param customers, conflicting, content_hash: of a reading of everything.
    :param state: the club's row of sync.club_state.
    :raises UnexpectedlyEmpty, SourceMismatch: with what to do.
    """
    from clubsync.store import record_index

    if customers.height and state["content_hash"] == content_hash:
        return
    had = state["certified_rows"] or 0
    if customers.is_empty() and not conflicting and not state["confirmed_empty"]:
        if had == 0:
            had = record_index.read(driver, number).height
        if had:
            raise UnexpectedlyEmpty(
                f"{club.name}: the ERP answered with no customers at all, where there were {had}.",
                remedy="Taken for an outage: nothing was changed. If the club really has no customers "
                f"any more, say so with `clubsync clubs empty {club.id}`.",
            )
    if had < OTHER_CLUB_FROM or customers.is_empty() or state["confirmed_same_club"]:
        return
    known = record_index.read(driver, number)
    # whose row hash is known, is known: numbers are compared faster than names
    shared = customers["row_hash"].is_in(known["row_hash"].implode()).sum()
    if shared * 2 < customers.height:
        shared = customers["erp_id"].is_in(known["erp_id"].implode()).sum()
    if shared * 2 < customers.height:
        raise SourceMismatch(
            f"{club.name}: of {customers.height} customers read, only {shared} are known from the last "
            "complete reading.",
            remedy="Taken for another club's data (a wrong key, a wrong folder): nothing was changed. "
            f"If it is right, say so with `clubsync clubs trust {club.id}`.",
        )
