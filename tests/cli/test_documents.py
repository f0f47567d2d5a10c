"""The shell's JSON documents, as outside programs rely on them: a csv club and a real Tryton."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.shell import Shell, shell_of
from tests.support.tryton import Tryton, tryton

__all__ = ["tryton"]

KINDS = [
    "addition",
    "deactivation",
    "reactivation",
    "email_change",
    "profile_change",
    "group_change",
    "merge",
    "adoption",
]


@pytest.fixture
def shell(tmp_path: Path, database: str) -> Shell:
    return shell_of(tmp_path, database)


def _sync(shell: Shell, club: str, env: dict[str, str], code: int = 0) -> dict[str, Any]:
    found, document, said = shell("sync", club, **env)
    assert found == code, said
    assert len(document) == 1
    keys = ["club", "run", "certified", "as_of", "read", "changes", "held", "findings"]
    told = ["rows_written", "suspected", "used", "doubts", "notes"]
    expected = [*keys, *told, *(["error"] if code == 1 else [])]
    assert list(document[0]) == expected
    assert list(document[0]["changes"]) == KINDS
    only: dict[str, Any] = document[0]
    return only


CSV = """\
id,email,first,last,phone,status,groups
1,ana@example.com,Ana,Ruiz,06 12 34 56 78,active,gold
2,bob@example.com,Bob,Roux,,active,gold|silver
3,cleo@example.com,Cleo,Noir,,left,gold
4,,Dan,Blanc,,active,silver
5,ana@example.com,Anna,Rouge,,active,silver
"""
CSV_CLUB = """\
clubs:
  - id: rowing
    name: Rowing Club
    erp: csv
    connection: rowing_drop
    settings:
      customers: customers.csv
      fields: {id: id, email: email, first_name: first, last_name: last, phone: phone, status: status,
               groups: groups, group_separator: "|"}
      active_status: [active]
"""


def test_backfill_fills_what_the_folder_remembers(shell: Shell, tmp_path: Path) -> None:
    """R26: interval by interval, from the exports of those days; the base stays as it is."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (tmp_path / "clubs.yaml").write_text(CSV_CLUB.replace("customers.csv", "customers-*.csv"))
    env = {
        "AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"}),
        "CLUBSYNC_NOW": "2026-03-03T09:00:00Z",
    }
    for hour, lines in ((6, 2), (7, 3), (8, 6)):
        file = drop / f"customers-{hour}.csv"
        file.write_text("\n".join(CSV.splitlines()[:lines]) + "\n")
        at = datetime(2026, 3, 3, hour, 30, tzinfo=UTC).timestamp()
        os.utime(file, (at, at))
    _sync(shell, "rowing", env)
    before = shell("customers", "rowing", **env)[1]

    times = ["--from", "2026-03-03T06:00:00Z", "--to", "2026-03-03T09:00:00Z", "--every", "60"]
    code, rows, said = shell("backfill", "rowing", *times, **env)
    assert code == 0, said
    assert [row["filled"] for row in rows] == ["from the ERP", "from the ERP", "stored"]
    assert [row["rows_written"] for row in rows] == [0, 0, 0]
    assert shell("customers", "rowing", **env)[1] == before
    assert [row["filled"] for row in shell("backfill", "rowing", *times, **env)[1]] == [
        "stored"
    ] * 3


def test_documents_of_a_csv_club(shell: Shell, tmp_path: Path) -> None:
    """sync, customers, findings, changes and why; and R17: the second sync writes nothing."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "customers.csv").write_text(CSV)
    (tmp_path / "clubs.yaml").write_text(CSV_CLUB)
    env = {"AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"})}

    first = _sync(shell, "rowing", env)
    assert first["certified"] is True
    assert first["read"] == 5
    assert first["changes"]["addition"] == 2
    assert first["held"] is None
    assert first["findings"] == {"EMAIL_DUPLICATE": 2, "EMAIL_MISSING": 1}
    again = _sync(shell, "rowing", env)
    assert again["rows_written"] == 0
    assert set(again["changes"].values()) == {0}

    _, customers, _ = shell("customers", "rowing")
    assert customers[0] == {
        "id": customers[0]["id"],
        "erp_id": "1",
        "email": "ana@example.com",
        "first_name": "Ana",
        "last_name": "Ruiz",
        "phone": "+33612345678",
        "in_customers_group": True,
        "groups": ["gold"],
        "manual_groups": [],
        "reason": None,
        "origin": "erp",
        "detached": False,
        "link": "not_registered",
    }
    assert customers[1]["groups"] == ["gold", "silver"]

    _, findings, _ = shell("findings", "rowing")
    assert [f["code"] for f in findings] == ["EMAIL_DUPLICATE", "EMAIL_DUPLICATE", "EMAIL_MISSING"]
    assert list(findings[0]) == ["code", "erp_id", "email", "severity", "advice", "since", "run"]

    _, changes, _ = shell("changes", "rowing", "--run", str(first["run"]))
    assert [c["kind"] for c in changes] == ["addition", "addition"]
    keys = ["run", "at", "kind", "customer", "erp_id", "before", "after", "reason"]
    assert list(changes[0]) == keys
    assert changes[0]["customer"] == customers[0]["id"]

    for who, verdict in {
        "1": "in",
        " ANA@Example.com": "in",
        "4": "out",
        "no@example.com": "unknown",
    }.items():
        code, answer, _ = shell("why", "rowing", who)
        assert code == 0
        stable = ["verdict", "reasons", "situation", "sentence", "timeline"]
        assert [key for key in answer if key in stable] == stable
        assert bool(answer.get("questions")) == (verdict != "unknown")
        assert answer["verdict"] == verdict, who


def test_exit_codes(shell: Shell, tmp_path: Path) -> None:
    """0 done, 3 held, 1 failed with the error in plain words on stderr and in the document (R14, R15)."""
    drop = tmp_path / "drop"
    drop.mkdir()
    rows = [f"{n},p{n}@example.com,F{n},L{n},,active,gold" for n in range(20)]
    (drop / "customers.csv").write_text("\n".join([CSV.splitlines()[0], *rows]) + "\n")
    (tmp_path / "clubs.yaml").write_text(CSV_CLUB)
    env = {"AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"})}
    assert _sync(shell, "rowing", env)["changes"]["addition"] == 20

    (drop / "customers.csv").write_text("\n".join([CSV.splitlines()[0], *rows[:11]]) + "\n")
    held = json.loads((whole := shell.process("sync", "rowing", "--json", **env)).out)[0]
    assert whole.code == 3
    assert held["held"]["deactivations"] == 9
    assert held["held"]["causes"] == ["no longer in the ERP: 9 customers"]
    assert held["changes"]["deactivation"] == 0

    (drop / "customers.csv").write_text(CSV.splitlines()[0] + "\n")
    empty = _sync(shell, "rowing", env, code=1)
    assert "returned no customers" in empty["error"]
    (drop / "customers.csv").unlink()
    code, document, said = shell("sync", "rowing", **env)
    assert code == 1
    assert "customers.csv" in said
    assert document[0]["error"]
    whole = shell.process("sync", "nobody")
    assert whole.code == 1
    assert "nobody" in whole.err


def test_documents_of_a_real_tryton(shell: Shell, tmp_path: Path, tryton: Tryton) -> None:
    """The same over JSON-RPC: additions, an email change that moves no stamp, a deactivation (R5, R9)."""
    tryton.clear()
    people = []
    for name in ("Ana Ruiz", "Bob Roux", "Cleo Noir"):
        email = f"{name.split()[0].lower()}@example.com"
        mechanisms = [{"type": "email", "value": email}]
        values = {"name": name, "contact_mechanisms": [["create", mechanisms]]}
        people += tryton.client.model("party.party", "create", [values])
    (tmp_path / "clubs.yaml").write_text(
        "clubs: [{id: dojo, name: Dojo, erp: tryton, connection: dojo}]\n"
    )
    connection = {
        "conn_type": "x",
        "host": tryton.url,
        "login": tryton.login,
        "password": tryton.password,
    }
    env = {"AIRFLOW_CONN_DOJO": json.dumps(connection)}
    first = _sync(shell, "dojo", env)
    assert first["certified"] is True
    assert first["changes"]["addition"] == 3
    assert _sync(shell, "dojo", env)["rows_written"] == 0

    (mail,) = tryton.search("party.contact_mechanism", [["party", "=", people[0]]], ["id"])
    tryton.client.model(
        "party.contact_mechanism", "write", [mail["id"]], {"value": "new@example.com"}
    )
    tryton.client.model("party.party", "write", [people[1]], {"active": False})
    second = _sync(shell, "dojo", env)
    assert second["changes"]["email_change"] == 1
    assert second["changes"]["deactivation"] == 1
    assert second["rows_written"] == 4
    _, customers, _ = shell("customers", "dojo")
    by_id = {c["erp_id"]: c for c in customers}
    assert by_id[str(people[0])]["email"] == "new@example.com"
    assert by_id[str(people[1])]["reason"] == "archived"
    _, answer, _ = shell("why", "dojo", str(people[1]))
    assert answer["verdict"] == "out"


def test_a_file_that_is_not_used_is_told(shell: Shell, tmp_path: Path) -> None:
    """R16: dated in the future, or older than what is loaded: exit 1, `used` false, in plain words; `clubs` too."""
    drop = tmp_path / "drop"
    drop.mkdir()
    file = drop / "customers.csv"
    file.write_text(CSV)
    (tmp_path / "clubs.yaml").write_text(CSV_CLUB)
    env = {"AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"})}
    first = _sync(shell, "rowing", env)
    assert (first["used"], first["doubts"], first["suspected"]) == (True, [], 0)
    before = shell("customers", "rowing", **env)[1]
    file.write_text("\n".join(CSV.splitlines()[:2]) + "\n")
    now = datetime.now(UTC).timestamp()
    for ahead, says in ((2 * 3600, "still to come"), (-3600, "older than the data of")):
        os.utime(file, (now + ahead, now + ahead))
        told = _sync(shell, "rowing", env, code=1)
        assert told["used"] is False
        assert says in told["error"]
        assert shell("customers", "rowing", **env)[1] == before
        (club,) = shell("clubs", **env)[1]
        assert club["state"] == "failing"
        assert says in club["error"]
    os.utime(file)
    assert _sync(shell, "rowing", env)["used"] is True
