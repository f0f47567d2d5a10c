"""The same work by others: bring a stored table of customers to the state of a new reading.

Each begins with the table as the reading before left it, and ends when the new reading is committed. clubsync
does more meanwhile: it evaluates records by its suites, plans, asks the guard, and writes audit and findings; and
removes who is gone. The others know none of it, and leave rows that the new reading lacks.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks import club, data
from benchmarks.gates import Book
from benchmarks.raw import RawCopy
from benchmarks.server import Server

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ROOT / ".venv-bench" / "bin" / "python"
SHARES = (0.01, 0.1)
CLUB = "same"
#: How the names of its figures and gates begin.
NAME = "the same work"
_CHUNK = 5_000

_CREATE = """
create table customer (
    erp_id text primary key, email text, first_name text, last_name text, phone text, birth_date text,
    status text, groups text
)
"""
_COLUMNS = ("erp_id", "email", "first_name", "last_name", "phone", "birth_date", "status", "groups")
_STAGE = "create temporary table staged (like customer) on commit drop"
_MERGE = f"""
insert into customer select * from staged
on conflict (erp_id) do update set {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[1:])}
"""  # of the names above


class _Table(DeclarativeBase):
    pass


class _Customer(_Table):
    __tablename__ = "customer"
    erp_id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    phone: Mapped[str | None]
    birth_date: Mapped[str | None]
    status: Mapped[str | None]
    groups: Mapped[str | None]


@dataclass
class _Timed:
    wall: float
    cpu: float


@dataclass
class _Work:
    """Two readings of a club, also as flat rows of text.

    :param changed: records that differ.
    """

    before: pl.DataFrame
    after: pl.DataFrame
    changed: int

    @classmethod
    def of(cls, rows: int, share: float) -> _Work:
        before = data.customers(rows)
        return cls(before, data.changed(before, share, seed=7), round(rows * share))


def flat(customers: pl.DataFrame) -> pl.DataFrame:
    """A reading as the table of the others has it."""
    groups = pl.col("groups").list.eval(pl.element().struct.field("id")).list.join(",")
    return customers.select(
        *("erp_id", "email", "first_name", "last_name", "phone"),
        birth_date=pl.col("birth_date").cast(pl.String),
        status=pl.col("status").cast(pl.String),
        groups=groups,
    )


def measure(book: Book, server: Server, rows: int, rounds: int) -> None:
    """Measure interleaved rounds of each way, for each share of changed records.

    dlt and datacompy are left out where `make bench` has not installed them.
    """
    for share in SHARES:
        work = _Work.of(rows, share)
        name = f"{NAME}: {work.changed:,} of {rows:,} changed"
        for number in range(rounds):
            _round(book, server, name, work, first=share == SHARES[0], number=number)


def _round(book: Book, server: Server, name: str, work: _Work, *, first: bool, number: int) -> None:
    ours = _clubsync(server, work)
    found = {
        "raw COPY of all rows": _raw_copy(server, work),
        "SQLAlchemy ORM upsert": _with_table(server, work, _orm),
        "COPY + ON CONFLICT": _with_table(server, work, _on_conflict),
    }
    if OUTSIDE.exists():
        found |= _outside(server, work)
    book.note(name, **{"clubsync s": ours.wall, "clubsync cpu": ours.cpu})
    for who, timed in found.items():
        book.note(name, **{f"{who} s": timed.wall, f"{who} cpu": timed.cpu})
    if first:
        for who in ("dlt merge", "SQLAlchemy ORM upsert", "COPY + ON CONFLICT"):
            if who in found:
                timed = found[who]
                book.add(f"{NAME} : by {who}", ours.wall / timed.wall)


def _clubsync(server: Server, work: _Work) -> _Timed:
    """A whole sync from the reading in memory: extract, suites, diff, load, audit."""
    url = server.fresh("same")
    with club.pipeline(url, server.folder / "same", club.config([CLUB])) as pipeline:
        club.READINGS[CLUB] = data.reading(work.before)
        club.sync(pipeline, [CLUB])
        club.READINGS[CLUB] = data.reading(work.after)
        server.settle("same")
        began, used = time.perf_counter(), time.process_time() + server.cpu()
        club.sync(pipeline, [CLUB])
        timed = _Timed(time.perf_counter() - began, time.process_time() + server.cpu() - used)
    server.running.drop_database("same")
    return timed


def _raw_copy(server: Server, work: _Work) -> _Timed:
    server.fresh("same")
    copy = RawCopy(work.after)
    return _Timed(*copy(server.conninfo("same"), lambda: time.process_time() + server.cpu()))


def _with_table(
    server: Server, work: _Work, way: Callable[[str, sa.URL, pl.DataFrame], None]
) -> _Timed:
    """Time one way of bringing the table to the new reading, and compare the table with it."""
    url, conninfo = sa.make_url(server.fresh("same")), server.conninfo("same")
    with psycopg.connect(conninfo) as driver:
        driver.execute(_CREATE)
        _copy(driver, "customer", flat(work.before))
    after = flat(work.after)
    server.settle("same")
    began, used = time.perf_counter(), time.process_time() + server.cpu()
    way(conninfo, url, after)
    timed = _Timed(time.perf_counter() - began, time.process_time() + server.cpu() - used)
    _check(conninfo, "customer", after)
    return timed


def _on_conflict(conninfo: str, _url: sa.URL, after: pl.DataFrame) -> None:
    with psycopg.connect(conninfo) as driver:
        driver.execute(_STAGE)
        _copy(driver, "staged", after)
        driver.execute(_MERGE)


def _orm(_conninfo: str, url: sa.URL, after: pl.DataFrame) -> None:
    engine = sa.create_engine(url)
    upsert = insert(_Customer)
    changed = {name: upsert.excluded[name] for name in _COLUMNS[1:]}
    upsert = upsert.on_conflict_do_update(index_elements=["erp_id"], set_=changed)
    with Session(engine) as session, session.begin():
        for part in after.iter_slices(_CHUNK):
            session.execute(upsert, part.to_dicts())
    engine.dispose()


def _copy(driver: psycopg.Connection[Any], table: str, rows: pl.DataFrame) -> None:
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, _COLUMNS))
    statement = psycopg.sql.SQL("copy {} ({}) from stdin with (format csv)").format(
        psycopg.sql.Identifier(table), columns
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(rows.write_csv(include_header=False, null_value="").encode())


def _check(conninfo: str, table: str, after: pl.DataFrame) -> None:
    """:raises RuntimeError: the table lacks something of the new reading."""
    with psycopg.connect(conninfo) as driver:
        schema, _, name = table.rpartition(".")
        place = psycopg.sql.Identifier(*filter(None, (schema, name)))
        found = driver.execute(
            psycopg.sql.SQL("select erp_id, email, phone from {}").format(place)
        ).fetchall()
    stored = {row[0]: row[1:] for row in found}
    for erp_id, *values in after.select("erp_id", "email", "phone").iter_rows():
        # an empty text is null in a CSV
        if [value or None for value in stored.get(erp_id, ("?",))] != [v or None for v in values]:
            raise RuntimeError(f"{table} is not as the new reading.")


def _outside(server: Server, work: _Work) -> dict[str, _Timed]:
    """dlt's merge, and datacompy for the comparison alone."""
    folder = server.folder / "outside"
    folder.mkdir(exist_ok=True)
    before, after = flat(work.before), flat(work.after)
    before.write_parquet(folder / "before.parquet")
    after.write_parquet(folder / "after.parquet")
    task = {
        "folder": str(folder / "pipelines"),
        "before": str(folder / "before.parquet"),
        "after": str(folder / "after.parquet"),
    }
    # dlt wants a host and a password; libpq prefers the socket that the query names
    url = sa.make_url(server.fresh("same")).set(
        drivername="postgresql", host="localhost", password="none"
    )
    found = {"dlt merge": _run("dlt", {**task, "url": url.render_as_string(hide_password=False)})}
    _check(server.conninfo("same"), "dlt_same.customer", after)
    for who in ("datacompy (Polars)", "datacompy (pandas)"):
        found[f"{who}, comparison only"] = _run(who, task)
    shutil.rmtree(folder)
    return found


def _run(what: str, task: dict[str, str]) -> _Timed:
    done = subprocess.run(
        [str(OUTSIDE), str(Path(__file__).with_name("outside.py")), what],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr[-2000:]}")
    return _Timed(**json.loads(done.stdout.splitlines()[-1]))
