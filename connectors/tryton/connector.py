"""The connector: categories first, then parties by id, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import msgspec

from connectors.sdk.base import Connector, Settings
from connectors.sdk.errors import SettingsWrong
from connectors.sdk.http import Http, base_address
from connectors.sdk.model import Reading, groups_frame
from connectors.sdk.odd import numbers
from connectors.sdk.paging import walk_by_id
from connectors.tryton.jsonrpc import JsonRpc
from connectors.tryton.queries import Domain, Queries, changed_since
from connectors.tryton.records import (
    COLUMN_OF,
    Category,
    Mechanism,
    Party,
    RecordPage,
    Relation,
    customers,
    rows,
)
from connectors.tryton.rest import Rest
from connectors.tryton.settings import TrytonSettings


class _Id(msgspec.Struct):
    id: int


class TrytonConnector(Connector[TrytonSettings]):
    """Reads a club's parties, categories, contact mechanisms and, if configured, guardians."""

    name: ClassVar[str] = "tryton"
    title: ClassVar[str] = "Tryton"
    settings_type: ClassVar[type[Settings]] = TrytonSettings
    answers_changes: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read all parties; or those that changed, if the club has chosen so.

        :raises ConnectorError: before the first complete page of parties.
        """
        as_of = self.start()
        since = self.settings.since(self.since, full=full)
        with self._http() as http:
            queries = self._queries(http)
            reading = self._walk(queries, as_of, since)
            queries.close()
            return reading

    def check(self) -> str:
        """Log in and count."""
        with self._http() as http:
            queries = self._queries(http)
            parties = queries.count("party.party", self.settings.domain)
            categories = queries.count("party.category", [])
            queries.count("party.contact_mechanism", [])
            if self.settings.guardian_relation:
                self._relation_type(queries)
            queries.close()
        return (
            f"Login works: {parties} {'parties' if parties != 1 else 'party'} and "
            f"{categories} {'categories' if categories != 1 else 'category'}."
        )

    def _http(self) -> Http:
        base = base_address(self.connection)
        if self.settings.database:
            base = f"{base}/{quote(self.settings.database, safe='')}"
        elif not urlsplit(base).path:
            raise SettingsWrong(
                "No Tryton database is configured.",
                remedy="Add its name to the end of the connection's host, or set settings: database.",
            )
        login, key = self.connection.login, self.connection.password
        if self.settings.protocol == "rest":
            if not key:
                raise SettingsWrong(
                    f"The connection {self.connection.id} lacks the application's key (password)."
                )
            headers = {"Authorization": f"Bearer {key}"}
            return Http.of(self, base, self.settings.http, headers=headers)
        if not login or not key:
            raise SettingsWrong(f"The connection {self.connection.id} lacks login or password.")
        return Http.of(
            self, base, self.settings.http, login=lambda http: JsonRpc(http).log_in(login, key)
        )

    def _queries(self, http: Http) -> Queries:
        return Rest(http) if self.settings.protocol == "rest" else JsonRpc(http)

    def _walk(self, queries: Queries, as_of: datetime, since: datetime | None) -> Reading:
        settings = self.settings
        groups = groups_frame(
            [
                {
                    "id": str(c.id),
                    "name": c.rec_name,
                    "active": None if c.active is None else bool(c.active),
                }
                for c in queries.search(
                    "party.category", [], ["rec_name", "active"], list[Category]
                )
            ]
        )
        relation = self._relation_type(queries) if settings.guardian_relation else None
        # in brackets: it may begin with OR, which must not apply to what is added
        domain: Domain = [settings.domain] if settings.domain else []
        if since is not None:
            domain.append(changed_since(since - settings.overlap))
        last = queries.highest("party.party", domain)
        domain.append(["id", "<=", last])
        total = queries.count("party.party", domain)
        today = self.now().astimezone(self.club.timezone).date()

        def fetch(after: int) -> tuple[list[dict[str, Any]], list[int]]:
            page = self._page(queries, [*domain, ["id", ">", after]], relation)
            return list(rows(page, settings, today)), numbers(p.id for p in page.parties)

        walk = walk_by_id(fetch, last, total, settings.http, self.progress)
        found = walk.all_rows()
        return walk.reading(
            customers(found, self.club.country),
            groups,
            as_of=as_of,
            column_of=COLUMN_OF,
            since=since,
        )

    def _relation_type(self, queries: Queries) -> int:
        name = self.settings.guardian_relation
        found = queries.search("party.relation.type", [["name", "=", name]], [], list[_Id], limit=2)
        if not found:
            raise SettingsWrong(
                "Tryton has no relation type named as in settings: guardian_relation."
            )
        if len(found) > 1:
            raise SettingsWrong(
                "Tryton has several relation types named as in settings: guardian_relation."
            )
        return found[0].id

    def _page(self, queries: Queries, domain: Domain, relation: int | None) -> RecordPage:
        """One complete page: parties and what belongs to them, or an error."""
        parties = queries.search(
            "party.party",
            domain,
            ["name", "active", "categories", "replaced_by", "create_date", "write_date"],
            list[Party],
            limit=self.settings.page,
        )
        types = ["email", *self.settings.phone_types]
        mechanisms: list[Mechanism] = []
        relations: list[Relation] = []
        for ids in _parts(numbers(p.id for p in parties), queries.most_ids):
            mechanisms += queries.search(
                "party.contact_mechanism",
                [["party", "in", ids], ["type", "in", types]],
                ["party", "type", "value", "name", "sequence", "write_date"],
                list[Mechanism],
            )
            if relation is not None:
                relations += queries.search(
                    "party.relation.all",
                    [["from_", "in", ids], ["type", "=", relation]],
                    ["from_", "to", "start_date", "end_date"],
                    list[Relation],
                )
        return RecordPage(parties, mechanisms, relations)


def _parts(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for at in range(0, len(ids), size):
        yield list(ids[at : at + size])
