"""Bytes of an export -> a Polars frame of strings: CSV and XLSX, accepted or rejected as a whole (R14).

What is rejected, and how:

- `FileBroken`: an empty file; a web page or anything else that is not a table; undecodable bytes; a row whose
  number of cells differs from the header's; a quote that is never closed; a truncated last row; a number of rows
  other than `FILE.rows` states.
- `ContractChanged`: a duplicate column name; a missing column that is needed.

A header without rows is a valid, empty file. Rows without any content are ignored. Messages identify rows by
number and columns by name and never quote a cell: the first line of a file without a header is a person's (R19).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import fastexcel
import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from connectors.sdk.errors import ContractChanged, FileBroken, SettingsWrong
from connectors.sdk.fields import INVISIBLE
from connectors.sdk.files.folder import Content

DELIMITERS = (";", ",", "\t", "|")

_ZIP = b"PK\x03\x04"
_XLS = b"\xd0\xcf\x11\xe0"
#: Rows turned into a frame at a time, so that a large file is never in memory as Python strings.
_CHUNK = 50_000
#: An XLSX that decompresses to more bytes than this is not a customer list.
_MAX_UNPACKED = 4 * 2**30


@dataclass(frozen=True)
class Table:
    """A parsed file.

    :param frame: one column per named column of the file, strings, stripped; blank is null.
    :param name: the file's, for messages.
    """

    frame: pl.DataFrame
    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own column names, in its own order."""
        return tuple(self.frame.columns)

    def need(self, columns: Iterable[str]) -> None:
        """Check that the columns exist.

        :raises ContractChanged: naming the missing ones, and the existing ones if they are certainly names.
        """
        wanted = list(dict.fromkeys(columns))
        missing = [c for c in wanted if c not in self.frame.columns]
        if not missing:
            return
        lacking = ", ".join(map(repr, missing))
        present = ", ".join(map(repr, self.columns))
        # If not one of the known names is there, the first line may be a person's (R19).
        raise ContractChanged(
            f"{self.name} has no column {lacking}. It has: {present}."
            if len(missing) < len(wanted)
            else f"{self.name} has no column {lacking}. "
            f"None of the configured columns were found (the file has {self.frame.width}).",
            remedy="Compare the export with the club's settings; if the ERP renamed its columns, "
            "update the settings. A wrong delimiter has the same effect.",
        )

    def get(self, column: str | None) -> pl.Series:
        """A column; all nulls if there is none of that name."""
        if column is not None and column in self.frame.columns:
            return self.frame[column]
        return pl.Series(column or "", [None] * self.frame.height, dtype=pl.String)


def parse(
    content: Content, *, delimiter: str | None = None, encoding: str | None = None, sheet: int = 0
) -> Table:
    """A file as read from the drop -> its table; CSV or Excel, by its content, not by its name.

    :param delimiter: of a CSV; None: the one of `DELIMITERS` that splits the header into the most cells.
    :param encoding: of a CSV; None: UTF-8 (with or without BOM), UTF-16 with BOM, else cp1252.
    :param sheet: of a workbook, from 0.
    :raises FileBroken, ContractChanged: see the module.
    """
    name, data = content.name, content.data
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise FileBroken(f"{name} is empty: it lacks even a header.")
    if data.startswith((_ZIP, _XLS)):
        frame = _excel(data, name, sheet)
    elif name.lower().endswith((".xlsx", ".xls")):
        raise FileBroken(f"{name} is not an Excel file.")
    else:
        frame = _csv(_decoded(data, name, encoding), name, delimiter)
    if content.rows is not None and content.rows != frame.height:
        raise FileBroken(
            f"{name} has {frame.height} rows, but {name}.rows says {content.rows}: the file is truncated, "
            "or the two files are of different exports."
        )
    return Table(frame, name)


# CSV -------------------------------------------------------------------------------------------


def _decoded(data: bytes, name: str, encoding: str | None) -> str:
    if encoding is not None:
        known = encoding.lower().replace("_", "-")
        # A BOM may be present whatever the encoding says.
        codec = "utf-8-sig" if known in ("utf-8", "utf8", "utf-8-sig") else encoding
        try:
            return data.decode(codec)
        except LookupError as e:
            raise SettingsWrong(f"The encoding {encoding!r} does not exist.") from e
        except UnicodeDecodeError as e:
            raise FileBroken(f"{name} is not {encoding}: byte {e.start} is invalid.") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    else:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            # An incomplete character at the end of the file: not cp1252, but truncated.
            if "unexpected end" in e.reason and e.end >= len(data):
                raise FileBroken(f"{name} is truncated in the middle of a character.") from None
            # What was valid UTF-8 beyond ASCII so far does not become cp1252 halfway.
            if not data[: e.start].isascii():
                raise FileBroken(f"{name} is not valid UTF-8 from byte {e.start}.") from None
        codec = "cp1252"
    try:
        return data.decode(codec)
    except UnicodeDecodeError as e:
        raise FileBroken(
            f"{name} is neither UTF-8 nor {codec}: byte {e.start} is invalid in both."
        ) from None


def _csv(text_: str, name: str, delimiter: str | None) -> pl.DataFrame:
    if "\0" in text_:
        raise FileBroken(f"{name} contains binary data, not a table.")
    if any(c in text_ for c in INVISIBLE):
        text_ = text_.translate(dict.fromkeys(map(ord, INVISIBLE)))
    start = text_.lstrip()[:1]
    if start == "<":
        raise FileBroken(f"{name} contains a web page or XML, not a table.")
    if start in ("{", "[", "%"):
        raise FileBroken(f"{name} contains JSON or a document, not a table.")
    # A file for Excel may start with "sep=;".
    if said := re.match(r'\s*"?sep=(.)"?[ \t]*(?:\r?\n|$)', text_):
        delimiter = delimiter or said[1]
        text_ = text_[said.end() :]
        if not text_.strip():
            raise FileBroken(f"{name} is empty: it lacks even a header.")
    header_line = next(line for line in io.StringIO(text_) if line.strip())
    delimiter = delimiter or _delimiter(header_line)
    if len(delimiter) != 1:
        raise SettingsWrong(f"The delimiter has to be one character; it is {delimiter!r}.")
    cells = _fast(text_, delimiter)
    # The reader of the standard library is slower, but says what is wrong and where.
    return (
        _with_header(cells, name) if cells is not None else pl.concat(_read(text_, name, delimiter))
    )


def _delimiter(header: str) -> str:
    """The delimiter that splits the header into the most cells; in a tie, the first in `DELIMITERS`."""
    counts = [len(next(csv.reader([header], delimiter=d))) for d in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _fast(text_: str, delimiter: str) -> pl.DataFrame | None:
    """The file by Arrow's reader, the header among the rows; None: there is any doubt.

    Arrow rejects rows of another width, which Polars would silently fill. What it does not notice: a quote that
    is never closed, which leaves an odd number of quotes; and two stray quotes that swallow everything between
    them, which leaves a cell with a line end or a delimiter in it. Such a cell may be right: the strict reader
    decides.
    """
    if text_.count('"') % 2 or text_.count("\r") != text_.count("\r\n"):
        return None
    width = len(next(row for row in csv.reader(io.StringIO(text_), delimiter=delimiter) if row))
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text_.encode()),
            read_options=arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=2**24),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types={f"f{i}": pa.string() for i in range(width)}
            ),
        )
    except pa.ArrowInvalid:
        return None
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    swallowed = pl.any_horizontal(pl.all().str.contains_any([delimiter, "\n"]).any())
    return None if frame.select(swallowed).item() else frame


def _read(text_: str, name: str, delimiter: str) -> Iterator[pl.DataFrame]:
    """A file with quotes, by the standard library's strict reader."""
    rows = csv.reader(io.StringIO(text_, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    count = 0
    try:
        while chunk := list(islice(rows, _CHUNK)):
            chunk = [row for row in chunk if any(map(str.strip, row))]
            if header is None and chunk:
                header, *chunk = chunk
                yield _named([[] for _ in header], header, name)
            if not chunk or header is None:
                continue
            width = len(header)
            for at, row in enumerate(chunk):
                if len(row) != width:
                    if len(row) > width and not any(map(str.strip, row[width:])):
                        chunk[at] = row[:width]
                        continue
                    last = at == len(chunk) - 1 and next(rows, None) is None
                    _ragged(name, count + at + 2, len(row), width, last)
            count += len(chunk)
            yield _named(zip(*chunk, strict=True), header, name)
    except csv.Error as e:
        if "unexpected end" in str(e):
            raise FileBroken(
                f"{name} is truncated: its last row ends inside a quoted cell."
            ) from None
        raise FileBroken(f"{name} cannot be parsed near line {rows.line_num}: {e}.") from None


def _ragged(name: str, row: int, cells: int, width: int, last: bool) -> None:
    if last and cells < width:
        raise FileBroken(
            f"{name} is truncated: its last row has {cells} cells, the header {width}."
        )
    raise FileBroken(f"Row {row} of {name} has {cells} cells, the header has {width}.")


# Excel -----------------------------------------------------------------------------------------


def _excel(data: bytes, name: str, sheet: int) -> pl.DataFrame:
    try:
        if data.startswith(_ZIP):
            unpacked = sum(i.file_size for i in zipfile.ZipFile(io.BytesIO(data)).infolist())
            if unpacked > _MAX_UNPACKED:
                raise FileBroken(
                    f"{name} decompresses to {unpacked // 2**20} MB, which is too much."
                )
        book = fastexcel.read_excel(data)
        if sheet >= len(book.sheet_names):
            raise ContractChanged(
                f"{name} has {len(book.sheet_names)} sheets; the settings ask for sheet {sheet}."
            )
        cells = book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()
    except (zipfile.BadZipFile, fastexcel.FastExcelError) as e:
        raise FileBroken(f"{name} is not a valid Excel file.") from e
    return _with_header(cells, name)


# Both ------------------------------------------------------------------------------------------


def _with_header(cells: pl.DataFrame, name: str) -> pl.DataFrame:
    """All cells of a file -> a frame; the first row with any content is the header."""
    if cells.width:
        cells = cells.filter(pl.any_horizontal(pl.all().str.strip_chars().fill_null("") != ""))
    if not cells.height:
        raise FileBroken(f"{name} is empty: it lacks even a header.")
    header = [cell or "" for cell in cells.row(0)]
    return _named(cells[1:].get_columns(), header, name)


def _named(
    columns: Iterable[pl.Series | Sequence[str]], header: Sequence[str], name: str
) -> pl.DataFrame:
    """Cells by column, and the header -> a frame; columns without a name are dropped."""
    names = [unicodedata.normalize("NFC", h).strip() for h in header]
    named = [n for n in names if n]
    for at, n in enumerate(names):
        if n and n in names[:at]:
            # By their positions: the first line of a file without a header is a person's (R19).
            raise ContractChanged(
                f"{name} has a duplicate column name: columns {names.index(n) + 1} and {at + 1}.",
                remedy="Ask for an export in which every column has a unique name.",
            )
    if not named:
        raise FileBroken(f"{name} has no header.")
    series = [
        pl.Series(n, cells, dtype=pl.String) for n, cells in zip(names, columns, strict=False) if n
    ]
    return (
        pl.DataFrame(series)
        .select(pl.all().str.strip_chars())
        .select(pl.when(pl.all() != "").then(pl.all()))
    )
