"""The baselines: the cost of the same rows without clubsync."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import polars as pl
import psycopg
import sqlalchemy as sa

#: A plain table with the columns of base.customer and a primary key.
_CREATE = """
create table public.plain_customer (
    club integer not null, customer bigint not null, erp_id text, email text, email_raw text,
    first_name text, last_name text, phone text, origin text not null,
    in_customers_group boolean not null, auto_groups integer [] not null, reason text,
    reason_at timestamptz, detached_at timestamptz, linked_user bigint,
    created_at timestamptz not null, updated_at timestamptz not null,
    primary key (club, customer)
)
"""
_CHUNK = 1 << 20


class RawCopy:
    """COPY of a club's customers, in the columns of base.customer, into a plain logged table.

    The text to copy is prepared in advance, and not timed.
    """

    def __init__(self, customers: pl.DataFrame) -> None:
        now = pl.lit("2026-01-01T00:00:00Z")
        groups = pl.col("groups").list.eval(pl.element().struct.field("id").str.slice(1))
        rows = customers.select(
            club=pl.lit(1),
            customer=pl.int_range(1, pl.len() + 1),
            erp_id="erp_id",
            email=pl.col("email").str.to_lowercase(),
            email_raw="email",
            first_name="first_name",
            last_name="last_name",
            phone="phone",
            origin=pl.lit("erp"),
            in_customers_group=pl.lit(True),
            auto_groups="{" + groups.list.join(",") + "}",
            reason=pl.lit(None, dtype=pl.String),
            reason_at=pl.lit(None, dtype=pl.String),
            detached_at=pl.lit(None, dtype=pl.String),
            linked_user=pl.lit(None, dtype=pl.String),
            created_at=now,
            updated_at=now,
        )
        buffer = io.BytesIO()
        rows.write_csv(buffer, include_header=False, null_value="")
        self.text = buffer.getvalue()

    def __call__(self, conninfo: str, cpu: Callable[[], float]) -> tuple[float, float]:
        """Wall and CPU seconds of one committed COPY into an empty table."""
        with psycopg.connect(conninfo, autocommit=True) as driver:
            driver.execute("drop table if exists public.plain_customer")
            driver.execute(_CREATE)
            driver.execute("checkpoint")
            wall, used = time.perf_counter(), cpu()
            view = memoryview(self.text)
            with (
                driver.transaction(),
                driver.cursor() as cursor,
                cursor.copy("copy public.plain_customer from stdin with (format csv)") as copy,
            ):
                for at in range(0, len(view), _CHUNK):
                    copy.write(view[at : at + _CHUNK])
            taken = time.perf_counter() - wall, cpu() - used
            driver.execute("drop table public.plain_customer")
        return taken


class Executemany:
    """The changes of a run, repeated by SQLAlchemy with one parameter set per row.

    :param done: URL of the database after the run.
    :param before: URL of a copy from before the run, which is written to.
    :param run: the run, whose rows are fetched in advance.
    """

    TABLES = (
        ("base", "customer", "updated_at = (select at from sync.change where run = :run limit 1)"),
        ("sync", "erp_customer", "snapshot = (select snapshot from sync.run where run = :run)"),
        ("sync", "finding", ":run in (run, closed_run)"),
        ("sync", "change", "run = :run"),
    )

    def __init__(self, done: sa.URL, before: sa.URL, run: int) -> None:
        self.engine, self.run = sa.create_engine(before), run
        self.statements: list[tuple[sa.Executable, list[dict[str, object]]]] = []
        meta, source = sa.MetaData(), sa.create_engine(done)
        with source.connect() as after, self.engine.connect() as now:
            for schema, name, which in self.TABLES:
                table = sa.Table(name, meta, schema=schema, autoload_with=after)
                rows = after.execute(sa.select(table).where(sa.text(which)), {"run": run})
                self._write(table, [dict(row) for row in rows.mappings()], now)
        source.dispose()
        self.rows = sum(len(sets) for _, sets in self.statements)

    def _write(self, table: sa.Table, rows: list[dict[str, object]], now: sa.Connection) -> None:
        """Add the statements that write the rows: an update of those that exist, and an insert of the others."""
        keys = [column.name for column in table.primary_key.columns]
        own = table.c[keys[-1]]  # there is one club
        wanted = [row[own.name] for row in rows]
        existing = set(now.scalars(sa.select(own).where(own == sa.any_(sa.literal(wanted)))))
        known = [
            {(f"key_{name}" if name in keys else name): value for name, value in row.items()}
            for row in rows
            if row[own.name] in existing
        ]
        numbered = {column.name for column in table.columns if column.identity is not None}
        new = [
            {name: value for name, value in row.items() if name not in numbered}
            for row in rows
            if row[own.name] not in existing
        ]
        if known:
            values: dict[str, sa.BindParameter[object]] = {
                c.name: sa.bindparam(c.name) for c in table.columns if c.name not in keys
            }
            which = (table.c[key] == sa.bindparam(f"key_{key}") for key in keys)
            self.statements.append((sa.update(table).where(*which).values(values), known))
        if new:
            columns = [table.c[name] for name in new[0]]
            insert = sa.insert(table).values({c.name: sa.bindparam(c.name) for c in columns})
            self.statements.append((insert, new))

    def __call__(self) -> float:
        """Execute and commit; returns the seconds taken."""
        start = time.perf_counter()
        with self.engine.begin() as connection:
            # audit rows need their entry in the change feed; there is one club
            entry = "insert into sync.feed (club, run) select club, :run from base.club"
            connection.execute(sa.text(entry), {"run": self.run})
            for statement, sets in self.statements:
                connection.execute(statement, sets)
        taken = time.perf_counter() - start
        self.engine.dispose()
        return taken
