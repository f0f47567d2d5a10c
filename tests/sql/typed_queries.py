"""Writes `clubsync/store/queries.pyi`: every query of `sql/queries/`, its parameters and its rows, with their types.

PostgreSQL says what they are: each statement is prepared in a migrated database, and its query tree tells what may
be null (`nulls.py`). What the server cannot know stands below a query's name:

    -- null: erp_id, ids[]     parameters that may be null, arrays that may hold nulls (one that the statement
                               asks about, or has a substitute for, may be in any case)
    -- row: always             the row is there: callers have its key from the database
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from aiosql.types import SQLOperationType

from clubsync.store.database import SQL, Driver, queries
from tests.sql.nulls import Catalog, Nulls, always_one_row, asked_about, outputs
from tests.sql.query_tree import Node, parse

MODULE = SQL.parent / "clubsync" / "store" / "queries.pyi"

#: PostgreSQL's types, and what psycopg takes and gives for them.
_TYPES = {
    "bigint": "int",
    "boolean": "bool",
    "bytea": "bytes",
    "date": "date",
    "double precision": "float",
    "integer": "int",
    "interval": "timedelta",
    "real": "float",
    "regclass": "str",
    "text": "str",
    "timestamp with time zone": "datetime",
    "uuid": "UUID",
    "void": "object",
}
#: JSON goes in as text and comes out as this, by the name of its column.
_JSON = {
    "after": "dict[str, Any]",
    "before": "dict[str, Any]",
    "causes": "list[str]",
    "codes": "dict[str, int]",
    "column_of": "dict[str, str]",
    "counts": "dict[str, int]",
    "detail": "dict[str, Any]",
    "erps": "dict[str, int]",
    "file": "dict[str, Any]",
    "findings": "list[dict[str, Any]]",
    "groups": "list[dict[str, Any]]",
    "remembered": "list[dict[str, Any]]",
    "states": "dict[str, int]",
}

_HEAD = '''"""The queries of `sql/queries/` with the types that PostgreSQL finds for them.

Written by `make queries`; tests/sql compares it with the database. A column may be None unless the query rules
that out; a parameter, where the query asks about it or its header says so. There is no module: import what is
here under TYPE_CHECKING.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Protocol, TypedDict
from uuid import UUID

from psycopg import Connection

'''


@dataclass(frozen=True)
class Query:
    """One query as the server takes it.

    :param statement: with numbered parameters.
    :param parameters: their names, in the order of their numbers.
    """

    name: str
    file: Path
    line: int
    operation: SQLOperationType
    statement: str
    parameters: tuple[str, ...]
    declared: tuple[str, ...]
    null: frozenset[str]
    always_a_row: bool

    @classmethod
    def of(cls, name: str, function: Any) -> Query:
        found: list[str] = []

        def numbered(match: re.Match[str]) -> str:
            if match[1] not in found:
                found.append(match[1])
            return f"${found.index(match[1]) + 1}"

        statement = re.sub(r"%\((\w+)\)s", numbered, function.sql).replace("%%", "%")
        doc, code = function.__doc__ or "", function.__code__
        null = re.search(r"^null: (.+)$", doc, re.MULTILINE)
        return cls(
            name=name,
            file=Path(code.co_filename),
            line=code.co_firstlineno,
            operation=function.operation,
            statement=statement.rstrip().rstrip(";"),
            parameters=tuple(found),
            declared=tuple(function.parameters or ()),
            null=frozenset(re.split(r",\s*", null[1])) if null else frozenset(),
            always_a_row=re.search(r"^row: always$", doc, re.MULTILINE) is not None,
        )


def every_query() -> list[Query]:
    """All queries, in the order of their files and lines."""
    loaded: Any = queries()  # aiosql's own object, which has more than the stub tells
    found = [
        Query.of(name, getattr(loaded, name))
        for name in loaded.available_queries
        if not name.endswith("_cursor")
    ]
    return sorted(found, key=lambda query: (query.file.name, query.line))


def prepare(driver: Driver, query: Query) -> tuple[list[str], list[str]]:
    """Prepare a statement; the types of its parameters and of its columns.

    :raises psycopg.Error: it does not fit the schema, or does not say the type of a parameter.
    """
    driver.execute(f"prepare statement as {query.statement}".encode(), prepare=False)
    row = driver.execute(
        "select parameter_types::text[], result_types::text[] from pg_prepared_statements"
        " where name = 'statement'"
    ).fetchone()
    driver.execute("deallocate statement")
    assert row is not None
    return row[0], row[1] or []


def query_tree(driver: Driver, query: Query, types: list[str]) -> Node:
    """The server's tree of a statement."""
    driver.execute(
        f"create function pg_temp.statement({', '.join(types)}) returns void"
        f" language sql begin atomic {query.statement}; end".encode(),
        prepare=False,
    )
    # never as a prepared statement: that would keep the number of the first function
    row = driver.execute(
        "select prosqlbody::text from pg_proc where oid = 'pg_temp.statement'::regproc",
        prepare=False,
    ).fetchone()
    driver.execute("drop function pg_temp.statement")
    assert row is not None
    tree: Node = parse(row[0])[0][0]
    return tree


@dataclass(frozen=True)
class Typed:
    """A query with what is known of its types."""

    query: Query
    parameters: dict[str, str]
    columns: dict[str, str]
    one_row: bool

    @classmethod
    def of(cls, driver: Driver, catalog: Catalog, query: Query) -> Typed:
        if query.operation == SQLOperationType.SCRIPT:
            return cls(query, {}, {}, False)
        parameter_types, column_types = prepare(driver, query)
        tree = query_tree(driver, query, parameter_types)
        types = dict(zip(query.parameters, parameter_types, strict=True))
        asked = {query.parameters[number - 1] for number in asked_about(tree)}
        null = _declared(query, asked) | asked
        known = Nulls(catalog, {n for n, name in enumerate(query.parameters, 1) if name in null})
        return cls(
            query,
            {name: _parameter(name, types[name], null) for name in query.declared},
            {
                entry["resname"]: _column(entry["resname"], type_, known.column(tree, number))
                for number, (entry, type_) in enumerate(
                    zip(outputs(tree), column_types, strict=True)
                )
            },
            query.always_a_row or always_one_row(tree),
        )

    @property
    def row(self) -> str:
        """The name of the type of its rows."""
        return _capitals(self.query.name.removesuffix("_row")) + "Row"

    @property
    def has_rows(self) -> bool:
        return self.query.operation in (SQLOperationType.SELECT, SQLOperationType.SELECT_ONE)

    def result(self) -> str:
        """What calling it returns."""
        none = "" if self.one_row else " | None"
        match self.query.operation:
            case SQLOperationType.SELECT:
                return f"Iterator[{self.row}]"
            case SQLOperationType.SELECT_ONE:
                return self.row + none
            case SQLOperationType.SELECT_VALUE:
                (column,) = self.columns.values()
                return column if column.endswith(" | None") else column + none
            case SQLOperationType.SCRIPT:
                return "str"
            case _:
                return "int"

    def rows(self) -> Iterator[str]:
        """The classes that its methods name."""
        if self.has_rows:
            yield _typed_dict(self.row, self.columns)
        if self.query.operation == SQLOperationType.INSERT_UPDATE_DELETE_MANY:
            yield _typed_dict(_capitals(self.query.name), self.parameters)

    def method(self) -> str:
        name, operation = self.query.name, self.query.operation
        if operation == SQLOperationType.INSERT_UPDATE_DELETE_MANY:
            return (
                f"    def {name}(self, driver: Driver, rows: Iterable[{_capitals(name)}], /)"
                " -> int: ..."
            )
        named = [f"{name}: {type_}" for name, type_ in self.parameters.items()]
        parameters = ", ".join(["self", "driver: Driver", "/", *(["*", *named] if named else [])])
        return f"    def {name}({parameters}) -> {self.result()}: ..."


def _declared(query: Query, asked: set[str]) -> frozenset[str]:
    """What is declared to be null, which has to say something."""
    names = {name.removesuffix("[]") for name in query.null}
    assert names <= set(query.parameters), f"{query.name}: no parameters {names}"
    assert not query.null & asked, f"{query.name}: {query.null & asked} need not be declared"
    return query.null


def _parameter(name: str, type_: str, null: frozenset[str]) -> str:
    if type_.endswith("[]"):
        holds_nulls = " | None" if f"{name}[]" in null else ""
        python = f"list[{_TYPES[type_.removesuffix('[]')]}{holds_nulls}]"
    else:
        python = "str" if type_ in ("json", "jsonb") else _TYPES[type_]
    return f"{python} | None" if name in null else python


def _column(name: str, type_: str, null: bool) -> str:
    if type_ in ("json", "jsonb"):
        python = _JSON[name]
    elif type_.endswith("[]"):
        python = f"list[{_TYPES[type_.removesuffix('[]')]}]"
    else:
        python = _TYPES[type_]
    return f"{python} | None" if null else python


def _capitals(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _typed_dict(name: str, fields: dict[str, str]) -> str:
    if any(keyword.iskeyword(field) for field in fields):
        inside = ", ".join(f'"{field}": {type_}' for field, type_ in fields.items())
        return f'{name} = TypedDict("{name}", {{{inside}}})\n'
    return f"class {name}(TypedDict):\n" + "".join(f"    {f}: {t}\n" for f, t in fields.items())


def module(driver: Driver) -> str:
    """The text of `clubsync/store/queries.pyi`.

    :param driver: of a migrated database, with the plan's tables.
    """
    catalog = Catalog(driver)
    typed = [Typed.of(driver, catalog, query) for query in every_query()]
    parts = [_HEAD, "Driver = Connection[Any]\n"]
    for query in typed:
        parts += query.rows()
    parts.append("class Queries(Protocol):\n")
    for file, inside in groupby(typed, key=lambda one: one.query.file.name):
        parts.append(f"    # {file}\n")
        parts += [f"{query.method()}\n" for query in inside]
    return _formatted("".join(parts))


def _formatted(code: str) -> str:
    command: list[Any] = [sys.executable, "-m", "ruff", "format", "--stdin-filename", MODULE, "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    return done.stdout
