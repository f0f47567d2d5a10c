"""The real thing: `make up` with the simulated ERPs, one of which breaks and comes back."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import requests

from tests.e2e.running import ROOT, Stack, processes_of, until

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1500)]


def test_every_club_is_synced_at_the_start(stack: Stack) -> None:
    assert "failed" not in stack.said, stack.said
    assert "not yet" not in stack.said, stack.said
    assert stack.said.count("done") == 8, stack.said


def test_one_club_fails_by_name_the_others_are_loaded_and_it_heals(stack: Stack) -> None:
    both = {"clubs": ["padel-bordeaux", "padel-chamartin"], "full": True}
    stack.fault("padel-bordeaux", "server-error")
    run = stack.run("sync_playtomic", both)
    assert run["state"] == "failed"
    assert stack.steps(run, "load")["padel-chamartin"]["error"] is None
    (retry,) = stack.instances(run, "retry_club")
    assert retry["rendered_map_index"] == "Padel Bordeaux Lac"
    assert retry["state"] == "failed"
    assert retry["try_number"] == 4
    log = stack.api.log("sync_playtomic", run["dag_run_id"], "retry_club", index=0, attempt=4)
    assert "Padel Bordeaux Lac (padel-bordeaux) was not synced" in log
    assert "/runbooks/erp-down" in log

    stack.fault("padel-bordeaux", None)
    assert stack.run("sync_playtomic", both)["state"] == "success"


def test_a_refused_key_fails_at_once_and_is_healed_by_clearing_that_row(stack: Stack) -> None:
    stack.fault("padel-chamartin", "unauthorized")
    run = stack.run("sync_playtomic", {"clubs": ["padel-chamartin"]})
    assert run["state"] == "failed"
    (retry,) = stack.instances(run, "retry_club")
    assert (retry["state"], retry["try_number"]) == ("failed", 1)

    stack.fault("padel-chamartin", None)
    stack.api.clear("sync_playtomic", run["dag_run_id"], "retry_club", 0)

    def healed() -> bool:
        runs = {one["dag_run_id"]: one["state"] for one in stack.api.runs("sync_playtomic")}
        return bool(runs[run["dag_run_id"]] == "success")

    assert until(healed)


def test_one_club_by_itself_does_not_wait_for_the_others(stack: Stack) -> None:
    run = stack.run("sync_one", {"club": "aviron-annecy"})
    assert run["state"] == "success"


def test_up_a_second_time_is_harmless(stack: Stack) -> None:
    before = {p for p in processes_of(stack.var) if "airflow" in p}
    again = subprocess.run(
        [sys.executable, "-m", "stack", "up"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "stopping" not in again.stdout
    assert before


def test_a_test_of_a_connection_tells_good_from_bad(stack: Stack) -> None:
    """As the list of connections asks for it: without a port, which it sends as 0."""
    sandbox = f"http://127.0.0.1:{stack.environment['CLUBSYNC_SANDBOX_PORT']}/playtomic"
    wanted = {
        "connection_id": "padel_lyon",
        "conn_type": "clubsync_playtomic",
        "host": sandbox,
        "login": "padel-bordeaux",
        "password": "sandbox-demo",
        "extra": json.dumps({"webhook_secret": "whsec_of-a-test", "known_hosts": None}),
    }
    admin = stack.api_as("admin")
    admin.add_connection(wanted)
    listed = {**wanted, "password": "***", "port": 0, "schema": "", "description": ""}

    good = admin.test_connection(listed)
    assert (good["status"], good["message"].startswith("Login works.")) == (True, True)
    assert "No club in clubs.yaml uses this connection yet" in good["message"]

    bad = admin.test_connection({**wanted, "password": "an old one"})
    assert bad["status"] is False
    assert "store it in the Airflow connection" in bad["message"]
    assert "an old one" not in bad["message"]

    # The club that names it is found although Airflow tests under an id of its own.
    named = {**listed, "connection_id": "padel_bordeaux"}
    message = "Padel Bordeaux Lac (padel-bordeaux): Login works: the venue has players."
    assert admin.test_connection(named) == {"status": True, "message": message}

    with pytest.raises(requests.HTTPError) as refused:
        stack.api.test_connection(wanted)
    assert refused.value.response.status_code == requests.codes.forbidden
