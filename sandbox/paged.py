"""Shared by the simulated APIs with paged lists: applying faults, and cutting a page out of a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.responses import JSONResponse, Response

from sandbox.faults import Faults, answer, truncated

T = TypeVar("T")


async def answered(
    faults: Faults, club: str, page: int, render: Callable[[str | None], object]
) -> Response:
    """The response to a request for a page of customers, with the active fault applied.

    :param page: its number, from 1.
    :param render: given the kind of fault or None, the page's JSON document, or a complete response.
    """
    fault = faults.take(club, page)
    if fault is not None and (instead := await answer(fault)) is not None:
        return instead
    body = render(fault.kind if fault else None)
    response = body if isinstance(body, Response) else JSONResponse(body)
    if fault is not None and fault.kind == "truncated":
        return truncated(bytes(response.body))
    return response


def total(rows: Sequence[object], fault: str | None) -> int:
    """The number of rows that the API states, which a fault may falsify."""
    if fault == "empty":
        return 0
    return len(rows) + (fault == "total-wrong")


def listed(rows: Sequence[T], start: int, limit: int, fault: str | None) -> tuple[list[T], bool]:
    """The page that starts at row `start`, altered by the fault if any, and whether more pages follow."""
    if fault == "empty":
        return [], False
    if fault == "half":
        rows = rows[: len(rows) // 2]
    rest = list(rows[start:])
    if fault == "page-repeated":
        rest = [*rows[max(0, start - limit) : start], *rest]
    if fault == "row-moved":
        rest = [*rows[max(0, start - 1) : start], *rest]
    return rest[:limit], len(rest) > limit


def cursor_of(page: int, after: tuple[str, str]) -> str:
    """A cursor with the page's number and the key of the last row before it."""
    return base64.urlsafe_b64encode(json.dumps([page, *after]).encode()).decode()


def read_cursor(cursor: str | None) -> tuple[int, tuple[str, str] | None]:
    """(page number, key of the last row before it); None: the first page.

    :raises ValueError: the cursor was not made by `cursor_of`.
    """
    if cursor is None:
        return 1, None
    try:
        page, first, second = json.loads(base64.urlsafe_b64decode(cursor))
        return int(page), (str(first), str(second))
    except (UnicodeDecodeError, TypeError) as error:
        raise ValueError("bad cursor") from error
