"""What all connectors that read exports from a folder share: their settings, and reading a file into a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypeVar

import polars as pl
from pydantic import Field

from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.errors import ContractChanged
from connectors.sdk.files.folder import Content, FileDrop
from connectors.sdk.files.limits import MEGABYTE, FileLimits
from connectors.sdk.files.tabular import Layout, Table, parse
from connectors.sdk.messages import message
from connectors.sdk.model import File


class DropSettings(Settings):
    """Settings of every connector that reads exports from a folder.

    :param customers: path or glob of the customers' file below the connection's folder; the newest match is read.
    :param parts: all files that match and are parts of the newest export (numbered, or without numbers) are read
        together, as one.
    :param delimiter: of a CSV; omitted: detected from the header.
    :param encoding: of a CSV that is not UTF-8; omitted: recognised among cp1252, ISO 8859-15, cp850, Mac Roman and
        UTF-16.
    :param sheet: of an Excel workbook: its name, or its number from 0.
    :param header_row: the row that holds the column names, as a spreadsheet numbers it; omitted: the first row.
    :param timeout: seconds that connecting, listing or reading a file may take.
    :param max_megabytes: a larger file is rejected, and an archive that decompresses to more.
    :param max_records: a table of more rows is rejected.
    :param max_columns: a table of more columns is rejected.
    :param max_cells: a table whose rows times columns are more is rejected.
    :param max_memory_megabytes: that the process may take which parses a workbook or an archive; it also has `timeout`.
    """

    customers: str = Field(min_length=1)
    parts: bool = False
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    sheet: Annotated[int, Field(ge=0)] | str = 0
    header_row: int | None = Field(default=None, ge=1)
    timeout: float = Field(default=120.0, gt=0, le=3600)
    max_megabytes: int = Field(default=512, gt=0, le=16_384)
    max_records: int = Field(default=FileLimits.max_records, gt=0)
    max_columns: int = Field(default=FileLimits.max_columns, gt=0, le=16_384)
    max_cells: int = Field(default=FileLimits.max_cells, gt=0)
    max_memory_megabytes: int = Field(default=2048, ge=256, le=65_536)

    @property
    def limits(self) -> FileLimits:
        """The limits of its files."""
        return FileLimits(
            max_bytes=self.max_megabytes * MEGABYTE,
            max_records=self.max_records,
            max_columns=self.max_columns,
            max_cells=self.max_cells,
            max_memory=self.max_memory_megabytes * MEGABYTE,
            seconds=self.timeout,
        )


D = TypeVar("D", bound=DropSettings)

#: seconds that listing a folder may take while a person waits for the test of a connection.
TEST_TIMEOUT = 20.0


class DropConnector(Connector[D]):
    """Base of the connectors that read a folder and nothing else."""

    @classmethod
    def test_connection(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """Open the folder and count its files."""
        return describe_folder(connection)


def describe_folder(connection: Connection) -> str:
    """Open a connection's folder: a sentence that says what is directly in it.

    :raises ConnectorError: it cannot be opened.
    """
    with FileDrop(connection, timeout=TEST_TIMEOUT) as drop:
        found = drop.find("*")
    if not found:
        return "The folder can be opened; there are no files directly in it."
    files = message("1 file") if len(found) == 1 else message(f"{len(found)} files")
    return f"The folder can be opened: {files}, newest {found[0].modified:%Y-%m-%d %H:%M} UTC."


def open_drop(
    connection: Connection, settings: DropSettings, *, until: datetime | None = None
) -> FileDrop:
    """The connection's folder, with the limits of the settings.

    :param until: as it was then: files written later are ignored (R26); None: now.
    """
    return FileDrop(
        connection,
        timeout=settings.timeout,
        max_bytes=settings.limits.max_bytes,
        until=until,
    )


def read_table(
    drop: FileDrop,
    pattern: str,
    settings: DropSettings,
    *,
    exclude: str | None = None,
    columns: Mapping[str, str | None] | Iterable[str | None] = (),
    decisive: Iterable[str | None] | None = None,
    parts: bool = False,
) -> tuple[Table, Content]:
    """The newest file that matches, parsed, and what is known about it; of several parts, all of them as one.

    :param exclude: the pattern of another file of the club's, which `pattern` may match too (`*.csv`).
    :param columns: the columns that the settings use, also as setting -> column: their text must not be garbled, and
        where the first row lacks them, the error says which row has them.
    :param decisive: see `Layout`.
    :param parts: whether there may be several parts.
    :raises ConnectorError: missing, unreachable, truncated, too large, or not a table (see `folder` and `tabular`).
    """
    names = columns if isinstance(columns, Mapping) else {}
    used = tuple(filter(None, columns.values() if isinstance(columns, Mapping) else columns))
    layout = Layout(
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        sheet=settings.sheet,
        header_row=settings.header_row,
        columns=used,
        named={column: setting for setting, column in names.items() if column},
        decisive=None if decisive is None else tuple(filter(None, decisive)),
        limits=settings.limits,
    )
    if parts:
        contents = drop.read_parts(pattern, exclude=exclude)
    else:
        contents = [drop.read_newest(pattern, exclude=exclude)]
    tables = [parse(content, layout).ungarbled(used) for content in contents]
    return _joined(tables), _together(contents)


def _joined(tables: list[Table]) -> Table:
    """The parts of one export as one table, in order.

    :raises ContractChanged: they have different columns.
    """
    first, *rest = tables
    for other in rest:
        if other.columns != first.columns:
            raise ContractChanged(
                f"{other.name} has other columns than {first.name}, another part of the same export.",
                remedy="Remove the file that is no part of it, or make `customers` match the parts only.",
            )
    if not rest:
        return first
    return replace(
        first,
        frame=pl.concat([table.frame for table in tables]),
        numbers=pl.concat([table.numbers for table in tables]),
        line_end=None
        if any(t.line_end is None for t in tables)
        else all(t.line_end for t in tables),
        notes=sum(table.notes for table in tables),
        remarks=tuple(remark for table in tables for remark in table.remarks),
    )


def _together(contents: list[Content]) -> Content:
    """What is known of all parts: they are as old as the oldest, and counted where each is."""
    if len(contents) == 1:
        return contents[0]
    counts = [content.rows for content in contents]
    return Content(
        name=contents[-1].name,
        data=b"".join(content.data for content in contents),
        modified=min(content.modified for content in contents),
        rows=None if None in counts else sum(n for n in counts if n is not None),
    )


def described(table: Table, content: Content) -> File:
    """What is known of the file, to compare the next one with (R14)."""
    return File(
        name=content.name,
        size=len(content.data),
        digest=hashlib.blake2b(content.data, digest_size=16).hexdigest(),
        counted=content.rows is not None,
        line_end=table.line_end,
        footer=table.notes > 0,
    )
