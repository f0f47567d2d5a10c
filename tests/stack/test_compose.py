"""docker-compose.yaml is a Compose file, and runs what `make up` runs, with the same settings."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from compose_spec import PyCompose

from clubsync.operate import keeping
from clubsync.store.embedded import SETTINGS, Server
from clubsync.store.logins import LOGIN, OWNER
from stack import broker, environment, processes, watchdog

ROOT = Path(__file__).resolve().parents[2]

# What differs by its nature; everything else that make up sets has to be set.
ONE_MACHINE_ONLY = {"CLUBSYNC_STACK", "SPT_NOENV"}


def interpolated(text: str) -> str:
    """Compose's own ${NAME:-default} and ${NAME:?message}, with nothing set but what is required."""

    def value(match: re.Match[str]) -> str:
        return match["default"] if match["kind"] == ":-" else "given"

    return re.sub(r"\$\{(?P<name>\w+)((?P<kind>:[-?])(?P<default>[^}]*))?\}", value, text)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yaml").read_text()
    return dict(yaml.safe_load(interpolated(text)))


@pytest.fixture(params=[False, True], ids=["up", "cluster"])
def local(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    instance = environment.Instance(var=tmp_path, cluster=request.param)
    return environment.of_one_machine(instance, Server(tmp_path, tmp_path))


def test_it_is_a_valid_compose_file(compose: dict[str, Any]) -> None:
    services = PyCompose.from_yaml(yaml.safe_dump(compose)).service_names()
    assert {"postgres", "redis", "worker"} <= set(services)


def test_shared_settings_are_the_same(compose: dict[str, Any]) -> None:
    given = compose["x-environment"]
    assert {name: given.get(name) for name in environment.SHARED} == environment.SHARED


def test_celery_has_the_settings_of_make_cluster(compose: dict[str, Any]) -> None:
    given = compose["x-environment"]
    assert {name: given.get(name) for name in environment.CELERY} == environment.CELERY


def test_r25_what_a_killed_worker_had_is_sent_again_well_before_the_next_reading_is_late(
    compose: dict[str, Any],
) -> None:
    """R25: a club's cadence and a minute; a run begins within the cadence, and its tasks again within the minute."""
    celery = environment.CELERY

    def seconds(name: str) -> float:
        return float(celery[f"AIRFLOW__SCHEDULER__{name}"])

    taken = seconds("TASK_QUEUED_TIMEOUT") + seconds("TASK_QUEUED_TIMEOUT_CHECK_INTERVAL")
    assert taken < 60
    extra = json.loads(environment.CELERY["AIRFLOW__CELERY__EXTRA_CELERY_CONFIG"])
    expires = extra["task_annotations"]["execute_workload"]["expires"]
    assert taken < expires <= taken + 2, "expired as soon as it is sent again, and not before"
    # Airflow's token for the beginning of a task is valid for as long as it may be queued
    valid = seconds("TASK_QUEUED_TIMEOUT") + float(celery["AIRFLOW__API_AUTH__JWT_LEEWAY"])
    assert valid >= 600, "a worker that is slow to begin would be refused"
    assert not {name for name in environment.SHARED if "TASK_QUEUED_TIMEOUT" in name}, (
        "the local executor sends nothing again"
    )
    assert seconds("NUM_STUCK_IN_QUEUED_RETRIES") >= 100, (
        "a task that waits behind others is not failed"
    )
    assert int(compose["x-environment"]["AIRFLOW__CORE__PARALLELISM"]) >= 2 * int(
        compose["x-environment"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    )


def test_every_setting_of_one_machine_has_its_counterpart(
    compose: dict[str, Any], local: dict[str, str]
) -> None:
    missing = set(local) - set(compose["x-environment"]) - ONE_MACHINE_ONLY
    assert missing == set()


def test_postgresql_has_the_same_settings(compose: dict[str, Any]) -> None:
    program, *options = compose["services"]["postgres"]["command"]
    given = dict(option.removeprefix("-c").split("=", 1) for option in options)
    assert program == "postgres"
    # workers on several machines take more of them
    assert int(given.pop("max_connections")) > int(SETTINGS["max_connections"])
    assert given == {name: SETTINGS[name] for name in given}
    assert given.keys() > {"shared_buffers", "wal_buffers", "wal_writer_delay", "max_wal_size"}


def test_it_runs_the_same_airflow_processes_with_the_same_commands(compose: dict[str, Any]) -> None:
    executor = compose["x-environment"]["AIRFLOW__CORE__EXECUTOR"]
    for process in processes.airflow(executor):
        command = ["airflow", *process.command[1:]]
        assert compose["services"][process.name]["command"] == command


def test_what_stands_still_is_started_again_as_on_one_machine(compose: dict[str, Any]) -> None:
    """The watchdog of one machine kills any process of it; in Compose each container has its own."""
    for part in (*watchdog.JOBS, watchdog.WORKER):
        service = compose["services"][part]
        check = ["CMD", "python", *processes.watchdog().command[1:], "--check", part, "--kill"]
        assert service["healthcheck"]["test"] == check
        assert service["init"], "the first process of a container cannot be killed from inside"
        assert service["restart"] == "unless-stopped"


def test_redis_has_a_password_and_keeps_nothing_on_both(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    redis = compose["services"]["redis"]
    assert redis["command"][1:] == ["--requirepass", "given", "--save", "", "--appendonly", "no"]
    instance = environment.Instance(var=tmp_path, cluster=True)
    path = broker.configuration(instance)
    lines = path.read_text().splitlines()
    password = environment.redis_password(instance)
    assert {
        f"requirepass {password}",
        "set-proc-title no",
        "bind 127.0.0.1",
        'save ""',
        "appendonly no",
    } <= {*lines}
    assert path.stat().st_mode & 0o077 == 0
    assert (
        password
        in environment.of_one_machine(instance, Server(tmp_path, tmp_path))[
            "AIRFLOW__CELERY__BROKER_URL"
        ]
    )


def test_it_deletes_what_is_too_old_as_make_up_does(compose: dict[str, Any]) -> None:
    assert compose["services"]["tidy"]["command"] == ["python", *processes.tidy().command[1:]]
    given = compose["x-environment"]
    assert {name: int(given[name]) for name in keeping.DEFAULTS} == keeping.DEFAULTS


def test_airflow_starts_after_the_migrations_and_they_after_the_databases(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert set(services["migrate"]["depends_on"]) == {"postgres", "redis"}
    for name in (p.name for p in processes.airflow("CeleryExecutor")):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_r21_only_the_migrations_know_the_owner_of_the_club_base(compose: dict[str, Any]) -> None:
    knowing = {
        name
        for name, service in compose["services"].items()
        if OWNER in (service.get("environment") or {})
    }
    assert knowing == {"migrate"}
    assert f"//{LOGIN}:" in compose["x-environment"]["CLUBSYNC_DATABASE"]
    assert "//clubsync:" in compose["services"]["migrate"]["environment"][OWNER]


def test_r21_only_the_migrations_may_administer_the_server(compose: dict[str, Any]) -> None:
    """Airflow's processes run the Dags and the pages: they are given roles that own one database, or nothing."""
    superuser = compose["services"]["postgres"]["environment"]["POSTGRES_USER"]
    given = compose["x-environment"]
    users = {
        name: sa.make_url(value.removeprefix("db+")).username
        for name, value in given.items()
        if "@postgres/" in str(value)
    }
    assert users == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "airflow",
        "AIRFLOW__CELERY__RESULT_BACKEND": "airflow",
        "CLUBSYNC_DATABASE": LOGIN,
    }
    assert superuser not in users.values()
    text = (ROOT / "docker-compose.yaml").read_text()
    shared = text.split("x-environment:")[1].split("x-airflow:")[0]
    assert "POSTGRES_PASSWORD" not in shared


def test_r21_make_up_gives_the_owner_to_the_migrations_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, server = environment.Instance(var=tmp_path), Server(tmp_path, tmp_path)
    monkeypatch.delenv("CLUBSYNC_DATABASE", raising=False)
    settings = environment.local(instance, server)
    assert settings["CLUBSYNC_DATABASE"] == server.url("clubsync", user=LOGIN)
    assert environment.as_owner(settings, server)[OWNER] == server.url("clubsync")
    # a server of one's own
    monkeypatch.setenv("CLUBSYNC_DATABASE", "postgresql://engine:x@elsewhere/clubsync")
    assert OWNER not in environment.as_owner(environment.local(instance, server), server)
    monkeypatch.setenv(OWNER, "postgresql://owner:x@elsewhere/clubsync")
    settings = environment.local(instance, server)
    assert OWNER not in settings
    assert environment.as_owner(settings, server)[OWNER] == os.environ[OWNER]


def test_only_the_user_interface_is_reachable_and_only_from_this_machine(
    compose: dict[str, Any],
) -> None:
    published = {n: s["ports"] for n, s in compose["services"].items() if "ports" in s}
    assert published == {"api-server": ["127.0.0.1:8080:8080"]}


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    for line in text.splitlines():
        if re.search(r"(KEY|SECRET|PASSWORD):", line):
            assert ":?" in line or line.endswith(":-}"), line  # an empty one is none


def test_only_the_demo_has_the_packages_of_the_simulated_erps(compose: dict[str, Any]) -> None:
    """Tryton's licence and the simulated ERPs stay out of the image that production runs."""
    default = re.search(r"^ARG LOCK=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert default is not None
    production = str(default[1])
    assert production == "requirements-runtime.lock"
    images: dict[str, set[str]] = {}
    for service in compose["services"].values():
        if "build" in service:
            build = service["build"]
            args = build.get("args", {}) if isinstance(build, dict) else {}
            images.setdefault(service["image"], set()).add(args.get("LOCK", production))
            assert (service.get("profiles") == ["demo"]) == ("LOCK" in args)
    assert sorted(images.values(), key=sorted) == [
        {production},
        {"requirements.lock"},
    ]
