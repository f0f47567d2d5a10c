"""`clubsync profile`: where a run's time went, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from clubsync.store.profile import PARTS, STAGES
from tests.cli.test_documents import shell
from tests.support.shell import Shell

__all__ = ["shell"]

CSV = "id,email,first,status\n1,ana@example.com,Ana,active\n2,bob@example.com,Bob,active\n"
CLUB = """\
clubs:
  - id: rowing
    name: Rowing Club
    erp: csv
    connection: rowing_drop
    settings:
      customers: customers.csv
      fields: {id: id, email: email, first_name: first, status: status}
"""


def test_r25_a_run_and_the_runs_of_an_erp(shell: Shell, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "customers.csv").write_text(CSV)
    (tmp_path / "clubs.yaml").write_text(CLUB)
    env = {"AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"})}
    code, nothing, said = shell("profile", "rowing", **env)
    assert (code, nothing) == (1, None)
    assert "No run of rowing has a profile." in said

    _, (synced,), _ = shell("sync", "rowing", **env)
    assert "profile" not in synced
    _, by_run, _ = shell("profile", str(synced["run"]), **env)
    _, by_club, _ = shell("profile", "rowing", **env)
    assert by_run == by_club
    assert by_run["run"] == synced["run"]
    assert set(by_run["parts"]) == set(PARTS)
    assert [one["stage"] for one in by_run["stages"]] == list(STAGES)
    assert (by_run["requests"], by_run["received"]) == (1, len(CSV))
    assert by_run["parts"]["erp"] > 0
    assert by_run["parts"]["airflow"] == 0
    table = shell.run("profile", "rowing", **env).out
    assert all(word in table for word in (*STAGES, "waiting for the ERP", "Rowing Club", "█"))

    _, cycle, _ = shell("profile", "--erp", "csv", "--since", "2000-01-01T00:00:00Z", **env)
    assert (cycle["runs"], cycle["clubs"]) == (1, 1)
    assert [one["run"] for one in cycle["slowest"]] == [synced["run"]]
    assert cycle["elapsed"]["sum"] == cycle["elapsed"]["p95"] == by_run["elapsed"]
    table = shell.run("profile", "--erp", "csv", "--since", "2000-01-01T00:00:00Z", **env).out
    assert all(word in table for word in ("p95", "The slowest clubs", "rowing"))
    other = shell.run("profile", "--erp", "playtomic", **env)
    assert "no run since" in other.out
    assert shell.run("profile", **env).code == 2
    assert shell.run("profile", "rowing", "--erp", "csv", **env).code == 2
