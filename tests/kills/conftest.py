"""A lab for each test process: its databases, its stores, and a fork server that has imported everything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clubsync.store import embedded
from tests.kills.lab import Lab


@pytest.fixture(autouse=True)
def clock_restored() -> Iterator[None]:
    """Every world sets the clock; the tests of other folders, in the same process, have their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_NOW", "")
        yield


@pytest.fixture(scope="session")
def lab(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Processes are killed, PostgreSQL is not."""
    return Lab(postgres, tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="session")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose PostgreSQL may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    server = embedded.ensure_running(folder, settings=Lab.settings)
    try:
        yield Lab(server, tmp_path_factory.mktemp("crashes"))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
