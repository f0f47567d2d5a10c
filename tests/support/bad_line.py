"""A bad line to a real ERP: mitmproxy, which passes requests on and spoils one in so many.

mitmproxy pins versions that do not fit beside requirements.lock, so it has an environment of its own
(`make mitmproxy`) and is a process. What it does there is `bad_line_addon`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MITMDUMP = ROOT / ".venv-mitmproxy" / "bin" / "mitmdump"
ADDON = Path(__file__).with_name("bad_line_addon.py")


@dataclass(frozen=True)
class BadLine:
    """A line.

    :param url: where it begins.
    :param kinds: the ways of spoiling that it has.
    :param notes: the addon's file.
    """

    url: str
    kinds: frozenset[str]
    notes: Path

    def requests(self) -> list[str | None]:
        """Of each request so far, in order, how it was spoiled; None: passed on."""
        return [note["kind"] for note in _read(self.notes)[1:]]

    @property
    def spoiled(self) -> Counter[str]:
        """How many so far, by kind."""
        return Counter(kind for kind in self.requests() if kind is not None)


@contextlib.contextmanager
def bad_line(
    to: str, folder: Path, *, one_in: int, seed: int, too_late: float = 1.5
) -> Iterator[BadLine]:
    """A port of 127.0.0.1 that leads to the address `to`, while the block runs.

    :param folder: for its notes, its log and the certificates that it makes though nobody asks for one. The
        log is printed at the end, which pytest shows when the test failed.
    :param too_late: seconds until an answer that comes after whoever asked has gone.
    :raises RuntimeError: mitmproxy is not installed, or does not start.
    """
    if not MITMDUMP.exists():
        raise RuntimeError(f"{MITMDUMP} is missing; `make mitmproxy` installs it")
    notes, log = folder / "requests.jsonl", folder / "mitmdump.log"
    options = {
        "confdir": folder / "mitmproxy",
        "bad_seed": seed,
        "bad_one_in": one_in,
        "bad_too_late": too_late,
        "bad_notes": notes,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(MITMDUMP, "--mode", f"reverse:{to}"),
                *("--listen-host", "127.0.0.1", "--listen-port", "0"),
                *("-s", ADDON),
                *(word for k, v in options.items() for word in ("--set", f"{k}={v}")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        begun = _begun(process, notes)
        yield BadLine(f"http://127.0.0.1:{begun['port']}", frozenset(begun["kinds"]), notes)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(log.read_text(errors="replace"))


def _begun(process: subprocess.Popen[bytes], notes: Path) -> dict[str, Any]:
    """Its first note, written once the port is open."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if notes.exists() and (noted := _read(notes)):
            return noted[0]
        if process.poll() is not None:
            raise RuntimeError(f"mitmdump ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError("mitmdump does not start")


def _read(notes: Path) -> list[dict[str, Any]]:
    whole, _, _ = notes.read_text().rpartition("\n")  # the last line may be half written
    return [json.loads(line) for line in whole.splitlines()]
