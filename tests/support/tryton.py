"""A real Tryton for tests. Use it as a fixture of the session:

from tests.support.tryton import tryton  # noqa: F401
"""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest
import requests

from sandbox.tryton import LOGIN, Client, copy_database, create_database, serve

PASSWORD = "tryton-of-the-tests"
ANYONE = [["active", "in", [True, False]]]


@dataclass(frozen=True)
class Tryton:
    """A running Tryton with modules party and party_relationship.

    :param url: base address with the database at its end.
    :param client: logged in as `admin`; not the connector's code.
    """

    url: str
    client: Client
    login: str = LOGIN
    password: str = PASSWORD

    def application_key(self, *, validated: bool = True) -> str:
        """The key of a user application for REST, asked for as a program does, and validated as a person does."""
        model = "res.user.application"
        old = self.client.model(model, "search", [["application", "=", "rest"]], 0, None, None)
        if old:
            self.client.model(model, "delete", old)
        answer = requests.post(
            f"{self.url}/r/user/application/",
            json={"user": self.login, "application": "rest"},
            timeout=60,
        )
        answer.raise_for_status()
        if validated:
            (made,) = self.client.model(
                model, "search", [["application", "=", "rest"]], 0, None, None
            )
            self.client.model(model, "validate_", [made])
        return str(answer.json())

    def clear(self) -> None:
        """No parties, no categories, no relation types."""
        for model in ("party.party", "party.category", "party.relation.type"):
            domain = [] if model == "party.relation.type" else ANYONE
            found = self.client.model(model, "search", domain, 0, None, None)
            if found:
                self.client.model(model, "delete", found)

    def search(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        """Records of a model, by id."""
        found: list[dict[str, Any]] = self.client.model(
            model, "search_read", domain, 0, None, [["id", "ASC"]], fields
        )
        return found


@pytest.fixture(scope="session")
def tryton(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tryton]:
    """One server for the test process. The empty database takes Tryton ten seconds, so it is kept in
    pytest's cache between runs and copied.
    """
    folder = tmp_path_factory.mktemp("tryton")
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    kept = cache.mkdir(f"tryton-{version('trytond')}") if cache else folder / "kept"
    kept.mkdir(exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the workers makes it
        copy_database(create_database(kept, PASSWORD), folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(folder, port) as url:
        client = Client(url, LOGIN, PASSWORD)
        try:
            yield Tryton(url, client)
        finally:
            client.close()
