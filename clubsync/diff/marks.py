"""Ids and emails of several clubs in one frame (R21): each with the mark of its club, so that no two clubs meet.

A mark is a suffix: what a text begins with, and how texts are sorted, stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_SEPARATOR = "\x1e"


@dataclass(frozen=True)
class Marks:
    """How the functions of `diff` read ids and emails.

    :param together: the frames are of several clubs, and marked; False: of one club, and unmarked.
    """

    together: bool = False

    def bare(self, text: pl.Expr) -> pl.Expr:
        """Ids or emails as the club knows them: for whatever leaves `diff` inside other text."""
        return text.str.replace(rf"{_SEPARATOR}\d+$", "") if self.together else text

    def marked_as(self, other: pl.Expr, text: pl.Expr) -> pl.Expr:
        """A bare text with the mark of another, marked one."""
        if not self.together:
            return text
        return pl.concat_str(text, other.str.extract(rf"({_SEPARATOR}\d+)$"))


ONE_CLUB = Marks()
TOGETHER = Marks(together=True)


def marked(frame: pl.DataFrame, columns: tuple[str, ...], clubs: pl.Series) -> pl.DataFrame:
    """The frame with the marks of these clubs on the texts of these columns.

    :param clubs: of each row the number of its club, within the batch.
    """
    mark = pl.lit(_SEPARATOR) + pl.lit(clubs).cast(pl.String)
    return frame.with_columns(pl.col(columns) + mark)


def club_of(text: str) -> pl.Expr:
    """The number of the club whose mark a column has; null where that is null."""
    return pl.col(text).str.extract(rf"{_SEPARATOR}(\d+)$").cast(pl.Int64)
