"""Tryton: the open ERP, over its JSON-RPC or, from 8 on, its REST protocol.

Rests on Tryton 8.2.1 with modules party and party_relationship, its source read [src] and a real server
asked [ran] (tests/connectors/test_tryton.py asks it again):

- `POST <database>/rpc/` with `common.db.login` -> user and session; every later call carries both in
  `Authorization: Session …`. Wrong log-ins: 401 with a web page; a log-in that needs more than a password:
  `LoginException` in a 200; an unknown session: 401 without a body; too many tries: 429, and before
  that answers come slower and slower. An unknown database: 404 [ran].
- Errors of a call come with HTTP 200 as `{"id", "error": [...]}`; their text may name people and is
  never passed on [ran]. A model without RPC rights: 403 [ran].
- Searches hide inactive records unless the context says `active_test: false`. A domain that names `active` shows
  them too, but not those that only a part of it in brackets finds: each such part hides them anew [src, ran].
  Booleans are 0 and 1 on SQLite [ran].
- A party's `categories` list inactive categories too [ran].
- REST: `GET <database>/rest/model/<model>` with domain and order as base64 of JSON, the same records, and
  `Authorization: Bearer` with the key of a user application that an administrator has validated (401 until then). Of
  a request by `Range: records=0-n` the total stands in `Content-Range`, up to ten times n, beyond that `*` [src, ran].
- A new email moves the stamp of its contact mechanism and not the party's [ran]; `modified_at` is the latest of
  both, and changes (setting `changes`) are asked for by the stamps of both, also of mechanisms that were switched off.
  Stamps are set when a transaction begins and show when it is committed, hence the `overlap`. A mechanism that is
  deleted, a category renamed or given from its own side, and a relation move no stamp that is looked at: they wait
  for the next reading of everything.
- The party's own email is its first mechanism of that type: by sequence, without one first, then by id
  [src, ran].
- `party.replace` (merge): the replaced party is inactive, names the other in `replaced_by`, and has lost its
  contact mechanisms to the other one, where they are inactive; the survivor keeps its own email. Neither
  it nor any other inactive party's name can be edited, nor can a replaced one be made active again [ran].
- `party.erase` (only of inactive parties; those it replaced go too): name null, mechanisms inactive, of type
  `other` with value `****`; categories stay. `value_compact` keeps the erased email and phone [ran]: it
  is never read here.
- Email and phone are checked by Tryton on entry (the email's domain even by DNS) [ran].

The walk is by id (`id > last seen`), not by offset, up to the highest id there was at its beginning: rows that
come or go meanwhile move nothing. `search_count` over the same parties is the total of the certificate.

[inf] An inactive party without name and without mechanisms is taken for erased (`deleted`).
[inf] In a club's Tryton every party is a customer unless `domain` says otherwise.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, cast
from urllib.parse import quote, urlsplit

import msgspec
import polars as pl
from pydantic import Field

from connectors.sdk import fields
from connectors.sdk.base import Connector, Settings
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
from connectors.sdk.paging import walk_by_id

T = TypeVar("T")

Domain = list[Any]

#: models that are asked for with their inactive records, and the context that says so.
WITH_INACTIVE = frozenset({"party.party", "party.category"})
EVERYBODY = {"active_test": False}
BY_ID = [["id", "ASC"]]
HIGHEST_FIRST = [["id", "DESC"]]
#: ids in one question of the REST protocol, which puts them into the address.
IDS_IN_ADDRESS = 200

#: canonical field -> what it is read from.
COLUMN_OF = {
    "erp_id": "id",
    "first_name": "name",
    "last_name": "name",
    "status": "active",
    "email": "email",
    "phone": "phone",
    "groups": "categories",
    "guardian_id": "relations",
    "replaced_by": "replaced_by",
    "created_at": "create_date",
    "modified_at": "write_date",
}

#: what one party becomes before names and phones are taken apart, all at once.
ROW_SCHEMA = {
    "name": pl.String(),
    **{
        c: CUSTOMER_SCHEMA[c]
        for c in (
            *("erp_id", "email", "phone", "status", "groups", "guardian_id", "replaced_by"),
            *("created_at", "modified_at"),
        )
    },
}


class TrytonSettings(ChangesSettings):
    """`settings:` of a club on Tryton.

    :param protocol: `rest` of Tryton 8 and later, whose password is a user application's key.
    :param database: the database's name, unless the connection's host ends with it.
    :param domain: Tryton search domain that says which parties are customers, e.g.
        `[["categories.name", "=", "Customer"]]`; all of them where empty.
    :param page: parties per request.
    :param email_name: where a party has several emails, the one whose contact mechanism bears this name;
        else its first.
    :param phone_types: types of contact mechanism that are phones, the best first.
    :param guardian_relation: name of the relation type that leads from a dependant to its guardian
        ("Child of"), in the language of the connection's user; none is read where empty.
    """

    protocol: Literal["jsonrpc", "rest"] = "jsonrpc"
    database: str | None = None
    domain: list[Any] = Field(default_factory=list)
    page: int = Field(default=500, ge=1, le=5000)
    email_name: str | None = None
    phone_types: tuple[str, ...] = ("mobile", "phone")
    guardian_relation: str | None = None
    http: HttpLimits = HttpLimits()


class _Answer(msgspec.Struct, Generic[T]):
    result: T | None = None
    error: list[Any] | None = None


class _Stamp(msgspec.Struct):
    """`{"__class__": "datetime", …}`, without an offset, in UTC."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    microsecond: int = 0

    def utc(self) -> datetime:
        return datetime(
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.microsecond,
            UTC,
        )

    def day_of(self) -> date:
        return date(self.year, self.month, self.day)


class _Id(msgspec.Struct):
    id: int


class _Party(msgspec.Struct):
    id: int
    active: bool | int
    name: str | None
    categories: list[int]
    replaced_by: int | None
    create_date: _Stamp | None
    write_date: _Stamp | None


class _Mechanism(msgspec.Struct):
    id: int
    party: int
    type: str
    value: str | None
    name: str | None
    sequence: int | None
    write_date: _Stamp | None


class _Category(msgspec.Struct):
    id: int
    rec_name: str
    active: bool | int


class _Relation(msgspec.Struct):
    id: int
    from_: int
    to: int
    start_date: _Stamp | None
    end_date: _Stamp | None


class _Page(msgspec.Struct):
    parties: list[_Party]
    mechanisms: list[_Mechanism]
    relations: list[_Relation]


class TrytonConnector(Connector[TrytonSettings]):
    """Reads a club's parties, categories, contact mechanisms and, if asked to, guardians."""

    name: ClassVar[str] = "tryton"
    title: ClassVar[str] = "Tryton"
    settings_type: ClassVar[type[Settings]] = TrytonSettings
    answers_changes: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read every party; or, where the club has chosen so, those that changed.

        :raises ConnectorError: before the first whole page of parties.
        """
        as_of = self.start()
        since = self.settings.since(self.since, full=full)
        with self._http() as http:
            asking = self._asking(http)
            reading = self._walk(asking, as_of, since)
            asking.leave()
            return reading

    def check(self) -> str:
        """Log in and count."""
        with self._http() as http:
            asking = self._asking(http)
            parties = asking.count("party.party", self.settings.domain)
            categories = asking.count("party.category", [])
            asking.count("party.contact_mechanism", [])
            if self.settings.guardian_relation:
                self._relation_type(asking)
            asking.leave()
        return f"Log-in works: {parties} parties and {categories} categories."

    def _http(self) -> Http:
        base = base_address(self.connection)
        if self.settings.database:
            base = f"{base}/{quote(self.settings.database, safe='')}"
        elif not urlsplit(base).path:
            raise SettingsWrong(
                "No Tryton database is named.",
                remedy="Put its name at the end of the connection's host, or into settings: database.",
            )
        key = self.connection.password
        if self.settings.protocol == "rest":
            if not key:
                raise SettingsWrong(
                    f"The connection {self.connection.id} lacks the application's key (password)."
                )
            headers = {"Authorization": f"Bearer {key}"}
            return Http.of(self, base, self.settings.http, headers=headers)
        if not self.connection.login or not key:
            raise SettingsWrong(f"The connection {self.connection.id} lacks login or password.")
        return Http.of(self, base, self.settings.http, login=self._log_in)

    def _asking(self, http: Http) -> _Asking:
        return _Rest(http) if self.settings.protocol == "rest" else _Rpc(http)

    def _log_in(self, http: Http) -> str:
        login = self.connection.login
        try:
            user, session = _Rpc(http).call(
                "common.db.login",
                [login, {"password": self.connection.password}],
                tuple[int, str, Any],
                login=False,
            )[:2]
        except SettingsWrong:
            raise SettingsWrong(
                "The Tryton server does not know this database.",
                remedy="Correct the connection's host or the setting database.",
            ) from None
        return "Session " + base64.b64encode(f"{login}:{user}:{session}".encode()).decode()

    def _walk(self, asking: _Asking, as_of: datetime, since: datetime | None) -> Reading:
        settings = self.settings
        groups = groups_frame(
            [
                {"id": str(c.id), "name": c.rec_name, "active": bool(c.active)}
                for c in asking.search(
                    "party.category", [], ["rec_name", "active"], list[_Category]
                )
            ]
        )
        relation = self._relation_type(asking) if settings.guardian_relation else None
        # in brackets: it may begin with OR, which must not take in what we add
        domain: Domain = [settings.domain] if settings.domain else []
        if since is not None:
            domain.append(_changed_since(since - settings.overlap))
        last = asking.highest("party.party", domain)
        domain.append(["id", "<=", last])
        total = asking.count("party.party", domain)

        def ask(after: int) -> tuple[list[dict[str, Any]], list[int]]:
            page = self._page(asking, [*domain, ["id", ">", after]], relation)
            return list(self._rows(page)), [p.id for p in page.parties]

        walked = walk_by_id(ask, last, total, settings.http, self.progress)
        return walked.reading(
            self._customers(walked.rows),
            groups,
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
        )

    def _relation_type(self, asking: _Asking) -> int:
        name = self.settings.guardian_relation
        found = asking.search("party.relation.type", [["name", "=", name]], [], list[_Id], limit=2)
        if len(found) != 1:
            raise SettingsWrong(
                f"Tryton has {'no' if not found else 'more than one'} relation type "
                f"of the name in settings: guardian_relation."
            )
        return found[0].id

    def _page(self, asking: _Asking, domain: Domain, relation: int | None) -> _Page:
        """One whole page: parties and what hangs on them, or an error."""
        parties = asking.search(
            "party.party",
            domain,
            ["name", "active", "categories", "replaced_by", "create_date", "write_date"],
            list[_Party],
            limit=self.settings.page,
        )
        types = ["email", *self.settings.phone_types]
        mechanisms: list[_Mechanism] = []
        relations: list[_Relation] = []
        for ids in _parts([p.id for p in parties], asking.most_ids):
            mechanisms += asking.search(
                "party.contact_mechanism",
                [["party", "in", ids], ["type", "in", types]],
                ["party", "type", "value", "name", "sequence", "write_date"],
                list[_Mechanism],
            )
            if relation is not None:
                relations += asking.search(
                    "party.relation.all",
                    [["from_", "in", ids], ["type", "=", relation]],
                    ["from_", "to", "start_date", "end_date"],
                    list[_Relation],
                )
        return _Page(parties, mechanisms, relations)

    def _rows(self, page: _Page) -> Iterable[dict[str, Any]]:
        mechanisms: dict[int, list[_Mechanism]] = {}
        for m in sorted(page.mechanisms, key=_in_order):
            mechanisms.setdefault(m.party, []).append(m)
        today = self.now().astimezone(self.club.timezone).date()
        guardians: dict[int, int] = {}
        for r in page.relations:
            if (r.start_date is None or r.start_date.day_of() <= today) and (
                r.end_date is None or r.end_date.day_of() >= today
            ):
                guardians[r.from_] = min(r.to, guardians.get(r.from_, r.to))
        for p in page.parties:
            mine = mechanisms.get(p.id, [])
            stamps = [s.utc() for s in (p.write_date, *(m.write_date for m in mine)) if s]
            guardian = guardians.get(p.id)
            yield {
                "erp_id": str(p.id),
                "email": self._email(mine),
                "name": p.name,
                "phone": self._phone(mine),
                "status": _status(p, mine),
                "groups": [
                    {"id": str(c), "valid_from": None, "valid_until": None} for c in p.categories
                ],
                "guardian_id": str(guardian) if guardian is not None else None,
                "replaced_by": str(p.replaced_by) if p.replaced_by is not None else None,
                "created_at": p.create_date.utc() if p.create_date else None,
                "modified_at": max(stamps, default=None),
            }

    def _customers(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as `_rows` gives them -> `CUSTOMER_SCHEMA`."""
        raw = pl.DataFrame(rows, schema=ROW_SCHEMA)
        return customers_frame(
            raw.with_columns(
                fields.phones(raw["phone"], self.club.country),
                *fields.split_names(raw["name"]).get_columns(),
            )
        )

    def _email(self, mechanisms: Sequence[_Mechanism]) -> str | None:
        """The named one, else the first; `mechanisms` in Tryton's order."""
        emails = [m for m in mechanisms if m.type == "email" and m.value]
        named = [m for m in emails if m.name and m.name == self.settings.email_name]
        return next((m.value for m in (*named, *emails)), None)

    def _phone(self, mechanisms: Sequence[_Mechanism]) -> str | None:
        for kind in self.settings.phone_types:
            for m in mechanisms:
                if m.type == kind and m.value:
                    return m.value
        return None


class _Asking(Protocol):
    """Tryton's questions, in either protocol."""

    #: ids that fit into one domain.
    most_ids: int

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """Records of the domain, by id, with their id and these fields.

        :raises ConnectorError: no answer, or one that is not understood.
        """

    def highest(self, model: str, domain: Domain) -> int:
        """The highest id of the domain; 0: there is none."""

    def count(self, model: str, domain: Domain) -> int:
        """How many records are in the domain."""

    def leave(self) -> None:
        """Be done."""


class _Rpc:
    """Tryton's calls over one conversation."""

    most_ids = 5000

    def __init__(self, http: Http) -> None:
        self._http = http

    def call(self, method: str, params: list[Any], into: type[T], *, login: bool = True) -> T:
        """One call.

        :param into: the type of its result.
        :raises ConnectorError: as `Http.json`, and for errors in answers of status 200.
        """
        answer = self._http.json(
            "POST",
            "/rpc/",
            _Answer[into],  # type: ignore[valid-type]  # a type made at run time, for msgspec
            body={"id": 0, "method": method, "params": params},
            login=login,
        )
        if answer.error is not None:
            raise _refusal(method, answer.error)
        if answer.result is None:
            raise ContractChanged(f"Tryton answered {method} with nothing.")
        return answer.result

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """`model.<model>.search_read`."""
        return self.call(
            f"model.{model}.search_read",
            [domain, 0, limit, BY_ID, ["id", *names], _context(model)],
            into,
        )

    def highest(self, model: str, domain: Domain) -> int:
        """`model.<model>.search`."""
        found = self.call(
            f"model.{model}.search", [domain, 0, 1, HIGHEST_FIRST, _context(model)], list[int]
        )
        return found[0] if found else 0

    def count(self, model: str, domain: Domain) -> int:
        """`model.<model>.search_count`."""
        return self.call(f"model.{model}.search_count", [domain, 0, None, _context(model)], int)

    def leave(self) -> None:
        """End the session."""
        _log_out(self._http)


class _Rest:
    """The same questions over REST."""

    most_ids = IDS_IN_ADDRESS

    def __init__(self, http: Http) -> None:
        self._http = http

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """`GET /rest/model/<model>`."""
        return self._records(model, domain, names, into, limit, BY_ID)

    def _records(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        limit: int | None,
        order: Domain,
    ) -> T:
        params = [("d", _packed(domain)), ("o", _packed(order))]
        params += [("f", name) for name in ("id", *names)]
        if limit is not None:
            params.append(("s", str(limit)))
        headers = _context_header(model)
        found = self._http.request(
            "GET", f"/rest/model/{model}", into, params=params, headers=headers
        )
        return cast("T", found.value)

    def highest(self, model: str, domain: Domain) -> int:
        """The first of one, sorted the other way."""
        found = self._records(model, domain, [], list[_Id], 1, HIGHEST_FIRST)
        return found[0].id if found else 0

    def count(self, model: str, domain: Domain) -> int:
        """From `Content-Range`, which counts up to ten times what is asked for."""
        for size in (100, 1000, 10_000, 100_000):
            reply = self._http.request(
                "GET",
                f"/rest/model/{model}",
                list[_Id],
                params=[("d", _packed(domain)), ("o", _packed(BY_ID)), ("f", "id")],
                headers={"Range": f"records=0-{size}", **_context_header(model)},
            )
            counted = reply.headers.get("Content-Range", "").rpartition("/")[2]
            if counted.isdecimal():
                return int(counted)
            if counted != "*":
                break
        raise ContractChanged(f"Tryton does not say how many records {model} has.")

    def leave(self) -> None:
        """A key has no session."""


def _context(model: str) -> dict[str, Any]:
    return EVERYBODY if model in WITH_INACTIVE else {}


def _context_header(model: str) -> dict[str, str]:
    context = _context(model)
    return {"X-Tryton-Context": _packed(context)} if context else {}


def _packed(value: Domain | dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _parts(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for at in range(0, len(ids), size):
        yield list(ids[at : at + size])


def _changed_since(moment: datetime) -> Domain:
    """Parties of which they or a mechanism of theirs bear a later stamp; what is new has no `write_date`."""
    utc = moment.astimezone(UTC)
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    stamp = {"__class__": "datetime", **{part: getattr(utc, part) for part in parts}}
    own = [["create_date", ">=", stamp], ["write_date", ">=", stamp]]
    return ["OR", *own, ["contact_mechanisms", "where", [["OR", *own]]]]


def _refusal(method: str, error: list[Any]) -> ConnectorError:
    """What an error in a 200 means. Its own text may name people and is left out (R19)."""
    kind = error[0] if error else None
    if kind == "LoginException":
        return CredentialsRefused("Tryton asks for more than a password to log in.")
    if kind in ("UserError", "UserWarning"):
        return CredentialsRefused(
            f"Tryton refused {method} ({kind}).",
            remedy="The connection's user needs the right to read parties, categories, contact "
            "mechanisms and relations.",
        )
    return ErpUnreachable(
        f"Tryton failed at {method}.",
        remedy="Its own log names the cause. Where it lasts, that Tryton lacks a module or field that "
        "the connector reads, or the setting domain is wrong.",
    )


def _log_out(http: Http) -> None:
    """End the session, so that Tryton does not collect one per run; if that fails, it will expire."""
    try:
        http.json(
            "POST",
            "/rpc/",
            _Answer[Any],
            body={"id": 0, "method": "common.db.logout", "params": []},
            once=True,
        )
    except ConnectorError:
        pass


def _in_order(m: _Mechanism) -> tuple[bool, int, int]:
    """Tryton's order of contact mechanisms: sequence, those without one first, then id."""
    return (m.sequence is not None, m.sequence or 0, m.id)


def _status(party: _Party, mechanisms: Sequence[_Mechanism]) -> str:
    if party.active:
        return "active"
    erased = party.name is None and not mechanisms and party.replaced_by is None
    return "deleted" if erased else "archived"
