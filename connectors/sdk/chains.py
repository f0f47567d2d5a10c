"""R29: whose the records of one ERP tenant are, where several clubs share it.

A connector that is told where records name their club (`Club.members`) gives its customers a column `clubs` (`CLUBS`),
or its reading the clubs of the groups. `split` makes each club's own reading of that: the records that name it, with
the groups that are its own, under the certificate of the whole.

What a club is told of the other records (`Split.others`) concerns those that it knows. One that names another club has
the status `elsewhere`, one that is on no membership of the club's `unlisted`. One that names no club, or one that
nobody knows, has a club that cannot be read (R3): who has access keeps it, and nobody gains it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from connectors.sdk import cells
from connectors.sdk.base import Members
from connectors.sdk.model import (
    CLUB_FIELD,
    CUSTOMER_SCHEMA,
    GROUP_REF,
    Reading,
    noted,
    once_each,
    with_notes,
)
from connectors.sdk.paths import MISSING, getter
from connectors.sdk.words import key, word

#: Statuses of records that are not a club's own: they name another club; they are on none of its memberships.
ELSEWHERE, UNLISTED = "elsewhere", "unlisted"

#: How a row names a club: by the record itself (`group` is null), or by a membership: its group and days.
CLUB = pl.Struct(
    {"name": pl.String, "group": pl.String, "valid_from": pl.Date, "valid_until": pl.Date}
)
CLUBS = pl.List(CLUB)
_IDS = pl.List(pl.String)
_ANY_SEPARATOR = "[|;,]"
_NAMELESS = pl.lit([dict.fromkeys(("name", "group", "valid_from", "valid_until"))], dtype=CLUBS)
_NOBODY, _NO_GROUPS = pl.lit([], dtype=_IDS), pl.lit([], dtype=pl.List(GROUP_REF))


@dataclass(frozen=True)
class Split:
    """A reading of a whole tenant, by club.

    :param own: club id -> its own reading, of the records that name it.
    :param unknown: the records that name no club, or one that nobody knows: erp_id (null in a source without ids),
        status, word (null: none).
    :param called: the words by which records, groups or memberships name clubs, in the form in which words are
        compared; "" where one names none.
    """

    own: Mapping[str, Reading]
    unknown: pl.DataFrame
    called: frozenset[str]
    _rows: pl.DataFrame
    _away: str

    def others(self, club: str, known: Collection[str] | None) -> pl.DataFrame:
        """What a club is told of records that are not its own: `CUSTOMER_SCHEMA`, and `targets`, the ids of the clubs
        that they name.

        :param known: the erp_ids that it knows; None: all records, of a source without ids.
        """
        rows = self._rows.filter(~pl.col("targets").list.contains(club))
        if known is None:
            alike = rows.select(CUSTOMER_SCHEMA.names()).hash_rows()
            rows = _one_each(rows.with_columns(alike=alike), "alike")
        else:
            own = self.own[club]
            missing = set(known).difference(own.customers["erp_id"], own.conflicting_ids)
            rows = _one_each(rows.filter(pl.col("erp_id").is_in(list(missing))), "erp_id")
        unknown = pl.col("unknown")
        marks = rows.select(pl.when(unknown).then(pl.coalesce("word", pl.lit("")))).to_series()
        told = rows.with_columns(
            status=pl.when(unknown).then("status").otherwise(pl.lit(self._away)),
            status_raw=pl.when(unknown).then("status_raw"),
            groups=pl.when(unknown).then("groups").otherwise(_NO_GROUPS),
        )
        noticed = with_notes(told, [noted(CLUB_FIELD, marks)])
        return noticed.select(*CUSTOMER_SCHEMA.names(), "targets")


def _one_each(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Rows of one person, each of another club, as one; a club that nobody knows makes it unknown."""
    if not rows[by].is_duplicated().any():
        return rows
    targets = rows.group_by(by).agg(pl.col("targets").explode().drop_nulls().unique().sort())
    once = rows.sort("unknown", descending=True, maintain_order=True).unique(
        by, keep="first", maintain_order=True
    )
    return once.drop("targets").join(targets, on=by, how="left", maintain_order="left")


def named(value: Any, group: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The clubs that a value of a response names, as entries of `CLUBS`: one word, or a list of them.

    :param group: the membership that names them: id, valid_from, valid_until; None: the record itself does.
    """
    of = group or {}
    called: list[str | None] = [*names(value)]
    if group is not None and not called:
        called = [None]
    return [
        {
            "name": name,
            "group": of.get("id"),
            "valid_from": of.get("valid_from"),
            "valid_until": of.get("valid_until"),
        }
        for name in called
    ]


def names(value: Any) -> list[str]:
    """The clubs that a value of a response names; what is neither a word nor a number is one that nobody knows."""
    found = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, float) and one.is_integer():
            one = int(one)
        if one is None or isinstance(one, bool):
            continue
        text = cells.NOT_TEXT if isinstance(one, dict | list) else str(one).strip()
        if text and text not in cells.BLANK:
            found.append(text)
    return found


def with_clubs(customers: pl.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The customers with the clubs that they name, if their connector has asked for them.

    :param customers: `CUSTOMER_SCHEMA`, one for each row.
    :param rows: with `clubs` (see `named`) in each, or in none.
    """
    if not rows or "clubs" not in rows[0]:
        return customers
    return customers.with_columns(pl.Series("clubs", [row["clubs"] for row in rows], dtype=CLUBS))


def found(record: Any, at: str) -> Any:
    """What a record has where it names its club; nothing, where it lacks the key."""
    value = getter(at)(record)
    return None if value is MISSING else value


def column(cells_of_club: pl.Series, members: Members, separator: str | None = None) -> pl.Series:
    """The cells of a file that name clubs, as the column `clubs`.

    :param separator: of two clubs in one cell; None: each of `|`, `;` and `,`.
    """
    parts = splitter(members, separator)
    return pl.Series("clubs", [named(parts(cell)) for cell in cells_of_club], dtype=CLUBS)


def splitter(members: Members, separator: str | None = None) -> Callable[[str | None], list[str]]:
    """The function that splits a cell of a file into the clubs that it names; names of the settings are never split.

    :param separator: see `column`.
    """
    known = {word(name) for name in members.words}

    def parts(cell: str | None) -> list[str]:
        if cell is None or word(cell) in known:
            return [] if cell is None else [cell]
        return cell.split(separator) if separator else re.split(_ANY_SEPARATOR, cell)

    return parts


def split(
    reading: Reading, clubs: Mapping[str, Sequence[str]], elsewhere: Sequence[str] = ()
) -> Split:
    """The readings of a tenant's clubs.

    :param reading: of the whole tenant, with the column `clubs`, or with `group_clubs`.
    :param clubs: club id -> the words by which it is named; "" stands for records that name none.
    :param elsewhere: words of clubs that are not ours: their records are known to be nobody's.
    """
    meanings: dict[str, list[str]] = {word(name): [] for name in elsewhere}
    for club, called in clubs.items():
        for name in called:
            meanings.setdefault(word(name), []).append(club)
    by_membership = reading.by_membership or reading.group_clubs is not None
    rows = _with_clubs(reading).with_row_index("at")
    entries = _entries(rows, meanings, by_membership=by_membership)
    rows = _summed_up(rows.drop("clubs"), entries)
    own, doubts = {}, list(reading.certificate.doubts)
    for club in clubs:
        own[club], found = _own(reading, rows, entries, club, meanings)
        doubts += found
    certificate = replace(
        reading.certificate, complete=not doubts, doubts=tuple(dict.fromkeys(doubts))
    )
    return Split(
        own={club: replace(one, certificate=certificate) for club, one in own.items()},
        unknown=pl.concat(
            [
                rows.filter("unknown").select("erp_id", "status", "word"),
                _without_id(reading, meanings),
            ]
        ),
        called=_called(reading, entries),
        _rows=rows,
        _away=UNLISTED if by_membership else ELSEWHERE,
    )


def _called(reading: Reading, entries: pl.DataFrame) -> frozenset[str]:
    """The words by which clubs are named: by records and memberships, by groups that nobody holds, and by rows
    without an id."""
    names: set[str | None] = {*entries["name"]}
    for of in (reading.group_clubs or {}).values():
        names.update(of or [None])
    rows = reading.without_id
    if rows is not None and "clubs" in rows.columns:
        for clubs in rows["clubs"]:
            names.update(entry["name"] for entry in clubs)
    return frozenset(word(name or "") for name in names)


def _with_clubs(reading: Reading) -> pl.DataFrame:
    """The customers with `clubs`; where groups name them, by the groups that each customer holds."""
    customers, of = reading.customers, reading.group_clubs
    if of is None:
        return customers
    pairs = [(group, club) for group, listed in of.items() for club in listed or (None,)]
    table = pl.DataFrame(pairs, schema={"id": pl.String, "name": pl.String}, orient="row")
    numbered = customers.with_row_index("at")
    held = (
        numbered.select("at", "groups")
        .filter(pl.col("groups").list.len() > 0)
        .explode("groups")
        .unnest("groups")
        .join(table, on="id", how="left", maintain_order="left")
        .group_by("at", maintain_order=True)
        .agg(clubs=pl.struct("name", pl.col("id").alias("group"), "valid_from", "valid_until"))
        .cast({"clubs": CLUBS})
    )
    return (
        numbered.join(held, on="at", how="left", maintain_order="left")
        .with_columns(pl.col("clubs").fill_null(pl.lit([], dtype=CLUBS)))
        .drop("at")
    )


def _entries(
    rows: pl.DataFrame, meanings: Mapping[str, Sequence[str]], *, by_membership: bool
) -> pl.DataFrame:
    """Each naming of a club: at, name, group, valid_from, valid_until, ids (of ours that are meant), known.

    A record, or a membership, that names none has one without a name, which "" means.
    """
    table = pl.DataFrame(
        {"word": list(meanings), "ids": list(meanings.values())},
        schema={"word": pl.String, "ids": _IDS},
    )
    there = pl.col("clubs").list.len() > 0
    named = rows.select("at", "clubs")
    if by_membership:
        named = named.filter(there)
    else:
        named = named.with_columns(clubs=pl.when(there).then("clubs").otherwise(_NAMELESS))
    return (
        named.explode("clubs")
        .unnest("clubs")
        .with_columns(word=key(pl.col("name")).fill_null(""))
        .join(table, on="word", how="left", maintain_order="left")
        .with_columns(known=pl.col("ids").is_not_null(), ids=pl.col("ids").fill_null(_NOBODY))
        .drop("word")
    )


def _summed_up(rows: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """The rows with `targets` (ids of the clubs that they name), `unknown` and `word`; without a membership, where
    those name the clubs, a record is on nobody's list."""
    summed = entries.group_by("at").agg(
        targets=pl.col("ids").explode().drop_nulls().unique().sort(),
        unknown=(~pl.col("known")).any(),
        word=pl.col("name").filter(~pl.col("known")).drop_nulls().first(),
    )
    return rows.join(summed, on="at", how="left", maintain_order="left").with_columns(
        pl.col("targets").fill_null(_NOBODY), pl.col("unknown").fill_null(False)
    )


def _own(
    reading: Reading,
    rows: pl.DataFrame,
    entries: pl.DataFrame,
    club: str,
    meanings: Mapping[str, Sequence[str]],
) -> tuple[Reading, list[str]]:
    """A club's own reading, and what is doubtful of its rows."""
    mine = rows.filter(pl.col("targets").list.contains(club))
    groups, without_id = reading.groups, reading.without_id
    if reading.by_membership or reading.group_clubs is not None:
        mine = mine.drop("groups").join(
            _spans(entries, club), on="at", how="left", maintain_order="left"
        )
        mine = mine.with_columns(pl.col("groups").fill_null(_NO_GROUPS))
    if reading.group_clubs is not None:
        own = [g for g, of in reading.group_clubs.items() if _means(of, club, meanings)]
        groups = groups.filter(pl.col("id").is_in(own))
    if without_id is not None and "clubs" in without_id.columns:
        called = [[entry["name"] for entry in of] for of in without_id["clubs"]]
        theirs = pl.Series([_means(of, club, meanings) for of in called], dtype=pl.Boolean)
        without_id = without_id.filter(theirs).drop("clubs")
    customers = mine.select(CUSTOMER_SCHEMA.names())
    conflicting, doubts = tuple[str, ...](), list[str]()
    if not reading.paged:
        customers, conflicting, doubts = once_each(customers)
    own_reading = replace(
        reading,
        customers=customers,
        groups=groups,
        conflicting_ids=(*reading.conflicting_ids, *conflicting),
        without_id=without_id if without_id is not None and without_id.height else None,
        group_clubs=None,
    )
    return own_reading, doubts


def _without_id(reading: Reading, meanings: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The rows without an id that name no club, or one that nobody knows: erp_id (null), status, word."""
    rows = reading.without_id
    if rows is None or "clubs" not in rows.columns:
        rows = CUSTOMER_SCHEMA.to_frame().with_columns(clubs=pl.lit(None, dtype=CLUBS))
    called = [[entry["name"] for entry in of] for of in rows["clubs"]]
    odd = [
        next((name for name in names if word(name) not in meanings), None) if names else ""
        for names in called
    ]
    found = rows.with_columns(word=pl.Series(odd, dtype=pl.String)).filter(
        pl.col("word").is_not_null()
    )
    return found.select("erp_id", "status", word=pl.when(pl.col("word") != "").then("word"))


def _spans(entries: pl.DataFrame, club: str) -> pl.DataFrame:
    """The memberships that are of a club: at, `groups`."""
    span = pl.struct(pl.col("group").alias("id"), "valid_from", "valid_until").cast(GROUP_REF)
    theirs = pl.col("ids").list.contains(club) & pl.col("group").is_not_null()
    return entries.filter(theirs).group_by("at", maintain_order=True).agg(groups=span)


def _means(called: Sequence[str | None], club: str, meanings: Mapping[str, Sequence[str]]) -> bool:
    return any(club in meanings.get(word(name), ()) for name in called if name)
