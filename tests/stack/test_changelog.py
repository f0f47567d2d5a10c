"""CHANGELOG.md follows Keep a Changelog, and knows the version that the package has."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.fixture(scope="module")
def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text()


def releases(changelog: str) -> list[tuple[str, date]]:
    """Version and day of each release, as they stand."""
    found = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    return [(version, date.fromisoformat(day)) for version, day in found]


def test_the_newest_release_is_the_packages_version(changelog: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert releases(changelog)[0][0] == project["version"]


def test_unreleased_comes_first_then_newest_to_oldest(changelog: str) -> None:
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    known = releases(changelog)
    assert headings == ["[Unreleased]", *(f"[{version}] - {day}" for version, day in known)]
    ordered = sorted(known, key=lambda it: [int(n) for n in it[0].split(".")], reverse=True)
    assert known == ordered
    assert [day for _, day in known] == sorted((day for _, day in known), reverse=True)


def test_changes_stand_under_the_usual_kinds(changelog: str) -> None:
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= KINDS
