"""Mindbody: studios, gyms and salons on the Public API v6.

The connection's host is `https://api.mindbodyonline.com`, login and password are a staff user's, the extra holds
`api_key`; the club's settings name its `site_id`. From the vendor's documentation [doc] and from a transcription
of its own SDK [3rd] (docs/erps/mindbody.md); no server of theirs was available, the sandbox implements what these say:

- `API-Key` and `SiteId` in the header of every request; `POST usertoken/issue` issues a staff user's token.
- `GET client/clients` by limit (at most 200) and offset, with `TotalResults`; without `request.includeInactive=true` it
  hides inactive clients. `UniqueId` never changes and is the key; `Id` is a barcode that the club may change.
- `GET client/activeclientsmemberships` for up to 200 clients at once, by `Id`. It lists active memberships only; the
  end of a membership is therefore read while it runs.
- `GET site/memberships` is the list of groups, with `IsActive`.
- Emails are not unique: Mindbody treats clients with the same first name, last name and email as duplicates.
- A merge is not reported: the source client disappears (R10 finds it by its email).
- 1000 calls per day and key. A reading of changes (`request.lastModifiedDate`) takes three: token, clients and
  their memberships; one of everything takes two per page of 200, the token and the list of groups. So
  changes are read at the club's cadence, and everything by its `full_read` (`24h` suits this ERP) and at the start of
  each day: 288 times three calls and once 102 for a club of 10,000 clients with a cadence of five minutes,
  as long as one page holds all who changed since the last complete reading, and in the `overlap` before it.
- Beyond the quota, live calls are billed, and those to the vendor's sandbox rejected; the duration is not documented.

Inferred, therefore settable or harmless:

- [inf] what a status means for access: setting `statuses`. `Declined` is a payment that failed while the
  membership continues, `Non-Member` is somebody without one.
- [inf] the time zone of `request.lastModifiedDate` is not documented: changes are requested from `overlap` earlier.
- [inf] whether a new membership updates the client's own stamp is not documented; the next full reading has it.
- [inf] `ExpirationDate` is the last day. The API writes a date as its midnight in "UTC", which is not turned into the
  club's time zone: west of Greenwich a membership would end, and everybody be born, a day early.
- [inf] the relationship that makes somebody a dependant is the club's own: setting `guardian_relation`.
- [inf] the token is sent with its type before it; a client who is missing in the response holds no membership. What a
  client without an `Id`, or with an error in place of the memberships, holds is unknown (R3).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import chains, fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NOT_TEXT, is_unreadable
from connectors.sdk.dates import UNREADABLE_DATE, Dates, Kind, RowDates
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.messages import message
from connectors.sdk.model import (
    CUSTOMER_SCHEMA,
    Memberships,
    Reading,
    customers_frame,
    groups_frame,
)
from connectors.sdk.odd import are_many, several
from connectors.sdk.paging import Order, Page, Walk, next_offset
from connectors.sdk.paths import identifier
from connectors.sdk.words import same, word

ROOT = "/public/v6"

Status = Literal["active", "prospect", "paused", "suspended", "former", "unknown"]

STATUSES: dict[str, Status] = {
    "Active": "active",
    "Declined": "active",
    "Non-Member": "prospect",
    "Suspended": "suspended",
    "Expired": "former",
    "Terminated": "former",
}

#: canonical field -> the client's key that it is read from.
COLUMN_OF = {
    "erp_id": "UniqueId",
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "Email",
    "phone": "MobilePhone",
    "birth_date": "BirthDate",
    "gender": "Gender",
    "country": "Country",
    "status": "Status",
    "groups": "Memberships",
    "guardian_id": "ClientRelationships",
    "created_at": "CreationDate",
    "modified_at": "LastModifiedDateTime",
    "is_company": "IsCompany",
}

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status_raw"), pl.String()),
    **{c: CUSTOMER_SCHEMA[c] for c in ("groups", "unreadable")},
    "is_company": pl.Boolean(),
}


class MindbodySettings(Settings):
    """`settings:` of a club on Mindbody.

    :param site_id: the business's number at Mindbody (in quotes: YAML would make it a number).
    :param page: clients per request.
    :param statuses: Mindbody's word -> our status, if it differs for this club.
    :param guardian_relation: name of the relationship that leads from a dependant to the person who pays; if empty,
        none is read.
    :param overlap: how much earlier than necessary changes are requested, in seconds or ISO 8601 (`PT26H`).
    :param http: limits of requests and readings.
    """

    site_id: str = Field(min_length=1)
    page: int = Field(default=200, ge=1, le=200)
    statuses: dict[str, Status] = Field(default_factory=dict)
    guardian_relation: str | None = None
    overlap: timedelta = Field(default=timedelta(hours=26), ge=timedelta(0))
    http: HttpLimits = HttpLimits()


#: Where a chain's clients may name their club.
HOME_ID, HOME_NAME = "HomeLocation.Id", "HomeLocation.Name"


class _Token(msgspec.Struct, rename="pascal"):
    access_token: str
    token_type: str | None = None


class _Pagination(msgspec.Struct, rename="pascal"):
    total_results: int


class _Suspension(msgspec.Struct, rename="pascal"):
    booking_suspended: bool | None = None
    suspension_start_date: str | None = None
    suspension_end_date: str | None = None


class _Relationship(msgspec.Struct, rename="pascal"):
    related_unique_id: int | str | None = None
    relationship_name: str | None = None


class _Location(msgspec.Struct, rename="pascal"):
    id: int | str | None = None
    name: str | None = None


class _Client(msgspec.Struct, rename="pascal"):
    unique_id: int | None
    id: str | None
    active: bool | str | None
    status: str | None = None
    is_prospect: bool | str | None = None
    is_company: bool | str | None = None
    suspension_info: _Suspension | str | None = None
    client_relationships: list[_Relationship] | str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    work_phone: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    country: str | None = None
    creation_date: str | None = None
    last_modified_date_time: str | None = None
    home_location: _Location | str | None = None


class _Clients(msgspec.Struct, rename="pascal"):
    pagination_response: _Pagination
    clients: list[_Client]


class _Membership(msgspec.Struct, rename="pascal"):
    membership_id: int
    name: str | None = None
    active_date: str | None = None
    expiration_date: str | None = None


class _Held(msgspec.Struct, rename="pascal"):
    client_id: str
    memberships: list[_Membership] | str | msgspec.UnsetType | None = msgspec.UNSET
    error_message: str | None = None


class _Helds(msgspec.Struct, rename="pascal"):
    pagination_response: _Pagination
    client_memberships: list[_Held]


def _clients_of(rows: Sequence[_Held]) -> Collection[str]:
    """The clients of a page of memberships: each once, unless a whole row comes twice, which means that rows moved."""
    clients = [row.client_id for row in rows]
    return clients if len({msgspec.json.encode(row) for row in rows}) < len(rows) else set(clients)


class _Kind(msgspec.Struct, rename="pascal"):
    membership_id: int
    membership_name: str | None = None
    is_active: bool | None = None


class _Kinds(msgspec.Struct, rename="pascal"):
    memberships: list[_Kind]


def _spellings(ids: Iterable[str]) -> Callable[[str], str | None]:
    """An `Id` as the list of memberships spells it -> the one that was asked for; None: it is nobody's.

    `Id` is a barcode that people type. [inf] Another case, other blanks or leading zeros are the same client where no
    two of those that were asked for differ in that alone.
    """
    exact = {one.strip() for one in ids}
    forms = Counter(map(_form, exact))
    by_form = {_form(one): one for one in exact if forms[_form(one)] == 1}
    return lambda said: said.strip() if said.strip() in exact else by_form.get(_form(said))


def _form(key: str) -> str:
    return word(key).lstrip("0")


class MindbodyConnector(Connector[MindbodySettings]):
    """Reads a site's clients and their active memberships, all of them or those that changed."""

    name: ClassVar[str] = "mindbody"
    title: ClassVar[str] = "Mindbody"
    settings_type: ClassVar[type[Settings]] = MindbodySettings
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record",)
    club_paths: ClassVar[tuple[str, ...]] = (HOME_ID, HOME_NAME)

    def read(self, *, full: bool = False) -> Reading:
        """Read all clients, or those that changed.

        :raises ConnectorError: before the first complete page.
        """
        as_of = self.start()
        since = None if full else self.since
        with self._http() as http:
            if since is None:
                http.scout(as_of, lambda: self._scout(http))
            return self._walk(http, as_of, since)

    def _scout(self, http: Http) -> None:
        self._kinds(http)
        self._list(http, None, {}, []).all_rows()

    def check(self) -> str:
        """Log in and read one client."""
        with self._http() as http:
            found = self._clients(http, 0, None, limit=1)
        total = found.pagination_response.total_results
        return f"Login works: the site has {total} client{'s' if total != 1 else ''}."

    def _http(self) -> Http:
        base = base_address(self.connection).removesuffix(ROOT)
        key = self.connection.extra.get("api_key")
        if not isinstance(key, str) or not key:
            raise SettingsWrong(f"The connection {self.connection.id} lacks the API key.")
        if not self.connection.login or not self.connection.password:
            raise SettingsWrong(
                f"The connection {self.connection.id} lacks the staff user's login or password."
            )
        return Http.of(
            self,
            base,
            self.settings.http,
            headers={"API-Key": key, "SiteId": self.settings.site_id},
            login=self._log_in,
        )

    def _log_in(self, http: Http) -> str:
        token = http.json(
            "POST",
            f"{ROOT}/usertoken/issue",
            _Token,
            body={"Username": self.connection.login, "Password": self.connection.password},
            login=False,
        )
        return f"{token.token_type or 'Bearer'} {token.access_token}"

    def _clients(self, http: Http, offset: int, since: datetime | None, *, limit: int) -> _Clients:
        params: dict[str, Any] = {
            "request.limit": limit,
            "request.offset": offset,
            "request.includeInactive": "true",
        }
        if since is not None:
            earlier = (since - self.settings.overlap).astimezone(UTC)
            params["request.lastModifiedDate"] = f"{earlier:%Y-%m-%dT%H:%M:%SZ}"
        return http.json("GET", f"{ROOT}/client/clients", _Clients, params=params)

    def _kinds(self, http: Http) -> dict[str, tuple[str, bool | None]]:
        """The memberships that the site sells: id -> name, and whether it is active."""
        kinds = http.json("GET", f"{ROOT}/site/memberships", _Kinds).memberships
        return {
            str(k.membership_id): (k.membership_name or str(k.membership_id), k.is_active)
            for k in kinds
        }

    def _list(
        self,
        http: Http,
        since: datetime | None,
        groups: dict[str, tuple[str, bool | None]],
        lists: list[Memberships],
    ) -> Walk[dict[str, Any], int]:
        """The walk through the clients.

        :param groups: takes what they hold, of a reading of changes.
        :param lists: takes what each page's list of memberships proves.
        """

        def fetch(offset: int) -> Page[dict[str, Any], int]:
            found = self._clients(http, offset, since, limit=self.settings.page)
            total = found.pagination_response.total_results
            held, proof = self._held(http, [i for i in map(self._asked_by, found.clients) if i])
            lists.append(proof)
            if since is not None:
                for m in (m for one in held.values() for m in one if isinstance(m, _Membership)):
                    key = str(m.membership_id)
                    groups.setdefault(key, (m.name or key, True))
            return Page(
                rows=http.made(found.clients, lambda: self._rows(found.clients, held)),
                ids=[c.unique_id for c in found.clients],
                next=next_offset(offset, len(found.clients), total),
                total=total,
            )

        return Walk(fetch, 0, self.settings.http, order=Order.POSITION, progress=self.progress)

    def _walk(self, http: Http, as_of: datetime, since: datetime | None) -> Reading:
        # the list itself is read by full readings only
        groups = self._kinds(http) if since is None else {}
        lists: list[Memberships] = []
        walk = self._list(http, since, groups, lists)
        customers = self._customers(walk.all_rows())
        return walk.reading(
            customers,
            groups_frame([{"id": k, "name": n, "active": a} for k, (n, a) in groups.items()]),
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
            memberships=Memberships.together(lists),
        )

    def _may_hold(self, client: _Client) -> bool:
        """Whether a call for the client's memberships is worthwhile."""
        return self._status(client)[0] not in ("archived", "former", "prospect")

    def _asked_by(self, client: _Client) -> str | None:
        """The `Id` by which the client's memberships are asked for; None: there is none, or no need."""
        usable = client.id is not None and client.id.strip() and not is_unreadable(client.id)
        return client.id if usable and self._may_hold(client) else None

    def _held_by(
        self, client: _Client, held: Mapping[str, list[_Membership | str]]
    ) -> Sequence[_Membership | str]:
        """What a client holds; without an `Id` that is unknown (R3)."""
        key = self._asked_by(client)
        if key is None:
            return [NOT_TEXT] if self._may_hold(client) else ()
        return held.get(key.strip(), ())

    def _held(
        self, http: Http, ids: Sequence[str]
    ) -> tuple[Mapping[str, list[_Membership | str]], Memberships]:
        """Active memberships by client `Id`, and what their list proves.

        :raises ConnectorError: the list of memberships cannot be read.
        :raises ContractChanged: it has an error in place of the memberships of many clients, or of all.
        """
        path = f"{ROOT}/client/activeclientsmemberships"

        def fetch(offset: int) -> Page[_Held, int]:
            params = [("request.limit", 200), ("request.offset", offset)]
            found = http.json(
                "GET", path, _Helds, params=[*params, *(("request.clientIds", i) for i in ids)]
            )
            odd = sum(bool(client.error_message) for client in found.client_memberships)
            if are_many(odd, len(found.client_memberships)) or (
                odd and odd == len(found.client_memberships)
            ):
                raise ContractChanged("Mindbody returned errors instead of clients' memberships.")
            total, rows = found.pagination_response.total_results, found.client_memberships
            following = next_offset(offset, len(rows), total)
            strangers = {row.client_id for row in rows if spelled(row.client_id) is None}
            doubt = (
                message(f"It has clients who were not asked for: {len(strangers)}.")
                if strangers
                else None
            )
            return Page(rows, _clients_of(rows), following, total, doubt=doubt)

        spelled = _spellings(ids)
        walk = Walk(fetch, 0 if ids else None, self.settings.http, order=Order.POSITION)
        held: dict[str, list[_Membership | str]] = {}
        rows, proof = walk.joined(path)
        for client in rows:
            found = NOT_TEXT if client.error_message else client.memberships
            key = spelled(client.client_id)
            if key is not None:
                held.setdefault(key, []).extend(several(found))
        return held, proof

    @cached_property
    def _meanings(self) -> Mapping[str, Status]:
        """Mindbody's word -> our status."""
        stated = (*STATUSES.items(), *self.settings.statuses.items())
        return {word(name): status for name, status in stated}

    def _status(self, client: _Client) -> tuple[str, str | None]:
        """(our status, Mindbody's word if it is unknown)."""
        if client.active is None or isinstance(client.active, str):
            return "unknown", NOT_TEXT
        if not client.active:
            return "archived", None
        suspension = client.suspension_info
        runs = self._runs(suspension) if suspension is not None else False
        if runs is None or isinstance(client.is_prospect, str):
            return "unknown", NOT_TEXT
        if runs:
            return "suspended", None
        if client.is_prospect:
            return "prospect", None
        status = self._meanings.get(word(client.status or ""), "unknown")
        return status, client.status if status == "unknown" else None

    def _runs(self, suspension: _Suspension | str) -> bool | None:
        """Whether it covers today, by the club's calendar; a missing end is open. None: that cannot be read."""
        if isinstance(suspension, str):
            return None
        said = (suspension.suspension_start_date, suspension.suspension_end_date)
        if suspension.booking_suspended is None and any(said):
            return None
        if not suspension.booking_suspended:
            return False
        dates, today = Dates(self.club), self.now().astimezone(self.club.timezone).date()
        start = dates.day(_date(suspension.suspension_start_date))
        end = dates.day(_date(suspension.suspension_end_date))
        if UNREADABLE_DATE in (start, end):
            return None
        return not (isinstance(start, date) and today < start) and not (
            isinstance(end, date) and end < today
        )

    def _rows(
        self, clients: Sequence[_Client], held: Mapping[str, list[_Membership | str]]
    ) -> Iterator[dict[str, Any]]:
        club_at, days = self.club.club_at, Dates(self.club)
        for c in clients:
            status, raw = self._status(c)
            dates = RowDates(days)
            yield {
                "erp_id": identifier(c.unique_id),
                "email": c.email,
                "first_name": c.first_name,
                "last_name": c.last_name,
                "phone": c.mobile_phone or c.home_phone or c.work_phone,
                "birth_date": _date(c.birth_date),
                "gender": c.gender,
                "country": c.country,
                "status": status,
                "status_raw": raw,
                "groups": [_span(m, dates) for m in self._held_by(c, held)],
                "unreadable": dates.unreadable,
                "guardian_id": self._guardian(c),
                "created_at": c.creation_date,
                "modified_at": c.last_modified_date_time,
                "is_company": c.is_company is True,
                **({"clubs": chains.named(_club(c, club_at))} if club_at else {}),
            }

    def _guardian(self, client: _Client) -> str | None:
        """The id of the person who pays."""
        relation, found = self.settings.guardian_relation, client.client_relationships
        if not relation or found is None:
            return None
        if isinstance(found, str):
            return NOT_TEXT
        return next(
            (identifier(r.related_unique_id) for r in found if same(r.relationship_name, relation)),
            None,
        )

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        raw = Dates(self.club).read(raw, {"birth_date": Kind.BIRTH, "created_at": Kind.STAMP})
        read = Dates(self.club, clock=ZoneInfo("UTC")).read(raw, {"modified_at": Kind.STAMP})
        customers = customers_frame(fields.canonical(read, self.club.country))
        return chains.with_clubs(customers, rows)


def _club(client: _Client, at: str) -> Any:
    """What a client has where a chain's clients name their club."""
    location = client.home_location
    if not isinstance(location, _Location):
        return location
    return location.name if at == HOME_NAME else location.id


def _span(membership: _Membership | str, dates: RowDates) -> dict[str, Any]:
    """A membership as a group."""
    if isinstance(membership, str):
        return {"id": membership, "valid_from": None, "valid_until": None}
    key = str(membership.membership_id)
    return {
        "id": key,
        "valid_from": dates.day(_date(membership.active_date), "valid_from", group=key),
        "valid_until": dates.day(_date(membership.expiration_date), "valid_until", group=key),
    }


def _date(moment: str | None) -> str | None:
    """A date that is written as its midnight in UTC, without that."""
    return None if moment is None else re.sub(r"T00:00:00(?:\.0+)?(?:Z|\+00:?00)$", "", moment)
