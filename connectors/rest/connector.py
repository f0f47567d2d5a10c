"""The connector: the lists of groups and memberships first, then the customers, page by page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from connectors.rest.api import Api, ListPage
from connectors.rest.auth import headers_of, login_of
from connectors.rest.paging import pager_of, walk_of
from connectors.rest.records import Customers, Memberships, Spans, no_names
from connectors.rest.settings import (
    Cursor,
    GroupList,
    Held,
    Keyset,
    LinkHeader,
    Listing,
    NextUrl,
    RestSettings,
)
from connectors.sdk import chains, model
from connectors.sdk.alone import ask_for_missing
from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.errors import ContractChanged, SettingsWrong
from connectors.sdk.http import Http, base_address
from connectors.sdk.messages import message
from connectors.sdk.model import (
    GROUP_SCHEMA,
    IN_USE,
    Reading,
    Words,
    groups_frame,
)
from connectors.sdk.odd import are_many
from connectors.sdk.paging import Walk
from connectors.sdk.paths import MISSING, cell, columns, described, getter, identifier, names
from connectors.sdk.resume import FieldFilter
from connectors.sdk.words import truth_of

CUSTOMERS, KNOWN, HELD = "customers", "groups.known.list", "groups.held.list"


class RestConnector(Connector[RestSettings]):
    """Reads a club's customers, and groups where configured, from any JSON API."""

    name: ClassVar[str] = "rest"
    title: ClassVar[str] = "JSON API"
    settings_type: ClassVar[type[Settings]] = RestSettings
    answers_changes: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record", "group", "membership")

    @property
    def resumable_for(self) -> timedelta | None:
        """Never if the ERP's cursors are followed without a total, nor if a path does not name all of its keys or ids
        are keys, so that it is unknown which fields have to be stored."""
        settings = self.settings
        keyed = any(one.keyed_by for one in settings.listings()) or bool(
            settings.groups and settings.groups.held.keyed_by
        )
        blind = any(
            isinstance(one.paging, Cursor | LinkHeader | NextUrl)
            and one.total is None
            and one.total_header is None
            for one in settings.listings()
        )
        named = not any(re.search(r"[*(]", path) for path in needed_paths(settings))
        return super().resumable_for if named and not keyed and not blind else None

    def read(self, *, full: bool = False) -> Reading:
        """Read everything; or what changed since, if asked to (`since`) and able to (`customers.changes`).

        :raises ConnectorError: before the first complete page of customers, or if a list that they are joined with
            is incomplete.
        """
        as_of = self.start()
        with self._http() as http:
            since = None if full else self.since
            if since is None or self.settings.customers.changes is None:
                http.scout(as_of, lambda: self._scout(self._api(http)))
            return self._read(self._api(http), as_of, since)

    @classmethod
    def test_connection(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """How to log in is in a club's settings: without them only the address can be checked."""
        base_address(connection)
        return super().test_connection(connection, now=now)

    def check(self) -> str:
        """Log in, read the first page of every list, and compare it with the settings."""
        with self._http() as http:
            api = self._api(http)
            known = self._first_groups(api)
            self._first_memberships(api)
            return self._first_customers(api, known)

    def _http(self) -> Http:
        settings = self.settings
        return Http(
            base_address(self.connection),
            settings.name,
            settings.http,
            now=self.now,
            login=login_of(settings, self.connection, self.now),
            headers=headers_of(settings, self.connection),
            bookmark=self.bookmark,
            stored_fields=FieldFilter.of(paths=needed_paths(settings)),
            stored_headers=stored_headers(settings),
            received=self.received,
        )

    def _api(self, http: Http) -> Api:
        return Api(http, base_address(self.connection), self.settings, self.connection)

    # reading

    def _scout(self, api: Api) -> None:
        """Send the requests of a reading of everything, and make nothing of the rows."""
        settings, groups = self.settings, self.settings.groups
        if groups and groups.known:
            walk_of(api, groups.known.list, KNOWN).all_rows()
        if groups and groups.held.list is not None:
            walk_of(api, groups.held.list, HELD, key=groups.held.row_id).all_rows()
        walk_of(api, settings.customers, CUSTOMERS, key=settings.fields.id).all_rows()

    def _read(self, api: Api, as_of: datetime, since: datetime | None) -> Reading:
        settings = self.settings
        groups = settings.groups
        self._check_members()
        listed, said = self._known(api, groups.known) if groups and groups.known else (None, [])
        memberships = self._memberships(groups.held) if groups else None
        joined, proof = None, None
        if groups and memberships and groups.held.list is not None:
            joined, proof = self._joined(api, groups.held, memberships)
        changes = settings.customers.changes
        asked = since - changes.earlier if changes and since else None
        moment = _formatted(asked, changes.format) if changes and asked else None
        customers = Customers(settings, self.club, memberships, joined)
        walk = walk_of(
            api,
            settings.customers,
            CUSTOMERS,
            key=settings.fields.id,
            since=moment,
            progress=self.progress,
        )
        seen: list[str] = []
        for records in walk:
            customers.add(records)
            seen = seen or columns(records)
        frame = customers.frame(partial=asked is not None)
        if asked is None:
            frame = self._ask_for_missing(api, walk, customers, frame)
        if joined and not walk.doubts and asked is None and frame.height:
            self._check_join(joined, frame)
        reading = walk.reading(
            frame,
            listed if listed is not None else _groups_held(memberships),
            as_of=as_of,
            columns=seen,
            column_of=self._column_of(),
            decided_by=self._decided_by(),
            since=asked,
            memberships=proof,
        )
        return replace(
            reading,
            words=(*customers.words(), *said),
            group_clubs=self._group_clubs,
            by_membership=self._clubs_at("membership") is not None,
        )

    def _clubs_at(self, of: str) -> str | None:
        """Where a chain's records, groups or memberships name their club (R29), if they do."""
        members = self.club.members
        return members.at if members is not None and members.of == of else None

    def _check_members(self) -> None:
        """:raises SettingsWrong: nothing is configured that could name a club."""
        groups = self.settings.groups
        if self._clubs_at("group") is not None and (groups is None or groups.known is None):
            raise SettingsWrong(
                "`members` reads the club of a group from the ERP's list of groups, and none is configured.",
                remedy="Configure settings: groups.known, or another `of` in `members`.",
            )
        if self._clubs_at("membership") is not None and groups is None:
            raise SettingsWrong(
                "`members` reads the club of a membership, and settings: groups are not configured.",
                remedy="Configure settings: groups.held, or `of: record` in `members`.",
            )

    def _ask_for_missing(
        self, api: Api, walk: Walk[Any, Any], customers: Customers, frame: pl.DataFrame
    ) -> pl.DataFrame:
        """R14: ask for the customers whom a walk misses, each alone: it may only have hidden them.

        :returns: the customers, with those that were found; `walk` knows whether all were asked for.
        """
        one = self.settings.customers.one
        if one is None:
            return frame

        def ask(erp_id: str) -> list[Any]:
            record = api.one(one, erp_id)
            return [] if record is None else [record]

        found = ask_for_missing(walk, self.known, set(frame["erp_id"]), ask)
        if not found:
            return frame
        customers.add(found)
        return customers.frame()

    def _memberships(self, held: Held) -> Memberships:
        return Memberships(
            held, omits_empty=self.settings.omits_empty, clubs=self._clubs_at("membership")
        )

    #: of a chain whose groups name their clubs: group id -> the clubs.
    _group_clubs: dict[str, list[str]] | None = None

    def _known(self, api: Api, known: GroupList) -> tuple[pl.DataFrame, list[Words]]:
        """The ERP's list of groups, and the words that say whether they are active."""
        rows = self._whole(api, known.list, KNOWN)
        groups = self._groups(rows, known)
        frame = groups_frame(groups)
        if (at := self._clubs_at("group")) is not None:
            self._group_clubs = {}
            for row, group in zip(rows, groups, strict=True):
                self._group_clubs.setdefault(group["id"], []).extend(
                    chains.names(chains.found(row, at))
                )
        if known.active is None:
            return frame, []
        take = getter(known.active)
        stated = {
            f"groups.known.{name}": getattr(known, name)
            for name in ("active_values", "inactive_values")
            if name in known.model_fields_set
        }
        meant = (
            ("" if (said := take(row)) is MISSING else cell(said), IN_USE[group["active"]])
            for row, group in zip(rows, groups, strict=True)
        )
        return frame, [Words.of_groups(known.active, meant, stated)]

    def _groups(self, rows: Sequence[Any], known: GroupList) -> list[dict[str, Any]]:
        """The groups of some rows; a single one without an id is none.

        :raises ContractChanged: many have no id.
        """
        groups = [self._group(row, known) for row in rows]
        without = [row for row, g in zip(rows, groups, strict=True) if g["id"] == NOT_TEXT]
        if without and (are_many(len(without), len(rows)) or len(without) == len(rows)):
            raise ContractChanged(
                f"A group has no id at {known.id}; it has {', '.join(names(without[0])) or message('no fields')}.",
                remedy="Correct settings: groups.known.id.",
            )
        self._check_names(rows, known)
        return groups

    def _check_names(self, rows: Sequence[Any], known: GroupList) -> None:
        """:raises ContractChanged: not one group has a name where the settings say so."""
        may_lack = self.settings.omits_empty or "name" not in known.model_fields_set
        found = [getter(known.name)(row) for row in rows]
        odd = [not may_lack if value is MISSING else cell(value) == NOT_TEXT for value in found]
        if found and all(odd):
            raise no_names("groups.known.name", known.name, described(found[0]))

    def _group(self, row: Any, known: GroupList) -> dict[str, Any]:
        key = identifier(getter(known.id)(row)) or NOT_TEXT
        active: bool | None = True
        if known.active is not None:
            found = getter(known.active)(row)
            if found is MISSING and known.absent is not None:
                found = known.absent
            if found is MISSING and not self.settings.omits_empty:
                raise ContractChanged(
                    f"A group has nothing at {known.active}; it has {', '.join(names(row))}.",
                    remedy="Correct settings: groups.known.active.",
                )
            active = truth_of(cell(found), known.active_values, known.inactive_values)
        name = cell(getter(known.name)(row))
        return {"id": key, "name": key if name in (None, "", NOT_TEXT) else name, "active": active}

    def _joined(
        self, api: Api, held: Held, memberships: Memberships
    ) -> tuple[Spans, model.Memberships]:
        """The list of memberships, by customer, and what it proves."""
        assert held.list is not None
        assert held.customer is not None
        take = getter(held.customer)
        out: Spans = {}
        rows, proof = walk_of(api, held.list, HELD, key=held.row_id).joined(held.list.path)
        nobodys: list[Any] = []
        for row in rows:
            customer = (identifier(take(row)) or "").strip()
            if customer in ("", NOT_TEXT):
                nobodys.append(row)
            else:
                out.setdefault(customer, []).extend(memberships.spans([row]))
        if nobodys and (are_many(len(nobodys), len(rows)) or len(nobodys) == len(rows)):
            raise self._no_holder(nobodys[0], held)
        return out, proof.with_nobodys(len(nobodys), held.list.path)

    def _no_holder(self, row: Any, held: Held) -> ContractChanged:
        return ContractChanged(
            f"A membership has no customer at {held.customer}; "
            f"it has {', '.join(names(row)) or message('no fields')}.",
            remedy="Correct settings: groups.held.customer.",
        )

    def _whole(self, api: Api, listing: Listing, setting: str) -> list[Any]:
        """All rows of the list of groups.

        :raises ErpUnreachable: it cannot be proved to be complete.
        """
        return walk_of(api, listing, setting).whole(
            listing.path,
            remedy=message(
                "Nothing was changed. If it persists, configure the list's total or another kind of paging in "
                f"settings: {setting}."
            ),
        )

    def _check_join(self, joined: Spans, frame: pl.DataFrame) -> None:
        ids = set(frame["erp_id"])
        if joined and not any(customer in ids for customer in joined):
            raise ContractChanged(
                f"None of the holders of a group ({len(joined)}) is a customer.",
                remedy="Correct settings: groups.held.customer or fields.id: they are different kinds of id.",
            )

    def _column_of(self) -> dict[str, str]:
        """Canonical field -> the path it was read from."""
        settings = self.settings
        paths = settings.fields.paths()
        out = {"erp_id" if f == "id" else f: path for f, path in paths.items() if f != "name"}
        if "name" in paths:
            out = {"first_name": paths["name"], "last_name": paths["name"], **out}
        if settings.status.at:
            out["status"] = settings.status.at
        if settings.groups and settings.groups.held.at:
            out["groups"] = settings.groups.held.at
        return out

    def _decided_by(self) -> tuple[str, ...]:
        """The paths in a record that decide its status or the next page, without becoming a field."""
        settings = self.settings
        paging = settings.customers.paging
        keys = (paging.at,) if isinstance(paging, Keyset) else ()
        return (*(one.at for one in settings.status.unless), *keys)

    # checking

    def _first(self, api: Api, listing: Listing, setting: str) -> ListPage:
        """The first page of a list, from which it has to be clear how the next one is requested."""
        pager = pager_of(listing, api, setting)
        page = api.page(listing, setting, pager.first())
        pager.next(page, len(page.records))
        return page

    def _first_groups(self, api: Api) -> set[str] | None:
        """The ids of all groups; None: there are more pages, or no list."""
        known = self.settings.groups.known if self.settings.groups else None
        if known is None:
            return None
        page = self._first(api, known.list, KNOWN)
        ids = {group["id"] for group in self._groups(page.records, known)}
        pager = pager_of(known.list, api, KNOWN)
        pager.first()
        return ids if pager.next(page, len(page.records)) is None else None

    def _first_memberships(self, api: Api) -> None:
        groups = self.settings.groups
        if groups is None or groups.held.list is None:
            return
        page = self._first(api, groups.held.list, HELD)
        take = getter(groups.held.customer or "@")
        memberships = self._memberships(groups.held)
        memberships.spans(page.records)
        memberships.check()
        nobodys = [r for r in page.records if identifier(take(r)) in (None, "", NOT_TEXT)]
        if nobodys and (
            are_many(len(nobodys), len(page.records)) or len(nobodys) == len(page.records)
        ):
            raise self._no_holder(nobodys[0], groups.held)

    def _first_customers(self, api: Api, known: set[str] | None) -> str:
        settings = self.settings
        page = self._first(api, settings.customers, CUSTOMERS)
        count = message("customers without a total")
        if page.total is not None:
            count = message(f"{page.total} customer{'s' if page.total != 1 else ''}")
        if not page.records:
            return message(
                "Login works; the list of customers is empty, so the fields could not be checked."
            )
        held = settings.groups.held if settings.groups else None
        memberships = self._memberships(held) if held else None
        customers = Customers(settings, self.club, memberships, {} if held and held.list else None)
        customers.add(page.records)
        frame = customers.frame()
        self._check_plausible(frame, memberships, known)
        unknown = int((frame["status"] == "unknown").sum())
        if unknown:
            return message(
                f"Login works: {count}, {frame.height} on the first page, "
                f"{unknown} of them with an unknown status."
            )
        return message(f"Login works: {count}, {frame.height} on the first page.")

    def _check_plausible(
        self, frame: pl.DataFrame, memberships: Memberships | None, known: set[str] | None
    ) -> None:
        """Find settings whose paths exist, but lead to something else.

        :raises SettingsWrong: with the setting's name.
        """
        emails = frame["email"].drop_nulls()
        if emails.len() and not emails.str.contains("@", literal=True).any():
            raise SettingsWrong(
                f"None of the values at {self.settings.fields.email} ({emails.len()}) is an email address.",
                remedy="Correct settings: fields.email.",
            )
        if frame["erp_id"].drop_nulls().n_unique() < frame["erp_id"].drop_nulls().len():
            raise SettingsWrong(
                f"Several records have the same {self.settings.fields.id}.",
                remedy="Correct settings: fields.id: it has to be unique to each customer.",
            )
        if self.settings.status.at and (frame["status"] == "unknown").all():
            raise SettingsWrong(
                f"None of the records ({frame.height}) has a status that the settings list.",
                remedy=f"Correct settings: status.at ({self.settings.status.at}), or its lists of words.",
            )
        self._check_dates(frame)
        held = set(memberships.names) if memberships else set()
        if known is not None and held and not held & known:
            raise SettingsWrong(
                f"None of the groups that customers hold ({len(held)}) is in the list of groups.",
                remedy="Correct settings: groups.held.id or groups.known.id: they are different kinds of id.",
            )

    def _check_dates(self, frame: pl.DataFrame) -> None:
        """:raises SettingsWrong: several values at a path of days, and not one of them is a day."""
        notes = frame.select(pl.col("unreadable").explode()).drop_nulls().unnest("unreadable")
        spans = frame.select(pl.col("groups").explode()).drop_nulls().unnest("groups")
        for name, path in (("valid_from", "from"), ("valid_until", "until")):
            for setting, read, odd in (
                (f"fields.{name}", frame[name], notes.filter(pl.col("group").is_null())),
                (f"groups.held.{path}", spans[name], notes.filter(pl.col("group").is_not_null())),
            ):
                found = odd.filter(pl.col("field") == name).height
                if found > 1 and read.null_count() == read.len():
                    raise SettingsWrong(
                        f"None of the values at settings: {setting} ({found}) is a day.",
                        remedy=f"Correct settings: {setting}, or settings: date_format.",
                    )


def needed_paths(settings: RestSettings) -> list[str]:
    """The paths of everything that is read of a response, and stored on a bookmark (R19)."""
    status, groups = settings.status, settings.groups
    found = [*settings.fields.paths().values(), status.at, *(one.at for one in status.unless)]
    if groups is not None:
        held = groups.held
        found += [held.at, held.customer, held.id, held.name, held.from_, held.until]
        found += [held.ended.at] if held.ended else []
        found += [held.row_id] if held.list is not None else []
        if groups.known is not None:
            found += [groups.known.id, groups.known.name, groups.known.active]
    for one in settings.listings():
        found += [one.records, one.total]
        found += [getattr(one.paging, name, None) for name in ("at", "more", "last", "pages")]
    return [path for path in found if path]


def stored_headers(settings: RestSettings) -> list[str]:
    """The headers that count rows or name the next page."""
    names = ("header", "last_header", "pages_header")
    found = [
        name
        for one in settings.listings()
        for name in (one.total_header, *(getattr(one.paging, key, None) for key in names))
    ]
    return [name for name in found if name]


def _formatted(moment: datetime, how: str) -> str | int:
    """A moment in the format of the incremental cursor."""
    utc = moment.astimezone(UTC)
    match how:
        case "iso":
            return utc.strftime("%Y-%m-%dT%H:%M:%SZ")
        case "epoch":
            return int(utc.timestamp())
        case "epoch_ms":
            return int(utc.timestamp() * 1000)
    return utc.strftime(how)


def _groups_held(memberships: Memberships | None) -> pl.DataFrame:
    """The groups that customers hold, all active: for an ERP without a list of groups."""
    if memberships is None:
        return GROUP_SCHEMA.to_frame()
    return groups_frame(
        [{"id": k, "name": name, "active": True} for k, name in memberships.names.items()]
    )
