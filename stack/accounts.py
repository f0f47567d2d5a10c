"""The accounts that a new installation starts with, by auth manager.

| auth manager | accounts | passwords |
|---|---|---|
| simple | admin, support, viewer | generated; stay readable in its file |
| FAB | admin, who makes the others | generated; shown once, stored as a hash |
| Keycloak, or another | none: they are made there | |
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import sqlalchemy as sa

from stack.environment import FAB, ROOT, SIMPLE, keep_logins


class AccountError(Exception):
    """The first account could not be made; the message is for people."""


def prepare(environment: Mapping[str, str]) -> dict[str, str]:
    """Make the accounts that are missing. Airflow's database is migrated.

    :returns: user -> password of the accounts that were made now.
    :raises AccountError: the first account of FAB could not be made.
    """
    if _manager(environment) == SIMPLE:
        known = _file(environment).exists()
        users = keep_logins(_file(environment))
        return {} if known else users
    if _manager(environment) == FAB and not _has_accounts(environment):
        password = secrets.token_urlsafe(18)
        _make_first(environment, password)
        return {"admin": password}
    return {}


def stored(environment: Mapping[str, str]) -> dict[str, str]:
    """User -> password, of the accounts whose passwords stay readable."""
    if _manager(environment) != SIMPLE or not _file(environment).exists():
        return {}
    return keep_logins(_file(environment))


def _manager(environment: Mapping[str, str]) -> str:
    return environment["AIRFLOW__CORE__AUTH_MANAGER"]


def _file(environment: Mapping[str, str]) -> Path:
    return Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])


def _has_accounts(environment: Mapping[str, str]) -> bool:
    url = sa.make_url(environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        return connection.execute("select from ab_user limit 1").fetchone() is not None


def _make_first(environment: Mapping[str, str], password: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "stack.fab"],
        cwd=ROOT,
        env=dict(environment),
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        last = "\n".join(made.stderr.strip().splitlines()[-8:])
        raise AccountError(f"The account admin could not be made in Airflow's database:\n{last}")
