"""R21, R18: the engine's login cannot lift row-level security, and only adds to the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy.exc

from clubsync.cli.common import warn_of_login
from clubsync.config import Config
from clubsync.errors import BaseNotReady
from clubsync.manual import app_users, erasure, lifecycle, undo
from clubsync.operate import retention
from clubsync.store import embedded, logins
from clubsync.store.database import Base, Driver, queries
from clubsync.store.snapshots import Store
from plugins.web import context
from tests.support.club import Club
from tests.support.owner import as_owner
from tests.support.rules import NewClub

REFUSED = psycopg.errors.InsufficientPrivilege


@contextmanager
def session(base: Base) -> Iterator[Driver]:
    """A session as whoever has the engine's password."""
    url = base.engine.url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as driver:
        yield driver


def _refused(driver: Driver, *statements: str, error: type[psycopg.Error] = REFUSED) -> None:
    """The last of these statements is refused, and what the others did is undone."""
    *before, last = statements
    with driver.transaction(force_rollback=True):
        for statement in before:
            driver.execute(statement.encode())
        with pytest.raises(error), driver.transaction():
            driver.execute(last.encode())


@pytest.fixture
def two(new_club: NewClub) -> tuple[Club, Club]:
    """Two clubs with two customers each, who are in the audit."""
    clubs = (new_club(), new_club())
    for club in clubs:
        club.erp.put("1", f"a@{club.id}.fr")
        club.erp.put("2", f"b@{club.id}.fr")
        club.sync()
    return clubs


def test_r21_the_login_has_no_rights_above_its_own(shared_base: Base, club: Club) -> None:
    """It owns nothing, and can become no role but those of one club, of a batch and of the reader."""
    club.sync()
    with as_owner(shared_base) as driver:
        found = driver.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
            " where rolname in (%s, 'clubsync_engine', 'clubsync_club', 'clubsync_batch', 'clubsync_reader')",
            [logins.LOGIN],
        ).fetchall()
        assert found == [(False,) * 5] * 5
        becomes = driver.execute(
            "select rolname from pg_roles where rolname != %s and pg_has_role(%s, oid, 'set') order by 1",
            [logins.LOGIN, logins.LOGIN],
        ).fetchall()
        assert becomes == [("clubsync_batch",), ("clubsync_club",), ("clubsync_reader",)]
        for role in (logins.LOGIN, "clubsync_engine"):
            owned = driver.execute(
                "select count(*) from pg_shdepend where deptype = 'o' and refobjid = %s::regrole",
                [role],
            ).fetchone()
            assert owned == (0,), role
    assert shared_base.is_confined
    with shared_base.transaction() as driver:
        assert driver.execute("select session_user").fetchone() == (logins.LOGIN,)


ATTEMPTS = (
    "set role clubsync",
    "set role clubsync_engine",
    "set session authorization clubsync",
    "set session_replication_role = replica",
    "alter table base.customer disable row level security",
    "alter table base.customer no force row level security",
    "alter table sync.change owner to clubsync_login",
    "drop policy one_club on base.customer",
    "create policy mine on base.customer using (true)",
    "alter role clubsync_login superuser",
    "alter role clubsync_login bypassrls",
    "create role another superuser",
    "grant clubsync to clubsync_login",
    "create function sync.f() returns int language sql security definer as 'select 1'",
    "create function public.f() returns int language sql security definer as 'select 1'",
    "create or replace function sync.purge_club(integer, timestamptz) returns text language sql as 'select null'",
    "alter function sync.purge_club(integer, timestamptz) owner to clubsync_login",
    "drop trigger closed on sync.first_load",
    "select * from sync.first_load",
    "truncate sync.change",
    "copy base.customer to '/tmp/stolen'",
    "copy (select 1) to program 'true'",
    "select pg_read_file('PG_VERSION')",
    "select sync.admit_login('another', null)",
)


@pytest.mark.parametrize("role", ["none", "clubsync_club", "clubsync_batch", "clubsync_reader"])
def test_r21_row_level_security_is_not_lifted(shared_base: Base, role: str) -> None:
    with session(shared_base) as driver:
        driver.execute(f"set role {role}".encode())
        for statement in ATTEMPTS:
            _refused(driver, statement)


@pytest.mark.parametrize("lift", ["reset role", "set role none", "reset session authorization"])
def test_r21_whoever_resets_the_role_sees_no_row(
    two: tuple[Club, Club], shared_base: Base, lift: str
) -> None:
    """As itself the login reads the list of clubs, and of no club anything else."""
    with session(shared_base) as driver:
        driver.execute("set role clubsync_club")
        driver.execute("select set_config('clubsync.club', %s, false)", [str(two[0].number)])
        assert driver.execute("select count(*) from base.customer").fetchone() == (2,)
        driver.execute(lift)
        assert driver.execute("select count(*) from base.club").fetchone() != (0,)
        for table in ("base.customer", "sync.change", "sync.erp_customer", "sync.finding"):
            with pytest.raises(REFUSED), driver.transaction():
                driver.execute(f"select from {table}")


def test_r21_row_security_off_is_an_error_and_no_way_round(
    two: tuple[Club, Club], shared_base: Base
) -> None:
    for role in ("clubsync_club", "clubsync_batch", "clubsync_reader"):
        with session(shared_base) as driver:
            driver.execute(f"set role {role}")
            driver.execute("select set_config('clubsync.club', %s, false)", [str(two[0].number)])
            driver.execute("select set_config('clubsync.clubs', %s, false)", ["{1}"])
            driver.execute("set row_security = off")
            with pytest.raises(REFUSED):
                driver.execute("select from base.customer")


@pytest.mark.parametrize(
    "statement",
    [
        "update sync.change set reason = 'x'",
        "delete from sync.change",
        "delete from sync.act",
        "update sync.act set actor = 'x'",
        "delete from sync.erasure",
        "update sync.erasure set customers = '{}'",
    ],
)
def test_r18_the_audit_is_only_added_to(two: tuple[Club, Club], statement: str) -> None:
    before = two[0].changes()
    with pytest.raises(REFUSED), two[0].driver() as driver:
        driver.execute(statement)
    assert two[0].changes() == before != []


def test_r20_an_order_takes_one_persons_rows_out_of_one_clubs_audit(
    two: tuple[Club, Club], shared_base: Base, tmp_path: Path
) -> None:
    """Its rows, and its id in the rows of others; nothing of another club, whoever has the same ids there."""
    mine, other = two
    theirs, kept = other.changes(), mine.base()["2"]["id"]
    with mine.driver() as driver:
        run = queries().start_run(driver, club=mine.number, trigger="test", at=mine.now)
        queries().enter_feed(driver, club=mine.number, run=run)
        for after in ('{"others": ["1", "2"], "note": "1"}', '{"owner": "1"}'):
            queries().add_change(
                driver,
                club=mine.number,
                run=run,
                at=mine.now,
                kind="profile_change",
                customer=kept,
                erp_id="2",
                before=None,
                after=after,
                reason="test",
                actor="somebody",
            )
    store = Store(str(tmp_path / "snapshots"), base=shared_base)
    assert erasure.erase(shared_base, store, mine.config, "1")["complete"]
    left = [c for c in mine.changes() if c["kind"] != "erasure"]
    assert {c["erp_id"] for c in left} == {"2"}
    assert [c["after"] for c in left if c["kind"] == "profile_change"] == [
        {"others": ["2"], "note": "1"},
        {"owner": None},
    ]
    assert other.changes() == theirs


def test_r20_an_order_of_another_club_takes_nothing(
    two: tuple[Club, Club], shared_base: Base, tmp_path: Path
) -> None:
    mine, other = two
    store = Store(str(tmp_path / "snapshots"), base=shared_base)
    order = erasure.erase(shared_base, store, other.config, "1")["erasure"]
    before = mine.changes()
    with pytest.raises(psycopg.errors.NoDataFound), mine.driver() as driver:
        queries().erase_changes(driver, erasure=order)
    with pytest.raises(REFUSED), shared_base.transaction() as driver:
        queries().erase_changes(driver, erasure=order)
    assert mine.changes() == before


def test_r28_a_club_is_purged_when_its_removal_is_due_and_not_before(
    two: tuple[Club, Club], shared_base: Base, tmp_path: Path
) -> None:
    mine, other = two
    store = Store(str(tmp_path / "snapshots"), base=shared_base)
    lifecycle.remove(shared_base, mine.config, timedelta(days=1), by="somebody")
    with shared_base.transaction() as driver:
        assert queries().purge_club(driver, club=mine.number, at=mine.now) is None
    assert len(mine.base()) == 2
    mine.later(days=2)
    assert lifecycle.purge_removed(shared_base, store) == [mine.id]
    assert mine.number == 0
    assert len(other.base()) == 2


def test_r21_everything_the_engine_does_works_as_its_login(
    two: tuple[Club, Club], shared_base: Base, tmp_path: Path
) -> None:
    """Sync, what people do by hand, undo, redo, app users, erasure with its vacuum, retention."""
    club, _ = two
    config = Config(clubs=(club.config,))
    store = Store(str(tmp_path / "snapshots"), base=shared_base)
    club.add_by_hand("hand@x.fr")
    club.detach("2")
    user = app_users.register(shared_base, {club.number: club.config}, f"a@{club.id}.fr")
    assert club.base()["1"]["link"] == "linked"
    club.erp.change("1", first_name="Another")
    club.erp.put("3", "c@x.fr")
    run = club.sync()["run"]
    assert run is not None
    assert undo.undo(shared_base, config, run, by="somebody")["changes"]
    undo.redo(shared_base, config, run, by="somebody")
    app_users.set_email(shared_base, {club.number: club.config}, str(user["id"]), "hand@x.fr")
    assert club.base()["hand@x.fr"]["link"] == "linked"
    assert erasure.erase(shared_base, store, club.config, "3")["complete"]
    club.later(days=60)
    deleted = retention.upkeep(shared_base, store, config, timedelta(days=30))
    assert deleted["snapshots"] >= 1
    assert club.sync()["error"] is None
    assert club.inside() == {"1", "hand@x.fr"}


LARGE = ("base.customer", "sync.change", "sync.erp_customer")


def test_r21_a_first_load_opens_the_tables_for_its_own_new_rows_only(
    two: tuple[Club, Club], shared_base: Base
) -> None:
    """Direct COPY needs a table without row-level security: nothing in it can be read or changed until it is back."""
    mine, other = two
    row = "insert into sync.change (club, run, at, kind, customer) values (%s, 1000000, now(), 'x', 1)"
    with mine.driver() as driver:
        assert queries().lock_for_first_load(driver)
        queries().open_for_first_load(driver, table_name="sync.change")
        queries().enter_feed(driver, club=mine.number, run=1_000_000)
        driver.execute(row, [mine.number])
        for statement in (
            "select from sync.change",
            "update sync.change set reason = 'x'",
            "delete from sync.change",
        ):
            for role in ("clubsync_club", "clubsync_reader", "none"):
                _refused(driver, f"set local role {role}", statement)
        for club in (other.number, 0):
            say = f"select set_config('clubsync.club', '{club}', true)"
            _refused(driver, say, row % club, error=psycopg.errors.CheckViolation)
        queries().close_after_first_load(driver, table_name="sync.change")
        seen = driver.execute("select distinct club from sync.change").fetchall()
        assert seen == [(mine.number,)]


def test_r21_a_transaction_that_leaves_a_table_open_cannot_commit(
    two: tuple[Club, Club], shared_base: Base
) -> None:
    mine, other = two
    before = other.changes()

    def leave() -> None:
        with mine.driver() as driver:
            assert queries().lock_for_first_load(driver)
            queries().open_for_first_load(driver, table_name="sync.change")

    with pytest.raises(sqlalchemy.exc.DBAPIError, match="not closed"):
        leave()
    assert other.changes() == before
    with as_owner(shared_base) as driver:
        tables = driver.execute(
            "select relname from pg_class where oid = any(%s::regclass[]) and not relrowsecurity",
            [list(LARGE)],
        ).fetchall()
        assert tables == []


def test_r21_what_a_first_load_takes_from_the_tables_it_gives_back(
    shared_base: Base, club: Club
) -> None:
    club.sync()
    shape = (
        "select relname, relrowsecurity, array(select x::text from unnest(relacl) as x order by 1)"
        " from pg_class where oid = any(%s::regclass[]) order by 1"
    )
    with as_owner(shared_base) as driver:
        before = driver.execute(shape, [list(LARGE)]).fetchall()
    with club.driver() as driver:
        assert queries().lock_for_first_load(driver)
        for table in LARGE:
            queries().open_for_first_load(driver, table_name=table)
            queries().close_after_first_load(driver, table_name=table)
    with as_owner(shared_base) as driver:
        assert driver.execute(shape, [list(LARGE)]).fetchall() == before
    with pytest.raises(psycopg.errors.RaiseException), club.driver() as driver:
        queries().open_for_first_load(driver, table_name="base.club")


# --- as whom it logs in -----------------------------------------------------------------------


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A server that asks for passwords over TCP, with roles of its own."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="cs-pg-"))
    patch = pytest.MonkeyPatch()
    patch.setenv("CLUBSYNC_POSTGRES_PORT", str(_free_port()))
    try:
        yield embedded.ensure_running(folder, settings={"fsync": "off"})
    finally:
        embedded.stop(folder)
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)


def _created(server: embedded.Server, name: str) -> str:
    """The owner's URL of a new database, with a password."""
    url = server.tcp_url("postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    return server.tcp_url(name)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_r21_as_whom_the_engine_logs_in(
    server: embedded.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = _created(server, "outside")
    login = owner.replace(owner.split("//")[1].split("@")[0], "club_engine:secret")

    # a login of its own, and nobody has set it up
    monkeypatch.setenv("CLUBSYNC_DATABASE", login)
    with pytest.raises(Exception, match="does not answer"):
        Base().upgrade()

    # the owner, with a password: the engine works, and says that it is not confined
    monkeypatch.setenv("CLUBSYNC_DATABASE", owner)
    base = Base()
    assert not base.is_confined
    warn_of_login(base)
    assert "row-level security does not bind the owner" in capsys.readouterr().err
    with base.transaction() as driver:
        assert driver.execute("select current_user").fetchone() == ("clubsync_engine",)
    base.close()

    # both: the login is made with the password of its URL, and works from then on without the owner
    monkeypatch.setenv("CLUBSYNC_DATABASE", login)
    monkeypatch.setenv("CLUBSYNC_DATABASE_OWNER", owner)
    base = Base()
    assert base.is_confined
    base.close()
    monkeypatch.delenv("CLUBSYNC_DATABASE_OWNER")
    base = Base()
    assert base.is_confined
    with base.transaction() as driver:
        assert driver.execute("select session_user").fetchone() == ("club_engine",)
    base.close()

    # a database of an earlier version needs the owner
    with psycopg.connect(owner.replace("+psycopg", "")) as driver:
        driver.execute("update public.clubsync_version set version_num = '0020'")
    with pytest.raises(BaseNotReady, match="db upgrade"):
        Base().upgrade()


@pytest.mark.parametrize("user", ["owner", "engine"])
def test_an_old_process_on_a_newer_club_base_says_so(
    database: str, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """A worker that was not restarted after an upgrade: it neither migrates nor tells of its own fault."""
    base = Base(database)
    base.upgrade()
    engine = base.engine.url.render_as_string(hide_password=False)
    base.close()
    with psycopg.connect(database.replace("+psycopg", "")) as driver:
        driver.execute("update public.clubsync_version set version_num = '9999'")
    monkeypatch.setenv("CLUBSYNC_DATABASE", {"owner": database, "engine": engine}[user])
    with pytest.raises(BaseNotReady, match="newer version of clubsync than this one"):
        Base().upgrade()


def test_r21_the_pages_log_in_as_the_engine(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although CLUBSYNC_DATABASE names the superuser."""
    monkeypatch.setenv("CLUBSYNC_DATABASE", database)
    context.base.cache_clear()
    try:
        with context.base().reader() as driver:
            assert driver.execute("select session_user").fetchone() == (logins.LOGIN,)
    finally:
        context.base().close()
        context.base.cache_clear()


def test_r21_without_the_right_to_create_roles_the_statements_are_named(
    server: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A managed server: the administrator makes the roles, the owner of the database migrates."""
    owner = _created(server, "managed")
    with psycopg.connect(owner.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute("create role tables_owner login password 'secret'")
        admin.execute("alter database managed owner to tables_owner")
        admin.execute("alter schema public owner to tables_owner")
    url = owner.replace(owner.split("//")[1].split("@")[0], "tables_owner:secret")
    with pytest.raises(BaseNotReady) as stopped:
        Base(url).upgrade()
    told = stopped.value.remedy.split("has to run first: ")[1]
    with psycopg.connect(owner.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(told.encode())
    base = Base(url)
    assert not base.is_confined
    base.close()

    # nor may it create the login
    monkeypatch.setenv("CLUBSYNC_DATABASE", url.replace("tables_owner", "club_engine"))
    monkeypatch.setenv("CLUBSYNC_DATABASE_OWNER", url)
    with pytest.raises(BaseNotReady) as stopped:
        Base().upgrade()
    told = stopped.value.remedy.split("has to run: ")[1].replace("'...'", "'secret'")
    with psycopg.connect(owner.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(told.encode())
    base = Base()
    assert base.is_confined
    base.close()
