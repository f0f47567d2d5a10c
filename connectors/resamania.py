"""Resamania 2 (Stadline): French clubs, over JSON-LD collections behind a gateway.

The connection's host is the gateway with its environment (`https://gateway.prod.gravitee.stadline.tech/resa2-prod`),
login and password are the client id and secret, the extra holds `api_key`; the club's settings name the
client token and the club. From the vendor's pages [doc] (docs/erps/resamania.md) and the vendor's own collection of
example requests on GitHub (stadline/resamania2-partners) [ex]; no server of theirs was available, the sandbox
implements what these say:

- `POST /{client_token}/oauth/v2/token`, a form with `grant_type=client_credentials`; the gateway's key is sent
  with every request, this one too (`x-gravitee-api-key`, else 401) [doc].
- The club and, for chains, the network node are identified by IRI in `x-user-club-id` and `x-user-network-node-id`;
  without them a list is answered with 404 "Item not found", outside our scope with 403 [doc].
- `GET /{client_token}/contacts`: members of a Hydra collection, 30 a page [doc] or as many as `itemsPerPage` asks for
  [ex], with a total. Newer API Platforms write the same without the prefix `hydra:`; both are read. The next
  page is the one that the response names; pages are never counted.
- `GET /{client_token}/subscriptions`, each with its `contact` [ex]. Never one request per contact: the gateway
  has special limits on those [doc].
- Limits per second, minute and day, with resets in epoch milliseconds (`connectors.sdk.http` reads them) [doc].
- Every value in a query is encoded, so that a plus sign in an email or a date arrives as one (`%2B`) [doc].
- An email is unique per client token [doc]. Merges and family relations are not reported.
- Webhooks are thin and do not say which environment they come from: each environment gets an address of its
  own, which is a club's here [doc]. They are not signed: see `connectors.sdk.webhooks.resamania`.

Inferred, therefore settable or loud:

- [inf] a contact's state and its words: settings `state`, `states`. An unknown word, or none at all, changes
  nothing (R3).
- [inf] keys of a subscription: settings `product`, `valid_from`, `valid_through`. A subscription without them is an
  unknown group, and many are `ContractChanged`; none is a lost group. `engagedThrough` [ex] is the end of a commitment,
  not of the subscription.
- [inf] the addresses of next pages lack the gateway's part; both forms are read.
- [inf] a filter for changes: setting `changed_after` (`updatedAt[after]`, say); without it every reading is a full
  one. An API Platform that does not know a filter ignores it, which costs pages and nothing else.
  A new subscription does not change its contact, so that it waits for the next full reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import chains, fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NOT_TEXT, is_unreadable
from connectors.sdk.dates import Dates, RowDates
from connectors.sdk.errors import (
    ContractChanged,
    CredentialsRefused,
    SettingsWrong,
)
from connectors.sdk.http import Http, HttpLimits, Unauthorized, base_address
from connectors.sdk.model import (
    CUSTOMER_SCHEMA,
    Memberships,
    Reading,
    customers_frame,
    groups_frame,
)
from connectors.sdk.odd import are_many, typed_all
from connectors.sdk.paging import Order, Page, Walk
from connectors.sdk.paths import MISSING, Path, cell, getter, identifier
from connectors.sdk.resume import FieldFilter
from connectors.sdk.words import word

Status = Literal["active", "prospect", "paused", "suspended", "former", "archived", "unknown"]

#: subscriptions per request, if the ERP lets us choose: they are small.
SUBSCRIPTIONS_PAGE = 500

STATES: dict[str, Status] = {"client": "active", "prospect": "prospect", "former": "former"}

#: canonical field -> the contact's key that it is read from.
COLUMN_OF = {
    "erp_id": "@id",
    "first_name": "givenName",
    "last_name": "familyName",
    "email": "email",
    "phone": "mobile",
    "birth_date": "birthDate",
    "gender": "gender",
    "country": "address",
    "status": "state",
    "groups": "subscriptions",
    "created_at": "createdAt",
    "modified_at": "updatedAt",
}

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status_raw"), pl.String()),
    **{c: CUSTOMER_SCHEMA[c] for c in ("groups", "unreadable")},
}


class ResamaniaSettings(Settings):
    """`settings:` of a club on Resamania 2.

    :param client_token: Stadline's name of its customer, as in the API's addresses.
    :param club, network_node: numbers, or IRIs (`/demoapi/clubs/1210`).
    :param page: contacts per request, if the ERP lets us choose.
    :param state: path of a contact's state.
    :param states: the ERP's word -> our status, in addition to `STATES`.
    :param subscriptions: read the subscriptions, which become groups; false: there are no groups.
    :param product, valid_from, valid_through: paths in a subscription.
    :param changed_after: name of the filter that returns changed contacts; none: everything is read.
    :param overlap: how much earlier than necessary changes are requested, in seconds or ISO 8601 (`PT10M`): clocks
        differ, and a change is visible when it is committed.
    :param http: limits of requests and readings.
    """

    client_token: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    club: str | int
    network_node: str | int | None = None
    page: int = Field(default=100, ge=1, le=1000)
    state: Path = "state"
    states: dict[str, Status] = Field(default_factory=dict)
    subscriptions: bool = True
    product: Path = "product"
    valid_from: Path = "validFrom"
    valid_through: Path = "validThrough"
    changed_after: str | None = None
    overlap: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(0))
    http: HttpLimits = HttpLimits(per_second=20)


class _Token(msgspec.Struct):
    access_token: str


class _View(msgspec.Struct):
    prefixed: str | None = msgspec.field(name="hydra:next", default=None)
    plain: str | None = msgspec.field(name="next", default=None)


class _Collection(msgspec.Struct):
    """A Hydra collection, with and without the prefix."""

    prefixed: list[dict[str, Any]] | None = msgspec.field(name="hydra:member", default=None)
    plain: list[dict[str, Any]] | None = msgspec.field(name="member", default=None)
    prefixed_total: int | None = msgspec.field(name="hydra:totalItems", default=None)
    plain_total: int | None = msgspec.field(name="totalItems", default=None)
    prefixed_view: _View | None = msgspec.field(name="hydra:view", default=None)
    plain_view: _View | None = msgspec.field(name="view", default=None)

    @property
    def members(self) -> list[dict[str, Any]]:
        members = self.plain if self.prefixed is None else self.prefixed
        if members is None:
            raise ContractChanged("Resamania responded without a list of members.")
        return members

    @property
    def total(self) -> int:
        """How many there are; without it nothing would prove that all were received (R14)."""
        total = self.plain_total if self.prefixed_total is None else self.prefixed_total
        if total is None:
            raise ContractChanged("Resamania responded without the total of a list.")
        return total

    @property
    def next(self) -> str | None:
        view = self.prefixed_view or self.plain_view
        return (view.prefixed or view.plain or None) if view is not None else None


class _Address(msgspec.Struct, rename="camel"):
    address_country_iso: str | None = None


class _Contact(msgspec.Struct, rename="camel"):
    iri: str | None = msgspec.field(name="@id")
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    mobile: str | None = None
    phone: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    address: _Address | str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _Linked(msgspec.Struct):
    iri: str = msgspec.field(name="@id")


class _Subscription(msgspec.Struct):
    contact: _Linked | str | None


Held = Mapping[str, list[dict[str, Any]]]


class ResamaniaConnector(Connector[ResamaniaSettings]):
    """Reads a club's contacts and their subscriptions."""

    name: ClassVar[str] = "resamania"
    title: ClassVar[str] = "Resamania"
    settings_type: ClassVar[type[Settings]] = ResamaniaSettings
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record",)

    def read(self, *, full: bool = False) -> Reading:
        """Read all contacts; or those that changed, if the ERP has a filter for it (`changed_after`).

        :raises ConnectorError: before the first complete page of subscriptions, or of contacts.
        """
        as_of = self.start()
        since = None if full or self.settings.changed_after is None else self.since
        with self._http() as http:
            if since is None:
                http.scout(as_of, lambda: self._scout(http))
            held, proof = self._subscriptions(http) if self.settings.subscriptions else ({}, None)
            return self._contacts(http, as_of, held, since, proof)

    def check(self) -> str:
        """Log in and read a page of contacts."""
        with self._http() as http:
            total = self._page(http, "contacts", "", {"itemsPerPage": 1}).total
        return f"Login works: the club has {total} contact{'s' if total != 1 else ''}."

    def _http(self) -> Http:
        base, settings, connection = base_address(self.connection), self.settings, self.connection
        key = connection.extra.get("api_key")
        if not isinstance(key, str) or not key:
            raise SettingsWrong(f"The connection {connection.id} lacks the gateway's API key.")
        if not connection.login or not connection.password:
            raise SettingsWrong(
                f"The connection {connection.id} lacks the client id (login) or the secret (password)."
            )
        headers = {
            "Accept": "application/ld+json",
            "x-gravitee-api-key": key,
            "x-user-club-id": self._iri("clubs", settings.club),
        }
        if settings.network_node is not None:
            headers["x-user-network-node-id"] = self._iri("network_nodes", settings.network_node)
        return Http.of(
            self,
            base,
            settings.http,
            headers=headers,
            login=self._log_in,
            stored_fields=FieldFilter.of(
                *(_Collection, _Contact, _Subscription),
                paths=[
                    *(settings.state, settings.product),
                    *(settings.valid_from, settings.valid_through),
                    *filter(None, [self.club.club_at]),
                ],
            ),
        )

    def _iri(self, kind: str, name: str | int) -> str:
        """An IRI from a number, or as it is given."""
        given = str(name)
        return given if given.startswith("/") else f"/{self.settings.client_token}/{kind}/{given}"

    def _log_in(self, http: Http) -> str:
        token = http.request(
            "POST",
            f"/{self.settings.client_token}/oauth/v2/token",
            _Token,
            form={
                "grant_type": "client_credentials",
                "client_id": self.connection.login or "",
                "client_secret": self.connection.password or "",
            },
            login=False,
        ).value
        assert token is not None
        return f"Bearer {token.access_token}"

    def _page(self, http: Http, kind: str, address: str, params: Mapping[str, Any]) -> _Collection:
        """A page of a collection.

        :param address: of a page that another one named, of which only the query is used, so that no response
            can send our token elsewhere; empty: the first page.
        """
        query = parse_qsl(urlsplit(address).query) if address else list(params.items())
        try:
            return http.json(
                "GET", f"/{self.settings.client_token}/{kind}", _Collection, params=query
            )
        except SettingsWrong as error:
            raise SettingsWrong(
                error.what,
                remedy="Correct client_token, club and network_node in the club's settings, and the "
                "environment at the end of the connection's host.",
            ) from None
        except Unauthorized:
            raise
        except CredentialsRefused as error:
            raise CredentialsRefused(
                error.what,
                remedy=f"Ask Stadline to add /{kind} to our client's scope.",
            ) from None

    def _scout(self, http: Http) -> None:
        if self.settings.subscriptions:
            self._held(http).all_rows()
        self._list(http, {}, None).all_rows()

    def _held(self, http: Http) -> Walk[tuple[str | None, dict[str, Any]], str]:
        """The walk through the subscriptions: the contact's number, and the group."""
        days = Dates(self.club)

        def spans(page: _Collection) -> Iterator[tuple[str | None, dict[str, Any]]]:
            subscriptions = typed_all(page.members, _Subscription)
            for record, subscription in zip(page.members, subscriptions, strict=True):
                contact = subscription.contact
                key = _number(contact.iri if isinstance(contact, _Linked) else contact)
                yield key, self._span(record, RowDates(days))

        def fetch(address: str) -> Page[tuple[str | None, dict[str, Any]], str]:
            page = self._page(http, "subscriptions", address, {"itemsPerPage": SUBSCRIPTIONS_PAGE})
            rows = http.made(page.members, lambda: spans(page))
            ids = [linked.iri for linked in typed_all(page.members, _Linked)]
            return Page(rows, ids, page.next, page.total)

        return Walk(fetch, "", self.settings.http, order=Order.CURSOR)

    def _subscriptions(self, http: Http) -> tuple[Held, Memberships]:
        """All subscriptions as groups, by contact, and what their list proves.

        :raises ConnectorError: the list cannot be read.
        :raises ContractChanged: many lack their contact, or the keys that the settings name.
        """
        walk = self._held(http)
        held: dict[str, list[dict[str, Any]]] = {}
        path = f"/{self.settings.client_token}/subscriptions"
        rows, proof = walk.joined(path)
        for key, span in rows:
            if key is not None:
                held.setdefault(key, []).append(span)
        nobodys = sum(key is None for key, _ in rows)
        if nobodys and (are_many(nobodys, len(rows)) or nobodys == len(rows)):
            raise ContractChanged("Resamania sent subscriptions without their contacts.")
        unread = sum(span["id"] == NOT_TEXT for _, span in rows)
        if unread and (are_many(unread, len(rows)) or unread == len(rows)):
            raise ContractChanged(
                "A subscription lacks the keys that the settings name.",
                remedy="Correct product, valid_from and valid_through in the club's settings.",
            )
        return held, proof.with_nobodys(nobodys, path)

    def _span(self, record: Mapping[str, Any], dates: RowDates) -> dict[str, Any]:
        """A subscription as a group; one that lacks the product, or the keys of its dates, cannot be read (R3)."""
        settings = self.settings
        product = identifier(getter(settings.product)(record))
        first, last = getter(settings.valid_from)(record), getter(settings.valid_through)(record)
        if not product or first is MISSING or last is MISSING:
            product, first, last = NOT_TEXT, None, None
        return {
            "id": product,
            "valid_from": dates.day(first, "valid_from", group=product),
            "valid_until": dates.day(last, "valid_until", group=product),
            "unreadable": dates.unreadable,
        }

    def _list(self, http: Http, held: Held, since: datetime | None) -> Walk[dict[str, Any], str]:
        """The walk through the contacts."""
        params: dict[str, Any] = {"itemsPerPage": self.settings.page}
        if since is not None and self.settings.changed_after:
            earlier = (since - self.settings.overlap).astimezone(UTC)
            params[self.settings.changed_after] = earlier.isoformat(timespec="seconds")

        def fetch(address: str) -> Page[dict[str, Any], str]:
            page = self._page(http, "contacts", address, params)
            rows = http.made(page.members, lambda: self._rows(page.members, held))
            iris = [record.get("@id") for record in page.members]
            ids = [_number(iri) if isinstance(iri, str) else None for iri in iris]
            return Page(rows, ids, page.next, page.total)

        return Walk(fetch, "", self.settings.http, order=Order.CURSOR, progress=self.progress)

    def _contacts(
        self,
        http: Http,
        as_of: datetime,
        held: Held,
        since: datetime | None,
        proof: Memberships | None,
    ) -> Reading:
        walk = self._list(http, held, since)
        rows = walk.all_rows()
        names = dict.fromkeys(g["id"] for spans in held.values() for g in spans)
        return walk.reading(
            self._customers(rows),
            groups_frame([{"id": name, "name": name, "active": True} for name in names]),
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
            memberships=proof,
        )

    @cached_property
    def _meanings(self) -> Mapping[str, Status]:
        """The ERP's word -> our status."""
        stated = (*STATES.items(), *self.settings.states.items())
        return {word(name): status for name, status in stated}

    def _rows(self, members: list[dict[str, Any]], held: Held) -> Iterator[dict[str, Any]]:
        state_of, club_at = getter(self.settings.state), self.club.club_at
        contacts = typed_all(members, _Contact)
        keys = [_number(contact.iri) for contact in contacts]
        if keys and keys.count(None) and are_many(keys.count(None), len(keys)):
            raise ContractChanged("Resamania identified contacts by something that is not an IRI.")
        for record, contact, key in zip(members, contacts, keys, strict=True):
            spans = held.get(key or "", [])
            state = cell(state_of(record))
            status = self._meanings.get(word(state or ""), "unknown")
            yield {
                "erp_id": key,
                "email": contact.email,
                "first_name": contact.given_name,
                "last_name": contact.family_name,
                "phone": contact.mobile or contact.phone,
                "birth_date": contact.birth_date,
                "gender": contact.gender,
                "country": contact.address.address_country_iso
                if isinstance(contact.address, _Address)
                else None,
                "status": status,
                "status_raw": state if status == "unknown" else None,
                "groups": [{k: v for k, v in span.items() if k != "unreadable"} for span in spans],
                "unreadable": [note for span in spans for note in span["unreadable"]],
                "created_at": contact.created_at,
                "modified_at": contact.updated_at,
                **({"clubs": _clubs(chains.found(record, club_at))} if club_at else {}),
            }

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        read = Dates(self.club, clock=ZoneInfo("UTC")).read(raw)
        customers = customers_frame(fields.canonical(read, self.club.country))
        return chains.with_clubs(customers, rows)


def _clubs(value: Any) -> list[dict[str, Any]]:
    """The clubs that a contact names: of an IRI, or of what it leads to, the number."""
    several = value if isinstance(value, list) else [value]
    iris = [one.get("@id") if isinstance(one, dict) else one for one in several]
    return chains.named(
        [_number(one) or one if isinstance(one, str) and "/" in one else one for one in iris]
    )


def _number(iri: str | None) -> str | None:
    """`/demoapi/contacts/2974221` -> `2974221`; None: it is not an IRI."""
    _, slash, number = (iri or "").rpartition("/")
    return number if slash and number and not is_unreadable(iri or "") else None
