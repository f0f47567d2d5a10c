"""Unfinished readings on the disk: whole files, in their order, and nothing that a file may not hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clubsync.extract.resume import ROOT, Folder, Kept, folders, forget, sweep
from clubsync.store.snapshots import Store
from connectors.sdk.resume import RequestDiffers

BEGUN = datetime(2026, 3, 2, 6, 0, 0, 123_457, tzinfo=UTC)
KEY = b"k" * 16
STORES = ["file", "memory"]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path) if request.param == "file" else f"memory://{tmp_path.name}")


def place(begun: datetime) -> Folder:
    return Folder("gym", begun, begun + timedelta(minutes=5), "abc")


def kept(store: Store, answers: int, *, worth: int = 1) -> Kept:
    """A reading that was killed after so many answers."""
    mark = Kept(store, KEY, place, worth=worth)
    assert mark.start(BEGUN) == BEGUN
    for number in range(answers):
        assert mark.recall(b"q%d" % number) is None
        mark.keep(b"q%d" % number, b"a%d" % number)
    return mark


def gone_on(store: Store) -> Kept:
    (folder,) = folders(store, "gym")
    return Kept(store, KEY, place, folder=folder)


def test_answers_come_back_in_their_order(store: Store) -> None:
    kept(store, 3)
    mark = gone_on(store)
    assert mark.start(BEGUN + timedelta(minutes=2)) == BEGUN
    assert [mark.recall(b"q%d" % n) for n in range(4)] == [b"a0", b"a1", b"a2", None]
    mark.keep(b"q3", b"a3")
    assert gone_on(store).kept == 4
    mark.remove()
    assert folders(store) == []


def test_another_question_differs(store: Store) -> None:
    kept(store, 2)
    mark = gone_on(store)
    mark.recall(b"q0")
    with pytest.raises(RequestDiffers):
        mark.recall(b"q0")


def test_few_answers_are_sooner_asked_for_again(store: Store) -> None:
    """They lie in memory only, until there are enough; then all of them are written."""
    kept(store, 7, worth=8)
    assert folders(store) == []
    kept(store, 8, worth=8)
    assert gone_on(store).kept == 8


def test_a_gap_ends_it(store: Store) -> None:
    """What another process wrote behind a file that is not there follows from nothing."""
    kept(store, 4)
    (folder,) = folders(store)
    (third,) = store.names(folder.path, "000002-")
    store.remove(f"{folder.path}/{third}")
    store.put(folder.path, "000002-x.77.part", b"half")
    assert gone_on(store).kept == 2


def test_a_file_that_cannot_be_read_is_no_answer(store: Store) -> None:
    kept(store, 1)
    mark = gone_on(store)
    (folder,) = folders(store)
    store.remove(f"{folder.path}/{store.names(folder.path, '')[0]}")
    with pytest.raises(RequestDiffers):
        mark.recall(b"q0")


def test_r19_an_answer_that_repeats_a_key_is_not_kept(store: Store) -> None:
    """A next page's address that bears our key, as it is or as an address writes it."""
    for said in (b'{"next": "/p?key=s3/cret"}', b'{"next": "/p?key=s3%2Fcret"}'):
        mark = Kept(store, KEY, place, secrets=["s3/cret"], worth=1)
        mark.start(BEGUN)
        mark.keep(b"q0", said)
        mark.keep(b"q1", b"a1")
        assert folders(store) == []


def test_r20_nothing_is_written_again_after_it_was_taken_away(store: Store) -> None:
    mark = kept(store, 2)
    forget(store, "gym")
    mark.keep(b"q2", b"a2")
    assert folders(store) == []


def test_r21_a_club_of_almost_the_same_name(store: Store) -> None:
    """`gym-2` is not `gym`, nor is what else lies there anybody's."""
    kept(store, 1)
    other = Folder("gym-2", BEGUN, BEGUN + timedelta(minutes=9), "abc")
    store.put(other.path, "000000-x", b"a")
    store.put(f"{ROOT}/gym_notes", "x", b"a")
    assert [f.club for f in folders(store, "gym")] == ["gym"]
    assert folders(store, "gym-2") == [other]
    forget(store, "gym")
    assert folders(store) == [other]
    assert sweep(store, BEGUN + timedelta(minutes=8)) == 0
    assert sweep(store, BEGUN + timedelta(minutes=9)) == 1


def test_a_full_disk_ends_no_reading(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    mark = kept(store, 1)
    monkeypatch.setattr(store, "put", full)
    mark.keep(b"q1", b"a1")
    assert gone_on(store).kept == 1
