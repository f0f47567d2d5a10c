"""Snapshots: hashes that are the same tomorrow and on another machine, and a store that keeps what it is given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clubsync.errors import SnapshotUnreadable
from clubsync.store import snapshots
from clubsync.store.snapshots import HASHED, Store, prepare, row_hashes
from connectors.sdk.model import assemble, customers_frame, groups_frame

FULL: dict[str, Any] = {
    "erp_id": "1",
    "email": "Ann@Exemple.fr",
    "first_name": "Ann",
    "last_name": "Martin",
    "phone": "+33600000001",
    "birth_date": date(1990, 1, 2),
    "status": "active",
    "status_raw": None,
    "groups": [
        {"id": "b", "valid_from": None, "valid_until": date(2026, 3, 10)},
        {"id": "a", "valid_from": date(2026, 1, 1), "valid_until": None},
    ],
    "valid_from": date(2026, 1, 1),
    "valid_until": None,
    "guardian_id": "7",
    "replaced_by": None,
    "created_at": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    "modified_at": datetime(2026, 1, 1, tzinfo=UTC),
    "is_company": False,
    "placeholder": False,
}
OTHER: dict[str, Any] = {
    "erp_id": "2",
    "email": None,
    "first_name": "",
    "phone": "+33600000002",
    "birth_date": None,
    "status": "former",
    "status_raw": "?",
    "groups": [],
    "valid_from": date(2026, 1, 2),
    "valid_until": date(2026, 1, 3),
    "guardian_id": None,
    "last_name": "Other",
    "replaced_by": "9",
    "created_at": None,
    "is_company": True,
    "placeholder": True,
}

PINNED = [15562407861139636791, 8572512143104850473]


def hashed(*rows: dict[str, Any]) -> list[int]:
    return row_hashes(customers_frame(list(rows))).to_list()


def test_row_hashes_are_pinned() -> None:
    """A change of these makes every club look at every record again: then RULES_VERSION should tell why."""
    assert hashed(FULL, {"erp_id": "2", "status": "unknown"}) == PINNED


@pytest.mark.parametrize("name", HASHED)
def test_every_hashed_field_counts(name: str) -> None:
    """A change of any field that can change a decision changes the hash."""
    assert hashed(FULL) != hashed(FULL | {name: OTHER[name]})


def test_what_cannot_change_a_decision_does_not_count() -> None:
    """A stamp that moves alone, and the order of groups."""
    moved = FULL | {"modified_at": None, "groups": list(reversed(FULL["groups"]))}
    assert hashed(FULL) == hashed(moved)


def test_neighbouring_fields_do_not_run_together() -> None:
    """ "ab" + "c" is not "a" + "bc", and null is not blank beside a text."""
    one, two = {"erp_id": "1", "status": "active"}, {"erp_id": "1", "status": "active"}
    one |= {"first_name": "ab", "last_name": "c"}
    two |= {"first_name": "a", "last_name": "bc"}
    assert hashed(one) != hashed(two)
    assert hashed(FULL | {"guardian_id": "7", "replaced_by": None}) != hashed(
        FULL | {"guardian_id": None, "replaced_by": "7"}
    )


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 50_000])
def test_a_row_hash_depends_on_no_other_row(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many groups a record's neighbours are in, and in whichever part of the rows it comes."""
    spans = [
        {"id": f"g{n}", "valid_from": None, "valid_until": date(2026, 3, 1 + n)} for n in range(4)
    ]
    rows = [
        FULL | {"erp_id": str(row), "groups": spans[:many] if row % 2 else spans[::-1][:many]}
        for row, many in enumerate((0, 3, 1, 2, 4, 0, 2, 1, 4, 3, 0))
    ]
    alone = [hashed(row)[0] for row in rows]
    monkeypatch.setattr(snapshots, "_PART", rows_at_once)
    assert hashed(*rows) == alone
    assert len(set(alone)) == len(rows)


def content(*rows: dict[str, Any], groups: tuple[str, ...] = ()) -> str:
    reading = assemble(
        customers_frame(list(rows)),
        groups_frame([{"id": g, "name": g, "active": True} for g in groups]),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        paged=False,
        pages=1,
    )
    return prepare(reading)[1]


def test_the_content_hash_knows_no_order() -> None:
    """Two readings with the same rows are the same content, whatever order they came in."""
    other = {"erp_id": "2", "status": "active"}
    assert content(FULL, other, groups=("a", "b")) == content(other, FULL, groups=("b", "a"))
    assert content(FULL, groups=("a",)) != content(FULL, groups=("b",))
    assert content(FULL) != content(FULL, other)
    # an id that contradicts itself is part of what was read
    assert content(FULL, FULL | {"email": None}) != content(FULL)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Whole, with its types; and no half-written file beside it."""
    store = Store(str(tmp_path))
    customers = customers_frame([FULL])
    store.write("club/abc", "customers.parquet", customers)
    assert store.exists("club/abc", "customers.parquet")
    assert store.read("club/abc", "customers.parquet").equals(customers)
    assert [p.name for p in (tmp_path / "club" / "abc").iterdir()] == ["customers.parquet"]


def test_a_file_that_is_gone_or_broken_is_refused(tmp_path: Path) -> None:
    """With a sentence, not with a traceback."""
    store = Store(str(tmp_path))
    with pytest.raises(SnapshotUnreadable, match=r"club/abc/customers\.parquet cannot be read"):
        store.read("club/abc", "customers.parquet")
    store.write("club/abc", "customers.parquet", pl.DataFrame({"a": [1]}))
    (tmp_path / "club" / "abc" / "customers.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(SnapshotUnreadable):
        store.read("club/abc", "customers.parquet")


def test_removing_twice_is_harmless(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("club/abc", "x.parquet", pl.DataFrame({"a": [1]}))
    store.remove("club/abc")
    store.remove("club/abc")
    assert not store.exists("club/abc", "x.parquet")
