"""Odoo: the generic ERP, over JSON-2 (19 and later) or its older JSON-RPC.

The connection's host is the server, its password an API key (of JSON-RPC: or a password, with the user's login); the
club's settings name the database. From the vendor's documentation [doc] and Odoo's own source [src]
(docs/erps/odoo.md); no server was available, the sandbox implements what these say:

- JSON-2: `POST /json/2/<model>/<method>` with named arguments in the body, `Authorization: bearer <key>`, and
  `X-Odoo-Database`; errors by status: 401 the key, 403 permissions, 404 model or route, 422 arguments [doc, src].
- JSON-RPC: `POST /jsonrpc`, `common.login` returns the user's number or false, every call carries it and the password;
  errors come with HTTP 200, their text may name people and is never passed on [src]. Deprecated in 19; newer
  servers answer 404 unless `rpc.use_deprecated_services` is set [src].
- Searches hide archived records unless the context says `active_test: false` [doc].
- An empty value is `false`, whatever its type [src].
- Categories (`res.partner.category`, "tags") are held without dates, and may be archived themselves [src].
- `write_date` is UTC and moves with the partner's own email, but not when a category is assigned to it from the
  category's side. A reading of changes (setting `changes`) leaves that to the next full one.
- Emails are not unique. Merging partners deletes all but one and does not report it (R10 finds it by the email).
- Odoo 19 no longer has the field `mobile` [src]: `fields_get` says which fields there are.

The walk is by id, up to the highest id at its start; `search_count` over the same partners is the total of
the certificate.

[inf] Every partner is a customer unless the setting `domain` says otherwise; the server's own users and companies are
partners too, so it should.
[inf] A partner's guardian is in a field of the club's choice: setting `guardian_field`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import chains, fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.dates import Dates
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    SettingsWrong,
)
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.incremental import ChangesSettings
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import numbers, several, typed_all
from connectors.sdk.paging import Walk, walk_by_id
from connectors.sdk.paths import identifier
from connectors.sdk.quoted import quoted

T = TypeVar("T")

#: After the name of a field that leads to another record: its name, not its id.
_NAME = ".name"

PARTNER, CATEGORY = "res.partner", "res.partner.category"
#: the context that includes archived records.
WITH_ARCHIVED = {"active_test": False}
#: fields of a partner that hold phone numbers, the best first; not every version has both.
PHONES = ("mobile", "phone")

#: canonical field -> the partner's field that it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "name",
    "last_name": "name",
    "email": "email",
    "phone": "phone",
    "country": "country_code",
    "status": "active",
    "groups": "category_id",
    "guardian_id": "parent_id",
    "created_at": "create_date",
    "modified_at": "write_date",
    "is_company": "is_company",
}

ROW_SCHEMA = {
    **dict.fromkeys(
        ("erp_id", "name", "email", "phone", "country", "status", "guardian_id"), pl.String()
    ),
    **dict.fromkeys(("created_at", "modified_at"), pl.String()),
    "groups": CUSTOMER_SCHEMA["groups"],
    "is_company": pl.Boolean(),
}


#: `active` of a partner -> its status.
_STATUS = {True: "active", False: "archived", None: "unknown"}


class OdooSettings(ChangesSettings):
    """`settings:` of a club on Odoo.

    :param database: its name; optional with JSON-2 if the server has only one.
    :param protocol: `json2` for Odoo 19 and later, `jsonrpc` for older versions.
    :param domain: Odoo search domain that says which partners are customers, e.g. `[["customer_rank", ">", 0]]`.
    :param page: partners per request.
    :param guardian_field: field of a partner that leads to its guardian (`parent_id`); if empty, none is read.
    :param http: limits of requests and readings.
    """

    database: str | None = None
    protocol: Literal["json2", "jsonrpc"] = "json2"
    domain: list[Any] = Field(default_factory=list)
    page: int = Field(default=500, ge=1, le=5000)
    guardian_field: str | None = None
    http: HttpLimits = HttpLimits()


class _Partner(msgspec.Struct):
    """A partner; `false` is an empty value."""

    id: int | None
    active: bool | str | None
    category_id: list[int] | bool | str | None
    name: str | bool | None = None
    email: str | bool | None = None
    mobile: str | bool | None = None
    phone: str | bool | None = None
    country_code: str | bool | None = None
    create_date: str | bool | None = None
    write_date: str | bool | None = None
    is_company: bool | str | None = False


class _Category(msgspec.Struct):
    id: int
    display_name: str | bool
    active: bool


class _Id(msgspec.Struct):
    id: int


class OdooConnector(Connector[OdooSettings]):
    """Reads partners and their categories."""

    name: ClassVar[str] = "odoo"
    title: ClassVar[str] = "Odoo"
    settings_type: ClassVar[type[Settings]] = OdooSettings
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record",)

    def read(self, *, full: bool = False) -> Reading:
        """Read all partners; or those that changed, if the club has chosen so.

        :raises ConnectorError: before the first complete page.
        """
        as_of = self.start()
        since = self.settings.since(self.since, full=full)
        with self._http() as http:
            if since is None:
                http.scout(as_of, lambda: self._scout(http))
            return self._walk(http, self._caller(http), as_of, since)

    def _scout(self, http: Http) -> None:
        call = self._caller(http)  # which logs in again, as the reading does
        self._categories(call)
        self._partners(http, call, None).all_rows()

    def check(self) -> str:
        """Log in and count."""
        with self._http() as http:
            call = self._caller(http)
            partners = call(PARTNER, "search_count", int, domain=self.settings.domain)
            categories = call(CATEGORY, "search_count", int, domain=[])
        return (
            f"Login works: {partners} {'partners' if partners != 1 else 'partner'} and "
            f"{categories} {'categories' if categories != 1 else 'category'}."
        )

    def _http(self) -> Http:
        base, settings, key = base_address(self.connection), self.settings, self.connection.password
        if not key:
            raise SettingsWrong(
                f"The connection {self.connection.id} lacks the API key (password)."
            )
        headers = {}
        if settings.protocol == "json2":
            headers["Authorization"] = f"bearer {key}"
            if settings.database:
                headers["X-Odoo-Database"] = settings.database
        elif not self.connection.login or not settings.database:
            raise SettingsWrong(
                "JSON-RPC needs the user's login in the connection, and settings: database."
            )
        return Http.of(self, base, settings.http, headers=headers)

    def _caller(self, http: Http) -> _Json2 | _JsonRpc:
        if self.settings.protocol == "json2":
            return _Json2(http)
        connection = self.connection
        database = self.settings.database or ""
        return _JsonRpc(http, database, connection.login or "", connection.password or "")

    def _categories(self, call: _Json2 | _JsonRpc) -> list[_Category]:
        fields = ["display_name", "active"]
        return call(
            CATEGORY, "search_read", list[_Category], domain=[], fields=fields, order="id asc"
        )

    def _partners(
        self, http: Http, call: _Json2 | _JsonRpc, since: datetime | None
    ) -> Walk[dict[str, Any], int]:
        """The walk through the partners."""
        settings = self.settings
        club_field = (self.club.club_at or "").removesuffix(_NAME) or None
        wanted = self._fields(call, club_field)
        domain = list(settings.domain)
        if since is not None:
            earlier = (since - settings.overlap).astimezone(UTC)
            domain.append(["write_date", ">=", f"{earlier:%Y-%m-%d %H:%M:%S}"])
        highest = call(
            PARTNER,
            "search_read",
            list[_Id],
            domain=domain,
            fields=["id"],
            order="id desc",
            limit=1,
        )
        last = highest[0].id if highest else 0
        domain.append(["id", "<=", last])
        total = call(PARTNER, "search_count", int, domain=domain)

        def fetch(after: int) -> tuple[list[dict[str, Any]], list[int]]:
            records = call(
                PARTNER,
                "search_read",
                list[dict[str, Any]],
                domain=[*domain, ["id", ">", after]],
                fields=wanted,
                order="id asc",
                limit=settings.page,
            )
            partners = typed_all(records, _Partner)
            rows = http.made(records, lambda: self._rows(records, partners))
            return rows, numbers(p.id for p in partners)

        return walk_by_id(fetch, last, total, settings.http, self.progress)

    def _walk(
        self, http: Http, call: _Json2 | _JsonRpc, as_of: datetime, since: datetime | None
    ) -> Reading:
        groups = groups_frame(
            [
                {"id": str(c.id), "name": _text(c.display_name), "active": c.active}
                for c in self._categories(call)
            ]
        )
        walk = self._partners(http, call, since)
        rows = walk.all_rows()
        return walk.reading(
            self._customers(rows),
            groups,
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
        )

    def _fields(self, call: _Json2 | _JsonRpc, club_field: str | None) -> list[str]:
        """The fields to read: those of every version, and the optional ones of this version.

        :param club_field: in which a chain's partners name their club (R29).
        """
        optional = [*PHONES, "country_code"]
        chosen = self.settings.guardian_field
        there = call(
            PARTNER,
            "fields_get",
            dict[str, Any],
            allfields=[*optional, *filter(None, [chosen, club_field])],
            attributes=["type"],
        )
        if chosen and chosen not in there:
            raise SettingsWrong(
                "Odoo's partners have no field named as in settings: guardian_field."
            )
        if club_field and club_field not in there:
            raise SettingsWrong(
                f"Odoo's partners have no field {quoted(club_field)}.",
                remedy="Correct `at` in the `members` of the chain's clubs: the name of a field, such as company_id.",
            )
        always = ["name", "active", "email", "category_id", "is_company"]
        dates = ["create_date", "write_date"]
        return [
            *always,
            *dates,
            *(f for f in optional if f in there),
            *filter(None, [chosen, club_field]),
        ]

    def _rows(
        self, records: list[dict[str, Any]], partners: list[_Partner]
    ) -> Iterator[dict[str, Any]]:
        club_at = self.club.club_at
        for record, p in zip(records, partners, strict=True):
            guardian = record.get(self.settings.guardian_field or "") or None
            # a many2one is [id, name]
            if isinstance(guardian, list):
                guardian = guardian[0] if guardian else None
            yield {
                "erp_id": identifier(p.id),
                "name": _text(p.name),
                "email": _text(p.email),
                "phone": _text(p.mobile) or _text(p.phone),
                "country": _text(p.country_code),
                "status": _STATUS[p.active if isinstance(p.active, bool) else None],
                "groups": [
                    {"id": str(c), "valid_from": None, "valid_until": None}
                    for c in several(_categories(p))
                ],
                "guardian_id": identifier(guardian),
                "created_at": _text(p.create_date),
                "modified_at": _text(p.write_date),
                "is_company": p.is_company is True,
                **({"clubs": _clubs(record, club_at)} if club_at else {}),
            }

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`; a company's name is not split."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        first, last = fields.split_names(raw["name"]).get_columns()
        person = ~pl.col("is_company")
        customers = customers_frame(
            Dates(self.club, clock=ZoneInfo("UTC"))
            .read(raw)
            .with_columns(
                fields.country(pl.col("country")),
                fields.phones(raw["phone"], self.club.country),
                first_name=pl.when(person).then(pl.lit(first)),
                last_name=pl.when(person).then(pl.lit(last)).otherwise(pl.col("name")),
            )
        )
        return chains.with_clubs(customers, rows)


class _Json2:
    """Odoo's methods over JSON-2."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def __call__(self, model: str, method: str, into: type[T], **arguments: Any) -> T:
        """One call.

        :param into: the type of its result.
        :raises ConnectorError: as `Http.json`.
        """
        body = {"context": WITH_ARCHIVED, **arguments}
        return self._http.json("POST", f"/json/2/{model}/{method}", into, body=body)


class _Response(msgspec.Struct, Generic[T]):
    result: T | None = None
    error: dict[str, Any] | None = None


class _JsonRpc:
    """Odoo's methods over the older JSON-RPC; logs in before the first one."""

    def __init__(self, http: Http, database: str, login: str, password: str) -> None:
        self._http, self._database, self._login, self._password = http, database, login, password
        self._user: int | None = None

    def __call__(self, model: str, method: str, into: type[T], **arguments: Any) -> T:
        """One call.

        :param into: the type of its result.
        :raises ConnectorError: as `Http.json`, and for errors in answers of status 200.
        """
        if self._user is None:
            user = self._call(
                "common", "login", [self._database, self._login, self._password], int | bool
            )
            # True is not the number of a user either
            if isinstance(user, bool) or not user:
                raise CredentialsRefused("Odoo rejected our credentials.")
            self._user = user
        keywords = {"context": WITH_ARCHIVED, **arguments}
        login: list[Any] = [self._database, self._user, self._password]
        found: T = self._call("object", "execute_kw", [*login, model, method, [], keywords], into)
        return found

    def _call(self, service: str, method: str, arguments: list[Any], into: Any) -> Any:
        response = self._http.request(
            "POST",
            "/jsonrpc",
            _Response[into],
            body={
                "jsonrpc": "2.0",
                "method": "call",
                "id": 0,
                "params": {"service": service, "method": method, "args": arguments},
            },
            error_check=_check_error,
        ).value
        assert response is not None
        if response.result is None:
            raise ContractChanged(f"Odoo returned no result for {method}.")
        return response.result


def _check_error(response: _Response[Any]) -> None:
    """Raise the error in a response of status 200. Its own text may name people and is left out (R19)."""
    if response.error is not None:
        raise _error(response.error)


def _error(error: Mapping[str, Any]) -> ConnectorError:
    data = error.get("data")
    kind = str(data.get("name", "")).rpartition(".")[2] if isinstance(data, dict) else ""
    if kind == "AccessDenied":
        return CredentialsRefused("Odoo rejected our credentials.")
    if kind == "AccessError":
        return CredentialsRefused(
            "Odoo denied us access.",
            remedy="Grant the connection's user the permission to read contacts and their categories.",
        )
    return ErpUnreachable(
        "Odoo returned an error.",
        remedy="Odoo's own log has the cause. If it persists, settings: database or domain is wrong.",
    )


def _clubs(record: Mapping[str, Any], at: str) -> list[dict[str, Any]]:
    """The clubs that a partner names: of a many2one, which is [id, name], the id, or with `.name` the name."""
    value = record.get(at.removesuffix(_NAME))
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):
        value = value[1] if at.endswith(_NAME) else value[0]
    return chains.named(value)


def _categories(partner: _Partner) -> list[int] | str:
    """The categories of a partner; `false` is none, and null, as of a record without the key, unknown (R3)."""
    found = partner.category_id
    if found is None or found is True:
        return NOT_TEXT
    return [] if isinstance(found, bool) else found


def _text(value: str | bool | None) -> str | None:
    """A text; None for `false`, Odoo's empty value."""
    return value if isinstance(value, str) else None
