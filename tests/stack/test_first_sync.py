"""What `make up` prints of the first sync of each club."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from clubsync.model import new_step
from stack import first_sync

CLUBS = """\
clubs:
  - {id: paris, name: "Boulder [/b] Paris", erp: eversports, connection: paris}
  - {id: lyon, name: Lyon, erp: eversports, connection: lyon}
  - {id: lille, name: Lille, erp: eversports, connection: lille}
  - {id: nice, name: Nice, erp: eversports, connection: nice}
"""


def _shown(tmp_path: Path, **steps: dict[str, Any]) -> str:
    path = tmp_path / "clubs.yaml"
    path.write_text(CLUBS)
    console = Console(file=io.StringIO(), width=160)
    made = {club: {**new_step(club, club), **fields} for club, fields in steps.items()}
    first_sync.show(console, {"CLUBSYNC_CONFIG": str(path)}, made)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_r19_an_error_is_printed_as_text(tmp_path: Path) -> None:
    """The name of a file or of a club may look like markup, which ended `make up` in a traceback."""
    error = "No file matching [/clients] \x1b[31m in /drop [bold]here."
    shown = _shown(tmp_path, paris={"error": error})
    assert "Boulder [/b] Paris" in shown
    assert r"No file matching [/clients] \x1b[31m in /drop [bold]here." in shown
    assert "\x1b[31m in" not in shown


def test_r16_what_was_not_used_is_not_done(tmp_path: Path) -> None:
    shown = _shown(
        tmp_path, lyon={"used": False}, lille={"held": 2}, nice={"counts": {"addition": 3}}
    )
    rows = {line.split("│")[1].strip(): line for line in shown.splitlines() if "│" in line}
    assert "not used" in rows["Lyon"]
    assert "2 deactivations held" in rows["Lille"]
    assert "done" in rows["Nice"]
    assert "addition 3" in rows["Nice"]
    assert "not yet" in rows["Boulder [/b] Paris"]
