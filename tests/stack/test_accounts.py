"""The accounts that a new installation starts with. FAB's are in tests/e2e/test_login.py."""

from __future__ import annotations

import json
import stat
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clubsync.store.embedded import Server
from stack import accounts
from stack.environment import FAB, KEYCLOAK, USERS, Instance, of_one_machine


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return of_one_machine(Instance(var=tmp_path), Server(tmp_path, tmp_path))


@pytest.fixture
def airflow(postgres: Server) -> Iterator[str]:
    """The address of a database with FAB's table of accounts, as Airflow has it."""
    name = f"airflow_{uuid.uuid4().hex[:8]}"
    postgres.create_database(name)
    with psycopg.connect(postgres.conninfo(name), autocommit=True) as driver:
        driver.execute("create table ab_user (username text)")
    yield postgres.url(name, driver="psycopg2")
    postgres.drop_database(name)


def test_the_simple_auth_manager_has_a_user_for_each_role(
    settings: dict[str, str], tmp_path: Path
) -> None:
    assert accounts.stored(settings) == {}
    made = accounts.prepare(settings)
    assert made.keys() == USERS.keys()
    assert len(set(made.values())) == len(USERS)
    assert accounts.prepare(settings) == {}, "new passwords are shown once"
    assert accounts.stored(settings) == made
    file = Instance(var=tmp_path).passwords
    assert json.loads(file.read_text()) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("manager", [KEYCLOAK, "a_company.of_its_own.AuthManager"])
def test_elsewhere_accounts_are_made_by_whoever_keeps_them(
    settings: dict[str, str], tmp_path: Path, manager: str
) -> None:
    settings["AIRFLOW__CORE__AUTH_MANAGER"] = manager
    assert accounts.prepare(settings) == {}
    assert accounts.stored(settings) == {}
    assert not Instance(var=tmp_path).passwords.exists()


def test_fabs_first_account_is_made_once_and_its_password_is_on_no_command_line(
    settings: dict[str, str], airflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], str]] = []

    def run(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        ran.append((command, str(more["input"])))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    settings |= {
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
    }
    made = accounts.prepare(settings)
    ((command, sent),) = ran
    assert made == {"admin": sent}
    assert len(sent) >= 16
    assert sent not in " ".join(command)
    assert sent not in settings.values()
    address = airflow.replace("+psycopg2", "")
    with psycopg.connect(address, autocommit=True) as driver:
        driver.execute("insert into ab_user values ('anybody')")
    assert accounts.prepare(settings) == {}, "an installation that has accounts gets none"
    assert len(ran) == 1


def test_a_first_account_that_cannot_be_made_is_an_error_without_the_password(
    settings: dict[str, str], airflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def run(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
        tried.append(str(more["input"]))
        return subprocess.CompletedProcess(command, 1, "", "Unknown resource 'DAG'")

    monkeypatch.setattr(subprocess, "run", run)
    settings |= {
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
    }
    with pytest.raises(accounts.AccountError, match="Unknown resource 'DAG'") as error:
        accounts.prepare(settings)
    assert tried[0] not in str(error.value)
