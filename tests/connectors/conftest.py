"""What the tests of API connectors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api, api


@pytest.fixture(scope="session")
def _written_api() -> Iterator[Api]:
    with api() as it:
        yield it


@pytest.fixture
def written(_written_api: Api) -> Api:
    """A server whose answers the test writes."""
    _written_api.answers.clear()
    _written_api.asked.clear()
    return _written_api
