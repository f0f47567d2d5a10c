"""A page shows one moment: it reads in one transaction for each club, and one across clubs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clubsync.store.database import Base, Driver
from tests.pages.conftest import Site

ACROSS = ["/clubs", "/findings", "/holds", "/airflow?dag=d&run=r", "/why"]
OF_A_CLUB = [
    "",
    "/groups",
    "/runs",
    "/requests",
    "/findings",
    "/similar",
    "/person?erp_id=5",
    "/people",
]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[Any, ...]]:
    """How often each kind of transaction was begun."""
    found: Counter[tuple[Any, ...]] = Counter()
    for kind in ("club", "reader", "transaction"):
        monkeypatch.setattr(Base, kind, _counted(kind, getattr(Base, kind), found))
    return found


def _counted(kind: str, begin: Any, found: Counter[tuple[Any, ...]]) -> Any:
    @contextmanager
    def counted(self: Base, *args: Any, **named: Any) -> Iterator[Driver]:
        found[(kind, *args)] += 1
        with begin(self, *args, **named) as driver:
            yield driver

    return counted


def test_each_page_begins_each_transaction_once(
    site: Site, begun: Counter[tuple[Any, ...]]
) -> None:
    ((hold,),) = site.club.rows("select hold from sync.hold where club = %s", site.club.number)
    ((run,),) = site.club.rows("select max(run) from sync.run where club = %s", site.club.number)
    viewer = site.as_("viewer")
    viewer.get("/pages/clubs")  # the numbers of the clubs, kept for ten seconds
    club = f"/clubs/{site.club.id}"
    of_a_club = [*OF_A_CLUB, f"/holds/{hold}", f"/runs/{run}"]
    for path in [*ACROSS, *(club + part for part in of_a_club)]:
        begun.clear()
        assert viewer.get(f"/pages{path}").status_code == 200, path
        assert set(begun.values()) <= {1}, (path, begun)
        assert bool(begun) == (path != "/why"), path


def test_who_is_shown_personal_data_is_recorded_in_the_transaction_that_read_it(
    site: Site, begun: Counter[tuple[Any, ...]]
) -> None:
    support, number = site.program("support"), site.club.number
    path = f"/api/v1/clubs/{site.club.id}/findings/shown"
    support.post(path)
    begun.clear()
    assert support.post(path).status_code == 200
    assert begun == {("club", number): 1}


def test_nothing_is_shown_that_cannot_be_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is committed before the response is sent."""
    from plugins.web.context import Club

    real = Club.transaction

    @contextmanager
    def failing(self: Club) -> Iterator[Driver]:
        with real(self) as driver:
            yield driver
            raise RuntimeError("the commit fails")

    monkeypatch.setattr(Club, "transaction", failing)
    answer = site.program("support").post(f"/api/v1/clubs/{site.club.id}/findings/shown")
    assert answer.status_code == 500
    assert "not an email" not in answer.text
