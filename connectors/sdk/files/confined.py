"""Workbooks and archives are parsed in a process of their own, with limits on memory and time (R25).

A workbook of 6 kB may describe a sheet of 17 thousand million cells, and the library that parses it, written in another
language, ends its whole process where memory is short. Here it ends a process that does nothing else: one club fails
with a sentence, and the others of its batch do not notice.

The process gets the bytes of the file and nothing else: no connection, no setting but limits, no environment. It can
write no file. What it answers with is text or a table in Arrow's own format, which runs nothing when it is read.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from connectors.sdk import errors
from connectors.sdk.errors import ConnectorError, FileBroken
from connectors.sdk.files import archives, workbooks
from connectors.sdk.files.limits import FileLimits

#: What files start with that are parsed here.
RISKY = (archives.ZIP, archives.EMPTY_ZIP, archives.GZIP, workbooks.XLS)
#: Seconds that starting the process may take, beside parsing.
_START = 30.0
#: What the process reports when memory was short and Python noticed.
_MEMORY = "memory"
#: Signals by which the limits of time end a process.
_TIME_SIGNALS = (signal.SIGXCPU, signal.SIGALRM)
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True)
class Parsed:
    """What was in the file.

    :param name: its name, with that of the file in an archive.
    :param cells: of a workbook: all cells of the sheet.
    :param data: of anything else: its bytes, unpacked.
    """

    name: str
    cells: pl.DataFrame | None = None
    data: bytes = b""


def parse(data: bytes, name: str, sheet: int | str, limits: FileLimits) -> Parsed:
    """A workbook's cells, or what is in an archive.

    :param data: starts with one of `RISKY`.
    :param sheet: of a workbook: its number, from 0, or its name.
    :raises FileBroken, ContractChanged: it is not a workbook or archive, or lacks the sheet.
    :raises LimitExceeded: it is larger than the limits, or its process was ended by one.
    """
    asked = json.dumps({"name": name, "sheet": sheet, "limits": asdict(limits)}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=asked + b"\n" + data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library's last words may quote a cell (R19)
            timeout=limits.seconds + _START,
            cwd="/",
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise limits.out_of_time(name) from None
    if done.returncode != 0:
        raise _why_ended(done.returncode, name, limits)
    head, _, payload = done.stdout.partition(b"\n")
    return _answer(json.loads(head), payload, name, limits)


def _environment() -> dict[str, str]:
    """The environment of the process: where its modules are, and no secret."""
    kept = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    paths = [path or str(Path.cwd()) for path in sys.path]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _why_ended(code: int, name: str, limits: FileLimits) -> ConnectorError:
    """What it means that the process ended without an answer."""
    if -code in _TIME_SIGNALS:
        return limits.out_of_time(name)
    return limits.out_of_memory(name)


def _answer(head: dict[str, Any], payload: bytes, name: str, limits: FileLimits) -> Parsed:
    kind = head["kind"]
    if kind == "cells":
        return Parsed(head["name"], cells=pl.read_ipc(io.BytesIO(payload)))
    if kind == "data":
        return Parsed(head["name"], data=payload)
    if kind == _MEMORY:
        raise limits.out_of_memory(name)
    if kind == "setting":
        raise errors.LimitExceeded(head["what"], setting=head["setting"])
    known: type[ConnectorError] = getattr(errors, kind, FileBroken)
    raise known(head["what"], remedy=head["remedy"])


# In the process ----------------------------------------------------------------------------------


def _confine(limits: FileLimits) -> None:
    """Give this process its limits; what is loaded by now does not count."""
    seconds = max(1, int(limits.seconds))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    wanted = {
        resource.RLIMIT_CPU: (seconds, seconds + 5),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_AS: (_address_space() + limits.max_memory,) * 2,
    }
    for which, (soft, hard) in wanted.items():
        # a lower limit that is already there stays; some systems know not all of them
        with suppress(ValueError, OSError):
            resource.setrlimit(which, (soft, hard))


def _warm_up() -> None:
    """Let the libraries load what they need and set room aside, a gigabyte of addresses, before memory is limited."""
    import pyarrow as pa

    frame = pl.from_arrow(pa.table({"cell": pa.array(["x"] * 100, pa.string())}))
    assert isinstance(frame, pl.DataFrame)
    frame.select(pl.all().str.strip_chars()).write_ipc(io.BytesIO())


def _address_space() -> int:
    """Bytes of address space that this process has by now; most of it is never used."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * resource.getpagesize()
    except OSError:
        return 4 * 2**30


def _parsed(data: bytes, name: str, sheet: int | str, limits: FileLimits) -> Parsed:
    unpacked, inside = archives.unpacked(data, name, limits)
    if unpacked.startswith((archives.ZIP, workbooks.XLS)):
        return Parsed(inside, cells=workbooks.cells(unpacked, inside, sheet, limits))
    return Parsed(inside, data=unpacked)


def _told(error: BaseException) -> dict[str, Any]:
    """An error as it is handed to the parent."""
    if isinstance(error, errors.LimitExceeded):
        return {"kind": "setting", "what": error.what, "setting": error.setting}
    if isinstance(error, ConnectorError):
        return {"kind": type(error).__name__, "what": error.what, "remedy": error.remedy}
    if isinstance(error, MemoryError):
        return {"kind": _MEMORY}
    raise error


def main(source: IO[bytes], target: IO[bytes]) -> None:
    """Parse one file and write what is in it."""
    asked = json.loads(source.readline())
    limits = FileLimits(**asked["limits"])
    data = source.read()
    _warm_up()
    _confine(limits)
    try:
        found = _parsed(data, asked["name"], asked["sheet"], limits)
        del data
        out = io.BytesIO()
        if found.cells is None:
            head = {"kind": "data", "name": found.name}
            out.write(found.data)
        else:
            head = {"kind": "cells", "name": found.name}
            found.cells.write_ipc(out)
    except (ConnectorError, MemoryError) as error:
        head, out = _told(error), io.BytesIO()
    target.write(json.dumps(head).encode() + b"\n")
    target.write(out.getbuffer())
    target.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
