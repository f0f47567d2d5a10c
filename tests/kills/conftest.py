"""A lab for each test process: its databases, its stores, and a fork server that has imported everything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clubsync.store import embedded
from tests.kills.lab import Lab


@contextmanager
def _clock_restored() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_NOW", "")  # set by every world, restored here
        yield


@pytest.fixture(scope="session")
def lab(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Processes are killed, PostgreSQL is not."""
    with _clock_restored():
        yield Lab(postgres, tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="session")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose PostgreSQL may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    server = embedded.ensure_running(folder, settings=Lab.settings)
    try:
        with _clock_restored():
            yield Lab(server, tmp_path_factory.mktemp("crashes"))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
