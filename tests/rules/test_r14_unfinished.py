"""R14 where a reading breaks off: the next one goes on with it, as long as that proves as much as a single go would.

Real HTTP to the simulated Virtuagym (15 pages of two members), the real engine.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import ClubConfig, Config, Guard
from clubsync.extract import resume
from clubsync.extract.reader import connector_of
from clubsync.manual import lifecycle
from clubsync.manual.erasure import erase
from clubsync.model import Step
from clubsync.operate import nudges
from clubsync.operate.retention import upkeep
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, queries
from clubsync.store.embedded import Server
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from sandbox import virtuagym
from sandbox.faults import Fault, Faults
from tests.support.servers import Recorder, serving

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
PAGES = 15
SECRET = "s3cret-of-the-club"

_clubs = itertools.count(1)


Progress = Callable[[str, str, int, int | None], None]


class Gym:
    """A club on Virtuagym, whose members the test edits."""

    def __init__(self, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base, self.folder, self._patch = base, folder, monkeypatch
        self.id = f"unfinished-{next(_clubs)}"
        self.faults = Faults()
        self.members: dict[int, dict[str, Any]] = {}
        self.secret = SECRET
        api = virtuagym.Club("api-key", SECRET, lambda: list(self.members.values()))
        self.asked = Recorder(virtuagym.create_app({7: (self.id, api)}, self.faults))
        self.url = ""
        self.at(0)
        for key in range(1, 2 * PAGES + 1):
            self.put(key, f"p{key}@x.fr")

    def at(self, minutes: float) -> None:
        """The clock, in minutes since the start."""
        self.now = START + timedelta(minutes=minutes)
        self._patch.setenv("CLUBSYNC_NOW", self.now.isoformat())

    def put(self, key: int, email: str) -> None:
        held: list[object] = []
        of = {"member_id": key, "active": True, "email": email, "iban": "FR76"}
        self.members[key] = {**of, "memberships": held}

    @property
    def config(self) -> ClubConfig:
        return ClubConfig(
            id=self.id,
            name="Gym",
            erp="virtuagym",
            connection="gym",
            guard=Guard(at_least=100, at_most=100),
            settings={"club_id": 7, "page": 2, "http": {"attempts": 1}},
        )

    @property
    def connection(self) -> Connection:
        return Connection("gym", self.url, None, self.secret, extra={"api_key": "api-key"})

    @property
    def store(self) -> Store:
        return Store(str(self.folder), base=self.base)

    def sync(self, progress: Progress = lambda *_: None, *, full: bool = False) -> Step:
        """A run, which must go well; the requests that it made are in `asked`."""
        step = self.attempt(progress, full=full)
        assert step["error"] is None, step["error"]
        return step

    def attempt(self, progress: Progress = lambda *_: None, *, full: bool = False) -> Step:
        """A run."""
        self.asked.forget()
        pipeline = Pipeline(
            Config(clubs=(self.config,)),
            self.base,
            self.store,
            resolve=lambda _: self.connection,
            progress=progress,
        )
        (step,) = pipeline.sync([self.id], "test", full=full)
        return step

    def broken_off(self, after: int = 10) -> Step:
        """A run whose reading breaks off after so many pages, for an ERP that is down for a moment."""
        self.faults.set(self.id, Fault(kind="server-error", from_page=after + 1))
        step = self.sync()
        self.faults.clear()
        assert (step["certified"], step["read"]) == (False, 2 * after)
        return step

    def inside(self) -> dict[str, str]:
        """ERP id -> email of who is in the Customers group."""
        with self.base.transaction() as driver:
            number = queries().find_club(driver, club_id=self.id)
        assert number is not None
        with self.base.club(number) as driver:
            rows = list(queries().customers(driver, club=number))
        return {str(row["erp_id"]): str(row["email"]) for row in rows if row["in_customers_group"]}

    def kept(self) -> list[Path]:
        """The files of unfinished readings."""
        return [f for f in (self.folder / resume.ROOT).rglob("*") if f.is_file()]


@pytest.fixture
def gym(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gym]:
    it = Gym(shared_base, tmp_path / "snapshots", monkeypatch)
    with serving(it.asked) as it.url:
        yield it


def test_r14_a_killed_process_is_gone_on_with(gym: Gym, postgres: Server, tmp_path: Path) -> None:
    """SIGKILL in the middle of page 11: the next run asks for the five that are left, and is certified."""
    gym.faults.set(gym.id, Fault(kind="timeout", from_page=11, wait=60))
    clubs = tmp_path / "clubs.yaml"
    entry = gym.config.model_dump(mode="json", include={"id", "name", "erp", "connection"})
    settings = {"club_id": 7, "page": 2, "http": {"attempts": 1}}
    clubs.write_text(json.dumps({"clubs": [{**entry, "settings": settings}]}))
    connection = {"conn_type": "x", "host": gym.url, "password": SECRET}
    child = subprocess.Popen(
        [sys.executable, "-c", "from clubsync.cli import main; main()", "sync", gym.id],
        env={
            **os.environ,
            "CLUBSYNC_CONFIG": str(clubs),
            "CLUBSYNC_DATABASE": postgres.url("rules"),
            "CLUBSYNC_SNAPSHOTS": str(gym.folder),
            "AIRFLOW_CONN_GYM": json.dumps({**connection, "extra": {"api_key": "api-key"}}),
        },
    )
    while len(gym.asked.times) < 11:
        assert child.poll() is None
        gym.asked.arrived.wait(1)
    child.kill()
    child.wait()
    assert len(gym.kept()) == 10
    gym.faults.clear()
    gym.at(2)
    step = gym.sync()
    assert len(gym.asked.times) == PAGES - 10
    assert (step["certified"], step["read"]) == (True, 2 * PAGES)
    assert any("(10 responses already fetched)" in note for note in step["notes"])
    assert step["as_of"] == START.isoformat()
    assert len(gym.inside()) == 2 * PAGES
    assert gym.kept() == []


def test_r14_an_erp_that_was_down_for_a_moment(gym: Gym) -> None:
    """What came flows at once, not certified; the next run asks for the rest, and the whole is certified."""
    gym.broken_off()
    assert len(gym.inside()) == 20
    gym.at(1)
    gym.broken_off(after=12)
    assert len(gym.asked.times) == 3
    gym.at(2)
    step = gym.sync()
    assert len(gym.asked.times) == 3
    assert step["certified"]
    assert len(gym.inside()) == 2 * PAGES


def test_r25_an_erp_that_stays_down_fails_the_club(gym: Gym) -> None:
    """Where going on brings nothing more, it is a failure like that of a first page: tried again alone, and waiting
    as long as the ERP asks."""
    gym.broken_off()
    gym.faults.set(gym.id, Fault(kind="throttled-seconds", wait=3600))
    gym.at(1)
    step = gym.attempt()
    assert len(gym.asked.times) == 1
    assert step["retry_after"] == 3600
    gym.faults.clear()
    gym.at(2)
    assert gym.sync()["certified"]
    assert len(gym.asked.times) == PAGES - 10


def test_r14_totals_hold_on_the_whole(gym: Gym) -> None:
    """Somebody is gone meanwhile, and the ERP counts one less than at first: what was gone on with is not believed,
    and the club is read from its beginning, in the same run."""
    gym.sync()
    gym.at(60)
    gym.broken_off()
    del gym.members[25]
    gym.at(61)
    step = gym.sync()
    assert (step["certified"], step["read"]) == (True, 29)
    assert step["as_of"] == gym.now.isoformat()
    assert len(gym.asked.times) == 5 + PAGES
    assert "25" not in gym.inside()


def test_r14_its_time_is_that_of_one_reading(gym: Gym) -> None:
    """What a walk cannot notice, it may not notice for `http.max_seconds` in all: then it starts over."""
    gym.broken_off()
    gym.at(5)
    step = gym.sync()
    assert len(gym.asked.times) == PAGES
    assert step["as_of"] == gym.now.isoformat()
    assert gym.kept() == []


def test_r14_a_reading_that_runs_out_of_time_begins_anew(gym: Gym) -> None:
    """It is interrupted once more and its time runs out: no run is lost."""

    def later(club: str, stage: str, rows: int, total: int | None) -> None:
        if rows == 24:
            gym.at(6)

    gym.broken_off()
    gym.at(4)
    gym.faults.set(gym.id, Fault(kind="server-error", from_page=13, times=1))
    step = gym.sync(progress=later)
    assert len(gym.asked.times) == 3 + PAGES
    assert step["certified"]
    assert step["as_of"] == gym.now.isoformat()
    assert gym.kept() == []


def test_r16_as_of_is_the_first_pages(gym: Gym) -> None:
    """What changed on a page that was read already is news to the next reading, and is not lost to this one."""
    gym.broken_off()
    gym.put(1, "p1.new@x.fr")
    gym.at(2)
    assert gym.sync()["as_of"] == START.isoformat()
    assert gym.inside()["1"] == "p1@x.fr"
    gym.at(5)
    assert gym.sync()["as_of"] == gym.now.isoformat()
    assert gym.inside()["1"] == "p1.new@x.fr"


def test_r16_a_newer_complete_reading_ends_it(gym: Gym) -> None:
    """Who read everything since knows better than what was begun before."""
    gym.broken_off()
    gym.at(1)
    assert gym.sync(full=True)["certified"]
    assert len(gym.asked.times) == PAGES
    gym.at(2)
    gym.sync()
    assert len(gym.asked.times) == PAGES


def test_r27_a_nudge_is_answered_by_a_reading_of_its_own(gym: Gym) -> None:
    """ "a hint to read that club now": what was read before it came is no answer."""
    gym.broken_off()
    gym.at(1)
    gym.put(1, "p1.new@x.fr")
    nudges.receive(gym.base, gym.id, "test", "one")
    gym.at(2)
    gym.sync()
    assert len(gym.asked.times) == PAGES
    assert gym.inside()["1"] == "p1.new@x.fr"


def test_r01_another_epoch_begins_anew(gym: Gym) -> None:
    """ "Ids belong to one source": another tenant's pages are not this one's."""
    gym.broken_off()
    lifecycle.move(gym.base, gym.config)
    gym.at(1)
    gym.sync()
    assert len(gym.asked.times) == PAGES


@pytest.mark.parametrize("what", ["password", "settings", "address"])
def test_r14_another_request_begins_anew(gym: Gym, what: str) -> None:
    """Kept answers are to one address, by one log-in, with one set of settings."""
    gym.broken_off()
    (before,) = resume.folders(gym.store, gym.id)
    connector = connector_of(gym.config, lambda _: gym.connection)
    if what == "password":
        connector.connection = Connection("gym", gym.url, None, "new", extra={"api_key": "api-key"})
    elif what == "settings":
        connector.settings = connector.settings.model_copy(update={"page": 3})
    else:
        connector.connection = Connection(
            "gym", "http://127.0.0.1:1", None, SECRET, extra={"api_key": "api-key"}
        )
    with gym.base.transaction() as driver:
        number = queries().find_club(driver, club_id=gym.id)
    assert number is not None
    with gym.base.club(number) as driver:
        state = queries().club_state(driver, club=number)
    shelf = resume.Shelf(gym.store, gym.id, state["hash_key"], state["epoch"])
    assert shelf._asked(connector) != before.asked
    assert shelf.found(connector, gym.now, None) is None


def test_r19_what_lies_on_the_disk(gym: Gym) -> None:
    """Of an answer what the sync needs; of a question, which holds keys, a keyed hash."""
    gym.broken_off()
    text = "".join(f"{file}: {file.read_text()}" for file in gym.kept())
    assert "p1@x.fr" in text
    assert "FR76" not in text
    assert SECRET not in text
    assert "api-key" not in text


def test_r20_erasure_takes_unfinished_readings_along(gym: Gym) -> None:
    """And the reading that goes on meanwhile writes nothing more."""
    gym.broken_off()
    assert gym.kept()
    erase(gym.base, gym.store, gym.config, "p1@x.fr")
    assert gym.kept() == []
    gym.at(1)
    assert gym.sync()["certified"]
    assert len(gym.asked.times) == PAGES
    assert "1" not in gym.inside()


def test_r20_a_reading_on_its_way_writes_no_more(gym: Gym) -> None:
    """Somebody is erased after page 10: what comes after is not kept, though the reading breaks off again."""

    def erased(club: str, stage: str, rows: int, total: int | None) -> None:
        if rows == 20:
            erase(gym.base, gym.store, gym.config, "p1@x.fr")

    gym.sync()
    gym.at(60)
    gym.faults.set(gym.id, Fault(kind="server-error", from_page=13))
    step = gym.sync(progress=erased)
    assert step["read"] == 23  # of 24 rows
    assert gym.kept() == []


@pytest.mark.parametrize("row", [{}, {"email": "another@x.fr"}])
def test_r20_what_the_erp_still_sends_of_an_erased_person_is_not_stored(
    gym: Gym, row: dict[str, str]
) -> None:
    """By id or by email: the responses before theirs are, so that the reading resumes there."""
    gym.sync()
    erase(gym.base, gym.store, gym.config, "p25@x.fr")
    gym.members[25].update(row)
    gym.at(60)
    gym.faults.set(gym.id, Fault(kind="server-error", from_page=15))
    assert gym.sync()["read"] == 27
    gym.faults.clear()
    assert len(gym.kept()) == 12  # of two members each; the thirteenth has the person
    assert "p25@x.fr" not in "".join(file.read_text() for file in gym.kept())
    gym.at(61)
    step = gym.sync()
    assert (step["certified"], len(gym.asked.times)) == (True, 3)
    assert "25" not in gym.inside()


def test_r20_an_erased_persons_email_is_not_stored_under_another_id(gym: Gym) -> None:
    """Nothing says yet whether the record is theirs: the response is not stored in any case."""
    gym.sync()
    erase(gym.base, gym.store, gym.config, "p25@x.fr")
    del gym.members[25]
    gym.put(26, "P25@X.fr")
    gym.put(31, "p31@x.fr")
    gym.at(60)
    gym.broken_off(14)
    assert len(gym.kept()) == 12
    assert not any("p25@x.fr" in file.read_text().lower() for file in gym.kept())


@pytest.mark.parametrize("how", ["changed", "exchanged", "slipped in"])
def test_r21_a_stored_response_that_nobody_wrote_is_not_used(gym: Gym, how: str) -> None:
    """By its digest, as every stored file: the reading starts again."""
    gym.broken_off()
    first, second = sorted(gym.kept())[:2]
    text = first.read_text()
    if how == "changed":
        first.write_text(text.replace("p1@x.fr", "evil@x.fr"))
    elif how == "exchanged":
        first.write_text(second.read_text())
    else:
        with gym.base.transaction() as driver:
            driver.execute(
                "delete from sync.stored_file where starts_with(path, %s)", [resume.ROOT]
            )
    gym.at(1)
    assert gym.sync()["certified"]
    assert len(gym.asked.times) == PAGES
    assert "evil@x.fr" not in gym.inside().values()
    with gym.base.transaction() as driver:
        left = driver.execute(
            "select count(*) from sync.stored_file where starts_with(path, %s)",
            [f"{resume.ROOT}/{gym.id}_"],
        ).fetchall()
    assert left == [(0,)]


def test_r28_a_club_that_is_removed(gym: Gym) -> None:
    """ "removed with all its data"."""
    gym.broken_off()
    lifecycle.remove(gym.base, gym.config, timedelta(0))
    gym.at(1)
    upkeep(gym.base, gym.store, Config(clubs=()), timedelta(days=30))
    assert gym.kept() == []


def test_upkeep_removes_what_nobody_goes_on_with(gym: Gym) -> None:
    """A club that is paused after it broke off leaves nothing there."""
    gym.broken_off()
    gym.at(4)
    assert resume.sweep(gym.store, gym.now) == 0
    assert gym.kept()
    gym.at(5)
    upkeep(gym.base, gym.store, Config(clubs=()), timedelta(days=30))
    assert gym.kept() == []
