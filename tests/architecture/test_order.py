"""The modules that begin first, because they take minutes, are there."""

from __future__ import annotations

from tests.conftest import LONGEST, ROOT


def test_every_long_module_is_there() -> None:
    assert [path for path in LONGEST if not (ROOT / path).is_file()] == []
