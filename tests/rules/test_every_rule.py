"""Every rule has a test that bears its number."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_rule_has_an_example() -> None:
    """R1 to R28, each in a function named test_rNN_… of this folder."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_r*.py"))
    found = {int(number) for number in re.findall(r"^def test_r(\d\d)_", text, re.MULTILINE)}
    assert found == set(range(1, 29))
