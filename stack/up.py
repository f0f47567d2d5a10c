"""Start everything, in order, with a line per step; harmless when everything runs already."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from dotenv import set_key
from rich.console import Console

from clubsync import embedded
from stack import checks, demo, first_sync, processes
from stack.airflow_api import AirflowApi
from stack.environment import ROOT, Place, config_path, local, logins
from stack.migrate import MigrationError, create_databases, migrate
from stack.supervision import StackError, Supervisor

CODE = ("clubsync", "connectors", "plugins", "sandbox", "stack", "sql", "expectations", "config")

PATIENCE = 420.0
"""Seconds for any one thing to become ready; a loaded machine is slow."""


def up(place: Place, console: Console) -> None:
    """Bring the stack of this place up and show what the first sync of each club did.

    :raises StackError: something has to be mended first, in plain words.
    """
    started, since = time.monotonic(), datetime.now(UTC)
    supervisor = Supervisor(place)
    checks.disk(place.var)
    checks.clubs(config_path())
    environment = {
        **demo.environment(place),
        **local(place, embedded.locate(place.postgres)),  # what the caller has set goes first
    }
    state = _state(environment)
    if supervisor.pid is not None and _stored(supervisor) != state:
        with _step(console, "Something changed: stopping what runs"):
            supervisor.shut_down(60)
    fresh = supervisor.pid is None
    if fresh:
        checks.end(checks.leftovers(place.var))
        checks.ports({"CLUBSYNC_PORT": place.port, **demo.ports(place)})
        everything = [
            processes.postgres(place),
            *demo.processes(place),
            *processes.airflow(environment["AIRFLOW__CORE__EXECUTOR"]),
        ]
        supervisor.launch(everything, environment)
    people = logins(place)
    _for_the_shell(place, environment)
    try:
        _start(place, supervisor, environment, console, fresh=fresh)
        api = AirflowApi(place.url, "admin", people["admin"])
        with _step(console, "Airflow"):
            _await(supervisor, lambda: _healthy(api), "Airflow is not healthy")
        (supervisor.folder / "state.json").write_text(json.dumps(state))
        with _step(console, "Dags"):
            _await(supervisor, lambda: bool(api.dags()), "no Dag has appeared")
            for dag in api.dags():
                if dag["is_paused"] and "clubsync" in {tag["name"] for tag in dag["tags"]}:
                    api.unpause(dag["dag_id"])
            for error in api.import_errors():
                console.print(f"[red]{error['filename']}: {error['stack_trace'].splitlines()[-1]}")
        with _step(console, "First sync of every club" if fresh else "Last syncs"):
            waited = first_sync.wait(
                api, environment, since=since if fresh else None, patience=PATIENCE
            )
    except StackError:
        console.print(f"Logs are in {place.logs}; `make down` stops what has started.")
        raise
    console.print(f"\nUp after {time.monotonic() - started:.0f} s.")
    first_sync.show(console, environment, waited)
    show_address(place, console)


def show_address(place: Place, console: Console) -> None:
    """Where it is and how to log in."""
    console.print(f"\nAirflow: [bold]{place.url}")
    for user, password in logins(place).items():
        console.print(f"  {user} / {password}", highlight=False)
    for line in demo.addresses(place):
        console.print(line, highlight=False)


def _for_the_shell(place: Place, environment: Mapping[str, str]) -> None:
    """What the `clubsync` command has to know of this stack: its data base and connections. The file
    holds passwords, so it is its owner's alone."""
    path = place.var / "clubsync.env"
    path.touch(mode=0o600)
    path.write_text("")
    for name in sorted(environment):
        if name.startswith(("AIRFLOW_CONN_", "CLUBSYNC_")) and name != "CLUBSYNC_NOW":
            set_key(path, name, environment[name])


def _start(
    place: Place,
    supervisor: Supervisor,
    environment: Mapping[str, str],
    console: Console,
    *,
    fresh: bool,
) -> None:
    with _step(console, "PostgreSQL"):
        supervisor.start("postgres")
        _await(supervisor, lambda: embedded.status(place.postgres) is not None, "PostgreSQL")
        create_databases(environment)
    for process in demo.processes(place):
        supervisor.start(process.name)
    if fresh:
        with _step(console, "Databases"):
            try:
                migrate(environment, place.logs)
            except MigrationError as error:
                raise StackError(str(error)) from None
    supervisor.start("api-server")
    if demo.processes(place):
        with _step(console, "Simulated ERPs"):
            _await(supervisor, lambda: demo.ready(place), "the simulated ERPs are not ready")
    for process in processes.airflow(environment["AIRFLOW__CORE__EXECUTOR"]):
        supervisor.start(process.name)


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
    begun = time.monotonic()
    console.print(f"  {title} …", end="")
    try:
        yield
    except BaseException:
        console.print(" [red]failed")
        raise
    console.print(f" {time.monotonic() - begun:.1f} s", highlight=False)


def _state(environment: Mapping[str, str]) -> dict[str, str]:
    """What running processes were started from: their settings, and the code that they hold."""
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
