"""A PostgreSQL server for the duration of a benchmark, with the settings of `make up`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from clubsync.store import embedded


@dataclass(frozen=True)
class Server:
    """The server, and a folder for snapshots."""

    running: embedded.Server
    folder: Path

    def fresh(self, name: str) -> str:
        """Create an empty database of this name; returns its URL."""
        self.running.drop_database(name)
        self.running.create_database(name)
        return self.running.url(name)

    def copied(self, name: str, source: str) -> str:
        """Create a copy of a database, whose connections are ended; returns the URL of the copy."""
        self.running.drop_database(name)
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as driver:
            driver.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
                [source],
            )
            statement = "create database {} template {} strategy file_copy"
            names = map(psycopg.sql.Identifier, (name, source))
            driver.execute(psycopg.sql.SQL(statement).format(*names))
        return self.running.url(name)

    def conninfo(self, name: str) -> str:
        return self.running.conninfo(name)

    def settle(self, name: str) -> None:
        """Prepare for a measurement: statistics up to date, as autovacuum keeps them, and no pending writes."""
        with psycopg.connect(self.conninfo(name), autocommit=True) as driver:
            driver.execute("vacuum analyze")
            driver.execute("checkpoint")

    def cpu(self) -> float:
        """CPU seconds used so far by all its processes, including exited ones."""
        lines = (self.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        main = psutil.Process(int(lines[0]))
        used = main.cpu_times()
        total = used.user + used.system + used.children_user + used.children_system
        for child in main.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return float(total)


@contextmanager
def server() -> Iterator[Server]:
    """Run a server in a temporary folder during the block."""
    with tempfile.TemporaryDirectory(prefix="clubsync-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "postgres"
        running = embedded.ensure_running(data)
        try:
            yield Server(running, folder)
        finally:
            embedded.stop(data)
