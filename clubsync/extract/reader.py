"""Read a club from its ERP: what `extract` does before anything is stored.

A read covers everything, or only changes where those are enough; it resumes an interrupted read. Rows get ids (R1),
erased people are filtered out (R20), and implausible snapshots are rejected, whatever their certificate says (R14).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.chains import Chain
from clubsync.config import ClubConfig, sentence, wrong_setting
from clubsync.errors import ConfigError, SourceMismatch, UnexpectedlyEmpty
from connectors.sdk.base import Connection, Connector
from connectors.sdk.messages import message

if TYPE_CHECKING:
    import polars as pl
    from pydantic import BaseModel

    from clubsync.extract.unchanged import Comparison
    from clubsync.store.database import Base, Driver
    from clubsync.store.queries import ClubStateRow
    from clubsync.store.snapshots import Store
    from connectors.sdk.base import Members
    from connectors.sdk.model import Reading

#: A club and its number in the base.
Numbered = tuple[ClubConfig, int]

#: In a club of at least this many records, a majority of unknown people is suspicious.
MISMATCH_FROM = 20


def connector_of(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    progress: Callable[[int, int | None], None] = lambda rows, total: None,
    until: datetime | None = None,
    since: datetime | None = None,
    chain: Chain | None = None,
) -> Connector[Any]:
    """A club's connector, ready to read.

    Of a club that says which records are its own (`members`, R29), it reads the whole tenant.

    :param chain: the clubs that share the tenant.
    :param until: read the ERP's state of that time, with a connector that `answers_past`; None: now.
    :param since: read only changes since then, with a connector that `answers_changes`; None: everything.
    :raises ConfigError, ConnectionMissing, ConnectorError: the connector cannot be set up.
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
        wrong = [_wrong(club.id, detail, cls.settings_type) for detail in error.errors()]
        raise ConfigError(
            sentence(wrong),
            remedy=f"Correct it in clubs.yaml; docs/settings/{club.erp}.md explains every setting.",
        ) from None
    members = club.members
    if members is not None and members.of not in cls.names_clubs:
        raise ConfigError(
            f"Club {club.id}: members: the {club.erp} connector cannot tell clubs apart by a {members.of}."
            if cls.names_clubs
            else f"Club {club.id}: members: the {club.erp} connector cannot tell clubs apart.",
            remedy=f"docs/erps/{club.erp}.md says what names a club there; else each club needs its own connection.",
        )
    paths = cls.club_paths
    if members is not None and paths and not any(_leads(members.at, path) for path in paths):
        known = ", ".join(path + "…" * path.endswith(".") for path in paths)
        raise ConfigError(
            f"Club {club.id}: members.at: the {club.erp} connector knows {known}.",
            remedy=f"Correct it in clubs.yaml; docs/erps/{club.erp}.md says what names a club there.",
        )
    clubs = (club,) if chain is None else chain.clubs
    return cls(
        resolve(club.connection),
        settings,
        Club(
            id=club.id,
            timezone=club.zone,
            country=club.country,
            no_end=club.no_end,
            group_names=tuple(dict.fromkeys(name for one in clubs for name in one.group_names)),
            members=_members(clubs) if members is not None else None,
        ),
        now=clock.now,
        progress=progress,
        until=until,
        since=since,
    )


@dataclass(frozen=True)
class Reader:
    """Reads clubs.

    :param store: where the responses of an interrupted read are kept for a while.
    :param resolve: connection id -> Connection.
    :param progress: called with (club id, stage, rows so far, total if known).
    :param chains: club id -> its chain (R29).
    """

    base: Base
    store: Store
    resolve: Callable[[str], Connection]
    progress: Callable[[str, str, int, int | None], None]
    chains: Mapping[str, Chain] = field(default_factory=dict)

    def connector(
        self, club: ClubConfig, *, until: datetime | None = None, since: datetime | None = None
    ) -> Connector[Any]:
        """`connector_of`, reporting its progress."""

        def progress(rows: int, total: int | None) -> None:
            self.progress(club.id, "extract", rows, total)

        return connector_of(club, self.resolve, progress, until, since, self.chains.get(club.id))

    def _now(
        self,
        club: ClubConfig,
        club_no: int,
        since: datetime | None = None,
        comparison: Comparison | None = None,
    ) -> Connector[Any]:
        """What reads the club as it is now."""
        connector = self.connector(club, since=since)
        connector.known = lambda: self._known(club_no)
        if comparison is not None:
            comparison.start(connector)
        return connector

    def _known(self, club_no: int) -> list[str]:
        """The ids of the club's records that the ERP is known to have."""
        from clubsync.store import record_index

        with self.base.club(club_no) as driver:
            return record_index.read(driver, club_no)["erp_id"].to_list()

    def read_chain(self, clubs: Sequence[Numbered], *, full: bool) -> dict[str, Reading]:
        """R29: read clubs of a chain as they are now, in one reading of their tenant.

        An interrupted reading is not resumed: what is stored of one belongs to one club.

        :param clubs: with their numbers in the base.
        :param full: whether to read everything.
        :returns: club id -> its own reading, with the tenant's certificate, and the records that the club knows and
            that are not its own any more (`Reading.others`).
        :raises SyncError, ConnectorError: the tenant cannot be read.
        """
        starts = [None if full else self._changes_since(*club) for club in clubs]
        since = None if None in starts else min(start for start in starts if start is not None)
        found = self._chain_read(clubs, since, full=full)
        changes = ((number, found[club.id]) for club, number in clubs)
        if any(one.since is not None and self._mostly_unknown(n, one) for n, one in changes):
            found = self._chain_read(clubs, None, full=True)
        return found

    def _chain_read(
        self, clubs: Sequence[Numbered], since: datetime | None, *, full: bool
    ) -> dict[str, Reading]:
        known = {club.id: self._known(number) for club, number in clubs}
        connector = self.connector(clubs[0][0], since=since)
        connector.known = lambda: sorted({erp_id for ids in known.values() for erp_id in ids})
        return self._shares(connector.read(full=full), clubs, known)

    def _shares(
        self,
        reading: Reading,
        clubs: Sequence[Numbered],
        known: Mapping[str, Sequence[str]],
        *,
        past: bool = False,
    ) -> dict[str, Reading]:
        """What clubs of a chain have of a reading of their tenant.

        :param known: the erp_ids that each club knows.
        :param past: it shows the past: what was nobody's then may be somebody's now.
        """
        from clubsync.extract import together
        from connectors.sdk.chains import split

        chain = self.chains[clubs[0][0].id]
        if not past:
            named = [(club.id, number) for club, number in clubs]
            reading = together.compared(self.base, named, reading)
        found = split(reading, chain.words, chain.elsewhere)
        if not past:
            together.note(self.base, chain, reading, found)
        return {club.id: together.share(found, club.id, known[club.id]) for club, _ in clubs}

    def past(self, club: ClubConfig, club_no: int, until: datetime) -> Reading | None:
        """R26: the club as its ERP was then; None: the ERP answers for the present only.

        :raises ConnectorError: it cannot be read.
        """
        connector = self.connector(club, until=until)
        if not connector.answers_past:
            return None
        reading = connector.read()
        if club.id not in self.chains:
            return reading
        known = {club.id: self._known(club_no)}
        return self._shares(reading, [(club, club_no)], known, past=True)[club.id]

    def read(
        self, club: ClubConfig, club_no: int, *, full: bool, comparison: Comparison | None = None
    ) -> Reading:
        """Read a club as it is now.

        :param full: whether to read everything from the beginning.
        :param comparison: with the club's last reading; None: it is parsed whatever that was.
        :raises SyncError, ConnectorError: the club cannot be read.
        :raises Unchanged: all that it would say the last reading has said.
        """
        if club.id in self.chains:
            return self.read_chain([(club, club_no)], full=full)[club.id]
        since = None if full else self._changes_since(club, club_no)
        reading = self._read(club, club_no, since, full, comparison)
        if reading.since is not None and self._mostly_unknown(club_no, reading):
            # R14: new customers, or another club's? Only a read of everything can tell
            reading = self._now(club, club_no).read(full=True)
        return reading

    def _read(
        self,
        club: ClubConfig,
        club_no: int,
        since: datetime | None,
        full: bool,
        comparison: Comparison | None,
    ) -> Reading:
        """Read, resuming an interrupted read if that is safe."""
        connector = self._now(club, club_no, since, comparison)
        if full or connector.resumable_for is None:
            return connector.read(full=full)
        from clubsync.extract import resume
        from clubsync.extract.erased import Erased
        from clubsync.store.database import queries

        sql = queries()
        with self.base.club(club_no) as driver:
            state = sql.club_state(driver, club=club_no)
            nudged = sql.last_nudge(driver, club=club_no)
            orders = sql.last_erasure(driver, club=club_no)
            erased = Erased.read(driver, club_no)
        shelf = resume.Shelf(
            self.store,
            club.id,
            state["hash_key"],
            state["epoch"],
            alone=lambda: self._alone(club_no, orders),
            erased=erased.are_in,
        )
        now = clock.now()
        newest = max(filter(None, (state["certified_as_of"], nudged)), default=None)
        if since is not None and shelf.found(self.connector(club), now, newest):
            since = None  # finishing a read of everything is cheaper than starting the next one
        return shelf.read(lambda: self._now(club, club_no, since, comparison), now, newest)

    @contextmanager
    def _alone(self, club_no: int, orders: int) -> Iterator[bool]:
        """Hold the club's lock, under which people are erased: whether none was since that order (R20)."""
        from clubsync.store.database import queries

        with self.base.club(club_no) as driver:
            queries().lock_club(driver, club=club_no)
            yield queries().last_erasure(driver, club=club_no) == orders

    def _changes_since(self, club: ClubConfig, club_no: int) -> datetime | None:
        """The time from which this read needs changes; None: read everything."""
        from clubsync.extract import incremental
        from clubsync.store.database import queries
        from connectors.registry import connector_class
        from connectors.sdk.model import ONLY_CHANGES

        if not connector_class(club.erp).answers_changes:
            return None
        sql = queries()
        with self.base.club(club_no) as driver:
            state = sql.club_state(driver, club=club_no)
            tried = sql.last_full_reading(
                driver, club=club_no, epoch=state["epoch"], only_changes=ONLY_CHANGES
            )
            suspected = next(iter(sql.suspicions(driver, club=club_no)), None) is not None
        return incremental.since(club, state, tried, clock.now(), suspected=suspected)

    def _mostly_unknown(self, club_no: int, reading: Reading) -> bool:
        """Whether many customers have changed and most of them are unknown."""
        from clubsync.extract import same_people

        changed = reading.customers.drop_nulls("erp_id")
        if changed.height < MISMATCH_FROM:
            return False
        with self.base.club(club_no) as driver:
            return same_people.known_people(driver, club_no, changed) * 2 < changed.height

    def identified(self, reading: Reading, club: ClubConfig, club_no: int) -> Reading:
        """R1: give rows without ids their ids; R20: filter out erased people."""
        from clubsync.extract import identity
        from clubsync.extract.erased import Erased
        from clubsync.store.database import fetch, queries

        with self.base.club(club_no) as driver:
            erased = Erased.read(driver, club_no)
        others = reading.others
        with_ids = [rows["erp_id"] for rows in (reading.customers, others) if rows is not None]
        if all(found.is_empty() or found.null_count() < len(found) for found in with_ids):
            return replace(
                reading,
                customers=erased.without(reading.customers),
                conflicting_ids=erased.left(reading.conflicting_ids),
                others=None if others is None else erased.without(others),
            )
        import polars as pl

        schema = {
            **dict.fromkeys(
                ("erp_id", "email_norm", "phone", "first_name", "last_name"), pl.String()
            ),
            "birth_date": pl.Date(),
            "gone": pl.Boolean(),
            "row_hash": pl.Int64(),
        }
        with self.base.club(club_no) as driver:
            people = fetch(driver, queries().people_to_identify, schema, club=club_no)
        known = [
            identity.Known(erp_id, keys, gone, row_hash)
            for erp_id, keys, gone, row_hash in zip(
                people["erp_id"],
                identity.keys_of(people),
                people["gone"],
                people["row_hash"].reinterpret(signed=False),
                strict=True,
            )
        ]
        identified = partial(
            identity.resolve,
            secret=erased.key.bytes,
            placeholders=club.placeholder_emails,
            shared_limit=club.shared_email_limit,
            erased=lambda made: bool(erased.ids) and erased.names([made])[0],
        )
        customers, unclear, twins = identified(reading.customers, known)
        if others is not None:
            # R29: of the records of other clubs, those of the people who were known here, and are not here any more
            there = {*customers["erp_id"], *unclear}
            missing = [one for one in known if not one.gone and one.erp_id not in there]
            others = others.unique(identity.CONTENT, keep="first", maintain_order=True)
            rows, _, _ = identified(others.select(customers.columns), missing)
            rows = rows.hstack([others["targets"]])
            others = erased.without(
                rows.filter(pl.col("erp_id").is_in([o.erp_id for o in missing]))
            )
        return replace(
            reading,
            customers=erased.without(customers),
            conflicting_ids=unclear,
            ambiguous_ids=erased.left(twins),
            others=others,
        )

    def with_rows_without_id(self, reading: Reading, club_no: int) -> Reading:
        """R14: the reading with its rows without an id among the customers, as records that are nobody's."""
        from clubsync.extract import identity
        from clubsync.extract.erased import Erased

        if reading.without_id is None:
            return reading
        import polars as pl

        with self.base.club(club_no) as driver:
            erased = Erased.read(driver, club_no)
        kept = erased.without(identity.rows_without_id(reading.without_id, erased.key.bytes))
        return replace(reading, customers=pl.concat([reading.customers, kept]))


def _members(clubs: Sequence[ClubConfig]) -> Members | None:
    """R29: where the records of a tenant name their club.

    :param clubs: of one chain.
    """
    from connectors.sdk.base import Members

    told = [club.members for club in clubs if club.members is not None]
    names = tuple(dict.fromkeys(name for one in told for name in (*one.own, *one.elsewhere)))
    return Members(told[0].at, told[0].of, names) if told else None


def _leads(at: str, path: str) -> bool:
    """Whether `members.at` is a path that a connector reads, or begins as those that it reads do."""
    return at.startswith(path) and len(at) > len(path) if path.endswith(".") else at == path


def _wrong(club_id: str, detail: Mapping[str, Any], model: type[BaseModel]) -> str:
    """What is wrong with a setting of a connector, by one of pydantic's errors."""
    setting, said = wrong_setting(detail, model)
    if not setting:
        return message(f"Club {club_id}: settings: {said}")
    return message(f"Club {club_id}: settings.{setting}: {said}")


def reject_implausible(
    club: ClubConfig,
    customers: pl.DataFrame,
    conflicting: Sequence[str],
    content_hash: str,
    state: ClubStateRow,
    driver: Driver,
    club_no: int,
) -> None:
    """R14: reject an implausible snapshot, whatever its certificate says.

    :param customers, conflicting, content_hash: of a read of everything.
    :param state: the club's row of sync.club_state.
    :raises UnexpectedlyEmpty: it has no customers, but the club had some.
    :raises SourceMismatch: most of its customers are unknown.
    """
    from clubsync.extract import same_people
    from clubsync.store import record_index
    from clubsync.store.database import queries

    if customers.height and state["content_hash"] == content_hash:
        return
    had = state["certified_rows"] or 0
    if customers.is_empty() and not conflicting and not state["confirmed_empty"]:
        if had == 0:
            had = record_index.read(driver, club_no).height
        if had:
            raise UnexpectedlyEmpty(
                f"{club.name}: the ERP returned no customers; there were {had} before.",
                remedy="This looks like an outage, and nothing was changed. If the club really has no "
                f"customers any more, run `clubsync clubs confirm-empty {club.id}`.",
            )
    if had < MISMATCH_FROM or customers.is_empty() or state["confirmed_same_club"]:
        return
    # who awaits a second reading before they are added (R14) is nobody yet who could be known
    awaited = {row["erp_id"] for row in queries().suspicions(driver, club=club_no)}
    shown = customers.filter(~customers["erp_id"].is_in(list(awaited)))
    shared = same_people.known_people(driver, club_no, shown)
    if shared * 2 < shown.height:
        raise SourceMismatch(
            f"{club.name}: only {shared} of the {shown.height} customers read are known as the same people: "
            "the id, with the email, the name, the phone or the birth date.",
            remedy="This looks like another club's data (a wrong key or folder), or like row numbers in place of "
            "ids. Nothing was changed. "
            f"If it is this club's data, run `clubsync clubs confirm-source {club.id}`.",
        )
