"""R17, R18, R25 with Celery: whatever part of `make cluster` is killed, every club is read again, once."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.cluster import cluster
from tests.e2e.running import until

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.skipif(
        not (shutil.which("redis-server") or shutil.which("valkey-server")),
        reason="needs redis-server: apt-get install redis-server",
    ),
]


@pytest.mark.timeout(1500)
def test_what_a_killed_worker_had_taken_and_redis_has_lost_is_sent_again() -> None:
    with cluster() as here:
        here.hurt("a worker, with tasks taken", "Redis emptied")
        until(here.calm)
        print(*here.lines(), sep="\n")
        assert here.unexplained() == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_every_club_is_read_again_whatever_is_killed() -> None:
    with cluster() as here:
        for kind in here.kinds():
            here.hurt(kind)
        until(here.calm)
        print(*here.lines(), sep="\n")
        assert here.unexplained() == []
