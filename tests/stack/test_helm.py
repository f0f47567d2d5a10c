"""deploy/values.yaml, for Airflow's official Helm chart, runs what docker-compose.yaml runs, with the same settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import environment, processes, watchdog
from tests.stack.test_compose import interpolated

ROOT = Path(__file__).resolve().parents[2]
VALUES = ROOT / "deploy" / "values.yaml"

#: Key of the chart -> the part that it runs.
PARTS = {
    "apiServer": "api-server",
    "scheduler": "scheduler",
    "dagProcessor": "dag-processor",
    "triggerer": "triggerer",
    "workers.celery": "worker",
}
#: What the chart itself sets, from its own values and from the secrets that the file names.
OF_THE_CHART = {
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__BROKER_URL",
}
#: What a production does not have: the simple auth manager, the simulated ERPs, and what is right by default here.
NOT_NEEDED = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__KEYCLOAK_AUTH_MANAGER__SERVER_URL",
    "AIRFLOW__KEYCLOAK_AUTH_MANAGER__REALM",
    "AIRFLOW__KEYCLOAK_AUTH_MANAGER__CLIENT_ID",
    "AIRFLOW__KEYCLOAK_AUTH_MANAGER__CLIENT_SECRET",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__WORKERS",
    "CLUBSYNC_SANDBOX_DIR",
    "CLUBSYNC_POOL_SLOTS",
}
#: What a production sets otherwise.
DIFFERENT = {
    "AIRFLOW__CORE__AUTH_MANAGER": environment.FAB,
    "AIRFLOW__FAB__COOKIE_SECURE": "True",
}
_POD = (
    *("args", "env", "extraContainers", "livenessProbe", "logGroomerSidecar", "replicas"),
    *("resources", "terminationGracePeriodSeconds"),
)
#: The documented values of chart 1.22.0 that the file uses; lists and what has keys of one's own end a path.
DOCUMENTED = {
    *("airflowVersion", "useStandardNaming", "fullnameOverride", "uid", "gid", "executor"),
    *("allowPodLaunching", "airflowLocalSettings", "env", "secret", "volumes", "volumeMounts"),
    *("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"),
    *("data.metadataSecretName", "data.resultBackendSecretName", "data.brokerUrlSecretName"),
    *("images.airflow.repository", "images.airflow.tag"),
    *("logs.persistence.enabled", "logs.persistence.existingClaim"),
    *("migrateDatabaseJob.args", "migrateDatabaseJob.env", "createUserJob.enabled"),
    *(f"{part}.{key}" for part in PARTS for key in _POD),
    *(f"{part}.startupProbe" for part in ("apiServer", "scheduler")),
    *(f"{part}.persistence.enabled" for part in ("triggerer", "workers.celery", "redis")),
    "apiServer.podDisruptionBudget.enabled",
    *("pgbouncer.enabled", "pgbouncer.configSecretName"),
    "pgbouncer.metricsExporterSidecar.statsSecretName",
    *("redis.enabled", "redis.passwordSecretName", "redis.terminationGracePeriodSeconds"),
    *(f"{part}.enabled" for part in ("postgresql", "statsd", "flower", "networkPolicies")),
    *("ingress.apiServer.enabled", "ingress.apiServer.hosts"),
}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(yaml.safe_load(VALUES.read_text()))


@pytest.fixture(scope="module")
def given(values: dict[str, Any]) -> dict[str, str]:
    """Environment variable -> value, of all containers."""
    return {one["name"]: one["value"] for one in values["env"]}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(interpolated((ROOT / "docker-compose.yaml").read_text())))


def _at(values: dict[str, Any], path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


def _paths(values: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        path = f"{above}{key}"
        if path in DOCUMENTED or not isinstance(value, dict):
            yield path
        else:
            yield from _paths(value, f"{path}.")


def test_every_value_is_one_of_the_chart(values: dict[str, Any]) -> None:
    """Helm ignores a misspelt one without a word."""
    assert [path for path in _paths(values) if path not in DOCUMENTED] == []
    assert "its version 1.22.0" in VALUES.read_text()


def test_shared_settings_are_the_same(given: dict[str, str]) -> None:
    wanted = {**environment.SHARED, **environment.CELERY, **DIFFERENT}
    known = {k: v for k, v in wanted.items() if k not in OF_THE_CHART | NOT_NEEDED}
    assert {name: given.get(name) for name in known} == known


def test_every_setting_of_compose_has_its_counterpart(
    values: dict[str, Any], given: dict[str, str], compose: dict[str, Any]
) -> None:
    assert len(values["env"]) == len(given), "a name stands twice"
    known = {*given, *(one["envName"] for one in values["secret"]), *OF_THE_CHART, *NOT_NEEDED}
    assert set(compose["x-environment"]) - known == set()
    assert set(given) - set(compose["x-environment"]) == set()
    assert set(given) & (OF_THE_CHART | NOT_NEEDED) == set()


def test_it_runs_the_same_processes(values: dict[str, Any], compose: dict[str, Any]) -> None:
    for path, part in PARTS.items():
        pod = _at(values, path)
        command = compose["services"][part]["command"]
        # the chart's own, if nothing is said
        args = pod.get("args", ["bash", "-c", f"exec airflow {part}"])
        assert args == ["bash", "-c", f"exec {' '.join(command)}"]
    (tidy,) = values["scheduler"]["extraContainers"]
    assert tidy["args"] == compose["services"]["tidy"]["command"]
    migrate = ["bash", "-c", f"exec {' '.join(compose['services']['migrate']['command'])}"]
    assert values["migrateDatabaseJob"]["args"] == migrate


def test_what_stands_still_is_started_again(values: dict[str, Any]) -> None:
    """As with Compose; here Kubernetes ends the container, and starts another one."""
    for path, part in PARTS.items():
        if part == "api-server":
            continue
        check = ["python", *processes.watchdog().command[1:], "--check", part]
        probe = _at(values, path)["livenessProbe"]
        assert probe["command"] == check
        assert probe["periodSeconds"] * probe["failureThreshold"] <= 30
    assert {part for part in PARTS.values() if part != "api-server"} == {
        *watchdog.JOBS,
        watchdog.WORKER,
    }


def test_a_worker_may_finish_its_tasks(values: dict[str, Any], compose: dict[str, Any]) -> None:
    assert compose["services"]["worker"]["stop_grace_period"] == "10m"
    assert values["workers"]["celery"]["terminationGracePeriodSeconds"] == 600


def test_r21_no_secret_is_in_the_file_and_only_the_migrations_know_the_owner(
    values: dict[str, Any],
) -> None:
    assert not re.search(r"(?i)(password|secret|key): *[\"']?\S*://", VALUES.read_text())
    named = {one["envName"]: one["secretName"] for one in values["secret"]}
    assert named.keys() == {"CLUBSYNC_DATABASE", "CLUBSYNC_STORE_KEY"}
    (owner,) = values["migrateDatabaseJob"]["env"]
    assert owner["name"] == "CLUBSYNC_DATABASE_OWNER"
    assert "secretKeyRef" in owner["valueFrom"]
    assert VALUES.read_text().count("CLUBSYNC_DATABASE_OWNER") == 1


def test_every_secret_is_explained(values: dict[str, Any]) -> None:
    """An installation stops at the first one that is not there."""
    text = VALUES.read_text()
    names = set(re.findall(r"(?:[sS]ecretName|name): (clubsync-[\w-]+)$", text, re.MULTILINE))
    described = (ROOT / "docs" / "operating.md").read_text()
    assert len(names) > 9
    assert {name for name in names if f"`{name}`" not in described} == set()
