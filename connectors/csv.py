"""Any tabular export (CSV, XLSX) in a file drop, by settings alone (docs/erps/csv.md).

What a cell means:

- **status**: one of `active_status` -> active; of `paused_status` -> paused; of `inactive_status` -> former; blank,
  and a word in none of the lists, -> unknown (R3). `other_status: inactive` states that every other word says "not
  active". Lists that are not set have the usual words of seven languages; a word that the settings list counts as
  they say, whatever the usual lists have. Without a `status` field everybody in the file is active.
- **groups**: a cell is split at `fields.group_separator`; if that is omitted, at each of `|`, `;` and `,`
  (the id of a listed group, and the name of a group that the club's settings name, are never split). It holds ids if
  a groups file is configured, otherwise names: then the groups are those named in the rows, all active, and
  spellings of one name are one group.
- **groups file**: `active` is one of `groups.active_values` -> true, one of `groups.inactive_values` -> false, blank,
  any other word, or no such column -> unknown. If it is missing or broken, the club fails, as with the customers' file.
- **words** and names of groups are compared in one form (`connectors.sdk.words`).
- **dates**: as `connectors.sdk.dates` says, each column in its own order of day and month; `date_format` (strptime)
  takes precedence. Moments without an offset are in the club's time zone.
- **errors** of a spreadsheet and words for "no value" are what `connectors.sdk.cells` says, in every column.
- **id**: without it `erp_id` is null in every row, and the engine finds identity by email, phone, name (R1).

Columns that no field names are dropped before anything is stored (R19); their names are kept for exports (R22).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from connectors.sdk import cells, chains, fields, words
from connectors.sdk.base import CustomerFields, Settings
from connectors.sdk.dates import DateFormat, Dates
from connectors.sdk.errors import ContractChanged, FileBroken, SettingsWrong
from connectors.sdk.files.drop import (
    DropConnector,
    DropSettings,
    described,
    open_drop,
    read_table,
)
from connectors.sdk.files.folder import FileDrop
from connectors.sdk.files.tabular import Table
from connectors.sdk.messages import message
from connectors.sdk.model import (
    GROUP_REF,
    GROUP_SCHEMA,
    IN_USE,
    Reading,
    Words,
    assemble,
    customers_frame,
)
from connectors.sdk.quoted import quoted
from connectors.sdk.words import ACTIVE_WORDS, INACTIVE_WORDS, TRUE_WORDS, UNUSED_WORDS, words_of

#: If the settings name no separator, each of these separates two groups.
_ANY_SEPARATOR = "|;,"
#: Fields whose blank cell says something: a row may not lack it, even where an export drops blank cells at its end.
_DECISIVE = (
    *("id", "email", "first_name", "last_name", "name", "status", "groups"),
    *("guardian_id", "replaced_by", "valid_from", "valid_until"),
)


class Fields(CustomerFields):
    """Canonical field -> the export's own column. Omitted or blank: the export does not have it.

    :param groups: the customer's groups, products or memberships.
    :param group_separator: not a column, but the separator of two groups in one cell; omitted: each of `|`, `;`, `,`.
    """

    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    phone: str | None = None
    birth_date: str | None = None
    gender: str | None = None
    country: str | None = None
    status: str | None = None
    groups: str | None = None
    group_separator: str | None = None
    guardian_id: str | None = None
    created_at: str | None = None
    modified_at: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    replaced_by: str | None = None

    @field_validator("*", mode="after")
    @classmethod
    def _blank_is_none(cls, value: str | None) -> str | None:
        return value if value and (value.strip() or value.isspace()) else None

    def columns(self) -> dict[str, str]:
        """Canonical field -> column, of those that are configured."""
        return {
            name: column.strip()
            for name, column in self.model_dump(exclude={"group_separator"}).items()
            if column and column.strip()
        }


class GroupsFile(Settings):
    """The ERP's own list of groups, in a second file.

    :param file: its path or glob below the connection's folder; the customers' workbook, if it is another sheet.
    :param id: the column of the group's id.
    :param name: the column of its name; may be missing from the file unless it is set here.
    :param active: the column of whether it is active; may be missing from the file unless it is set here.
    :param active_values: words of the `active` column that mean yes.
    :param inactive_values: words that mean no; a word in neither list is unknown.
    :param sheet, header_row: as of the customers' file; `sheet` is the same one unless it is set here.
    """

    file: str = Field(min_length=1)
    id: str = "id"
    name: str = "name"
    active: str = "active"
    active_values: tuple[str, ...] = TRUE_WORDS
    inactive_values: tuple[str, ...] = UNUSED_WORDS
    sheet: Annotated[int, Field(ge=0)] | str | None = None
    header_row: int | None = Field(default=None, ge=1)

    @field_validator("active_values", "inactive_values", mode="before")
    @classmethod
    def _as_words(cls, values: object) -> object:
        # YAML reads yes, true and 1 as booleans and numbers: here they are words.
        return words_of(values)


class CsvSettings(DropSettings):
    """Settings of the `csv` connector. docs/erps/csv.md says what a cell means.

    :param fields: the column of each field.
    :param active_status: words of the `status` column that mean active; default: the usual ones of seven languages.
    :param paused_status: words that mean paused.
    :param inactive_status: words that mean not active; default: the usual ones.
    :param other_status: what a word in none of the lists means: `unknown` (nothing changes) or `inactive`.
    :param date_format: strptime pattern of days and moments, tried before the usual ones.
    :param groups: the ERP's own list of groups, in a second file.
    """

    fields: Fields
    active_status: tuple[str, ...] = ACTIVE_WORDS
    paused_status: tuple[str, ...] = ()
    inactive_status: tuple[str, ...] = INACTIVE_WORDS
    other_status: Literal["unknown", "inactive"] = "unknown"
    date_format: DateFormat | None = None
    groups: GroupsFile | None = None

    @field_validator("active_status", "paused_status", "inactive_status", mode="before")
    @classmethod
    def _as_words(cls, values: object) -> object:
        return words_of(values)

    @model_validator(mode="after")
    def _each_word_once(self) -> CsvSettings:
        if twice := words.in_two(self._lists(stated=True)):
            raise ValueError(message(f"in two lists of status words: {', '.join(twice)}"))
        return self

    def status_of(self) -> dict[str, str]:
        """Word (`connectors.sdk.words`) -> status; the lists that the settings state come before the usual ones."""
        usual = words.meanings(self._lists(stated=False))
        return {**usual, **words.meanings(self._lists(stated=True))}

    def _lists(self, *, stated: bool) -> dict[str, tuple[str, ...]]:
        named = {"former": "inactive_status", "active": "active_status", "paused": "paused_status"}
        return {
            status: getattr(self, name)
            for status, name in named.items()
            if (name in self.model_fields_set) is stated
        }


class CsvConnector(DropConnector[CsvSettings]):
    """Reads a club's customers, and groups where configured, from its newest export."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV or Excel export"
    settings_type: ClassVar[type[Settings]] = CsvSettings
    answers_past: ClassVar[bool] = True
    names_clubs: ClassVar[tuple[str, ...]] = ("record", "group")

    def read(self, *, full: bool = False) -> Reading:
        """Read the newest export completely; `full` makes no difference to a file."""
        settings = self.settings
        column_of = settings.fields.columns()
        used = (*column_of.values(), *self._club_column("record"))
        with open_drop(self.connection, settings, until=self.until) as drop:
            whole, content = read_table(
                drop,
                settings.customers,
                settings,
                exclude=self._groups_pattern,
                columns={
                    **{f"fields.{name}": column for name, column in column_of.items()},
                    **dict(zip(("members.at",), self._club_column("record"), strict=False)),
                },
                decisive=(
                    *(column_of.get(name) for name in _DECISIVE),
                    *self._club_column("record"),
                ),
                parts=settings.parts,
            )
            whole.need(used)
            listed, group_clubs, remarks, of_groups = self._listed_groups(drop)
        table = whole.only_filled(used)
        customers, said = self._customers(table, listed)
        groups = listed if listed is not None else _derived_groups(customers)
        members = self.club.members
        if members is not None and members.of == "record":
            cells_of_club = fields.ids(table.get(members.at))
            customers = customers.with_columns(
                chains.column(cells_of_club, members, settings.fields.group_separator)
            )
        self.progress(customers.height, customers.height)
        reading = assemble(
            customers,
            groups,
            as_of=content.modified,
            paged=False,
            pages=1 if settings.groups is None else 2,
            total=None if content.rows is None else customers.height,
            columns=table.columns,
            column_of=_canonical(table.spelled(column_of)),
            numbers=table.numbers,
            notes=(*table.remarks, *remarks),
            file=described(table, content),
            group_clubs=group_clubs,
        )
        return replace(reading, words=(*said, *of_groups))

    def _club_column(self, of: str) -> tuple[str, ...]:
        """The column in which a chain's records, or groups, name their club (R29), if any."""
        members = self.club.members
        return (members.at,) if members is not None and members.of == of else ()

    def check(self) -> str:
        """Look for the files, without reading them."""
        with open_drop(self.connection, self.settings) as drop:
            found = drop.check(self.settings.customers, exclude=self._groups_pattern)
            if self.settings.groups is not None:
                groups = drop.check(self.settings.groups.file)
                found += " " + message(f"Groups: {groups}")
        return found

    @property
    def _groups_pattern(self) -> str | None:
        """The groups' file, unless it is another sheet of the customers' workbook."""
        groups = self.settings.groups
        return groups.file if groups and groups.file != self.settings.customers else None

    # customers

    def _customers(
        self, table: Table, listed: pl.DataFrame | None
    ) -> tuple[pl.DataFrame, list[Words]]:
        """`CUSTOMER_SCHEMA`, and the words of the status."""
        settings, f = self.settings, self.settings.fields.model_copy()
        column_of = f.columns()

        def cell(name: str) -> pl.Series:
            return table.get(column_of.get(name))

        formats = (settings.date_format,) if settings.date_format else ()
        frame = pl.DataFrame(
            {
                "erp_id": fields.ids(cell("id")),
                "email": cell("email"),
                "first_name": cell("first_name"),
                "last_name": cell("last_name"),
                "phone": fields.phones(cell("phone"), self.club.country),
                "birth_date": cell("birth_date"),
                "gender_raw": cell("gender"),
                "country_raw": cell("country"),
                "status_word": cell("status"),
                "valid_from": cell("valid_from"),
                "valid_until": cell("valid_until"),
                "guardian_id": fields.ids(cell("guardian_id")),
                "replaced_by": fields.ids(cell("replaced_by")),
                "created_at": cell("created_at"),
                "modified_at": cell("modified_at"),
                "groups": _group_refs(
                    cell("groups"), f.group_separator, listed, self.club.group_names
                ),
            }
        )
        frame = Dates(self.club, formats).read(frame)
        if "name" in column_of:
            split = fields.split_names(cell("name"))
            frame = frame.with_columns(
                pl.coalesce("first_name", split["first_name"]).alias("first_name"),
                pl.coalesce("last_name", split["last_name"]).alias("last_name"),
            )
        frame = frame.with_columns(
            fields.gender(pl.col("gender_raw")).alias("gender"),
            fields.country(pl.col("country_raw")).alias("country"),
            self._status("status" in column_of).alias("status"),
            guardian_id=_other("guardian_id"),
            replaced_by=_other("replaced_by"),
        )
        frame = frame.with_columns(
            status_raw=pl.when(pl.col("status") == "unknown").then("status_word")
        )
        customers = customers_frame(frame)
        ids = customers["erp_id"]
        if "id" in column_of and ids.len() and ids.null_count() == ids.len():
            raise ContractChanged(
                f"All ids in {table.name} are blank: column {column_of['id']!r}, settings: fields.id.",
                remedy="Name another column there, or none: without ids, people are found by email, phone and name.",
            )
        if "status" not in column_of:
            return customers, []
        named = ("active_status", "paused_status", "inactive_status")
        stated = {
            name: getattr(settings, name) for name in named if name in settings.model_fields_set
        }
        return customers, [Words.of_status(column_of["status"], frame, stated)]

    def _status(self, configured: bool) -> pl.Expr:
        if not configured:
            return pl.lit("active")
        said = pl.col("status_word")
        listed = words.key(said).replace_strict(
            self.settings.status_of(), default=None, return_dtype=pl.String
        )
        # a word that says nothing, or cannot be read, means something only where it is listed (R3)
        nothing = said.is_null() | cells.blank(said) | cells.unreadable(said)
        other = "former" if self.settings.other_status == "inactive" else "unknown"
        return pl.coalesce(
            listed, pl.when(nothing).then(pl.lit("unknown")).otherwise(pl.lit(other))
        )

    # groups

    def _listed_groups(
        self, drop: FileDrop
    ) -> tuple[pl.DataFrame | None, dict[str, list[str]] | None, list[str], list[Words]]:
        """The groups file: `GROUP_SCHEMA` (None: no file is configured), the clubs of each group if it names them
        (R29), remarks on it, and its words."""
        given, clubs = self.settings.groups, self._club_column("group")
        if given is None:
            if clubs:
                raise SettingsWrong(
                    "`members` reads the club of a group from the groups file, and none is configured.",
                    remedy="Set settings: groups.file, or `of: record` in `members`.",
                )
            return None, None, [], []
        sheet = given.sheet if given.sheet is not None else self.settings.sheet
        layout = {"sheet": sheet, "header_row": given.header_row}
        needed = {
            **{
                f"groups.{c}": getattr(given, c)
                for c in ("id", "name", "active")
                if c == "id" or c in given.model_fields_set
            },
            **dict(zip(("members.at",), clubs, strict=False)),
        }
        table, _ = read_table(
            drop, given.file, self.settings.model_copy(update=layout), columns=needed
        )
        table.need(needed.values())
        table = table.only_filled([given.id, given.name, given.active, *clubs])
        of_groups = self._clubs_of_groups(table, given.id) if clubs else None
        groups = pl.DataFrame(
            {
                "id": fields.ids(cells.valued(table.get(given.id))),
                "name": cells.valued(table.get(given.name)),
                "word": cells.valued(table.get(given.active)),
            }
        ).select(
            pl.when(~cells.unreadable(pl.col("id"))).then("id"),
            pl.coalesce("name", "id").alias("name"),
            words.truth(pl.col("word"), given.active_values, given.inactive_values).alias("active"),
            "word",
        )
        lists = {
            f"groups.{name}": getattr(given, name)
            for name in ("active_values", "inactive_values")
            if name in given.model_fields_set
        }
        meant = ((word, IN_USE[active]) for word, active in groups.select("word", "active").rows())
        said = [Words.of_groups(given.active, meant, lists)]
        groups = groups.drop("word")
        notes = list(table.remarks)
        if blank := groups["id"].null_count():
            # whoever is in such a group has a group that is not listed, which changes nothing (R3)
            notes.append(message(f"Rows of {table.name} without an id: {blank}."))
        numbers = (
            table.numbers if table.numbers.len() else pl.int_range(2, groups.height + 2, eager=True)
        )
        rows = groups.with_columns(number=numbers).filter(pl.col("id").is_not_null())
        groups = groups.filter(pl.col("id").is_not_null()).unique(maintain_order=True)
        twice = groups.filter(pl.col("id").is_duplicated())["id"].unique().sort()
        if twice.len():
            where = ", ".join(map(str, rows.filter(pl.col("id") == twice[0])["number"].head(5)))
            raise FileBroken(
                f"{table.name} has group {quoted(twice[0])} several times with different content: rows {where}.",
                remedy="Ask for an export with one row per group, or name another column in settings: groups.id. "
                "Until then the club's customers stay as they are.",
            )
        words_of = said if table.column(given.active) else []
        return groups.cast(GROUP_SCHEMA), of_groups, notes, words_of

    def _clubs_of_groups(self, table: Table, key: str) -> dict[str, list[str]]:
        """The clubs that each group of the groups file names, in one row or several."""
        ids, found = fields.ids(cells.valued(table.get(key))), dict[str, list[str]]()
        separator, members = self.settings.fields.group_separator, self.club.members
        if members is not None:
            parts = chains.splitter(members, separator)
            for group, cell in zip(ids, fields.ids(table.get(members.at)), strict=True):
                if group is not None:
                    found.setdefault(group, []).extend(chains.names(parts(cell)))
        return found


def _other(name: str) -> pl.Expr:
    """The id of another record: a record is never its own guardian or successor, and 0 means none."""
    other = pl.col(name)
    return pl.when(other.ne_missing(pl.col("erp_id")) & (other.str.strip_chars() != "0")).then(
        other
    )


def _canonical(column_of: dict[str, str]) -> dict[str, str]:
    """The settings' names of fields -> the canonical ones; both names come from `name`."""
    out = {"erp_id" if f == "id" else f: c for f, c in column_of.items() if f != "name"}
    if "name" in column_of:
        out = {"first_name": column_of["name"], "last_name": column_of["name"], **out}
    return out


def _group_refs(
    values: pl.Series, separator: str | None, listed: pl.DataFrame | None, named: Iterable[str]
) -> pl.Series:
    """Cells -> lists of `GROUP_REF` without dates; a group that a cell names twice counts once.

    :param listed: the groups file's groups; None: the names in the cells are the groups.
    :param named: names of groups that the club's settings name.
    """
    ids = set[str]()
    if listed is not None:
        ids, values = set(listed["id"]), fields.ids(values)
    whole = words.words([*ids, *named])
    separators = [separator] if separator is not None else list(_ANY_SEPARATOR)
    counted = dict(values.drop_nulls().value_counts().iter_rows())
    split = {
        cell: [cell] if cell in ids else words.split_names(cell, separators, whole)
        for cell in counted
    }
    id_of = _listed_ids(ids) if listed is not None else _spellings(split, counted)
    refs = [
        [
            {"id": group, "valid_from": None, "valid_until": None}
            for group in dict.fromkeys(id_of(name) for name in names)
            if group
        ]
        for names in split.values()
    ]
    table = pl.DataFrame(
        {"cell": list(split), "groups": refs},
        schema={"cell": pl.String, "groups": pl.List(GROUP_REF)},
    )
    return pl.DataFrame({"cell": values}, schema={"cell": pl.String}).join(
        table, on="cell", how="left", maintain_order="left"
    )["groups"]


def _listed_ids(ids: set[str]) -> Callable[[str], str | None]:
    """A name in a cell -> the listed id that it is: as it stands, or else as a word, where that is one id's alone."""
    forms = Counter(map(words.word, ids))
    by_word = {words.word(i): i for i in ids if forms[words.word(i)] == 1}
    return lambda name: name if name in ids else by_word.get(words.word(name), name)


def _spellings(
    split: Mapping[str, list[str]], counted: Mapping[str, int]
) -> Callable[[str], str | None]:
    """A name in a cell -> the spelling under which it is a group (`words.one_spelling`).

    :param split: cell -> the names in it; `counted`: cell -> how many rows have it.
    """
    rows = Counter[str]()
    for cell, names in split.items():
        for name in names:
            rows[name] += counted[cell]
    return words.one_spelling(rows).__getitem__


def _derived_groups(customers: pl.DataFrame) -> pl.DataFrame:
    """The groups that the rows name, all active: for an ERP without a list of groups."""
    ids = (
        customers["groups"].explode().struct.field("id").drop_nulls().unique().sort()
        if customers.height
        else pl.Series("id", [], dtype=pl.String)
    )
    return pl.DataFrame({"id": ids, "name": ids, "active": [True] * ids.len()}, schema=GROUP_SCHEMA)
