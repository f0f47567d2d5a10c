"""R17, R14, R20, R21: pages that are those of the last reading, byte for byte, are not parsed; nothing else changes.

Real HTTP, the real engine; two clubs on one API, one of which parses whatever it is sent (`full`).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import ClubConfig, Config, Guard
from clubsync.manual import customers
from clubsync.manual.erasure import erase
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store import snapshots
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import CUSTOMERS, Snapshot, Store
from connectors.sdk.base import Connection
from tests.support.paged_lists import PagedLists, listing
from tests.support.servers import Recorder, serving

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PAGE = 4
#: What a snapshot's row says of a reading, in columns that two clubs may have in common.
TOLD = (
    *("as_of", "certified", "doubts", "customers", "rows_read", "content_hash", "consistency"),
    *("memberships", "columns", "column_of", "epoch"),
)
_clubs = itertools.count(1)


class Parsed:
    """Two clubs that read one list: `quiet` compares its readings, `plain` does not."""

    def __init__(self, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base, self.store = base, Store(str(folder), base=base)
        self.patch, self.minute = monkeypatch, 0
        self.rows: list[dict[str, Any]] = []
        self.lists = PagedLists({"/people": lambda: self.rows}, lambda: None, PAGE)
        self.asked = Recorder(self.lists.app())
        self.url, self.paging = "", "page number"
        self.extra: dict[str, Any] = {}
        number = next(_clubs)
        self.quiet, self.plain = f"quiet-{number}", f"plain-{number}"
        #: the clubs of which a reading was made a snapshot, in order.
        self.made: list[int] = []
        prepare = snapshots.prepare

        def counted(reading: Any) -> Any:
            self.made.append(reading.customers.height)
            return prepare(reading)

        monkeypatch.setattr(snapshots, "prepare", counted)
        self.at(0)

    def at(self, minute: int) -> None:
        self.minute = minute
        self.patch.setenv("CLUBSYNC_NOW", (START + timedelta(minutes=minute)).isoformat())

    def person(self, key: int, **fields: Any) -> dict[str, Any]:
        return {
            "id": key,
            "email": f"p{key}@x.fr",
            "first": f"F{key}",
            "status": "active",
            "note": "",
            **fields,
        }

    def _config(self, club_id: str) -> ClubConfig:
        return ClubConfig(
            id=club_id,
            name=club_id,
            erp="rest",
            connection="api",
            guard=Guard(at_least=1000, at_most=1000),
            settings={
                "name": "API",
                "customers": listing(self.paging, "/people", PAGE),
                "fields": {"id": "id", "email": "email", "first_name": "first"},
                "status": {"at": "status", "active": ["active"]},
                **self.extra,
            },
        )

    def sync(self, club_id: str, *, full: bool = False) -> Step:
        """A run of one club, which must go well."""
        self.lists.begin()
        pipeline = Pipeline(
            Config(clubs=(self._config(club_id),)),
            self.base,
            self.store,
            resolve=lambda _: Connection("api", self.url),
        )
        (step,) = pipeline.sync([club_id], "test", full=full)
        assert step["error"] is None, step["error"]
        return step

    def number(self, club_id: str) -> int:
        with self.base.transaction() as driver:
            found = queries().find_club(driver, club_id=club_id)
        assert found is not None
        return found

    def stored(self, club_id: str) -> tuple[Snapshot, dict[str, Any]]:
        """The newest snapshot of a club, and its row."""
        club_no = self.number(club_id)
        with self.base.club(club_no) as driver:
            last = queries().newest_snapshot(driver, club=club_no)
            assert last is not None
            row = queries().snapshot(driver, club=club_no, snapshot=last)
        assert row is not None
        return snapshots.load(self.store, club_id, row), dict(row)

    def parses(self, club_id: str | None = None) -> bool:
        """Whether a run of the club makes anything of what it is sent."""
        self.at(self.minute + 5)
        self.made.clear()
        self.sync(club_id or self.quiet)
        return bool(self.made)


@pytest.fixture
def both(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parsed]:
    it = Parsed(shared_base, tmp_path / "snapshots", monkeypatch)
    it.rows = [it.person(key) for key in range(1, 11)]
    with serving(it.asked) as it.url:
        yield it


def _edit(both: Parsed, rng: random.Random, fresh: Iterator[int]) -> None:
    """Something that happens in an ERP between two readings; half of the time nothing does."""
    rows = both.rows
    kind = rng.choice(("email", "note", "add", "leave", "move", "swap", "keys", "back"))
    at = rng.randrange(len(rows))
    if kind == "email":
        rows[at] = {**rows[at], "email": f"new{next(fresh)}@x.fr"}
    elif kind == "note":  # which nothing reads
        rows[at] = {**rows[at], "note": str(next(fresh))}
    elif kind == "add":
        rows.insert(at, both.person(next(fresh)))
    elif kind == "leave" and len(rows) > 3:
        del rows[at]
    elif kind == "move":
        rows.append(rows.pop(at))
    elif kind == "swap":
        other = rng.randrange(len(rows))
        rows[at], rows[other] = (
            {**rows[at], "email": rows[other]["email"]},
            {**rows[other], "email": rows[at]["email"]},
        )
    elif kind == "keys":
        rows[at] = dict(reversed(rows[at].items()))
    elif kind == "back":
        rows[at] = both.person(rows[at]["id"])


@pytest.mark.parametrize(
    "paging", ["page number", "hidden offset", "ascending id", "single answer", "Link header"]
)
def test_r17_a_reading_that_is_compared_is_the_one_that_is_parsed(
    both: Parsed, paging: str
) -> None:
    """Whatever happens between readings, both clubs store the same snapshots and have the same customers."""
    rng, fresh = random.Random(f"edits-{paging}"), itertools.count(100)
    both.paging = paging
    skipped = 0
    for turn in range(12):
        both.at(5 * turn)
        edited = rng.random() < 0.5
        if edited:
            for _ in range(rng.randint(1, 3)):
                _edit(both, rng, fresh)
        both.made.clear()
        steps = [both.sync(both.quiet), both.sync(both.plain, full=True)]
        skipped += len(both.made) == 1
        (one, row), (other, plain) = both.stored(both.quiet), both.stored(both.plain)
        assert one.customers.equals(other.customers)
        assert one.groups.equals(other.groups)
        assert {name: row[name] for name in TOLD} == {name: plain[name] for name in TOLD}
        said = ("certified", "as_of", "read", "counts", "suspected", "doubts", "findings")
        assert {n: steps[0].get(n) for n in said} == {n: steps[1].get(n) for n in said}
        assert _base(both, both.quiet) == _base(both, both.plain)
    assert skipped  # else nothing was compared


def _base(both: Parsed, club_id: str) -> list[tuple[Any, ...]]:
    club_no = both.number(club_id)
    with both.base.club(club_no) as driver:
        rows = list(queries().customers(driver, club=club_no))
    return sorted((r["erp_id"], r["email"], r["in_customers_group"]) for r in rows)


def test_r17_nothing_is_parsed_and_every_page_is_asked_for(both: Parsed) -> None:
    """A quiet club's reading asks for the same pages, is certified as of now, and stores no new file."""
    assert both.parses()
    asked, files = list(both.asked.paths), sorted(both.store.files(both.quiet))
    both.asked.forget()
    assert not both.parses()
    assert both.asked.paths == asked
    _, row = both.stored(both.quiet)
    assert (row["certified"], row["as_of"]) == (True, START + timedelta(minutes=10))
    assert sorted(both.store.files(both.quiet)) == files


@pytest.mark.parametrize("byte", ["content", "unread", "total"])
def test_r17_one_byte_is_enough(both: Parsed, byte: str) -> None:
    """A page is the same only if it is the same byte for byte, in whatever nobody reads of it too."""
    both.parses()
    if byte == "total":
        both.rows.append(both.person(99))
    else:
        both.rows[6] |= {"first": "Other"} if byte == "content" else {"note": "x"}
    assert both.parses()
    assert not both.parses()


@pytest.mark.parametrize("what", ["settings", "address", "day", "code"])
def test_r17_what_else_decides_is_part_of_the_comparison(both: Parsed, what: str) -> None:
    """Other settings, another address, another day or another version of the code read the same bytes differently."""
    both.parses()
    assert not both.parses()
    if what == "settings":
        both.extra = {"fields": {"id": "id", "email": "email", "first_name": "note"}}
    elif what == "address":
        both.url = both.url.replace("127.0.0.1", "localhost")
    elif what == "day":
        both.at(both.minute + 24 * 60)
    else:
        both.patch.setattr("clubsync.extract.unchanged.code_hash", lambda: b"another version")
    assert both.parses()
    assert not both.parses()


def test_r14_a_page_that_fails_is_no_page_of_before(both: Parsed) -> None:
    """What could be read of an interrupted reading is parsed, and nothing is compared with it."""
    both.parses()
    both.extra = {"http": {"attempts": 1}}
    both.parses()
    assert not both.parses()
    app, both.asked.app = both.asked.app, _failing(both.asked.app)
    both.at(both.minute + 5)
    both.made.clear()
    step = both.sync(both.quiet)
    assert (step["certified"], both.made) == (False, [PAGE])
    both.asked.app = app
    assert both.parses()


def _failing(app: Any) -> Any:
    async def second_page_fails(scope: Any, receive: Any, send: Any) -> None:
        if b"page=2" in scope["query_string"]:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return second_page_fails


@pytest.mark.parametrize("file", ["gone", "damaged"])
def test_r21_only_what_is_stored_stands_for_a_reading(both: Parsed, file: str) -> None:
    """A stored file that is gone, or is not the one that was written, is written again from a parsed reading."""
    both.parses()
    snapshot, _ = both.stored(both.quiet)
    place = Path(both.store.root) / snapshot.path / CUSTOMERS
    if file == "gone":
        place.unlink()
    else:
        place.write_bytes(b"something else")
    assert both.parses()
    assert both.stored(both.quiet)[0].customers.equals(snapshot.customers)
    assert both.parses()  # it was read without a comparison
    assert not both.parses()


def test_r20_an_erasure_leaves_nothing_to_compare_with(both: Parsed) -> None:
    """The hash of what the ERP said of everybody goes with the order; the next reading is parsed."""
    both.parses()
    assert not both.parses()
    erase(both.base, both.store, _config_of(both), "7", by_id=True)
    club_no = both.number(both.quiet)
    with both.base.club(club_no) as driver:
        kept = driver.execute(
            "select count(*) from sync.snapshot where reading_hash is not null"
        ).fetchone()
    assert kept == (0,)
    assert both.parses()
    assert not both.parses()
    assert "7" not in set(both.stored(both.quiet)[0].customers["erp_id"])


def test_r20_a_lifted_erasure_is_parsed(both: Parsed) -> None:
    """Whoever is added by hand again is read again, although the ERP says what it said before."""
    both.parses()
    erase(both.base, both.store, _config_of(both), "7", by_id=True)
    both.parses()
    assert not both.parses()
    customers.add(both.base, _config_of(both), "p7@x.fr", "First", "Last")
    assert both.parses()
    assert "7" in set(both.stored(both.quiet)[0].customers["erp_id"])


def _config_of(both: Parsed) -> ClubConfig:
    return both._config(both.quiet)


def test_r21_another_clubs_pages_are_never_ones_own(both: Parsed) -> None:
    """Two clubs that are sent the same bytes keep hashes of their own, and each its own snapshot."""
    both.parses(both.quiet)
    both.parses(both.plain)
    (_, one), (_, other) = both.stored(both.quiet), both.stored(both.plain)
    assert one["reading_hash"] != other["reading_hash"]
    assert not both.parses(both.quiet)
    assert both.stored(both.quiet)[0].path.startswith(f"{both.quiet}/")


def test_r14_a_suspicion_is_settled_before_pages_are_compared(both: Parsed) -> None:
    """Who is missing from a walk is gone when a second reading says the same; what came of that is loaded only then."""
    both.parses()
    both.rows.pop(3)
    both.at(both.minute + 5)
    assert both.sync(both.quiet)["suspected"] == 1
    both.parses()
    inside = {erp_id for erp_id, _, there in _base(both, both.quiet) if there}
    assert inside == {str(row["id"]) for row in both.rows}
    assert not both.parses()


def test_r14_a_full_read_is_parsed(both: Parsed) -> None:
    """Whoever asks for everything from the beginning gets it."""
    both.parses()
    both.at(both.minute + 5)
    both.made.clear()
    both.sync(both.quiet, full=True)
    assert both.made == [len(both.rows)]
