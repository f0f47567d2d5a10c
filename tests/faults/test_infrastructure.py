"""Trouble below clubsync is told as what it is, with a runbook; nothing is half written, the next sync catches up."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from tenacity import stop_after_attempt

from clubsync.load import transaction
from clubsync.store import embedded, logins, trouble
from clubsync.store.database import Base
from tests.support.club import Club, install

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "12",
    "superuser_reserved_connections": "0",
}


@pytest.fixture
def server() -> Iterator[embedded.Server]:
    """A PostgreSQL of the test's own, which it may stop."""
    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    try:
        yield embedded.ensure_running(folder, settings=QUICK)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 512 kB."""
    folder = Path(tempfile.mkdtemp(prefix="cs-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def people(club: Club, numbers: range) -> None:
    for number in numbers:
        club.erp.put(str(number), f"p{number}@example.com", first_name="x" * 50)


def fill(file: Path) -> None:
    """Write until nothing is left of the disk."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))


def connections(server: embedded.Server) -> Iterator[psycopg.Connection[object]]:
    """All that the server accepts."""
    with suppress(psycopg.OperationalError):
        while True:
            yield psycopg.connect(server.conninfo())


def inside(club: Club) -> int:
    ((count,),) = club.rows(
        "select count(*) from base.customer where club = %s and in_customers_group", club.number
    )
    return int(count)


def test_a_full_disk_of_the_store_is_told_and_nothing_is_loaded(
    shared_base: Base, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    club = Club(shared_base, small_disk, monkeypatch)
    people(club, range(3))
    club.sync()
    before = inside(club)
    fill(small_disk / "filler")
    people(club, range(3, 9))
    (step,) = club.pipeline().sync([club.id], "test")
    assert step["error"] == "The disk of the snapshot store is full; nothing was loaded."
    assert (step["runbook"], step["transient"]) == ("disk-full", True)
    assert inside(club) == before
    (small_disk / "filler").unlink()
    club.later()
    club.sync()
    assert inside(club) == 9


def test_a_read_only_store_is_told_as_such(
    shared_base: Base, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    club = Club(shared_base, small_disk, monkeypatch)
    people(club, range(3))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    (step,) = club.pipeline().sync([club.id], "test")
    assert step["error"] == "clubsync may not write to the snapshot store; nothing was loaded."
    assert step["runbook"] == "store-unreachable"


def test_a_store_that_is_gone_is_told_as_such(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where the folder was."""
    install(monkeypatch)
    club = Club(shared_base, tmp_path / "store", monkeypatch)
    people(club, range(3))
    (tmp_path / "store").write_text("not a folder")
    (step,) = club.pipeline().sync([club.id], "test")
    assert "The snapshot store cannot be reached (" in str(step["error"])
    assert (step["runbook"], step["transient"]) == ("store-unreachable", True)


def test_postgresql_that_stops_in_the_middle_of_a_load(
    server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told as a lost connection; the transaction is undone, and the next sync loads."""
    install(monkeypatch)
    server.create_database("gone")
    base = Base(server.url("gone"))
    club = Club(base, tmp_path, monkeypatch)
    people(club, range(3))
    whole = transaction.load_small

    def stop_first(*args: object, **kwargs: object) -> object:
        embedded.stop(server.data_dir)
        return whole(*args, **kwargs)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(transaction, "load_small", stop_first)
    (step,) = club.pipeline().sync([club.id], "test")
    assert step["error"] == (
        "The connection to the club base was lost; the last transaction was written completely or not at all."
    )
    assert (step["runbook"], step["transient"]) == ("base-unreachable", True)
    monkeypatch.setattr(transaction, "load_small", whole)
    embedded.ensure_running(server.data_dir, settings=QUICK)
    assert inside(club) == 0
    club.later()
    club.sync()
    assert inside(club) == 3
    base.close()


def test_a_read_only_database_and_one_without_connections(
    server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    monkeypatch.setattr(logins._opened.retry, "stop", stop_after_attempt(2))
    server.create_database("busy")
    base = Base(server.url("busy"))
    club = Club(base, tmp_path, monkeypatch)
    club.sync()
    people(club, range(3))
    with psycopg.connect(server.conninfo(), autocommit=True) as other:
        other.execute("alter database busy set default_transaction_read_only = on")
    base.engine.dispose()
    (step,) = club.pipeline().sync([club.id], "test")
    assert step["error"] == "The club base is read-only; nothing was written."
    base.engine.dispose()
    held = list(connections(server))
    (step,) = club.pipeline().sync([club.id], "test")
    assert step["error"] == "PostgreSQL accepts no more connections."
    assert (step["runbook"], step["transient"]) == ("base-overloaded", True)
    for one in held:
        one.close()
    base.close()


def test_the_shell_says_it_in_a_sentence_and_exits_with_1(tmp_path: Path, unused_port: int) -> None:
    (tmp_path / "clubs.yaml").write_text("clubs: []\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CLUBSYNC_VAR": str(tmp_path),
        "CLUBSYNC_CONFIG": str(tmp_path / "clubs.yaml"),
        "CLUBSYNC_DATABASE": f"postgresql://nobody@127.0.0.1:{unused_port}/nothing",
    }
    command = [sys.executable, "-m", "clubsync.cli", "db", "upgrade"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("The club base does not answer: ")
    assert "Internal error" not in done.stderr


@pytest.mark.parametrize(
    ("state", "runbook"),
    [
        ("53100", "disk-full"),
        ("53200", "base-overloaded"),
        ("53300", "base-overloaded"),
        ("25006", "base-unreachable"),
        ("57P01", "base-unreachable"),
        ("57P02", "base-unreachable"),
        ("57P03", "base-unreachable"),
        ("08006", "base-unreachable"),
        ("40P01", "base-unreachable"),
        ("40001", "base-unreachable"),
    ],
)
def test_every_state_of_postgresql_that_is_no_fault_of_ours(state: str, runbook: str) -> None:
    error = psycopg.errors.lookup(state)("ana@example.com")
    for raised in (error, sa.exc.OperationalError("select", {}, error)):
        told = trouble.explained(raised)
        assert told is not None
        assert told.runbook == runbook
        assert "ana@" not in str(told)


@pytest.mark.parametrize(
    "ours",
    [
        psycopg.errors.UniqueViolation("x"),
        psycopg.errors.UndefinedTable("x"),
        psycopg.errors.CheckViolation("x"),
        ValueError("x"),
        KeyError("x"),
        FileNotFoundError(errno.ENOENT, "x"),
        json.JSONDecodeError("x", "", 0),
    ],
)
def test_a_fault_of_ours_stays_one(ours: Exception) -> None:
    assert trouble.explained(ours) is None


def test_memory_and_other_disks() -> None:
    memory, disk = trouble.explained(MemoryError()), trouble.explained(OSError(errno.ENOSPC, "x"))
    assert memory is not None
    assert disk is not None
    assert (memory.runbook, disk.runbook) == ("base-overloaded", "disk-full")
