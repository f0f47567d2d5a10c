"""The threat model in SECURITY.md: every test that it names exists, and the places searched are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.canary import PLACES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "SECURITY.md"


def attackers() -> list[list[str]]:
    """The rows of the table, as cells."""
    table = PAGE.read_text().split("## Threat model")[1].split("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_every_attack_names_tests_that_exist() -> None:
    rows = attackers()
    assert len(rows) > 15
    for _, wants, stops, shown in rows:
        assert wants
        assert stops
        named = re.findall(r"`(tests/[\w/]+\.py)`", shown)
        assert named, wants
        for test in named:
            assert (
                "\ndef test_" in (ROOT / test).read_text()
                or "\nasync def test_" in (ROOT / test).read_text()
            ), test


def test_the_places_that_are_searched_are_those_of_the_code() -> None:
    """After a change of `PLACES`, put its lines between the two marks."""
    listed = PAGE.read_text().split("<!-- begin: places -->")[1].split("<!-- end: places -->")[0]
    wanted = [f"- **{name}**: {what}" for name, what in PLACES.items()]
    assert listed.split("\n")[1:-1] == ["", *wanted, ""]
