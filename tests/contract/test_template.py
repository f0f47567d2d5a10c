"""templates/connector: what it renders is clean, and the suite's first run says what to fill in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import copier
import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "templates" / "connector"
FILES = {
    "connectors/{}.py",
    "sandbox/{}.py",
    "dags/sync_{}.py",
    "tests/contract/{}_case.py",
}


def rendered(folder: Path, name: str) -> None:
    copier.run_copy(str(TEMPLATE), str(folder), data={"name": name}, defaults=True, quiet=True)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contract suite needs, with a connector made by the template and told to the others."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in ("connectors", "clubsync", "plugins", "sandbox", "stack", "sql"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("contract", "support"):
        shutil.copytree(
            ROOT / "tests" / part,
            folder / "tests" / part,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for file in ("pyproject.toml", "docs/examples/rest-courtside.yaml"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    rendered(folder, "gym_tool")
    _tell(
        folder / "connectors/registry.py",
        "CONNECTORS = {",
        '    "gym_tool": "connectors.gym_tool:GymToolConnector",',
    )
    _tell(folder / "connectors/forms.py", "FORMS = {", '    "gym_tool": Form(title="Gym tool"),')
    cases = folder / "tests/contract/cases.py"
    _tell(cases, "CASES: tuple[ConnectorCase, ...] = (", "    GymToolCase(),")
    _tell(
        cases,
        "from tests.contract.case import",
        "from tests.contract.gym_tool_case import GymToolCase",
    )
    return folder


def _tell(file: Path, after: str, line: str) -> None:
    text = file.read_text()
    (there,) = [found for found in text.splitlines() if found.startswith(after)]
    file.write_text(text.replace(there, f"{there}\n{line}"))


@pytest.mark.parametrize("name", ["gym_tool", "a1", "x" * 20])
def test_the_files_are_there_and_clean(tmp_path: Path, checkout: Path, name: str) -> None:
    """Style, whatever the name."""
    rendered(tmp_path, name)
    made = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.py")}
    assert made == {file.format(name) for file in FILES}
    shutil.copytree(tmp_path, checkout, dirs_exist_ok=True)
    for how in (("check",), ("format", "--check")):
        done = run(checkout, "ruff", *how, "--no-cache", *made)
        assert done.returncode == 0, done.stdout


def test_a_bad_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small letters"):
        rendered(tmp_path, "Gym Tool")


@pytest.mark.long
def test_the_rendered_connector_has_its_types(checkout: Path) -> None:
    done = run(checkout, "mypy", "--follow-imports=silent", "connectors/gym_tool.py")
    assert done.returncode == 0, done.stdout


def test_the_first_run_says_what_to_fill_in(checkout: Path) -> None:
    """First of the declaration, then of the connector; nothing else is wrong with it."""
    suite = ("pytest", "tests/contract/test_contract.py", "-q", "-x", "-p", "no:cacheprovider")
    first = run(checkout, *suite, "-k", "gym_tool and one_page")
    assert first.returncode == 1
    assert "FILL IN tests/contract/gym_tool_case.py, _record: what the ERP's API" in first.stdout

    # filled in, as a person would
    case = checkout / "tests/contract/gym_tool_case.py"
    case.write_text(
        re.sub(
            r'    raise NotImplementedError\(\n        "FILL IN[^"]*_record[^"]*"\n    \)',
            '    return {"id": ids[person.key]}',
            case.read_text(),
        )
    )
    second = run(checkout, *suite, "-k", "gym_tool and one_page")
    assert second.returncode == 1
    assert "FILL IN connectors/gym_tool.py, _row: name the ERP's fields" in second.stdout


def test_what_needs_no_filling_in_is_green_at_once(checkout: Path) -> None:
    """Log-in, limits and errors are what all connectors have in common."""
    checks = "credentials_refused or server_error_for_good or throttled or html or hostile_answer"
    suite = ("pytest", "tests/contract/test_contract.py", "-q", "-p", "no:cacheprovider")
    case = checkout / "tests/contract/gym_tool_case.py"
    case.write_text(case.read_text().replace("[_record(p, ids, kinds) for p in people]", "[]"))
    done = run(checkout, *suite, "-k", f"gym_tool and not moment and ({checks})")
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
