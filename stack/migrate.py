"""Migrate both databases to this version of the code, before anything else starts.

``python -m stack.migrate`` reads all settings from the environment, for deployments with their own PostgreSQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from clubsync import permissions
from clubsync.store.logins import OWNER
from stack import accounts
from stack.environment import ROOT

BIN = Path(sys.executable).parent
#: A transaction of Airflow's that does nothing for so long is ended: its process is gone or stands still, and the rows
#: that it has locked would keep their Dags from running.
IDLE = "2min"

#: Tables, views, sequences and types of the schema public that another role owns: kind and name. A table's sequences
#: go with it, and so do the types of tables and arrays.
_FOREIGN = """
select 'table', c.relname from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
  and pg_get_userbyid(c.relowner) <> %(role)s
union all
select 'sequence', c.relname from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
  and pg_get_userbyid(c.relowner) <> %(role)s
  and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype in ('a', 'i'))
union all
select 'type', t.typname from pg_type as t
where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
  and pg_get_userbyid(t.typowner) <> %(role)s
"""


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
    """Create the databases of Airflow and of the club base on their servers, unless they exist.

    Where CLUBSYNC_DATABASE_OWNER names an administrator of the server that Airflow's database is on, Airflow's own role
    is made too, with the password of its URL: it owns Airflow's database, and nothing else (R21).
    """
    owner = sa.make_url(environment[OWNER if environment.get(OWNER) else "CLUBSYNC_DATABASE"])
    airflow = sa.make_url(environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    _create_database(owner, owner)
    administrator = airflow
    if (owner.host, owner.port, owner.query) == (airflow.host, airflow.port, airflow.query):
        administrator = owner
    _create_database(administrator, airflow)
    with _connected(administrator, "postgres") as connection:
        statement = sql.SQL("alter database {} set idle_in_transaction_session_timeout = {}")
        connection.execute(
            statement.format(sql.Identifier(str(airflow.database)), sql.Literal(IDLE))
        )


def _create_database(administrator: sa.URL, wanted: sa.URL) -> None:
    """Create a database, and the role that owns it, unless they exist.

    :param administrator: whose rights are used; another role than the wanted one makes that role.
    """
    name = sql.Identifier(str(wanted.database))
    with _connected(administrator, "postgres") as connection:
        own = administrator.username == wanted.username
        if not own:
            _create_role(connection, wanted)
        found = connection.execute(
            "select pg_get_userbyid(datdba) from pg_database where datname = %s", [wanted.database]
        ).fetchone()
        if found is None:
            connection.execute(sql.SQL("create database {}").format(name))
        if not own and (found is None or found[0] != wanted.username):
            role = sql.Identifier(str(wanted.username))
            connection.execute(sql.SQL("alter database {} owner to {}").format(name, role))
    if not own:
        _hand_over(administrator, wanted)


def _create_role(connection: psycopg.Connection[Any], wanted: sa.URL) -> None:
    """The role of a URL, which may log in and nothing else; its password is the URL's."""
    name = str(wanted.username)
    role = sql.Identifier(name)
    known = connection.execute("select from pg_roles where rolname = %s", [name]).fetchone()
    if known is None:
        connection.execute(sql.SQL("create role {} login").format(role))
    if wanted.password is not None:
        verifier = connection.pgconn.encrypt_password(
            str(wanted.password).encode(), name.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("alter role {} password {}")
        connection.execute(statement.format(role, sql.Literal(verifier)))


def _hand_over(administrator: sa.URL, wanted: sa.URL) -> None:
    """What an earlier version made in the database as the administrator is the role's."""
    role = sql.Identifier(str(wanted.username))
    with _connected(administrator, str(wanted.database)) as connection:
        for kind, name in connection.execute(_FOREIGN, {"role": wanted.username}).fetchall():
            statement = sql.SQL("alter {} {} owner to {}")
            connection.execute(
                statement.format(sql.SQL(kind), sql.Identifier("public", name), role)
            )


def _connected(url: sa.URL, database: str) -> psycopg.Connection[Any]:
    server = url.set(drivername="postgresql", database=database)
    return psycopg.connect(server.render_as_string(hide_password=False), autocommit=True)


def main() -> int:
    """Create databases, schemas and the first accounts, whose passwords are printed."""
    permissions.private()
    environment = dict(os.environ)
    try:
        create_databases(environment)
        migrate(environment, Path(environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]) / "migrate")
        made = accounts.prepare(environment)
    except (MigrationError, accounts.AccountError) as error:
        print(error, file=sys.stderr)
        return 1
    for user, password in made.items():
        print(f"{user} / {password}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
