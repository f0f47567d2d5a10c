"""A club whose ERP is a list of plain records in the test; everything behind it is real.

The connector is the only part that is made up: it returns what the test put into the ERP. Engine,
PostgreSQL and snapshot store are the ones that run in production.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypedDict, Unpack

import polars as pl
import pytest

from clubsync.config import ClubConfig, Config, Guard
from clubsync.explain.why import Answer, why
from clubsync.manual import app_users, customers
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store
from clubsync.validate import affected
from connectors import registry
from connectors.sdk import chains
from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.errors import ConnectorError
from connectors.sdk.http import HttpLimits
from connectors.sdk.model import Certificate, Reading, assemble, customers_frame, groups_frame
from connectors.sdk.paging import Order, Page, Walk, next_offset
from tests.support.narrow import present

ERP_NAME = "memory"
START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_clubs = itertools.count(1)


class Erp:
    """What the ERP of one club says at this moment: edit it, then sync."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.lost: set[str] = set()
        self.conflicting: set[str] = set()
        self.fault: ConnectorError | None = None
        self.certified = True
        self.as_of = START
        #: read in pages of so many records, in the order in which they stand here; None: all at once.
        self.page_size: int | None = None
        #: pages by ascending id, not by position.
        self.by_id = False
        #: called before each page but the first: whoever edits the ERP while it is read.
        self.between: Callable[[], None] = lambda: None
        #: the memberships where they are a list of their own: (id, customer, group), read in pages first.
        self.memberships: list[tuple[str, str, str]] | None = None
        #: who changed of late, of an ERP that can be asked for changes only; None: it cannot.
        self.changed: set[str] | None = None
        #: how often it was read.
        self.readings = 0
        #: of a chain whose groups name their clubs: group -> clubs (R29).
        self.group_clubs: dict[str, list[str]] | None = None
        #: of a chain: memberships, not records, name the clubs: `clubs` of a record are (club, group) then.
        self.by_membership = False

    def put(self, id: str, email: str | None = None, **fields: object) -> None:
        """Add a record, or replace the one of that id.

        :param fields: canonical fields; `groups` takes ids, or (id, until), or (id, since, until).
        """
        self.records[id] = {
            "erp_id": id,
            "email": email,
            "first_name": "First",
            "last_name": "Last",
            "status": "active",
            **fields,
        }

    def change(self, id: str, **fields: object) -> None:
        """Change some fields of a record."""
        self.records[id] |= fields

    def remove(self, *ids: str) -> None:
        for erp_id in ids:
            del self.records[erp_id]

    def group(self, id: str, *, active: bool | None = True, name: str | None = None) -> None:
        """Put a group on the ERP's list."""
        self.groups[id] = {"id": id, "name": name or id, "active": active}

    def reading(self, since: datetime | None = None) -> Reading:
        """What a connector returns now; records in `lost` are on a page that did not come."""
        self.readings += 1
        since = None if self.changed is None else since
        if self.page_size is not None:
            return self._walked(self.page_size)
        shown = [
            {**r, "groups": [_span(g) for g in r.get("groups", ())]}
            for r in self.records.values()
            if r["erp_id"] not in self.lost | self.conflicting
            and (since is None or r["erp_id"] in (self.changed or ()))
        ]
        read = assemble(
            self._named(shown),
            groups_frame(list(self.groups.values())),
            as_of=self.as_of,
            paged=True,
            pages=1,
            doubts=() if self.certified else ("The last page did not come.",),
            columns=("Id", "E-mail"),
            column_of={"erp_id": "Id", "email": "E-mail"},
            since=since,
            group_clubs=self.group_clubs,
            by_membership=self.by_membership,
        )
        if not self.conflicting:
            return read
        doubts = (*read.certificate.doubts, "An id came twice.")
        return Reading(
            customers=read.customers,
            groups=read.groups,
            certificate=Certificate(complete=False, doubts=doubts, rows=read.certificate.rows),
            as_of=read.as_of,
            conflicting_ids=tuple(sorted(self.conflicting)),
        )

    def _named(self, shown: Sequence[dict[str, Any]]) -> pl.DataFrame:
        """The customers, of a chain with the clubs that they name: `clubs` of each record, or of its memberships."""
        plain = [{name: v for name, v in one.items() if name != "clubs"} for one in shown]
        customers = customers_frame(plain)
        if self.group_clubs is not None or not any("clubs" in record for record in shown):
            return customers
        named = [
            [one for club, group in record["clubs"] for one in chains.named(club, _span(group))]
            if self.by_membership
            else chains.named(record["clubs"])
            for record in shown
        ]
        return customers.with_columns(pl.Series("clubs", named, dtype=chains.CLUBS))

    def _walked(self, size: int) -> Reading:
        """A reading in pages, while the ERP is edited."""
        memberships = None
        if self.memberships is not None:
            joined, memberships = self._walk(lambda: list(self.memberships or []), size).joined(
                "/m"
            )
            for record in self.records.values():
                held = [group for _, customer, group in joined if customer == record["erp_id"]]
                record["groups"] = held
        walk = self._walk(lambda: [(r["erp_id"], r) for r in self.records.values()], size)
        shown = [
            {**r, "groups": [_span(g) for g in r.get("groups", ())]} for _, r in walk.all_rows()
        ]
        return walk.reading(
            self._named(shown),
            groups_frame(list(self.groups.values())),
            as_of=self.as_of,
            column_of={"erp_id": "Id", "email": "E-mail"},
            memberships=memberships,
        )

    def _walk(self, rows: Callable[[], list[Any]], size: int) -> Walk[Any, int]:
        """A walk through rows that begin with their ids."""
        pages = itertools.count()

        def by_position(offset: int) -> Page[Any, int]:
            if next(pages):
                self.between()
            there = rows()
            page = [(row[0], dict(row[1])) if isinstance(row[1], dict) else row for row in there]
            page = page[offset : offset + size]
            following = next_offset(offset, len(page), len(there))
            return Page(page, [row[0] for row in page], following, len(there))

        def by_id(after: int) -> Page[Any, int]:
            if next(pages):
                self.between()
            there = sorted(rows(), key=lambda row: int(row[0]))
            page = [row for row in there if int(row[0]) > after][:size]
            keys = [int(row[0]) for row in page]
            following = keys[-1] if len(page) == size else None
            taken = [(r[0], dict(r[1])) if isinstance(r[1], dict) else r for r in page]
            return Page(taken, keys, following, keys=keys)

        if self.by_id:
            return Walk(by_id, 0, HttpLimits(), order=Order.KEY)
        return Walk(by_position, 0, HttpLimits(), order=Order.POSITION)


def _span(group: str | tuple[Any, ...]) -> dict[str, Any]:
    if isinstance(group, str):
        return {"id": group, "valid_from": None, "valid_until": None}
    if len(group) == 2:
        return {"id": group[0], "valid_from": None, "valid_until": group[1]}
    return {"id": group[0], "valid_from": group[1], "valid_until": group[2]}


class MemorySettings(Settings):
    """No settings."""


class MemoryConnector(Connector[MemorySettings]):
    """Reads the `Erp` that the connection's host names."""

    name: ClassVar[str] = ERP_NAME
    title: ClassVar[str] = "Memory"
    settings_type: ClassVar[type[Settings]] = MemorySettings
    phone_centred: ClassVar[bool] = False
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record", "group", "membership")
    erps: ClassVar[dict[str, Erp]] = {}

    def read(self, *, full: bool = False) -> Reading:
        erp = self.erps[self.connection.host]
        if erp.fault is not None:
            raise erp.fault
        return erp.reading(None if full else self.since)

    def check(self) -> str:
        return f"{len(self.erps[self.connection.host].records)} records"


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `erp: memory` in a club's configuration mean `MemoryConnector`: the one thing made up."""
    known = registry.connector_class

    def connector_class(name: str) -> type[Connector[Any]]:
        return MemoryConnector if name == ERP_NAME else known(name)

    monkeypatch.setattr(registry, "connector_class", connector_class)


class Attempt(TypedDict, total=False):
    """What `Club.attempt` takes."""

    certified: bool
    as_of: datetime | None
    lost: tuple[str, ...]
    conflicting: tuple[str, ...]
    dry_run: bool


class Club:
    """One club on the real engine.

    :param settings: fields of `ClubConfig` (guard, former_groups, timezone, …).
    """

    def __init__(
        self, base: Base, store: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
    ) -> None:
        self.id = f"club-{next(_clubs)}"
        self.erp = Erp()
        MemoryConnector.erps[self.id] = self.erp
        self._base, self._store, self._patch = base, store, monkeypatch
        self._settings = {"guard": Guard(at_least=100_000, at_most=100_000), **settings}
        self._at = START
        self._patch.setenv("CLUBSYNC_NOW", START.isoformat())
        self.last: Step | None = None
        #: clubs that are synced in one batch with it (R25), before and after it.
        self.before: list[Club] = []
        self.after: list[Club] = []
        self._mirrors: tuple[Club, ...] = ()

    # --- running ------------------------------------------------------------------------------

    def configure(self, **settings: object) -> None:
        """Change the club's entry in clubs.yaml."""
        self._settings |= settings

    @property
    def config(self) -> ClubConfig:
        return ClubConfig(
            id=self.id, name="Club", erp=ERP_NAME, connection=self.id, **self._settings
        )

    @property
    def batch(self) -> list[Club]:
        """The clubs that are synced with it, and itself."""
        return [*self.before, self, *self.after]

    def pipeline(self) -> Pipeline:
        """A pipeline with no memory of earlier runs, as a new process has."""
        return Pipeline(
            Config(clubs=tuple(club.config for club in self.batch)),
            self._base,
            Store(str(self._store), base=self._base),
            resolve=lambda conn_id: Connection(id=conn_id, host=conn_id),
        )

    @property
    def now(self) -> datetime:
        return self._at

    def at(self, moment: datetime | date | str) -> None:
        """Set the clock."""
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, 9, tzinfo=UTC)
        self._at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self._patch.setenv("CLUBSYNC_NOW", self._at.isoformat())

    def later(self, **delta: float) -> None:
        """Let time pass; five minutes unless told."""
        self.at(self._at + timedelta(**(delta or {"minutes": 5})))

    def attempt(
        self,
        *,
        certified: bool = True,
        as_of: datetime | None = None,
        lost: tuple[str, ...] = (),
        conflicting: tuple[str, ...] = (),
        dry_run: bool = False,
    ) -> Step:
        """Five minutes later, one run of all four stages; its step, whatever came of it.

        :param certified: False: the reading is not complete (R14); so it is where records are `lost`.
        :param as_of: the reading's own time; default the clock's.
        """
        self.later()
        self._say(certified, as_of, lost, conflicting)
        for club in (*self.before, *self.after):
            club.at(self.now)
            club.erp.as_of = club.now
        self._mirror()
        steps = self.pipeline().sync([club.id for club in self.batch], "test", dry_run=dry_run)
        for club, step in zip(self.batch, steps, strict=True):
            assert step["club"] == club.id
            club.last = step
        return present(self.last)

    def sync(self, **how: Unpack[Attempt]) -> Step:
        """`attempt`, which must go well, or be of a reading that is not used (R16)."""
        step = self.attempt(**how)
        assert step["error"] is None or not step["used"], step["error"]
        return step

    def _say(
        self,
        certified: bool,
        as_of: datetime | None,
        lost: tuple[str, ...],
        conflicting: tuple[str, ...],
    ) -> None:
        self.erp.certified = certified and not lost
        self.erp.as_of = as_of or self._at
        self.erp.lost, self.erp.conflicting = set(lost), set(conflicting)

    def put_between(self, before: Club, after: Club) -> None:
        """From now on it is synced in one batch with these, whose ERPs have its ids and groups: each email is another
        record's of the same ERP, so that what is asked of one club and answered for another shows."""
        self.before, self.after = [before], [after]
        self._mirrors = before, after

    def _mirror(self) -> None:
        ids = list(self.erp.records)
        for shift, club in enumerate(self._mirrors, start=1):
            club.configure(**self._settings)
            club.at(self.now)
            club.erp.records = {
                i: {**record, "email": self.erp.records[ids[(n + shift) % len(ids)]].get("email")}
                for n, (i, record) in enumerate(self.erp.records.items())
            }
            club.erp.groups = dict(self.erp.groups)
            club.erp.as_of = club.now

    # --- looking ------------------------------------------------------------------------------

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A transaction of this club."""
        with self._base.club(self.number) as driver:
            yield driver

    @property
    def number(self) -> int:
        """The club's number; 0 before its first sync."""
        with self._base.transaction() as driver:
            found = queries().find_club(driver, club_id=self.id)
        return found or 0

    def base(self) -> dict[str, dict[str, Any]]:
        """The club base by ERP id, else by email; the columns of `customers --json`."""
        with self.driver() as driver:
            rows = list(queries().customers(driver, club=self.number))
        return {row["erp_id"] or row["email"] or f"#{row['id']}": {**row} for row in rows}

    def customer(self, customer: int) -> dict[str, Any]:
        """The base customer of that id."""
        return next(row for row in self.base().values() if row["id"] == customer)

    def inside(self) -> set[str]:
        """Who is in the Customers group: ERP ids, of those added by hand emails."""
        return {key for key, row in self.base().items() if row["in_customers_group"]}

    def findings(self, *, all: bool = False) -> dict[str, set[str]]:
        """Open findings by ERP id: codes.

        :param all: the informational ones too.
        """
        sql = (
            "select erp_id, code, severity from sync.finding where club = %s and closed_at is null"
        )
        with self.driver() as driver:
            rows = driver.execute(sql, [self.number]).fetchall()
        found: dict[str, set[str]] = {}
        for erp_id, code, severity in rows:
            if all or severity != "info":
                found.setdefault(erp_id, set()).add(code)
        return found

    def changes(self, *, run: int | None = None) -> list[dict[str, Any]]:
        """The audit, of all runs or of one, in order."""
        with self.driver() as driver:
            rows = queries().changes(driver, club=self.number, run=run, since=None)
            return [{**row} for row in rows]

    def kinds(self) -> dict[str, int]:
        """Kinds of change of the last run that there were any of."""
        assert self.last is not None
        return {kind: n for kind, n in self.last["counts"].items() if n}

    def why(self, who: str) -> Answer:
        """R24."""
        with self.driver() as driver:
            return why(driver, self.number, self.config, who)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Any question to the data base, as this club."""
        with self.driver() as driver:
            return driver.execute(statement, parameters or None).fetchall()

    def unsettled(self) -> dict[str, int]:
        """What a plan over everything would still change after the last run: nothing, if work that is
        proportional to change sees all that it should."""
        from clubsync import diff
        from clubsync.store import snapshots
        from clubsync.validate import facts, suites
        from clubsync.validate.policy import policy_of

        pipeline = self.pipeline()
        with self.driver() as driver:
            state = queries().club_state(driver, club=self.number)
            assert state["last_snapshot"] is not None
            row = queries().snapshot(driver, club=self.number, snapshot=state["last_snapshot"])
            assert row is not None
            snapshot = snapshots.load(pipeline.store, self.id, row)
            rules = policy_of(self.config, snapshot.certified)
            whole = affected.build(driver, self.number, snapshot, rules, state, everything=True)
        evaluated = facts.evaluate(whole.records, whole.basis.groups, whole.basis.policy)
        found = suites.findings({self.id: (evaluated, whole.basis.policy)})[self.id]
        plan = diff.plan(evaluated, found, whole.base, snapshot.head.proof, whole.confirmed)
        return {kind: n for kind, n in plan.counts().items() if n}

    # --- what people do by hand ---------------------------------------------------------------

    def add_by_hand(self, email: str, first_name: str = "Hand", last_name: str = "Made") -> int:
        """Somebody of the club adds a customer; its id."""
        made = customers.add(self._base, self.config, email, first_name, last_name, by="somebody")
        return int(made["id"])

    def detach(self, erp_id: str) -> None:
        """Somebody of the club detaches a customer."""
        customers.detach(self._base, self.config, str(self.base()[erp_id]["id"]), by="somebody")

    def edit(self, erp_id: str, **fields: str) -> None:
        """Somebody of the club edits a customer in the base."""
        customer = str(self.base()[erp_id]["id"])
        customers.edit(self._base, self.config, customer, by="somebody", **fields)

    def register(self, email: str, *, confirmed: bool = True) -> int:
        """A person makes an account in the app; its id."""
        clubs = {self.number: self.config}
        return int(app_users.register(self._base, clubs, email, confirmed=confirmed)["id"])

    def link(self, erp_id: str) -> int:
        """The customer registers in the app with the email that the club has; the account's id."""
        user = self.register(self.base()[erp_id]["email"])
        assert self.base()[erp_id]["link"] == "linked"
        return user
