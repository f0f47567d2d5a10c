"""What all connectors that read a file drop share: their settings, and reading a file into a table."""

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

    :param customers: path or glob of the customers' file below the connection's folder; the newest counts.
    :param delimiter: of a CSV; left out: found in the header.
    :param encoding: of a CSV; left out: UTF-8 with or without BOM, else cp1252.
    :param sheet: of an Excel workbook, from 0.
    :param timeout: seconds that connecting, listing or reading a file may take.
    :param max_megabytes: a larger file is refused.
    """

    customers: str = Field(min_length=1)
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    sheet: int = Field(default=0, ge=0)
    timeout: float = Field(default=120.0, gt=0, le=3600)
    max_megabytes: int = Field(default=512, gt=0)


D = TypeVar("D", bound=DropSettings)

#: seconds that a folder may take to show itself to a person who waits.
PATIENCE = 20.0


class DropConnector(Connector[D]):
    """Base of the connectors that read a folder and nothing else."""

    @classmethod
    def reach(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """Open the folder and count what lies in it."""
        return reach(connection)


def reach(connection: Connection) -> str:
    """Open a connection's folder: a sentence of what lies directly in it.

    :raises ConnectorError: it cannot be opened.
    """
    with FileDrop(connection, timeout=PATIENCE) as drop:
        found = drop.find("*")
    if not found:
        return "The folder opens; no file lies directly in it."
    files = "1 file" if len(found) == 1 else f"{len(found)} files"
    return f"The folder opens: {files}, newest {found[0].modified:%Y-%m-%d %H:%M} UTC."


def open_drop(
    connection: Connection, settings: DropSettings, *, until: datetime | None = None
) -> FileDrop:
    """The connection's folder, with the settings' limits.

    :param until: as it was then: files written later are not there (R26); None: now.
    """
    return FileDrop(
        connection,
        timeout=settings.timeout,
        max_bytes=settings.max_megabytes * 2**20,
        until=until,
    )


def table_of(
    drop: FileDrop, pattern: str, settings: DropSettings, *, but_not: str | None = None
) -> tuple[Table, Content]:
    """The newest file that matches, parsed, and what is known of it.

    :param but_not: the pattern of another file of the club's, which `pattern` may match too (`*.csv`).
    :raises ConnectorError: missing, unreachable, cut, or no table (see `files` and `tabular`).
    """
    content = drop.read_newest(pattern, but_not=but_not)
    table = parse(
        content,
        delimiter=settings.delimiter,
        encoding=settings.encoding,
        sheet=settings.sheet,
    )
    return table, content
