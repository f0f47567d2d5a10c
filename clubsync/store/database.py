"""The database: engine, transactions as one club, queries from `sql/queries/`, COPY.

R21: whatever concerns one club runs inside `Base.club(number)`: as a role that row-level security
binds, with the club's number set for the transaction. SQLAlchemy holds engine, pool and
transactions; queries are aiosql's; COPY goes through the driver's connection.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import aiosql
import pgpq
import polars as pl
import psycopg
import sqlalchemy as sa
from pgpq.encoders import LargeStringEncoderBuilder
from pgpq.schema import Jsonb
from psycopg.rows import dict_row
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential_jitter

from clubsync.errors import BaseOverloaded, BaseUnreachable
from clubsync.store import embedded, trouble

if TYPE_CHECKING:
    from clubsync.store.queries import Queries

P = ParamSpec("P")

SQL = Path(__file__).resolve().parents[2] / "sql"
COPY_ROWS = 50_000
#: Seconds for which a connection is tried again while PostgreSQL starts, or has none left.
PATIENCE = 10
#: New rows from which on a table's indexes may be made after them; and what a row takes at least, in bytes.
INDEXED_AFTER = 50_000
_ROW_BYTES = 200

Driver = psycopg.Connection[Any]


@lru_cache(maxsize=1)
def queries() -> Queries:
    """Every query of `sql/queries/`, by name; called as `queries().name(driver, **parameters)`.

    Rows come as dicts.
    """
    loaded: Queries = aiosql.from_path(SQL / "queries", "psycopg", kwargs={"row_factory": dict_row})
    return loaded


def default_url() -> str:
    """CLUBSYNC_DATABASE, else the embedded server's (started when it does not run)."""
    url = os.environ.get("CLUBSYNC_DATABASE")
    if url:
        return url
    try:
        server = embedded.ensure_running(embedded.default_data_dir())
        server.create_database("clubsync")
    except (embedded.EmbeddedPostgresError, OSError, psycopg.Error) as error:
        raise BaseUnreachable(
            f"The embedded PostgreSQL in {embedded.default_data_dir()} did not start: {error}",
            remedy="Fix what it says, or set CLUBSYNC_DATABASE to a server of your own.",
        ) from error
    return server.url("clubsync")


def _psycopg3(url: str) -> sa.URL:
    """Any way to write a PostgreSQL URL -> SQLAlchemy's, for psycopg 3."""
    if url.startswith("postgres://"):
        url = "postgresql" + url[len("postgres") :]
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise BaseUnreachable(
            f"CLUBSYNC_DATABASE names a {parsed.get_backend_name()} database.",
            remedy="clubsync needs PostgreSQL 16 or newer: postgresql://user:password@host/database.",
        )
    return parsed.set(drivername="postgresql+psycopg")


class Base:
    """The club base and its machinery.

    :param url: a PostgreSQL URL; default `default_url()`.
    """

    def __init__(self, url: str | None = None, *, pool_size: int = 5) -> None:
        self.engine = sa.create_engine(
            _psycopg3(url or default_url()),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={"autocommit": False, "application_name": "clubsync"},
        )
        self._upgraded = False
        self._holding = threading.Lock()
        self._held: tuple[sa.Connection, int] | None = None

    def close(self) -> None:
        with self._holding:
            if self._held is not None:
                self._held[0].close()
                self._held = None
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Driver]:
        """A transaction as the owner of the schemas: for what is not one club's alone."""
        with self._connection() as driver:
            yield driver

    @contextmanager
    def club(self, number: int, *, plan_tables: bool = False) -> Iterator[Driver]:
        """A transaction that sees and writes one club's rows only (R21).

        :param number: base.club.club.
        :param plan_tables: with the session's tables that a plan is copied into.
        """
        with self._connection() as driver:
            if plan_tables:
                queries().make_plan_tables(driver)
            driver.execute("set local role clubsync_club")
            driver.execute("select set_config('clubsync.club', %s, true)", [str(number)])
            yield driver

    @contextmanager
    def reader(self) -> Iterator[Driver]:
        """A transaction that sees every club and writes nothing."""
        with self._connection() as driver:
            driver.execute("set transaction read only")
            driver.execute("set local role clubsync_reader")
            yield driver

    @contextmanager
    def one_reader(self, number: int) -> Iterator[None]:
        """Wait until nobody else reads this club's ERP in such a block, in any process.

        The lock is a session's, on a connection of its own outside the pool, and in no transaction: a reading
        takes minutes, and who is killed lets go of it.

        :param number: base.club.club.
        """
        engine = sa.create_engine(self.engine.url, poolclass=sa.NullPool)
        with _connected(engine).execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("select pg_advisory_lock(7254, :club)"), {"club": number})
            yield

    def vacuum(self, tables: Iterable[str]) -> list[str]:
        """Remove the dead rows of tables, and renew what PostgreSQL's statistics say of their values (R20).

        The statistics of a table that is empty are removed: ANALYZE would leave them as they were.

        :param tables: names of ours, never of a user.
        :returns: the tables of which that is not allowed, or not possible.
        """
        left, refused = [], list[str]()
        with self._autocommit() as driver:
            driver.add_notice_handler(
                lambda said: refused.append("") if said.severity_nonlocalized == "WARNING" else None
            )
            for table in tables:
                name = psycopg.sql.Identifier(*table.split("."))
                refused.clear()
                driver.execute(psycopg.sql.SQL("vacuum (analyze) {}").format(name))
                there = driver.execute(psycopg.sql.SQL("select from {} limit 1").format(name))
                if there.fetchone() is None and not _statistics_removed(driver, table):
                    refused.append("")
                if refused:
                    left.append(table)
        return left

    @contextmanager
    def _autocommit(self) -> Iterator[Driver]:
        """A connection of its own as the owner of the schemas, in no transaction."""
        with self.transaction():
            pass  # migrated, and it answers
        engine = sa.create_engine(self.engine.url, poolclass=sa.NullPool)
        with _connected(engine).execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver: Driver = connection.connection.driver_connection  # type: ignore[assignment]  # SQLAlchemy: any DBAPI
            yield driver

    @property
    def holder(self) -> int:
        """The key of a lock that this process holds as long as it lives; whoever is killed lets go of it.

        On a connection of its own, outside the pool and in no transaction. If that connection is lost, because
        PostgreSQL was restarted, the lock is lost with it, and there is another key from then on.
        """
        with self._holding:
            if self._held is not None and not _is_alive(self._held[0]):
                self._held = None
            if self._held is None:
                engine = sa.create_engine(self.engine.url, poolclass=sa.NullPool)
                connection = _connected(engine).execution_options(isolation_level="AUTOCOMMIT")
                key = secrets.randbelow(2**31)
                connection.execute(sa.text("select pg_advisory_lock(7255, :key)"), {"key": key})
                self._held = connection, key
            return self._held[1]

    @contextmanager
    def _connection(self) -> Iterator[Driver]:
        try:
            with _connected(self.engine) as connection:
                self.migrate(connection)
                driver: Driver = connection.connection.driver_connection  # type: ignore[assignment]  # SQLAlchemy: any DBAPI
                with connection.begin():
                    yield driver
        except (psycopg.Error, sa.exc.DBAPIError) as error:
            known = trouble.explained(error)
            if known is None:
                raise
            raise known from error

    def migrate(self, connection: sa.Connection) -> None:
        """Bring the schemas up to date, once per process; two processes at once take turns."""
        if self._upgraded:
            return
        from alembic import command
        from alembic.config import Config as AlembicConfig
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = AlembicConfig()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        head = ScriptDirectory.from_config(config).get_current_head()
        options = {"version_table": "clubsync_version", "version_table_schema": "public"}
        context = MigrationContext.configure(connection, opts=options)
        if context.get_current_revision() != head:
            connection.rollback()
            connection.execute(sa.text("select pg_advisory_lock(7251, 1)"))
            try:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(sa.text("select pg_advisory_unlock(7251, 1)"))
        connection.rollback()
        self._upgraded = True

    @cached_property
    def location(self) -> str:
        """Where the base is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)


@retry(
    retry=retry_if_exception(trouble.is_passing),
    stop=stop_after_delay(PATIENCE),
    wait=wait_exponential_jitter(multiplier=0.1, max=2),
    reraise=True,
)
def _opened(engine: sa.Engine) -> sa.Connection:
    """A connection; waits a moment where PostgreSQL is starting, or has none left."""
    return engine.connect()


def _connected(engine: sa.Engine) -> sa.Connection:
    """:raises BaseUnreachable, BaseOverloaded: there is no connection to be had."""
    try:
        return _opened(engine)
    except sa.exc.OperationalError as error:
        known = trouble.explained(error)
        if isinstance(known, BaseOverloaded):
            raise known from error
        raise BaseUnreachable(
            "The club base does not answer: " + str(error.orig).strip().splitlines()[0],
            remedy="Check that its PostgreSQL runs (`make status`) and what CLUBSYNC_DATABASE says.",
        ) from error


def _is_alive(connection: sa.Connection) -> bool:
    """Whether a connection answers; it is closed if it does not."""
    try:
        connection.execute(sa.text("select 1"))
    except sa.exc.DBAPIError:
        connection.invalidate()
        connection.close()
        return False
    return True


def _statistics_removed(driver: Driver, table: str) -> bool:
    """Remove what PostgreSQL's statistics say of a table's columns; False: that is not allowed.

    :param table: a name of ours.
    """
    schema_name, table_name = table.split(".")
    sql = queries()
    columns = list(
        sql.columns_with_statistics(driver, schema_name=schema_name, table_name=table_name)
    )
    if not columns:
        return True
    if driver.info.server_version >= 180000:
        for row in columns:
            driver.execute(
                "select pg_clear_attribute_stats(%s, %s, %s, false)",
                [schema_name, table_name, row["attname"]],
            )
        return True
    try:
        driver.execute("delete from pg_statistic where starelid = %s::regclass", [table])
    except psycopg.errors.InsufficientPrivilege:
        return False  # before version 18 only a superuser may
    return True


#: What a column takes -> what a frame's column becomes for it.
_TYPES: dict[str, pl.DataType] = {
    "bigint": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "integer": pl.Int32(),
    "integer[]": pl.List(pl.Int32()),
    "jsonb": pl.String(),
    "text": pl.String(),
    "timestamp with time zone": pl.Datetime("us", "UTC"),
}


#: Makes the columns of one part of the rows.
Prepare = Callable[[pl.DataFrame], pl.DataFrame]


class _Rows:
    """A frame's rows as a binary COPY takes them, part by part; the first part is made with the object.

    :param types: the table's columns and their types.
    """

    def __init__(self, types: Mapping[str, str], frame: pl.DataFrame, prepare: Prepare) -> None:
        self._prepare, self._parts = prepare, frame.iter_slices(COPY_ROWS)
        self._more = frame.height > COPY_ROWS
        first = prepare(next(self._parts))
        self.columns = first.columns
        self._casts = [pl.col(name).cast(_TYPES[types[name]]) for name in self.columns]
        rows = self._as_arrow(first)
        self._encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
            rows.schema,
            {
                field.name: LargeStringEncoderBuilder.new_with_output(field, Jsonb())
                if types[field.name] == "jsonb"
                else pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
                for field in rows.schema
            },
        )
        self._first = self._encoder.write_header() + self._encoded(rows)

    def __iter__(self) -> Iterator[bytes]:
        ready = self._first
        if self._more:
            # the next part is made while the server takes the last one in
            with ThreadPoolExecutor(max_workers=1) as writer:
                for part in self._parts:
                    coming = writer.submit(self._made, part)
                    yield ready
                    ready = coming.result()
        yield ready
        yield self._encoder.finish()

    def _made(self, part: pl.DataFrame) -> bytes:
        return self._encoded(self._as_arrow(self._prepare(part)))

    def _as_arrow(self, part: pl.DataFrame) -> Any:
        return part.select(self._casts).to_arrow(compat_level=pl.CompatLevel.oldest())

    def _encoded(self, rows: Any) -> bytes:
        return b"".join(map(self._encoder.write_batch, rows.to_batches()))


def _as_they_are(part: pl.DataFrame) -> pl.DataFrame:
    return part


def copying(
    driver: Driver,
    table: str,
    frame: pl.DataFrame,
    prepare: Prepare | None = None,
    *,
    beside: Executor | None = None,
) -> Callable[[], None]:
    """A COPY of a frame's columns into the columns of the same names, cast to what these take.

    :param table: a name of ours, never of a user.
    :param prepare: makes the columns of one part of the rows, while the server takes the part before it in.
    :param beside: makes the first part, from now on, whatever the server is at meanwhile; without it that is
        done here.
    :returns: what sends the rows.
    :raises polars.exceptions.InvalidOperationError: a value does not fit its column; with `beside`, when the
        rows are to be sent, before the first of them is.
    """
    if frame.is_empty():
        return lambda: None
    make = partial(_Rows, _column_types(driver, table), frame, prepare or _as_they_are)
    if beside is None:
        return partial(_send, driver, table, make())
    coming = beside.submit(make)
    return lambda: _send(driver, table, coming.result())


def _send(driver: Driver, table: str, rows: _Rows) -> None:
    statement = psycopg.sql.SQL("copy {} ({}) from stdin with (format binary)").format(
        psycopg.sql.Identifier(*table.split(".")),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, rows.columns)),
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for part in rows:
            copy.write(part)


def copying_new(
    driver: Driver,
    table: str,
    frame: pl.DataFrame,
    prepare: Prepare | None = None,
    *,
    beside: Executor | None = None,
) -> Callable[[], None]:
    """`copying` of new rows of the club into one of its tables, without a table of the plan between.

    PostgreSQL has no COPY into a table whose rows row-level security guards, so this is done as its owner.
    What keeps the club apart (R21) is that the rows do not say theirs: it is the transaction's.

    :param driver: inside `Base.club`.
    :raises ValueError: the rows say which club; with `beside`, when they are to be sent.
    :raises psycopg.Error: the transaction is no club's.
    """
    if frame.is_empty():
        return lambda: None
    row = driver.execute("select current_setting('clubsync.club')::integer").fetchone()
    club = pl.lit(row and row[0])

    def of_the_club(part: pl.DataFrame) -> pl.DataFrame:
        rows = prepare(part) if prepare else part
        if "club" in rows.columns:
            raise ValueError("The club of new rows is the transaction's, and not to be said.")
        return rows.with_columns(club=club)

    copy = copying(driver, table, frame, of_the_club, beside=beside)

    def send() -> None:
        driver.execute("set local role none")
        copy()
        driver.execute("set local role clubsync_club")

    return send


def try_exclusive_lock(driver: Driver, tables: Mapping[str, int]) -> bool:
    """Take tables for this transaction alone, if all of them are about to be filled for their most part.

    The first load of a large club is most of what a young base then holds, so it may have the tables to itself
    and use `rebuild_indexes_after`. It never waits: where somebody is using one of the tables, or the load is
    small, or small compared to what is there, the answer is no. All tables are locked at once or none, so that
    two such loads never wait for each other.

    :param driver: inside `Base.club`.
    :param tables: names of ours, never of a user, and how many new rows each gets.
    :returns: whether it has them.
    """
    if min(tables.values()) < INDEXED_AFTER:
        return False
    for table, rows in tables.items():
        size = driver.execute("select pg_relation_size(%s::regclass)", [table]).fetchone()
        if size is None or size[0] > rows * _ROW_BYTES:
            return False
    names = psycopg.sql.SQL(", ").join(
        psycopg.sql.Identifier(*table.split(".")) for table in tables
    )
    lock = psycopg.sql.SQL("lock table {} in access exclusive mode nowait").format(names)
    driver.execute("set local role none")
    try:
        with driver.transaction():
            driver.execute(lock)
    except psycopg.errors.LockNotAvailable:
        locked = False
    else:
        locked = True
    driver.execute("set local role clubsync_club")
    return locked


@contextmanager
def rebuild_indexes_after(driver: Driver, table: str, alone: bool) -> Iterator[None]:
    """Inside, a table is without the indexes that are made again afterwards, as they were.

    Made of rows that are there they cost a third of what they cost when kept while the rows come. All of it is
    part of the transaction.

    :param driver: inside `Base.club`; nothing in its transaction has written to the table yet.
    :param table: a name of ours. A primary key that a foreign key refers to stays.
    :param alone: whether `try_exclusive_lock` has it; if not, the indexes stay where they are.
    :raises psycopg.errors.UniqueViolation: the rows are not unique as they come; that they would be when the
        transaction ends is not enough.
    """
    if not alone:
        yield
        return
    indexes = list(queries().secondary_indexes(driver, table_name=table))

    def run(statements: list[str]) -> None:
        driver.execute("set local role none")
        for statement in statements:
            driver.execute(statement.encode())
        driver.execute("set local role clubsync_club")

    run([index["take"] for index in indexes])
    yield
    run([index["make"] for index in indexes])


_known_types: dict[str, dict[str, str]] = {}


def _column_types(driver: Driver, table: str) -> dict[str, str]:
    """A table's columns and their types. Asked once: a process knows one version of the schemas."""
    if table not in _known_types:
        _known_types[table] = dict(
            driver.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                [table],
            ).fetchall()
        )
    return _known_types[table]


def fetch(
    driver: Driver,
    query: Callable[Concatenate[Driver, P], Iterator[object]],
    schema: Mapping[str, Any],
    *_: P.args,
    **parameters: P.kwargs,
) -> pl.DataFrame:
    """Run a query of `sql/queries/` and give its rows as a frame of exactly that schema.

    :param query: one of `queries()`.
    """
    cursor_of = getattr(queries(), f"{query.__name__}_cursor")
    with cursor_of(driver, **parameters) as cursor:
        cursor.row_factory = psycopg.rows.tuple_row
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
    return pl.DataFrame(rows, schema={n: schema[n] for n in names}, orient="row").select(*schema)
