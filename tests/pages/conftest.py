"""The real application over the real engine and PostgreSQL; only who asks is said by the test.

Airflow's own auth manager (its simple one) decides what that person may.
"""

from __future__ import annotations

import copy
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from ruamel.yaml import YAML

from clubsync.config import Guard
from clubsync.pipeline.engine import READERS
from clubsync.store import embedded
from clubsync.store.database import Base
from tests.support.airflow import have_a_home
from tests.support.club import Club, MemoryConnector, install
from tests.support.rules import NewClub, new_club

__all__ = ["new_club"]

# Airflow reads it when it is first imported.
have_a_home()

ROLES = {"viewer": "VIEWER", "support": "USER", "admin": "ADMIN"}
NAMES = ("Ana", "Ben", "Chloé", "Dan", "Eve", "Fay", "Gil", "Hugo", "Ida", "Jo", "Kai", "Lou")


@dataclass
class Site:
    """The application, its clubs, and the runs of Airflow that it has started."""

    app: FastAPI
    club: Club
    other: Club
    started: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def as_(self, role: str | None) -> TestClient:
        """A browser of somebody of that role; None: nobody is logged in.

        The role is said as the log-in cookie is: by every request, without anybody's doing.
        """
        client = TestClient(self.app, follow_redirects=False)
        if role is not None:
            client.headers["X-Test-Role"] = role
        return client

    def program(self, role: str) -> TestClient:
        """A program with a bearer token of somebody of that role."""
        client = self.as_(role)
        client.headers["Authorization"] = "Bearer of-a-test"
        return client

    def add(self, club: Club, **entry: Any) -> None:
        """Add a club to clubs.yaml."""
        path = Path(os.environ["CLUBSYNC_CONFIG"])
        document = YAML().load(path)
        document["clubs"].append({"id": club.id, "erp": "memory", "connection": club.id, **entry})
        YAML().dump(document, path)

    def page(self, role: str | None, path: str) -> str:
        """A page of the club, which must be there."""
        answer = self.as_(role).get(f"/pages/clubs/{self.club.id}{path}")
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="session")
def asked_by_role() -> Callable[[Request], object]:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.api_fastapi.core_api.security import resolve_user_from_token

    async def who(request: Request) -> object:
        role = request.headers.get("X-Test-Role")
        if role is None:
            return await resolve_user_from_token(None)
        return SimpleAuthManagerUser(username=f"{role}-person", role=ROLES[role])

    return who


@dataclass(frozen=True)
class Read:
    """A database in which two clubs were read, their stored snapshots, and the clubs as they were left."""

    database: str
    snapshots: Path
    clubs: tuple[Club, Club]

    def club(self, nth: int, base: Base, folder: Path, patch: pytest.MonkeyPatch) -> Club:
        """One of the clubs, in a copy of the database."""
        made = Club(base, folder, patch, **(GUARDED if nth == 0 else {}))
        left = self.clubs[nth]
        made.id, made.erp, made.last = left.id, copy.deepcopy(left.erp), copy.deepcopy(left.last)
        MemoryConnector.erps[made.id] = made.erp
        made.at(left.now)
        return made


#: Fields of the club's entry.
GUARDED = {"guard": Guard(share=0.1, at_least=2, at_most=5)}


@pytest.fixture(scope="session")
def read(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    """Four syncs, once for all tests: each gets a copy of what they left."""
    name, folder = "pages", tmp_path_factory.mktemp("read")
    postgres.create_database(name)
    base = Base(postgres.url(name), pool_size=READERS)
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        club, other = Club(base, folder, patch, **GUARDED), Club(base, folder, patch)
        fill(club)
        other.erp.put("9", "zoe@other.fr", first_name="Zoé", last_name="Other")
        other.at(club.now)
        other.sync()
    base.close()
    yield Read(name, folder, (club, other))
    postgres.drop_database(name)


@pytest.fixture
def shared_base(read: Read, postgres: embedded.Server) -> Iterator[Base]:
    """A copy of the database for each test; what the other fixtures of the engine share elsewhere."""
    name = f"pages_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name, template=read.database)
    base = Base(postgres.url(name), pool_size=READERS)
    try:
        yield base
    finally:
        base.close()
        postgres.drop_database(name)


@pytest.fixture
def site(
    read: Read,
    new_club: NewClub,
    shared_base: Base,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked_by_role: Callable[[Request], object],
) -> Iterator[Site]:
    """Two clubs that were read twice: people came, left, changed their email; one list is held."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.core_api.security import get_user

    from connectors.sdk.base import Connection
    from plugins.connections import resolver
    from plugins.web import context
    from plugins.web.app import application
    from plugins.web.services import nudges

    shutil.copytree(read.snapshots, tmp_path / "snapshots")
    club, other = (read.club(n, shared_base, tmp_path / "snapshots", monkeypatch) for n in (0, 1))

    path = tmp_path / "clubs.yaml"
    with path.open("w") as file:
        clubs = [
            {"id": one.id, "name": name, "erp": "memory", "connection": one.id, "guard": guard}
            for one, name, guard in (
                (club, "Boulder Paris", {"share": 0.1, "at_least": 2, "at_most": 5}),
                (other, "Padel Lyon", {"share": 0.1, "at_least": 100, "at_most": 100}),
            )
        ]
        YAML().dump({"clubs": clubs}, file)
    url = shared_base.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("CLUBSYNC_DATABASE", url)
    monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setattr(resolver, "resolve", lambda conn_id: Connection(id=conn_id, host=conn_id))
    context.base.cache_clear()
    context.numbers(at_once=True)
    create_auth_manager()
    app = application()
    app.dependency_overrides[get_user] = asked_by_role
    made = Site(app, club, other)

    def start(run: str, club: str, **conf: Any) -> bool:
        made.started.append((run, club, conf))
        return True

    monkeypatch.setattr(nudges, "start", start)
    yield made
    context.base().close()


@pytest.fixture
def reviewed(site: Site, new_club: NewClub) -> Site:
    """A club of which somebody wants to see the first plan: three get access, two do not."""
    from plugins.web import context

    club = new_club(first_sync="review")
    club.erp.group("off", active=False)
    for n in range(1, 4):
        club.erp.put(str(n), f"new{n}@mail.example.org", first_name="<b>New</b>", last_name=f"N{n}")
    club.erp.put("4", "off@mail.example.org", groups=["off"], last_name="Offside")
    club.erp.put("5", "new1@mail.example.org", last_name="Twice")
    club.at(site.club.now)
    site.add(club, name="Tennis Nice", first_sync="review")
    club.sync()
    context.numbers(at_once=True)
    return Site(site.app, club, site.other, site.started)


def fill(club: Club) -> None:
    """Twelve people, of whom two share an email and two look like one; then one leaves, one changes
    their email, and more would leave than the automatic limit."""
    club.erp.group("gold", name="Gold")
    for n, name in enumerate(NAMES, 1):
        club.erp.put(
            str(n),
            f"{name.lower()}@mail.example.org",
            first_name=name,
            last_name="Durand",
            phone=f"+3361234567{n % 10}",
            groups=["gold"] if n > 6 else [],
        )
    club.erp.put("20", "ana@mail.example.org", first_name="Anna", last_name="Petit")
    club.erp.put("21", "not an email", first_name="Max", last_name="Faux")
    club.erp.put(
        "22", "ana.d@else.example.org", first_name="Ana", last_name="Durand", phone="+33612345671"
    )
    club.sync()
    club.erp.change("2", email="ben.new@mail.example.org")
    club.erp.change("3", status="archived")
    club.sync()
    club.erp.group("gold", name="Gold", active=False)
    club.sync()
