"""What asset events cost: one task that has changed 1,000 clubs (R30).

    python -m benchmarks.assets

Airflow with a metadata database of its own, in PostgreSQL; the task runs as `dag.test()` runs it. Printed are the
seconds of the task without events, with events of clubs that Airflow sees for the first time, and of clubs that it
knows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.server import server

CLUBS = 1000
ROOT = Path(__file__).resolve().parents[1]
DAG_FILE = """
from datetime import UTC, datetime

from airflow.sdk import DAG, Asset, get_current_context, task

from plugins.orchestration.assets import CHANGED, announce, asset_of

START = datetime(2026, 1, 1, tzinfo=UTC)

with DAG("loads", schedule=None, start_date=START, params={"clubs": 0}) as loads:

    @task(outlets=[CHANGED])
    def load():
        step = {"error": None, "run": 1, "rows_written": 3, "counts": {"addition": 2}}
        clubs = get_current_context()["params"]["clubs"]
        announce([{**step, "club": f"club-{n}"} for n in range(clubs)])

    load()

with DAG("downstream", schedule=[asset_of("club-7")], start_date=START) as downstream:

    @task
    def read():
        pass

    read()
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-assets-") as home, server() as postgres:
        url = postgres.fresh("airflow").replace("+psycopg:", "+psycopg2:")
        folder = Path(home) / "dags"
        folder.mkdir()
        (folder / "loads").with_suffix(".py").write_text(DAG_FILE)
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": str(ROOT),
        }
        airflow = Path(sys.executable).with_name("airflow")
        for command in (["db", "migrate"], ["dags", "reserialize"]):
            subprocess.run(
                [airflow, *command], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        subprocess.run(
            [sys.executable, "-m", "benchmarks.assets", "measure"], env=environment, check=True
        )


def measure() -> None:
    """In a process of its own, with the environment that `main` makes."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags["loads"]
    for what, clubs in (("warm-up", 0), ("none", 0), ("new", CLUBS), ("known", CLUBS)):
        begun = time.perf_counter()
        cpu = time.process_time()
        run = dag.test(run_conf={"clubs": clubs})
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
        print(f"{what}: {wall:.2f} s, {cpu:.2f} CPU-s without PostgreSQL's ({run.state})")
    with create_session() as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(model))
            for name, model in (
                ("events", AssetEvent),
                ("assets", AssetModel),
                ("waiting runs", AssetDagRunQueue),
            )
        }
    print(counts)


if __name__ == "__main__":
    measure() if sys.argv[1:] == ["measure"] else main()
