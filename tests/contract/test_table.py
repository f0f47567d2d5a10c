"""docs/connectors.md is what the declarations say."""

from __future__ import annotations

import pytest

from tests.contract import test_contract, test_outward
from tests.contract.cases import CASES
from tests.contract.conftest import OF_THE_CLIENT
from tests.contract.table import PAGE, inferred, is_check, page, sections


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("write_connectors", False):
        pytest.skip("it is being written")
    assert PAGE.read_text(encoding="utf-8") == page(CASES, test_contract), "run `make connectors`"


def test_every_check_is_on_the_page() -> None:
    """Each under a heading, with a sentence; and there are enough of them to mean something."""
    names = [name for _, found in sections(test_contract) for name in found]
    checks = [
        name.removeprefix("test_")
        for name, check in vars(test_contract).items()
        if name.startswith("test_") and is_check(check)
    ]
    assert names == checks
    assert len(names) >= 40
    assert all(vars(test_contract)[f"test_{name}"].__doc__ for name in names)


def test_what_is_left_to_the_long_tests_are_checks() -> None:
    known = {name.removeprefix("test_") for name in (*vars(test_contract), *vars(test_outward))}
    assert known >= OF_THE_CLIENT


def test_what_is_inferred_is_found() -> None:
    """The marks of a module's docstring, whole sentences."""
    assert any(one.startswith("the keys of a benefit") for one in inferred("playtomic"))
    assert any("parts" not in one and "erased" in one for one in inferred("tryton"))
    assert inferred("rest") == []
