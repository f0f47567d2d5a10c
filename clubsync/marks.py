"""Ids and emails of several clubs in one frame (R21): each with the mark of its club, so that no two clubs meet.

A mark is a suffix: what a text begins with, and how texts are sorted, stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_SEPARATOR = "\x1e"


@dataclass(frozen=True)
class Marks:
    """How the functions of `validate` and `diff` read ids and emails.

    :param together: the frames are of several clubs, and marked; False: of one club, and unmarked.
    """

    together: bool = False

    def bare(self, text: pl.Expr) -> pl.Expr:
        """Ids or emails as the club knows them: for whatever leaves a frame inside other text."""
        return text.str.replace(rf"{_SEPARATOR}\d+$", "") if self.together else text

    def marked_as(self, other: pl.Expr, text: pl.Expr) -> pl.Expr:
        """A bare text with the mark of another, marked one."""
        if not self.together:
            return text
        return pl.concat_str(text, other.str.extract(rf"({_SEPARATOR}\d+)$"))

    def with_groups(self, frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
        """A frame with the marks of its erp_ids on the bare ids in these lists of groups (`model.GROUP_LIST`)."""
        if not self.together or frame.is_empty():
            return frame
        return marked_groups(frame, columns, frame.select(club=club_of("erp_id"))["club"])


ONE_CLUB = Marks()
TOGETHER = Marks(together=True)


def marked(frame: pl.DataFrame, columns: tuple[str, ...], clubs: pl.Series) -> pl.DataFrame:
    """The frame with the marks of these clubs on the texts of these columns.

    :param clubs: of each row the number of its club, within the batch.
    """
    mark = pl.lit(_SEPARATOR) + pl.lit(clubs).cast(pl.String)
    return frame.with_columns(pl.col(columns) + mark)


def marked_groups(frame: pl.DataFrame, columns: tuple[str, ...], clubs: pl.Series) -> pl.DataFrame:
    """The same on the ids in lists of groups (`model.GROUP_LIST`)."""
    mark = pl.lit(_SEPARATOR) + pl.col("club").cast(pl.String)
    for name in columns:
        rows = pl.DataFrame({"group": frame[name], "club": clubs}).with_row_index("row")
        lists = (
            rows.filter(pl.col("group").list.len() > 0)
            .explode("group")
            .unnest("group")
            .group_by("row", maintain_order=True)
            .agg(marked=pl.struct(pl.col("id") + mark, "valid_from", "valid_until"))
        )
        if lists.height:
            rows = rows.join(lists, on="row", how="left", maintain_order="left")
            frame = frame.with_columns(
                rows.select(pl.coalesce("marked", "group").alias(name)).to_series()
            )
    return frame


def bare_groups(column: str) -> pl.Expr:
    """Lists of groups without the marks."""
    part = pl.element().struct.field
    ids = TOGETHER.bare(part("id"))
    return pl.col(column).list.eval(pl.struct(ids, part("valid_from"), part("valid_until")))


def club_of(text: str) -> pl.Expr:
    """The number of the club whose mark a column has; null where that is null."""
    return pl.col(text).str.extract(rf"{_SEPARATOR}(\d+)$").cast(pl.Int64)


def with_mark(text: str, club: int) -> str:
    """A text with the mark of this club."""
    return f"{text}{_SEPARATOR}{club}"


def split_marked(text: str) -> tuple[int, str]:
    """The number of the club whose mark a text has, and the bare text."""
    bare, _, club = text.rpartition(_SEPARATOR)
    return int(club), bare
