"""A workbook (XLSX, XLS, ODS) -> the cells of one of its sheets, as strings."""

from __future__ import annotations

import fastexcel
import polars as pl

from connectors.sdk.errors import ContractChanged, FileBroken
from connectors.sdk.words import word

XLS = b"\xd0\xcf\x11\xe0"


def cells(data: bytes, name: str, sheet: int | str) -> pl.DataFrame:
    """All cells of a sheet, row by row from its first one.

    :param sheet: its number, from 0, or its name.
    :raises FileBroken: it is not a workbook.
    :raises ContractChanged: it has no such sheet.
    """
    try:
        book = fastexcel.read_excel(data)
        at = _place(book.sheet_names, sheet, name)
        return book.load_sheet(at, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except fastexcel.FastExcelError as e:
        raise FileBroken(f"{name} is not a valid Excel file.") from e


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
