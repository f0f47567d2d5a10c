"""The files that a code host reads: workflow, owners, Renovate, and .ci/run with any interpreter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yaml"
LOCKS = [
    "requirements-bench.lock",
    "requirements.lock",
    *(f"requirements-{name}.lock" for name in ("mitmproxy", "pocketbase", "pretix", "runtime")),
]


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    # BaseLoader: YAML 1.1 takes the key `on` for a boolean, GitHub takes it for a word
    return dict(yaml.load(WORKFLOW.read_text(), Loader=yaml.BaseLoader))


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def supported(project: dict[str, Any]) -> list[str]:
    """The minor versions that requires-python admits."""
    wanted = SpecifierSet(project["requires-python"])
    return [f"3.{minor}" for minor in range(30) if f"3.{minor}.0" in wanted]


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", ".github/workflows/ci.yaml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/ci.yaml"),
        ("vendor.renovate", "renovate.json"),
    ],
)
def test_each_file_is_what_its_reader_expects(schema: str, file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_supported_python_is_tested(
    workflow: dict[str, Any], project: dict[str, Any]
) -> None:
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == supported(project)
    assert {"push", "pull_request"} <= workflow["on"].keys()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_long_tests_run_nightly_on_the_oldest_and_the_newest_python(
    workflow: dict[str, Any], project: dict[str, Any]
) -> None:
    job = workflow["jobs"]["long"]
    versions = supported(project)
    assert job["strategy"]["matrix"]["python"] == [versions[0], versions[-1]]
    assert "schedule" in job["if"]
    assert workflow["on"]["schedule"] != []
    assert "make test-long" in [step.get("run") for step in job["steps"]]


def test_each_job_uses_the_python_it_set_up(workflow: dict[str, Any]) -> None:
    for job in workflow["jobs"].values():
        steps = job["steps"]
        (setup,) = [s for s in steps if s.get("uses", "").startswith("actions/setup-python@")]
        oldest = job.get("strategy") is None
        assert setup["with"]["python-version"] == ("3.11" if oldest else "${{ matrix.python }}")
        given = steps[-1]["env"]["PYTHON"]
        assert given == f"${{{{ steps.{setup['id']}.outputs.python-path }}}}"


def test_advisories_and_the_bill_of_materials_are_made_daily(workflow: dict[str, Any]) -> None:
    job = workflow["jobs"]["supply"]
    assert "if" not in job  # with every push, and nightly
    assert {"make sbom", "make audit"} <= {step.get("run") for step in job["steps"]}


def test_actions_are_pinned_to_a_version_and_nothing_may_be_written(
    workflow: dict[str, Any],
) -> None:
    used = [s["uses"] for job in workflow["jobs"].values() for s in job["steps"] if "uses" in s]
    assert [name for name in used if not re.search(r"@(v\d+\.\d+\.\d+|[0-9a-f]{40})$", name)] == []
    assert workflow["permissions"] == {"contents": "read"}


def test_the_package_states_the_same_pythons(project: dict[str, Any]) -> None:
    prefix = "Programming Language :: Python :: 3."
    stated = [c.rpartition(" ")[2] for c in project["classifiers"] if c.startswith(prefix)]
    assert stated == supported(project)


def test_the_readme_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (ROOT / project["readme"]).is_file()


def test_every_owned_path_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    entries = [line.split() for line in lines if line and not line.startswith("#")]
    assert [
        path for path, *_ in entries if path != "*" and not (ROOT / path.strip("/")).exists()
    ] == []
    assert all(re.fullmatch(r"@[\w-]+/[\w-]+", owner) for _, *owners in entries for owner in owners)


def test_renovate_updates_every_lock() -> None:
    settings = json.loads((ROOT / "renovate.json").read_text())
    (pattern,) = settings["pip_requirements"]["managerFilePatterns"]
    assert [lock for lock in LOCKS if not re.search(pattern.strip("/"), lock)] == []
    assert sorted(path.name for path in ROOT.glob("*.lock")) == sorted(LOCKS)


def test_the_locked_packages_fit_one_another() -> None:
    """Renovate raises the pins of the lock one by one; nothing else compares them."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "check", "--python", sys.executable]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with .ci/run and a Makefile that tells which interpreter it was given."""
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_text((ROOT / ".ci" / "run").read_text())
    script.chmod(0o755)
    (tmp_path / "Makefile").write_text("PYTHON ?= python3\ntest:\n\t@echo with $(PYTHON)\n")
    return tmp_path


def ci(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    # without what a `make test PYTHON=…` around this one was told
    told = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES"}
    kept = {name: value for name, value in os.environ.items() if name not in told}
    environment = {**kept, "PYTHON": python}
    return subprocess.run(
        [checkout / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )


def test_ci_uses_the_interpreter_it_is_given(checkout: Path) -> None:
    ran = ci(checkout, sys.executable)
    assert (ran.returncode, ran.stdout.strip()) == (0, f"with {sys.executable}")


def test_ci_names_an_interpreter_that_is_missing(checkout: Path) -> None:
    ran = ci(checkout, "python3.99")
    assert (ran.returncode, ran.stderr.strip()) == (1, "PYTHON=python3.99: no such interpreter")
