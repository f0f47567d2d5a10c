"""`clubsync …` for tests, in this process, which has the libraries already, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from clubsync.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """A folder to stand in and an environment: `shell("sync", "rowing")` is the exit code, the document, stderr.

    Nothing of this process' environment with CLUBSYNC or AIRFLOW in front is seen.
    """

    folder: Path
    variables: Mapping[str, str]

    def __call__(self, *arguments: str, **more: str) -> tuple[int, Any, str]:
        """Run a command with `--json`.

        :param more: variables of its environment.
        """
        done = self.run(*arguments, "--json", **more)
        return done.code, json.loads(done.out) if done.out else None, done.err

    def environment(self, **more: str) -> dict[str, str]:
        """What the command sees."""
        others = {k: v for k, v in os.environ.items() if not k.startswith(("CLUBSYNC", "AIRFLOW"))}
        return {**others, "PYTHONPATH": str(ROOT), **self.variables, **more}

    def run(self, *arguments: str, **more: str) -> Done:
        """Run the entry point in this process."""
        out, err = io.StringIO(), io.StringIO()
        with self._place(self.environment(**more), ["clubsync", *arguments]):
            code: object = 0
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                except SystemExit as ended:
                    code = ended.code
        assert code is None or isinstance(code, int), code
        return Done(code or 0, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, **more: str) -> Done:
        """Run the entry point as a program."""
        done = subprocess.run(
            [sys.executable, "-m", "clubsync.cli", *arguments],
            env=self.environment(**more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def _place(self, environment: dict[str, str], argv: list[str]) -> Iterator[None]:
        """Stand in the folder; what the entry point changes of this process is put back."""
        umask = os.umask(0o077)
        try:
            with (
                contextlib.chdir(self.folder),
                mock.patch.dict(os.environ, environment, clear=True),
                mock.patch.object(sys, "argv", argv),
            ):
                yield
        finally:
            os.umask(umask)


def shell_of(folder: Path, database: str) -> Shell:
    """A shell whose clubs.yaml, snapshots and state lie in a folder."""
    return Shell(
        folder,
        {
            "CLUBSYNC_VAR": str(folder / "var"),
            "CLUBSYNC_CONFIG": str(folder / "clubs.yaml"),
            "CLUBSYNC_DATABASE": database,
            "CLUBSYNC_SNAPSHOTS": str(folder / "snapshots"),
        },
    )
