"""R28: a first sync that awaits approval, from the shell: its plan is named by its hash."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clubsync.cli import app
from tests.cli.test_documents import shell
from tests.support.shell import Shell

__all__ = ["shell"]

CSV = """\
id,email,first,status
1,ana@example.com,Ana,active
2,bob@example.com,Bob,active
"""
CLUB = """\
clubs:
  - id: rowing
    name: Rowing Club
    erp: csv
    connection: rowing_drop
    first_sync: review
    settings:
      customers: customers.csv
      fields: {id: id, email: email, first_name: first, status: status}
"""


def test_r28_the_shell_approves_the_plan_that_it_names(
    shell: Shell, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash stands in the result of the sync, in the list of clubs, and in the command to approve it. Without it a
    program is refused; whoever sits at a terminal is asked about the newest plan."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "customers.csv").write_text(CSV)
    (tmp_path / "clubs.yaml").write_text(CLUB)
    host = json.dumps({"conn_type": "x", "host": f"file://{drop}"})
    env = {"AIRFLOW_CONN_ROWING_DROP": host}

    code, (first,), _ = shell("sync", "rowing", **env)
    assert code == 3
    plan = first["held"]["list_hash"]
    assert f"approve-first-sync rowing --list {plan}" in first["held"]["causes"][0]
    _, (listed,), _ = shell("clubs", **env)
    assert listed["state"] == "held"
    assert listed["first_sync"] == {"run": first["run"], "list_hash": plan, "additions": 2}

    code, _, said = shell("clubs", "approve-first-sync", "rowing", **env)
    assert (code, "--list" in said) == (2, True)
    assert shell("clubs", "approve-first-sync", "rowing", "--list", "0" * 16, **env)[0] == 1
    assert shell("customers", "rowing", **env)[1] == []

    variables = {"AIRFLOW_CONN_ROWING_DROP": host, "CLUBSYNC_DATABASE": database}
    variables["CLUBSYNC_CONFIG"] = str(tmp_path / "clubs.yaml")
    variables["CLUBSYNC_SNAPSHOTS"] = str(tmp_path / "snapshots")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.modules["clubsync.cli.clubs"], "_at_a_terminal", lambda: True)
    command = ("clubs", "approve-first-sync", "rowing")
    refused = CliRunner().invoke(app, command, input="n\n")
    assert plan in refused.output
    assert refused.exit_code == 1
    approved = CliRunner().invoke(app, command, input="y\n")
    assert (approved.exit_code, "2 customers added" in approved.output) == (0, True), (
        approved.output
    )
    assert len(shell("customers", "rowing", **env)[1]) == 2
    assert shell("clubs", "approve-first-sync", "rowing", "--list", plan, **env)[0] == 1
