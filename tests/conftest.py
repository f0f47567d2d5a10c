"""What tests of every package may use: a PostgreSQL server of their own, and fresh databases."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# as the stack sets it: threads that share two cores with the other workers cost more than they save
os.environ.setdefault("POLARS_MAX_THREADS", "1")

from clubsync.store import embedded

ROOT = Path(__file__).resolve().parents[1]

# how long an example takes depends on what else the machine does
settings.register_profile("clubsync", deadline=None)
settings.load_profile("clubsync")


#: Modules of a few tests that take minutes: they begin first, so that at the end no worker is alone with one of them.
LONGEST = (
    "tests/clubsync/test_engine_machine.py",
    "tests/kills/test_kills.py",
    "tests/kills/test_pairs.py",
    "tests/faults/test_webhook_kills.py",
    "tests/faults/test_erasure_kills.py",
    "tests/faults/test_bad_line.py",
    "tests/promise/test_walks.py",
    "tests/products/test_products.py",
    "tests/upgrades/test_upgrades.py",
    "tests/fuzz/test_fuzz.py",
    "tests/cli/test_documents.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--in-batches",
        action="store_true",
        help="sync every club of a test in one batch with two others of the same ids and groups (R25)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `--no-loadscope-reorder`: otherwise modules begin by their number of tests.

    Tests that start a whole stack of their own come before those that share one: so no two run at once.
    """
    items.sort(key=_is_for_later)


def _is_for_later(item: pytest.Item) -> tuple[bool, bool]:
    shares_stack = "stack" in getattr(item, "fixturenames", ())
    return shares_stack, item.nodeid.partition("::")[0] not in LONGEST


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded.Server]:
    """A server for this test process (one per xdist worker), gone at the end.

    Its folder is short, for the socket's sake, and not under pytest's own, which is closed to the
    user that the server runs as when the tests are run by root.
    """
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    # Nothing here outlives the machine, so tests need not wait for the disk.
    quick = {"fsync": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}
    server = embedded.ensure_running(folder, settings=quick)
    try:
        yield server
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres: embedded.Server) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres.create_database(name)
    try:
        yield postgres.url(name)
    finally:
        postgres.drop_database(name)


#: Where the clone's own embedded server writes while it runs.
SERVER_OF_THE_CLONE = ROOT / "var" / "postgres" / "data" / "postmaster.pid"


@pytest.fixture(scope="session", autouse=True)
def no_default_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test starts the embedded server of the default folder, which would outlive it: a test names its own.

    Where the environment names no folder, it is one in which that server cannot start.
    """
    folder = tmp_path_factory.mktemp("default-var")
    (folder / "postgres").write_text(
        "A file: a test that needs this server has to set CLUBSYNC_VAR."
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_VAR", str(folder))
        yield


@pytest.fixture(autouse=True)
def no_server_in_the_clone() -> Iterator[None]:
    """A test that hides CLUBSYNC_VAR from what it runs, and names no other, fails."""
    before = SERVER_OF_THE_CLONE.exists()
    yield
    if SERVER_OF_THE_CLONE.exists() and not before:
        pytest.fail(f"This test has started the server of {SERVER_OF_THE_CLONE.parent}.")


@pytest.fixture(autouse=True)
def keys_of_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test sees every SFTP server for the first time: ports come again with other keys."""
    os.environ["CLUBSYNC_KNOWN_HOSTS"] = f"{tmp_path_factory.getbasetemp()}/keys-{uuid.uuid4().hex}"
    yield
    os.environ.pop("CLUBSYNC_KNOWN_HOSTS", None)


@pytest.fixture
def unused_port() -> int:
    """A TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
