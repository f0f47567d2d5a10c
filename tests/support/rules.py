"""Fixtures of tests that run the engine: a base shared by the session, a fresh club for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from clubsync.pipeline.engine import READERS
from clubsync.store import embedded
from clubsync.store.database import Base
from tests.support.club import Club, install
from tests.support.file_club import FileClub
from tests.support.owner import as_owner


class NewClub(Protocol):
    """Makes clubs; takes fields of their entry in clubs.yaml."""

    def __call__(self, **settings: object) -> Club: ...


@pytest.fixture(scope="session")
def shared_base(postgres: embedded.Server) -> Iterator[Base]:
    """A migrated base for all tests of the session: each test has clubs of its own (R21)."""
    postgres.create_database("rules")
    base = Base(postgres.url("rules"), pool_size=READERS)
    try:
        yield base
    finally:
        base.close()
        postgres.drop_database("rules")


@pytest.fixture
def new_club(
    shared_base: Base,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> NewClub:
    """As its type says; with `--in-batches`, each between two others.

    App users belong to no club: those of earlier tests go, with what hangs on them.
    """
    install(monkeypatch)
    with as_owner(shared_base) as driver:
        driver.execute("truncate base.app_user cascade")

    def make(**settings: object) -> Club:
        made = [
            Club(shared_base, tmp_path / "snapshots", monkeypatch, **settings)
            for _ in range(3 if request.config.getoption("in_batches") else 1)
        ]
        if len(made) == 3:
            made[0].put_between(made[1], made[2])
        return made[0]

    return make


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """A club with an empty ERP and a guard that never holds."""
    return new_club()


class NewFileClub(Protocol):
    """Makes clubs that are read from files; takes the fields that are configured."""

    def __call__(self, *fields: str) -> FileClub: ...


@pytest.fixture
def new_file_club(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NewFileClub:
    """As its type says."""

    def make(*fields: str) -> FileClub:
        folder = tmp_path / "drop"
        folder.mkdir(exist_ok=True)
        more = {"fields": fields} if fields else {}
        return FileClub(shared_base, tmp_path / "snapshots", folder, monkeypatch, **more)

    return make


@pytest.fixture
def files(new_file_club: NewFileClub) -> FileClub:
    """A club that is read from files, and a guard that never holds."""
    return new_file_club()
