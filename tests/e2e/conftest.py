"""One stack for all tests of it: starting it takes a minute and a half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.running import Stack, started


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with started() as running:
        yield running
