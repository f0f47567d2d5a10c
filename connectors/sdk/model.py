"""The canonical model: what every connector returns, whatever the ERP.

One `Reading` is one club at one moment. Frames are Polars, one row per ERP customer or group. The connector
drops the fields that the sync does not need before anything is stored (R19).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import polars as pl

from connectors.sdk import cells, footers
from connectors.sdk.errors import ContractChanged
from connectors.sdk.messages import message

#: A customer's status. `active` gives access; a club may let others give it too (R3).
#: `unknown` is a status that is missing or in none of the lists: it changes nothing.
#: `elsewhere` and `unlisted` are of records that a club of a chain is told of and that are not its own (R29).
STATUSES = (
    "active",
    "prospect",
    "paused",
    "suspended",
    "former",
    "archived",
    "deleted",
    "unknown",
    "elsewhere",
    "unlisted",
)
#: A field that cannot be read: which club of a chain a record belongs to (R29).
CLUB_FIELD = "club"

GROUP_REF = pl.Struct({"id": pl.String, "valid_from": pl.Date, "valid_until": pl.Date})

#: A value that is there and cannot be read (R3): the canonical field; its word, where that says nothing of a person;
#: and, of the days of a membership, its group.
UNREADABLE = pl.Struct({"field": pl.String, "word": pl.String, "group": pl.String})

#: Columns of `Reading.customers`, in order. Blank strings are null. Text is stripped.
#:
#: - `erp_id`: the ERP's immutable key; null in every row of a source without ids, in none otherwise (`assemble` keeps
#:   rows without one apart).
#: - `email`: as the ERP has it (raw, stripped). Normalising and validating it is not the connector's task.
#: - `phone`: E.164 if `connectors.sdk.fields.phones` can parse it, else as the ERP has it.
#: - `status`: one of `STATUSES`; `status_raw` the ERP's own word, kept only if the status is `unknown`.
#: - `groups`: the ERP groups, products, memberships or benefits that the customer holds: ids of
#:   `Reading.groups`, each with its first and last day (both inclusive, club's calendar;
#:   null = open). Several spans of one group (a pause in between) are several entries.
#: - `valid_from`, `valid_until`: first and last day of the customer's own status (inclusive).
#: - `guardian_id`: ERP id of the family owner or legal representative.
#: - `replaced_by`: ERP id that the ERP itself names as this record's successor (R10).
#: - `created_at`, `modified_at`: UTC, as the ERP states them.
#: - `placeholder`: not a person (a collective record such as "Customer Deleted", an unfinished sign-up).
#: - `unreadable`: the fields whose value cannot be read; the fields themselves are null then.
CUSTOMER_SCHEMA = pl.Schema(
    {
        "erp_id": pl.String(),
        "email": pl.String(),
        "first_name": pl.String(),
        "last_name": pl.String(),
        "phone": pl.String(),
        "birth_date": pl.Date(),
        "gender": pl.String(),
        "country": pl.String(),
        "status": pl.String(),
        "status_raw": pl.String(),
        "groups": pl.List(GROUP_REF),
        "valid_from": pl.Date(),
        "valid_until": pl.Date(),
        "guardian_id": pl.String(),
        "replaced_by": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "modified_at": pl.Datetime("us", "UTC"),
        "is_company": pl.Boolean(),
        "placeholder": pl.Boolean(),
        "unreadable": pl.List(UNREADABLE),
    }
)

#: Columns of `Reading.groups`: the ERP's own list of groups. `active` null = the ERP does not say.
#: A connector whose ERP has no such list derives it from the customers' rows (all active).
GROUP_SCHEMA = pl.Schema({"id": pl.String, "name": pl.String, "active": pl.Boolean})

#: Start of the doubt of every reading of changes: absence from it means nothing (R14). Stored doubts are searched
#: for it, so that it has to stay the same.
ONLY_CHANGES = "Only what changed since"


class Consistency(StrEnum):
    """What the rows of a list that was read have in common (R14: a walk is not a moment)."""

    #: they show the list as it was at one moment: a file, or a single page.
    MOMENT = "moment"
    #: pages by ascending id: rows that come and go meanwhile hide no other row.
    BY_ID = "by id"
    #: pages by position, or by a cursor that may hide one: one row that leaves and one that arrives between two
    #: pages may hide a third.
    BY_POSITION = "by position"


@dataclass(frozen=True)
class Certificate:
    """What proves that a reading is complete (R14).

    :param complete: all of this holds: last page seen, totals equal the rows, no page twice, no id twice, file not
        truncated.
    :param doubts: one sentence for each proof that failed; empty if complete.
    :param rows: customer rows received, before repeated ids were merged.
    :param total: the number of rows that the ERP states, if it does.
    :param pages: pages, or files, read.
    :param settled: False: absence from this reading is only suspected, until a second one says the same: a file that
        lacks all the customers who were at the end of the last one may be truncated at the end of a line. Set by the
        engine, which knows the last one (`clubsync.extract.endings`).
    """

    complete: bool
    doubts: tuple[str, ...] = ()
    rows: int = 0
    total: int | None = None
    pages: int = 0
    settled: bool = True


#: Customers at the end of a file by whom the next one is compared with it.
TAIL = 20


@dataclass(frozen=True)
class File:
    """The file, or the parts of one export, that the customers were read from.

    :param name: its path below the connection's folder.
    :param digest: of its bytes.
    :param counted: whether `FILE.rows` beside it has said how many rows there are.
    :param line_end: whether its last row ends with a line end; None: its format proves its end by itself (XLSX).
    :param footer: whether its last row is none of a person: a total, a note.
    :param last: `erp_id` of the last customers in it, in its own order, at most `TAIL`.
    :param rows: how many customers of a whole chain are in it (R29); 0: it is one club's.
    """

    name: str
    size: int = 0
    digest: str = ""
    counted: bool = False
    line_end: bool | None = None
    footer: bool = False
    last: tuple[str, ...] = ()
    rows: int = 0


@dataclass(frozen=True)
class Memberships:
    """A list of their own that the customers' groups were read from.

    :param consistency: of that list.
    :param doubts: why it may be incomplete; empty: it is complete.
    """

    consistency: Consistency
    doubts: tuple[str, ...] = ()

    @property
    def proof(self) -> str:
        """Its consistency as a word; `incomplete` where there are doubts."""
        return "incomplete" if self.doubts else str(self.consistency)

    def with_nobodys(self, rows: int, path: str) -> Memberships:
        """The same, doubted where rows do not say whose they are: one of them may be anybody's.

        :param rows: how many of them there are; they are not many (`connectors.sdk.odd`).
        :param path: where the ERP has the list.
        """
        if not rows:
            return self
        doubt = message(f"The list at {path} has rows that name no customer: {rows}.")
        return Memberships(self.consistency, (*self.doubts, doubt))

    @classmethod
    def together(cls, lists: Sequence[Memberships]) -> Memberships:
        """What several lists, one for each page of customers, prove: as little as the weakest of them."""
        weakest = max(
            (one.consistency for one in lists),
            key=list(Consistency).index,
            default=Consistency.MOMENT,
        )
        return cls(weakest, tuple(dict.fromkeys(doubt for one in lists for doubt in one.doubts)))


#: What a word of a group's state means, by whether the group is active.
IN_USE = {True: "active", False: "inactive", None: "unknown"}


@dataclass(frozen=True)
class Words:
    """The words of one column or path that decide something, for whoever tries the settings.

    :param kind: "status" of customers, "flag" that takes precedence over it, or "group": whether it is in use.
    :param place: the column or path.
    :param seen: (word, what it means) -> how many rows have it; the meaning is a canonical status, "-" of
        a flag that changes nothing, or `active`, `inactive` and `unknown` of groups; a blank word is "".
    :param listed: setting -> the words that the club's settings list there themselves.
    """

    kind: Literal["status", "flag", "group"]
    place: str
    seen: Mapping[tuple[str, str], int]
    listed: Mapping[str, tuple[str, ...]]

    @classmethod
    def of_groups(
        cls,
        place: str,
        pairs: Iterable[tuple[str | None, str]],
        listed: Mapping[str, tuple[str, ...]],
    ) -> Words:
        """The words of groups: (word, what it means) of each."""
        seen = Counter((word or "", meaning) for word, meaning in pairs)
        return cls("group", place, dict(seen.most_common()), listed)

    @classmethod
    def of_status(
        cls, place: str, frame: pl.DataFrame, listed: Mapping[str, tuple[str, ...]]
    ) -> Words:
        """The words of customers: columns `status_word` and the `status` that each means."""
        counted = frame.group_by(pl.col("status_word").fill_null(""), "status").len()
        rows = counted.sort("len", "status_word", "status", descending=[True, False, False])
        return cls(
            "status", place, {(word, status): n for word, status, n in rows.iter_rows()}, listed
        )


@dataclass(frozen=True)
class Reading:
    """One club's customers and groups at one moment, as its ERP states them.

    :param customers: `CUSTOMER_SCHEMA`; no erp_id twice.
    :param groups: `GROUP_SCHEMA`; no id twice.
    :param as_of: UTC; taken before the first request; of a file, its modification time.
    :param conflicting_ids: ids that came several times with different content: present, but unknown
        this time (finding ID_DUPLICATE); they are not in `customers`.
    :param ambiguous_ids: of a source without ids, records that no key tells apart (R1); they are in `customers`.
    :param columns: the ERP's own column or field names, in its own order, for exports (R22).
    :param column_of: canonical field -> the ERP's own column that it was read from.
    :param decided_by: names among `columns` that became no field, but on which something was decided.
    :param since: only what changed since then was read (never certified, doubt `ONLY_CHANGES`); None: everything.
    :param notes: how the reading came about, in sentences for the page of the run.
    :param file: what the customers were read from; None: no file.
    :param without_id: `CUSTOMER_SCHEMA` and `row`, the number of the row: rows without an id, where others have one
        (finding ID_MISSING); they are not in `customers`. None: there are none.
    :param consistency: of the list of customers.
    :param memberships: the list of their own that groups were read from; None: they stand in the customers' rows.
    :param paged: whether it was read from an ERP that answers now; False: from files, written at `as_of`.
    :param words: the words that decided something, of connectors whose settings list them.
    :param group_clubs: of a chain whose groups name their clubs (R29): group id -> the words.
    :param by_membership: of a chain whose memberships name their clubs: `customers` have them in the column `clubs`.
    :param others: of a club of a chain, once it is split: what it is told of records that are not its own
        (`chains.Split.others`), of those that it knows or, in a source without ids, of all.
    """

    customers: pl.DataFrame
    groups: pl.DataFrame
    certificate: Certificate
    as_of: datetime
    conflicting_ids: tuple[str, ...] = ()
    ambiguous_ids: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    column_of: Mapping[str, str] = field(default_factory=dict)
    decided_by: tuple[str, ...] = ()
    since: datetime | None = None
    notes: tuple[str, ...] = ()
    file: File | None = None
    without_id: pl.DataFrame | None = None
    consistency: Consistency = Consistency.MOMENT
    memberships: Memberships | None = None
    paged: bool = False
    words: tuple[Words, ...] = ()
    group_clubs: Mapping[str, Sequence[str]] | None = None
    by_membership: bool = False
    others: pl.DataFrame | None = None


def customers_frame(rows: Sequence[Mapping[str, Any]] | pl.DataFrame) -> pl.DataFrame:
    """Rows or a frame with any of the canonical columns -> a frame of exactly `CUSTOMER_SCHEMA`.

    Missing columns become null (`placeholder` and `is_company` false, `groups` and `unreadable` empty), text is
    stripped, also of NUL (which no database accepts; both in the ids of groups too), and blank text becomes null, also
    where a word says so (`NULL`). Names are in composed letters (NFC). Text that cannot be read (`#N/A`), or is longer
    than `LENGTHS`, becomes null and is noted in `unreadable`; an id that cannot be read is none. Ids that a spreadsheet
    or a JSON writer made decimals (`12.0`) are whole again.
    """
    frame = (
        rows
        if isinstance(rows, pl.DataFrame)
        else pl.DataFrame(
            rows,
            schema_overrides={k: v for k, v in CUSTOMER_SCHEMA.items() if rows and k in rows[0]},
            infer_schema_length=None,
        )
    )
    out = []
    for name, dtype in CUSTOMER_SCHEMA.items():
        if name not in frame.columns:
            col = pl.lit(None, dtype=dtype)
        else:
            col = pl.col(name).cast(dtype)
        if dtype == pl.String:
            col = _without_nul(col).str.strip_chars()
            if name in _NAMES:
                col = col.str.normalize("NFC")
            col = pl.when(col != "").then(col)
        elif name == "groups":
            if name in frame.columns and _untidy_within(frame[name]):
                col = col.list.eval(_TIDY_GROUP)
            col = col.fill_null(pl.lit([], dtype=dtype))
        elif name == "unreadable":
            col = col.fill_null(pl.lit([], dtype=dtype))
        elif dtype == pl.Boolean:
            col = col.fill_null(False)
        out.append(col.alias(name))
    if frame.width == 0:
        return CUSTOMER_SCHEMA.to_frame()
    return _with_whole_ids(_only_readable(_of_length(frame.select(out))))


#: The most characters of each text: longer than any of its kind, and short enough for an index of PostgreSQL, whose
#: entries hold 2,704 bytes. What is longer cannot be read (R3): that record changes nothing, and the club is synced.
LENGTHS = {
    "erp_id": 255,
    "email": 1_000,
    "first_name": 255,
    "last_name": 255,
    "phone": 255,
    "guardian_id": 255,
    "replaced_by": 255,
}
#: Texts that are shown and compared with nothing: the rest of a longer one is left out.
_SHORTENED = {"gender": 50, "country": 100, "status_raw": 200}
#: Of a group: its id, its name.
GROUP_ID, GROUP_NAME = 255, 255
#: Spans of groups of one customer; groups of one club.
MOST_SPANS, MOST_GROUPS = 1_000, 20_000


def _of_length(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that are too long, and lists of too many groups, as what cannot be read."""
    # bytes are counted faster, and there are at least as many
    longest = frame.select(pl.col(*LENGTHS, *_SHORTENED).str.len_bytes().max()).row(0, named=True)
    cut = [
        pl.when(pl.col(name).str.len_chars() > most)
        .then(pl.lit(cells.TOO_LONG))
        .otherwise(name)
        .alias(name)
        for name, most in LENGTHS.items()
        if (longest[name] or 0) > most
    ]
    cut += [
        pl.col(name).str.slice(0, most)
        for name, most in _SHORTENED.items()
        if (longest[name] or 0) > most
    ]
    return _of_few_groups(frame.with_columns(cut) if cut else frame)


def _of_few_groups(frame: pl.DataFrame) -> pl.DataFrame:
    lengths = frame["groups"].list.len()
    many = lengths > MOST_SPANS
    if many.any():
        nothing = pl.lit([], dtype=frame.schema["groups"])
        words = pl.select(pl.when(many).then(pl.lit(cells.TOO_MANY))).to_series()
        kept = frame.with_columns(groups=pl.when(~many).then("groups").otherwise(nothing))
        frame = with_notes(kept, [noted("groups", words)])
    ids = frame["groups"].explode().struct.field("id")
    if not (ids.str.len_bytes() > GROUP_ID).any():
        return frame
    one = pl.element().struct.field("id")
    short = pl.when(one.str.len_chars() > GROUP_ID).then(pl.lit(cells.TOO_LONG)).otherwise(one)
    return frame.with_columns(pl.col("groups").list.eval(pl.element().struct.with_fields(id=short)))


def bounded_groups(groups: pl.DataFrame) -> pl.DataFrame:
    """A list of groups without those whose id is too long, each name at most as long as names are.

    :param groups: `GROUP_SCHEMA`.
    :raises ContractChanged: there are more than any club has.
    """
    longest = groups.select(pl.col("id", "name").str.len_bytes().max()).row(0)
    if any((length or 0) > GROUP_ID for length in longest):
        groups = groups.filter((pl.col("id").str.len_chars() <= GROUP_ID).fill_null(False))
        groups = groups.with_columns(pl.col("name").str.slice(0, GROUP_NAME))
    if groups.height > MOST_GROUPS:
        raise ContractChanged(
            f"The customers are in {groups.height} different groups; the limit is {MOST_GROUPS}.",
            remedy="Correct the club's settings: the column or field of the groups holds something else.",
        )
    return groups


#: Text that a person or a spreadsheet wrote; ids and phones, in which a rounded number is unreadable too.
_WRITTEN = ("email", "first_name", "last_name")
_NAMES = ("first_name", "last_name")
_NUMBERS = ("erp_id", "phone", "guardian_id", "replaced_by")
_IDS = ("erp_id", "guardian_id", "replaced_by")


def _only_readable(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the text that stands for no value, and without that which cannot be read, which is noted."""
    blank = {name: cells.blank(pl.col(name)) for name in (*_WRITTEN, *_NUMBERS)}
    odd = {name: cells.unreadable(pl.col(name), number=name in _NUMBERS) for name in blank}
    found = frame.select(
        *(mask.any().alias(f"blank_{name}") for name, mask in blank.items()),
        *(mask.any().alias(f"odd_{name}") for name, mask in odd.items()),
    ).row(0, named=True)
    notes = [
        noted(name, frame.select(pl.when(mask).then(name)).to_series())
        for name, mask in odd.items()
        if found[f"odd_{name}"] and name != "erp_id"
    ]
    emptied = [
        pl.when(~(blank[name] | odd[name])).then(name).alias(name)
        for name in blank
        if found[f"blank_{name}"] or found[f"odd_{name}"]
    ]
    frame = _only_readable_groups(with_notes(frame, notes))
    return frame.with_columns(emptied) if emptied else frame


def _only_readable_groups(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the groups whose id stands for none; one that cannot be read is noted."""
    if not frame["groups"].list.len().sum():
        return frame
    spans = frame.with_row_index("row").select("row", "groups").explode("groups")
    key = pl.col("groups").struct.field("id")
    odd = spans.filter(cells.unreadable(key))
    if odd.is_empty() and not spans.select((cells.blank(key) | (key == "")).any()).item():
        return frame
    of_span = pl.element().struct.field("id")
    none = cells.blank(of_span) | (of_span == "") | cells.unreadable(of_span)
    kept = pl.element().filter(~none.fill_null(False))
    words = pl.Series([None] * frame.height, dtype=pl.String).scatter(
        odd["row"], odd["groups"].struct.field("id")
    )
    frame = frame.with_columns(pl.col("groups").list.eval(kept))
    return with_notes(frame, [noted("groups", words)])


def noted(field: str, words: pl.Series, groups: pl.Series | None = None) -> pl.DataFrame:
    """Which rows have a field that cannot be read: row, `unreadable` (`UNREADABLE`).

    :param words: one for each row, null where it can be read.
    :param groups: of the days of memberships, the group.
    """
    # what stands in for a name, an email or a phone is shown only where it is certainly an error's own word
    word = pl.col("word")
    told = word if field in _PLAIN else pl.when(cells.unreadable(word, number=True)).then(word)
    return (
        pl.DataFrame(
            {"word": words, "group": groups},
            schema_overrides={"word": pl.String, "group": pl.String},
        )
        .with_row_index("row")
        .filter(pl.col("word").is_not_null())
        .select(
            "row",
            unreadable=pl.struct(
                field=pl.lit(field), word=told.str.slice(0, 40), group="group"
            ).cast(UNREADABLE),
        )
    )


#: Fields whose values say nothing of a person: what cannot be read of them is told word by word.
_PLAIN = ("status", "groups", "valid_from", "valid_until")


def with_notes(frame: pl.DataFrame, notes: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """A frame with more in its column `unreadable`.

    :param notes: see `noted`; a row may come several times.
    """
    if "unreadable" not in frame.columns:
        empty = pl.lit([], dtype=pl.List(UNREADABLE))
        frame = frame.with_columns(unreadable=empty)
    new = pl.concat(notes) if notes else pl.DataFrame()
    if new.is_empty():
        return frame
    lists = (
        pl.concat([_notes_of(frame), new])
        .unique(maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg("unreadable")
    )
    return (
        frame.drop("unreadable")
        .with_row_index("row")
        .join(lists, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("unreadable").fill_null(pl.lit([], dtype=pl.List(UNREADABLE))))
        .drop("row")
    )


def _notes_of(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.with_row_index("row")
        .select("row", "unreadable")
        .filter(pl.col("unreadable").list.len() > 0)
        .explode("unreadable")
    )


_DECIMAL = r"^\d+\.0+$"


def _with_whole_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """`12.0` as `12` where all ids are numbers: a spreadsheet or a JSON writer made them decimals."""
    present = [pl.col(name).drop_nulls() for name in _IDS]
    decimal = pl.any_horizontal([pl.col(name).str.contains(_DECIMAL).any() for name in _IDS])
    if not frame.select(decimal.fill_null(False)).item():
        return frame
    numeric = pl.all_horizontal([ids.str.contains(r"^\d+(?:\.0+)?$").all() for ids in present])
    if not frame.select(numeric).item():
        return frame
    return frame.with_columns(pl.col(_IDS).str.replace(r"\.0+$", ""))


def _without_nul(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all("\x00", "", literal=True)


_TIDY_GROUP = pl.element().struct.with_fields(_without_nul(pl.field("id")).str.strip_chars())


def _untidy_within(groups: pl.Series) -> bool:
    """Whether any id in a column of `groups` holds a NUL, or begins or ends with white space: searched in the flat
    column, because rewriting every list takes seconds for a large club, and there is hardly ever one."""
    if groups.dtype == pl.Null or not isinstance(groups.dtype, pl.List):
        return False
    ids = groups.explode().cast(GROUP_REF).struct.field("id")
    untidy = ids.str.contains("\x00", literal=True) | (ids != ids.str.strip_chars())
    return bool(untidy.any())


def groups_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of groups -> a frame of exactly `GROUP_SCHEMA`; a repeated id counts once, the first wins.

    Ids and names are stripped. An id that is blank, stands for none (`NULL`), or cannot be read (`#N/A`), is no group.
    """
    if not rows:
        return GROUP_SCHEMA.to_frame()
    frame = pl.DataFrame(rows, schema=GROUP_SCHEMA).with_columns(
        _without_nul(pl.col("id", "name")).str.strip_chars()
    )
    none = cells.blank(pl.col("id")) | (pl.col("id") == "") | cells.unreadable(pl.col("id"))
    none = none.fill_null(False)
    return frame.filter(~none).unique("id", keep="first", maintain_order=True)


#: In a file, rows of one id that differ in nothing else are one person (R14).
_OF_A_GROUP = ("groups", "valid_from", "valid_until", "modified_at", "unreadable")
_ONE_PERSON = [name for name in CUSTOMER_SCHEMA if name not in _OF_A_GROUP]


def assemble(
    customers: pl.DataFrame,
    groups: pl.DataFrame,
    *,
    as_of: datetime,
    paged: bool,
    pages: int,
    total: int | None = None,
    doubts: Sequence[str] = (),
    columns: Sequence[str] = (),
    column_of: Mapping[str, str] | None = None,
    decided_by: Sequence[str] = (),
    since: datetime | None = None,
    numbers: pl.Series | None = None,
    file: File | None = None,
    notes: Sequence[str] = (),
    consistency: Consistency = Consistency.MOMENT,
    memberships: Memberships | None = None,
    group_clubs: Mapping[str, Sequence[str]] | None = None,
    by_membership: bool = False,
) -> Reading:
    """Merge repeated ids and write the certificate, by the same rules for every connector (R14).

    In a file, rows that repeat an id word for word count once, and rows of one id that differ only in their group and
    its dates are one person with all those groups. In pages any repeated id means that rows moved while they were
    read: not certified. Rows of one id that differ otherwise make the record unknown this time, and nothing is
    certified. A row without an id is kept apart, and doubts nothing; totals and notes are no records (`footers`).

    Groups whose id is too long are left out, and names are shortened (`bounded_groups`).

    Rows of a file of a chain stay apart, each with its `clubs` (R29): they are merged club by club.

    :param customers: `CUSTOMER_SCHEMA`, all rows received, in order; of a chain also `clubs` (`chains.CLUBS`).
    :param doubts: what the connector itself could not prove (last page not seen, a page twice, …).
    :param since: only what changed since then was read: whoever is missing has not changed.
    :param numbers: the number by which a person finds each row; None: they are counted from 1.
    :param consistency, memberships: see `Reading`.
    """
    groups = bounded_groups(groups)
    why = [*doubts, *(memberships.doubts if memberships else ())]
    if since is not None:
        why.append(message(f"{ONLY_CHANGES} {since:%Y-%m-%d %H:%M} UTC was read."))
    rows = customers.height
    if total is not None and total != rows:
        why.append(
            message(
                f"The ERP states a total of {total}, but the number of customers received is {rows}."
            )
        )
    conflicting: tuple[str, ...] = ()
    without_id = None
    in_clubs = "clubs" in customers.columns or group_clubs is not None
    if file is not None and rows:
        customers, nobodys = footers.apart(customers)
        file = replace(file, footer=file.footer or nobodys)
    # a file may have no column of ids; an API whose only record has none has lost it
    if rows and (paged or customers["erp_id"].null_count() < customers.height):
        customers, without_id = _with_ids(customers, numbers)
        if paged or not in_clubs:
            customers, conflicting, doubt = _once_each(customers, paged)
            why.extend(doubt)
    elif rows and not paged and not in_clubs:
        customers = _memberships_joined(customers)
    return Reading(
        customers=customers,
        groups=groups,
        certificate=Certificate(
            complete=not why, doubts=tuple(why), rows=rows, total=total, pages=pages
        ),
        as_of=as_of,
        conflicting_ids=conflicting,
        columns=tuple(name.replace("\x00", "") for name in columns),
        column_of={k: name.replace("\x00", "") for k, name in (column_of or {}).items()},
        decided_by=tuple(decided_by),
        since=since,
        notes=tuple(notes),
        without_id=without_id,
        file=file,
        consistency=consistency,
        memberships=memberships,
        paged=paged,
        group_clubs=group_clubs,
        by_membership=by_membership,
    )


def once_each(customers: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...], list[str]]:
    """Rows of a file as customers, each once: the customers, the ids whose rows contradict one another, and the doubts
    that follow (`assemble`).

    :param customers: `CUSTOMER_SCHEMA`, without rows that lack an id where others have one.
    """
    if customers.is_empty():
        return customers, (), []
    if customers["erp_id"].null_count() == customers.height:
        return _memberships_joined(customers), (), []
    return _once_each(customers, False)


def _with_ids(
    customers: pl.DataFrame, numbers: pl.Series | None
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows with an id, and `Reading.without_id`."""
    lacking = customers["erp_id"].is_null()
    if not lacking.any():
        return customers, None
    if numbers is None:
        numbers = pl.int_range(1, customers.height + 1, eager=True)
    apart = customers.with_columns(row=numbers.cast(pl.Int64)).filter(lacking)
    return customers.filter(~lacking), apart


def _once_each(
    customers: pl.DataFrame, paged: bool
) -> tuple[pl.DataFrame, tuple[str, ...], list[str]]:
    """Each id once: the customers, the ids whose rows contradict one another, and the doubts that follow."""
    repeated = customers.filter(pl.col("erp_id").is_duplicated())
    if repeated.is_empty():
        return customers, (), []
    n = repeated["erp_id"].n_unique()
    first_seen = customers.select("erp_id").unique(maintain_order=True)
    if not paged:
        repeated = _joined(repeated, "erp_id")
    distinct = repeated.unique(maintain_order=True)
    conflicting = tuple(distinct.filter(pl.col("erp_id").is_duplicated())["erp_id"].unique().sort())
    why = []
    if paged:
        why.append(
            message(
                f"Rows moved while they were read: {n} {'ids' if n != 1 else 'id'} came more than once."
            )
        )
    elif conflicting:
        many = len(conflicting)
        why.append(
            message(
                f"{many} {'ids are' if many != 1 else 'id is'} in the file several times with different content."
            )
        )
    agreed = distinct.filter(~pl.col("erp_id").is_in(conflicting))
    single = customers.filter(~pl.col("erp_id").is_duplicated())
    once = first_seen.join(
        pl.concat([single, agreed]), on="erp_id", how="inner", maintain_order="left"
    )
    return once.select(customers.columns), conflicting, why


def _joined(repeated: pl.DataFrame, key: str) -> pl.DataFrame:
    """Rows of one person that differ only in their group and its dates -> one row, with all those groups, each with
    the dates of its row; the others as they are.

    A row without a group has no dates of one: its dates are the person's own, in which the rows then differ.

    :param repeated: `CUSTOMER_SCHEMA`, and `key`, which every row shares with another.
    """
    rows = repeated.unique(
        [c for c in repeated.columns if c != "modified_at"], keep="first", maintain_order=True
    )
    person = pl.struct(_ONE_PERSON)
    dated = pl.col("valid_from").is_not_null() | pl.col("valid_until").is_not_null()
    rows = rows.with_columns(
        one=(pl.len().over(key) > 1)
        & (person.n_unique().over(key) == 1)
        & ~((pl.col("groups").list.len() == 0) & dated).any().over(key)
    )
    theirs = rows.filter("one")
    if theirs.is_empty():
        return rows.drop("one")
    spans = (
        theirs.select(key, "groups", "valid_from", "valid_until")
        .filter(pl.col("groups").list.len() > 0)
        .explode("groups")
        .select(
            key,
            groups=pl.struct(
                id=pl.col("groups").struct.field("id"),
                valid_from=pl.coalesce(pl.col("groups").struct.field("valid_from"), "valid_from"),
                valid_until=pl.coalesce(
                    pl.col("groups").struct.field("valid_until"), "valid_until"
                ),
            ).cast(GROUP_REF),
        )
        .unique(maintain_order=True)
        .group_by(key, maintain_order=True)
        .agg("groups")
    )
    none = pl.lit(None, dtype=pl.Date)
    nothing = pl.lit([], dtype=pl.List(UNREADABLE))
    people = (
        theirs.with_columns(
            pl.col("modified_at").max().over(key), valid_from=none, valid_until=none
        )
        .unique(key, keep="first", maintain_order=True)
        .drop("groups", "unreadable")
        .join(spans, on=key, how="left", maintain_order="left")
        .join(_notes_joined(theirs, key), on=key, how="left", maintain_order="left")
        .with_columns(
            pl.col("groups").fill_null(pl.lit([], dtype=pl.List(GROUP_REF))),
            pl.col("unreadable").fill_null(nothing),
        )
    )
    return pl.concat([rows.filter(~pl.col("one")), people.select(rows.columns)]).drop("one")


def _notes_joined(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """What cannot be read of the rows of one person: key, `unreadable`; a row's dates are those of its groups."""
    note = pl.col("unreadable").struct
    of_row = note.field("field").is_in(["valid_from", "valid_until"])
    group = pl.coalesce(
        note.field("group"), pl.when(of_row).then(pl.col("groups").struct.field("id"))
    )
    return (
        rows.select(key, "groups", "unreadable")
        .filter(pl.col("unreadable").list.len() > 0)
        .explode("unreadable")
        .explode("groups")
        .select(
            key,
            unreadable=pl.struct(
                field=note.field("field"), word=note.field("word"), group=group
            ).cast(UNREADABLE),
        )
        .unique(maintain_order=True)
        .group_by(key, maintain_order=True)
        .agg("unreadable")
    )


def _memberships_joined(customers: pl.DataFrame) -> pl.DataFrame:
    """The same for a file without ids: rows that have a key of R1 in common, and all else but group and dates."""
    named = pl.col("first_name").is_not_null() | pl.col("last_name").is_not_null()
    keyed = pl.col("email").is_not_null() | (
        named & (pl.col("phone").is_not_null() | pl.col("birth_date").is_not_null())
    )
    person = pl.struct(_ONE_PERSON)
    held = (pl.col("groups").list.len() > 0).any().over(_ONE_PERSON)
    again = keyed & person.is_duplicated() & held
    if not customers.select(again.any()).item():
        return customers
    marked = customers.with_row_index("at").with_columns(
        again=again, who=pl.col("at").min().over(_ONE_PERSON)
    )
    repeated = marked.filter("again").drop("at", "again")
    one = _joined(repeated, "who").with_columns(at="who").select("at", *CUSTOMER_SCHEMA.names())
    rest = marked.filter(~pl.col("again")).select("at", *CUSTOMER_SCHEMA.names())
    return pl.concat([rest, one]).sort("at", maintain_order=True).drop("at")
