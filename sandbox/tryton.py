"""A real Tryton for the sandbox: its database, its server, and a feeder that enters the simulated people.

`python -m sandbox.tryton --port 8769 --dir var/tryton` creates the SQLite database if it does not exist (about ten
seconds, once) and runs the server in the foreground until SIGTERM.

For tests there are `create_database`, `serve`, and `Client`, an independent JSON-RPC client, so that the connector
is not tested with its own code.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import requests

from sandbox.world import Person, Product, World

log = logging.getLogger(__name__)

DATABASE = "club"
LOGIN = "admin"
MODULES = ("party", "party_relationship")

#: Categories that the club maintains itself, beside one per product.
FORMER = "Anciens membres"
PAUSED = "En pause"

CHILD_OF = "Enfant de"
PARENT_OF = "Parent de"


class TrytonError(Exception):
    """Tryton rejected a call."""


class Client:
    """A JSON-RPC client, logged in.

    :param url: base URL, ending in the name of the database.
    """

    def __init__(self, url: str, login: str, password: str) -> None:
        self._url = f"{url}/rpc/"
        self._session = requests.Session()
        user, session, _ = self.call("common.db.login", login, {"password": password})
        token = base64.b64encode(f"{login}:{user}:{session}".encode()).decode()
        self._session.headers["Authorization"] = f"Session {token}"

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call.

        :raises TrytonError: the response is an error, or its status is not 200.
        """
        answer = self._session.post(
            self._url, json={"id": 0, "method": method, "params": params}, timeout=60
        )
        if answer.status_code != 200:
            raise TrytonError(f"{method}: status {answer.status_code}")
        body = answer.json()
        if "error" in body:
            raise TrytonError(f"{method}: {body['error']}")
        return body["result"]

    def model(self, name: str, method: str, *params: Any) -> Any:
        """Call a method of a model with an empty context."""
        return self.call(f"model.{name}.{method}", *params, {})

    def wizard(
        self, name: str, values: dict[str, Any], state: str, context: dict[str, Any] | None = None
    ) -> None:
        """Run a wizard with a single form (`ask`) to its end."""
        context = context or {}
        session = self.call(f"wizard.{name}.create", context)[0]
        self.call(f"wizard.{name}.execute", session, {"ask": values}, state, context)
        self.call(f"wizard.{name}.delete", session, context)

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(TrytonError, requests.RequestException):
            self.call("common.db.logout")
        self._session.close()


def create_database(folder: Path, password: str) -> Path:
    """The database file in the folder, created if it does not exist (about ten seconds).

    :param password: of `admin`; used on creation only.
    """
    folder = folder.resolve()
    target = folder / "db" / f"{DATABASE}.sqlite"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as building:
        here = Path(building)
        (here / f"{DATABASE}.sqlite").touch()
        secret = here / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        subprocess.run(
            [
                *_program("admin"),
                *("-c", str(_config(here, here, 0))),
                *("-d", DATABASE),
                *("-u", *MODULES),
                "--activate-dependencies",
                *("--email", "admin@example.com"),
            ],
            env={**os.environ, "TRYTONPASSFILE": str(secret)},
            check=True,
            stdin=subprocess.DEVNULL,
        )
        # Renamed when complete, so that nobody sees half a database, even if two processes create it.
        (here / f"{DATABASE}.sqlite").replace(target)
    return target


def command(folder: Path, port: int) -> list[str]:
    """The command line that serves the database of the folder on 127.0.0.1."""
    folder = folder.resolve()
    return [*_program("server"), "-c", str(_config(folder, folder / "db", port)), "-d", DATABASE]


@contextlib.contextmanager
def serve(folder: Path, port: int) -> Iterator[str]:
    """Serve the database of the folder during the block.

    :returns: the base URL, with the database.
    :raises RuntimeError: the server exited, or did not respond within a minute.
    """
    with (folder / "trytond.log").open("ab") as output:
        server = subprocess.Popen(
            command(folder, port), stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        _wait(server, port)
        yield f"http://127.0.0.1:{port}/{DATABASE}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def copy_database(source: Path, folder: Path) -> None:
    """Make the folder a Tryton folder with a copy of that database file."""
    (folder / "db").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / "db" / f"{DATABASE}.sqlite")


def _program(name: str) -> list[str]:
    return [sys.executable, "-m", "sandbox.tryton_launch", name]


def _config(folder: Path, databases: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {databases}\n[web]\nlisten = 127.0.0.1:{port}\n"
    )
    return path


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    request = {"id": 0, "method": "common.server.version", "params": []}
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"trytond exited with {server.returncode}; see trytond.log")
        with contextlib.suppress(requests.RequestException):
            requests.post(f"http://127.0.0.1:{port}/rpc/", json=request, timeout=5)
            return
        time.sleep(0.1)
    raise RuntimeError("trytond does not respond")


@dataclass(frozen=True)
class _Party:
    """The values of a party that the feeder maintains."""

    name: str
    active: bool
    email: str | None
    phone: str | None
    categories: frozenset[str]
    guardian: int | None
    replaced_by: int | None


class Feeder:
    """Enters one club into Tryton change by change, as its staff would.

    The code of a party is the number of the person. Prospects are not entered. Archived people are inactive;
    former and paused people are in a category of that name; a membership is a category while it lasts; merges use
    Tryton's own wizard.
    """

    def __init__(self, world: World, club: str, client: Client) -> None:
        self._world = world
        self._club = club
        self._client = client
        self._entered: dict[int, _Party] = {}
        self._parties: dict[int, int] = {}
        self._categories: dict[str, int] = {}
        self._relation: int | None = None

    def catch_up(self, at: datetime) -> int:
        """Update Tryton to the state of the club at that time; returns how many parties changed."""
        state = self._world.club(self._club, at)
        if self._relation is None:
            self._prepare(state.products)
        day = at.date()
        wanted = {
            p.number: _party(p, day)
            for p in state.people
            if p.status != "prospect" or p.number in self._parties
        }
        new = [n for n in wanted if n not in self._parties]
        self._create({n: wanted[n] for n in new})
        changed = [
            n
            for n, card in wanted.items()
            if n not in self._entered or not _up_to_date(self._entered[n], card)
        ]
        for number in changed:
            try:
                self._edit(number, wanted[number])
            except TrytonError as error:
                # One party that Tryton rejects must not block the others.
                log.warning("party %d was rejected: %s", number, str(error).partition(":")[0])
            self._entered[number] = wanted[number]
        return len({*new, *changed})

    def _prepare(self, products: Sequence[Product]) -> None:
        """Create categories and relation types, and load what an earlier feeder entered."""
        call = self._client.model
        anyone = [["active", "in", [True, False]]]
        found = call("party.category", "search_read", anyone, 0, None, None, ["name"])
        names = {c["name"]: c["id"] for c in found}
        for key, name, active in [
            *((p.id, p.name, p.active) for p in products),
            (FORMER, FORMER, True),
            (PAUSED, PAUSED, True),
        ]:
            if name not in names:
                names[name] = call("party.category", "create", [{"name": name}])[0]
                if not active:
                    call("party.category", "write", [names[name]], {"active": False})
            self._categories[key] = names[name]
        types = call("party.relation.type", "search", [["name", "=", CHILD_OF]], 0, 1, None)
        if not types:
            types = call("party.relation.type", "create", [{"name": CHILD_OF}, {"name": PARENT_OF}])
            call("party.relation.type", "write", [types[0]], {"reverse": types[1]})
            call("party.relation.type", "write", [types[1]], {"reverse": types[0]})
        self._relation = types[0]
        self._load()

    def _load(self) -> None:
        """Load what an earlier feeder entered, as far as Tryton shows it."""
        call = self._client.model
        anyone = [["active", "in", [True, False]]]
        names = ["code", "name", "active", "categories", "replaced_by"]
        parties = call("party.party", "search_read", anyone, 0, None, None, names)
        values: dict[tuple[int, str], str] = {
            (m["party"], m["type"]): m["value"]
            for m in call(
                "party.contact_mechanism",
                "search_read",
                [],
                0,
                None,
                None,
                ["party", "type", "value"],
            )
        }
        guardians = {
            r["from_"]: r["to"]
            for r in call(
                "party.relation.all",
                "search_read",
                [["type", "=", self._relation]],
                0,
                None,
                None,
                ["from_", "to"],
            )
        }
        self._parties = {int(p["code"]): p["id"] for p in parties if p["code"].isdigit()}
        numbers = {party: number for number, party in self._parties.items()}
        keys = {category: key for key, category in self._categories.items()}
        for p in parties:
            if p["id"] in numbers:
                self._entered[numbers[p["id"]]] = _Party(
                    name=p["name"],
                    active=bool(p["active"]),
                    email=values.get((p["id"], "email")),
                    phone=values.get((p["id"], "mobile")),
                    categories=frozenset(keys.get(c, "") for c in p["categories"]),
                    guardian=numbers.get(guardians.get(p["id"], 0)),
                    replaced_by=numbers.get(p["replaced_by"] or 0),
                )

    def _create(self, cards: dict[int, _Party]) -> None:
        numbers = list(cards)
        for start in range(0, len(numbers), 200):
            batch = numbers[start : start + 200]
            made = self._client.model(
                "party.party", "create", [self._values(n, cards[n]) for n in batch]
            )
            for number, party in zip(batch, made, strict=True):
                self._parties[number] = party
                card = cards[number]
                if card.active and card.guardian is None and card.replaced_by is None:
                    self._entered[number] = card

    def _values(self, number: int, card: _Party) -> dict[str, Any]:
        mechanisms = [
            {"type": kind, "value": value}
            for kind, value in (("email", card.email), ("mobile", card.phone))
            if value
        ]
        return {
            "code": str(number),
            "name": card.name,
            "contact_mechanisms": [["create", mechanisms]] if mechanisms else [],
            "categories": [["add", self._ids(card.categories)]] if card.categories else [],
        }

    def _ids(self, categories: frozenset[str]) -> list[int]:
        return sorted(self._categories[c] for c in categories)

    def _edit(self, number: int, card: _Party) -> None:
        call = self._client.model
        party = self._parties[number]
        now = call("party.party", "read", [party], ["active", "name", "categories", "replaced_by"])[
            0
        ]
        if now["replaced_by"]:
            return  # Tryton does not allow edits of a replaced party
        if not now["active"]:
            call("party.party", "write", [party], {"active": True})
        values: dict[str, Any] = {}
        if now["name"] != card.name:
            values["name"] = card.name
        have, want = set(now["categories"]), set(self._ids(card.categories))
        if have != want:
            values["categories"] = [["remove", sorted(have - want)], ["add", sorted(want - have)]]
        if values:
            call("party.party", "write", [party], values)
        self._set_mechanism(party, "email", card.email)
        self._set_mechanism(party, "mobile", card.phone)
        self._set_guardian(party, card.guardian)
        if card.replaced_by is not None and card.replaced_by in self._parties:
            self._client.wizard(
                "party.replace",
                {"source": party, "destination": self._parties[card.replaced_by]},
                "replace",
                {"_skip_warnings": True},
            )
        elif not card.active:
            call("party.party", "write", [party], {"active": False})

    def _set_mechanism(self, party: int, kind: str, value: str | None) -> None:
        """Edit the mechanism itself, as Tryton's list view does: the party's timestamp does not change."""
        model = "party.contact_mechanism"
        found = self._client.model(
            model,
            "search_read",
            [["party", "=", party], ["type", "=", kind]],
            0,
            None,
            [["id", "ASC"]],
            ["value"],
        )
        if value is None:
            if found:
                self._client.model(model, "delete", [m["id"] for m in found])
        elif not found:
            self._client.model(model, "create", [{"party": party, "type": kind, "value": value}])
        elif not any(_same(m["value"], value) for m in found):
            self._client.model(model, "write", [found[0]["id"]], {"value": value})

    def _set_guardian(self, party: int, guardian: int | None) -> None:
        model = "party.relation.all"
        want = self._parties.get(guardian) if guardian is not None else None
        found = self._client.model(
            model,
            "search_read",
            [["from_", "=", party], ["type", "=", self._relation]],
            0,
            None,
            None,
            ["to"],
        )
        if [r["to"] for r in found] == ([want] if want is not None else []):
            return
        if found:
            self._client.model(model, "delete", [r["id"] for r in found])
        if want is not None:
            self._client.model(
                model, "create", [{"from_": party, "to": want, "type": self._relation}]
            )


def _same(stored: str | None, wanted: str | None) -> bool:
    """Whether the values are equal; Tryton formats phones with spaces and lowers domains."""
    if stored is None or wanted is None:
        return stored == wanted
    return stored.replace(" ", "").casefold() == wanted.replace(" ", "").casefold()


def _up_to_date(stored: _Party, wanted: _Party) -> bool:
    """Whether there is nothing to edit; a replaced party cannot be edited."""
    if stored.replaced_by is not None:
        return True
    return (
        _same(stored.email, wanted.email)
        and _same(stored.phone, wanted.phone)
        and replace(stored, email=None, phone=None) == replace(wanted, email=None, phone=None)
    )


def _party(person: Person, day: date) -> _Party:
    categories = {
        m.product_id
        for m in person.memberships
        if m.start <= day and (m.end is None or day <= m.end)
    }
    if person.status == "former":
        categories.add(FORMER)
    elif person.status == "paused":
        categories.add(PAUSED)
    return _Party(
        name=f"{person.first_name} {person.last_name}",
        active=person.status != "archived",
        email=person.email,
        phone=person.phone,
        categories=frozenset(categories),
        guardian=person.guardian,
        replaced_by=person.replaced_by,
    )


def main() -> None:
    """Create the database if it does not exist, and run its server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.tryton", description=__doc__)
    parser.add_argument("--port", type=int, default=8769)
    parser.add_argument("--dir", type=Path, required=True)
    arguments = parser.parse_args()
    create_database(
        arguments.dir, os.environ.get("CLUBSYNC_SANDBOX_TRYTON_PASSWORD", "tryton-demo")
    )
    program = command(arguments.dir, arguments.port)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
