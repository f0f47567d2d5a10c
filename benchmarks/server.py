"""A PostgreSQL of our own for the length of a benchmark, with the settings it has in `make up`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from clubsync import embedded


@dataclass(frozen=True)
class Server:
    """The server, and a folder beside it for snapshots."""

    running: embedded.Server
    folder: Path

    def fresh(self, name: str) -> str:
        """An empty data base of that name: its URL."""
        self.running.drop_database(name)
        self.running.create_database(name)
        return self.running.url(name)

    def copied(self, name: str, source: str) -> str:
        """Another data base with all that is in one that nobody is connected to: its URL."""
        self.running.drop_database(name)
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as driver:
            statement = "create database {} template {} strategy file_copy"
            names = map(psycopg.sql.Identifier, (name, source))
            driver.execute(psycopg.sql.SQL(statement).format(*names))
        return self.running.url(name)

    def conninfo(self, name: str) -> str:
        return self.running.conninfo(name)

    def settle(self, name: str) -> None:
        """What a measurement begins with: statistics as autovacuum would make them, nothing left to write."""
        with psycopg.connect(self.conninfo(name), autocommit=True) as driver:
            driver.execute("vacuum analyze")
            driver.execute("checkpoint")

    def cpu(self) -> float:
        """CPU seconds of all its processes so far, those that have ended included."""
        lines = (self.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        chief = psutil.Process(int(lines[0]))
        used = chief.cpu_times()
        total = used.user + used.system + used.children_user + used.children_system
        for child in chief.children(recursive=True):
            try:
                mine = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += mine.user + mine.system
        return float(total)


@contextmanager
def server() -> Iterator[Server]:
    """Started in a temporary folder, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="clubsync-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "postgres"
        running = embedded.ensure_running(data)
        try:
            yield Server(running, folder)
        finally:
            embedded.stop(data)
