"""R20: `clubsync erase`, retention and purge killed with SIGKILL at every step, run again, and nothing is left.

Real processes, a real PostgreSQL, a real CSV. Each try starts from the same base and the same store; the killed and
rerun erasure ends as the undisturbed one (`twin`) ends: every table, every file.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pytest
from psycopg import sql

from clubsync import connections
from clubsync.config import Config, load_config
from clubsync.manual import erasure, lifecycle
from clubsync.operate.retention import upkeep
from clubsync.pipeline.engine import Pipeline
from clubsync.store import embedded
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from tests.support.killed import killed_at
from tests.support.owner import as_owner
from tests.support.traces import pages, traces

CLUB = "killed"
ID, EMAIL = "erp-vanish-7", "vanish@x.fr"
WORDS = (ID, EMAIL, "Vanisha", "Goner", "612345678")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FIELDS = {name: name for name in ("id", "email", "first_name", "last_name", "phone", "status")}

#: Steps of an erasure. `…erasure_rows:delete@after` is before its commit, the next one right after it.
STEPS = (
    "clubsync.manual.erasure_rows:delete@after",
    "clubsync.manual.erasure:_order@after",
    "clubsync.manual.erasure_parts:_Work._move#2@after",
    "clubsync.store.packages:write#2",
    "clubsync.manual.erasure_parts:_Work.complete",
)
#: The same more often: every call of everything that changes the store or the order.
EVERY_STEP = (
    "clubsync.store.snapshots:Store.write#2@after",
    "clubsync.store.database:Base.vacuum",
    *(
        f"clubsync.{function}#{n}@{moment}"
        for function in (
            "store.snapshots:Store.whole",
            "store.snapshots:Store.remove",
            "store.snapshots:Store.remove_file",
            "manual.erasure_parts:_Work.attempt",
            "manual.erasure_parts:_Work._move",
        )
        for n in range(1, 9)
        for moment in ("before", "after")
    ),
)


@dataclass
class World:
    """A club in a base and a store of its own, and the environment of its processes."""

    server: embedded.Server
    name: str
    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "snapshots"

    @property
    def env(self) -> dict[str, str]:
        connection = {"conn_type": "clubsync_csv", "host": (self.folder / "drop").as_uri()}
        return {
            "CLUBSYNC_CONFIG": str(self.folder / "clubs.yaml"),
            "CLUBSYNC_DATABASE": self.server.url(self.name),
            "CLUBSYNC_SNAPSHOTS": str(self.store),
            "CLUBSYNC_VAR": str(self.folder),
            "CLUBSYNC_NOW": (START + timedelta(hours=1)).isoformat(),
            "AIRFLOW_CONN_DROP": json.dumps(connection),
        }

    def export(self, hour: int, *rows: str) -> None:
        file = self.folder / "drop" / "customers.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join([";".join(FIELDS), *rows]) + "\n")
        at = (START + timedelta(minutes=5 * hour)).timestamp()
        os.utime(file, (at, at))

    def copy(self, name: str, folder: Path) -> World:
        """A twin: the same base and the same store."""
        shutil.copytree(self.folder, folder)
        self.server.create_database(name, template=self.name)
        return World(self.server, name, folder)

    def erase(self, base: Base) -> dict[str, Any]:
        return erasure.erase(base, Store(str(self.store), base=base), self.config.club(CLUB), ID)

    @property
    def config(self) -> Config:
        return load_config(self.folder / "clubs.yaml")

    def state(self, base: Base) -> dict[str, Any]:
        """Every table and every file, but for what differs from try to try."""
        return {**_tables(base), **_files(self.store)}


#: Numbers from sequences, and times that are not by clubsync's clock.
_VARIES = {
    "deleted_by", "deleted_at", "tried_at", "hash_key", "run", "change", "erasure", "vector",
    "closed_run", "files", "recheck", "finding",
    # a file that a killed process was about to replace may have either content
    "digests",
}  # fmt: skip


def _tables(base: Base) -> dict[str, Any]:
    found = {}
    with as_owner(base) as driver:
        names = driver.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('base', 'sync')"
        ).fetchall()
        for schema, table in names:
            if (schema, table) in (("sync", "feed"), ("sync", "feed_head")):
                continue  # an entry for each run, with a mark drawn by lot
            query = sql.SQL("select to_jsonb(t) from {} as t").format(sql.Identifier(schema, table))
            rows = [row for (row,) in driver.execute(query)]
            kept = [{k: v for k, v in row.items() if k not in _VARIES} for row in rows]
            found[f"{schema}.{table}"] = sorted(map(str, kept))
    return found


def _files(store: Path) -> dict[str, Any]:
    return {str(p.relative_to(store)): _content(p) for p in store.rglob("*") if p.is_file()}


def _content(path: Path) -> Any:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    with zipfile.ZipFile(path) as archive:
        return {
            member: pl.read_ipc_stream(io.BytesIO(archive.read(member))).to_dicts()
            if member.endswith(".arrows")
            else archive.read(member)
            for member in archive.namelist()
        }


@pytest.fixture(scope="module")
def world(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A club with a past: snapshots that hold the person, plans, changes, a run under way."""
    folder = tmp_path_factory.mktemp("killed")
    it = World(postgres, "killed", folder)
    settings = {
        "customers": "customers.csv",
        "fields": FIELDS,
        "active_status": ["active"],
        "other_status": "inactive",
    }
    club = {"id": CLUB, "name": "Killed", "erp": "csv", "connection": "drop", "settings": settings}
    (folder / "clubs.yaml").write_text(json.dumps({"clubs": [club]}))
    postgres.create_database(it.name)
    stay = [f"{n};p{n}@x.fr;First{n};Last{n};;active" for n in range(1, 4)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in it.env.items():
            patch.setenv(name, value)
        base = Base(postgres.url(it.name))
        pipeline = Pipeline(
            it.config, base, Store(str(it.store), base=base), resolve=connections.resolve
        )
        for hour in range(3):
            it.export(hour, *stay, f"{ID};{EMAIL};Vanisha;Goner;+3361234567{hour};active")
            (step,) = pipeline.sync([CLUB], "test")
            assert step["error"] is None, step["error"]
        it.export(3, *stay, "9;p9@x.fr;First9;Last9;;active", f"{ID};{EMAIL};Vanisha;Goner;;active")
        (step,) = pipeline.validate(pipeline.extract([CLUB], "test"))
        assert step["error"] is None, step["error"]
        base.close()
    yield it
    postgres.drop_database(it.name)


@pytest.fixture(scope="module")
def twin(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """How an undisturbed erasure ends."""
    it = world.copy("killed_twin", tmp_path_factory.mktemp("twins") / "twin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUBSYNC_NOW", it.env["CLUBSYNC_NOW"])
        base = Base(it.server.url(it.name))
        made = it.erase(base)
        assert made["complete"], made
        assert traces(base, it.store, WORDS) == []
        state = it.state(base)
        base.close()
    yield state
    it.server.drop_database(it.name)


@pytest.fixture
def killed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, Base]]:
    """A world to be killed in, and its base."""
    it = world.copy("killed_again", tmp_path / "world")
    monkeypatch.setenv("CLUBSYNC_NOW", it.env["CLUBSYNC_NOW"])
    base = Base(it.server.url(it.name))
    yield it, base
    base.close()
    it.server.drop_database(it.name)


def _erased_again(it: World, base: Base, twin: dict[str, Any], *, by_upkeep: bool) -> None:
    """Run it again, or let upkeep do it: it ends as the undisturbed erasure did."""
    if by_upkeep:
        done = erasure.finish_all(base, Store(str(it.store), base=base))
        assert done["left"] == []
    made = it.erase(base)
    assert made["complete"], made
    assert traces(base, it.store, WORDS) == []
    assert pages(base, WORDS) == []
    assert it.state(base) == twin


@pytest.mark.parametrize("point", STEPS, ids=lambda point: point.rpartition(":")[2])
def test_r20_an_erasure_that_is_killed(
    killed: tuple[World, Base], twin: dict[str, Any], point: str
) -> None:
    it, base = killed
    assert killed_at(point, ["erase", CLUB, ID, "--yes", "--json"], it.env)
    _erased_again(it, base, twin, by_upkeep=STEPS.index(point) % 2 == 0)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("point", EVERY_STEP)
def test_r20_an_erasure_that_is_killed_anywhere(
    killed: tuple[World, Base], twin: dict[str, Any], point: str
) -> None:
    it, base = killed
    killed_at(point, ["erase", CLUB, ID, "--yes", "--json"], it.env)
    _erased_again(it, base, twin, by_upkeep=False)


def _fill(file: BinaryIO) -> None:
    with suppress(OSError):  # there is no space left
        while True:
            file.write(bytes(4096))


def test_r20_a_disk_that_is_full(killed: tuple[World, Base], twin: dict[str, Any]) -> None:
    """A real one, of a few pages; then it is read-only; then it takes files again."""
    it, base = killed
    small = it.folder / "small"
    small.mkdir()
    size = sum(p.stat().st_size for p in it.store.rglob("*")) + 80_000
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        shutil.move(it.store, small / "snapshots")
        it.store.symlink_to(small / "snapshots")
        filler = small / "filler"
        with filler.open("wb", buffering=0) as file:
            _fill(file)
        made = it.erase(base)
        assert not made["complete"]
        assert "full" in {part["problem"].rstrip(".").split()[-1] for part in made["unreachable"]}
        assert not list(it.store.rglob("*.part"))
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        made = it.erase(base)
        assert not made["complete"]
        assert any("read-only" in part["problem"] for part in made["unreachable"])
        subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
        _erased_again(it, base, twin, by_upkeep=True)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_r20_the_last_person_of_a_table_leaves_no_statistics(
    killed: tuple[World, Base],
) -> None:
    """ANALYZE leaves the statistics of an empty table as they were."""
    it, base = killed
    with as_owner(base) as driver:
        for table in ("base.customer", "sync.erp_customer", "sync.change"):
            column = "customer" if table != "sync.erp_customer" else "erp_id"
            driver.execute(
                f"delete from {table} where {column}::text not in ("
                "select customer::text from base.customer where erp_id = %s union select %s)",
                [ID, ID],
            )
    base.vacuum(["base.customer", "sync.erp_customer", "sync.change"])
    assert any("pg_stats" in where for where in traces(base, it.store, WORDS))
    assert it.erase(base)["complete"]
    assert traces(base, it.store, WORDS) == []


def test_r20_an_open_transaction_keeps_the_order_open(killed: tuple[World, Base]) -> None:
    """Somebody's old snapshot still sees the deleted rows: they cannot be removed before it ends."""
    it, base = killed
    with as_owner(base) as old:
        old.execute("set transaction isolation level repeatable read")
        old.execute("select count(*) from base.customer").fetchone()
        made = it.erase(base)
        assert not made["complete"]
        assert [part["part"] for part in made["unreachable"]] == ["database"]
        assert pages(base, WORDS)
    assert it.erase(base)["complete"]
    assert pages(base, WORDS) == []


# --- retention and purge -------------------------------------------------------------------------


def _later(it: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    now = (START + timedelta(days=40)).isoformat()
    monkeypatch.setenv("CLUBSYNC_NOW", now)
    return {**it.env, "CLUBSYNC_NOW": now}


@pytest.mark.parametrize("nth", [2])
def test_a_retention_that_is_killed(
    killed: tuple[World, Base], monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """The rows of old snapshots are gone, their folders not: the next upkeep takes them away."""
    it, base = killed
    env = _later(it, monkeypatch)
    before = _folders(it)
    assert killed_at(f"clubsync.store.snapshots:Store.remove#{nth}", ["upkeep"], env)
    assert len(_folders(it)) >= len(before) - nth + 1
    upkeep(base, Store(str(it.store), base=base), it.config, timedelta(days=30))
    with as_owner(base) as driver:
        rows = driver.execute("select path from sync.snapshot").fetchall()
    assert _folders(it) == {path for (path,) in rows} < before


def test_r20_an_erasure_after_a_retention_that_was_killed(
    killed: tuple[World, Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    it, base = killed
    env = _later(it, monkeypatch)
    assert killed_at("clubsync.store.snapshots:Store.remove", ["upkeep"], env)
    assert it.erase(base)["complete"]
    assert traces(base, it.store, WORDS) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_r28_a_purge_that_is_killed(
    killed: tuple[World, Base], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    it, base = killed
    lifecycle.remove(base, it.config.club(CLUB), timedelta(0))
    env = _later(it, monkeypatch)
    assert killed_at(f"clubsync.store.snapshots:Store.remove@{moment}", ["upkeep"], env)
    upkeep(base, Store(str(it.store), base=base), it.config, timedelta(days=30))
    assert [p for p in it.store.rglob("*") if p.is_file()] == []
    assert traces(base, it.store, WORDS) == []


@pytest.mark.parametrize("nth", [1, 3])
def test_a_sync_that_is_killed_while_it_stores(
    killed: tuple[World, Base], monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """What it had written has a row, and an erasure finds it at once."""
    it, base = killed
    it.export(4, f"1;p1@x.fr;New{nth};Name;;active", f"{ID};{EMAIL};Vanisha;Goner;;active")
    point = f"clubsync.store.snapshots:Store.write#{nth}@after"
    assert killed_at(point, ["sync", CLUB], it.env)
    with as_owner(base) as driver:
        rows = driver.execute("select path from sync.folder").fetchall()
    assert _folders(it) <= {path for (path,) in rows}
    assert it.erase(base)["complete"]
    assert traces(base, it.store, WORDS) == []


def _folders(it: World) -> set[str]:
    return {f"{CLUB}/{p.name}" for p in (it.store / CLUB).iterdir() if p.name != "runs"}
