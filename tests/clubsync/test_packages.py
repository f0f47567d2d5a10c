"""Packages: what one stage stores is what the next one reads, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from clubsync.errors import SnapshotUnreadable
from clubsync.model import GROUP_LIST, NOT_STORED
from clubsync.store import packages
from clubsync.store.packages import PLAN, Package
from clubsync.store.snapshots import Store

HERE = packages.folder("dojo", 7)
FRAME = pl.DataFrame(
    {
        "erp_id": ["1", "2"],
        "row_hash": pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
        "at": [datetime(2026, 3, 2, 10, tzinfo=UTC), None],
        "groups": pl.Series(
            [[{"id": "g", "valid_from": None, "valid_until": date(2026, 4, 1)}], []],
            dtype=GROUP_LIST,
        ),
        "waits": [None, True],
    }
)


def test_a_package_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    empty = FRAME.clear()
    packages.write(store, HERE, PLAN, Package({"revision": 3}, {"one": FRAME, "none": empty}))
    back = packages.read(store, HERE, PLAN)
    assert back.values == {"revision": 3}
    assert back.frames["one"].equals(FRAME)
    assert back.frames["one"].schema == FRAME.schema
    assert back.frames["none"].schema == FRAME.schema
    assert set(packages.read(store, HERE, PLAN, only=["none"]).frames) == {"none"}


@pytest.mark.parametrize("left", [0, 10, 400, -1])
def test_a_cut_package_is_refused(tmp_path: Path, left: int) -> None:
    """A full disk, a lost half: refused with a sentence, never read in part."""
    store = Store(str(tmp_path))
    packages.write(store, HERE, PLAN, Package({}, {"one": FRAME}))
    file = tmp_path / HERE / PLAN
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(SnapshotUnreadable, match=re.escape("dojo/runs/7/plan.zip")):
        packages.read(store, HERE, PLAN)


def test_a_damaged_frame_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    packages.write(store, HERE, PLAN, Package({}, {"one": FRAME}))
    file = tmp_path / HERE / PLAN
    content = bytearray(file.read_bytes())
    content[200] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(SnapshotUnreadable):
        packages.read(store, HERE, PLAN)


def test_a_package_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    packages.write(store, HERE, PLAN, Package({}, {"one": FRAME}))
    monkeypatch.setattr(packages, "FORMAT", packages.FORMAT + 1)
    with pytest.raises(SnapshotUnreadable, match="another version"):
        packages.read(store, HERE, PLAN)


def test_an_erased_person_can_be_taken_out_of_any_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R20: a person's rows leave every frame; the rest stays, the version too."""
    store = Store(str(tmp_path))
    packages.write(store, HERE, PLAN, Package({"n": 1}, {"one": FRAME, "none": FRAME.clear()}))
    was = packages.FORMAT
    monkeypatch.setattr(packages, "FORMAT", was + 1)

    def without(package: Package) -> Package:
        one = package.frames["one"].filter(pl.col("erp_id") != "1")
        return Package(package.values, {**package.frames, "one": one})

    assert packages.rewrite(store, HERE, PLAN, without)
    assert not packages.rewrite(store, HERE, PLAN, without)
    monkeypatch.setattr(packages, "FORMAT", was)
    assert packages.read(store, HERE, PLAN).frames["one"]["erp_id"].to_list() == ["2"]


@dataclass(frozen=True)
class Inner:
    ids: pl.Series
    day: date


@dataclass(frozen=True)
class Outer:
    inner: Inner
    rows: pl.DataFrame
    words: frozenset[str]
    seen: tuple[str, ...]
    at: datetime
    here: pl.DataFrame | None = field(default=None, metadata=NOT_STORED)


def test_a_dataclass_comes_back_from_its_package(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    ids = pl.Series("erp_id", ["1", None], dtype=pl.String)
    value = Outer(
        Inner(ids, date(2026, 3, 2)),
        FRAME,
        frozenset({"active", "paused"}),
        ("7",),
        datetime(2026, 3, 2, 10, 0, 0, 123, tzinfo=UTC),
        here=FRAME,
    )
    packages.write(store, HERE, PLAN, packages.pack(value))
    back = packages.unpack(Outer, packages.read(store, HERE, PLAN))
    assert back.inner.ids.equals(ids)
    assert back.inner.day == value.inner.day
    assert back.rows.equals(FRAME)
    assert (back.words, back.seen, back.at) == (value.words, value.seen, value.at)
    assert back.here is None
