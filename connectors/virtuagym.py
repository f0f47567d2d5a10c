"""Virtuagym: gyms, over the Public API v1.

The connection's host is `https://api.virtuagym.com`, its password the club key ("club secret"), the extra holds
`api_key`; the club's settings name its `club_id`. From a copy of the vendor's own documentation [doc]
(docs/erps/virtuagym.md); no server of theirs was available, the sandbox implements what it says:

- Both keys are in the query of every request. (No query ever reaches a log line or an error, see
  `connectors.sdk.http`.)
- `GET /api/v1/club/{id}/member?from_id=…&max_results=…` returns members by ascending id, at most 500, and in
  `results_remaining` how many follow; plus those before, that is the total of the certificate. `sync_from` returns
  changes, but any number of rows may share one timestamp, so the vendor says to walk by id: every reading is full.
- `with=memberships` adds each member's memberships, running or not, with flags: `active`, `paused`, `cancelled` (it
  will end), `stopped` (it has ended), `completed`.
- The envelope is flat (`{"statuscode", …, "result"}`) or nested (`{"status": {"statuscode", …}, "result"}`), and its
  status counts in addition to that of HTTP: 420 "no member found" is an empty list.
- Times are in seconds, in milliseconds, or a date, even within one response.
- 500 requests an hour; beyond that status 421, not 429, without saying for how long.
- No webhooks, and nothing about merges and families.

Inferred, therefore settable or harmless:

- [inf] `from_id` is the last id that was seen, not the first to come: the page behind it starts above.
- [inf] a member whose only running memberships are paused is `paused`; one who never had any is what `active` says. A
  club that requires a running membership sets `group_required: true`.
- [inf] a membership that is over, or paused beside one that runs, is a group that gives no access (R3).
- [inf] a member without memberships has an empty list of them; without the key it is unknown (setting `omits_empty`).
- [inf] a membership that is not cancelled continues past its `contract_end_date`.
- [inf] without `results_remaining` (older responses) the walk ends with an empty page.
- [inf] `unsubscribe_date` is the last day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NO_KEY
from connectors.sdk.dates import LONG_AGO, Dates, Kind, RowDates
from connectors.sdk.errors import (
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.http import THROTTLED, Http, HttpLimits, base_address
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import numbers, several
from connectors.sdk.paging import Order, Page, Walk
from connectors.sdk.paths import identifier

#: canonical field -> the member's key that it is read from.
COLUMN_OF = {
    "erp_id": "member_id",
    "first_name": "firstname",
    "last_name": "lastname",
    "email": "email",
    "phone": "mobile",
    "birth_date": "birthday",
    "gender": "gender",
    "country": "country",
    "status": "active",
    "groups": "memberships",
    "valid_until": "unsubscribe_date",
    "created_at": "member_since",
    "modified_at": "timestamp_edit",
}

ROW_SCHEMA = {
    **dict.fromkeys(COLUMN_OF, pl.String()),
    **{
        c: CUSTOMER_SCHEMA[c]
        for c in ("groups", "valid_until", "created_at", "modified_at", "unreadable")
    },
}

NO_MEMBER_FOUND = 420


class VirtuagymSettings(Settings):
    """`settings:` of a club on Virtuagym.

    :param club_id: the club's number in the API's addresses.
    :param page: members per request.
    :param omits_empty: the ERP leaves an empty list of memberships out; else a record that lacks the list is unknown.
    :param http: limits of requests and readings.
    """

    club_id: int = Field(gt=0)
    page: int = Field(default=500, ge=1, le=500)
    omits_empty: bool = False
    http: HttpLimits = HttpLimits()


class _Membership(msgspec.Struct):
    """A membership; without one of its flags it is unknown whether it runs, so that it cannot be read (R3)."""

    membership_id: int
    paused: bool | int
    cancelled: bool | int
    stopped: bool | int
    completed: bool | int
    membership_name: str | None = None
    start_date: int | str | None = None
    contract_end_date: int | str | None = None

    @property
    def over(self) -> bool:
        return bool(self.stopped or self.completed)


class _Member(msgspec.Struct):
    member_id: int | None
    active: bool | int | str | None = None
    firstname: str | None = None
    lastname: str | None = None
    email: str | None = None
    mobile: str | None = None
    phone: str | None = None
    birthday: str | None = None
    gender: str | None = None
    country: str | None = None
    member_since: int | str | None = None
    timestamp_edit: int | str | None = None
    unsubscribe_date: int | str | None = None
    memberships: list[_Membership] | str | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def held(self) -> list[_Membership]:
        """The memberships that can be read."""
        return self.memberships if isinstance(self.memberships, list) else []

    @property
    def paused(self) -> bool:
        """Whether nothing but paused memberships runs."""
        running = [one for one in self.held if not one.over]
        return bool(running) and all(one.paused for one in running)


class _Status(msgspec.Struct):
    statuscode: int | None = None
    results_remaining: int | None = None


class _Envelope(msgspec.Struct):
    """Both forms of the envelope, flat and nested."""

    result: list[_Member] | None = None
    status: _Status | None = None
    statuscode: int | None = None
    results_remaining: int | None = None

    @property
    def code(self) -> int | None:
        return self.status.statuscode if self.status else self.statuscode

    @property
    def remaining(self) -> int | None:
        return self.status.results_remaining if self.status else self.results_remaining


class VirtuagymConnector(Connector[VirtuagymSettings]):
    """Reads a club's members and their memberships."""

    name: ClassVar[str] = "virtuagym"
    title: ClassVar[str] = "Virtuagym"
    settings_type: ClassVar[type[Settings]] = VirtuagymSettings

    def read(self, *, full: bool = False) -> Reading:
        """Read all members; changes cannot be walked reliably, so `full` makes no difference.

        :raises ConnectorError: before the first complete page.
        """
        as_of = self.start()
        with self._http() as http:
            http.scout(as_of, lambda: self._members(http, {}).all_rows())
            return self._walk(http, as_of)

    def check(self) -> str:
        """Read one member."""
        with self._http() as http:
            found = self._page(http, 0, limit=1)
        if not found.result:
            return "The keys work: the club has no members."
        return "The keys work: the club has members."

    def _http(self) -> Http:
        base, connection = base_address(self.connection), self.connection
        if not connection.password or not self._api_key:
            raise SettingsWrong(
                f"The connection {connection.id} lacks the club key (password) or the API key."
            )
        return Http.of(self, base, self.settings.http)

    @property
    def _api_key(self) -> str | None:
        key = self.connection.extra.get("api_key")
        return key if isinstance(key, str) else None

    def _page(self, http: Http, after: int, *, limit: int) -> _Envelope:
        response = http.request(
            "GET",
            f"/api/v1/club/{self.settings.club_id}/member",
            _Envelope,
            params={
                "api_key": self._api_key,
                "club_secret": self.connection.password,
                "from_id": after,
                "max_results": limit,
                "with": "memberships",
            },
            empty_statuses=frozenset({NO_MEMBER_FOUND}),
            error_check=_check_error,
        ).value
        return response or _Envelope(result=[], results_remaining=0)

    def _members(self, http: Http, groups: dict[str, str]) -> Walk[dict[str, Any], int]:
        """The walk through the members; new groups are added to `groups` (id -> name)."""
        seen = 0

        def fetch(after: int) -> Page[dict[str, Any], int]:
            nonlocal seen
            page = self._page(http, after, limit=self.settings.page)
            members = page.result or []
            ids = numbers(m.member_id for m in members)
            rows = http.made(members, lambda: self._rows(members, groups))
            seen += len(rows)
            more = bool(ids) if page.remaining is None else page.remaining > 0
            return Page(
                rows,
                ids,
                ids[-1] if ids and more else None,
                None if page.remaining is None else seen + page.remaining,
                keys=ids,
            )

        return Walk(fetch, 0, self.settings.http, order=Order.KEY, progress=self.progress)

    def _walk(self, http: Http, as_of: datetime) -> Reading:
        groups: dict[str, str] = {}
        walk = self._members(http, groups)
        rows = walk.all_rows()
        return walk.reading(
            self._customers(rows),
            groups_frame([{"id": k, "name": v, "active": True} for k, v in groups.items()]),
            as_of=as_of,
            column_of=COLUMN_OF,
        )

    def _rows(self, members: list[_Member], groups: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Members of one page; new groups are added to `groups` (id -> name)."""
        days = self._dates
        for m in members:
            dates = RowDates(days)
            held_groups = [
                _over(h) if h.over or (h.paused and not m.paused) else self._span(h, dates)
                for h in m.held
            ]
            held_groups += [
                {"id": unread, "valid_from": None, "valid_until": None}
                for unread in several(m.memberships, omits_empty=self.settings.omits_empty)
                if isinstance(unread, str)
            ]
            for held in m.held:
                key = str(held.membership_id)
                groups.setdefault(key, held.membership_name or key)
            yield {
                "erp_id": identifier(m.member_id),
                "email": m.email,
                "first_name": m.firstname,
                "last_name": m.lastname,
                "phone": m.mobile or m.phone,
                "birth_date": m.birthday,
                "gender": m.gender,
                "country": m.country,
                "status": _status(m),
                "groups": held_groups,
                "valid_until": dates.day(m.unsubscribe_date, "valid_until"),
                "created_at": dates.moment(m.member_since, "created_at"),
                "modified_at": dates.moment(m.timestamp_edit, "modified_at"),
                "unreadable": dates.unreadable,
            }

    @property
    def _dates(self) -> Dates:
        return Dates(self.club)

    def _span(self, held: _Membership, dates: RowDates) -> dict[str, Any]:
        key = str(held.membership_id)
        until = held.contract_end_date if held.cancelled else None
        if held.cancelled and until in (None, "", 0):
            # it will end, and it is unknown when (R3)
            dates.note("valid_until", NO_KEY, group=key)
        return {
            "id": key,
            "valid_from": dates.day(held.start_date, "valid_from", group=key),
            "valid_until": dates.day(until, "valid_until", group=key),
        }

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        read = self._dates.read(raw, {"birth_date": Kind.BIRTH})
        return customers_frame(fields.canonical(read, self.club.country))


def _status(member: _Member) -> str:
    if member.active is None or isinstance(member.active, str):
        return "unknown"
    if not member.active:
        return "former"
    return "paused" if member.paused else "active"


def _over(held: _Membership) -> dict[str, Any]:
    """A membership that gives no access, as a group: not to hold any would be another thing (R3)."""
    return {"id": str(held.membership_id), "valid_from": None, "valid_until": LONG_AGO}


def _check_error(envelope: _Envelope) -> None:
    """Raise what the envelope's own status means; its message may quote our request and is left out (R19)."""
    code = envelope.code
    if code == NO_MEMBER_FOUND and not envelope.result:
        return
    if code is None or (code < 300 and envelope.result is None):
        raise ContractChanged("Virtuagym responded without a status or a result.")
    if code < 300:
        return
    if code in THROTTLED and code != NO_MEMBER_FOUND:
        raise RateLimited(f"Virtuagym is rate-limiting us (status {code}).")
    if code in (401, 403):
        raise CredentialsRefused(f"Virtuagym rejected our keys (status {code}).")
    if code >= 500:
        raise ErpUnreachable(f"Virtuagym failed with a server error (status {code}).")
    raise ContractChanged(f"Virtuagym rejected the request (status {code}).")
