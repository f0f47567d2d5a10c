"""Magicline and PerfectGym Next: gyms on Sport Alliance's Open API; one API, two products.

The connection's host is the tenant's address (`https://TENANT.open-api.magicline.com`, or
`.open-api.perfectgym.com`), its password the studio's API key. From the vendor's pages [doc] and from the
specification 1.9.0 as a third party keeps it [3rd] (docs/erps/magicline.md); no server of theirs was within reach,
the sandbox speaks what these say:

- A static key per studio in `x-api-key`; it must fit the tenant, else 401. There is no log-in and nothing
  to renew. 1000 requests a minute and endpoint, which `http.per_second` stays below; after that, a minute of 429
  without saying how long. 503 while their data base is busy [doc].
- `GET /v1/customers` in slices: the answer's `offset` (in an older page `lastOffsetId`) asks for the next one,
  `hasNext: false` is the last [doc, 3rd]. The names of the two parameters are settings, because the older page had
  `offsetId`.
- The slices go by the customer's id, so rows that come or go move nothing. There is no total: that no slice
  comes twice and the last one says that it is the last is all that can be proved. No "changed since" either:
  every reading is a full one.
- Statuses MEMBER, PROSPECT, FORMER_MEMBER [doc]. A block at the door (`accessRefusal`) is no status and not read.
- What a member holds is told by `GET /v1/customers/{id}/contracts` only, one customer at a time [3rd]. That
  is a request per member, so it is off unless the setting `contracts` says otherwise; without it there are no
  groups. It suits studios of some thousand members that are read every quarter of an hour or so.
- Changes a member asked for in the app wait in a queue and are not in the record until applied [doc].
- Merges are not told: a card that goes is gone (R10 finds it by its email).

Inferred, therefore settable or harmless:

- [inf] the list without a filter has former members too. If it had not, they would merely be gone from it.
- [inf] where the legal representative stands in a record: setting `guardian`, a path. Only one who is a
  customer of the studio makes somebody a dependant (R8); EXTERNAL_PERSON has no id.
- [inf] a contract that is not cancelled goes on past its `endDate`, by its extension term.
- [inf] without contracts, an idle period that covers today pauses the whole member; with them, it pauses the
  one contract it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.paging import Page, walk
from connectors.sdk.paths import Path, getter, text
from connectors.sdk.records import typed
from connectors.sdk.resume import FieldFilter

STATUS = {"MEMBER": "active", "PROSPECT": "prospect", "FORMER_MEMBER": "former"}

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

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status_raw"), pl.String()),
    "groups": CUSTOMER_SCHEMA["groups"],
}


class MagiclineSettings(Settings):
    """`settings:` of a club on Magicline or PerfectGym Next.

    :param page: customers per request.
    :param contracts: read every member's contracts, a request each: they become groups, by the rate's name.
    :param guardian: path of the legal representative's customer id in a record.
    :param offset_parameter, size_parameter: names of the two parameters of a slice.
    """

    page: int = Field(default=200, ge=1, le=1000)
    contracts: bool = False
    guardian: Path = "legalRepresentative.customerId"
    offset_parameter: str = "offset"
    size_parameter: str = "sliceSize"
    http: HttpLimits = HttpLimits(per_second=16)


class _Contract(msgspec.Struct, rename="camel"):
    id: int
    rate_name: str
    start_date: date
    end_date: date | None = None
    cancelled: bool = False


class _IdledContract(msgspec.Struct):
    id: int


class _Idle(msgspec.Struct, rename="camel"):
    start_date: date
    end_date: date | None = None
    unlimited: bool = False
    contract: _IdledContract | None = None

    @property
    def span(self) -> tuple[date, date]:
        """First and last day."""
        endless = self.unlimited or self.end_date is None
        return self.start_date, date.max if endless or self.end_date is None else self.end_date


class _Customer(msgspec.Struct, rename="camel"):
    id: int
    status: str
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
    idle_periods: list[_Idle] | None = None


class _Slice(msgspec.Struct, rename="camel"):
    result: list[dict[str, Any]]
    has_next: bool
    offset: str | int | None = None
    last_offset_id: str | int | None = None


class MagiclineConnector(Connector[MagiclineSettings]):
    """Reads a studio's customers and, if asked to, their contracts."""

    name: ClassVar[str] = "magicline"
    title: ClassVar[str] = "Magicline / PerfectGym Next"
    settings_type: ClassVar[type[Settings]] = MagiclineSettings

    def read(self, *, full: bool = False) -> Reading:
        """Read every customer; Magicline cannot be asked for less, so `full` makes no difference.

        :raises ConnectorError: before the first whole slice.
        """
        as_of = self.start()
        with self._http() as http:
            return self._walk(http, as_of)

    def check(self) -> str:
        """Ask for one customer."""
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
                _Slice, _Customer, list[_Contract], paths=[self.settings.guardian]
            ),
        )

    def _slice(self, http: Http, offset: str | None, *, size: int) -> _Slice:
        params: dict[str, Any] = {self.settings.size_parameter: size}
        if offset is not None:
            params[self.settings.offset_parameter] = offset
        return http.json("GET", "/v1/customers", _Slice, params=params)

    def _walk(self, http: Http, as_of: datetime) -> Reading:
        groups: dict[str, str] = {}

        def ask(offset: str | None) -> Page[dict[str, Any], str]:
            page = self._slice(http, offset, size=self.settings.page)
            rows = list(self._rows(http, page.result))
            groups.update({g["id"]: g["id"] for row in rows for g in row["groups"]})
            return Page(rows, {row["erp_id"] for row in rows}, _next(page))

        walked = walk(ask, self.settings.http, self.progress)
        return walked.reading(
            self._customers(walked.rows),
            groups_frame([{"id": k, "name": v, "active": True} for k, v in groups.items()]),
            as_of=as_of,
            column_of=COLUMN_OF,
        )

    def _rows(self, http: Http, result: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        today = self.now().astimezone(self.club.timezone).date()
        guardian_of = getter(self.settings.guardian)
        for record in result:
            customer = typed(record, _Customer)
            idle = customer.idle_periods or []
            status = STATUS.get(customer.status, "unknown")
            if self.settings.contracts:
                held = self._held(http, customer.id, idle) if status == "active" else []
            else:
                held = []
                if status == "active" and any(a <= today <= b for a, b in (i.span for i in idle)):
                    status = "paused"
            yield {
                "erp_id": str(customer.id),
                "email": customer.email,
                "first_name": customer.first_name,
                "last_name": " ".join(
                    filter(None, (customer.last_name, customer.second_last_name))
                ),
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
                "guardian_id": text(guardian_of(record), "guardian"),
                "created_at": customer.created_date_time,
            }

    def _held(self, http: Http, customer: int, idle: list[_Idle]) -> list[dict[str, Any]]:
        """A member's contracts as groups, each without the days on which it is idle."""
        contracts = http.json("GET", f"/v1/customers/{customer}/contracts", list[_Contract])
        held = []
        for contract in contracts:
            paused = [i.span for i in idle if i.contract and i.contract.id == contract.id]
            end = contract.end_date if contract.cancelled else None
            for first, last in without(contract.start_date, end or date.max, paused):
                until = None if last == date.max else last
                held.append({"id": contract.rate_name, "valid_from": first, "valid_until": until})
        return held

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` gives them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        return customers_frame(
            raw.with_columns(
                fields.gender(pl.col("gender")),
                fields.country(pl.col("country")),
                fields.dates(raw["birth_date"]),
                fields.moments(raw["created_at"], ZoneInfo("UTC")),
                fields.phones(raw["phone"], self.club.country),
            )
        )


def _next(page: _Slice) -> str | None:
    """What the next slice is asked for with.

    :raises ContractChanged: there is one, and it cannot be asked for.
    """
    if not page.has_next:
        return None
    offset = page.last_offset_id if page.offset is None else page.offset
    if offset is None:
        raise ContractChanged("A slice says that others follow, and not how to ask for them.")
    return str(offset)


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
