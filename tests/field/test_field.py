"""R3, R14: what clubs and their ERPs really send is read rightly, or refused with what would help.

The cases are in the YAML files beside this one; README.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.sdk.errors import ConnectorError
from tests.field.corpus import Case, cases, compare
from tests.support.api import Api, api


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    with api() as it:
        yield it


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=name, marks=[pytest.mark.xfail(reason=case.xfail)] if case.xfail else []
        )
        for name, case in cases().items()
    ],
)
def test_reads_what_the_club_sends(case: Case, tmp_path: Path, server: Api) -> None:
    expected = case.expect
    if expected.error is None:
        compare(case.read(tmp_path, server), expected)
        return
    with pytest.raises((ConnectorError, ValidationError)) as refused:
        case.read(tmp_path, server)
    kinds = [kind.__name__ for kind in type(refused.value).__mro__]
    assert expected.error in kinds, refused.value
    assert all(part in str(refused.value) for part in expected.says), str(refused.value)
