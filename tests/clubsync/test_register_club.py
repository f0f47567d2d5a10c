"""A club that two processes name for the first time at once gets one number, which both get."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from clubsync.store.database import Base, queries

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _register(base: Base, name: str = "new-club") -> int:
    with base.transaction() as driver:
        return queries().register_club(driver, club_id=name, name="Club", erp="csv", now=NOW)


def test_two_at_once_get_the_same_number(database: str) -> None:
    base, found = Base(database), list[int]()
    try:
        with base.transaction() as driver:
            first = queries().register_club(
                driver, club_id="new-club", name="Club", erp="csv", now=NOW
            )
            second = threading.Thread(target=lambda: found.append(_register(base)))
            second.start()
            second.join(0.5)
            assert found == []  # it waits for the first one's end
        second.join(60)
        assert found == [first]
    finally:
        base.close()


def test_a_known_club_costs_no_number(database: str) -> None:
    base = Base(database)
    try:
        number = _register(base)
        assert [_register(base) for _ in range(3)] == [number] * 3
        assert _register(base, "another") == number + 1
    finally:
        base.close()
