"""The database: engine, transactions as one club, queries from `sql/queries/`, COPY.

R21: whatever concerns one club runs inside `Base.club(number)`: as a role that row-level security
binds, with the club's number set for the transaction; a batch of clubs is read inside `Base.clubs(numbers)`.
`logins` says as whom the engine is logged in.
SQLAlchemy holds engine, pool and transactions; queries are aiosql's; COPY goes through the driver's
connection.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec

import pgpq
import polars as pl
import psycopg
import sqlalchemy as sa
from pgpq.encoders import LargeStringEncoderBuilder
from pgpq.schema import Jsonb

from clubsync.store import logins, trouble
from clubsync.store.logins import Access, Login
from clubsync.store.statements import SQL, Driver, queries

__all__ = [
    "SQL",
    "Base",
    "Driver",
    "NewRows",
    "copying",
    "copying_new",
    "fetch",
    "preload",
    "queries",
]

P = ParamSpec("P")

COPY_ROWS = 50_000
#: New rows from which on a table's indexes may be made after them; and what a row takes at least, in bytes.
INDEXED_AFTER = 50_000
_ROW_BYTES = 200
#: Tables that new rows are copied into -> where they are staged; sql/queries/load.sql makes these.
_STAGES = {
    "base.customer": "new_customer",
    "sync.change": "new_change",
    "sync.erp_customer": "new_record",
}


def preload() -> None:
    """Read what every process needs that opens a base: the statements of `sql/`, and which revisions there are.

    For a process that forks others; it takes 0.2 s, and opens no connection.
    """
    queries()
    logins.preload()


class Base:
    """The club base and its machinery.

    :param url: a PostgreSQL URL, of the engine's login or of the owner; default: what the environment says.
    """

    def __init__(self, url: str | None = None, *, pool_size: int = 5) -> None:
        self._access, self._pool_size = Access.find(url), pool_size
        self._opening = threading.Lock()
        self._opened: tuple[Login, sa.Engine] | None = None
        self._holding = threading.Lock()
        self._held: tuple[sa.Connection, int] | None = None

    def close(self) -> None:
        with self._holding:
            if self._held is not None:
                self._held[0].close()
                self._held = None
        with self._opening:
            if self._opened is not None:
                self._opened[1].dispose()
                self._opened = None

    def _open(self, *, upgrade: bool = False) -> tuple[Login, sa.Engine]:
        """As whom the engine works, and its connections; migrated once per process where that is allowed."""
        with self._opening:
            if self._opened is None:
                login = logins.log_in(self._access, upgrade=upgrade)
                self._opened = (
                    login,
                    logins.engine(
                        login.url,
                        pool_size=self._pool_size,
                        max_overflow=self._pool_size,
                        pool_pre_ping=True,
                    ),
                )
            return self._opened

    @property
    def engine(self) -> sa.Engine:
        return self._open()[1]

    @property
    def is_confined(self) -> bool:
        """R21: whether no session of the engine's can lift row-level security."""
        return not self._open()[0].lifts

    def unconfined(self) -> tuple[str, str]:
        """What to say if it is not: a sentence, and what to do."""
        return logins.unconfined(self._open()[0])

    def upgrade(self) -> None:
        """Migrate, and set up the engine's login; no-op if both are done, or this process may not."""
        self.close()
        with _explained():
            self._open(upgrade=True)

    @contextmanager
    def transaction(self) -> Iterator[Driver]:
        """A transaction for what is no club's: the list of clubs, app users, files. It sees no club's rows."""
        with self._connection() as driver:
            if not self.is_confined:
                driver.execute("set local role clubsync_engine")
            yield driver

    @contextmanager
    def club(self, number: int, *, plan_tables: bool = False) -> Iterator[Driver]:
        """A transaction that sees and writes one club's rows only (R21).

        :param number: base.club.club.
        :param plan_tables: with the session's tables that a plan is copied into.
        """
        with self._connection() as driver:
            # one round trip: a club has a dozen transactions in a run
            driver.execute(
                "select set_config('role', 'clubsync_club', true), set_config('clubsync.club', %s, true)",
                [str(number)],
            )
            if plan_tables:
                queries().make_plan_tables(driver)
            yield driver

    @contextmanager
    def clubs(self, numbers: Collection[int]) -> Iterator[Driver]:
        """A transaction that sees the rows of exactly these clubs, and writes nothing (R21).

        :param numbers: base.club.club.
        """
        with self._connection() as driver:
            driver.execute("set transaction read only")
            driver.execute(
                "select set_config('role', 'clubsync_batch', true), set_config('clubsync.clubs', %s, true)",
                ["{" + ",".join(map(str, numbers)) + "}"],
            )
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
        with self._alone() as connection:
            connection.execute(sa.text("select pg_advisory_lock(7254, :club)"), {"club": number})
            yield

    @contextmanager
    def try_sender(self, number: int) -> Iterator[bool]:
        """Whether this process alone sends the digest of a club (R31), until the end of the block; never waits.

        The lock is a session's, as in `one_reader`: sending takes as long as a mail server does.

        :param number: base.club.club.
        """
        with self._alone() as connection:
            yield bool(queries().try_sender(logins.driver_of(connection), club=number))

    @contextmanager
    def one_sender(self, webhook: str) -> Iterator[Callable[[], bool]]:
        """Be the only process that sends to a webhook (R30), if no other one is; it does not wait.

        :returns: whether this process is it, and still has the lock, which is lost with its connection.
        """
        with self._alone() as connection:
            statement = sa.text("select pg_try_advisory_lock(7257, hashtext(:webhook))")
            mine = bool(connection.execute(statement, {"webhook": webhook}).scalar())
            yield lambda: mine and not connection.closed and _is_alive(connection)

    def vacuum(self, tables: Iterable[str]) -> list[str]:
        """Remove the dead rows of tables, and renew what PostgreSQL's statistics say of their values (R20).

        The statistics of a table that is empty are removed: ANALYZE would leave them as they were.

        :param tables: names of ours, never of a user.
        :returns: the tables of which that is not allowed, or not possible.
        """
        refused = set[str]()
        with self._maintaining() as driver:
            told = list[str]()
            driver.add_notice_handler(
                lambda said: told.append("") if said.severity_nonlocalized == "WARNING" else None
            )
            for table in tables:
                told.clear()
                name = psycopg.sql.Identifier(*table.split("."))
                driver.execute(psycopg.sql.SQL("vacuum (analyze) {}").format(name))
                if told:
                    refused.add(table)
            refused |= {t for t in self._empty(tables) if not _statistics_removed(driver, t)}
        return [table for table in tables if table in refused]

    def _empty(self, tables: Iterable[str]) -> list[str]:
        """Those of these tables that have no row."""
        with self.reader() as driver:
            return [
                table
                for table in tables
                if driver.execute(
                    psycopg.sql.SQL("select from {} limit 1").format(
                        psycopg.sql.Identifier(*table.split("."))
                    )
                ).fetchone()
                is None
            ]

    @contextmanager
    def _maintaining(self) -> Iterator[Driver]:
        """A connection of its own, in no transaction.

        Before PostgreSQL 17 only the owner may clean tables, before 18 only a superuser their statistics.
        """
        with self._connection() as driver:
            old = driver.info.server_version < 180000
        owner = self._open()[0].owner
        with self._alone(owner if old else None) as connection:
            yield logins.driver_of(connection)

    @contextmanager
    def _alone(self, url: sa.URL | None = None) -> Iterator[sa.Connection]:
        """A connection of its own outside the pool, in no transaction.

        :param url: default: the engine's.
        """
        engine = logins.engine(url or self.engine.url)
        with logins.connected(engine).execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

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
                connection = logins.connected(logins.engine(self.engine.url))
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                key = secrets.randbelow(2**31)
                connection.execute(sa.text("select pg_advisory_lock(7255, :key)"), {"key": key})
                self._held = connection, key
            return self._held[1]

    @contextmanager
    def _connection(self) -> Iterator[Driver]:
        with _explained(), logins.connected(self.engine) as connection, connection.begin():
            yield logins.driver_of(connection)

    @property
    def location(self) -> str:
        """Where the base is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of the machinery as sentences."""
    try:
        yield
    except (psycopg.Error, sa.exc.DBAPIError) as error:
        known = trouble.explained(error)
        if known is None:
            raise
        raise known from error


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
    if driver.info.server_version >= 180000:
        for row in queries().columns(driver, table_name=table):
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


@dataclass(frozen=True)
class NewRows:
    """New rows of a club that are being copied into one of its tables. Called: both steps.

    :param send: copies them, into the session's table where they are staged.
    :param take: lets them in from there.
    """

    send: Callable[[], object]
    take: Callable[[], object]

    def __call__(self) -> None:
        self.send()
        self.take()


def copying_new(
    driver: Driver,
    table: str,
    frame: pl.DataFrame,
    prepare: Prepare | None = None,
    *,
    beside: Executor | None = None,
    alone: bool = False,
) -> NewRows:
    """`copying` of new rows of the club into one of its tables.

    PostgreSQL has no COPY into a table whose rows row-level security guards: they are staged in a table of the
    session's, but for a first load that has the table for itself (`rebuild_indexes_after`). The rows do not say whose
    they are (R21): they are the transaction's club's.

    :param table: one of `_STAGES`.
    :param driver: inside `Base.club`, with the plan's tables.
    :param alone: the rows are sent inside `rebuild_indexes_after`.
    :raises ValueError: the rows say which club; with `beside`, when they are to be sent.
    :raises psycopg.Error: the transaction is no club's.
    """
    if frame.is_empty():
        return NewRows(_nothing, _nothing)
    row = driver.execute("select current_setting('clubsync.club')::integer").fetchone()
    assert row is not None
    club: int = row[0]
    columns: list[str] = []

    def of_the_club(part: pl.DataFrame) -> pl.DataFrame:
        rows = prepare(part) if prepare else part
        if "club" in rows.columns:
            raise ValueError("The club of new rows is the transaction's, and not to be said.")
        columns[:] = rows.columns
        return rows.with_columns(club=pl.lit(club)) if alone else rows

    if alone:
        return NewRows(copying(driver, table, frame, of_the_club, beside=beside), _nothing)
    send = copying(driver, _STAGES[table], frame, of_the_club, beside=beside)
    return NewRows(send, lambda: _take(driver, table, columns, club))


def _nothing() -> None:
    pass


def _take(driver: Driver, table: str, columns: Sequence[str], club: int) -> None:
    """Let staged rows into their table."""
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, columns))
    statement = psycopg.sql.SQL("insert into {} (club, {}) select {}, {} from {}").format(
        psycopg.sql.Identifier(*table.split(".")),
        names,
        psycopg.sql.Literal(club),
        names,
        psycopg.sql.Identifier(_STAGES[table]),
    )
    driver.execute(statement)


def try_exclusive_lock(driver: Driver, tables: Mapping[str, int]) -> bool:
    """Take tables for this transaction alone, if all of them are about to be filled for their most part.

    The first load of a large club is most of what a young base then holds, so it may have the tables to itself
    and use `rebuild_indexes_after`. It never waits: where somebody is using one of the tables, or the load is
    small, or small compared to what is there, the answer is no. All tables are locked at once or none, so that
    two such loads never wait for each other.

    :param driver: inside `Base.club`.
    :param tables: the three tables of `_STAGES`, and how many new rows each gets.
    :returns: whether it has them.
    """
    if min(tables.values()) < INDEXED_AFTER:
        return False
    for table, rows in tables.items():
        size = driver.execute("select pg_relation_size(%s::regclass)", [table]).fetchone()
        if size is None or size[0] > rows * _ROW_BYTES:
            return False
    return bool(queries().lock_for_first_load(driver))


@contextmanager
def rebuild_indexes_after(driver: Driver, table: str, alone: bool) -> Iterator[None]:
    """Inside, a table takes new rows of the club and nothing else; the indexes that can be are made after them.

    Made of rows that are there they cost a third of what they cost when kept while the rows come. All of it is
    part of the transaction, which cannot commit in between.

    :param driver: inside `Base.club`; nothing in its transaction has written to the table yet.
    :param table: one of `_STAGES`. Foreign keys that refer to it are made again too.
    :param alone: whether `try_exclusive_lock` has it; if not, the indexes stay where they are.
    :raises psycopg.errors.UniqueViolation: the rows are not unique as they come; that they would be when the
        transaction ends is not enough.
    """
    if alone:
        queries().open_for_first_load(driver, table_name=table)
    yield
    if alone:
        queries().close_after_first_load(driver, table_name=table)


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


def fetch_bytes(
    driver: Driver,
    query: Callable[Concatenate[Driver, P], Iterator[object]],
    *_: P.args,
    **parameters: P.kwargs,
) -> list[bytes]:
    """Run a query of `sql/queries/` whose one column is bytes, and give its rows.

    They come as they are; asked for as other rows are, they would come as hexadecimal text, twice as long.

    :param query: one of `queries()`.
    """
    statement: str = getattr(queries(), query.__name__).sql
    with driver.cursor(binary=True, row_factory=psycopg.rows.scalar_row) as cursor:
        return list(cursor.execute(statement, parameters))


def fetch_rows(
    driver: Driver,
    query: Callable[Concatenate[Driver, P], Iterator[object]],
    *_: P.args,
    **parameters: P.kwargs,
) -> list[tuple[Any, ...]]:
    """`fetch_bytes` of a query with more columns: rows as tuples."""
    statement: str = getattr(queries(), query.__name__).sql
    with driver.cursor(binary=True, row_factory=psycopg.rows.tuple_row) as cursor:
        return list(cursor.execute(statement, parameters))
