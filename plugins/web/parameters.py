"""Parameters of requests, and forms of answers, that the API and the pages have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
RequiredText = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]
Code = Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Z_]*$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
LARGEST_ID = 2**62
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Language = Annotated[Literal["en", "fr"], Query(description="of sentences")]


def _unset(value: Any) -> Any:
    """The empty field of a form filters nothing."""
    return (value.strip() or None) if isinstance(value, str) else value


Unset = BeforeValidator(_unset)


class Paged(BaseModel):
    """A list, a page at a time.

    :param page: from 1.
    """

    page: int = Field(default=1, ge=1, le=100_000)


class Sentences(Paged):
    """A list with sentences, a page at a time."""

    language: Annotated[Literal["en", "fr"], Field(description="of sentences")] = "en"


def csv_response(name: str, content: bytes) -> Response:
    """A CSV file to download."""
    return _download(name, content, "text/csv; charset=utf-8")


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx_response(name: str, content: bytes) -> Response:
    """A workbook to download."""
    return _download(name, content, XLSX)


def _download(name: str, content: bytes, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def pages_of(total: int, size: int) -> int:
    """How many pages a list has; an empty one has one."""
    return max(1, -(-total // size))
