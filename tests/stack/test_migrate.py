"""R21: the databases and roles that `stack.migrate` makes on a server of one's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from clubsync.store.embedded import Server
from clubsync.store.logins import OWNER
from stack.migrate import create_databases


class Given:
    """A server with nothing on it, and what the environment says of it."""

    def __init__(self, postgres: Server) -> None:
        self.postgres = postgres
        mark = uuid.uuid4().hex[:8]
        self.role, self.airflow, self.base = f"airflow_{mark}", f"airflow_{mark}", f"base_{mark}"
        owner = sa.make_url(postgres.url(self.base))
        airflow = sa.make_url(postgres.url(self.airflow, driver="psycopg2"))
        airflow = airflow.set(username=self.role, password="a password")
        self.environment = {
            OWNER: owner.render_as_string(hide_password=False),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow.render_as_string(hide_password=False),
        }

    def connect(self, database: str, user: str | None = None) -> psycopg.Connection:
        url = sa.make_url(self.postgres.url(database)).set(drivername="postgresql")
        url = url.set(username=user) if user else url
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def drop(self) -> None:
        for database in (self.airflow, self.base):
            self.postgres.drop_database(database)
        with self.connect("postgres") as driver:
            driver.execute(f"drop role if exists {self.role}")


@pytest.fixture
def given(postgres: Server) -> Iterator[Given]:
    made = Given(postgres)
    try:
        yield made
    finally:
        made.drop()


def test_r21_airflow_owns_its_database_and_nothing_else(given: Given) -> None:
    for _ in range(2):  # a second start changes nothing
        create_databases(given.environment)
    with given.connect("postgres") as driver:
        rights = driver.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolcanlogin from pg_roles"
            " where rolname = %s",
            [given.role],
        ).fetchone()
        assert rights == (False, False, False, False, True)
        owners: dict[str, str] = dict(
            driver.execute(
                "select datname, pg_get_userbyid(datdba) from pg_database where datname = any(%s)",
                [[given.airflow, given.base]],
            ).fetchall()
        )
        assert owners[given.airflow] == given.role
        assert owners[given.base] != given.role
        password = driver.execute(
            "select rolpassword from pg_authid where rolname = %s", [given.role]
        ).fetchone()
        assert password is not None
        assert str(password[0]).startswith("SCRAM-SHA-256$")
    with given.connect(given.base) as driver:
        driver.execute("create schema base")
        driver.execute("create table base.customer (email text)")
    with given.connect(given.airflow, given.role) as driver:
        driver.execute("create table dag (dag_id text)")
    with (
        given.connect(given.base, given.role) as driver,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        driver.execute("select from base.customer")


def test_r21_what_an_earlier_version_made_as_the_owner_becomes_airflows(given: Given) -> None:
    """A deployment in which Airflow was logged in as the server's superuser goes on with its history."""
    given.postgres.create_database(given.airflow)
    with given.connect(given.airflow) as driver:
        driver.execute("create type state as enum ('done')")
        driver.execute("create table dag_run (id serial primary key, state state)")
        driver.execute("create sequence apart")
        driver.execute("create view runs as select * from dag_run")
        driver.execute("insert into dag_run (state) values ('done')")
    create_databases(given.environment)
    with given.connect(given.airflow, given.role) as driver:
        driver.execute("insert into dag_run (state) values ('done')")
        assert driver.execute("select count(*) from runs").fetchone() == (2,)
        driver.execute("alter table dag_run add column note text")
        driver.execute("alter type state add value 'failed'")
        driver.execute("drop sequence apart")
