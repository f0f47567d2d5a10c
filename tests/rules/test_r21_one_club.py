"""R21: one club's run can never read or write another club's rows."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from clubsync.errors import BaseReadOnly
from clubsync.store.database import Base
from tests.support.club import Club
from tests.support.file_club import FileClub, people, table
from tests.support.owner import as_owner
from tests.support.rules import NewClub

#: tables whose rows belong to a club
TABLES = (
    "select c.relnamespace::regnamespace::text, c.relname from pg_class as c"
    " join pg_attribute as a on a.attrelid = c.oid and a.attname = 'club'"
    " where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('base', 'sync')"
)


@pytest.fixture
def two(new_club: NewClub) -> tuple[Club, Club]:
    """Two clubs with a customer, a finding and a group each."""
    clubs = (new_club(), new_club())
    for club in clubs:
        club.erp.group("gold")
        club.erp.put("1", "a@x.fr", groups=["gold"])
        club.erp.put("2", "nobody")
        club.sync()
    return clubs


def test_r21_another_clubs_rows_cannot_be_read(two: tuple[Club, Club]) -> None:
    """Every table, by row-level security, whatever the statement forgets to say."""
    mine, other = two
    with mine.driver() as driver:
        tables = driver.execute(TABLES).fetchall()
        assert ("base", "customer") in tables
        assert len(tables) > 10
        for schema, table in tables:
            rows = driver.execute(f"select distinct club from {schema}.{table}").fetchall()
            assert rows in ([], [(mine.number,)]), f"{schema}.{table}"
    assert other.number != mine.number


def test_r21_nor_written(two: tuple[Club, Club]) -> None:
    """Neither changed, nor removed, nor added, nor given away."""
    mine, other = two
    before = other.base()
    number = other.number
    with mine.driver() as driver:
        changed = driver.execute(
            "update base.customer set first_name = 'x' where club = %s", [number]
        )
        assert changed.rowcount == 0
        gone = driver.execute("delete from sync.recheck where club = %s", [number])
        assert gone.rowcount == 0
    for statement in (
        "insert into sync.recheck (club, why) values (%s, 'x')",
        "update base.customer set club = %s",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), mine.driver() as driver:
            driver.execute(statement, [number])
    assert other.base() == before


def test_r21_the_role_cannot_bypass_it(shared_base: Base, club: Club) -> None:
    """No superuser, no BYPASSRLS, owner of nothing; and every table with a club has a policy."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    with as_owner(shared_base) as driver:
        role = "select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = 'clubsync_club'"
        assert driver.execute(role).fetchall() == [(False, False, False)]
        owned = (
            "select count(*) from pg_class"
            " where relowner = 'clubsync_club'::regrole and relnamespace not in"
            " (select oid from pg_namespace where nspname ~ '^pg_(toast_)?temp')"
        )
        assert driver.execute(owned).fetchall() == [(0,)]
        open_to_all = (
            "select relname from pg_class where not relrowsecurity"
            f" and oid in (select (n || '.' || t)::regclass from ({TABLES}) as x (n, t))"
        )
        assert driver.execute(open_to_all).fetchall() == []
    with club.driver() as driver:
        assert driver.execute("select current_user").fetchall() == [("clubsync_club",)]


def test_r21_without_a_club_there_is_nothing(shared_base: Base, two: tuple[Club, Club]) -> None:
    """The role alone, before a club is set, sees no row."""
    refused = (psycopg.errors.UndefinedObject, psycopg.errors.InvalidTextRepresentation)
    with shared_base.transaction() as driver:
        driver.execute("set local role clubsync_club")
        with pytest.raises(refused):
            driver.execute("select * from base.customer")


def test_r21_the_reader_of_all_clubs_writes_nothing(
    shared_base: Base, two: tuple[Club, Club]
) -> None:
    """The pages look across clubs, and only look."""
    with shared_base.reader() as driver:
        seen = {row[0] for row in driver.execute("select club from base.customer").fetchall()}
        assert {club.number for club in two} <= seen
    with pytest.raises(BaseReadOnly), shared_base.reader() as driver:
        driver.execute("update base.customer set first_name = 'x'")


def test_r21_a_batch_sees_its_own_clubs_only(shared_base: Base, new_club: NewClub) -> None:
    """Every table that it may read, whatever the statement forgets to say; the others it may not read."""
    clubs = [new_club() for _ in range(3)]
    for club in clubs:
        club.erp.group("gold")
        club.erp.put("1", "a@x.fr", groups=["gold"])
        club.erp.put("2", "nobody")
        club.sync()
    batch = {club.number for club in clubs[:2]}
    read, refused = set[str](), set[str]()
    with shared_base.clubs(sorted(batch)) as driver:
        for schema, table in driver.execute(TABLES).fetchall():
            try:
                with driver.transaction():
                    rows = driver.execute(f"select distinct club from {schema}.{table}").fetchall()
            except psycopg.errors.InsufficientPrivilege:
                refused.add(f"{schema}.{table}")
                continue
            assert {row[0] for row in rows} <= batch, f"{schema}.{table}"
            read |= {f"{schema}.{table}" for row in rows if row[0] in batch}
    assert {"base.customer", "sync.club_state", "sync.club_vector", "sync.snapshot"} <= read
    assert {"sync.erp_customer", "sync.finding"} <= read
    assert "sync.plan" in refused


@pytest.mark.parametrize(
    "statement",
    [
        "update base.customer set first_name = 'x'",
        "delete from sync.recheck",
        "insert into sync.recheck (club, why) select club, 'x' from sync.club_state",
        "update sync.club_state set revision = 0",
        "select sync.erase_changes(1)",
    ],
)
@pytest.mark.parametrize("writable", [False, True])
def test_r21_a_batch_writes_nothing(
    shared_base: Base, two: tuple[Club, Club], statement: str, writable: bool
) -> None:
    """Neither in a transaction that only reads, nor by the role's own rights."""
    before = [club.base() for club in two]

    def attempt() -> None:
        with shared_base.clubs([club.number for club in two]) as driver:
            if writable:
                driver.rollback()
                driver.execute("select set_config('role', 'clubsync_batch', true)")
                clubs = "{" + ",".join(str(club.number) for club in two) + "}"
                driver.execute("select set_config('clubsync.clubs', %s, true)", [clubs])
                assert driver.execute("select count(*) from base.customer").fetchone() != (0,)
            driver.execute(statement.encode())

    with pytest.raises((BaseReadOnly, psycopg.errors.InsufficientPrivilege)):
        attempt()
    assert [club.base() for club in two] == before


def test_r21_a_batch_is_not_widened_by_another_setting(
    shared_base: Base, two: tuple[Club, Club]
) -> None:
    """A batch is no club's transaction, and a club's no batch's; without its list a batch sees nothing."""
    mine, other = two
    theirs = f"select count(*) from base.customer where club = {other.number}".encode()
    with shared_base.clubs([mine.number]) as driver:
        driver.execute("select set_config('clubsync.club', %s, true)", [str(other.number)])
        assert driver.execute(theirs).fetchone() == (0,)
        for role in ("clubsync", "clubsync_engine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), driver.transaction():
                driver.execute(f"set local role {role}".encode())
    with mine.driver() as driver:
        driver.execute("select set_config('clubsync.clubs', %s, true)", [f"{{{other.number}}}"])
        assert driver.execute(theirs).fetchone() == (0,)
    with shared_base.clubs([]) as driver:
        assert driver.execute("select count(*) from base.customer").fetchone() == (0,)
    unset = (psycopg.errors.UndefinedObject, psycopg.errors.InvalidTextRepresentation)
    with shared_base.transaction() as driver:
        driver.execute("set local role clubsync_batch")
        with pytest.raises(unset):
            driver.execute("select * from base.customer")


def test_r21_a_link_in_a_folder_loads_nobody_of_another_club(
    files: FileClub, tmp_path: Path
) -> None:
    """The club fails with a sentence that names the file; nothing is loaded, and nobody loses anything."""
    files.load(table(*people(1, 2, 3)))
    before = _people(files)
    theirs = tmp_path / "theirs.csv"
    theirs.write_text(table(*people(*range(10, 50))))
    (files.folder / "customers.csv").unlink()
    (files.folder / "customers.csv").symlink_to(theirs)
    files.later()
    files.touch(theirs, files.now)
    step = files.read()
    assert step["error"] == (
        "customers.csv is a link that leads out of the club's folder: it was not read."
    )
    assert step["runbook"] == "file-outside"
    assert _people(files) == before


def _people(club: Club) -> list[tuple[object, ...]]:
    return club.rows(
        "select erp_id, email, in_customers_group from base.customer where club = %s order by erp_id",
        club.number,
    )
