"""Square: shops and studios that keep their customers in Square's directory.

The connection's host is `https://connect.squareup.com`, its password an access token with `CUSTOMERS_READ`. From the
vendor's reference and guides [doc] (docs/erps/square.md); no server of theirs was available, the sandbox implements
what these say:

- `POST /v2/customers/search`, at most 100 a page (the limit is advisory: a page may have more or fewer), the next page
  by `cursor`, which the last one lacks; `count: true` returns the total; sorted by creation, so that newcomers come
  last and move nobody. Profiles without name, company, email and phone are neither listed nor counted.
- `GET /v2/customers/{id}` returns one customer, or 404; of a profile that was merged, the new one. Customers whom a
  walk misses are asked for in this way (R14).
- No status: who is listed is a customer, and a deletion is final. The directory may hold everybody who ever paid by
  card, so a club on Square will want `group_required: true`.
- `GET /v2/customers/groups`: groups by id and name, held without dates, always in use. Segments, which Square forms by
  rules of its own, are not read. The last page lacks `cursor` here too; because the limit is advisory, a page of a
  single row would prove nothing.
- A merge gives the person a third id: both profiles are deleted and a new one is created, whose source is `MERGE`. It
  names neither of the old ones (webhooks do), so R10 finds it by the email.
- A change is visible after 30 seconds, at times after more than a minute; `updated_at` can be filtered by (setting
  `changes`), with an `overlap` well above that. Deletions and merges wait for the next full reading.
- A birthday without a year has the year 0000, which is not a date.
- Emails are not unique, and Square says to expect duplicates.

[inf] `count` is there also when it is 0; a response without it is `ContractChanged`.
[inf] A customer without groups has no `group_ids`, as the guide says of `segment_ids`, whose presence tells that there
are some. Where the API sends empty lists, a customer without the key is unknown: `omits_empty: false`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import fields
from connectors.sdk.alone import ask_for_missing
from connectors.sdk.base import Connector, Settings
from connectors.sdk.dates import Dates
from connectors.sdk.errors import SettingsWrong
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.incremental import ChangesSettings
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import several
from connectors.sdk.paging import Order, Page, Walk

#: canonical field -> the customer's key that it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "given_name",
    "last_name": "family_name",
    "email": "email_address",
    "phone": "phone_number",
    "birth_date": "birthday",
    "country": "address",
    "groups": "group_ids",
    "created_at": "created_at",
    "modified_at": "updated_at",
}

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status"), pl.String()),
    "groups": CUSTOMER_SCHEMA["groups"],
}


class SquareSettings(ChangesSettings):
    """`settings:` of a club on Square.

    :param page: customers per request.
    :param version: the API's version, a date; Square keeps old ones available.
    :param omits_empty: the ERP leaves an empty list of groups out; if not, a record that lacks the list is unknown.
    :param http: limits of requests and readings.
    """

    page: int = Field(default=100, ge=1, le=100)
    version: str = Field(default="2023-12-13", pattern=r"^\d{4}-\d{2}-\d{2}$")
    omits_empty: bool = True
    http: HttpLimits = HttpLimits()


class _Address(msgspec.Struct):
    country: str | None = None


class _Customer(msgspec.Struct):
    id: str | None
    given_name: str | None = None
    family_name: str | None = None
    company_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None
    birthday: str | None = None
    address: _Address | str | None = None
    group_ids: list[str] | str | msgspec.UnsetType | None = msgspec.UNSET
    created_at: str | None = None
    updated_at: str | None = None


class _Found(msgspec.Struct):
    count: int
    customers: list[_Customer] | None = None
    cursor: str | None = None


class _Retrieved(msgspec.Struct):
    customer: _Customer


class _Group(msgspec.Struct):
    id: str
    name: str


class _Groups(msgspec.Struct):
    groups: list[_Group] | None = None
    cursor: str | None = None


class SquareConnector(Connector[SquareSettings]):
    """Reads a seller's customer directory and its groups."""

    name: ClassVar[str] = "square"
    title: ClassVar[str] = "Square"
    settings_type: ClassVar[type[Settings]] = SquareSettings
    answers_changes: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read all customers; or those that changed, if the club has chosen so.

        :raises ConnectorError: before the first complete page, or if the list of groups is incomplete.
        """
        as_of = self.start()
        since = self.settings.since(self.since, full=full)
        with self._http() as http:
            groups = self._groups(http)
            return self._walk(http, as_of, groups, since)

    def check(self) -> str:
        """Read one customer."""
        with self._http() as http:
            count = self._found(http, "", None, limit=1).count
        return f"The token works: the directory has {count} customer{'s' if count != 1 else ''}."

    def _http(self) -> Http:
        token = self.connection.password
        base = base_address(self.connection).removesuffix("/v2")
        if not token:
            raise SettingsWrong(f"The connection {self.connection.id} lacks the access token.")
        headers = {"Authorization": f"Bearer {token}", "Square-Version": self.settings.version}
        return Http.of(self, base, self.settings.http, headers=headers)

    def _groups(self, http: Http) -> list[_Group]:
        """The list of groups.

        :raises ErpUnreachable: it could not be read completely; missing groups would be unknown ones.
        """
        path = "/v2/customers/groups"

        def fetch(cursor: str) -> Page[_Group, str]:
            params = {"limit": 50, **({"cursor": cursor} if cursor else {})}
            page = http.json("GET", path, _Groups, params=params)
            groups = page.groups or []
            return Page(groups, [g.id for g in groups], page.cursor or None)

        return Walk(fetch, "", self.settings.http, order=Order.CURSOR).whole(path)

    def _found(self, http: Http, cursor: str, since: datetime | None, *, limit: int) -> _Found:
        query: dict[str, Any] = {"sort": {"field": "CREATED_AT", "order": "ASC"}}
        if since is not None:
            earlier = (since - self.settings.overlap).astimezone(UTC)
            query["filter"] = {"updated_at": {"start_at": f"{earlier:%Y-%m-%dT%H:%M:%SZ}"}}
        body = {"limit": limit, "count": True, "query": query}
        if cursor:
            body["cursor"] = cursor
        return http.json("POST", "/v2/customers/search", _Found, body=body)

    def _walk(
        self, http: Http, as_of: datetime, groups: list[_Group], since: datetime | None
    ) -> Reading:
        def fetch(cursor: str) -> Page[dict[str, Any], str]:
            found = self._found(http, cursor, since, limit=self.settings.page)
            rows = list(self._rows(found.customers or []))
            return Page(rows, [row["erp_id"] for row in rows], found.cursor or None, found.count)

        walk = Walk(fetch, "", self.settings.http, order=Order.CURSOR, progress=self.progress)
        rows = walk.all_rows()
        if since is None:
            seen = {row["erp_id"] for row in rows}
            rows += ask_for_missing(walk, self.known, seen, lambda one: self._one(http, one, seen))
        return walk.reading(
            self._customers(rows),
            groups_frame([{"id": g.id, "name": g.name, "active": True} for g in groups]),
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
        )

    def _one(self, http: Http, erp_id: str, seen: set[str | None]) -> list[dict[str, Any]]:
        """One customer, whom the list has not shown; of one that was merged, Square shows the profile that took its
        place: that one counts, if the list has not shown it either."""
        reply = http.request(
            "GET",
            f"/v2/customers/{quote(erp_id, safe='')}",
            _Retrieved,
            empty_statuses=frozenset({404}),
        ).value
        rows = [] if reply is None else list(self._rows([reply.customer]))
        found = [row for row in rows if row["erp_id"] not in seen]
        seen.update(row["erp_id"] for row in found)
        return found

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        read = Dates(self.club, clock=ZoneInfo("UTC")).read(raw)
        return customers_frame(fields.canonical(read, self.club.country))

    def _rows(self, customers: list[_Customer]) -> Iterator[dict[str, Any]]:
        for c in customers:
            nameless = not (c.given_name or c.family_name)
            yield {
                "erp_id": c.id,
                "email": c.email_address,
                "first_name": c.given_name,
                "last_name": c.company_name if nameless else c.family_name,
                "phone": c.phone_number,
                "birth_date": c.birthday,
                "country": c.address.country if isinstance(c.address, _Address) else None,
                "status": "active",
                "groups": [
                    {"id": g, "valid_from": None, "valid_until": None}
                    for g in several(c.group_ids, omits_empty=self.settings.omits_empty)
                ],
                "created_at": c.created_at,
                "modified_at": c.updated_at,
            }
