"""Every setting that the processes start with.

``SHARED`` applies to every deployment; a test compares ``docker-compose.yaml`` with it. ``local`` adds the settings
of one machine: its paths, ports and secrets.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clubsync.store import embedded
from clubsync.store.logins import LOGIN, OWNER

ROOT = Path(__file__).resolve().parent.parent

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
KEYCLOAK = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"
"""Who checks logins and roles: values of ``AIRFLOW__CORE__AUTH_MANAGER`` (docs/operating.md, Login)."""

USERS = {"admin": "admin", "support": "user", "viewer": "viewer"}
"""Users of the simple auth manager and their roles. Support can trigger, clear and approve; viewers can only read."""

SHARED: Mapping[str, str] = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Sync Dags run as soon as they exist; a single club is paused in the club base (R28), not here.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__AUTH_MANAGER": SIMPLE,
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in USERS.items()),
    "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
    # Users who may edit connections may also test them; a test runs in the api-server.
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__API__INSTANCE_NAME": "clubsync",
    "AIRFLOW__API__EXPOSE_CONFIG": "False",
    # Where Airflow is reached by HTTPS only, as in production, this is True.
    "AIRFLOW__FAB__COOKIE_SECURE": "False",
    # A sync is a chain of short tasks: a pause of a second before each would be most of its duration.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # What a killed process was doing is begun again within a minute and a half, not after five minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    # Logs are read by their owner only, whatever else is set on the machine.
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
    # Parsing a Dag file reads clubs.yaml; a shorter interval would be most of the CPU use when idle.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    # a load of hundreds of clubs ends with an asset event for each that it changed
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "GX_ANALYTICS_ENABLED": "false",
    # Several task processes share the same cores, and a join of a few rows by two threads takes twice the CPU.
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}

CELERY: Mapping[str, str] = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    # A task that a worker had taken and not begun, or that Redis has lost, is sent again after half a minute, not after
    # ten; whoever has waited behind others is sent again too, and does not fail for it.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    # With the first of these, the token with which a task begins is valid for half a minute: on a slow machine that is
    # too short. This adds what is missing from the ten minutes of Airflow's default.
    "AIRFLOW__API_AUTH__JWT_LEEWAY": "580",
    # A worker takes no more than it can begin, and a task stays in Redis until it has ended.
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
    # A task that was sent again expires in the queue: if workers began both, the scheduler would never hear of the
    # second, and count it as running for good. A second longer than it takes to send it again.
    "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": '{"task_annotations": {"execute_workload": {"expires": 33}}}',
    # Redis gives to nobody else what a worker has taken: the scheduler knows better whether it lives, see above.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
}
"""With the Celery executor, besides: ``make cluster``, Docker Compose and Kubernetes."""


@dataclass(frozen=True)
class Instance:
    """The stack of this machine: its data folder, and its port on 127.0.0.1.

    :param cluster: whether Celery workers run the tasks, with Redis on `redis_port`.
    """

    var: Path
    port: int = 8080
    cluster: bool = False
    redis_port: int = 6380

    @classmethod
    def from_environment(cls, *, cluster: bool = False) -> Instance:
        """``CLUBSYNC_VAR`` (default ``var`` in the project), ``CLUBSYNC_PORT`` and ``CLUBSYNC_REDIS_PORT``."""
        return cls(
            var=Path(os.environ.get("CLUBSYNC_VAR") or ROOT / "var").absolute(),
            port=int(os.environ.get("CLUBSYNC_PORT") or cls.port),
            cluster=cluster,
            redis_port=int(os.environ.get("CLUBSYNC_REDIS_PORT") or cls.redis_port),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def airflow(self) -> Path:
        return self.var / "airflow"

    @property
    def logs(self) -> Path:
        return self.var / "logs"

    @property
    def redis(self) -> Path:
        return self.var / "redis"

    @property
    def passwords(self) -> Path:
        """The simple auth manager's file: a JSON object, user -> password."""
        return self.airflow / "passwords.json"


def local(instance: Instance, server: embedded.Server) -> dict[str, str]:
    """The complete environment of the processes on this machine.

    Variables that the caller has exported (a database, connections, another clubs.yaml) override our settings. The
    owner of the club base is left out: `as_owner`.
    """
    settings = of_one_machine(instance, server)
    environment = {**settings, **_exported(settings)}
    # Without .pyc files, imports take 2.5 times as long.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def of_one_machine(instance: Instance, server: embedded.Server) -> dict[str, str]:
    """Our settings for one machine with the embedded PostgreSQL."""
    secret = _secrets(instance)
    return {
        **SHARED,
        "AIRFLOW_HOME": str(instance.airflow),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(4 * (os.cpu_count() or 1)),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(instance.passwords),
        "AIRFLOW__CORE__FERNET_KEY": secret["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{instance.url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(instance.port),
        "AIRFLOW__API__BASE_URL": instance.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url("airflow", driver="psycopg2"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(instance.logs / "airflow"),
        "CLUBSYNC_VAR": str(instance.var),
        "CLUBSYNC_CONFIG": str(config_path()),
        "CLUBSYNC_DATABASE": server.url("clubsync", user=LOGIN),
        "CLUBSYNC_SNAPSHOTS": str(instance.var / "snapshots"),
        "CLUBSYNC_STACK": str(instance.var),  # `make down` finds leftover processes by it
        "SPT_NOENV": "1",  # Airflow's processes rename themselves: not over what says whose they are
        **(_of_the_cluster(instance) if instance.cluster else {}),
    }


def _of_the_cluster(instance: Instance) -> dict[str, str]:
    """What differs with Celery workers on this machine."""
    slots = 2 * (os.cpu_count() or 1)
    return {
        **CELERY,
        "AIRFLOW__CELERY__BROKER_URL": f"redis://:{redis_password(instance)}@127.0.0.1:{instance.redis_port}/0",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(slots),
        # twice what two workers run: what a killed one had taken counts until it is sent again
        "AIRFLOW__CORE__PARALLELISM": str(4 * slots),
    }


def as_owner(environment: Mapping[str, str], server: embedded.Server) -> dict[str, str]:
    """The environment of the migrations, with the owner of the club base; no other process is given it (R21).

    On a server of the caller's own they have exported it, or CLUBSYNC_DATABASE is the owner.
    """
    owner = os.environ.get(OWNER)
    if owner is None and environment["CLUBSYNC_DATABASE"] == server.url("clubsync", user=LOGIN):
        owner = server.url("clubsync")
    return {**environment, **({OWNER: owner} if owner else {})}


def config_path() -> Path:
    """clubs.yaml: ``CLUBSYNC_CONFIG``, else the project's own."""
    return Path(os.environ.get("CLUBSYNC_CONFIG") or ROOT / "config" / "clubs.yaml").absolute()


def keep_logins(path: Path) -> dict[str, str]:
    """User -> password from the file; missing passwords are generated and stored there."""
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {user: found.get(user) or secrets.token_urlsafe(9) for user in USERS}
    if wanted != found:
        _write_private(path, wanted)
    return wanted


def redis_password(instance: Instance) -> str:
    return _secrets(instance)["redis_password"]


def _secrets(instance: Instance) -> dict[str, str]:
    """Airflow's encryption and signing keys, which must survive a restart, and the password of Redis."""
    path = instance.var / "secrets.json"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {
        "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "secret_key": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(48),
        "redis_password": secrets.token_urlsafe(32),
    } | found
    if wanted != found:
        _write_private(path, wanted)
    return wanted


def _write_private(path: Path, content: object) -> None:
    """Write the file whole or not at all: what was interrupted half way could never be read again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
    Path(draft).replace(path)


def _exported(settings: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, without the variables that locate the stack."""
    ours = {"AIRFLOW_HOME", "CLUBSYNC_VAR", "CLUBSYNC_STACK"}
    return {
        name: value
        for name, value in os.environ.items()
        if (name not in ours or name not in settings) and name != OWNER
    }
