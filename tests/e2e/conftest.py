"""One stack for all tests of it: starting it takes a minute and a half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.running import Stack, started
from tests.support.collector import Collector, collecting


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the stack's processes send their metrics."""
    with collecting() as it:
        yield it


@pytest.fixture(scope="session")
def stack(collector: Collector) -> Iterator[Stack]:
    with started({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}) as running:
        yield running
