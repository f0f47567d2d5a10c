"""Dolibarr: associations and clubs that keep their members in Dolibarr, over its REST API.

The connection's host is the installation (`https://erp.example.com`), its password the API key of a user who may
read members. From Dolibarr's own source [src] (htdocs/adherents/class, `api_members` and `api_memberstypes`;
docs/erps/dolibarr.md); no server was available, the sandbox implements what it says:

- `GET /api/index.php/members` with `DOLAPIKEY`; sorted and filtered as requested, so the walk is by id
  (`sqlfilters=(t.rowid:>:…)`), and rows that come or go move nothing. `properties` names the fields: nothing else is
  sent.
- `pagination_data=true` returns the total of what the filter finds; plus those before, it is the certificate's total.
  Older versions do not know it and return the bare list; there the walk ends with an empty page.
- `GET /api/index.php/memberstypes` is sorted and filtered in the same way, and has no total in any version.
- Older versions answer an empty list with 404, newer ones with `[]`: 404 is the end of a list. On the first page of
  the first list, that of member types, it is a wrong address or a disabled module: a club with members has a type.
- `statut`: -1 draft, 1 validated, 0 resiliated (left), -2 excluded.
- A member has one type, which may be closed; it becomes a group. `datefin` is the last day of the subscription, if
  the type needs one (`need_subscription`).
- Dates are Unix times of midnight on the server, or empty.
- A record that the server fails to load is silently missing from its page: a short page is not the last one.
- No rate limit, and no webhooks for this; merges exist for third parties, not for members.

Categories of members, and third parties as customers, are not read; the setting `category` restricts the members to
one category.

Inferred, therefore settable or harmless:

- [inf] a validated member whose type needs a subscription, and who has none yet, is a `prospect`: setting `unpaid`.
- [inf] whether a type needs one is written as 1 and 0, or as yes and no; without it the status is unknown.
- [inf] server and club are less than twelve hours apart: a midnight on the server is read as the day that it begins.
- [inf] `t.tms` is in the server's own time, so changes (setting `changes`) are requested from the day before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import chains, fields
from connectors.sdk.base import Connector, Settings
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.dates import Dates, Kind, RowDates
from connectors.sdk.errors import SettingsWrong
from connectors.sdk.http import Http, HttpLimits, base_address
from connectors.sdk.incremental import ChangesSettings
from connectors.sdk.model import CUSTOMER_SCHEMA, Reading, customers_frame, groups_frame
from connectors.sdk.odd import numbers
from connectors.sdk.paging import Order, Page, Walk
from connectors.sdk.paths import identifier
from connectors.sdk.words import truth_of

ROOT = "/api/index.php"
#: 9999 as a Unix time: from about there on it means "never", and in between nobody's days are.
_LATEST = 250_000_000_000
TYPES_PAGE = 100
#: an empty list, in older versions.
EMPTY_LIST = frozenset({404})

#: status of a type -> whether it is in use; what else a type has is unknown, and versions without it close none.
TYPE_IN_USE = {"1": True, "0": False, None: True}
STATUS = {"1": "active", "-1": "prospect", "0": "former", "-2": "former"}

#: canonical field -> the member's key that it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "firstname",
    "last_name": "lastname",
    "email": "email",
    "phone": "phone_mobile",
    "birth_date": "birth",
    "gender": "gender",
    "country": "country_code",
    "status": "statut",
    "groups": "typeid",
    "created_at": "date_creation",
    "modified_at": "date_modification",
    "is_company": "morphy",
}

ROW_SCHEMA = {
    **dict.fromkeys((*COLUMN_OF, "status_raw"), pl.String()),
    **{
        c: CUSTOMER_SCHEMA[c]
        for c in (
            *("groups", "birth_date", "created_at", "modified_at", "is_company"),
            "unreadable",
        )
    },
}


#: The fields by which a chain's members may name their club: the entity, and extra fields of an installation's own.
_NAMES_CLUB = ("entity", "array_options")


class DolibarrSettings(ChangesSettings):
    """`settings:` of a club on Dolibarr.

    :param page: members per request.
    :param category: only members of this category are customers.
    :param unpaid: the status of a validated member who never paid the subscription that the type needs.
    :param http: limits of requests and readings.
    """

    page: int = Field(default=100, ge=1, le=1000)
    category: int | None = Field(default=None, gt=0)
    unpaid: Literal["active", "prospect", "paused", "suspended", "unknown"] = "prospect"
    overlap: timedelta = Field(default=timedelta(days=1), ge=timedelta(0))
    http: HttpLimits = HttpLimits()


#: numbers come as numbers, as text or as an empty string, depending on field and version.
Number = int | float | str | None


class _Member(msgspec.Struct):
    id: int | str | None
    statut: Number = None
    status: Number = None
    typeid: Number | msgspec.UnsetType = msgspec.UNSET
    need_subscription: Number = None
    datefin: Number | msgspec.UnsetType = msgspec.UNSET
    morphy: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    company: str | None = None
    societe: str | None = None
    email: str | None = None
    phone_mobile: str | None = None
    phone_perso: str | None = None
    phone: str | None = None
    birth: Number = None
    gender: str | None = None
    country_code: str | None = None
    date_creation: Number = None
    date_modification: Number = None
    entity: Number = None
    array_options: dict[str, Any] | list[Any] | None = None


class _Pagination(msgspec.Struct):
    total: int


class _Page(msgspec.Struct):
    data: list[_Member]
    pagination: _Pagination


class _Type(msgspec.Struct):
    id: int | str
    label: str | None = None
    status: Number = None
    statut: Number = None


class DolibarrConnector(Connector[DolibarrSettings]):
    """Reads members and their types."""

    name: ClassVar[str] = "dolibarr"
    title: ClassVar[str] = "Dolibarr"
    settings_type: ClassVar[type[Settings]] = DolibarrSettings
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record",)
    club_paths: ClassVar[tuple[str, ...]] = (_NAMES_CLUB[0], f"{_NAMES_CLUB[1]}.")

    def read(self, *, full: bool = False) -> Reading:
        """Read all members; or those that changed, if the club has chosen so.

        :raises ConnectorError: before the first complete page, or if the list of types is incomplete.
        """
        as_of = self.start()
        since = self.settings.since(self.since, full=full)
        with self._http() as http:
            if since is None:
                http.scout(as_of, lambda: self._scout(http))
            types = self._types(http)
            return self._walk(http, as_of, types, since)

    def _scout(self, http: Http) -> None:
        self._types(http)
        self._list(http, None).all_rows()

    def check(self) -> str:
        """Read the types and one member."""
        with self._http() as http:
            types = self._types(http)
            members, total = self._members(http, 0, None, limit=1)
        found = f"{total} members" if total is not None else "members" if members else "no members"
        return f"The key works: {found} of {len(types)} types."

    def _http(self) -> Http:
        base, key = base_address(self.connection).removesuffix(ROOT), self.connection.password
        if not key:
            raise SettingsWrong(
                f"The connection {self.connection.id} lacks the API key (password)."
            )
        headers = {"DOLAPIKEY": key}
        return Http.of(self, base, self.settings.http, headers=headers)

    def _types(self, http: Http) -> list[_Type]:
        """The list of types.

        :raises SettingsWrong: it does not exist.
        :raises ErpUnreachable: it could not be read completely.
        """
        path = f"{ROOT}/memberstypes"

        def fetch(after: int) -> Page[_Type, int]:
            found = http.request(
                "GET",
                path,
                list[_Type],
                params={
                    "sortfield": "t.rowid",
                    "sortorder": "ASC",
                    "limit": TYPES_PAGE,
                    "page": 0,
                    "sqlfilters": f"(t.rowid:>:{after})",
                    "properties": "id,label,status,statut",
                },
                empty_statuses=EMPTY_LIST if after else frozenset(),
            ).value
            types = found or []
            ids = numbers(_whole(t.id) for t in types)
            return Page(types, ids, ids[-1] if ids else None, keys=ids)

        return Walk(fetch, 0, self.settings.http, order=Order.KEY).whole(path)

    def _members(
        self, http: Http, after: int, since: datetime | None, *, limit: int
    ) -> tuple[list[_Member], int | None]:
        """(members behind that id, their number; None: an older version, which does not state it)."""
        filters = f"(t.rowid:>:{after})"
        if since is not None:
            earlier = (since - self.settings.overlap).astimezone(UTC)
            filters += f" and (t.tms:>=:'{earlier:%Y%m%d}')"
        params: dict[str, Any] = {
            "sortfield": "t.rowid",
            "sortorder": "ASC",
            "limit": limit,
            "page": 0,
            "sqlfilters": filters,
            "properties": ",".join(self._properties),
            "pagination_data": "true",
        }
        if self.settings.category is not None:
            params["category"] = self.settings.category
        found = http.request(
            "GET",
            f"{ROOT}/members",
            list[_Member] | _Page,  # type: ignore[arg-type]  # msgspec accepts a union as a type
            params=params,
            empty_statuses=EMPTY_LIST,
        ).value
        if found is None:
            return [], None
        if isinstance(found, _Page):
            return found.data, found.pagination.total
        return found, None

    @property
    def _properties(self) -> list[str]:
        """The fields of a member that are read; those that name a chain's club only where it is told by them (R29)."""
        named = (self.club.club_at or "").partition(".")[0]
        return [
            name for name in _Member.__struct_fields__ if name not in _NAMES_CLUB or name == named
        ]

    def _list(self, http: Http, since: datetime | None) -> Walk[dict[str, Any], int]:
        """The walk through the members."""
        seen = 0

        def fetch(after: int) -> Page[dict[str, Any], int]:
            nonlocal seen
            members, left = self._members(http, after, since, limit=self.settings.page)
            ids = numbers(_whole(m.id) for m in members)
            total = None if left is None else seen + left
            seen += len(members)
            more = bool(ids) and (total is None or seen < total)
            rows = http.made(members, lambda: self._rows(members))
            return Page(rows, ids, ids[-1] if more else None, total, keys=ids)

        return Walk(fetch, 0, self.settings.http, order=Order.KEY, progress=self.progress)

    def _walk(
        self, http: Http, as_of: datetime, types: list[_Type], since: datetime | None
    ) -> Reading:
        walk = self._list(http, since)
        rows = walk.all_rows()
        groups = [
            {
                "id": str(t.id),
                "name": t.label or str(t.id),
                "active": TYPE_IN_USE.get(_text(t.status if t.status is not None else t.statut)),
            }
            for t in types
        ]
        return walk.reading(
            self._customers(rows),
            groups_frame(groups),
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
        )

    def _rows(self, members: list[_Member]) -> Iterator[dict[str, Any]]:
        club_at, days = self.club.club_at, Dates(self.club, unix=True)
        for m in members:
            dates = RowDates(days)
            word = _text(m.statut if m.statut is not None else m.status) or ""
            status = STATUS.get(word, "unknown")
            subscribes = truth_of(_text(m.need_subscription))
            # they were asked for: a record without them is unknown, not without a type or an end (R3)
            kind = NOT_TEXT if isinstance(m.typeid, msgspec.UnsetType) else _text(m.typeid)
            unsaid = isinstance(m.datefin, msgspec.UnsetType)
            datefin = None if isinstance(m.datefin, msgspec.UnsetType) else m.datefin
            ends = dates.day(_noon(datefin), "valid_until", group=kind) if subscribes else None
            if status == "active" and (subscribes is None or (subscribes and unsaid)):
                status, word = "unknown", ""
            if status == "active" and subscribes and _is_blank(datefin):
                status = self.settings.unpaid
            company = m.morphy == "mor"
            yield {
                "erp_id": _text(_whole(m.id)),
                "email": m.email,
                "first_name": None if company else m.firstname,
                "last_name": (m.company or m.societe or m.lastname) if company else m.lastname,
                "phone": m.phone_mobile or m.phone_perso or m.phone,
                "birth_date": dates.day(_noon(m.birth), "birth_date", Kind.BIRTH),
                "gender": m.gender,
                "country": m.country_code,
                "status": status,
                "status_raw": word if word and status == "unknown" else None,
                "groups": [{"id": kind, "valid_from": None, "valid_until": ends}] if kind else [],
                "created_at": dates.moment(m.date_creation, "created_at"),
                "modified_at": dates.moment(m.date_modification, "modified_at"),
                "is_company": company,
                "unreadable": dates.unreadable,
                **({"clubs": chains.named(_club(m, club_at))} if club_at else {}),
            }

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` yields them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        customers = customers_frame(fields.canonical(raw, self.club.country))
        return chains.with_clubs(customers, rows)


def _club(member: _Member, at: str) -> Any:
    """What a member has where a chain's members name their club."""
    if at == _NAMES_CLUB[0]:
        return member.entity
    extra = member.array_options
    return extra.get(at.partition(".")[2]) if isinstance(extra, dict) else None


def _text(value: Number) -> str | None:
    """A number or text as text; the empty string is None, and one that is not a valid id or code cannot be read."""
    return None if value == "" else identifier(value)


def _noon(midnight: Number) -> Number:
    """A midnight on the server as its noon, which is the same day in every club within twelve hours of the server.

    A day's last minute is left as it is, and so is everything that is no Unix time.
    """
    seconds = _whole(midnight) if isinstance(midnight, str | int) else midnight
    if seconds is None or not 0 < abs(seconds) < _LATEST or seconds % 3600 >= 3540:
        return midnight
    return seconds + 12 * 3600


def _is_blank(day: Number) -> bool:
    """Whether there is no day, or only zeros in its place; "never" is not that."""
    seconds = _whole(day)
    if seconds is not None:
        return abs(seconds) <= 24 * 3600
    return re.fullmatch(r"[0\s:./T-]*", _text(day) or "") is not None


def _whole(value: Number) -> int | None:
    """An id as a number; None: it is none."""
    text = _text(value) or ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text.strip()) else None
