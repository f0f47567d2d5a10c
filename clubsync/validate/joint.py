"""Frames of several clubs as one, marked by club (`clubsync.marks`), and apart again; those of one club stay as is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from clubsync.marks import (
    ONE_CLUB,
    TOGETHER,
    Marks,
    bare_groups,
    club_of,
    marked,
    split_marked,
    with_mark,
)
from clubsync.store.snapshots import Snapshot


class Joint:
    """The clubs of a frame, by their places in it.

    :param clubs: how many there are.
    """

    def __init__(self, clubs: int) -> None:
        self.clubs = clubs
        self.marks: Marks = ONE_CLUB if clubs == 1 else TOGETHER

    def joined(self, frames: Sequence[pl.DataFrame], names: tuple[str, ...]) -> pl.DataFrame:
        """The frames of the clubs as one.

        :param names: the columns with ids and emails.
        """
        if self.clubs == 1:
            return frames[0]
        columns = frames[0].columns  # not every club's are in this order
        rows = pl.concat([frame.select(columns) for frame in frames], rechunk=True)
        return marked(rows, names, self.places(frames))

    def places(self, frames: Sequence[pl.DataFrame]) -> pl.Series:
        """Of each row of these frames, one a club, the place of its club."""
        places = [n for n, frame in enumerate(frames) for _ in range(frame.height)]
        return pl.Series("club", places, dtype=pl.Int64)

    def apart(
        self,
        frame: pl.DataFrame,
        names: tuple[str, ...],
        *,
        lists: tuple[str, ...] = (),
        of: pl.Expr | None = None,
    ) -> list[pl.DataFrame]:
        """The rows of each club, in order, without the marks.

        :param lists: the columns with lists of groups.
        :param of: the place of each row's club; None: the first of `names` says it.
        """
        if self.clubs == 1:
            return [frame]
        rows = frame.with_columns(
            *(TOGETHER.bare(pl.col(name)) for name in names),
            *(bare_groups(name) for name in lists),
            club=club_of(names[0]) if of is None else of,
        ).partition_by("club", as_dict=True, include_key=False, maintain_order=True)
        none = frame.clear()
        return [rows.get((n,), none) for n in range(self.clubs)]

    def series_apart(self, ids: pl.Series) -> list[pl.Series]:
        """The ids of each club, in order, without the marks."""
        return [part.to_series() for part in self.apart(ids.to_frame(), (ids.name,))]

    def texts(self, of_clubs: Iterable[Iterable[str]]) -> list[str]:
        """The texts of all clubs, each with the mark of its club."""
        if self.clubs == 1:
            return [text for texts in of_clubs for text in texts]
        return [with_mark(text, n) for n, texts in enumerate(of_clubs) for text in texts]

    def marked(self, text: str, place: int) -> str:
        """A text of the club at this place."""
        return text if self.clubs == 1 else with_mark(text, place)

    def with_any(self, texts: Iterable[str]) -> set[int]:
        """The places of the clubs of which any of these texts is."""
        if self.clubs == 1:
            return {0 for _ in texts}
        return {split_marked(text)[0] for text in texts}

    def snapshot(self, snapshots: Sequence[Snapshot]) -> Snapshot:
        """The snapshots of the clubs as one; its number and its time are those of the first."""
        first = snapshots[0]
        if self.clubs == 1:
            return first
        names = ("erp_id", "guardian_id", "replaced_by")
        return replace(
            first,
            customers=self.joined([one.customers for one in snapshots], names),
            groups=self.joined([one.groups for one in snapshots], ("id",)),
            conflicting_ids=tuple(self.texts(one.conflicting_ids for one in snapshots)),
            ambiguous_ids=tuple(self.texts(one.ambiguous_ids for one in snapshots)),
        )
