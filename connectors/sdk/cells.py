"""What a value is that an ERP, a spreadsheet or a database wrote in place of one (R3).

- **blank**: a word that programs write for "no value" (`NULL`, `N/A`, `\\N`, a dash): there is none.
- **unreadable**: a value that is there and cannot be read: an error of a spreadsheet in whatever language
  (`#VALUE!`, `#NV`, `#NOM?`, `Err:502`), a cell too narrow for its number (`########`), and in a phone or an id a
  number that lost its digits (`1,23E+12`). What it stands for is unknown, so it changes nothing, and a finding
  names the field.

All connectors pass here: text by `connectors.sdk.model.customers_frame`, dates by `connectors.sdk.dates`, and the
cells of a column that a connector reads by itself (a status, a list of groups) by `blank` and `unreadable`.
"""

from __future__ import annotations

import re

import polars as pl

#: Words for "no value", as programs write them: other spellings (Null, Nan) are people's names.
BLANK = (
    *("NULL", "null", "(NULL)", "(null)", "<null>", "[null]", "\\N", "nil"),
    *("N/A", "n/a", "NaN", "nan", "None", "undefined"),
    *("-", "--", "---", "\u2013", "\u2014"),
)

#: A formula without a stored value: what the reader of a workbook puts into such a cell.
NO_RESULT = "#NO_RESULT!"

#: In an answer of an API, where there should be a text: an object or a list, or a record without the key.
NOT_TEXT, NO_KEY = "#NOT_TEXT!", "#NO_KEY!"

#: In place of a text that is longer than any of its kind, and of more groups than anybody is in.
TOO_LONG, TOO_MANY = "#TOO_LONG!", "#TOO_MANY!"

#: Errors of Excel, Google Sheets, LibreOffice and Numbers: a word in capitals between # and ! or ?, in whatever
#: language; the few that end with neither; and a column that is too narrow.
ERROR = (
    r"^(?:#[\u00a1\u00bf]?[\p{Lu}_]+(?:/0)?[!?]"
    r"|#DIV/0|#DIVISION/0[!]?"
    r"|#(?:N/[A-Z]|NV|N/DISP\.?|I/T|GETTING_DATA|NEN\u00cd_K_DISPOZICI|HI\u00c1NYZIK|YOK|\u041d/\u0414|ERROR)"
    r"|#{3,}"
    r"|Err:\d{3})$"
)
#: A number that lost its digits to the format of its cell: 1,23E+12.
ROUNDED = r"^[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,3}$"

_ERROR = re.compile(
    ERROR.replace(r"\p{Lu}", "A-Z\u00c0-\u00de\u0104-\u017d\u0391-\u03a9\u0410-\u042f")
)

#: The longest word of a value that a finding shows.
_SHOWN = 40


def blank(column: pl.Expr) -> pl.Expr:
    """Whether text, stripped, stands for no value."""
    return column.is_in(BLANK)


def unreadable(column: pl.Expr, *, number: bool = False) -> pl.Expr:
    """Whether text, stripped, stands for a value that cannot be read.

    :param number: of ids and phones: a rounded number is one, too.
    """
    starts = column.str.starts_with("#") | column.str.starts_with("Err:")
    error = starts & column.str.contains(ERROR)
    return error | column.str.contains(ROUNDED) if number else error


def is_unreadable(value: str) -> bool:
    """`unreadable` of one text."""
    return _ERROR.fullmatch(value.strip()) is not None


def shown(value: str) -> str:
    """A value that cannot be read, as a finding shows it."""
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "\u2026"


def valued(cells: pl.Series) -> pl.Series:
    """Cells of a table without those that stand for no value: blank ones become null."""
    cell = pl.col("cell").str.strip_chars()
    return (
        cells.cast(pl.String)
        .to_frame("cell")
        .select(pl.when((cell != "") & ~blank(cell)).then(cell).alias(cells.name))
        .to_series()
    )


def is_in_place_of_an_id(ids: pl.Series) -> pl.Series:
    """Which ids are none: words for "no value", and what cannot be read."""
    one = pl.col("id").str.strip_chars()
    none = blank(one) | unreadable(one, number=True)
    return ids.cast(pl.String).to_frame("id").select(none.fill_null(value=False)).to_series()
