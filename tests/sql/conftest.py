"""A migrated database, for statements that are prepared and not run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clubsync.store import embedded
from clubsync.store.database import Base


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-queries",
        action="store_true",
        help="write the types of the queries (`make queries`)",
    )


@pytest.fixture(scope="session")
def migrated(postgres: embedded.Server) -> Iterator[Base]:
    postgres.create_database("prepared")
    base = Base(postgres.url("prepared"))
    try:
        yield base
    finally:
        base.close()
        postgres.drop_database("prepared")
