"""The embedded server is the real one: it lasts, it is started once, and it stops cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from clubsync.store import embedded


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a server of the test's own, stopped whatever happens."""
    root = Path(tempfile.mkdtemp(prefix="cs-emb-"))
    root.chmod(0o755)
    try:
        yield root / "pg"
    finally:
        embedded.stop(root / "pg")
        shutil.rmtree(root, ignore_errors=True)


def _pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_a_url_opens_the_database(database: str) -> None:
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        version = connection.scalar(sqlalchemy.text("SHOW server_version_num"))
    engine.dispose()
    assert version is not None
    assert int(version) >= 160000


def test_every_test_gets_an_empty_database(database: str) -> None:
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchone()
    assert tables == (0,)


def test_create_database_twice_is_harmless(postgres: embedded.Server) -> None:
    postgres.create_database('it\'s "one"')
    postgres.create_database('it\'s "one"')
    postgres.drop_database('it\'s "one"')


def test_a_template_is_copied(postgres: embedded.Server) -> None:
    postgres.create_database("a_template")
    with psycopg.connect(postgres.conninfo("a_template")) as connection:
        connection.execute("CREATE TABLE marker ()")
    postgres.create_database("a_copy", template="a_template")
    with psycopg.connect(postgres.conninfo("a_copy")) as connection:
        connection.execute("SELECT FROM marker")
    for name in ("a_copy", "a_template"):
        postgres.drop_database(name)


def test_the_numbers_of_a_copy_outlive_a_crash(folder: Path) -> None:
    """A sequence never gives out a number twice, although the next ones were set aside before the copy."""
    server = embedded.ensure_running(folder)
    server.create_database("one")
    insert = "INSERT INTO numbered DEFAULT VALUES RETURNING number"
    with psycopg.connect(server.conninfo("one")) as connection:
        connection.execute(
            "CREATE TABLE numbered (number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
        )
        connection.execute(insert)
    server.create_database("two", template="one")
    with psycopg.connect(server.conninfo("two")) as connection:
        connection.execute(insert)
    os.kill(_pid(folder), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while embedded.status(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    server = embedded.ensure_running(folder)
    with psycopg.connect(server.conninfo("two")) as connection:
        connection.execute(insert)
        assert connection.execute("SELECT count(DISTINCT number) FROM numbered").fetchone() == (3,)


@pytest.mark.parametrize("crash", [signal.SIGQUIT, signal.SIGKILL])
def test_what_was_committed_outlives_the_server(folder: Path, crash: signal.Signals) -> None:
    server = embedded.ensure_running(folder)
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        durable = connection.execute(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
            " current_setting('synchronous_commit'), current_setting('data_checksums')"
        ).fetchone()
    assert durable == ("on", "on", "on", "on")
    os.kill(_pid(folder), crash)
    deadline = time.monotonic() + 30
    while embedded.status(folder) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    server = embedded.ensure_running(folder)
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_one_that_is_just_stopping_is_waited_for(folder: Path) -> None:
    """It no longer responds, and its folder is still locked."""
    server = embedded.ensure_running(folder)
    first = _pid(folder)
    with psycopg.connect(server.conninfo()):
        os.kill(first, signal.SIGTERM)  # it waits for its clients to leave
        with pytest.raises(psycopg.OperationalError, match="shutting down"):
            psycopg.connect(server.conninfo()).close()
        with pytest.raises(embedded.EmbeddedPostgresError, match=f"process {first}.*neither"):
            embedded.ensure_running(folder, timeout=0.5)
        with ThreadPoolExecutor() as pool:
            coming = pool.submit(embedded.ensure_running, folder)
            with pytest.raises(TimeoutError):
                coming.result(0.5)
            os.kill(first, signal.SIGINT)  # it waits no longer
            assert coming.result(60) == server
    assert _pid(folder) != first


def test_callers_at_the_same_moment_share_one_server(folder: Path) -> None:
    script = (
        "import sys, pathlib; from clubsync.store import embedded;"
        "home = pathlib.Path(sys.argv[1]); embedded.ensure_running(home);"
        "print((home / 'data' / 'postmaster.pid').read_text().splitlines()[0])"
    )
    command = [sys.executable, "-c", script, str(folder)]

    def start(_: int) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with ThreadPoolExecutor() as pool:
        pids = set(pool.map(start, range(3)))
    assert pids == {f"{_pid(folder)}\n"}


def test_stop_cuts_clients_off_and_says_whether_it_ran(folder: Path) -> None:
    server = embedded.ensure_running(folder)
    with psycopg.connect(server.conninfo()) as connection:
        assert embedded.stop(folder) is True
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert embedded.status(folder) is None
    assert embedded.stop(folder) is False


def test_under_a_supervisor_term_ends_it_with_clients_connected(folder: Path) -> None:
    detached = embedded.ensure_running(folder)
    with psycopg.connect(detached.conninfo()) as connection:
        connection.execute("CREATE TABLE carried_over ()")
    process = subprocess.Popen(
        [sys.executable, "-m", "clubsync.store.embedded", "run", "--data", folder]
    )
    try:
        before, deadline = _pid(folder), time.monotonic() + 30
        while time.monotonic() < deadline:
            found = embedded.status(folder)
            if found is not None and _pid(folder) != before:
                break
            time.sleep(0.02)
        client = psycopg.connect(detached.conninfo())
        client.execute("SELECT FROM carried_over")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        client.close()
    finally:
        process.kill()
        process.wait()


def test_a_long_path_gets_its_socket_elsewhere(folder: Path) -> None:
    deep = folder.parent / ("a" * 60) / ("b" * 60) / "pg"
    try:
        server = embedded.ensure_running(deep)
        assert server.socket_dir != deep
        psycopg.connect(server.conninfo()).close()
    finally:
        embedded.stop(deep)
        shutil.rmtree(server.socket_dir, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_gets_out_of_a_closed_folder_and_opens_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(embedded, "FALLBACK", folder.parent / "fallback")
    server = embedded.ensure_running(closed / "pg")
    try:
        psycopg.connect(server.conninfo()).close()
        assert server.data_dir.is_relative_to(folder.parent / "fallback")
        assert closed.stat().st_mode & 0o777 == 0o700
        assert embedded.ensure_running(closed / "pg") == server
    finally:
        assert embedded.stop(closed / "pg") is True


def test_a_folder_with_something_else_in_it_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "letters.txt").touch()
    with pytest.raises(embedded.EmbeddedPostgresError, match="not empty"):
        embedded.ensure_running(folder)
    (folder / "letters.txt").unlink()


def test_tcp_is_for_the_asking_and_wants_the_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("CLUBSYNC_POSTGRES_PORT", str(unused_port))
    server = embedded.ensure_running(folder)
    psycopg.connect(server.tcp_url("postgres").replace("+psycopg", "")).close()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://clubsync:wrong@127.0.0.1:{unused_port}/postgres")
