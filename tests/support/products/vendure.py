"""A real Vendure: a shop's GraphQL Admin API on Node, over PostgreSQL; customers and their groups."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import requests

from clubsync.store import embedded
from tests.support.products.product import (
    GROUPS,
    ROOT,
    Customers,
    Person,
    Product,
    process,
    said,
    unused_port,
)

CLUB = Path(__file__).with_name("vendure_club") / "club.js"
FOLDER = ROOT / ".npm-vendure"
PASSWORD = "vendure-of-the-tests"
_LOGIN = """mutation ($password: String!) {
  login(username: "superadmin", password: $password) { ... on ErrorResult { errorCode } }
}"""
_KEY = """mutation ($role: ID!) {
  createApiKey(input: {roleIds: [$role], translations: [{languageCode: en, name: "sync"}]}) { apiKey }
}"""
_GROUP = "mutation ($name: String!) { createCustomerGroup(input: {name: $name}) { id } }"
_ENTER = """mutation ($input: CreateCustomerInput!) {
  createCustomer(input: $input) { ... on Customer { id } ... on ErrorResult { errorCode } }
}"""
_EMAIL = """mutation ($id: ID!, $email: String!) {
  updateCustomer(input: {id: $id, emailAddress: $email}) { ... on ErrorResult { errorCode } }
}"""
_DELETE = "mutation ($id: ID!) { deleteCustomer(id: $id) { result } }"
_JOIN = """mutation ($group: ID!, $id: ID!) {
  addCustomersToGroup(customerGroupId: $group, customerIds: [$id]) { id }
}"""
_LEAVE = """mutation ($group: ID!, $id: ID!) {
  removeCustomersFromGroup(customerGroupId: $group, customerIds: [$id]) { id }
}"""
_CUSTOMERS = """
select c.id::text, c."emailAddress", array_agg(g.name::text order by g.name)
from customer c
join customer_groups_customer_group h on h."customerId" = c.id
join customer_group g on g.id = h."customerGroupId"
where c."deletedAt" is null
group by c.id
"""


class RefusedError(Exception):
    """Vendure's errors have status 200."""


class Vendure(Product):
    name: ClassVar[str] = "vendure"
    refuses = (requests.RequestException, RefusedError)

    def __init__(self, url: str, database: str, people: Sequence[Person]) -> None:
        """:param database: the conninfo of its database."""
        self.url, self._database = url, database
        self._session = requests.Session()
        self._ask(_LOGIN, password=PASSWORD)
        roles = self._ask("{ roles { items { id code } } }")["roles"]["items"]
        self._key = self._ask(_KEY, role=roles[0]["id"])["createApiKey"]["apiKey"]
        self._groups = {
            name: self._ask(_GROUP, name=name)["createCustomerGroup"]["id"] for name in GROUPS
        }
        self.ids = self._fill(people)

    def _ask(self, document: str, **variables: Any) -> Any:
        """:raises RefusedError, requests.RequestException: nothing was changed, or no answer came."""
        body = {"query": document, "variables": variables}
        answer = self._session.post(f"{self.url}/admin-api", json=body, timeout=60)
        answer.raise_for_status()
        if (token := answer.headers.get("vendure-auth-token")) is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"
        value = answer.json()
        results = (value.get("data") or {}).values()
        errors = [one for one in results if isinstance(one, dict) and "errorCode" in one]
        if errors or "errors" in value:
            raise RefusedError(errors or value["errors"])
        return value["data"]

    def _fill(self, people: Sequence[Person]) -> list[str]:
        """Many people at once, in the tables: through the API each takes a tenth of a second and more."""
        made = []
        with psycopg.connect(self._database) as database:
            for person in people:
                row = database.execute(
                    'insert into customer ("firstName", "lastName", "emailAddress")'
                    " values (%s, %s, %s) returning id",
                    [person.first, person.last, person.email],
                ).fetchone()
                assert row is not None
                made.append(row[0])
                database.execute("insert into customer_channels_channel values (%s, 1)", row)
                for name in person.groups if person.active else ():
                    database.execute(
                        "insert into customer_groups_customer_group values (%s, %s)",
                        [row[0], self._groups[name]],
                    )
        return [str(one) for one in made]

    def key(self) -> tuple[str, str]:
        return "", self._key

    def enter(self, person: Person) -> str:
        made = self._ask(
            _ENTER,
            input={
                "firstName": person.first,
                "lastName": person.last,
                "emailAddress": person.email,
            },
        )
        who = str(made["createCustomer"]["id"])
        for name in person.groups if person.active else ():
            self._ask(_JOIN, group=self._groups[name], id=who)
        return who

    def change_email(self, who: str, email: str) -> None:
        self._ask(_EMAIL, id=who, email=email)

    def set_groups(self, who: str, groups: Sequence[str]) -> None:
        _, held = self.customers().get(who, ("", []))
        for name in groups:
            if name not in held:
                self._ask(_JOIN, group=self._groups[name], id=who)
        for name in held:
            if name not in groups:
                self._ask(_LEAVE, group=self._groups[name], id=who)

    def deactivate(self, who: str) -> None:
        """A customer has no status: without a group there is no access."""
        self.set_groups(who, ())

    def reactivate(self, who: str) -> None:
        self.set_groups(who, GROUPS[:1])

    def delete(self, who: str) -> None:
        self._ask(_DELETE, id=who)

    def customers(self) -> Customers:
        with psycopg.connect(self._database) as database:
            rows = database.execute(_CUSTOMERS).fetchall()
        return {who: (email, groups) for who, email, groups in rows}


@contextlib.contextmanager
def vendure(folder: Path, people: Sequence[Person], postgres: embedded.Server) -> Iterator[Vendure]:
    """A server with a new database.

    :raises RuntimeError: it does not start.
    """
    node = shutil.which("node")
    assert node is not None
    name = f"vendure_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name)
    port = unused_port()
    address = psycopg.conninfo.conninfo_to_dict(postgres.conninfo(name))
    environment = {
        **os.environ,
        "PORT": str(port),
        "PASSWORD": PASSWORD,
        "PGHOST": str(address["host"]),
        "PGPORT": str(address.get("port", embedded.SOCKET_PORT)),
        "PGDATABASE": name,
        "PGUSER": embedded.SUPERUSER,
        "VENDURE_DISABLE_TELEMETRY": "true",
    }
    program = FOLDER / CLUB.name
    shutil.copyfile(CLUB, program)
    try:
        with process([node, program], folder, environment) as log:
            said(log, "READY", 300)
            yield Vendure(f"http://127.0.0.1:{port}", postgres.conninfo(name), people)
    finally:
        postgres.drop_database(name)
