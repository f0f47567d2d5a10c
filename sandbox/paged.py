"""What the simulated APIs that answer in pages have in common: faults, and one page of a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.responses import JSONResponse, Response

from sandbox.faults import Faults, answer, truncated

T = TypeVar("T")


async def answered(
    faults: Faults, club: str, page: int, say: Callable[[str | None], Any | Response]
) -> Response:
    """A page of customers, or what a fault makes of it.

    :param say: given the kind of fault, the page's JSON, or a response of another sort.
    """
    fault = faults.take(club, page)
    if fault is not None and (instead := await answer(fault)) is not None:
        return instead
    said = say(fault.kind if fault else None)
    response = said if isinstance(said, Response) else JSONResponse(said)
    if fault is not None and fault.kind == "truncated":
        return truncated(bytes(response.body))
    return response


def total(rows: Sequence[Any], fault: str | None) -> int:
    """How many there are, as a fault may have it."""
    if fault == "empty":
        return 0
    return len(rows) + (fault == "total-wrong")


def listed(rows: Sequence[T], start: int, limit: int, fault: str | None) -> tuple[list[T], bool]:
    """The page that begins at that row, as a fault may have it, and whether others follow it."""
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
    """A cursor that holds the page's number and the last row before it."""
    return base64.urlsafe_b64encode(json.dumps([page, *after]).encode()).decode()


def read_cursor(cursor: str | None) -> tuple[int, tuple[str, str] | None]:
    """(page number, the last row before it).

    :raises ValueError: it is none of ours.
    """
    if cursor is None:
        return 1, None
    try:
        page, first, second = json.loads(base64.urlsafe_b64decode(cursor))
        return int(page), (str(first), str(second))
    except (UnicodeDecodeError, TypeError) as error:
        raise ValueError("bad cursor") from error
