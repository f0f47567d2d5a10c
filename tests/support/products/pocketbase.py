"""A real PocketBase: one program with SQLite in it, and collections that its owner defines."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.support.products.product import (
    GROUPS,
    ROOT,
    Customers,
    Hand,
    Person,
    Product,
    process,
    unused_port,
)

PROGRAM = ROOT / ".venv-pocketbase" / "bin" / "pocketbase"
LOGIN, PASSWORD = "reader@club.example", "pocketbase-of-the-tests"
MEMBERS = "/api/collections/members/records"
_MOMENTS = [
    {"name": "created", "type": "autodate", "onCreate": True},
    {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True},
]


class PocketBase(Product):
    name: ClassVar[str] = "pocketbase"
    answers_within: ClassVar[float] = 0.5

    def __init__(self, url: str, database: Path, people: Sequence[Person]) -> None:
        """A club in two collections, as docs/erps/pocketbase.md describes them."""
        self.url, self._database = url, database
        login = Hand(url, {})(
            *("POST", "/api/collections/_superusers/auth-with-password"),
            identity=LOGIN,
            password=PASSWORD,
        )
        self._hand = Hand(url, {"Authorization": login["token"]})
        plans = self._collection(
            "plans", [{"name": "name", "type": "text"}, {"name": "open", "type": "bool"}]
        )
        self._plans = {
            name: self._hand("POST", "/api/collections/plans/records", name=name, open=True)["id"]
            for name in GROUPS
        }
        self._collection(
            "members",
            [
                *({"name": name, "type": "text"} for name in ("first", "last", "phone")),
                {"name": "email", "type": "email"},
                {"name": "status", "type": "select", "values": ["active", "paused", "left"]},
                {"name": "plans", "type": "relation", "collectionId": plans, "maxSelect": 10},
                *_MOMENTS,
            ],
        )
        self.ids = [self.enter(person) for person in people]

    def _collection(self, name: str, fields: list[dict[str, Any]]) -> str:
        made = self._hand("POST", "/api/collections", name=name, type="base", fields=fields)
        return str(made["id"])

    def key(self) -> tuple[str, str]:
        return LOGIN, PASSWORD

    def enter(self, person: Person) -> str:
        made = self._hand(
            *("POST", MEMBERS),
            first=person.first,
            last=person.last,
            email=person.email,
            status="active" if person.active else "left",
            plans=[self._plans[name] for name in person.groups],
        )
        return str(made["id"])

    def change_email(self, who: str, email: str) -> None:
        self._hand("PATCH", f"{MEMBERS}/{who}", email=email)

    def set_groups(self, who: str, groups: Sequence[str]) -> None:
        self._hand("PATCH", f"{MEMBERS}/{who}", plans=[self._plans[name] for name in groups])

    def deactivate(self, who: str) -> None:
        self._hand("PATCH", f"{MEMBERS}/{who}", status="left")

    def reactivate(self, who: str) -> None:
        self._hand("PATCH", f"{MEMBERS}/{who}", status="active")

    def delete(self, who: str) -> None:
        self._hand("DELETE", f"{MEMBERS}/{who}")

    def customers(self) -> Customers:
        names = {plan: name for name, plan in self._plans.items()}
        with contextlib.closing(sqlite3.connect(self._database, timeout=30)) as database:
            rows = database.execute("select id, email, plans from members where status = 'active'")
            return {
                who: (email, sorted(names[plan] for plan in json.loads(plans)))
                for who, email, plans in rows
            }


@contextlib.contextmanager
def pocketbase(folder: Path, people: Sequence[Person]) -> Iterator[PocketBase]:
    """A server with a new database.

    :raises RuntimeError: PocketBase is not installed, or does not start.
    """
    if not PROGRAM.exists():
        raise RuntimeError(f"{PROGRAM} is missing; `make pocketbase` installs it")
    data, url = folder / "data", f"127.0.0.1:{unused_port()}"
    subprocess.run(
        [PROGRAM, "superuser", "upsert", LOGIN, PASSWORD, "--dir", data],
        check=True,
        capture_output=True,
    )
    with process([PROGRAM, "serve", "--http", url, "--dir", data], folder, {}):
        _wait(f"http://{url}/api/health")
        yield PocketBase(f"http://{url}", data / "data.db", people)


def _wait(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(address, timeout=10).ok:
                return
        time.sleep(0.05)
    raise RuntimeError("PocketBase does not start")
