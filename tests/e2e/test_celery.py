"""The processes of docker-compose.yaml, without Docker: Airflow with the Celery executor, a worker and Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sandbox.demo import CLUBS
from tests.e2e.running import OURS, started, until, write_ours

pytestmark = [
    pytest.mark.long,
    pytest.mark.airflow,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.timeout(1500),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """URL of a Redis of our own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", str(tmp_path)]
    with (tmp_path / "redis.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with redis.Redis(port=int(port)) as client:
            until(lambda: _answers(client), patience=30)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_every_club_is_synced_by_a_celery_worker(broker: str) -> None:
    settings = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "4",
    }
    with started(settings) as stack:
        synced = {club for (club,) in stack.query("select club_id from base.club")}
        assert synced >= {club.id for club in CLUBS}

        write_ours(stack.var, range(95))
        run = stack.run("sync_csv", {"clubs": [OURS]})
        assert run["state"] == "success"
        assert stack.steps(run, "load")[OURS]["counts"]["deactivation"] == 5

        (ran,) = stack.instances(run, "load")
        assert ran["executor"] is None, "the deployment's own"
        with redis.Redis.from_url(broker) as client:
            assert client.exists("_kombu.binding.default"), "the worker's queue"
