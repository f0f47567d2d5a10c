"""Failpoints: every statement that reaches PostgreSQL and every file that is touched, numbered from outside.

Nothing in the product knows of them. In a child process the driver's methods and the functions of the operating
system are wrapped; each call is a point before it and one after it, named by stage, query or file and how often it
came. The first run counts the points, the others are killed at one of them. A name says the same point whatever
the threads beside do.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import re
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import psutil
import psycopg
from fsspec.implementations.local import LocalFileOpener

from clubsync.pipeline.runs import Runs
from clubsync.store.database import queries

BEFORE, MIDDLE, AFTER = "before", "half of", "after"
_NUMBER, _HASH = re.compile(r"\d+"), re.compile(r"\b[0-9a-f]{16,}\b")
_WORDS = re.compile(r"\s+")


@dataclass
class Points:
    """The points of one process.

    :param folder: files below it are points.
    :param act: called at each point with its name.
    """

    folder: Path
    act: Callable[[str], None]
    seen: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _here: threading.local = field(default_factory=threading.local)

    # --- reaching -----------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        return getattr(self._here, "stage", None) or self._main_stage

    _main_stage: str = "action"

    def reach(self, when: str, what: str) -> None:
        with self._lock:
            key = f"{self.stage}: {when} {what}"
            self._counts[key] += 1
            name = f"{key} #{self._counts[key]}"
            self.seen.append(name)
        self.act(name)

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        self.reach(BEFORE, what)
        done = call()
        self.reach(AFTER, what)
        return done

    # --- wrapping -----------------------------------------------------------------------------

    def install(self) -> None:
        """Wrap the driver, the operating system's files, and the stages, which give the points their names."""
        self._stages()
        self._statements()
        self._files()

    def _stages(self) -> None:
        original, points = Runs.stage, self

        @wraps(original)
        def stage(runs: Runs, name: str, *args: Any, **kwargs: Any) -> Any:
            before = getattr(points._here, "stage", None), points._main_stage
            points._here.stage = points._main_stage = name
            try:
                return original(runs, name, *args, **kwargs)
            finally:
                points._here.stage, points._main_stage = before

        Runs.stage = stage  # type: ignore[method-assign, assignment]

    def _statements(self) -> None:
        names = {
            query.sql: name
            for name, query in vars(queries()).items()
            if getattr(query, "sql", None) and not name.endswith("_cursor")
        }

        def named(statement: Any) -> str:
            text = statement
            if isinstance(statement, psycopg.sql.Composable):
                text = statement.as_string(None)
            if isinstance(text, bytes):
                text = text.decode()
            if text in names:
                return f"sql {names[text]}"
            return f"sql {_NUMBER.sub('n', _WORDS.sub(' ', text).strip())[:50]}"

        points = self
        for name in ("execute", "executemany"):
            self._wrap(psycopg.Cursor, name, lambda _, statement, *a, **k: named(statement))
        self._wrap(psycopg.Connection, "commit", lambda *_: "commit")
        self._wrap(psycopg.Connection, "rollback", lambda *_: "rollback")
        copy, write = psycopg.Cursor.copy, psycopg.Copy.write

        def copied(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
            points.reach(BEFORE, named(statement))
            return copy(cursor, statement, *args, **kwargs)

        def written(self: Any, buffer: Any) -> None:
            write(self, buffer)
            points.reach(MIDDLE, "sql copy")

        psycopg.Cursor.copy = copied  # type: ignore[method-assign, assignment]
        psycopg.Copy.write = written  # type: ignore[method-assign]

    def _wrap(self, owner: Any, name: str, what: Callable[..., str | None]) -> None:
        original, points = getattr(owner, name), self

        @wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            named = what(*args, **kwargs)
            if named is None:
                return original(*args, **kwargs)
            return points.around(named, lambda: original(*args, **kwargs))

        setattr(owner, name, wrapped)

    def _files(self) -> None:
        def below(path: Any, folder: int | None = None) -> str | None:
            """The file's name below the folder, without the numbers of runs and hashes; None: another file."""
            if not isinstance(path, (str, os.PathLike)):
                return None
            at = Path(os.fspath(path))
            if folder is not None and not at.is_absolute():
                at = Path(f"/proc/self/fd/{folder}").readlink() / at
            if not at.is_relative_to(self.folder):
                return None
            text = _HASH.sub("<hash>", str(at.relative_to(self.folder)))
            return "/".join(
                part if "club-" in part else _NUMBER.sub("n", part) for part in text.split("/")
            )

        def one(verb: str) -> Callable[..., str | None]:
            def what(path: Any, *_: Any, dir_fd: int | None = None, **__: Any) -> str | None:
                name = below(path, dir_fd)
                return name and f"{verb} {name}"

            return what

        for name in ("unlink", "remove", "mkdir", "rmdir", "rename", "replace", "link"):
            self._wrap(os, name, one(name))
        self._wrap(shutil, "rmtree", one("rmtree"))

        def opening(path: Any, mode: str = "r", *_: Any, **__: Any) -> str | None:
            name = below(path) if set(mode) & set("wax+") else None
            return name and f"open {name}"

        self._wrap(builtins, "open", opening)
        io.open = builtins.open
        self._writes(below)

    def _writes(self, below: Callable[[Any], str | None]) -> None:
        """The 1st, 2nd, 4th, 8th ... write into each file: half of it is there, or all of it; and its end."""
        points, write, close = self, LocalFileOpener.write, LocalFileOpener.close
        counts: Counter[int] = Counter()

        def written(opener: Any, data: Any) -> Any:
            name = below(opener.path)
            counts[id(opener)] += 1
            if name is None or counts[id(opener)].bit_count() != 1:
                return write(opener, data)
            content = memoryview(data).cast("B")
            half = len(content) // 2
            write(opener, content[:half])
            opener.f.flush()
            points.reach(MIDDLE, f"write {name}")
            write(opener, content[half:])
            points.reach(AFTER, f"write {name}")
            return len(content)

        def closed(opener: Any) -> None:
            name = below(opener.path) if opener.writable() and not opener.f.closed else None
            close(opener)
            if name is not None:
                points.reach(AFTER, f"close {name}")

        LocalFileOpener.write = written
        LocalFileOpener.close = closed


def kill_at(point: str) -> Callable[[str], None]:
    """End this process at that point, as the kernel ends one that is out of memory."""

    def act(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return act


def cut_at(point: str, url: str) -> Callable[[str], None]:
    """Cut all connections to the database at that point, as a firewall or a restart does."""

    def act(name: str) -> None:
        if name == point:
            _cut(url)

    return act


def unanswered_at(point: str, url: str) -> Callable[[str], None]:
    """Cut all connections after a commit has been carried out and before the client knows of it.

    :param point: after a commit.
    """

    def act(name: str) -> None:
        if name == point:
            _cut(url)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    return act


_connect = psycopg.connect


def _cut(url: str) -> None:
    with _connect(url, autocommit=True) as driver:
        driver.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def clock_at(point: str, jump: timedelta) -> Callable[[str], None]:
    """Set the clock at that point, forward or back."""

    def act(name: str) -> None:
        if name == point:
            set_to = datetime.fromisoformat(os.environ["CLUBSYNC_NOW"]) + jump
            os.environ["CLUBSYNC_NOW"] = set_to.isoformat()

    return act


def crash_at(point: str, postmaster: int) -> Callable[[str], None]:
    """Kill PostgreSQL at that point, all of it."""

    def act(name: str) -> None:
        if name == point:
            for process in [*psutil.Process(postmaster).children(), psutil.Process(postmaster)]:
                with suppress(psutil.Error):
                    process.kill()

    return act


def fail_at(point: str, number: int) -> Callable[[str], None]:
    """From that point on, no file can be written (a full disk), or none changed (a read-only one).

    :param number: errno.ENOSPC or errno.EROFS.
    """
    verbs: tuple[str, ...] = ("open ", "write ", "mkdir ")
    if number != errno.ENOSPC:
        verbs += ("unlink ", "remove ", "rename ", "replace ", "rmdir ", "rmtree ")
    failing = False

    def act(name: str) -> None:
        nonlocal failing
        failing = failing or name == point
        what = name.partition(": ")[2].removeprefix(BEFORE).removeprefix(MIDDLE).lstrip()
        if failing and what.startswith(verbs):
            raise OSError(number, os.strerror(number))

    return act


def stop_at(point: str) -> Callable[[str], None]:
    """Stand still at that point until somebody continues the process."""

    def act(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGSTOP)

    return act


def _at_nth(nth: int, make: Callable[[str], Callable[[str], None]]) -> Callable[[str], None]:
    """What is done at a point by its name, at the nth point of this process."""
    seen = itertools.count(1)
    act: Callable[[str], None] | None = None

    def counting(name: str) -> None:
        nonlocal act
        if act is None and next(seen) >= nth:
            act = make(name)
        if act is not None:
            act(name)

    return counting


def kill_at_nth(nth: int) -> Callable[[str], None]:
    return _at_nth(nth, kill_at)


def cut_at_nth(nth: int, url: str) -> Callable[[str], None]:
    return _at_nth(nth, lambda name: cut_at(name, url))


def crash_at_nth(nth: int, postmaster: int) -> Callable[[str], None]:
    return _at_nth(nth, lambda name: crash_at(name, postmaster))


def fail_at_nth(nth: int, fault: str) -> Callable[[str], None]:
    number = errno.ENOSPC if fault == "full" else errno.EROFS
    return _at_nth(nth, lambda name: fail_at(name, number))
