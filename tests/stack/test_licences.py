"""Supply: what production installs is what it imports, and copyleft packages are named and isolated."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.utils import canonicalize_name
from piplicenses_lib import FromArg, get_packages, select_license_by_source

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("clubsync", "connectors", "dags", "plugins")
PERMISSIVE = re.compile(
    r"\b(mit|mit-0|bsd|0bsd|bsd-[23]-clause|apache|apache-2\.0|isc|psf|psf-2\.0|unlicense|python software"
    r" foundation|zlib|cc0-1\.0|cnri-python|dfsg approved|bsd-derived)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(a?gpl|lgpl|gpl[v0-9]*|mpl|epl|mozilla|artistic)", re.IGNORECASE)


def locked(name: str) -> set[str]:
    """Names of the packages in a lock file."""
    text = (ROOT / name).read_text()
    return {canonicalize_name(n) for n in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


@cache
def stated() -> dict[str, str]:
    """Package -> the licences that its metadata state, for all that is installed but clubsync."""
    found: dict[str, str] = {}
    for package in get_packages(from_source=FromArg.MIXED):
        licences = select_license_by_source(
            FromArg.MIXED, package.license_classifiers, package.license
        )
        found[canonicalize_name(package.name)] = "; ".join(sorted(licences))
    found.pop("clubsync", None)
    return found


def needs_a_line(licence: str) -> bool:
    """Whether a licence is copyleft, or none that we know."""
    return bool(COPYLEFT.search(licence)) or not PERMISSIVE.search(licence)


def documented(heading: str) -> dict[str, str]:
    """Package -> licence, of one table in docs/licences.md."""
    section = (ROOT / "docs" / "licences.md").read_text().split(f"## {heading}\n")[1]
    rows = re.findall(r"^\| ([\w.-]+) \| (.+?) \| .+ \|$", section.split("\n## ")[0], re.MULTILINE)
    return {canonicalize_name(name): licence for name, licence in rows if name != "package"}


def imported_by_the_product() -> Iterator[str]:
    """Top-level names of everything outside this repository and Python itself that the product imports."""
    graph = grimp.build_graph(*PRODUCT, include_external_packages=True, cache_dir=None)
    for module in graph.modules:
        if graph.is_module_squashed(module):
            name = module.split(".")[0]
            if name not in sys.stdlib_module_names and name not in {"sandbox", "stack"}:
                yield name


def test_production_installs_a_part_of_the_one_lock() -> None:
    versions = {
        name: set(re.findall(r"^[\w.-]+==[^ \n]+", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-runtime.lock")
    }
    assert versions["requirements-runtime.lock"] < versions["requirements.lock"]


def test_production_has_every_package_that_its_code_imports() -> None:
    runtime = locked("requirements-runtime.lock")
    distributions = packages_distributions()
    imported = set(imported_by_the_product())
    assert "airflow" in imported
    assert "polars" in imported
    missing = {
        name
        for name in imported
        if not {canonicalize_name(d) for d in distributions.get(name, [])} & runtime
    }
    assert missing == set()


def test_production_has_neither_the_demo_nor_the_tools() -> None:
    runtime = locked("requirements-runtime.lock")
    assert not {"trytond", "mypy", "playwright", "pytest", "ruff"} & runtime


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("*.lock")))
def test_every_file_that_may_be_installed_is_known_by_its_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", "")
    lines = text.splitlines()
    assert [line for line in lines if "--hash=sha256:" not in line] == []
    assert "://" not in text


def test_every_licence_that_is_not_permissive_has_a_line() -> None:
    runtime = locked("requirements-runtime.lock")
    wanted = {name: licence for name, licence in stated().items() if needs_a_line(licence)}
    production = {name: licence for name, licence in wanted.items() if name in runtime}
    assert documented("In production") == production
    others = {name: licence for name, licence in wanted.items() if name not in runtime}
    assert documented("Only in the demo and in the tests") == others


def test_no_package_of_production_is_under_the_gpl_alone() -> None:
    only = re.compile(r"^(GNU General|A?GPL)", re.IGNORECASE)
    runtime = locked("requirements-runtime.lock")
    found = {
        name
        for name, licence in stated().items()
        if name in runtime and all(only.match(part) for part in re.split("; | OR ", licence))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("licence", "needed"),
    [
        ("MIT License", False),
        ("Apache-2.0 OR BSD-3-Clause", False),
        ("GPL-3.0-or-later", True),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("UNKNOWN", True),
        ("Proprietary", True),
    ],
)
def test_licences_are_told_apart(licence: str, needed: bool) -> None:
    """The checks above can fail."""
    assert needs_a_line(licence) is needed
