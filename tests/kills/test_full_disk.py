"""R14, R17: a disk that is really full, the store's and PostgreSQL's; a double of it is in `test_kills`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clubsync.store import embedded
from tests.kills import actions, state
from tests.kills.lab import Lab
from tests.kills.world import CLUB, World


@contextmanager
def _disk(size: str, folder: Path) -> Iterator[Path]:
    """A disk of that size in memory; only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    """Leave nothing of it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
    return filler


def test_the_stores_disk_is_full(lab: Lab, tmp_path: Path) -> None:
    """The sync fails with a sentence, nobody loses anything, no half of a file stays; with room it goes well."""
    before = lab.prepared("sync")
    with lab.copied(before.world, before.database) as world, _disk("4m", tmp_path) as disk:
        shutil.copytree(world.store, disk / "store")
        world.store = disk / "store"
        was = state.people(lab.url(world))
        filler = _fill(disk)
        with world.engine() as engine:
            (step,) = engine.sync([CLUB], "test")
        assert step["error"] is not None
        assert "Internal error" not in step["error"]
        assert state.people(lab.url(world)) == was
        assert [p for p in world.store.rglob("*.part") if p.stat().st_size] == []
        filler.unlink()
        actions.sync(world)
        assert state.people(lab.url(world), before.known) == before.after


def test_postgresqls_disk_is_full(lab: Lab, tmp_path: Path) -> None:
    """Its log cannot grow: it stops, what it had promised is there, and with room everything goes on."""
    parent = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    parent.chmod(0o755)
    small = {
        **Lab.settings,
        "min_wal_size": "32MB",
        "max_wal_size": "64MB",
        "shared_buffers": "16MB",
    }
    try:
        with _disk("160m", parent) as disk:
            folder = disk / "pg"
            server = embedded.ensure_running(folder, settings=small)
            try:
                server.create_database("full")
                world = World(server.url("full"), tmp_path / "store")
                world.store.mkdir()
                actions.edited(world)
                was, filler = state.people(lab.url(world)), _fill(disk)
                # more than the room that it has set aside for its log
                for n in range(3_000):
                    world.put(f"n{n}", f"n{n}@x.fr", first_name="F" * 200, last_name="L" * 200)
                with world.engine() as engine:
                    (step,) = engine.sync([CLUB], "test")
                assert step["error"] is not None
                assert "Internal error" not in step["error"]
                filler.unlink()
                server = embedded.ensure_running(folder, settings=small)
                assert state.people(lab.url(world)) == was
                for n in range(3_000):
                    world.remove(f"n{n}")
                actions.sync(world)
                inside = {key for key, one in state.people(lab.url(world))[CLUB].items() if one[0]}
                assert {"31", "32", "40"} <= inside
                assert not {"7", "8", "9"} & inside
            finally:
                embedded.stop(folder)
    finally:
        shutil.rmtree(parent, ignore_errors=True)
