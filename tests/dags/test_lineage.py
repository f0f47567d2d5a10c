"""OpenLineage: what a task has read and written reaches a receiver over HTTP, through Airflow's own provider."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

TASK = """
import json, os, sys
from airflow.providers.openlineage.conf import is_disabled
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from plugins.orchestration import lineage

for stage, clubs in json.loads(sys.argv[1]):
    if not os.fork():
        break  # what follows is the task
    os.wait()
else:
    sys.exit()
steps = [{"club": club, "error": error, "snapshot": 7} for club, error in clubs.items()]
getattr(lineage, stage)(steps)
if is_disabled():
    sys.exit("off")
told = ExtractorManager().get_hook_lineage()
OpenLineageAdapter().complete_task(
    run_id="01941f29-7c00-7087-8906-40e512c257bd",
    job_name="sync_playtomic.load",
    end_time="2026-11-30T10:00:00+00:00",
    task=told,
    nominal_start_time=None,
    nominal_end_time=None,
    owners=[],
    tags=[],
    job_description=None,
)
"""


class Receiver(ThreadingHTTPServer):
    """Keeps the events that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name that the base class calls
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Receiver)
        self.server.events.append(json.loads(body))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # the base class's name
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


#: A stage, and its clubs with the error of each.
Task = tuple[str, dict[str, str | None]]


def run(tasks: list[Task], config: Path, receiver: Receiver | None) -> str:
    """A process as each task's, with the provider configured or not; what they say on stderr."""
    environment = {
        **{k: v for k, v in os.environ.items() if "OPENLINEAGE" not in k},
        "CLUBSYNC_CONFIG": str(config),
        "PYTHONPATH": str(ROOT),
    }
    if receiver is not None:
        url = f"http://127.0.0.1:{receiver.server_port}"
        environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps({"type": "http", "url": url})
    done = subprocess.run(
        [sys.executable, "-c", TASK, json.dumps(tasks)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def datasets(event: dict[str, Any], side: str) -> set[str]:
    return {f"{one['namespace']}/{one['name']}" for one in event[side]}


def test_r19_a_receiver_is_told_what_was_read_and_written_by_id(
    clubs_yaml: Path, receiver: Receiver
) -> None:
    clubs = {"paris": None, "lyon": "It answered 500."}
    run([("read", clubs), ("loaded", clubs), ("synced", clubs)], clubs_yaml, receiver)
    told = [(datasets(one, "inputs"), datasets(one, "outputs")) for one in receiver.events]
    assert told == [
        ({"clubsync://erp/eversports/paris"}, {"clubsync://snapshots/paris"}),
        ({"clubsync://snapshots/paris"}, {"clubsync://base/paris"}),
        ({"clubsync://erp/eversports/paris"}, {"clubsync://base/paris"}),
    ]


def test_a_large_batch_names_its_erp(tmp_path: Path, receiver: Receiver) -> None:
    """Airflow collects a hundred datasets of a task, and would leave out the others."""
    config = tmp_path / "clubs.yaml"
    clubs = [f"c{n}" for n in range(250)]
    config.write_text(
        "clubs:\n"
        + "".join(f"  - {{id: {c}, name: {c}, erp: planity, connection: c}}\n" for c in clubs)
    )
    run([("synced", dict.fromkeys(clubs))], config, receiver)
    (event,) = receiver.events
    assert datasets(event, "inputs") == {"clubsync://erp/planity"}
    assert datasets(event, "outputs") == {"clubsync://base/base"}


def test_it_is_off_unless_configured(clubs_yaml: Path) -> None:
    assert run([("loaded", {"paris": None})], clubs_yaml, None).endswith("off\n")
