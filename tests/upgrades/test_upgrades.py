"""Every earlier version's database and stored snapshots live on: migrated, synced, approved, replayed, restored.

`tests.upgrades.make` kept what each version left behind after the story; today's code goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clubsync.store import embedded
from tests.upgrades.make import DATA, PROGRAMS, dump, runs_of
from tests.upgrades.story import (
    CLUB,
    DETACHED,
    ERASED,
    LINKED,
    UNDONE,
    Run,
    Story,
    half_of,
    people,
    second_day,
    tell,
    third_day,
)

ROOT = Path(__file__).resolve().parents[2]
#: Names of the last migration that each kept version had. Before 0004 migrations were still edited.
VERSIONS = sorted(path.name.removesuffix(".tar.xz") for path in DATA.glob("*.tar.xz"))
ROLES = ("clubsync_club", "clubsync_batch", "clubsync_reader", "clubsync_engine")
WHOLE = third_day(second_day(people()))
#: The oldest and the newest are always tried, the others with the long tests.
TRIED = [
    pytest.param(version, marks=[] if version in (VERSIONS[0], VERSIONS[-1]) else pytest.mark.long)
    for version in VERSIONS
]
#: Who is in by the whole last file: all but the inactive (5, 22), the detached (4), the erased (7), the second
#: card of an email (20), the dependant (21), who has no email (23), and the former customer (24).
INSIDE = WHOLE.keys() - {"4", "5", "7", "20", "21", "22", "23", "24"}


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with runs_of(ROOT) as running:
        yield running


@dataclass
class Kept:
    """What a version left behind, on a database of its own.

    :param left: its own documents: customers, changes, holds.
    """

    story: Story
    server: embedded.Server
    database: str
    left: dict[str, Any]


@contextmanager
def restored(server: embedded.Server, sql: bytes) -> Iterator[str]:
    """A fresh database from a dump; its name."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_database(name)
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for role in ROLES:
                if role not in known:
                    connection.execute(f"create role {role} nologin nobypassrls".encode())
        psql = [str(PROGRAMS / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
        subprocess.run(
            [*psql, server.conninfo(name)], input=sql, check=True, stdout=subprocess.DEVNULL
        )
        yield name
    finally:
        server.drop_database(name)


@pytest.fixture
def kept(
    request: pytest.FixtureRequest, postgres: embedded.Server, tmp_path: Path, run: Run
) -> Iterator[Kept]:
    with tarfile.open(DATA / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    with restored(postgres, (tmp_path / "base.sql").read_bytes()) as database:
        story = Story(tmp_path, postgres.url(database), run)
        story.at(28.1)
        story.file(half_of(WHOLE))
        yield Kept(story, postgres, database, json.loads((tmp_path / "left.json").read_text()))


def inside(story: Story) -> set[str]:
    """ERP ids of who is in the Customers group."""
    return {c["erp_id"] for c in story.customers() if c["in_customers_group"] and c["erp_id"]}


def by_id(customers: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {customer["id"]: customer for customer in customers}


def feed_and_audit(kept: Kept) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The (club, run) of the feed by position; those of the audit by when they changed anything."""
    feed = "select club, run from sync.feed where position is not null order by position"
    audit = "select club, run from sync.change group by club, run order by min(at), run"
    with psycopg.connect(kept.server.conninfo(kept.database)) as connection:
        return connection.execute(feed).fetchall(), connection.execute(audit).fetchall()


@pytest.mark.parametrize("kept", TRIED, indirect=True)
def test_an_earlier_version_goes_on(kept: Kept) -> None:
    story = kept.story
    before = by_id(kept.left["customers"])
    (hold,) = kept.left["holds"]

    # the same file again: nobody gains or loses anything (R17), and who is held stays held (R15)
    again = story.sync()
    assert again["changes"] == dict.fromkeys(again["changes"], 0)
    assert again["rows_written"] == 0
    assert by_id(story.customers()) == before
    # every run that changed something before there was a feed has its place in it (R30)
    feed, audit = feed_and_audit(kept)
    assert feed == audit != []
    (still,) = story("holds", CLUB)
    assert still["hold"] == hold["hold"]
    assert again["held"]["deactivations"] == len(WHOLE.keys() & INSIDE) - len(
        half_of(WHOLE).keys() & INSIDE
    )

    # the whole file: who was held is in as before, the hold ends, who was erased stays away (R20)
    story.at(29)
    story.file(WHOLE)
    story.sync()
    assert inside(story) == INSIDE
    assert story("holds", CLUB) == []
    assert ERASED not in {c["erp_id"] for c in story.customers()}

    # what people did by hand is what it was (R11, R12, R18)
    now = {c["erp_id"]: c for c in story.customers()}
    assert now[DETACHED]["detached"]
    assert now[UNDONE]["email"] == f"p{UNDONE}@example.com"
    assert now[LINKED]["link"] == "linked"
    assert [c["origin"] for c in story.customers() if c["email"] == "hand@example.com"] == [
        "manual"
    ]

    # its stored snapshots, replayed, change nothing (R16)
    base = story.customers()
    story("replay", CLUB)
    assert story.customers() == base

    # the audit goes on where it was (R18)
    told = [(c["run"], c["kind"], c["customer"]) for c in story("changes", CLUB)]
    assert [(c["run"], c["kind"], c["customer"]) for c in kept.left["changes"]] == [
        change for change in told if change[0] <= max(c["run"] for c in kept.left["changes"])
    ]

    # dumped and restored elsewhere, the next sync writes nothing
    sql = dump(kept.server.conninfo(kept.database))
    with restored(kept.server, sql) as elsewhere:
        copy = Story(story.folder, kept.server.url(elsewhere), story.run)
        copy.at(29.1)
        assert copy.sync()["rows_written"] == 0
        assert copy.customers() == base


@pytest.mark.parametrize("kept", TRIED, indirect=True)
def test_a_hold_of_an_earlier_version_is_approved(kept: Kept) -> None:
    """R15: on the list that the earlier version showed, by its hash, and on what it had stored."""
    story = kept.story
    (hold,) = kept.left["holds"]
    story("approve", str(hold["hold"]))
    assert inside(story) == half_of(WHOLE).keys() & INSIDE


def test_a_version_told_the_story_as_it_is_told_today(
    postgres: embedded.Server, database: str, tmp_path: Path, run: Run
) -> None:
    """The kept data are the story's: nothing of them is an accident of making them."""
    story = Story(tmp_path, database, run)
    tell(story)
    with tarfile.open(DATA / f"{VERSIONS[-1]}.tar.xz") as archive:
        content = archive.extractfile("left.json")
        assert content is not None
        left = json.loads(content.read())

    def shape(customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in c.items() if k != "id"} for c in customers]

    assert shape(story.customers()) == shape(left["customers"])
