"""R27: what a stranger's webhook may cost, and a run that Airflow does not start."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.web.services import nudges
from tests.pages.conftest import Site

start = nudges.start
"""As it is: the site's fixture puts another in its place."""


def test_a_webhook_for_no_club_is_not_remembered(site: Site) -> None:
    """Anybody may send one, as often and with as long a name as a server takes."""
    stranger, before = site.as_(None), len(nudges._secrets)
    for n in range(3):
        answer = stranger.post(f"/webhooks/{n}{'x' * 5_000}", content=b"{}")
        assert answer.status_code == 404
    assert len(nudges._secrets) == before
    assert stranger.post(f"/webhooks/{site.club.id}", content=b"{}").status_code == 404
    assert len(nudges._secrets) == before + 1


@pytest.fixture
def without_dag(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Airflow has just started, and has not parsed the Dags yet."""
    from airflow.api.common import trigger_dag
    from airflow.exceptions import DagNotFound

    def missing(*_: Any, **__: Any) -> None:
        raise DagNotFound("Dag id sync_one not found in DagModel")

    monkeypatch.setattr(trigger_dag, "trigger_dag", missing)
    monkeypatch.setattr(nudges, "start", start)
    return site


def test_a_nudge_is_accepted_though_airflow_does_not_start_its_run(without_dag: Site) -> None:
    """It is in the inbox, from which upkeep starts the run."""
    club = without_dag.club
    answer = without_dag.program("support").post(f"/api/v1/clubs/{club.id}/sync-now")
    assert answer.status_code == 202
    assert answer.json()["outcome"] == "done"
    ((waiting,),) = club.rows(
        "select count(*) from sync.nudge where club = %s and taken_at is null", club.number
    )
    assert waiting == 1


def test_a_dry_run_that_airflow_does_not_start_is_told(without_dag: Site) -> None:
    """Nothing starts it later, so it is not called queued."""
    club = without_dag.club
    answer = without_dag.program("support").post(f"/api/v1/clubs/{club.id}/dry-run")
    assert answer.status_code == 409
    assert "did not start the dry run" in answer.json()["title"]
    ((outcome,),) = club.rows("select outcome from sync.act where club = %s", club.number)
    assert outcome == "refused"
