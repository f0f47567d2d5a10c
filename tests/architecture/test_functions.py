"""Functions of the rooms that carry the rules stay short and simple enough to check against the rules."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("clubsync/diff", "clubsync/validate")
LINES, COMPLEXITY = 50, 10


def lengths(source: str) -> dict[str, int]:
    """Function -> its lines, docstring included."""
    return {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_no_function_is_long() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 10, "the rooms are elsewhere"
    found = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in files
        for name, lines in lengths(path.read_text(encoding="utf-8")).items()
        if lines > LINES
    }
    assert not found


def test_no_function_is_complex() -> None:
    """By ruff's measure (McCabe), below what the rest of the program is held to."""
    limit = f"lint.mccabe.max-complexity = {COMPLEXITY}"
    command = [sys.executable, "-m", "ruff", "check", "--select", "C901", "--config", limit]
    told = subprocess.run([*command, *ROOMS], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_long_function_is_found() -> None:
    assert lengths("def f():\n    '''Why.'''\n    return 1\n\nasync def g(): pass\n") == {
        "f": 3,
        "g": 1,
    }
