"""The bytes of an export -> a Polars frame of strings: CSV and Excel, accepted or rejected as a whole (R14).

What is rejected, and how:

- `FileBroken`: an empty file; a web page or anything else that is not a table; undecodable or garbled text
  (`encodings`); a row whose number of cells differs from the header's; a quote that is never closed; a truncated
  last row; a number of rows other than `FILE.rows` states.
- `ContractChanged`: a column that is needed is missing, is there twice, or has its name in another row than the first.

A header without rows is a valid, empty file. Rows without any content are ignored. Messages identify rows by
number and columns by name and never quote a cell: the first line of a file without a header is a person's (R19).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from connectors.sdk.cells import TOO_LONG
from connectors.sdk.errors import ContractChanged, FileBroken, LimitExceeded, SettingsWrong
from connectors.sdk.fields import INVISIBLE
from connectors.sdk.files import confined, encodings
from connectors.sdk.files.folder import Content
from connectors.sdk.files.limits import MAX_COLUMNS, FileLimits
from connectors.sdk.messages import message
from connectors.sdk.words import word

DELIMITERS = (";", ",", "\t", "|")

_DOS_END = "\x1a"
#: Rows turned into a frame at a time, so that a large file is never in memory as Python strings.
_CHUNK = 50_000
#: Rows at the top in which column names are looked for, to say where they are.
_TOP = 40
#: Cells that the rows of a table may lack together, where an export drops blank ones.
_MOST_LACKING = 5_000_000
#: Columns that a message lists.
_TOLD = 100
#: Bytes of a cell that is used: a list of groups at most, or a remark in place of one.
_LONGEST_CELL = 10_000
#: Rows below a table, after a blank one, that may be notes.
_NOTES = 10


_USUAL = FileLimits()


@dataclass(frozen=True)
class Layout:
    """How to read a file: what the settings say of it.

    :param delimiter: of a CSV; None: the one of `DELIMITERS` that splits the header into the most cells.
    :param encoding: of a CSV; None: it is recognised (`encodings`).
    :param sheet: of a workbook: its number, from 0, or its name.
    :param header_row: the row that holds the column names, from 1, as a spreadsheet numbers it; None: the first row
        with any content.
    :param columns: the column names that the settings use.
    :param named: those of them whose setting messages name -> the setting.
    :param decisive: those of them that a row may not lack, even if the export drops blank cells at the end of a
        row; None: no row may lack any cell.
    :param limits: of size.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: int | str = 0
    header_row: int | None = None
    columns: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    decisive: tuple[str, ...] | None = None
    limits: FileLimits = _USUAL


#: What no column is called, but what a person's cell may hold: an address, a phone number, a date.
_PERSONAL = re.compile(r"@|\d\D?\d\D?\d\D?\d")


def _shown(column: str) -> str:
    """A column's name for messages; "…" if it looks like a cell of a person's (R19)."""
    return "…" if _PERSONAL.search(column) else repr(column)


_CORRECT_QUOTES = message(
    "Ask for an export that puts cells with a line end, a quote or a delimiter in quotes, and closes each of them; set "
    "`delimiter` or `encoding` in the club's settings if they are not recognised. Until then its customers stay as "
    "they are."
)


@dataclass(frozen=True)
class Table:
    """A parsed file.

    :param frame: one column per named column of the file, strings, stripped; blank is null. Of a name that is there
        several times, the first column.
    :param name: the file's, for messages.
    :param numbers: the row of the file that each row of the frame is, from 1, as a spreadsheet numbers them.
    :param line_end: whether the text ends with a line end; None: no text.
    :param notes: how many rows below the table, too short for it, are none of it.
    :param repeated: column names that are there several times, and where: columns from 1.
    :param remarks: sentences about what was read although it is odd.
    :param named: see `Layout`.
    """

    frame: pl.DataFrame
    name: str
    numbers: pl.Series = field(default_factory=lambda: pl.Series("row", [], dtype=pl.UInt32))
    line_end: bool | None = None
    notes: int = 0
    repeated: dict[str, tuple[int, int]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own column names, in its own order."""
        return tuple(self.frame.columns)

    def column(self, name: str | None) -> str | None:
        """The file's own spelling of a column: exactly so, or else in another case or Unicode form.

        :raises ContractChanged: it is there several times.
        """
        if name is None:
            return None
        found = next((c for c in self.columns if c == name), None)
        if found is None:
            alike = [c for c in self.columns if word(c) == word(name)]
            found = alike[0] if len(alike) == 1 else None
        if found in self.repeated:
            first, second = self.repeated[found]
            setting = self.named.get(name)
            # By their positions: the first line of a file without a header is a person's (R19).
            raise ContractChanged(
                f"{self.name} has a duplicate column name: columns {first} and {second}."
                if setting is None
                else f"{self.name} has a duplicate column name (settings: {setting}): columns {first} and {second}.",
                remedy="Ask for an export in which every column that the settings use has a unique name, or name "
                "another column in the settings.",
            )
        return found

    def spelled(self, column_of: Mapping[str, str | None]) -> dict[str, str]:
        """Columns by field, in the file's own spelling, without those that it does not have."""
        found = {name: self.column(column) for name, column in column_of.items()}
        return {name: column for name, column in found.items() if column is not None}

    def need(self, columns: Iterable[str]) -> None:
        """Check that the columns exist.

        :raises ContractChanged: naming the missing ones, and, if most are there, the existing ones.
        """
        wanted = list(dict.fromkeys(columns))
        missing = [c for c in wanted if self.column(c) is None]
        if not missing:
            return
        lacking = ", ".join(
            f"{column!r} (settings: {self.named[column]})" if column in self.named else repr(column)
            for column in missing
        )
        present = ", ".join(map(_shown, self.columns[:_TOLD]))
        if len(self.columns) > _TOLD:
            present += ", \u2026"
        # If most of the known names are missing, the first line may be a person's (R19).
        raise ContractChanged(
            f"{self.name} has no column {lacking}. It has: {present}."
            if 2 * len(missing) <= len(wanted)
            else f"{self.name} has no column {lacking}. "
            f"Most of the configured columns were not found (the file has {self.frame.width}).",
            remedy="Compare the export with the club's settings; if the ERP renamed its columns, "
            "update `fields` or `columns`. A wrong `sheet`, `delimiter` or `header_row` has the same effect.",
        )

    def get(self, column: str | None) -> pl.Series:
        """A column; all nulls if there is none of that name. Cells that are too long cannot be read."""
        found = self.column(column)
        if found is not None:
            return _of_length(self.frame[found]).alias(column or "")
        return pl.Series(column or "", [None] * self.frame.height, dtype=pl.String)

    def only_filled(self, columns: Iterable[str | None]) -> Table:
        """The table without the rows in which none of these columns has anything: they are no records (R14)."""
        found = [c for c in map(self.column, columns) if c is not None]
        if not found or not self.frame.height:
            return self
        filled = self.frame.select(pl.any_horizontal(pl.col(found).is_not_null())).to_series()
        if filled.all():
            return self
        ends = self.frame.height - int(filled.arg_true()[-1] if filled.any() else -1) - 1
        numbers = self.numbers.filter(filled) if self.numbers.len() else self.numbers
        return replace(
            self, frame=self.frame.filter(filled), numbers=numbers, notes=self.notes + ends
        )

    def ungarbled(self, columns: Iterable[str]) -> Table:
        """R14: refuse a file whose text was read in a wrong encoding before it was exported: its words are none.

        Single cells that look so are taken as they are, with a remark.

        :param columns: those that are used.
        :raises FileBroken: most of the cells with letters beyond ASCII look so.
        """
        beyond = garbled = 0
        rows: set[int] = set()
        for column in dict.fromkeys(filter(None, map(self.column, columns))):
            cells = self.frame[column]
            beyond_ascii = cells.str.len_bytes() != cells.str.len_chars()
            odd = cells.filter(beyond_ascii.fill_null(False)).unique()
            beyond += odd.len()
            wrong = [cell for cell in odd if encodings.is_garbled(cell)]
            garbled += len(wrong)
            if wrong:
                at = cells.is_in(wrong).arg_true()[0]
                rows.add(int(self.numbers[at]) if self.numbers.len() else int(at) + 2)
        if not garbled:
            return self
        if garbled * 2 >= beyond:
            raise FileBroken(
                f"{self.name} was exported in a wrong encoding: letters with accents are garbled, first in row "
                f"{min(rows)}.",
                remedy="Ask the club to export as UTF-8, once; if the file itself is right, set `encoding` in the "
                "club's settings. Until then its customers stay as they are.",
            )
        remark = message(
            f"{self.name} has garbled letters in a few cells, first in row {min(rows)}."
        )
        return replace(self, remarks=(*self.remarks, remark))


def _of_length(cells: pl.Series) -> pl.Series:
    longer = (cells.str.len_bytes() > _LONGEST_CELL).fill_null(False)
    if not longer.any():
        return cells
    return cells.scatter(longer.arg_true(), TOO_LONG)


def parse(content: Content, layout: Layout | None = None) -> Table:
    """A file as read from the drop -> its table; CSV or Excel, by its content, not by its name.

    :raises FileBroken, ContractChanged: see the module.
    :raises LimitExceeded: the file, a row of it, or the table is too large.
    """
    layout = layout or Layout()
    limits, name, data = layout.limits, content.name, content.data
    limits.check_size(name, len(data))
    cells = None
    if data.startswith(confined.RISKY):
        found = confined.parse(data, name, layout.sheet, limits)
        name, data, cells = found.name, found.data, found.cells
    if cells is not None:
        table = _from_cells(cells, name, layout)
    else:
        if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
            raise FileBroken(f"{name} is empty: it lacks even a header.")
        text = encodings.decoded(data, name, layout.encoding)
        _refuse_other_formats(text, name)
        try:
            table = _csv(text, name, layout)
        except csv.Error as e:
            raise FileBroken(f"{name} cannot be parsed: {e}.", remedy=_CORRECT_QUOTES) from None
        if _is_workbook_name(name):
            remark = message(f"{name} has the name of a workbook, but is text: it was read as CSV.")
            table = replace(table, remarks=(*table.remarks, remark))
    limits.check_shape(name, table.frame.height, table.frame.width)
    _count(table, content, layout)
    return replace(table, named=layout.named)


def _count(table: Table, content: Content, layout: Layout) -> None:
    """Compare with what `FILE.rows` says; rows that are no records may be counted or not."""
    stated, found = content.rows, table.frame.height
    if stated is None or stated in (found, found + table.notes):
        return
    if layout.columns and stated == table.only_filled(layout.columns).frame.height:
        return
    raise FileBroken(
        f"{content.name} has {found} rows, but {content.name}.rows says {stated}: the file is truncated, "
        "or the two files are of different exports."
    )


def _refuse_other_formats(text: str, name: str) -> None:
    """:raises FileBroken: the text is no table; what it is, and what would help."""
    if "\0" in text:
        raise FileBroken(
            f"{name} contains binary data, not a table.",
            remedy="Ask for the export as CSV (UTF-8) or XLSX.",
        )
    start = text.lstrip("\ufeff \t\r\n")[:1000].lower()
    excel = _is_workbook_name(name)
    if start.startswith("<"):
        if "<?mso-application" in start or "urn:schemas-microsoft-com:office" in start:
            kind = message("an Excel 2003 XML file")
        else:
            kind = message("a web page or XML")
        raise FileBroken(
            f"{name} is not an Excel file: it contains {kind}."
            if excel
            else f"{name} contains {kind}, not a table.",
            remedy="If it opens in a spreadsheet as a table, save it there as XLSX or CSV (UTF-8). If it is a login "
            "or error page, the login of the export has expired.",
        )
    if start.startswith(("{", "[", "%")):
        raise FileBroken(
            f"{name} contains JSON or a document, not a table.",
            remedy="Ask for the export as CSV (UTF-8) or XLSX.",
        )


def _is_workbook_name(name: str) -> bool:
    return name.lower().endswith((".xlsx", ".xls", ".xlsm"))


# CSV -------------------------------------------------------------------------------------------


def _csv(text: str, name: str, layout: Layout) -> Table:
    # Inside a cell a line end means nothing to us, so that one spelling of it does.
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    # the mark with which DOS ends a file
    if _DOS_END in text[-3:]:
        text = text.rstrip("\n").removesuffix(_DOS_END)
    if any(c in text for c in INVISIBLE):
        text = text.translate(dict.fromkeys(map(ord, INVISIBLE)))
    delimiter = layout.delimiter
    _check_lines(text, name, layout.limits)
    # A file for Excel may start with "sep=;".
    if said := re.match(r'\s*"?sep=(.)"?[ \t]*(?:\n|$)', text):
        delimiter = delimiter or said[1]
        text = text[said.end() :]
        if not text.strip():
            raise FileBroken(f"{name} is empty: it lacks even a header.")
    if delimiter is not None and len(delimiter) != 1:
        raise SettingsWrong(f"The delimiter has to be one character; it is {delimiter!r}.")
    text, skipped = _from_header(text, name, layout, delimiter)
    delimiter = delimiter or _delimiter(text.partition("\n")[0])
    line_end = text.endswith("\n")
    _check_cells(text, delimiter, name, layout.limits)
    cells = _fast(text, delimiter)
    if cells is not None:
        table = _with_header(cells, name, skipped)
        return Table(table.frame, name, table.numbers, line_end, 0, table.repeated)
    # The reader of the standard library is slower, but says what is wrong and where.
    text, notes = _without_notes(text, delimiter)
    whole = line_end or notes > 0
    rows = _Rows(name, delimiter, skipped, layout.decisive, whole, layout.limits)
    parts = list(rows.read(text))
    frame = pl.concat([part.frame for part in parts])
    numbers = pl.concat([part.numbers for part in parts])
    return Table(frame, name, numbers, line_end, notes, parts[0].repeated)


def _check_lines(text: str, name: str, limits: FileLimits) -> None:
    """:raises LimitExceeded: a line is longer than any row of people is."""
    at = 0
    while len(text) - at > limits.max_line:
        end = text.rfind("\n", at, at + limits.max_line)
        if end < 0:
            raise _row_too_long(name, text.count("\n", 0, at) + 1, limits)
        at = end + 1


def _check_cells(text: str, delimiter: str, name: str, limits: FileLimits) -> None:
    """Check the size of the table before it is made.

    :param text: its first line is the header.
    :raises LimitExceeded: it is too large.
    """
    source = _Lines(text, name, limits)
    header = next((row for row in csv.reader(source, delimiter=delimiter) if row), [])
    limits.check_shape(name, 0, len(header))
    # in quotes a line end or a delimiter is none: there are at most as many
    lines = text.count("\n")
    if lines > limits.max_records or lines + text.count(delimiter) > limits.max_cells:
        limits.check_shape(name, lines, len(header))


def _row_too_long(name: str, row: int, limits: FileLimits) -> LimitExceeded:
    return LimitExceeded(
        f"Row {row} of {name} has more than {limits.max_line} characters.", setting=MAX_COLUMNS
    )


class _Lines:
    """The lines of a text, for `csv.reader`: a row without an end is refused while it is read.

    :param row: of the file, for the message.
    """

    def __init__(self, text: str, name: str, limits: FileLimits, row: int = 1) -> None:
        self._lines = io.StringIO(text, newline="")
        self._name, self._limits = name, limits
        self.row, self._taken = row, 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken += len(line)
        if self._taken > self._limits.max_line:
            raise _row_too_long(self._name, self.row, self._limits)
        return line

    def counted(self, rows: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
        """The rows that are read of these lines, numbered."""
        for row in rows:
            yield self.row, row
            self.row += 1
            self._taken = 0


def _from_header(text: str, name: str, layout: Layout, delimiter: str | None) -> tuple[str, int]:
    """The text from its header on, and how many rows are above.

    :raises ContractChanged: `header_row` is beyond the end; or the first row with content is not the header, but
        one below is.
    """
    lines = text.split("\n", max(_TOP, layout.header_row or 0))
    if layout.header_row is not None:
        at = layout.header_row - 1
        if at >= len(lines) or not lines[at].strip():
            raise ContractChanged(
                f"{name} has no content in row {layout.header_row}, in which `header_row` expects the column names.",
                remedy="Correct `header_row` in the club's settings: the number of the row, as a spreadsheet shows it.",
            )
        others = (row for row in _split(lines[:_TOP], delimiter))
        elsewhere = _named_in(others, layout)
        if elsewhere is not None and _named_in(_split([lines[at]], delimiter), layout) is None:
            raise _header_elsewhere(name, elsewhere + 1, layout.header_row)
        return "\n".join(lines[at:]), at
    first = next((n for n, line in enumerate(lines[:_TOP]) if line.strip()), None)
    if first is None:  # more blank lines than anybody writes
        first = len(lines) - 1
        lines[first] = lines[first].lstrip("\n")
    below = _named_in(_split(lines[:_TOP], delimiter), layout)
    if below is not None and below != first:
        raise _header_below(name, below + 1)
    return "\n".join(lines[first:]), first


def _split(lines: Iterable[str], delimiter: str | None) -> Iterator[list[str]]:
    """Each line as a row of its own."""
    for line in lines:
        yield next(csv.reader([line], delimiter=delimiter or _delimiter(line)), [])


def _named_in(rows: Iterable[Sequence[str | None]], layout: Layout) -> int | None:
    """The first row that has all configured columns, from 0."""
    wanted = {word(c) for c in layout.columns}
    if not wanted:
        return None
    for at, row in enumerate(rows):
        if wanted <= {word(cell or "") for cell in row}:
            return at
    return None


def _header_below(name: str, row: int) -> ContractChanged:
    return ContractChanged(
        f"The column names of {name} are in row {row}, not in its first row.",
        remedy=f"Set `header_row: {row}` in the club's settings.",
    )


def _header_elsewhere(name: str, row: int, stated: int) -> ContractChanged:
    return ContractChanged(
        f"The column names of {name} are in row {row}, not in row {stated}.",
        remedy=f"Set `header_row: {row}` in the club's settings.",
    )


def _delimiter(header: str) -> str:
    """The delimiter that splits the header into the most cells; in a tie, the first in `DELIMITERS`."""
    counts = [_count_cells(header, delimiter) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _count_cells(header: str, delimiter: str) -> int:
    """How many cells a delimiter splits a header into; 0: one of them is longer than any."""
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _fast(text: str, delimiter: str) -> pl.DataFrame | None:
    """The file by Arrow's reader, the header among the rows; None: there is any doubt.

    Arrow rejects rows of another width, which Polars would silently fill. What it does not notice: a quote that
    is never closed, which leaves an odd number of quotes; and two stray quotes that swallow everything between
    them, which leaves a cell with a line end or a delimiter in it. Such a cell may be right: the strict reader
    decides. It leaves out blank lines, after which rows are no longer numbered as in the file.

    :param text: its first line is the header; line ends are `\\n`.
    """
    if text.count('"') % 2 or "\n\n" in text.rstrip("\n"):
        return None
    width = len(
        next((row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row), [])
    )
    if not width:
        return None
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode()),
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


def _without_notes(text: str, delimiter: str) -> tuple[str, int]:
    """The text without notes below the table, and how many rows they are: what follows the last blank line, or the
    last line, if it is short and its rows are labels, such as a total.

    A row that was truncated has no line end and begins with an id; a note begins with words, or is a line of one cell.
    """
    body, whole = text.rstrip("\n"), text.endswith("\n")
    header = len(next(csv.reader([text.partition("\n")[0]], delimiter=delimiter), []))
    above, blank, below = body.rpartition("\n\n")
    if blank and (rows := _notes(above, below, header - 1, delimiter, alone=whole)):
        return above + "\n", rows
    above, _, below = body.rpartition("\n")
    if whole and "\n" in above and (rows := _notes(above, below, header // 2, delimiter)):
        return above + "\n", rows
    return text, 0


def _notes(above: str, below: str, width: int, delimiter: str, *, alone: bool = False) -> int:
    """How many rows of notes `below` is; 0: it is none.

    :param width: the most cells that they may have.
    :param alone: whether lines of one cell are notes, whatever they say.
    """
    if above.count('"') % 2 or below.count('"') % 2 or "@" in below:
        return 0
    rows = [row for row in csv.reader(io.StringIO(below), delimiter=delimiter) if row]
    if not 0 < len(rows) <= _NOTES or any(len(row) > width for row in rows):
        return 0
    if alone and all(len(row) == 1 for row in rows):
        return len(rows)
    firsts = (line.partition(delimiter)[0] for line in above.split("\n")[1:])
    labels = all(_is_label(row[0]) for row in rows) and not any(map(_is_label, firsts))
    return len(rows) if labels else 0


def _is_label(cell: str) -> bool:
    """Whether a cell is words rather than an id: it has letters, and either a blank, a colon, or no digit."""
    cell = cell.strip().strip('"')
    return any(c.isalpha() for c in cell) and (
        " " in cell or ":" in cell or not any(c.isdigit() for c in cell)
    )


@dataclass(frozen=True)
class _Rows:
    """The strict reader: a file with quotes, blank lines or rows of different width.

    :param skipped: rows above the header.
    :param decisive: see `Layout`.
    :param whole: whether the last row ends with a line end.
    """

    name: str
    delimiter: str
    skipped: int
    decisive: tuple[str, ...] | None
    whole: bool
    limits: FileLimits = _USUAL

    def read(self, text: str) -> Iterator[Table]:
        """The table, in parts; the first has no rows."""
        source = _Lines(text, self.name, self.limits, self.skipped + 1)
        rows = csv.reader(source, delimiter=self.delimiter, strict=True)
        numbered = source.counted(rows)
        ragged: list[tuple[int, int]] = []
        blank_at: int | None = None
        lacking = 0
        try:
            header = self._header(numbered)
            yield _named(
                [[] for _ in header], header, self.name, pl.Series("row", [], dtype=pl.UInt32)
            )
            width = len(header)
            while chunk := list(islice(numbered, _CHUNK)):
                chunk = [(at, row) for at, row in chunk if any(map(str.strip, row))]
                if not chunk:
                    continue
                self.limits.check_shape(self.name, source.row - self.skipped - 2, width)
                for n, (at, row) in enumerate(chunk):
                    if len(row) > width and not any(map(str.strip, row[width:])):
                        chunk[n] = (at, row[:width])
                    elif len(row) < width:
                        ragged.append((at, len(row)))
                        lacking = self._lacking(lacking, at, len(row), width)
                        chunk[n] = (at, row + [""] * (width - len(row)))
                    elif len(row) > width:
                        self._refuse(at, len(row), width)
                    if blank_at is None and not row[-1].strip():
                        blank_at = at
                numbers = pl.Series("row", [at for at, _ in chunk], dtype=pl.UInt32)
                yield _named(
                    zip(*(row for _, row in chunk), strict=True), header, self.name, numbers
                )
                last = chunk[-1][0]
        except csv.Error as e:
            if "unexpected end" in str(e):
                raise FileBroken(
                    f"{self.name} is truncated: its last row ends inside a quoted cell, in the row that starts at "
                    f"row {source.row}.",
                    remedy=_CORRECT_QUOTES,
                ) from None
            raise FileBroken(
                f"{self.name} cannot be parsed near row {rows.line_num + self.skipped}: {e}.",
                remedy=_CORRECT_QUOTES,
            ) from None
        if ragged:
            self._check_short(header, ragged, last, blank_at)

    def _header(self, numbered: Iterator[tuple[int, list[str]]]) -> list[str]:
        """The first row with any content."""
        header = next((row for _, row in numbered if any(map(str.strip, row))), None)
        if header is None:
            raise FileBroken(f"{self.name} is empty: it lacks even a header.")
        return header

    def _lacking(self, so_far: int, row: int, cells: int, width: int) -> int:
        """How many cells all rows lack up to a short one.

        :raises FileBroken: too many to be made up.
        """
        lacking = so_far + width - cells
        if lacking > _MOST_LACKING:
            self._refuse(row, cells, width)
        return lacking

    def _check_short(
        self, header: list[str], ragged: list[tuple[int, int]], last: int, blank_at: int | None
    ) -> None:
        """Rows that lack cells at their end are whole where the export drops blank cells there: then no row ends with
        a blank cell, and only columns that decide nothing are lacking.

        :param ragged: row and number of cells of each short row.
        :param last: the last row with content.
        :param blank_at: a row that ends with a blank cell.
        :raises FileBroken: otherwise.
        """
        at, cells = ragged[-1]
        if at == last and not self.whole:
            raise FileBroken(
                f"{self.name} is truncated: its last row, {at}, has {cells} cells, the header {len(header)}."
            )
        names = {word(c) for c in self.decisive or ()}
        least = max(
            (n for n, cell in enumerate(header, 1) if word(cell) in names), default=len(header)
        )
        for at, cells in ragged:
            if self.decisive is None or cells < least or blank_at is not None:
                self._refuse(at, cells, len(header))

    def _refuse(self, row: int, cells: int, width: int) -> None:
        raise FileBroken(
            f"Row {row} of {self.name} has {cells} cells, the header has {width}.",
            remedy="Ask for an export that puts cells with a line end or a delimiter in quotes, and keeps blank cells "
            "at the end of a row. If the column names are not in the first row, set `header_row` in the settings.",
        )


# Both ------------------------------------------------------------------------------------------


def _from_cells(cells: pl.DataFrame, name: str, layout: Layout) -> Table:
    """All cells of a sheet -> its table."""
    skipped = 0
    if layout.header_row is not None:
        skipped = layout.header_row - 1
        if skipped >= cells.height:
            raise ContractChanged(
                f"{name} has {cells.height} rows; `header_row` expects the column names in row {layout.header_row}.",
                remedy="Correct `header_row` in the club's settings: the number of the row, as a spreadsheet shows it.",
            )
        elsewhere = _named_in(cells.head(_TOP).iter_rows(), layout)
        if elsewhere is not None and _named_in([cells.row(skipped)], layout) is None:
            raise _header_elsewhere(name, elsewhere + 1, layout.header_row)
        cells = cells[skipped:]
    else:
        below = _named_in(cells.head(_TOP).iter_rows(), layout)
        first = next(
            (n for n, row in enumerate(cells.iter_rows()) if any((c or "").strip() for c in row)), 0
        )
        if below is not None and below != first:
            raise _header_below(name, below + 1)
    return _without_cells_below(_with_header(cells, name, skipped))


def _without_cells_below(table: Table) -> Table:
    """The table of a sheet without notes below it: what follows a blank row, if its rows are labels of one cell."""
    frame, numbers = table.frame, table.numbers
    if frame.width < 2 or frame.height < 2:
        return table
    at = first = frame.height
    for cells in reversed(frame.tail(_NOTES).rows()):
        told = [cell for cell in cells if cell]
        if len(told) != 1 or "@" in told[0] or not _is_label(told[0]) or at == 1:
            break
        at -= 1
        if numbers[at] - numbers[at - 1] > 1:
            first = at
    notes = table.notes + frame.height - first
    return replace(table, frame=frame[:first], numbers=numbers[:first], notes=notes)


def _with_header(cells: pl.DataFrame, name: str, skipped: int = 0) -> Table:
    """All cells of a file -> a table; the first row with any content is the header.

    :param skipped: rows above the first of the cells.
    """
    numbers = pl.int_range(skipped + 1, skipped + 1 + cells.height, dtype=pl.UInt32, eager=True)
    if cells.width:
        filled = cells.select(
            pl.any_horizontal(pl.all().str.strip_chars().fill_null("") != "")
        ).to_series()
        cells, numbers = cells.filter(filled), numbers.filter(filled)
    if not cells.height:
        raise FileBroken(f"{name} is empty: it lacks even a header.")
    header = [cell or "" for cell in cells.row(0)]
    return _named(cells[1:].get_columns(), header, name, numbers[1:])


def _named(
    columns: Iterable[pl.Series | Sequence[str]],
    header: Sequence[str],
    name: str,
    numbers: pl.Series,
) -> Table:
    """Cells by column, and the header -> a table; columns without a name are dropped, of several of one name the
    first is kept."""
    names = [unicodedata.normalize("NFC", h).strip() for h in header]
    if not any(names):
        raise FileBroken(f"{name} has no header.")
    repeated = {
        n: (names.index(n) + 1, at)
        for at, n in reversed(list(enumerate(names, 1)))
        if n and n in names[: at - 1]
    }
    kept: dict[str, pl.Series] = {}
    for n, cells in zip(names, columns, strict=False):
        if n and n not in kept:
            kept[n] = pl.Series(n, cells, dtype=pl.String)
    frame = pl.DataFrame(list(kept.values())).select(pl.all().str.strip_chars())
    if any(cells.str.starts_with('="').any() for cells in frame.iter_columns()):
        # a formula that makes a spreadsheet keep a text as it is
        frame = frame.select(pl.all().str.replace(r'^="(.*)"$', "$1").str.strip_chars())
    frame = frame.select(pl.when(pl.all() != "").then(pl.all()))
    return Table(frame, name, numbers.alias("row"), repeated=repeated)
