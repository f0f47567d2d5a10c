"""A workbook (XLSX, XLS, ODS) -> the cells of one of its sheets, as strings.

A cell that has an error holds the error's word (`#N/A`), and one whose formula has no stored result, as programs
write it that do not calculate, `cells.NO_RESULT`: both are there and cannot be read (R3), and neither is blank.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any
from xml.etree import ElementTree

import fastexcel
import polars as pl

from connectors.sdk.cells import NO_RESULT
from connectors.sdk.errors import ConnectorError, ContractChanged, FileBroken
from connectors.sdk.files import archives
from connectors.sdk.files.limits import FileLimits
from connectors.sdk.words import word

XLS = b"\xd0\xcf\x11\xe0"
#: The library's names of errors -> Excel's.
_ERRORS = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
    "GettingData": "#GETTING_DATA",
}
_WORKBOOK = "xl/workbook.xml"
#: Types of a cell whose stored result may be an empty text.
_TEXTS = ("str", "s", "inlineStr")

#: A cell's place, and how much of a sheet is searched in one go.
_CELL = re.compile(
    rb"""<(?:[A-Za-z]{1,20}:)?c\s[^<>]{0,200}?\br=["']([A-Za-z]{1,3})([0-9]{1,7})["']"""
)
_PART, _LONGEST_CELL = 2**20, 300

#: A cell by its row and column, from 0, and what stands in it.
Placed = tuple[int, int, str]


def cells(data: bytes, name: str, sheet: int | str, limits: FileLimits) -> pl.DataFrame:
    """All cells of a sheet, row by row from its first one.

    It runs in a process of its own (`confined`): the library ends its process where a sheet is too large for it.

    :param sheet: its number, from 0, or its name.
    :raises FileBroken: it is not a workbook.
    :raises ContractChanged: it has no such sheet.
    :raises LimitExceeded: the sheet is too large.
    """
    try:
        if data.startswith(archives.ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as parts:
                archives.check_size(parts, len(data), name, limits)
        book = fastexcel.read_excel(data)
        at = _place(book.sheet_names, sheet, name)
        _check_sheet(data, book.sheet_names[at], name, limits)
        loaded = book.load_sheet(at, header_row=None, skip_rows=0, dtypes="string")
        batch, odd = loaded.to_arrow_with_errors()
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        limits.check_shape(name, frame.height, frame.width)
        found = [(*e.offset_position, _error(e.detail)) for e in (odd.errors if odd else ())]
        return _placed(frame, [*found, *_without_result(data, book.sheet_names[at])])
    except (ConnectorError, MemoryError):
        raise
    except Exception as e:
        # whatever a library makes of a damaged file, it is a damaged file
        raise FileBroken(f"{name} is not a valid Excel file.") from e


def _check_sheet(data: bytes, sheet: str, name: str, limits: FileLimits) -> None:
    """Check how large the sheet of an XLSX is, by the places of its cells, before the library makes room for it.

    :raises LimitExceeded: it is too large.
    """
    if not data.startswith(archives.ZIP):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        path = _part_of(parts, sheet)
        if path is None:
            return
        rows = columns = 0
        with parts.open(path) as xml:
            for row, column in _places(xml):
                rows, columns = max(rows, row), max(columns, column)
    limits.check_shape(name, rows, columns)


def _places(xml: IO[bytes]) -> Iterator[tuple[int, int]]:
    """The places that a sheet's cells say that they have: row and column, from 1."""
    rest = b""
    while part := xml.read(_PART):
        part = rest + part
        for match in _CELL.finditer(part):
            yield int(match[2]), _column(match[1].decode()) + 1
        rest = part[-_LONGEST_CELL:]


def _error(detail: str) -> str:
    """An error's word, of the library's "Expected string but got 'Error(NA)'"."""
    kind = detail.rpartition("Error(")[2].partition(")")[0]
    return _ERRORS.get(kind, "#ERROR!")


def _placed(frame: pl.DataFrame, values: Iterable[Placed]) -> pl.DataFrame:
    """A frame with these cells set; rows that it does not have yet are added to its end."""
    by_column: dict[int, list[tuple[int, str]]] = {}
    for row, column, value in values:
        if column < frame.width:
            by_column.setdefault(column, []).append((row, value))
    if not by_column:
        return frame
    height = max(frame.height, *(row + 1 for rows in by_column.values() for row, _ in rows))
    columns = frame.get_columns()
    if height > frame.height:
        blank = pl.Series([None] * (height - frame.height), dtype=pl.String)
        columns = [c.cast(pl.String).extend(blank) for c in columns]
    for at, rows in by_column.items():
        columns[at] = columns[at].cast(pl.String).scatter(*map(list, zip(*rows, strict=True)))
    return pl.DataFrame(columns)


def _without_result(data: bytes, sheet: str) -> list[Placed]:
    """The cells of a sheet of an XLSX whose formula has no stored result; the library has them as blank."""
    if not data.startswith(b"PK"):
        return []
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        path = _part_of(parts, sheet)
        xml = parts.read(path) if path is not None else b""
    if b"<f" not in xml and b":f" not in xml:
        return []
    stored: list[int] = []
    found: list[tuple[int, int]] = []
    for row, column, cell in _cells(xml):
        if _lacks_result(cell):
            found.append((row, column))
        elif len(cell):
            stored.append(column)
    # the library leaves out the columns before the first one with a value
    first = min(stored, default=0)
    return [(row, column - first, NO_RESULT) for row, column in found if column >= first]


def _part_of(parts: zipfile.ZipFile, sheet: str) -> str | None:
    """Where the sheet of that name is; None: it is no XLSX."""
    names = set(parts.namelist())
    links = "xl/_rels/workbook.xml.rels"
    if not {_WORKBOOK, links} <= names:
        return None
    link = next(
        (
            value
            for element in ElementTree.fromstring(parts.read(_WORKBOOK)).iter()  # noqa: S314  # expat limits expansion
            if _name(element) == "sheet" and element.get("name") == sheet
            for key, value in element.attrib.items()
            if key.endswith("}id")
        ),
        None,
    )
    target = next(
        (
            element.get("Target", "")
            for element in ElementTree.fromstring(parts.read(links)).iter()  # noqa: S314  # as above
            if element.get("Id") == link
        ),
        "",
    )
    path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    return path if path in names else None


def _cells(xml: bytes) -> Iterator[tuple[int, int, Any]]:
    """The cells of a sheet: row and column, from 0, and the element. A cell or row may leave its place out."""
    row, column = -1, -1
    for event, element in ElementTree.iterparse(io.BytesIO(xml), ("start", "end")):  # noqa: S314  # as above
        name = _name(element)
        if event == "start" and name == "row":
            row, column = int(element.get("r") or row + 2) - 1, -1
        elif event == "end" and name == "c":
            place = element.get("r")
            column = _column(place) if place else column + 1
            yield row, column, element
        elif event == "end" and name == "row":
            element.clear()


def _lacks_result(cell: Any) -> bool:
    """Whether a cell has a formula and no stored result; an empty text is one."""
    inside = {_name(child): child for child in cell}
    if "f" not in inside:
        return False
    value = inside.get("v")
    return value is None or (not value.text and cell.get("t") not in _TEXTS)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _column(place: str) -> int:
    """`AB12` -> 27."""
    at = 0
    for letter in place.rstrip("0123456789"):
        at = at * 26 + ord(letter.upper()) - 64
    return at - 1


def _place(names: list[str], sheet: int | str, name: str) -> int:
    """The number of a sheet."""
    wanted = [n for n, have in enumerate(names) if word(have) == word(str(sheet))]
    if isinstance(sheet, str) and len(wanted) == 1:
        return wanted[0]
    if isinstance(sheet, int) and sheet < len(names):
        return sheet
    have = ", ".join(map(repr, names))
    raise ContractChanged(
        f"{name} has no sheet {sheet!r}. It has: {have}.",
        remedy="Set `sheet` in the club's settings to the name of a sheet, or to its number, from 0.",
    )
