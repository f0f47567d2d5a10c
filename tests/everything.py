"""Runs lint and all tests that are not long: `python -m tests.everything WORKERS`, as `make test` does.

Those that start the whole stack wait most of the time, for Airflow's minutes: they run beside the others, which leave
them the cores that they need, and lint, most of which uses one core. What the tests of the stack print comes last.
Temporary files are in memory where it has room.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PYTEST = (sys.executable, "-m", "pytest", "--durations=20", "--durations-min=10")
STACK = ("tests/e2e", "-m", "airflow and not long")
#: The modules that take minutes begin first, see `tests/conftest.py`.
OTHERS = ("-m", "not long and not airflow", "--dist", "loadscope", "--no-loadscope-reorder")
LINT = ("make", "--no-print-directory", "lint")
#: A file system in memory, and how much of it must be free. The servers that tests start create and delete
#: thousands of files: on a disk the kernel spends more time on that than PostgreSQL does on their queries.
MEMORY, ROOM = Path("/dev/shm"), 6 * 2**30


def main(workers: str) -> int:
    with (
        temporary_files(),
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryFile() as of_lint,
    ):
        # each in its own cache: one would overwrite what the other says of failures
        stack = subprocess.Popen(
            [*PYTEST, *STACK, "-o", "cache_dir=.pytest_cache/stack"],
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        others = subprocess.Popen([*PYTEST, *OTHERS, "-n", workers], preexec_fn=_be_nice)
        lint = subprocess.Popen(LINT, stdout=of_lint, stderr=subprocess.STDOUT, preexec_fn=_be_nice)
        codes = [_end_of(lint)]
        _print(of_lint)
        codes.append(_end_of(others))
        if stack.poll() is None:
            print("Waiting for the tests of the whole stack …", flush=True)
        codes.append(_end_of(stack))
        _print(printed)
    return max(map(abs, codes))


def _be_nice() -> None:
    os.nice(10)


def _print(printed: IO[bytes]) -> None:
    printed.seek(0)
    sys.stdout.buffer.write(b"\n" + printed.read())
    sys.stdout.flush()


@contextmanager
def temporary_files() -> Iterator[None]:
    """Where all tests have their temporary files: in memory, if it has room."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cs-", dir=MEMORY, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # PostgreSQL may run as another user
        os.environ["TMPDIR"] = name
        tempfile.tempdir = None  # it is looked up once
        yield


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """The exit code. Whoever presses Ctrl-C stops both, and each ends what it has started."""
    while True:
        with suppress(KeyboardInterrupt):
            return process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
