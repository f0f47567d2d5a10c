"""The address for monitors outside of Airflow: how long the oldest due reading has been due."""

from __future__ import annotations

from typing import Any

import pytest

from clubsync.errors import BaseUnreachable
from connectors.sdk.errors import CredentialsRefused
from plugins.web.api import health
from tests.pages.conftest import Site


@pytest.fixture(autouse=True)
def look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT", -1.0)


def asked(site: Site, query: str = "") -> tuple[int, dict[str, Any]]:
    """As somebody who is not logged in."""
    answer = site.as_(None).get(f"/health{query}")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


def test_r25_clubs_that_are_read_in_time(site: Site) -> None:
    code, found = asked(site)
    assert code == 200
    assert found == {
        "status": "reading",
        "oldest_due_seconds": None,
        "overdue": 0,
        "failing": 0,
        "unread": 0,
        "clubs": 2,
    }


def both_are_read(site: Site) -> None:
    site.other.at(site.club.now)
    site.other.attempt()
    site.club.attempt()


def test_r25_nobody_reads_any_more(site: Site) -> None:
    """The scheduler stands still: the clubs have been due for longer and longer."""
    both_are_read(site)
    site.club.later(minutes=9)
    code, found = asked(site)
    assert (code, found["status"], found["overdue"]) == (200, "reading", 0)
    assert 0 < found["oldest_due_seconds"] <= 300
    site.club.later(minutes=6)
    code, found = asked(site)
    assert (code, found["status"], found["overdue"]) == (503, "late", 2)
    assert found["oldest_due_seconds"] > 300
    assert asked(site, "?limit=3600")[0] == 200
    both_are_read(site)
    assert asked(site)[0] == 200


def test_r25_a_club_that_fails_is_read_and_a_paused_one_is_not_waited_for(site: Site) -> None:
    site.other.erp.fault = CredentialsRefused("The ERP rejected our credentials (HTTP 401).")
    both_are_read(site)
    code, found = asked(site)
    assert (code, found["failing"], found["clubs"]) == (200, 1, 2)
    support = site.program("support")
    support.post(f"/api/v1/clubs/{site.other.id}/pause").raise_for_status()
    for _ in range(3):
        site.club.sync()
    code, found = asked(site)
    assert (code, found["failing"], found["clubs"]) == (200, 0, 1)


def test_the_limit_is_checked_and_a_base_that_is_gone_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.as_(None).get("/health?limit=1").status_code == 422

    def gone() -> None:
        raise BaseUnreachable("The club base is unreachable.", remedy="Start it.")

    monkeypatch.setattr(health, "_look", gone)
    answer = site.as_(None).get("/health")
    assert answer.status_code == 503
    assert "unreachable" in answer.text
