"""Playtomic: padel and tennis clubs, over the third-party API, or from the Manager's customer CSV.

The connection's host decides: an http address is the API (login and password are the client id and the
secret), `file:///…`, `sftp://…` or `s3://…` is a drop of Manager files (`connectors.playtomic.manager_csv`).

The API, from the vendor's pages on authentication and players [doc] (docs/erps/playtomic.md); no server of theirs was
available, the sandbox implements what these pages say:

- `POST /api/v1/oauth/token` with `client_id` and `secret` returns a bearer token for an hour; an earlier 401
  leads to at most one new login per request.
- `GET /api/v1/venues/{venue_id}/players`, at most 100 a page, most recent first, the next page by
  `cursor_id`. The last page names no `next_cursor_id`.
- No status, no total, no "changed since": who is listed is a customer, and every reading is a full one.
  That a list which ends early is incomplete cannot be seen from within; that no cursor and no player came twice
  can. The guard and the comparison with the last snapshot (R14, R15) cover the rest.
- A player has one name field; email is null if the person hides it. Family members hang under a
  primary customer in the Manager [doc], of which the API says nothing: no guardians.
- No merges either: an app account per way of logging in, so one person may be several players [doc].

Inferred, therefore settable or loud:

- [inf] the keys of a benefit (the stored page ends before them): settings `benefit_*`. A benefit without them is
  `ContractChanged`, never a lost group.
- [inf] a player without benefits has an empty list of them; without the key it is unknown (setting `omits_empty`).
- [inf] an expiry with a time is UTC like the API's other times; the last day is the one on which it falls
  in the club's calendar (`connectors.sdk.dates`). A bare date is the last day.
- [inf] `last_registration_date` is the closest there is to `created_at`.
- [inf] `next_cursor_id` is at the top of the response. A first page of several players that lacks it is
  checked with a page of a single player, so that a cursor that moved elsewhere is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.playtomic import manager_csv
from connectors.sdk import fields
from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.dates import Dates, RowDates
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.files import drop
from connectors.sdk.files.drop import DropSettings
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import are_many, several
from connectors.sdk.paging import Order, Page, Walk
from connectors.sdk.paths import cell, identifier

T = TypeVar("T")

#: canonical field -> the player's key that it is read from.
COLUMN_OF = {
    "erp_id": "player_id",
    "first_name": "name",
    "last_name": "name",
    "email": "email",
    "phone": "phone",
    "gender": "gender",
    "birth_date": "birth_date",
    "created_at": "last_registration_date",
    "groups": "benefits",
}

#: columns of the players before their texts are parsed, all at once.
ROW_SCHEMA = {
    **dict.fromkeys(
        ("erp_id", "name", "email", "phone", "gender", "birth_date", "created_at", "status"),
        pl.String(),
    ),
    **{c: CUSTOMER_SCHEMA[c] for c in ("groups", "unreadable")},
}


class PlaytomicSettings(DropSettings):
    """`settings:` of a club on Playtomic.

    :param venue_id: the venue's id at Playtomic; needed for the API.
    :param page: players per request.
    :param benefit_id, benefit_name, benefit_expires: keys of a benefit; one without an id is identified by name.
    :param omits_empty: the ERP leaves an empty list of benefits out; else a record that lacks the list is unknown.
    :param customers: of a drop: path or glob of the Manager's file below the connection's folder.
    :param http: limits of requests and readings.
    """

    customers: str = Field(default="*.csv", min_length=1)

    venue_id: str | None = None
    page: int = Field(default=100, ge=1, le=100)
    benefit_id: str = "benefit_id"
    benefit_name: str = "name"
    benefit_expires: str = "expires_at"
    omits_empty: bool = False
    http: HttpLimits = HttpLimits()


class _Token(msgspec.Struct):
    token: str


class _Player(msgspec.Struct):
    player_id: str | None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    gender: str | None = None
    birth_date: str | None = None
    last_registration_date: str | None = None
    benefits: list[dict[str, Any]] | str | msgspec.UnsetType | None = msgspec.UNSET


class _Page(msgspec.Struct):
    data: list[_Player]
    next_cursor_id: str | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def next(self) -> str | None:
        return self.next_cursor_id or None


class PlaytomicConnector(Connector[PlaytomicSettings]):
    """Reads a venue's players and their benefits."""

    name: ClassVar[str] = "playtomic"
    title: ClassVar[str] = "Playtomic"
    settings_type: ClassVar[type[Settings]] = PlaytomicSettings

    @property
    def resumable_for(self) -> timedelta | None:
        """Never: the lifetime of a cursor is documented nowhere, and there is no total to notice an early end."""
        return None

    def read(self, *, full: bool = False) -> Reading:
        """Read all players; Playtomic cannot be asked for less, so `full` makes no difference.

        :raises ConnectorError: before the first complete page, or if the file is incomplete.
        """
        if _is_drop(self.connection):
            return manager_csv.read(self.connection, self.club, self.settings)
        as_of = self.now()
        with self._http() as http:
            http.scout(as_of, lambda: self._pages(http, _players).all_rows())
            return self._walk(http, as_of)

    @classmethod
    def test_connection(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """Log in, or open the folder; the venue is in a club's settings."""
        if _is_drop(connection):
            return drop.describe_folder(connection)
        with Http(_address(connection), cls.title, HttpLimits(), now=now) as http:
            _log_in(http, connection)
        return "Login works."

    def check(self) -> str:
        """Log in and read one player, or look for the file."""
        if _is_drop(self.connection):
            return manager_csv.check(self.connection, self.settings)
        with self._http() as http:
            page = self._page(http, "", limit=1)
        if not page.data:
            return "Login works: the venue has no players."
        return "Login works: the venue has players."

    def _http(self) -> Http:
        base = _address(self.connection)
        if not self.settings.venue_id:
            raise SettingsWrong(
                "No venue is configured.", remedy="Set the club's settings: venue_id."
            )
        return Http.of(
            self,
            base,
            self.settings.http,
            login=lambda http: _log_in(http, self.connection),
        )

    def _page(self, http: Http, cursor: str, *, limit: int) -> _Page:
        params: dict[str, Any] = {"limit": limit, "include": "BENEFITS"}
        if cursor:
            params["cursor_id"] = cursor
        venue = quote(self.settings.venue_id or "", safe="")
        return http.json("GET", f"/api/v1/venues/{venue}/players", _Page, params=params)

    def _pages(self, http: Http, rows: Callable[[_Page], list[T]]) -> Walk[T, str]:
        """The walk through the players.

        :param rows: what is made of those of a page.
        """

        def fetch(cursor: str) -> Page[T, str]:
            page = self._page(http, cursor, limit=self.settings.page)
            return Page(
                rows=rows(page),
                ids=[player.player_id for player in page.data],
                next=page.next,
                end_stated=page.next_cursor_id is not msgspec.UNSET,
            )

        return Walk(
            fetch,
            "",
            self.settings.http,
            order=Order.CURSOR,
            progress=self.progress,
            probe=lambda: self._page(http, "", limit=1).next is not None,
        )

    def _walk(self, http: Http, as_of: datetime) -> Reading:
        groups: dict[str, str] = {}
        walk = self._pages(http, lambda page: list(self._rows(page, groups)))
        rows = walk.all_rows()
        return walk.reading(
            self._customers(rows),
            groups_frame([{"id": k, "name": v, "active": True} for k, v in groups.items()]),
            as_of=as_of,
            column_of=COLUMN_OF,
        )

    def _rows(self, page: _Page, groups: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Players of one page; new groups are added to `groups` (id -> name)."""
        self._check_benefits(page)
        days = Dates(self.club, clock=ZoneInfo("UTC"))
        for player in page.data:
            dates = RowDates(days)
            held: list[dict[str, Any]] = []
            for benefit in several(player.benefits, omits_empty=self.settings.omits_empty):
                if isinstance(benefit, str):
                    held.append({"id": benefit, "valid_from": None, "valid_until": None})
                    continue
                key, name, until = self._benefit(benefit, dates)
                groups.setdefault(key, name)
                held.append({"id": key, "valid_from": None, "valid_until": until})
            yield {
                "erp_id": player.player_id,
                "name": player.name,
                "email": player.email,
                "phone": player.phone,
                "gender": player.gender,
                "birth_date": player.birth_date,
                "created_at": player.last_registration_date,
                "status": "active",
                "groups": held,
                "unreadable": dates.unreadable,
            }

    def _check_benefits(self, page: _Page) -> None:
        """:raises ContractChanged: many benefits have neither id nor name, or no key for their expiry."""
        benefits = [b for p in page.data if isinstance(p.benefits, list) for b in p.benefits]
        lacking = sum(self._key(benefit) is None for benefit in benefits)
        if lacking and (are_many(lacking, len(benefits)) or lacking == len(benefits)):
            raise ContractChanged(
                "A benefit lacks the keys that the settings name.",
                remedy="Correct benefit_id, benefit_name and benefit_expires in the club's settings.",
            )

    def _key(self, benefit: dict[str, Any]) -> str | None:
        """The id of a benefit; None: it lacks a key that it needs."""
        settings = self.settings
        key = benefit.get(settings.benefit_id) or benefit.get(settings.benefit_name)
        return identifier(key) if key and settings.benefit_expires in benefit else None

    def _benefit(self, benefit: dict[str, Any], dates: RowDates) -> tuple[str, str, date | None]:
        """(id, name, last day) of a benefit; of an odd one the id cannot be read (R3)."""
        settings = self.settings
        key = self._key(benefit) or NOT_TEXT
        name = cell(benefit.get(settings.benefit_name)) or key
        expires = benefit.get(settings.benefit_expires)
        return key, name, dates.day(expires, "valid_until", group=key)

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        read = Dates(self.club, clock=ZoneInfo("UTC")).read(raw)
        names = fields.split_names(raw["name"]).get_columns()
        return customers_frame(fields.canonical(read, self.club.country).with_columns(names))


def _players(page: _Page) -> list[_Player]:
    return page.data


def _is_drop(connection: Connection) -> bool:
    return connection.host.strip().startswith(("file:", "sftp:", "s3:", "/"))


def _address(connection: Connection) -> str:
    """The API's address, from a connection with complete credentials.

    :raises SettingsWrong: they are incomplete.
    """
    base = base_address(connection)
    if not connection.login or not connection.password:
        raise SettingsWrong(
            f"The connection {connection.id} lacks the client id (login) or the secret (password)."
        )
    return base


def _log_in(http: Http, connection: Connection) -> str:
    """The Authorization header's value, good for an hour."""
    token = http.json(
        "POST",
        "/api/v1/oauth/token",
        _Token,
        body={"client_id": connection.login, "secret": connection.password},
        login=False,
    )
    return f"Bearer {token.token}"
