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
    """A copy of what the contract suite needs, with a connector made from the template and registered."""
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
    _tell(
        folder / "connectors/sdk/forms.py", "FORMS = {", '    "gym_tool": Form(title="Gym tool"),'
    )
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
    assert (tmp_path / f"docs/erps/{name}.md").is_file()
    shutil.copytree(tmp_path, checkout, dirs_exist_ok=True)
    for how in (("check",), ("format", "--check")):
        done = run(checkout, "ruff", *how, "--no-cache", *made)
        assert done.returncode == 0, done.stdout


def test_a_bad_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lower-case letters"):
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
    assert (
        "FILL IN tests/contract/gym_tool_case.py, _record: a person as the ERP's API"
        in first.stdout
    )

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
    assert "FILL IN connectors/gym_tool.py, _groups: read the ERP's list" in second.stdout


#: what a person writes for an ERP like this, in place of each `FILL IN`: file -> (what stands there, what then).
FILLED: dict[str, list[tuple[str, str]]] = {
    "sandbox/gym_tool.py": [
        (
            "    records: list[dict[str, Any]] = field(default_factory=list)\n",
            "    records: list[dict[str, Any]] = field(default_factory=list)\n"
            "    plans: list[dict[str, Any]] = field(default_factory=list)\n",
        ),
        (
            'routes=[Route("/customers", customers)]',
            'routes=[Route("/customers", customers), Route("/plans", plans)]',
        ),
        (
            "    return Starlette(",
            "    async def plans(request: Request) -> Response:\n"
            '        if request.headers.get("Authorization") != f"Bearer {club.secret}":\n'
            '            return JSONResponse({"error": "unauthorized"}, 401)\n'
            "        return JSONResponse(club.plans)\n\n"
            "    return Starlette(",
        ),
    ],
    "tests/contract/gym_tool_case.py": [
        (
            "        assert self.recorder is not None\n        self.recorder.forget()\n",
            "        self.club.plans = [\n"
            '            {"id": k.id, "title": k.name, "on": k.active} for k in kinds\n'
            "        ]\n"
            "        assert self.recorder is not None\n        self.recorder.forget()\n",
        ),
        (
            "_record(p, ids, kinds) for p in people",
            "_record(p, ids) for p in people",
        ),
        (
            "def _record(person: Someone, ids: Mapping[str, str], kinds: Sequence[Kind]) -> dict[str, Any]:",
            "def _record(person: Someone, ids: Mapping[str, str]) -> dict[str, Any]:",
        ),
        (
            "    CLUB,\n    KINDS,",
            "    CANARY,\n    CLUB,\n    KINDS,",
        ),
    ],
    "connectors/gym_tool.py": [
        (
            "    id: int | str\n",
            "    id: int | str\n"
            "    first: str | None\n"
            "    last: str | None\n"
            "    mail: str | None\n"
            "    phone: str | None\n"
            "    state: str\n"
            "    plans: list[_Held]\n",
        ),
        (
            "class _Record(msgspec.Struct):",
            "class _Held(msgspec.Struct):\n"
            "    plan: str\n"
            "    until: str | None\n\n\n"
            "class _Plan(msgspec.Struct):\n"
            "    id: str\n"
            "    title: str\n"
            "    on: bool\n\n\n"
            "class _Record(msgspec.Struct):",
        ),
    ],
}
_SET_EMAIL = """\
        for record in self.club.records:
            if record["id"] == erp_id:
                record["mail"] = email
"""
_REPLACE_ONE = """\
        kept = [record for record in self.club.records if record["id"] != erp_id]
        self.club.records = [*kept, _record(comes, {comes.key: "g-new"})]
"""
_SPOIL_EMAIL = """\
        for record in self.club.records:
            if record["id"] == erp_id:
                record["mail"] = {"address": 5}
"""
_RECORD = """\
    return {
        "id": ids[person.key],
        "first": person.first_name,
        "last": person.last_name,
        "mail": person.email,
        "phone": person.phone,
        "state": person.status,
        "plans": [
            {"plan": h.group, "until": h.until.isoformat() if h.until else None, "iban": CANARY}
            for h in person.groups
        ],
        "iban": CANARY,
    }
"""
_ROW = """\
        status = {"active": "active", "archived": "archived"}.get(record.state, "unknown")
        return {
            "erp_id": str(record.id),
            "first_name": record.first,
            "last_name": record.last,
            "email": record.mail,
            "phone": record.phone,
            "status": status,
            "status_raw": record.state if status == "unknown" else None,
            "groups": [
                {
                    "id": h.plan,
                    "valid_from": None,
                    "valid_until": dates.day(h.until, "valid_until", group=h.plan),
                }
                for h in record.plans
            ],
        }
"""
_GROUPS = """\
        plans = http.json("GET", "/plans", list[_Plan])
        return [{"id": p.id, "name": p.title, "active": p.on} for p in plans]
"""
_NOT_APPLICABLE = """\
    not_applicable: ClassVar[Mapping[str, str]] = {
        "file_missing": "no files.",
        "guardian": "the API tells of no families.",
        "merge_stated": "the API tells of no merges.",
    }
"""


def test_filled_in_it_is_a_connector(checkout: Path, tmp_path: Path) -> None:
    """The hour's work: each `FILL IN` answered, nothing else touched, and the whole suite is green."""
    rendered(tmp_path, "gym_tool")
    for file, changes in FILLED.items():
        text = (tmp_path / file).read_text()
        for before, after in changes:
            assert text.count(before) == 1, (file, before)
            text = text.replace(before, after)
        for part, answer in {
            "set_email": _SET_EMAIL,
            "replace_one": _REPLACE_ONE,
            "spoil_email": _SPOIL_EMAIL,
            "_record": _RECORD,
            "_row": _ROW,
            "_groups": _GROUPS,
        }.items():
            hole = rf' +raise NotImplementedError\(\n +"FILL IN {re.escape(file)}, {part}:[^"]*"\n +\)\n'
            text = re.sub(hole, answer.replace("\\", r"\\"), text)
        assert "NotImplementedError" not in text
        text = re.sub(r"    not_applicable: .*\n", lambda _: _NOT_APPLICABLE, text)
        (checkout / file).write_text(text)
    suite = ("pytest", "tests/contract/test_contract.py", "-q", "-p", "no:cacheprovider")
    done = run(checkout, *suite, "-k", "gym_tool")
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 60
