"""Start everything in order, printing one line per step; does nothing to what already runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from dotenv import set_key
from rich.console import Console

from clubsync.cli.terminal import text
from clubsync.store import embedded, encryption
from stack import accounts, broker, checks, demo, first_sync, processes
from stack.airflow_api import AirflowApi
from stack.environment import ROOT, Instance, as_owner, config_path, local
from stack.migrate import MigrationError, create_databases, migrate
from stack.supervision import StackError, Supervisor

CODE = ("clubsync", "connectors", "plugins", "sandbox", "stack", "sql", "expectations", "config")

PATIENCE = 420.0
"""Seconds for each step; a loaded machine is slow."""


def up(instance: Instance, console: Console) -> None:
    """Start the stack and show the first sync of each club.

    :raises StackError: something has to be fixed first; the message says what.
    """
    started, since = time.monotonic(), datetime.now(UTC)
    supervisor = Supervisor(instance)
    checks.disk(instance.var)
    checks.private(instance.var, console)
    checks.clubs(config_path())
    environment = settings(instance)
    state = _state(environment)
    if supervisor.pid is not None and _stored(supervisor) != state:
        with _step(console, "Code or settings changed: stopping the old processes"):
            supervisor.shut_down(60)
    fresh = supervisor.pid is None
    if fresh:
        checks.end(checks.leftovers(instance.var))
        own = {"CLUBSYNC_REDIS_PORT": instance.redis_port} if instance.cluster else {}
        checks.ports({"CLUBSYNC_PORT": instance.port, **own, **demo.ports(instance)})
        everything = [
            processes.postgres(instance),
            *broker.processes(instance),
            *demo.processes(instance),
            *_airflow(instance, environment),
        ]
        supervisor.launch(everything, environment)
    _write_shell_settings(instance, environment)
    waited = None
    try:
        users = _start(instance, supervisor, environment, console, fresh=fresh)
        api = AirflowApi(instance.url, "admin", users.get("admin", ""))
        with _step(console, "Airflow"):
            _await(supervisor, lambda: _healthy(api), "Airflow is not healthy")
        (supervisor.folder / "state.json").write_text(json.dumps(state))
        if "admin" in users:
            with _step(console, "Dags"):
                _await(supervisor, lambda: bool(api.dags()), "Airflow has no Dags")
                _unpause(api, console)
            with _step(console, "First sync of every club" if fresh else "Last syncs"):
                waited = first_sync.wait(
                    api, environment, since=since if fresh else None, patience=PATIENCE
                )
    except StackError:
        console.print(
            f"Logs are in {instance.logs}; `make down` stops everything that was started."
        )
        raise
    console.print(f"\nReady after {time.monotonic() - started:.0f} s.")
    if waited is None:
        console.print("Log in to see the Dags and the syncs; `clubsync clubs` lists them, too.")
    else:
        first_sync.show(console, environment, waited)
    show_address(instance, console, accounts.stored(environment))


def _unpause(api: AirflowApi, console: Console) -> None:
    """Let our Dags run, and print the errors of those that cannot be imported."""
    for dag in api.dags():
        if dag["is_paused"] and "clubsync" in {tag["name"] for tag in dag["tags"]}:
            api.unpause(dag["dag_id"])
    for error in api.import_errors():
        lines = error["stack_trace"].splitlines() or [""]
        console.print(text(f"{error['filename']}: {lines[-1]}", "red"))


def settings(instance: Instance) -> dict[str, str]:
    """The environment of the processes of this stack; variables of the caller win."""
    return {
        **demo.environment(instance),
        **local(instance, embedded.locate(instance.postgres)),
    }


def show_address(instance: Instance, console: Console, users: Mapping[str, str]) -> None:
    """Print the addresses and the users with their passwords."""
    console.print(f"\nAirflow: [bold]{instance.url}")
    for user, password in users.items():
        console.print(f"  {user} / {password}", highlight=False)
    for line in demo.addresses(instance):
        console.print(line, highlight=False)


def _write_shell_settings(instance: Instance, environment: Mapping[str, str]) -> None:
    """Store the database and connections of this stack for the `clubsync` command.

    The file contains passwords, so only its owner can read it.
    """
    path = instance.var / "clubsync.env"
    path.touch(mode=0o600)
    path.write_text("")
    # a key beside what it encrypts protects nothing
    kept_out = {"CLUBSYNC_NOW", encryption.VARIABLE}
    for name in sorted(environment):
        if name.startswith(("AIRFLOW_CONN_", "CLUBSYNC_")) and name not in kept_out:
            set_key(path, name, environment[name])


def _start(
    instance: Instance,
    supervisor: Supervisor,
    environment: Mapping[str, str],
    console: Console,
    *,
    fresh: bool,
) -> dict[str, str]:
    """Start every process.

    :returns: user -> password of the accounts whose passwords are known.
    """
    with _step(console, "PostgreSQL"):
        supervisor.start("postgres")
        _await(
            supervisor,
            lambda: embedded.status(instance.postgres) is not None,
            "PostgreSQL is not ready",
        )
        create_databases(as_owner(environment, embedded.locate(instance.postgres)))
    for process in (*broker.processes(instance), *demo.processes(instance)):
        supervisor.start(process.name)
    if instance.cluster:
        with _step(console, "Redis"):
            _await(supervisor, lambda: broker.ready(instance), "Redis is not ready")
    if fresh:
        with _step(console, "Databases"):
            try:
                owning = as_owner(environment, embedded.locate(instance.postgres))
                migrate(owning, instance.logs)
            except MigrationError as error:
                raise StackError(str(error)) from None
    try:
        made = accounts.prepare(environment)
    except accounts.AccountError as error:
        raise StackError(str(error)) from None
    stored = accounts.stored(environment)
    for user in made.keys() - stored.keys():
        console.print(f"  {user} / {made[user]} (shown only once)", highlight=False)
    supervisor.start("api-server")
    if demo.processes(instance):
        with _step(console, "Simulated ERPs"):
            _await(supervisor, lambda: demo.ready(instance), "the simulated ERPs are not ready")
    for process in _airflow(instance, environment):
        supervisor.start(process.name)
    return {**stored, **made}


def _airflow(instance: Instance, environment: Mapping[str, str]) -> list[processes.Process]:
    """The processes of Airflow, and those that look after it."""
    executor = environment["AIRFLOW__CORE__EXECUTOR"]
    workers = processes.WORKERS if instance.cluster else ("worker",)
    return [
        *processes.airflow(executor, workers),
        processes.watchdog(),
        processes.tidy(),
    ]


def _healthy(api: AirflowApi) -> bool:
    health = api.health()
    return bool(health) and all(state == "healthy" for state in health.values())


def _await(supervisor: Supervisor, ready: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        supervisor.fail_if_dead()
        if time.monotonic() > deadline:
            raise StackError(f"After {PATIENCE:.0f} s, {otherwise}.")
        time.sleep(0.2)


@contextlib.contextmanager
def _step(console: Console, title: str) -> Iterator[None]:
    started = time.monotonic()
    console.print(f"  {title} …", end="")
    try:
        yield
    except BaseException:
        console.print(" [red]failed")
        raise
    console.print(f" {time.monotonic() - started:.1f} s", highlight=False)


def _state(environment: Mapping[str, str]) -> dict[str, str]:
    """Digests of the settings, code and packages that processes start with."""
    settings = {k: v for k, v in environment.items() if k.startswith(("AIRFLOW", "CLUBSYNC", "GX"))}
    code = hashlib.sha256()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                code.update(f"{path}{path.stat().st_mtime_ns}".encode())
    return {
        "settings": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "code": code.hexdigest(),
        "packages": hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest(),
    }


def _stored(supervisor: Supervisor) -> dict[str, str] | None:
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, str] = json.loads((supervisor.folder / "state.json").read_text())
        return found
    return None
