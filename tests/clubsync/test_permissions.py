"""R19: what clubsync writes can be read by its owner only; what earlier versions wrote is closed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clubsync import permissions
from clubsync.store import embedded
from stack.environment import SHARED

ROOT = Path(__file__).resolve().parents[2]
OTHERS = 0o077
CLUB = """\
clubs:
  - id: rowing
    name: Rowing Club
    erp: csv
    connection: rowing_drop
    settings: {customers: customers.csv, fields: {id: id, email: email, status: status}, active_status: [active]}
"""


def open_to_others(folder: Path) -> list[str]:
    """As `find FOLDER -perm /077` lists them."""
    found = [folder, *folder.rglob("*")]
    return sorted(
        str(path.relative_to(folder))
        for path in found
        if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & OTHERS
    )


@pytest.fixture
def var() -> Iterator[Path]:
    """A state folder that PostgreSQL's own user can get to, where the tests are run by root."""
    parent = Path(tempfile.mkdtemp(prefix="cs-var-"))
    parent.chmod(0o755)
    old = os.umask(0o022)
    yield parent / "var"
    os.umask(old)
    embedded.stop(parent / "var" / "postgres")
    shutil.rmtree(parent, ignore_errors=True)


def test_a_sync_and_its_database_leave_nothing_for_others(var: Path) -> None:
    """The shell's own PostgreSQL included; only root's state folder lets PostgreSQL's user pass through."""
    drop = var.parent
    (drop / "customers.csv").write_text("id,email,status\n1,ana@example.com,active\n")
    (drop / "clubs.yaml").write_text(CLUB)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CLUBSYNC", "AIRFLOW"))},
        "PYTHONPATH": str(ROOT),
        "CLUBSYNC_VAR": str(var),
        "CLUBSYNC_CONFIG": str(drop / "clubs.yaml"),
        "AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{drop}"}),
    }
    command = [sys.executable, "-m", "clubsync.cli", "sync", "rowing"]
    done = subprocess.run(command, env=environment, cwd=drop, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list((var / "snapshots").rglob("customers.parquet"))
    assert (var / "postgres" / "data" / "PG_VERSION").exists()
    assert open_to_others(var) == (["."] if os.geteuid() == 0 else [])
    if os.geteuid() == 0:
        assert stat.S_IMODE(var.stat().st_mode) == 0o711


def test_the_stack_leaves_nothing_for_others(var: Path) -> None:
    """Its passwords, keys, settings, logs, and what its processes write: by a real supervisor."""
    writes = "import pathlib; pathlib.Path('made').mkdir(); pathlib.Path('made/file').write_text('x'); print('y')"
    code = f"""
import os, sys, time
from pathlib import Path
from rich.console import Console
from clubsync import permissions
from clubsync.store.embedded import Server
from stack.environment import Instance, keep_logins, of_one_machine
from stack.processes import Process
from stack.supervision import Supervisor
from stack.up import _write_shell_settings
os.umask(0o022)
permissions.private()
instance = Instance(var=Path({str(var)!r}))
environment = of_one_machine(instance, Server(instance.postgres, instance.postgres))
keep_logins(instance.passwords)
_write_shell_settings(instance, environment)
supervisor = Supervisor(instance)
command = [sys.executable, "-c", "import os, time; os.chdir({str(var)!r} + '/stack'); {writes}; time.sleep(600)"]
supervisor.launch([Process("writer", command, 1)], dict(os.environ))
supervisor.start("writer")
made = instance.var / "stack" / "made" / "file"
while not made.exists():
    time.sleep(0.05)
supervisor.shut_down(30)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = {path.name for path in var.rglob("*")}
    assert {
        "passwords.json",
        "secrets.json",
        "clubsync.env",
        "supervisord.log",
        "writer.log",
    } <= written
    assert "file" in written
    assert open_to_others(var) == []


def test_what_an_earlier_version_wrote_is_closed_and_said_once(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = var.parent / "store"
    monkeypatch.setenv("CLUBSYNC_VAR", str(var))
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", f"file://{store}")
    folders = (
        var / "logs" / "airflow",
        store / "rowing" / "runs" / "1",
        store / "rowing" / ("0" * 32),
    )
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").write_text("ana@example.com")
    (var / "logs" / "elsewhere").symlink_to("/etc")
    before = stat.S_IMODE(Path("/etc").stat().st_mode)
    assert len(open_to_others(var)) + len(open_to_others(store)) > 8
    told = permissions.check()
    assert [sentence.split(" were ")[0].split(" in ")[1] for sentence in told] == [
        str(var),
        str(store),
    ]
    assert open_to_others(var) == open_to_others(store) == []
    assert permissions.check() == permissions.check(everything=True) == []
    assert stat.S_IMODE(Path("/etc").stat().st_mode) == before


def test_what_is_not_ours_stays_as_it_is(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that somebody has other things in, chosen as the state folder or the store."""
    monkeypatch.setenv("CLUBSYNC_VAR", str(var))
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", str(var.parent))
    (var / "photos").mkdir(parents=True)
    (var / "logs").mkdir()
    permissions.check(everything=True)
    assert open_to_others(var) == [".", "photos"]


def test_logs_of_airflow_are_for_their_owner_only() -> None:
    """Airflow gives them modes of their own, whatever the umask is."""
    for kind, mode in (("FOLDER", "0o700"), ("FILE", "0o600")):
        assert SHARED[f"AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_{kind}_PERMISSIONS"] == mode
