"""R21: a stored file or a row that was tampered with is refused with a sentence, and nothing of it is loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from clubsync.errors import SnapshotUnreadable
from clubsync.operate import retention
from clubsync.store import packages
from clubsync.store.database import Base
from clubsync.store.ledger import Ledger
from clubsync.store.packages import PLAN, Package
from clubsync.store.snapshots import Store
from tests.support.club import Club
from tests.support.owner import as_owner
from tests.support.rules import NewClub

Tamper = Callable[[Club, Club, Path], None]


def another_clubs_row(mine: Club, other: Club, store: Path) -> None:
    _set(mine, "path", other, "path")


def another_clubs_row_and_hash(mine: Club, other: Club, store: Path) -> None:
    _set(mine, "path", other, "path")
    _set(mine, "content_hash", other, "content_hash")


def another_clubs_hash_in_our_folder(mine: Club, other: Club, store: Path) -> None:
    _set(mine, "content_hash", other, "content_hash")
    ((found,),) = other.rows("select content_hash from sync.snapshot where club = %s", other.number)
    with as_owner(mine._base) as driver:
        driver.execute(
            "update sync.snapshot set path = %s where club = %s",
            [f"{mine.id}/{found}", mine.number],
        )
    shutil.copytree(store / other.id / str(found), store / mine.id / str(found))


def a_path_around_a_corner(mine: Club, other: Club, store: Path) -> None:
    ((path,),) = other.rows("select path from sync.snapshot where club = %s", other.number)
    with as_owner(mine._base) as driver:
        driver.execute(
            "update sync.snapshot set path = %s where club = %s",
            [f"{mine.id}/../{path}", mine.number],
        )


def another_clubs_file(mine: Club, other: Club, store: Path) -> None:
    (ours,) = (store / mine.id).glob("*/customers.parquet")
    (theirs,) = (store / other.id).glob("*/customers.parquet")
    shutil.copy(theirs, ours)


def another_clubs_file_and_no_digest(mine: Club, other: Club, store: Path) -> None:
    """As from before digests were kept: then the content itself has to be what the row names."""
    another_clubs_file(mine, other, store)
    with as_owner(mine._base) as driver:
        driver.execute("delete from sync.stored_file where starts_with(path, %s)", [mine.id])


def one_byte(mine: Club, other: Club, store: Path) -> None:
    (ours,) = (store / mine.id).glob("*/groups.parquet")
    content = bytearray(ours.read_bytes())
    content[len(content) // 2] ^= 1
    ours.write_bytes(content)


def _set(mine: Club, column: str, other: Club, theirs: str) -> None:
    ((value,),) = other.rows(f"select {theirs} from sync.snapshot where club = %s", other.number)
    with as_owner(mine._base) as driver:
        driver.execute(
            f"update sync.snapshot set {column} = %s where club = %s", [value, mine.number]
        )


@pytest.mark.parametrize(
    "tamper",
    [
        another_clubs_row,
        another_clubs_row_and_hash,
        another_clubs_hash_in_our_folder,
        a_path_around_a_corner,
        another_clubs_file,
        another_clubs_file_and_no_digest,
        one_byte,
    ],
)
def test_a_replay_of_what_was_tampered_with_loads_nobody(
    new_club: NewClub, tmp_path: Path, tamper: Tamper
) -> None:
    mine, other = new_club(), new_club()
    mine.erp.put("1", "ana@example.com")
    for number in range(2, 42):
        other.erp.put(str(number), f"p{number}@example.com")
    mine.sync()
    other.sync()
    before = _people(mine)
    for club in (mine, other):
        with as_owner(club._base) as driver:
            # as after an erasure or an undo: the stored snapshot is evaluated again
            driver.execute(
                "update sync.club_state set content_hash = null where club = %s", [club.number]
            )
    tamper(mine, other, tmp_path / "snapshots")
    (step,) = mine.pipeline().replay(mine.id, None, None)
    assert step["error"] is not None
    assert "Nothing of it was used" in str(step["remedy"])
    assert _people(mine) == before
    other_again = other.pipeline().replay(other.id, None, None)[-1]
    assert other_again["error"] is None, "the other club's files are what they were"


def _people(club: Club) -> list[tuple[object, ...]]:
    return club.rows("select erp_id, email from base.customer where club = %s", club.number)


def test_a_plan_that_was_exchanged_between_two_stages_is_not_loaded(
    new_club: NewClub, tmp_path: Path
) -> None:
    """Airflow runs them in processes of their own: load takes the plan from the store."""
    mine, other = new_club(), new_club()
    mine.erp.put("1", "ana@example.com")
    other.erp.put("2", "eve@example.com")
    planned = {
        club.id: club.pipeline().diff(
            club.pipeline().validate(club.pipeline().extract([club.id], "test"))
        )
        for club in (mine, other)
    }
    (ours,) = (tmp_path / "snapshots" / mine.id).glob(f"runs/*/{PLAN}")
    (theirs,) = (tmp_path / "snapshots" / other.id).glob(f"runs/*/{PLAN}")
    shutil.copy(theirs, ours)
    (step,) = mine.pipeline().load(planned[mine.id])
    assert "is not the one that was written there" in str(step["error"])
    assert _people(mine) == []
    (step,) = other.pipeline().load(planned[other.id])
    assert step["error"] is None
    assert [row[1] for row in _people(other)] == ["eve@example.com"]


def test_a_file_that_is_replaced_is_valid_before_and_after(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the digest and the file, either is accepted; then only the last one."""
    store, here = Store(str(tmp_path), base=shared_base), packages.folder("rekeyed", 1)
    assert store.ledger is not None
    packages.write(store, here, PLAN, Package({"n": 1}, {}))
    first = (tmp_path / here / PLAN).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(store.fs, "mv", _killed)
        with pytest.raises(KeyboardInterrupt):
            packages.write(store, here, PLAN, Package({"n": 2}, {}))
    assert packages.read(store, here, PLAN).values == {"n": 1}
    packages.write(store, here, PLAN, Package({"n": 3}, {}))
    assert packages.read(store, here, PLAN).values == {"n": 3}
    (tmp_path / here / PLAN).write_bytes(first)
    with pytest.raises(SnapshotUnreadable, match="is not the one that was written there"):
        packages.read(store, here, PLAN)
    store.remove(here)
    with as_owner(shared_base) as driver:
        rows = driver.execute("select from sync.stored_file where path = %s", [here]).fetchall()
    assert rows == []


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_whose_replacement_fails_twice_stays_valid(
    shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that fails twice at the same moment: the file that is there is still the one that was written."""
    store, here = Store(str(tmp_path), base=shared_base), packages.folder("failing", 1)
    packages.write(store, here, PLAN, Package({"n": 1}, {}))
    with monkeypatch.context() as patched:
        patched.setattr(store.fs, "mv", _failing)
        for n in (2, 3):
            with pytest.raises(OSError, match="the bucket does not answer"):
                packages.write(store, here, PLAN, Package({"n": n}, {}))
    assert packages.read(store, here, PLAN).values == {"n": 1}
    store.remove(here)


def _failing(*_: object) -> None:
    raise OSError("the bucket does not answer")


def removed(club: Club, file: Path) -> None:
    """As by a removal of the folder that was interrupted."""
    file.unlink()


def damaged(club: Club, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-8])


def from_an_earlier_version(club: Club, file: Path) -> None:
    """Written before there were digests."""
    with as_owner(club._base) as driver:
        driver.execute("delete from sync.stored_file where starts_with(path, %s)", [club.id])


@pytest.mark.parametrize("spoil", [removed, damaged, from_an_earlier_version])
@pytest.mark.parametrize("name", ["groups.parquet", "conflicting.parquet", "customers.parquet"])
def test_the_next_reading_of_the_same_content_restores_its_files(
    new_club: NewClub, tmp_path: Path, spoil: Callable[[Club, Path], None], name: str
) -> None:
    club = new_club()
    club.erp.put("1", "ana@example.com")
    club.sync()
    (file,) = (tmp_path / "snapshots" / club.id).glob(f"*/{name}")
    spoil(club, file)
    club.later()
    assert club.sync()["error"] is None
    with as_owner(club._base) as driver:
        # the stored snapshot is evaluated again
        driver.execute(
            "update sync.club_state set content_hash = null where club = %s", [club.number]
        )
    club.later()
    step = club.pipeline().replay_snapshot(club.id, "test")
    assert step["error"] is None


def test_who_is_killed_before_digests_are_forgotten_leaves_none(
    new_club: NewClub, shared_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a run is gone, its digests are not: the next upkeep takes them away."""
    club = new_club()
    club.erp.put("1", "ana@x.fr")
    club.sync(dry_run=True)
    club.later(days=40)
    noted = "select path from sync.stored_file where starts_with(path, %s || '/runs/')"

    def keep_house() -> list[tuple[object, ...]]:
        engine = club.pipeline()
        retention.upkeep(shared_base, engine.store, engine.config, timedelta(days=30))
        with shared_base.transaction() as driver:
            return driver.execute(noted, [club.id]).fetchall()

    forget = Ledger.forget

    def killed_first(ledger: Ledger, path: str, name: str | None = None) -> None:
        if "/runs/" in path:
            raise OSError
        forget(ledger, path, name)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "forget", killed_first)
        assert keep_house() != []
    assert club.pipeline().store.files(f"{club.id}/runs") == []
    assert keep_house() == []
