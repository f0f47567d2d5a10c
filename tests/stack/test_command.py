"""`make airflow`: Airflow's own command line with the settings of the stack."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clubsync.store import embedded
from stack import __main__ as command
from stack.environment import Instance


class Replaced(Exception):  # it is no error: the process would be another now
    """What the process would have become."""

    def __init__(self, program: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.program, self.arguments, self.environment = program, arguments, environment


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def execute(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        raise Replaced(program, arguments, environment)

    monkeypatch.setattr(os, "execve", execute)
    monkeypatch.setenv("CLUBSYNC_VAR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["stack", "airflow", "dags", "list", "--output", "json"])
    return tmp_path


def test_it_talks_to_the_airflow_of_this_stack(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = embedded.Server(stack / "postgres", stack / "postgres")
    monkeypatch.setattr(embedded, "status", lambda _: server)
    with pytest.raises(Replaced) as became:
        command.main()
    assert became.value.arguments[1:] == ["dags", "list", "--output", "json"]
    assert Path(became.value.program).name == "airflow"
    given = became.value.environment
    assert given["AIRFLOW_HOME"] == str(Instance(stack).airflow)
    database = embedded.locate(stack / "postgres").url("airflow", driver="psycopg2")
    assert given["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == database


def test_without_a_stack_it_says_how_to_start_one(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main() == 1
    assert "`make up` starts it" in capsys.readouterr().out
