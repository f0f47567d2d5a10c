"""R3: a configured group that is not there is named by `clubs check`, `connector try`, `sync` and `findings`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.test_documents import shell
from tests.support.shell import Shell

__all__ = ["shell"]

CSV = """\
id,email,first,status,groups
1,ana@example.com,Ana,active,Gold
2,bob@example.com,Bob,active,"Anciens, résiliés"
3,cleo@example.com,Cleo,active,"Gold; ANCIENS,  résiliés"
"""
CLUB = """\
clubs:
  - id: rowing
    name: Rowing Club
    erp: csv
    connection: rowing_drop
    former_groups: ["{group}"]
    settings:
      customers: customers.csv
      fields: {id: id, email: email, first_name: first, status: status, groups: groups}
"""


def test_r03_a_group_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "customers.csv").write_text(CSV)
    file = tmp_path / "clubs.yaml"
    env = {"AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"})}

    file.write_text(CLUB.replace("{group}", "Anciens, résiliés"))
    code, (checked,), _ = shell("clubs", "check", **env)
    assert (code, checked["ok"], checked["remedy"], checked["missing_groups"]) == (
        0,
        True,
        None,
        {},
    )
    _, (first,), _ = shell("sync", "rowing", **env)
    assert first["changes"]["addition"] == 1
    assert first["findings"] == {}

    file.write_text(CLUB.replace("{group}", "Ancien, résilié"))
    code, (checked,), _ = shell("clubs", "check", **env)
    assert (code, checked["ok"]) == (1, False)
    assert checked["missing_groups"] == {"former_groups": ["Ancien, résilié"]}
    assert "Ancien, résilié" in checked["found"]
    assert "former_groups" in checked["remedy"]
    _, tried, _ = shell("connector", "try", str(file), **env)
    assert tried["absent_groups"] == ["Ancien, résilié"]
    _, (second,), _ = shell("sync", "rowing", **env)
    assert set(second["changes"].values()) == {0}
    assert any("Ancien, résilié" in note for note in second["notes"])
    _, findings, _ = shell("findings", "rowing", **env)
    assert {f["erp_id"] for f in findings} == {None, "2", "3"}
    assert all("Ancien, résilié" in f["advice"] for f in findings)
    shell("findings", "rowing", "--csv", str(tmp_path / "out.csv"), **env)
    rows = list(csv.reader((tmp_path / "out.csv").open(encoding="utf-8-sig"), delimiter=";"))
    assert [row[0] for row in rows[1:]] == ["2", "3", ""]
    assert "Ancien, résilié" in rows[-1][-1]
