"""What all connectors that read exports from a folder share: their settings, and reading a file into a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from pydantic import Field

from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.files.folder import Content, FileDrop
from connectors.sdk.files.tabular import Table, parse


class DropSettings(Settings):
    """Settings of every connector that reads exports from a folder.

    :param customers: path or glob of the customers' file below the connection's folder; the newest match is read.
    :param delimiter: of a CSV; omitted: detected from the header.
    :param encoding: of a CSV; omitted: UTF-8 with or without BOM, else cp1252.
    :param sheet: of an Excel workbook, from 0.
    :param timeout: seconds that connecting, listing or reading a file may take.
    :param max_megabytes: a larger file is rejected.
    """

    customers: str = Field(min_length=1)
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    sheet: int = Field(default=0, ge=0)
    timeout: float = Field(default=120.0, gt=0, le=3600)
    max_megabytes: int = Field(default=512, gt=0)


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
    files = "1 file" if len(found) == 1 else f"{len(found)} files"
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
        max_bytes=settings.max_megabytes * 2**20,
        until=until,
    )


def read_table(
    drop: FileDrop, pattern: str, settings: DropSettings, *, exclude: str | None = None
) -> tuple[Table, Content]:
    """The newest file that matches, parsed, and what is known about it.

    :param exclude: the pattern of another file of the club's, which `pattern` may match too (`*.csv`).
    :raises ConnectorError: missing, unreachable, truncated, or not a table (see `folder` and `tabular`).
    """
    content = drop.read_newest(pattern, exclude=exclude)
    table = parse(
        content,
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        sheet=settings.sheet,
    )
    return table, content
