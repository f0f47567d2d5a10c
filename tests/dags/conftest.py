"""Airflow without a home of its own: Dags are parsed, nothing runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.airflow import have_a_home

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]

# Airflow reads these when it is first imported.
have_a_home()
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")


@pytest.fixture(scope="session")
def dags() -> dict[str, DAG]:
    """Dag id to Dag, of all that lie in dags/, with the project's own clubs.yaml."""
    from airflow.dag_processing.dagbag import DagBag

    os.environ["CLUBSYNC_CONFIG"] = str(ROOT / "config" / "clubs.yaml")
    try:
        bag = DagBag(str(ROOT / "dags"))
    finally:
        del os.environ["CLUBSYNC_CONFIG"]
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def clubs_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clubs.yaml that the code under test reads."""
    path = tmp_path / "clubs.yaml"
    path.write_text(
        """
clubs:
  - {id: paris, name: Boulder Paris, erp: eversports, connection: paris, every: 5m}
  - {id: lyon, name: Yoga Lyon, erp: eversports, connection: lyon, every: 15m}
  - {id: lille, name: Salon Lille, erp: planity, connection: lille}
"""
    )
    monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
    return path
