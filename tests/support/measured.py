"""Code in a process of its own, and the memory that it took: what a limit is worth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20

#: Imports and one round of what the code will do are paid for before it is measured.
_FRAME = """
import json, resource, sys
{before}
def _most():
    of = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return of * (1 if sys.platform == "darwin" else 1024)
start = _most()
said = None
try:
{code}
except Exception as error:
    said = [type(error).__name__, str(error)]
print(json.dumps({{"said": said, "grown": _most() - start}}))
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


def measured(code: str, before: str = "", **environment: str) -> Measured:
    """Run Python code in a new process, where it cannot take the machine's memory from anybody.

    :param before: imports and preparation, not measured.
    :param environment: variables in addition to ours.
    """
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-c", _FRAME.format(before=before, code=body)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    kind, said = told["said"] or (None, "")
    return Measured(kind, said, told["grown"])
