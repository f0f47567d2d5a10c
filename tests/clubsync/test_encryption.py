"""The snapshot store at rest: encrypted with the first key, read with all, bound to each file's place."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clubsync.errors import ActionRejected, ConfigError, SnapshotUnreadable
from clubsync.operate.rekey import rekey
from clubsync.store import encryption, packages
from clubsync.store.database import Base
from clubsync.store.encryption import MAGIC, SEGMENT, VARIABLE, Keys, new_key
from clubsync.store.packages import PLAN, Package
from clubsync.store.snapshots import Store
from tests.support.club import Club

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = new_key(), new_key()
FRAME = pl.DataFrame({"erp_id": ["1"], "email": ["ana@example.com"]})


def sealed(keys: Keys, content: bytes, at: str) -> bytes:
    file = io.BytesIO()
    with keys.sealed(file, at) as inner:
        inner.write(content)
    return file.getvalue()


@given(
    st.binary(max_size=50), st.sampled_from([0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT])
)
def test_what_is_encrypted_comes_back(end: bytes, size: int) -> None:
    content, keys = bytes(size) + end, Keys.of([NEW])
    hidden = sealed(keys, content, "a/b")
    assert keys.opened(hidden, "a/b") == content
    assert sealed(keys, content, "a/b") != hidden, "the salt is new each time"


def test_nothing_of_a_file_can_be_changed_cut_swapped_or_moved() -> None:
    keys = Keys.of([NEW])
    hidden = sealed(keys, bytes(range(256)) * (3 * SEGMENT // 256), "rowing/x/customers.parquet")
    head, step = encryption.HEAD_BYTES + 16, SEGMENT + 16
    one, two, three = (hidden[head + n * step :][:step] for n in range(3))
    start = hidden[:head]
    for broken in (
        hidden[:-1],
        start + one + two,
        start + one,
        start,
        start + two + one + three,
        start + one + one + three,
        hidden + one,
        hidden[:40] + bytes([hidden[40] ^ 1]) + hidden[41:],
        start[:-1] + b"x" + hidden[head:],
    ):
        with pytest.raises(SnapshotUnreadable, match="was changed, truncated or moved"):
            keys.opened(broken, "rowing/x/customers.parquet")
    with pytest.raises(SnapshotUnreadable, match="changed, truncated or moved"):
        keys.opened(hidden, "padel/x/customers.parquet")


def test_a_store_with_a_key_holds_nothing_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, NEW)
    store = Store(str(tmp_path))
    store.write("rowing/x", "customers.parquet", FRAME)
    store.put("_unfinished/y", "0", b"ana@example.com")
    packages.write(store, "rowing/runs/1", PLAN, Package({"a": 1}, {"one": FRAME}))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert content.startswith(MAGIC)
            assert b"example" not in content
            assert b"PAR1" not in content
    assert store.read("rowing/x", "customers.parquet").equals(FRAME)
    assert store.get("_unfinished/y", "0") == b"ana@example.com"
    assert packages.read(store, "rowing/runs/1", PLAN).frames["one"].equals(FRAME)


def test_keys_rotate_and_old_files_stay_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(keys: str) -> Store:
        monkeypatch.setenv(VARIABLE, keys)
        return Store(str(tmp_path))

    store("").write("rowing/1", "customers.parquet", FRAME)
    store(OLD).write("rowing/2", "customers.parquet", FRAME)
    both = store(f" {NEW} , {OLD}")
    both.write("rowing/3", "customers.parquet", FRAME)
    for number in "123":
        assert both.read(f"rowing/{number}", "customers.parquet").equals(FRAME)
    with pytest.raises(SnapshotUnreadable, match="a key that CLUBSYNC_STORE_KEY does not have"):
        store(NEW).read("rowing/2", "customers.parquet")
    with pytest.raises(SnapshotUnreadable, match="does not have"):
        store("").read("rowing/3", "customers.parquet")


@pytest.mark.parametrize(
    "wrong", ["x", "a" * 43, f"{NEW},short", NEW[:-4]], ids=["short", "no padding", "second", "cut"]
)
def test_a_wrong_key_is_said_and_never_shown(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(ConfigError, match="is not 32 bytes in base64") as told:
        Store("memory://")
    assert wrong not in str(told.value)


def test_openssl_makes_keys_too() -> None:
    """`openssl rand -base64 32` writes the other alphabet."""
    standard = "++++/////8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert Keys.of([standard]) == Keys.of([standard.replace("+", "-").replace("/", "_")])


def test_rekeying_that_is_killed_goes_on_where_it_was(
    club: Club, shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGKILL, in a real process; then a sync reads what it needs, and the club is as before."""
    club.erp.put("1", "ana@example.com")
    club.sync()
    root = tmp_path / "snapshots"
    for number in range(6):
        Store(str(root)).write(f"{club.id}/{number:032x}", "customers.parquet", FRAME)
    files = [file for file in root.rglob("*") if file.is_file()]
    url = shared_base.engine.url.render_as_string(hide_password=False)
    code = f"""
import os, signal
from clubsync.operate.rekey import rekey
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
def progress(club, files):
    if files == 4:
        os.kill(os.getpid(), signal.SIGKILL)
rekey(Base({url!r}), Store({str(root)!r}), progress)
"""
    monkeypatch.setenv(VARIABLE, NEW)
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    done = sum(file.read_bytes().startswith(MAGIC) for file in files)
    assert 0 < done < len(files)
    store = Store(str(root))
    again = rekey(shared_base, store, lambda *_: None)
    assert again == {"encrypted": len(files) - done, "already": done}
    assert all(file.read_bytes().startswith(MAGIC) for file in files)
    assert rekey(shared_base, store, lambda *_: None) == {"encrypted": 0, "already": len(files)}
    assert club.sync()["rows_written"] == 0
    (replayed,) = [club.pipeline().replay(club.id, None, None)[-1]]
    assert replayed["error"] is None


def test_rekeying_needs_a_key(shared_base: Base, tmp_path: Path) -> None:
    with pytest.raises(ActionRejected, match="CLUBSYNC_STORE_KEY is not set"):
        rekey(shared_base, Store(str(tmp_path)), lambda *_: None)
