"""Faults of exported files, one function each, for tests and the demo.

Each changes the file in place, as another program would, and leaves its `.rows` file unchanged.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from openpyxl import Workbook, load_workbook

from sandbox import files

Row = tuple[object, ...]

_PAGE = b"""<!DOCTYPE html>
<html><head><title>503 Service Unavailable</title></head>
<body><h1>The export service is not available</h1></body></html>
"""


def cut(path: Path, *, keep: float = 0.6) -> None:
    """An interrupted upload: only the first part of the bytes, cut in the middle of a row."""
    data = path.read_bytes()
    end = int(len(data) * keep)
    # Never at the end of a line: only the .rows file can reveal that (see `cut_between_rows`).
    while end > 1 and data[end - 1 : end] in (b"\n", b"\r"):
        end -= 1
    _replace(path, data[:end])


def cut_between_rows(path: Path, *, keep: float = 0.6) -> None:
    """An upload interrupted exactly between two rows: nothing in the file itself reveals it."""
    if _excel(path):
        _rewrite(path, lambda rows: rows[: max(1, int(len(rows) * keep))])
        return
    lines = path.read_bytes().splitlines(keepends=True)
    _replace(path, b"".join(lines[: max(1, int(len(lines) * keep))]))


def html(path: Path) -> None:
    """The export server responded with an error page, which was saved as the export."""
    _replace(path, _PAGE)


def wrong_columns(path: Path) -> None:
    """The ERP renamed all its columns."""
    if _excel(path):
        _rewrite(path, lambda rows: [_renamed(rows[0]), *rows[1:]])
        return
    head, _, rest = path.read_bytes().partition(b"\n")
    for delimiter in (b";", b",", b"\t"):
        if delimiter in head:
            renamed = delimiter.join(
                b"Column %d" % n for n, _ in enumerate(head.strip().split(delimiter), 1)
            )
            break
    else:
        renamed = b"Column 1"
    _replace(path, renamed + b"\n" + rest)


def no_rows(path: Path) -> None:
    """A header without rows, as in an export of nothing."""
    if _excel(path):
        _rewrite(path, lambda rows: rows[:1])
        return
    _replace(path, path.read_bytes().splitlines(keepends=True)[0])


def empty(path: Path) -> None:
    """An empty file, without even a header."""
    _replace(path, b"")


def missing(path: Path) -> None:
    """The file does not exist."""
    path.unlink(missing_ok=True)


def recode(path: Path, encoding: str) -> None:
    """The same text in another encoding: `cp1252`, `utf-8-sig` (with BOM), `utf-8`, `utf-16`."""
    data = path.read_bytes()
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        words = data.decode("cp1252")
    _replace(path, words.encode(encoding, "replace"))


def wrong_rows(path: Path, rows: int) -> None:
    """`FILE.rows` states a number of rows that the file does not have."""
    _replace(path.with_name(path.name + ".rows"), f"{rows}\n".encode())


def _renamed(header: Row) -> Row:
    return tuple(f"Column {n}" for n, _ in enumerate(header, 1))


def _excel(path: Path) -> bool:
    return path.suffix == ".xlsx"


def _rewrite(path: Path, change: Callable[[list[Row]], list[Row]]) -> None:
    """The workbook with other rows; without its identifier, which would say that nothing was changed."""
    rows: list[Row] = [
        tuple(row) for row in load_workbook(path).worksheets[0].iter_rows(values_only=True)
    ]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Export")
    for row in change(rows):
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    _replace(path, out.getvalue())


def _replace(path: Path, data: bytes) -> None:
    files.put(path, data)
