"""A real pretix: customer accounts and memberships of one organizer, over SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from tests.support.products.product import (
    ROOT,
    Customers,
    Hand,
    Person,
    Product,
    as_json,
    process,
    said,
    unused_port,
)

PYTHON = ROOT / ".venv-pretix" / "bin" / "python"
CLUB = Path(__file__).with_name("pretix_club") / "club.py"
_CONFIG = """
[pretix]
instance_name=Club
url={url}
datadir={folder}
[database]
backend=sqlite3
name={database}
[django]
secret=a-secret-of-the-tests-and-of-nothing-else-0123456789
"""
_HELD = """
select c.identifier, m.id, m.membership_type_id
from pretixbase_membership m join pretixbase_customer c on c.id = m.customer_id
where not m.canceled and m.date_start <= :now and m.date_end >= :now and c.is_active
order by m.id
"""


class Pretix(Product):
    """Its API deletes nobody: a customer is deleted in the database, as an operator does who has to.

    :param club: what `pretix_club/club.py` printed.
    """

    name: ClassVar[str] = "pretix"
    refuses = (*Product.refuses, sqlite3.OperationalError)

    def __init__(self, url: str, database: Path, club: dict[str, Any]) -> None:
        self.url = url
        self.ids = club["ids"]
        self._token, self._database = club["token"], database
        self._types: dict[str, int] = club["types"]
        headers = {"Authorization": f"Token {self._token}"}
        self._hand = Hand(f"{self.url}/api/v1/organizers/club", headers)

    def key(self) -> tuple[str, str]:
        return "", self._token

    def enter(self, person: Person) -> str:
        made = self._hand(
            *("POST", "/customers/"),
            email=person.email,
            is_active=person.active,
            name_parts={
                "_scheme": "given_family",
                "given_name": person.first,
                "family_name": person.last,
            },
        )
        for name in person.groups:
            self._begin(made["identifier"], name)
        return str(made["identifier"])

    def _begin(self, who: str, group: str) -> None:
        now = datetime.now(UTC)
        self._hand(
            *("POST", "/memberships/"),
            customer=who,
            membership_type=self._types[group],
            date_start=(now - timedelta(days=90)).isoformat(),
            date_end=(now + timedelta(days=900)).isoformat(),
            attendee_name_parts={},
        )

    def change_email(self, who: str, email: str) -> None:
        self._hand("PATCH", f"/customers/{who}/", email=email)

    def set_groups(self, who: str, groups: Sequence[str]) -> None:
        """Begins memberships, and ends them by their day, which is all that the API can."""
        names = {number: name for name, number in self._types.items()}
        held = {names[of]: number for number, of in self._memberships(who)}
        for name in groups:
            if name not in held:
                self._begin(who, name)
        for name, number in held.items():
            if name not in groups:
                ended = (datetime.now(UTC) - timedelta(days=30)).isoformat()
                self._hand("PATCH", f"/memberships/{number}/", date_end=ended)

    def deactivate(self, who: str) -> None:
        self._hand("PATCH", f"/customers/{who}/", is_active=False)

    def reactivate(self, who: str) -> None:
        self._hand("PATCH", f"/customers/{who}/", is_active=True)

    def delete(self, who: str) -> None:
        with self._connected() as database:
            database.execute("begin immediate")
            (key,) = database.execute(
                "select id from pretixbase_customer where identifier = ?", [who]
            ).fetchone()
            database.execute("delete from pretixbase_membership where customer_id = ?", [key])
            database.execute("delete from pretixbase_customer where id = ?", [key])
            database.commit()

    def delete_membership(self, who: str) -> None:
        """Delete somebody's memberships: nothing states that they had any."""
        with self._connected() as database:
            for number, _ in self._memberships(who):
                database.execute("delete from pretixbase_membership where id = ?", [number])
            database.commit()

    def _memberships(self, who: str) -> list[tuple[int, int]]:
        """Somebody's memberships of today: id, type."""
        return [(number, of) for one, number, of in self._held() if one == who]

    def _held(self) -> list[tuple[str, int, int]]:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with self._connected() as database:
            return list(database.execute(_HELD, {"now": now}))

    def customers(self) -> Customers:
        names = {number: name for name, number in self._types.items()}
        found: dict[str, set[str]] = {}
        for who, _, of in self._held():
            found.setdefault(who, set()).add(names[of])
        with self._connected() as database:
            emails = dict(database.execute("select identifier, email from pretixbase_customer"))
        return {who: (emails[who], sorted(groups)) for who, groups in found.items()}

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._database, timeout=60)) as database:
            yield database


@contextlib.contextmanager
def pretix(folder: Path, people: Sequence[Person]) -> Iterator[Pretix]:
    """A server with a new database.

    :raises RuntimeError: it does not start.
    """
    database, config, file = (folder / n for n in ("db.sqlite3", "pretix.cfg", "people.json"))
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    config.write_text(_CONFIG.format(url=url, folder=folder, database=database))
    file.write_text(as_json(people))
    environment = {**os.environ, "PRETIX_CONFIG_FILE": str(config), "PYTHONPATH": ""}
    with process([PYTHON, CLUB, file, str(port)], folder, environment) as log:
        yield Pretix(url, database, json.loads(said(log, "CLUB ", 300)))
