"""A server of a benchmark in a process of its own, so that its time is not taken for ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stack.environment import ROOT


@contextmanager
def serving(module: str, *options: str) -> Iterator[str]:
    """Run a module that prints the port at which it answers; its address."""
    command = [sys.executable, "-m", module, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)
