"""A command of clubsync in a process of its own, killed with SIGKILL at a chosen point of the code.

A point is `module:function[#n][@before|@after]`: at the n-th call of that function or method, before it begins or after
it has returned. The product knows nothing of it: the child process wraps the function, then runs the command.

    python -m tests.support.killed clubsync.store.snapshots:Store.write#2@after erase CLUB ID --yes
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

_POINT = re.compile(r"([\w.]+):([\w.]+?)(?:#(\d+))?(?:@(before|after))?")


def killed_at(point: str, command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Run a command and kill it at a point.

    :returns: whether it was killed; False: it ended before it came there.
    """
    done = run(["-m", "tests.support.killed", point, *command], env)
    assert done.returncode in (-signal.SIGKILL, 0, 3), done.stderr
    return done.returncode == -signal.SIGKILL


def run(arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def arm(point: str) -> None:
    """Kill this process when it comes to a point."""
    found = _POINT.fullmatch(point)
    assert found is not None, point
    module, path, count, moment = found.groups()
    *parents, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for parent in parents:
        holder = getattr(holder, parent)
    setattr(holder, name, _deadly(getattr(holder, name), int(count or 1), moment or "before"))


def _deadly(function: Callable[..., Any], count: int, moment: str) -> Callable[..., Any]:
    calls = 0

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*args, **kwargs)
        if calls == count and moment == "after":
            if isinstance(done, AbstractContextManager):
                return _DeadlyBlock(done)
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return wrapped


class _DeadlyBlock:
    """A block after whose end the process dies."""

    def __init__(self, block: AbstractContextManager[Any]) -> None:
        self._block = block

    def __enter__(self) -> Any:
        return self._block.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._block.__exit__(*error)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm(sys.argv[1])
    from clubsync.cli import main

    sys.argv = ["clubsync", *sys.argv[2:]]
    main()
