"""Code in a process of its own, and the memory that it took: what a limit is worth.

The processes are forks of one that has imported what they need, so that most of a test's time is not an import.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20

#: Reads jobs, a line each, and answers each with a line: the exit status, and what the code had to say. Polars, which
#: starts threads, is imported and not used before a fork.
_PARENT = """
import json, os, resource, sys, tempfile
import polars, clubsync.pipeline.engine, connectors.sdk.files.tabular

def most():
    of = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return of * (1 if sys.platform == "darwin" else 1024)

def run(before, code, out):
    names = {"__name__": "measured"}
    exec(before, names)
    start, said = most(), None
    try:
        exec(code, names)
    except Exception as error:
        said = [type(error).__name__, str(error)]
    json.dump({"said": said, "grown": most() - start}, out)

for line in sys.stdin:
    with tempfile.TemporaryFile("w+") as out:
        child = os.fork()
        if not child:
            try:
                run(*json.loads(line), out)
                out.flush()
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        print(json.dumps([os.waitstatus_to_exitcode(status), out.read()]), flush=True)
"""


@dataclass(frozen=True)
class Measured:
    """What came of it.

    :param kind, said: the class and message of the error that it ended with; None: with none.
    :param grown: bytes by which the largest of the process and its children grew.
    """

    kind: str | None
    said: str
    grown: int


def measured(code: str, before: str = "") -> Measured:
    """Run Python code in a new process, where it cannot take the machine's memory from anybody.

    :param before: imports and preparation, not measured: of what the code will do, one round is paid for there.
    """
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(json.dumps([before, code]) + "\n")
    parent.stdin.flush()
    status, told = json.loads(parent.stdout.readline())
    assert status == 0, f"ended with {status}; what it said is on stderr"
    found: dict[str, Any] = json.loads(told)
    kind, said = found["said"] or (None, "")
    return Measured(kind, said, found["grown"])


@lru_cache(maxsize=1)
def _parent() -> subprocess.Popen[str]:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    atexit.register(parent.kill)
    return parent
