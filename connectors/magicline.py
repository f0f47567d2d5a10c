"""Magicline and PerfectGym Next: gyms on Sport Alliance's Open API; one API, two products.

The connection's host is the tenant's address (`https://TENANT.open-api.magicline.com`, or
`.open-api.perfectgym.com`), its password the studio's API key. From the vendor's pages [doc] and from the
specification 1.9.0 as a third party keeps it [3rd] (docs/erps/magicline.md); no server of theirs was available, the
sandbox implements what these say:

- A static key per studio in `x-api-key`; it has to match the tenant, else 401. There is no login and nothing
  to renew. 1000 requests a minute per endpoint, which `http.per_second` stays below; beyond that, a minute of 429
  without saying how long. 503 while their database is busy [doc].
- `GET /v1/customers` in slices: the response's `offset` (on an older page `lastOffsetId`) requests the next one,
  `hasNext: false` is the last [doc, 3rd]. The names of the two parameters are settings, because the older page had
  `offsetId`.
- The slices go by the customer's id [3rd], so rows that come or go move nothing. There is no total: all that can be
  proved is that no slice came twice and that the last one says so. There is no "changed since" either: every reading
  is a full one.
- Statuses MEMBER, PROSPECT, FORMER_MEMBER [doc]. A ban from the premises (`accessRefusal`) is not a status and is
  not read.
- A contract has `startDate`, `endDate`, `cancelled`, and `contractStatus` ACTIVE or INACTIVE [3rd].
- A member's contracts are returned by `GET /v1/customers/{id}/contracts` only, one customer at a time [3rd]. That
  is a request per member, so it is off unless the setting `contracts` says otherwise; without it there are no
  groups. It suits studios of some thousand members with a cadence of a quarter of an hour or more.
- Changes that a member requests in the app wait in a queue and are not in the record until applied [doc].
- Merges are not reported: a merged card disappears (R10 finds it by its email).

Inferred, therefore settable or harmless:

- [inf] the list without a filter has former members too. If it did not, they would merely be missing from it.
- [inf] where a record has the legal representative: setting `guardian`, a path. Only a representative who is a
  customer of the studio makes somebody a dependant (R8); EXTERNAL_PERSON has no id.
- [inf] a contract that is not cancelled continues past its `endDate`, by its extension term, unless it is INACTIVE. One
  that is INACTIVE and has begun, and whose end is still to come, is unknown.
- [inf] without contracts, an idle period that covers today pauses the whole member; with them, it pauses the
  one contract that it names, and all of them if it names none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import chains, fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NO_KEY, NOT_TEXT
from connectors.sdk.dates import LONG_AGO, Dates, RowDates
from connectors.sdk.errors import ConnectorError, ContractChanged, SettingsWrong
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import typed_all
from connectors.sdk.paging import Order, Page, Walk
from connectors.sdk.paths import Path, getter, identifier
from connectors.sdk.resume import FieldFilter
from connectors.sdk.words import word

STATUS = {"member": "active", "prospect": "prospect", "former_member": "former"}

#: canonical field -> the record's key that it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phonePrivateMobile",
    "birth_date": "dateOfBirth",
    "gender": "gender",
    "country": "country",
    "status": "status",
    "groups": "contracts",
    "guardian_id": "legalRepresentative",
    "created_at": "createdDateTime",
}

#: words of a contract's status, and none, as older versions have it.
_CONTRACT_STATUSES = frozenset({"", "active", "inactive"})

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status_raw"), pl.String()),
    **{c: CUSTOMER_SCHEMA[c] for c in ("groups", "unreadable")},
}


class MagiclineSettings(Settings):
    """`settings:` of a club on Magicline or PerfectGym Next.

    :param page: customers per request.
    :param contracts: read the contracts of all members, one request each; they become groups, by the rate's name.
    :param guardian: path of the legal representative's customer id in a record.
    :param offset_parameter, size_parameter: names of the two parameters of a slice.
    :param http: limits of requests and readings.
    """

    page: int = Field(default=200, ge=1, le=1000)
    contracts: bool = False
    guardian: Path = "legalRepresentative.customerId"
    offset_parameter: str = "offset"
    size_parameter: str = "sliceSize"
    http: HttpLimits = HttpLimits(per_second=16)


class _Contract(msgspec.Struct, rename="camel"):
    """A contract. What `cancelled` lacks, or says otherwise than by true or false, is unknown (R3)."""

    id: int | None
    rate_name: str | None
    start_date: str | None
    end_date: str | None
    cancelled: bool | str | None
    contract_status: str | None = None


class _IdledContract(msgspec.Struct):
    id: int


class _Idle(msgspec.Struct, rename="camel"):
    start_date: str
    end_date: str | None = None
    unlimited: bool = False
    contract: _IdledContract | None = None

    def span(self, dates: Dates) -> tuple[date, date] | None:
        """First and last day; None: one of them cannot be read."""
        first, last = dates.day(self.start_date), dates.day(self.end_date)
        if last is None or self.unlimited:
            last = date.max
        if isinstance(first, date) and isinstance(last, date):
            return first, last
        return (date.min, last) if first is None and isinstance(last, date) else None


class _Customer(msgspec.Struct, rename="camel"):
    id: int | None
    status: str | None
    first_name: str | None = None
    last_name: str | None = None
    second_last_name: str | None = None
    email: str | None = None
    date_of_birth: str | None = None
    gender: str | None = None
    country: str | None = None
    phone_private_mobile: str | None = None
    phone_private: str | None = None
    phone_business_mobile: str | None = None
    phone_business: str | None = None
    created_date_time: str | None = None
    idle_periods: list[_Idle] | str | None = None


class _Slice(msgspec.Struct, rename="camel"):
    result: list[dict[str, Any]]
    has_next: bool
    offset: str | int | None = None
    last_offset_id: str | int | None = None


#: First and last day of a pause, and the contract that pauses; None: the whole member.
_Pause = tuple[date, date, int | None]


class MagiclineConnector(Connector[MagiclineSettings]):
    """Reads a studio's customers and, if asked to, their contracts."""

    name: ClassVar[str] = "magicline"
    title: ClassVar[str] = "Magicline / PerfectGym Next"
    settings_type: ClassVar[type[Settings]] = MagiclineSettings
    names_clubs: ClassVar[tuple[str, ...]] = ("record",)

    def read(self, *, full: bool = False) -> Reading:
        """Read all customers; Magicline cannot be asked for less, so `full` makes no difference.

        :raises ConnectorError: before the first complete slice.
        """
        as_of = self.start()
        with self._http() as http:
            return self._walk(http, as_of)

    def check(self) -> str:
        """Read one customer."""
        with self._http() as http:
            found = self._slice(http, None, size=1).result
        return f"The key works: the studio has {'customers' if found else 'no customers'}."

    def _http(self) -> Http:
        base = base_address(self.connection).removesuffix("/v1")
        if not self.connection.password:
            raise SettingsWrong(f"The connection {self.connection.id} lacks the studio's API key.")
        return Http.of(
            self,
            base,
            self.settings.http,
            headers={"x-api-key": self.connection.password},
            stored_fields=FieldFilter.of(
                *(_Slice, _Customer, list[_Contract]),
                paths=[self.settings.guardian, *filter(None, [self.club.club_at])],
            ),
        )

    def _slice(self, http: Http, offset: str | None, *, size: int) -> _Slice:
        params: dict[str, Any] = {self.settings.size_parameter: size}
        if offset is not None:
            params[self.settings.offset_parameter] = offset
        return http.json("GET", "/v1/customers", _Slice, params=params)

    def _walk(self, http: Http, as_of: datetime) -> Reading:
        groups: dict[str, str] = {}

        def fetch(offset: str) -> Page[dict[str, Any], str]:
            page = self._slice(http, offset or None, size=self.settings.page)
            rows = list(self._rows(http, page.result))
            groups.update({g["id"]: g["id"] for row in rows for g in row["groups"]})
            following = _next(page)
            return Page(
                rows,
                [row["erp_id"] for row in rows],
                following,
                dead_end=_dead_end(page, following),
            )

        walk = Walk(fetch, "", self.settings.http, order=Order.CURSOR, progress=self.progress)
        rows = walk.all_rows()
        return walk.reading(
            self._customers(rows),
            groups_frame([{"id": k, "name": v, "active": True} for k, v in groups.items()]),
            as_of=as_of,
            column_of=COLUMN_OF,
        )

    def _rows(self, http: Http, result: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        guardian_of, club_at = getter(self.settings.guardian), self.club.club_at
        days = Dates(self.club)
        for record, customer in zip(result, typed_all(result, _Customer), strict=True):
            dates = RowDates(days)
            key = identifier(customer.id)
            status = STATUS.get(word(customer.status or ""), "unknown")
            idle = self._idle(customer)
            held: list[dict[str, Any]] = []
            if status == "active" and idle is None:
                status = "unknown"
            elif status == "active" and self.settings.contracts:
                held = (
                    self._held(http, key, idle or [], dates) if isinstance(customer.id, int) else []
                )
            elif status == "active" and self._is_paused(idle or []):
                status = "paused"
            yield {
                "erp_id": key,
                "email": customer.email,
                "first_name": customer.first_name,
                "last_name": fields.joined(customer.last_name, customer.second_last_name),
                "phone": customer.phone_private_mobile
                or customer.phone_private
                or customer.phone_business_mobile
                or customer.phone_business,
                "birth_date": customer.date_of_birth,
                "gender": customer.gender,
                "country": customer.country,
                "status": status,
                "status_raw": customer.status if status == "unknown" else None,
                "groups": held,
                "unreadable": dates.unreadable,
                "guardian_id": identifier(guardian_of(record)),
                "created_at": customer.created_date_time,
                **({"clubs": chains.named(chains.found(record, club_at))} if club_at else {}),
            }

    def _idle(self, customer: _Customer) -> list[_Pause] | None:
        """When the member pauses, and with which contract; None: that cannot be read."""
        if isinstance(customer.idle_periods, str):
            return None
        dates, pauses = Dates(self.club), []
        for period in customer.idle_periods or ():
            span = period.span(dates)
            if span is None:
                return None
            pauses.append((*span, period.contract.id if period.contract else None))
        return pauses

    def _is_paused(self, idle: list[_Pause]) -> bool:
        return any(first <= self._today <= last for first, last, _ in idle)

    @property
    def _today(self) -> date:
        return self.now().astimezone(self.club.timezone).date()

    def _held(
        self, http: Http, customer: str | None, idle: list[_Pause], dates: RowDates
    ) -> list[dict[str, Any]]:
        """A member's contracts as groups, each without the days on which it is idle."""
        contracts = http.json("GET", f"/v1/customers/{customer}/contracts", list[_Contract])
        held = []
        for contract in contracts:
            name = contract.rate_name or NOT_TEXT
            paused = [(first, last) for first, last, of in idle if of in (None, contract.id)]
            first, last = self._runs(contract, name, dates)
            # one that pauses all the time is held, and gives no access: not to hold any would be another thing
            for start, end in without(first, last, paused) or [(date.min, LONG_AGO)]:
                held.append(
                    {
                        "id": name,
                        "valid_from": None if start == date.min else start,
                        "valid_until": None if end == date.max else end,
                    }
                )
        return held

    def _runs(self, contract: _Contract, name: str, dates: RowDates) -> tuple[date, date]:
        """First and last day of a contract; where it is unknown whether it has ended, that is noted (R3)."""
        first = dates.day(contract.start_date, "valid_from", group=name) or date.min
        status = word(contract.contract_status or "")
        inactive = status == "inactive" and first <= self._today
        if not inactive and contract.cancelled is False and status in _CONTRACT_STATUSES:
            return first, date.max
        last = dates.day(contract.end_date, "valid_until", group=name)
        if inactive and last is not None and last < self._today:
            return first, last
        if inactive or status not in _CONTRACT_STATUSES:
            dates.note("valid_until", contract.contract_status, group=name)
        elif contract.cancelled is not True or contract.end_date is None:
            dates.note("valid_until", NO_KEY, group=name)
        return first, last or date.max

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        read = Dates(self.club, clock=ZoneInfo("UTC")).read(raw)
        customers = customers_frame(fields.canonical(read, self.club.country))
        return chains.with_clubs(customers, rows)


def _next(page: _Slice) -> str | None:
    """The offset of the next slice; None: there is none, or the slice does not say."""
    if not page.has_next:
        return None
    offset = page.last_offset_id if page.offset is None else page.offset
    return None if offset is None else str(offset)


def _dead_end(page: _Slice, following: str | None) -> ConnectorError | None:
    if following is not None or not page.has_next:
        return None
    return ContractChanged("A slice says that there are more, but not how to request them.")


def without(first: date, last: date, gaps: list[tuple[date, date]]) -> list[tuple[date, date]]:
    """The days from `first` to `last` without those of the gaps, as spans; both ends included."""
    spans = []
    for a, b in sorted(gaps):
        if b < first:
            continue
        if a > last:
            break
        if a > first:
            spans.append((first, a - timedelta(days=1)))
        if b >= last:
            return spans
        first = b + timedelta(days=1)
    return [*spans, (first, last)] if first <= last else spans
