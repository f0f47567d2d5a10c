"""Statements that are sent at once and answered at once, in psycopg's pipeline mode.

What a statement costs is mostly the way there and back; a small load has twenty of them. None of them sees an answer of
another one of its round trip; each sees what those before it have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

import psycopg
from aiosql.types import SQLOperationType
from psycopg.rows import dict_row, scalar_row

from clubsync.store.statements import Driver, queries

P = ParamSpec("P")
R = TypeVar("R")
_NOT_SENT = object()


class Answer(Generic[R]):
    """What a query will have returned once it was sent."""

    def __init__(self) -> None:
        self._value: object = _NOT_SENT

    @classmethod
    def of(cls, value: R) -> Answer[R]:
        """An answer that is known without asking."""
        answer = cls()
        answer._value = value
        return answer

    @property
    def value(self) -> R:
        """What calling the query would have returned.

        :raises LookupError: it was not sent yet.
        """
        if self._value is _NOT_SENT:
            raise LookupError("The statement was not sent yet.")
        return cast(R, self._value)


@dataclass(frozen=True)
class _Asked:
    statement: str
    parameters: dict[str, Any]
    answer: Answer[Any]
    take: Callable[[psycopg.Cursor[Any]], object]
    binary: bool = False


class RoundTrip:
    """Statements for the database; sent by `send`, in the order in which they were added.

    :param driver: inside a transaction. Where a statement fails, `send` raises its error, and the transaction can only
        be rolled back.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._asked: list[_Asked] = []

    def add(
        self,
        query: Callable[Concatenate[Driver, P], R],
        *_: P.args,
        **parameters: P.kwargs,
    ) -> Answer[R]:
        """Add a query of `queries()`.

        :returns: what it returns, once it was sent.
        """
        statement: str = getattr(queries(), query.__name__).sql
        operation: SQLOperationType = getattr(queries(), query.__name__).operation
        answer = Answer[R]()
        self._asked.append(_Asked(statement, dict(parameters), answer, _TAKEN[operation]))
        return answer

    def add_bytes(
        self,
        query: Callable[Concatenate[Driver, P], Iterator[object]],
        *_: P.args,
        **parameters: P.kwargs,
    ) -> Answer[list[bytes]]:
        """The same of a query whose one column is bytes; they come as they are (`database.fetch_bytes`)."""
        statement: str = getattr(queries(), query.__name__).sql
        answer = Answer[list[bytes]]()
        self._asked.append(_Asked(statement, dict(parameters), answer, _values, binary=True))
        return answer

    def send(self) -> None:
        """Send the statements that were added since, and take their answers."""
        asked, self._asked = self._asked, []
        if not asked:
            return
        cursors = []
        with self._driver.pipeline():
            for one in asked:
                cursor = self._driver.cursor(
                    binary=one.binary, row_factory=scalar_row if one.binary else dict_row
                )
                cursor.execute(cast(psycopg.sql.SQL, one.statement), one.parameters)
                cursors.append(cursor)
        for one, cursor in zip(asked, cursors, strict=True):
            one.answer._value = one.take(cursor)  # an answer is given here only


def _values(cursor: psycopg.Cursor[Any]) -> list[bytes]:
    return cursor.fetchall()


def _rows(cursor: psycopg.Cursor[Any]) -> Iterator[object]:
    return iter(cursor.fetchall())


def _row(cursor: psycopg.Cursor[Any]) -> object:
    return cursor.fetchone()


def _first_value(cursor: psycopg.Cursor[Any]) -> object:
    row = cursor.fetchone()
    return None if row is None else next(iter(row.values()))


def _row_count(cursor: psycopg.Cursor[Any]) -> object:
    return cursor.rowcount


#: By what a query is, as its name says.
_TAKEN: dict[SQLOperationType, Callable[[psycopg.Cursor[Any]], object]] = {
    SQLOperationType.SELECT: _rows,
    SQLOperationType.SELECT_ONE: _row,
    SQLOperationType.SELECT_VALUE: _first_value,
    SQLOperationType.INSERT_UPDATE_DELETE: _row_count,
}
