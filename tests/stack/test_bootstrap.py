"""The environment is rebuilt for another Python, and `make` stays with the one it was made for."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stack.bootstrap import APART, Environment, Problem

ROOT = Path(__file__).resolve().parents[2]
OURS = ".".join(map(str, sys.version_info[:2]))


def environment(folder: Path, version: str, executable: str = sys.executable) -> Environment:
    """A virtual environment as far as bootstrap looks at it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    settings = f"home = x\nversion = {version}\nexecutable = {executable}\n"
    (folder / "pyvenv.cfg").write_text(settings)
    return Environment(str(folder), "requirements.lock", ours=False)


@pytest.mark.parametrize(
    ("version", "exists"),
    [(f"{OURS}.0", True), (f"{OURS}.99", True), (f"{OURS}1.0", False), ("2.7.18", False)],
)
def test_it_exists_for_one_minor_version(tmp_path: Path, version: str, exists: bool) -> None:
    assert environment(tmp_path, version).exists() == exists


def test_without_its_interpreter_or_settings_it_does_not(tmp_path: Path) -> None:
    made = environment(tmp_path, f"{OURS}.0")
    (tmp_path / "bin" / "python").unlink()
    assert not made.exists()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "pyvenv.cfg").unlink()
    assert not made.exists()


def test_one_of_another_python_is_not_up_to_date(tmp_path: Path) -> None:
    made = environment(tmp_path, "2.7.18")
    Path(made.stamp).write_text(made.wanted())
    assert not made.up_to_date()


def chosen(folder: Path, *arguments: str) -> str:
    """The interpreter that `make` in that folder uses."""
    (folder / "Makefile").write_text(
        (ROOT / "Makefile").read_text() + "\nchosen:\n\t@echo $(PYTHON)\n"
    )
    # what a `make test PYTHON=…` around this one was told
    told = {"PYTHON", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"}
    variables = {name: value for name, value in os.environ.items() if name not in told}
    command = ["make", "--no-print-directory", "chosen", *arguments]
    ran = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_make_uses_the_interpreter_that_the_environment_was_made_with(tmp_path: Path) -> None:
    assert chosen(tmp_path) == "python3"
    environment(tmp_path / ".venv", f"{OURS}.0")
    assert chosen(tmp_path) == sys.executable
    assert chosen(tmp_path, "PYTHON=python3.99") == "python3.99"


def test_an_interpreter_that_is_gone_is_not_used(tmp_path: Path) -> None:
    environment(tmp_path / ".venv", f"{OURS}.0", str(tmp_path / "gone"))
    assert chosen(tmp_path) == "python3"


def test_uv_is_installed_by_the_hashes_of_the_lock(tmp_path: Path) -> None:
    made = environment(tmp_path, f"{OURS}.0")
    lock = tmp_path / "some.lock"
    lock.write_text(
        "a==1 \\\n    --hash=sha256:00\nuv==2 \\\n    --hash=sha256:0a \\\n    --hash=sha256:0b\nz==3\n"
    )
    made.lock = str(lock)
    assert made.pinned("uv") == "uv==2 \\\n    --hash=sha256:0a \\\n    --hash=sha256:0b\n"
    assert made.locked() == {"a": "1", "uv": "2", "z": "3"}
    with pytest.raises(Problem, match="does not list uvx"):
        made.pinned("uvx")


def test_what_is_installed_apart_is_locked_apart() -> None:
    """Each has its group, its lock and its target; none of its packages is in the lock of ours by that way."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    makefile = (ROOT / "Makefile").read_text()
    assert groups.keys() == APART.keys()
    for name, apart in APART.items():
        assert {package.lower() for package in groups[name]} <= apart.locked().keys()
        assert f"\n{name}: install #" in makefile
        assert not apart.ours
