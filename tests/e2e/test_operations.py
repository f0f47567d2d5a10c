"""Holds, backfills and nudges in a running Airflow, as its users meet them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
from dotenv import dotenv_values
from ruamel.yaml import YAML
from standardwebhooks.webhooks import Webhook

from sandbox.demo import CLUBS, WEBHOOK_SECRET
from tests.e2e.running import OURS, ROOT, Stack, until, write_ours

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1500)]

FIVE = timedelta(minutes=5)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # never through a proxy: it is this machine
    return session


def _call(
    stack: Stack, user: str, method: str, path: str, body_: Mapping[str, object] | None = None
) -> requests.Response:
    """Any request to Airflow's server, logged in as that user."""
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
    passwords = json.loads((stack.var / "airflow" / "passwords.json").read_text())
    with _session() as session:
        login = {"username": user, "password": passwords[user]}
        token = session.post(f"{url}/auth/token", json=login, timeout=60).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return session.request(method, url + path, headers=headers, timeout=120, json=body_)


# --- R15: a hold is a question -----------------------------------------------------------------


def _sync_ours(stack: Stack, people: range) -> dict[str, Any]:
    """The club's ERP says these people; the club is synced; what came of it."""
    write_ours(stack.var, people)
    run = stack.run("sync_csv", {"clubs": [OURS]})
    assert run["state"] == "success"
    step: dict[str, Any] = stack.steps(run, "load")[OURS]
    assert step["error"] is None
    return step


def _open(stack: Stack, dag: str = "held_changes", about: str = "Our Own") -> list[dict[str, Any]]:
    """The open requests about the club's holds, or about what `dag` asks."""
    answer = _call(stack, "support", "GET", f"/api/v2/dags/{dag}/dagRuns/~/hitlDetails?limit=100")
    return [
        dict(detail)
        for detail in answer.json()["hitl_details"]
        if detail["task_instance"]["state"] == "awaiting_input"
        and detail["subject"].startswith(f"{about}: ")
    ]


def _upkeep(stack: Stack) -> None:
    """What the next minute brings, now."""
    assert stack.run("upkeep", {})["state"] == "success"


def _asked(stack: Stack, held: int) -> dict[str, Any]:
    """The only open request, once it is about that many people."""

    def there() -> dict[str, Any] | None:
        found = _open(stack)
        assert len(found) <= 1, "a hold has one open request, whatever becomes of its list"
        return next((one for one in found if f"Our Own: {held} customers" in one["subject"]), None)

    _upkeep(stack)
    found: dict[str, Any] = until(there)
    return found


def _answer(stack: Stack, user: str, question: dict[str, Any], option: str) -> requests.Response:
    instance = question["task_instance"]
    path = (
        f"/api/v2/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}"
        f"/taskInstances/{instance['task_id']}/{instance['map_index']}/hitlDetails"
    )
    body = {"chosen_options": [option], "params_input": {"comment": "They have left."}}
    return _call(stack, user, "PATCH", path, body)


def _state_of(stack: Stack, question: dict[str, Any]) -> str:
    """How the question's run ended."""
    dag, run_id = question["task_instance"]["dag_id"], question["task_instance"]["dag_run_id"]

    def ended() -> str | None:
        state = {r["dag_run_id"]: r["state"] for r in stack.api.runs(dag)}[run_id]
        return state if state in ("success", "failed") else None

    found: str = until(ended)
    return found


def _inside(stack: Stack, club: str = OURS) -> int:
    ((count,),) = stack.query(
        "select count(*) from base.customer join base.club using (club)"
        " where club_id = %s and in_customers_group",
        club,
    )
    return int(count)


def _sync_by_shell(stack: Stack, people: range) -> int:
    """The same without a run of Airflow, which takes a minute; how many are held."""
    write_ours(stack.var, people)
    done = subprocess.run(
        [sys.executable, "-m", "clubsync.cli", "sync", OURS, "--json"],
        cwd=ROOT,
        env={**stack.environment, **_settings(stack)},
        capture_output=True,
        text=True,
        check=False,
    )
    (found,) = json.loads(done.stdout)
    assert "error" not in found, found
    return int(found["held"]["deactivations"]) if found["held"] else 0


def _settings(stack: Stack) -> dict[str, str]:
    return {k: v for k, v in dotenv_values(stack.var / "clubsync.env").items() if v is not None}


def test_r15_a_hold_that_changes_has_one_request_answered_on_the_list_that_was_seen(
    stack: Stack,
) -> None:
    """Its list changes three times: there is never more than one open request, the answer to the old list is refused in
    words, also before the newest is shown, and that to the newest is carried out on it; a viewer's is refused."""
    assert _sync_by_shell(stack, range(80)) == 20
    first = _asked(stack, 20)
    assert "no longer in the ERP: 20" in first["body"]
    assert "| 80 |" in first["body"]

    for people in (78, 75, 70):
        assert _sync_by_shell(stack, range(people)) == 100 - people
    outdated = _answer(stack, "support", first, "Approve")
    assert outdated.status_code == requests.codes.conflict
    assert "your answer was not carried out" in outdated.json()["detail"]
    grown = _asked(stack, 30)
    assert "10 customers joined" in grown["body"]
    assert _state_of(stack, first) == "success", "the question about the old list ends by itself"
    again = _answer(stack, "support", first, "Approve")
    assert again.status_code == requests.codes.conflict

    assert _answer(stack, "viewer", grown, "Approve").status_code == requests.codes.forbidden
    assert _inside(stack) == 100
    assert _answer(stack, "support", grown, "Approve").status_code == requests.codes.ok
    assert _state_of(stack, grown) == "success"
    assert _inside(stack) == 70
    assert _answer(stack, "support", grown, "Reject").status_code == requests.codes.conflict
    decided = stack.query("select decided_by, comment from sync.hold where state = 'approved'")
    assert ("support", "They have left.") in decided
    assert _open(stack) == []


def test_a_hold_that_empties_ends_its_run_by_itself(stack: Stack) -> None:
    _sync_by_shell(stack, range(100))
    assert _sync_by_shell(stack, range(85)) == 15
    question = _asked(stack, 15)
    assert _sync_ours(stack, range(100))["held"] == 0
    _upkeep(stack)
    assert _state_of(stack, question) == "success"
    assert _inside(stack) == 100


# --- R28: the first sync of a club ----------------------------------------------------------------


def test_r28_a_first_sync_is_approved_under_required_actions_and_loads_that_plan(
    stack: Stack,
) -> None:
    """A club that is added while everything runs: nobody has access before; then exactly the plan's people have."""
    path = Path(stack.environment["CLUBSYNC_CONFIG"])
    before = path.read_text()
    entry = {
        "id": "first-of-all",
        "name": "First of All",
        "erp": "csv",
        "connection": "our_own",
        "every": "1d",
        "first_sync": "review",
        "settings": {"customers": "first.csv", "fields": {"id": "id", "email": "email"}},
    }
    rows = [f"{n},first{n}@our.example.org" for n in range(7)]
    (stack.var / "our-own" / "first.csv").write_text("\n".join(["id,email", *rows, ""]))
    yaml = YAML()
    document = yaml.load(path)
    document["clubs"].append(entry)
    with path.open("w") as file:
        yaml.dump(document, file)
    try:
        assert stack.run("sync_one", {"club": "first-of-all"})["state"] == "success"
        assert _inside(stack, "first-of-all") == 0
        _upkeep(stack)
        request = until(lambda: next(iter(_open(stack, "first_syncs", "First of All")), None))
        assert "7" in request["subject"]
        assert _answer(stack, "viewer", request, "Approve").status_code == requests.codes.forbidden
        assert _inside(stack, "first-of-all") == 0
        assert _answer(stack, "support", request, "Approve").status_code == requests.codes.ok
        assert _state_of(stack, request) == "success"
        assert _inside(stack, "first-of-all") == 7
    finally:
        path.write_text(before)


# --- R14, R16: a task is killed -----------------------------------------------------------------


def _people_inside(stack: Stack) -> list[str]:
    rows = stack.query(
        "select erp_id from base.customer join base.club using (club)"
        " where club_id = %s and in_customers_group",
        OURS,
    )
    return [erp_id for (erp_id,) in rows]


def _kill_while_it_waits(stack: Stack, task: str, table: str, run: dict[str, Any]) -> None:
    """Kill the process of a run's task (SIGKILL) when it is about to write to a table.

    The table is locked until the process is gone, so that it waits there, in the middle of its transaction. Not before
    the run is under way: another one of its Dag would wait too, and ours for that one.
    """

    def process() -> int | None:
        (one,) = stack.instances(run, task) or ({},)
        return one.get("pid") if one.get("state") == "running" else None

    until(lambda: _state_of_run(stack, run) == "running")
    with psycopg.connect(stack.database) as blocker:
        blocker.execute(psycopg.sql.SQL("lock table {} in exclusive mode").format(_named(table)))

        def waits() -> bool:
            waiting = "select from pg_locks where not granted and relation = %s::regclass"
            return bool(process()) and blocker.execute(waiting, [table]).fetchone() is not None

        until(waits)
        pid = process()
        assert pid is not None
        psutil.Process(pid).kill()
        until(lambda: not psutil.pid_exists(pid))


def _state_of_run(stack: Stack, run: dict[str, Any]) -> str:
    runs = {one["dag_run_id"]: one["state"] for one in stack.api.runs(run["dag_id"])}
    return str(runs[run["dag_run_id"]])


def _named(table: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(*table.split("."))


@pytest.mark.parametrize(
    ("task", "table"), [("extract", "sync.snapshot"), ("load", "base.customer")]
)
def test_r14_a_task_that_is_killed_is_made_good_by_the_next_run(
    stack: Stack, task: str, table: str
) -> None:
    """As the kernel ends one that is out of memory: while it is dead everybody is as before, and afterwards the base
    is what the ERP says, with nothing twice."""
    write_ours(stack.var, range(100))
    assert stack.run("sync_csv", {"clubs": [OURS]})["state"] == "success"
    before = set(_people_inside(stack))
    ((last,),) = stack.query("select max(change) from sync.change")
    # newcomers whom the other tests do not know
    left, newcomer = {"extract": (1, 1000), "load": (2, 2000)}[task]
    people = [*range(left, 100), *range(newcomer, newcomer + left)]
    write_ours(stack.var, people)

    run = stack.api.trigger("sync_csv", {"clubs": [OURS]})
    _kill_while_it_waits(stack, task, table, run)
    assert set(_people_inside(stack)) == before

    until(lambda: _state_of_run(stack, run) in ("success", "failed"))
    assert stack.run("sync_csv", {"clubs": [OURS]})["state"] == "success"
    inside = _people_inside(stack)
    assert sorted(inside, key=int) == [str(n) for n in people]
    changes = stack.query(
        "select s.kind, s.erp_id, count(*) from sync.change as s join base.club as c using (club)"
        " where c.club_id = %s and s.change > %s group by 1, 2",
        *(OURS, last),
    )
    assert {n for *_, n in changes} == {1}
    assert {erp_id for _, erp_id, _ in changes} == before ^ set(inside)
    running = "select count(*) from sync.run join base.club using (club) where club_id = %s and state = 'running'"
    assert stack.query(running, OURS) == [(0,)]
    write_ours(stack.var, range(100))
    assert stack.run("sync_csv", {"clubs": [OURS]})["state"] == "success"
    assert sorted(_people_inside(stack), key=int) == [str(n) for n in range(100)]


# --- R26: backfill ------------------------------------------------------------------------------


def _backfill(stack: Stack, first: datetime, last: datetime, *, backwards: bool) -> None:
    """Airflow's own backfill, four runs at a time, until all are through."""
    body = {
        "dag_id": "sync_eversports",
        "from_date": first.isoformat(),
        "to_date": last.isoformat(),
        "run_backwards": backwards,
        "reprocess_behavior": "completed",
        "max_active_runs": 4,
        "dag_run_conf": {},
    }
    answer = _call(stack, "support", "POST", "/api/v2/backfills", body)
    assert answer.ok, answer.text
    number = answer.json()["id"]

    def through() -> bool:
        found = _call(stack, "support", "GET", f"/api/v2/backfills/{number}").json()
        return found["completed_at"] is not None

    until(through, patience=900)


def _newest_interval_that_is_over(stack: Stack) -> datetime:
    """Start of the newest interval whose live run has loaded it, with no run of an earlier one under way.

    Airflow's backfill leaves out an interval whose run is in flight. One that no live run has loaded, because the
    scheduler was killed meanwhile, is loaded by the backfill.
    """

    def loaded() -> datetime | None:
        live: dict[str, list[datetime]] = {}
        for run in stack.api.runs("sync_eversports"):
            if run["run_type"] == "scheduled" and run["logical_date"] is not None:
                interval = datetime.fromisoformat(run["logical_date"])
                live.setdefault(run["state"], []).append(interval)
        under_way = live.get("queued", []) + live.get("running", [])
        last = max(live.get("success", []), default=None)
        return last if last and not any(other <= last for other in under_way) else None

    return until(loaded)


def test_a_backfill_in_either_direction_beside_live_runs_moves_nothing(stack: Stack) -> None:
    """Forty minutes of five-minute runs, most from before the stack was there: four at a time."""
    last = _newest_interval_that_is_over(stack)
    ((was,),) = stack.query("select max(run) from sync.run")
    _backfill(stack, last - 7 * FIVE, last, backwards=False)
    _backfill(stack, last - 7 * FIVE, last, backwards=True)
    runs = stack.query(
        "select state, rows_written from sync.run where run > %s and trigger = 'backfill'", was
    )
    assert len(runs) >= 2 * (8 + 8), "two clubs, each in every interval"
    assert {state for state, _ in runs} == {"done"}
    assert sum(written for _, written in runs) == 0
    assert {
        run["state"] for run in stack.api.runs("sync_eversports") if run["run_type"] == "backfill"
    } == {"success"}


# --- R27: nudges --------------------------------------------------------------------------------


def test_a_burst_of_webhooks_reads_every_club_in_a_handful_of_runs(stack: Stack) -> None:
    """Two hundred in a moment, each twice and in any order."""
    clubs = [club.id for club in CLUBS[:5]]
    messages = [(club, f"{club}-{n}") for club in clubs for n in range(20)] * 2
    random.Random(7).shuffle(messages)
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}/clubsync/webhooks"
    signer = Webhook(WEBHOOK_SECRET)
    before = {run["dag_run_id"] for run in stack.api.runs("sync_one")}

    def send(message: tuple[str, str]) -> int:
        club, message_id = message
        now, body = datetime.now(UTC), json.dumps({"type": "customer.changed"})
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message_id, now, body),
        }
        with _session() as session:
            return session.post(
                f"{url}/{club}", data=body, headers=headers, timeout=120
            ).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, messages)) == {requests.codes.accepted}

    def answered() -> bool:
        waiting = stack.query("select count(*) from sync.nudge where taken_at is null")
        return waiting == [(0,)]

    assert until(answered)
    ((taken,),) = stack.query("select count(*) from sync.nudge where source = 'webhook'")
    assert taken == len(messages) // 2, "a double is the same nudge"
    after = {run["dag_run_id"] for run in stack.api.runs("sync_one")} - before
    assert len(clubs) <= len(after) <= 3 * len(clubs), after


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 401),
        ({"webhook-signature": "nonsense"}, b"{}", 401),
        ({"webhook-signature": "v1,AAAA"}, b"{}", 401),
        ({"webhook-timestamp": "1700000000"}, b"{}", 401),
        ({}, b"\xff\xfe", 401),
        ({}, b"x" * 300_000, 413),
    ],
    ids=["unsigned", "malformed", "wrong", "old", "no text", "too large"],
)
def test_a_webhook_that_is_not_the_erps_is_refused(
    stack: Stack, headers: dict[str, str], body: bytes, status: int
) -> None:
    now = datetime.now(UTC)
    known = {"webhook-id": "forged", "webhook-timestamp": str(int(now.timestamp()))}
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}/clubsync/webhooks/{CLUBS[0].id}"
    with _session() as session:
        answer = session.post(url, data=body, headers={**known, **headers}, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert stack.query("select 1 from sync.nudge where message_id = 'forged'") == []


def test_sync_now_is_for_those_who_may_start_runs(stack: Stack) -> None:
    path = f"/clubsync/clubs/{OURS}/sync"
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
    with _session() as session:
        assert session.post(url + path, timeout=60).status_code == requests.codes.unauthorized
    assert _call(stack, "viewer", "POST", path).status_code == requests.codes.forbidden
    answer = _call(stack, "support", "POST", path)
    assert answer.status_code == requests.codes.accepted
    run_id = answer.json()["run"]

    def done() -> bool:
        states = {run["dag_run_id"]: run["state"] for run in stack.api.runs("sync_one")}
        return states.get(run_id) == "success"

    assert until(done)
    nobody = _call(stack, "support", "POST", "/clubsync/clubs/nobody/sync")
    assert nobody.status_code == requests.codes.not_found
