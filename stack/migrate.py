"""Migrate both databases to this version of the code, before anything else starts.

``python -m stack.migrate`` reads all settings from the environment, for deployments with their own PostgreSQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clubsync import permissions
from clubsync.store.logins import OWNER
from stack.environment import ROOT, keep_logins

BIN = Path(sys.executable).parent


class MigrationError(Exception):
    """A migration failed; the message has the end of its log."""


def migrate(environment: Mapping[str, str], logs: Path) -> None:
    """Migrate both databases in parallel; meanwhile the libraries that tasks import are compiled to bytecode.

    :raises MigrationError: one of them failed.
    """
    programs = {
        "airflow-db-migrate": [str(BIN / "airflow"), "db", "migrate"],
        "clubsync-db-upgrade": [str(BIN / "clubsync"), "db", "upgrade"],
        "imports": [
            sys.executable,
            "-c",
            "import great_expectations, pandas, clubsync.pipeline.engine",
        ],
    }
    logs.mkdir(parents=True, exist_ok=True)
    running = {}
    for name, command in programs.items():
        log = logs / f"{name}.log"
        with log.open("wb") as output:
            running[log] = subprocess.Popen(
                command, cwd=ROOT, env=dict(environment), stdout=output, stderr=output
            )
    for log, program in running.items():
        if program.wait() != 0:
            last = log.read_text(errors="replace").strip().splitlines()[-8:]
            raise MigrationError(f"{log.stem} failed. The end of {log}:\n" + "\n".join(last))


def create_databases(environment: Mapping[str, str]) -> None:
    """Create the databases of Airflow and of the club base on their servers, unless they exist."""
    import psycopg
    import sqlalchemy as sa
    from psycopg import sql

    owner = OWNER if environment.get(OWNER) else "CLUBSYNC_DATABASE"
    for variable in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", owner):
        url = sa.make_url(environment[variable])
        server = url.set(drivername="postgresql", database="postgres")
        conninfo = server.render_as_string(hide_password=False)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            found = connection.execute(
                "SELECT FROM pg_database WHERE datname = %s", [url.database]
            ).fetchone()
            if found is None:
                name = sql.Identifier(str(url.database))
                connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


def main() -> int:
    """Create databases, schemas and users; new passwords are printed."""
    permissions.private()
    environment = dict(os.environ)
    passwords = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    try:
        create_databases(environment)
        migrate(environment, Path(environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]) / "migrate")
    except MigrationError as error:
        print(error, file=sys.stderr)
        return 1
    if not passwords.exists():
        for user, password in keep_logins(passwords).items():
            print(f"{user} / {password}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
