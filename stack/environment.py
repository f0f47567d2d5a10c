"""Every setting that the processes are started with, in one place.

``SHARED`` holds wherever clubsync runs; ``docker-compose.yaml`` is tested against it. ``local`` adds
what only one machine has: its paths, its ports, its secrets.
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clubsync import embedded

ROOT = Path(__file__).resolve().parent.parent

USERS = {"admin": "admin", "support": "user", "viewer": "viewer"}
"""Airflow's log-ins and their roles. Support triggers, clears and approves; viewers read."""

SHARED: Mapping[str, str] = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # A sync that is there is meant to run; a club is paused in the club base (R28), not here.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in USERS.items()),
    "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
    # Whoever may edit connections may also test them; a test runs in the api-server.
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__API__INSTANCE_NAME": "clubsync",
    "AIRFLOW__API__EXPOSE_CONFIG": "False",
    # A sync is a chain of short tasks, and a second's pause before each is most of its time.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # clubs.yaml is read when a Dag file is parsed; more often would be most of the idle cost.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "GX_ANALYTICS_ENABLED": "false",
    # Each task is one of several processes on the same cores.
    "POLARS_MAX_THREADS": "2",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Place:
    """Where this machine's stack lives and listens. All ports are of 127.0.0.1."""

    var: Path
    port: int = 8080

    @classmethod
    def from_environment(cls) -> Place:
        """``CLUBSYNC_VAR`` (default ``var`` in the project) and ``CLUBSYNC_PORT``."""
        return cls(
            var=Path(os.environ.get("CLUBSYNC_VAR") or ROOT / "var").absolute(),
            port=int(os.environ.get("CLUBSYNC_PORT") or cls.port),
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
    def passwords(self) -> Path:
        """Airflow's log-ins: a JSON object, name to password."""
        return self.airflow / "passwords.json"


def local(place: Place, server: embedded.Server) -> dict[str, str]:
    """The whole environment of this machine's processes: our settings, and what the caller has
    exported (a database of their own, connections, another clubs.yaml), which goes first."""
    settings = of_one_machine(place, server)
    environment = {**settings, **_exported(settings)}
    # Without .pyc files every import costs 2.5 times as much.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def of_one_machine(place: Place, server: embedded.Server) -> dict[str, str]:
    """Our own settings, of one machine with the embedded PostgreSQL."""
    keep = _secrets(place)
    return {
        **SHARED,
        "AIRFLOW_HOME": str(place.airflow),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(4 * (os.cpu_count() or 1)),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(place.passwords),
        "AIRFLOW__CORE__FERNET_KEY": keep["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{place.url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(place.port),
        "AIRFLOW__API__BASE_URL": place.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keep["secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keep["jwt_secret"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url("airflow", driver="psycopg2"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(place.logs / "airflow"),
        "CLUBSYNC_VAR": str(place.var),
        "CLUBSYNC_CONFIG": str(config_path()),
        "CLUBSYNC_DATABASE": server.url("clubsync"),
        "CLUBSYNC_SNAPSHOTS": str(place.var / "snapshots"),
        "CLUBSYNC_STACK": str(place.var),  # by which `make down` finds what is left
    }


def config_path() -> Path:
    """clubs.yaml: ``CLUBSYNC_CONFIG``, else the project's own."""
    return Path(os.environ.get("CLUBSYNC_CONFIG") or ROOT / "config" / "clubs.yaml").absolute()


def logins(place: Place) -> dict[str, str]:
    """Airflow's log-ins and passwords of this machine."""
    return keep_logins(place.passwords)


def keep_logins(path: Path) -> dict[str, str]:
    """User to password, as the file has them; those that are missing are made and kept there."""
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {user: found.get(user) or secrets.token_urlsafe(9) for user in USERS}
    if wanted != found:
        _write_private(path, wanted)
    return wanted


def _secrets(place: Place) -> dict[str, str]:
    """Keys that must outlive a restart: what Airflow encrypts and signs with."""
    path = place.var / "secrets.json"
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    made = {
        "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "secret_key": secrets.token_urlsafe(32),
        "jwt_secret": secrets.token_urlsafe(48),
    }
    _write_private(path, made)
    return made


def _write_private(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)


def _exported(settings: Mapping[str, str]) -> dict[str, str]:
    """What the caller has in their own environment. Where the stack lives is not theirs to say."""
    ours = {"AIRFLOW_HOME", "CLUBSYNC_VAR", "CLUBSYNC_STACK"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours or name not in settings
    }
