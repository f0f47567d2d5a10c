"""R20: an erasure is a stored order: carried out until nothing is left, and nothing brings the person back.

"No run that was under way, no replay, no approval and no redo brings the person back."
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clubsync.config import Config, Guard
from clubsync.extract import resume
from clubsync.manual import erasure, lifecycle
from clubsync.manual.erasure import erase
from clubsync.operate.retention import upkeep
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import queries
from clubsync.store.snapshots import Store
from tests.support.club import Club
from tests.support.file_club import FileClub, table
from tests.support.rules import NewClub
from tests.support.traces import traces_of_club

ID, EMAIL = "erp-vanish-7", "vanish@x.fr"
WORDS = (ID, EMAIL, "Vanisha", "Goner", "612345678")


def _put(club: Club, erp_id: str = ID, **fields: object) -> None:
    club.erp.put(
        erp_id,
        EMAIL,
        **{"first_name": "Vanisha", "last_name": "Goner", "phone": "+33612345678", **fields},
    )


def _loaded(club: Club) -> None:
    """A club of three, with a past in which the person changed."""
    club.erp.put("1", "stay@x.fr", first_name="Stay")
    club.erp.put("5", "other@x.fr", guardian_id=ID)
    _put(club)
    club.sync()
    club.erp.change(ID, phone="+33612345679")
    club.sync()


def _erase(club: Club, who: str = EMAIL, store: Store | None = None) -> dict[str, Any]:
    return erase(club._base, store or club.pipeline().store, club.config, who, by="somebody")


def _left(club: Club) -> list[str]:
    """Where the person still stands, of this club."""
    with club.driver() as driver:
        return traces_of_club(driver, club._store, WORDS)


# --- under way ----------------------------------------------------------------------------------


def _read(club: Club, pipeline: Pipeline) -> Any:
    club.later()
    club._say(True, None, (), ())
    return pipeline.extract([club.id], "test")


@pytest.mark.parametrize("another_process", [False, True], ids=["one process", "several"])
@pytest.mark.parametrize("moment", ["extract", "validate", "diff"])
def test_r20_a_run_under_way(club: Club, moment: str, another_process: bool) -> None:
    """Erased after any stage: the stages that follow, in the same process or another, bring nothing back."""
    _loaded(club)
    club.erp.put("2", "new@x.fr")
    club.erp.change(ID, first_name="Vanisha II")
    pipeline = club.pipeline()

    def after(stage: str) -> None:
        nonlocal pipeline
        if stage == moment:
            assert _erase(club)["complete"]
        if another_process:
            pipeline = club.pipeline()

    steps = _read(club, pipeline)
    after("extract")
    steps = pipeline.validate(steps, store=another_process)
    after("validate")
    steps = pipeline.diff(steps, store=another_process)
    after("diff")
    (step,) = pipeline.load(steps)
    assert step["error"] is None
    assert club.inside() == {"1", "2", "5"}
    assert _left(club) == []
    club.sync()
    assert club.inside() == {"1", "2", "5"}
    assert _left(club) == []


def test_r20_somebody_whom_only_a_run_under_way_has_read(club: Club) -> None:
    """Read and not loaded: they are in a stored snapshot alone. That is enough to find them, and to keep them out."""
    club.erp.put("1", "stay@x.fr")
    club.sync()
    _put(club)
    pipeline = club.pipeline()
    steps = _read(club, pipeline)
    made = _erase(club)
    assert (made["records"], made["complete"]) == (1, True)
    pipeline.load(pipeline.diff(pipeline.validate(steps)))
    assert club.inside() == {"1"}
    assert _left(club) == []


def test_r20_a_new_id_that_was_read_before_the_order(club: Club) -> None:
    """They signed up again, which a run under way has read: it was before the order, and lifts nothing."""
    _loaded(club)
    club.erp.remove(ID)
    _put(club, "erp-vanish-8")
    pipeline = club.pipeline()
    steps = _read(club, pipeline)
    _erase(club)
    pipeline.load(pipeline.diff(pipeline.validate(steps, store=False), store=False))
    assert club.inside() == {"1", "5"}
    assert _left(club) == []
    club.sync()
    assert club.inside() == {"1", "5", "erp-vanish-8"}, (
        "a reading after the order: a new id lifts it"
    )


def test_r20_a_reading_that_is_being_stored(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erased between the reading and its lock: it is filtered, and stored under its own hash."""
    from clubsync.pipeline import extract

    _loaded(club)
    club.erp.put("2", "new@x.fr")
    kept, ordered = extract._kept, list[dict[str, Any]]()

    def late(*args: Any) -> Any:
        if not ordered:
            ordered.append(_erase(club))
        return kept(*args)

    monkeypatch.setattr(extract, "_kept", late)
    step = club.sync()
    assert ordered[0]["complete"]
    assert step["read"] == 3
    assert club.inside() == {"1", "2", "5"}
    assert _left(club) == []


# --- stored snapshots that could not be cleaned ---------------------------------------------------


class Faulty(Store):
    """A store some of whose files cannot be reached.

    :param broken: raises what happens to a file, by its path.
    """

    def __init__(self, root: Path, broken: Callable[[str], None]) -> None:
        super().__init__(str(root))
        self.broken = broken

    def write(self, path: str, name: str, frame: pl.DataFrame) -> None:
        self.broken(path)
        super().write(path, name, frame)


def _read_only(path: str) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


def _uncleaned(club: Club) -> None:
    """An order whose snapshots could not be written: they still hold the person."""
    made = _erase(club, store=Faulty(club._store, _read_only))
    assert not made["complete"]
    assert _left(club)


def test_r20_replays_from_snapshots_that_were_not_cleaned(club: Club) -> None:
    _loaded(club)
    _uncleaned(club)
    for step in club.pipeline().replay(club.id):
        assert step["error"] is None
    club.pipeline().replay_snapshot(club.id, "again")
    assert club.inside() == {"1", "5"}
    start = club.now - timedelta(hours=1)
    club.pipeline().backfill([club.id], start, club.now + timedelta(minutes=1))
    assert club.inside() == {"1", "5"}
    assert not [
        where for where in _left(club) if where.startswith(("base.", "sync.change", "sync.erp"))
    ]


def test_r20_an_approval_from_a_snapshot_that_was_not_cleaned(new_club: NewClub) -> None:
    """A hold is open over others, and the person is among the new."""
    club = new_club(guard=Guard(at_least=1, at_most=1))
    for n in range(1, 5):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.sync()
    _put(club)
    club.erp.remove("1", "2", "3")
    step = club.sync()
    assert step["hold"] is not None
    hold = step["hold"]["hold"]
    assert club.inside() == {"1", "2", "3", "4", ID}
    _uncleaned(club)
    done = club.pipeline().approve(hold, "somebody")
    assert done["error"] is None
    assert club.inside() == {"4"}
    assert not [where for where in _left(club) if where.startswith("base.")]


def test_r20_undo_and_redo_bring_nobody_back(club: Club) -> None:
    _loaded(club)
    club.erp.put("2", "new@x.fr")
    club.erp.change(ID, first_name="Vanisha II")
    run = club.sync()["run"]
    assert run is not None
    from clubsync.manual.undo import undo

    undo(club._base, club.pipeline().config, run, by="somebody")
    _uncleaned(club)
    step = club.pipeline().redo(run, "somebody")
    assert step["error"] is None
    assert club.inside() == {"1", "2", "5"}
    assert not [where for where in _left(club) if where.startswith("base.")]


# --- what cannot be reached -----------------------------------------------------------------------


def _finished(club: Club) -> None:
    """Upkeep carries the order out."""
    done = erasure.finish_all(club._base, club.pipeline().store)
    assert [state for state in done["left"] if state["club"] == club.id] == []
    assert _left(club) == []
    club.sync()
    assert ID not in club.inside()
    assert _left(club) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [(errno.EROFS, "read-only"), (errno.ENOSPC, "full")],
    ids=["read-only", "full"],
)
def test_r20_a_store_that_does_not_take_files(club: Club, error: int, said: str) -> None:
    """The database is clean at once, what could not be reached is named, and asking again says how far it is."""

    def fails(path: str) -> None:
        raise OSError(error, "no")

    _loaded(club)
    made = _erase(club, store=Faulty(club._store, fails))
    assert not made["complete"]
    paths = {row[0] for row in club.rows("select path from sync.snapshot")}
    named = {part["part"] for part in made["unreachable"]}
    assert named == paths
    assert all(said in part["problem"] for part in made["unreachable"])
    assert not [where for where in _left(club) if where.startswith(("base.", "sync.c"))]
    again = _erase(club, store=Faulty(club._store, fails))
    assert (again["erasure"], again["complete"]) == (made["erasure"], False)
    _finished(club)
    assert _erase(club)["complete"], "who is ordered is known, and nobody is not said to match"
    assert _erase(club, ID)["erasure"] == made["erasure"]


def test_r20_one_broken_file_stops_nothing_else(club: Club) -> None:
    _loaded(club)
    broken, *others = sorted({row[0] for row in club.rows("select path from sync.snapshot")})
    file = club._store / broken / "customers.parquet"
    file.write_bytes(b"PAR1 " + EMAIL.encode())
    made = _erase(club)
    assert [part["part"] for part in made["unreachable"]] == [broken]
    assert "delete it" in made["unreachable"][0]["remedy"]
    assert others
    assert {where.split(":")[0] for where in _left(club) if where.startswith(club.id)} == {
        f"{broken}/customers.parquet"
    }
    file.unlink()
    _finished(club)


def test_r20_a_missing_file_is_named(club: Club) -> None:
    """It is lost where others are there: nothing of the person can be in it."""
    _loaded(club)
    lost = club.rows("select path from sync.snapshot order by snapshot limit 1")[0][0]
    (club._store / lost / "customers.parquet").unlink()
    made = _erase(club)
    assert [part["part"] for part in made["unreachable"]] == [f"{lost}/customers.parquet"]
    assert made["complete"]
    assert _left(club) == []


def test_r20_a_store_that_is_not_there_is_no_clean_store(club: Club) -> None:
    """Not mounted: nothing is found, and nothing is said to be complete."""
    _loaded(club)
    away = club._store.rename(club._store.with_name("away"))
    made = _erase(club)
    assert not made["complete"]
    assert made["unreachable"]
    away.rename(club._store)
    _finished(club)


# --- what stays, and what ends it -----------------------------------------------------------------


def test_r20_what_an_order_keeps(club: Club) -> None:
    """While it is not complete: ids; then keyed hashes only."""
    _loaded(club)
    _uncleaned(club)
    assert club.rows("select ids from sync.erasure") == [([ID],)]
    assert not [where for where in _left(club) if where.startswith("sync.") and EMAIL in where]
    _finished(club)
    assert club.rows("select ids from sync.erasure") == [([],)]


def test_r20_by_any_of_their_emails_it_is_lifted(club: Club) -> None:
    """A person of two emails, the ERP's and one of a record merged into theirs."""
    _loaded(club)
    club.erp.put("erp-vanish-6", "vanish.too@x.fr", replaced_by=ID)
    club.sync()
    _erase(club)
    club.sync()
    assert club.inside() == {"1", "5"}
    assert _left(club) == []
    customer = club.add_by_hand("vanish.too@x.fr")
    club.sync()
    assert club.customer(customer)["in_customers_group"]
    assert ID in club.inside()


def test_r20_the_order_comes_back_to_content_that_was_stored_before(club: Club) -> None:
    """After it is lifted the ERP shows what it showed before, and so does the stored snapshot."""
    _loaded(club)
    _erase(club)
    club.sync()
    customer = club.add_by_hand(EMAIL)
    club.sync()
    assert club.base()[ID]["id"] == customer
    (step,) = club.pipeline().replay(club.id, start=club.now)
    assert step["error"] is None
    club.erp.put("2", "new@x.fr")
    club.sync()
    assert club.inside() == {"1", "2", "5", ID}


def test_r08_a_ward_does_not_take_the_guardians_place(club: Club) -> None:
    """The guardian is erased by id; the child on their email gets no access by it, and their own email when it has
    one."""
    _put(club)
    club.erp.put("1", "stay@x.fr")
    club.erp.put("6", EMAIL, first_name="Kid", guardian_id=ID)
    club.sync()
    assert club.inside() == {"1", ID}
    _erase(club, ID)
    club.sync()
    assert club.inside() == {"1"}
    assert _left(club) == []
    club.erp.change("6", email="kid@x.fr")
    club.sync()
    assert club.inside() == {"1", "6"}


def test_r20_of_a_source_without_ids_another_email_brings_nobody_back(
    files: FileClub,
) -> None:
    """Their id is a hash of their email: phone and name say who they are all the same."""
    files.files["fields"] = {
        "email": "email", "first_name": "first", "last_name": "last", "phone": "phone", "status": "status"
    }  # fmt: skip
    columns = "email;first;last;phone;status"
    stay = "stay@x.fr;Stay;Here;0612000001;active"
    files.load(table(stay, f"{EMAIL};Vanisha;Goner;0612345678;active", columns=columns))
    assert files.inside().__len__() == 2
    erase(files._base, files.pipeline().store, files.config, EMAIL, by="somebody")
    files.load(table(stay, "goner@x.fr;Vanisha;Goner;0612345678;active", columns=columns))
    assert len(files.inside()) == 1
    assert _left(files) == []


def test_r01_another_source_s_ids_are_other_people(club: Club) -> None:
    """A club moves to another ERP: whoever has the erased id there is somebody else."""
    _loaded(club)
    _erase(club)
    lifecycle.move(club._base, club.config)
    club.erp.records.clear()
    club.erp.put(ID, "somebody.else@x.fr", first_name="Some", last_name="Body")
    club.erp.put("1", "stay@x.fr", first_name="Stay")
    club.sync()
    assert ID in club.inside()


# --- everything in the store has a row ------------------------------------------------------------


def _upkeep(club: Club, days: int = 30) -> Any:
    config = Config(clubs=(club.config,))
    return upkeep(club._base, club.pipeline().store, config, timedelta(days=days))


def test_what_no_row_names_is_taken_away(club: Club) -> None:
    """What a killed process has left: a folder, a run's packages, a file that was being written."""
    _loaded(club)
    store = club.pipeline().store
    path = club.rows("select path from sync.snapshot limit 1")[0][0]
    orphan = f"{club.id}/{'0' * 32}"
    store.write(orphan, "customers.parquet", pl.DataFrame({"erp_id": [ID]}))
    store.put(f"{club.id}/runs/999999999", "plan.zip", b"")
    store.put(path, f"customers.parquet.{1}.part", EMAIL.encode())
    _upkeep(club)
    assert (club._store / orphan).exists(), "it may be a run's that is under way"
    assert not list(club._store.rglob("*.part"))
    assert not (club._store / club.id / "runs" / "999999999").exists()
    club.later(days=1, minutes=1)
    _upkeep(club)
    assert not (club._store / orphan).exists()
    assert (club._store / path).exists()


def test_r20_what_no_row_names_is_found_by_an_erasure(club: Club) -> None:
    """At once, however young it is."""
    _loaded(club)
    store = club.pipeline().store
    store.write(f"{club.id}/{'0' * 32}", "customers.parquet", pl.DataFrame({"erp_id": [ID]}))
    store.put(f"{club.id}/runs/7", "affected.zip", EMAIL.encode())
    store.put(f"{resume.ROOT}/{club.id}_1_2_abc", "000000-x", EMAIL.encode())
    made = _erase(club)
    assert made["complete"], made
    assert _left(club) == []


def test_a_folder_has_its_row_before_it_is_there(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing else of the run is committed: here the disk is full."""
    club.erp.put("1", "stay@x.fr")

    def full(self: Store, path: str, name: str, frame: pl.DataFrame) -> None:
        with self.whole(path, name) as file:
            file.write(b"PAR1")
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", full)
        assert club.attempt()["error"] is not None
    assert club.rows("select count(*) from sync.folder") == [(1,)]
    assert not list(club._store.rglob("*.part"))
    club.sync()
    assert club.inside() == {"1"}


def test_r28_a_purge_that_did_not_reach_the_store_is_finished(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    _loaded(club)
    lifecycle.remove(club._base, club.config, timedelta(0))
    club.later()
    base, store = club._base, club.pipeline().store

    def unreachable(self: Store, path: str) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", unreachable)
        assert lifecycle.purge_removed(base, store) == []
    assert club.number == 0
    assert lifecycle.purge_removed(base, store) == [club.id]
    assert not (club._store / club.id).exists()
    with base.transaction() as driver:
        assert list(queries().removed_clubs(driver)) == []
