"""How much of a file is read, and what reading it may cost: a small file can ask for all memory of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sdk.errors import LimitExceeded

MEGABYTE = 2**20

#: The settings that have the limits.
MAX_MEGABYTES, MAX_MEMORY_MEGABYTES, TIMEOUT = "max_megabytes", "max_memory_megabytes", "timeout"
MAX_RECORDS, MAX_COLUMNS, MAX_CELLS = "max_records", "max_columns", "max_cells"


@dataclass(frozen=True)
class FileLimits:
    """Limits of one club's files; the settings of the same names are in `DropSettings`.

    :param max_bytes: of a file, and of what is packed in it.
    :param max_records: rows of a table.
    :param max_columns: of a table.
    :param max_cells: rows times columns, blank cells included.
    :param max_memory: bytes that the process may take which parses a workbook or an archive.
    :param seconds: that it may take.
    """

    max_bytes: int = 512 * MEGABYTE
    max_records: int = 2_000_000
    max_columns: int = 1_000
    max_cells: int = 60_000_000
    max_memory: int = 2048 * MEGABYTE
    seconds: float = 120.0

    @property
    def max_line(self) -> int:
        """Characters of one row of a text file: a thousand for each column that it may have."""
        return self.max_columns * 1000

    def check_size(self, name: str, size: int) -> None:
        """:raises LimitExceeded: a file, or what is packed in it, is too large."""
        if size > self.max_bytes:
            raise LimitExceeded(
                f"{name} has {size // MEGABYTE} MB; the limit is {self.max_bytes // MEGABYTE} MB.",
                setting=MAX_MEGABYTES,
            )

    def check_shape(self, name: str, rows: int, columns: int) -> None:
        """:raises LimitExceeded: a table is too large.

        :param rows: without the header.
        """
        if columns > self.max_columns:
            raise LimitExceeded(
                f"{name} has {columns} columns; the limit is {self.max_columns}.",
                setting=MAX_COLUMNS,
            )
        if rows > self.max_records:
            raise LimitExceeded(
                f"{name} has {rows} rows; the limit is {self.max_records}.", setting=MAX_RECORDS
            )
        if rows * columns > self.max_cells:
            raise LimitExceeded(
                f"{name} has {rows} rows of {columns} columns, which are more cells than the limit of "
                f"{self.max_cells}.",
                setting=MAX_CELLS,
            )

    def out_of_memory(self, name: str) -> LimitExceeded:
        """The process that parsed a file was ended by its limit of memory."""
        return LimitExceeded(
            f"{name} cannot be read with {self.max_memory // MEGABYTE} MB of memory: it is damaged, or made to do "
            "harm.",
            setting=MAX_MEMORY_MEGABYTES,
        )

    def out_of_time(self, name: str) -> LimitExceeded:
        """The process that parsed a file was ended by its limit of time."""
        return LimitExceeded(
            f"{name} cannot be read within {self.seconds:g} seconds: it is damaged, or made to do harm.",
            setting=TIMEOUT,
        )
