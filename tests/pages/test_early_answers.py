"""An answer to an approval request that was shown a moment ago waits: Airflow would lose it (R15)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from clubsync.manual import holds
from plugins.web import context, outdated_answers
from plugins.web.outdated_answers import SETTLED, OutdatedAnswers
from tests.pages.conftest import Site


def answered(run_id: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list[str]]:
    """An answer to what a run shows: for how long it waited, and whether Airflow got it or who refused it."""
    waits: list[float] = []
    came: list[str] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def airflow(scope: Any, receive: Any, send: Any) -> None:
        came.append("Airflow")

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            came.append(str(message["status"]))

    # in that module only: servers of other tests sleep too
    theirs = SimpleNamespace(sleep=sleep, to_thread=asyncio.to_thread)
    monkeypatch.setattr(outdated_answers, "asyncio", theirs)
    path = f"/api/v2/dags/held_changes/dagRuns/{run_id}/taskInstances/decide/-1/hitlDetails"
    scope = {"type": "http", "method": "PATCH", "path": path}
    asyncio.run(OutdatedAnswers(airflow)(scope, None, send))
    return waits, came


@pytest.fixture
def run_id(site: Site) -> str:
    """The run that shows the club's hold, since just now."""
    site.club.at(site.other.now)
    ((hold, version),) = site.club.rows(
        "select hold, version from sync.hold where club = %s and state = 'open'", site.club.number
    )
    run_id = holds.run_of(site.club.id, hold, version)
    holds.approval_request(context.base(), hold, version).mark_shown(context.base(), run_id)
    return run_id


def test_r15_an_early_answer_waits_and_a_later_one_does_not(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answered(run_id, monkeypatch) == ([SETTLED], ["Airflow"])
    site.club.later(seconds=2)
    assert answered(run_id, monkeypatch) == ([SETTLED - 2], ["Airflow"])
    site.club.later(seconds=60)
    assert answered(run_id, monkeypatch) == ([0.0], ["Airflow"])


def test_r15_an_outdated_answer_is_refused_at_once(
    site: Site, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.club.driver() as driver:
        driver.execute(
            "update sync.hold set version = version + 1 where club = %s", [site.club.number]
        )
    assert answered(run_id, monkeypatch) == ([], ["409"])
