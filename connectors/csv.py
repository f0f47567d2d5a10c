"""Any tabular export (CSV, XLSX) in a file drop, by settings alone (docs/erps/csv.md).

What a cell means:

- **status**: one of `active_status` -> active; of `paused_status` -> paused; blank -> unknown; any other word
  is the ERP's plain statement that the person is not active -> former. If `inactive_status` is set, only
  its words are former, and words in none of the lists are unknown. Without a `status` field everybody in the
  file is active. Words are compared trimmed and in lower case.
- **groups**: a cell is split at `fields.group_separator`; if that is omitted, at each of `|`, `;` and `,`
  (a cell that as a whole is the id of a listed group is never split). It holds ids if a groups file is
  configured, otherwise names: then the groups are those named in the rows, all active.
- **groups file**: `active` is one of `groups.active_values` -> true, any other word -> false, blank or no such
  column -> the ERP does not say. If it is missing or broken, the club fails, as with the customers' file.
- **dates**: ISO first, then dd/mm/yyyy with `/`, `.` or `-`; `date_format` (strptime) takes precedence. Moments
  without an offset are in the club's time zone.
- **id**: without it `erp_id` is null in every row, and the engine finds identity by email, phone, name (R1).

Columns that no field names are dropped before anything is stored (R19); their names are kept for exports (R22).
"""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from pydantic import Field, field_validator

from connectors.sdk import fields
from connectors.sdk.base import Settings
from connectors.sdk.errors import ContractChanged, FileBroken
from connectors.sdk.fields import ACTIVE_WORDS, TRUE_WORDS, words_of
from connectors.sdk.files.drop import DropConnector, DropSettings, open_drop, read_table
from connectors.sdk.files.folder import FileDrop
from connectors.sdk.files.tabular import Table
from connectors.sdk.model import GROUP_REF, GROUP_SCHEMA, Reading, assemble, customers_frame

#: If the settings name no separator, each of these separates two groups.
_ANY_SEPARATOR = "|;,"


class Fields(Settings):
    """Canonical field -> the export's own column. Omitted or blank: the export does not have it.

    :param group_separator: not a column, but the separator of two groups in one cell.
    :param name: first and last name in one column (rule: `fields.split_name`), if there are not two.
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

    :param id, name, active: its columns; `name` and `active` may be missing from the file unless they are
        set here.
    :param active_values: words of the `active` column that mean yes.
    """

    file: str = Field(min_length=1)
    id: str = "id"
    name: str = "name"
    active: str = "active"
    active_values: tuple[str, ...] = TRUE_WORDS

    @field_validator("active_values", mode="before")
    @classmethod
    def _as_words(cls, values: object) -> object:
        # YAML reads yes, true and 1 as booleans and numbers: here they are words.
        return words_of(values)


class CsvSettings(DropSettings):
    """Settings of the `csv` connector; the module describes them."""

    fields: Fields
    active_status: tuple[str, ...] = ACTIVE_WORDS
    paused_status: tuple[str, ...] = ()
    inactive_status: tuple[str, ...] | None = None
    date_format: str | None = None
    groups: GroupsFile | None = None

    @field_validator("active_status", "paused_status", "inactive_status", mode="before")
    @classmethod
    def _as_words(cls, values: object) -> object:
        return words_of(values)


class CsvConnector(DropConnector[CsvSettings]):
    """Reads a club's customers, and groups where configured, from its newest export."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV or Excel export"
    settings_type: ClassVar[type[Settings]] = CsvSettings
    answers_past: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read the newest export completely; `full` makes no difference to a file."""
        settings = self.settings
        column_of = settings.fields.columns()
        with open_drop(self.connection, settings, until=self.until) as drop:
            table, content = read_table(
                drop, settings.customers, settings, exclude=self._groups_pattern
            )
            table.need(column_of.values())
            listed, doubts = self._listed_groups(drop)
        customers = self._customers(table, listed)
        groups = listed if listed is not None else _derived_groups(customers)
        self.progress(customers.height, content.rows)
        return assemble(
            customers,
            groups,
            as_of=content.modified,
            paged=False,
            pages=1 if settings.groups is None else 2,
            total=content.rows,
            doubts=doubts,
            columns=table.columns,
            column_of=_canonical(column_of),
        )

    def check(self) -> str:
        """Look for the files, without reading them."""
        with open_drop(self.connection, self.settings) as drop:
            found = drop.check(self.settings.customers, exclude=self._groups_pattern)
            if self.settings.groups is not None:
                found += " Groups: " + drop.check(self.settings.groups.file)
        return found

    @property
    def _groups_pattern(self) -> str | None:
        return self.settings.groups.file if self.settings.groups else None

    # customers

    def _customers(self, table: Table, listed: pl.DataFrame | None) -> pl.DataFrame:
        settings, f = self.settings, self.settings.fields.model_copy()
        column_of = f.columns()

        def cell(name: str) -> pl.Series:
            return table.get(column_of.get(name))

        formats = (settings.date_format,) if settings.date_format else ()
        frame = pl.DataFrame(
            {
                "erp_id": cell("id"),
                "email": cell("email"),
                "first_name": cell("first_name"),
                "last_name": cell("last_name"),
                "phone": fields.phones(cell("phone"), self.club.country),
                "birth_date": fields.dates(cell("birth_date"), formats),
                "gender_raw": cell("gender"),
                "country_raw": cell("country"),
                "status_word": cell("status"),
                "valid_from": fields.dates(cell("valid_from"), formats),
                "valid_until": fields.dates(cell("valid_until"), formats),
                "valid_until_raw": cell("valid_until"),
                "guardian_id": cell("guardian_id"),
                "replaced_by": cell("replaced_by"),
                "created_at": fields.moments(cell("created_at"), self.club.timezone, formats),
                "modified_at": fields.moments(cell("modified_at"), self.club.timezone, formats),
                "groups": _group_refs(cell("groups"), f.group_separator, listed),
            }
        )
        if "id" in column_of and frame.height and frame["erp_id"].null_count() == frame.height:
            raise ContractChanged(f"All ids in {table.name} are blank.")
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
            # A record is never its own guardian or successor.
            pl.when(pl.col("guardian_id").ne_missing(pl.col("erp_id")))
            .then("guardian_id")
            .alias("guardian_id"),
            pl.when(pl.col("replaced_by").ne_missing(pl.col("erp_id")))
            .then("replaced_by")
            .alias("replaced_by"),
        )
        # An end that cannot be read is not "no end": the record is unknown (R3).
        unread = pl.col("valid_until").is_null() & pl.col("valid_until_raw").is_not_null()
        frame = frame.with_columns(
            status_raw=pl.when(unread)
            .then(pl.col("valid_until_raw"))
            .when(pl.col("status") == "unknown")
            .then(pl.col("status_word")),
            status=pl.when(unread).then(pl.lit("unknown")).otherwise(pl.col("status")),
        )
        return customers_frame(frame)

    def _status(self, configured: bool) -> pl.Expr:
        if not configured:
            return pl.lit("active")
        settings = self.settings
        word = fields.key(pl.col("status_word"))
        paused = word.is_in(fields.words(settings.paused_status))
        active = word.is_in(fields.words(settings.active_status))
        known = (
            pl.when(word.is_null())
            .then(pl.lit("unknown"))
            .when(paused)
            .then(pl.lit("paused"))
            .when(active)
            .then(pl.lit("active"))
        )
        if settings.inactive_status is None:
            return known.otherwise(pl.lit("former"))
        former = word.is_in(fields.words(settings.inactive_status))
        return known.when(former).then(pl.lit("former")).otherwise(pl.lit("unknown"))

    # groups

    def _listed_groups(self, drop: FileDrop) -> tuple[pl.DataFrame | None, list[str]]:
        """The groups file: `GROUP_SCHEMA`, and its doubts; None: no file is configured."""
        given = self.settings.groups
        if given is None:
            return None, []
        table, _ = read_table(drop, given.file, self.settings)
        table.need(
            [
                given.id,
                *(getattr(given, c) for c in ("name", "active") if c in given.model_fields_set),
            ]
        )
        groups = pl.DataFrame(
            {
                "id": table.get(given.id),
                "name": table.get(given.name),
                "word": table.get(given.active),
            }
        ).select(
            "id",
            pl.coalesce("name", "id").alias("name"),
            fields.truth(pl.col("word"), given.active_values).alias("active"),
        )
        doubts = []
        if blank := groups["id"].null_count():
            doubts.append(f"Rows of {table.name} without an id: {blank}.")
            groups = groups.filter(pl.col("id").is_not_null())
        groups = groups.unique(maintain_order=True)
        twice = groups.filter(pl.col("id").is_duplicated())["id"].unique().sort()
        if twice.len():
            raise FileBroken(
                f"{table.name} has group {twice[0]} several times with different content."
            )
        return groups.cast(GROUP_SCHEMA), doubts


def _canonical(column_of: dict[str, str]) -> dict[str, str]:
    """The settings' names of fields -> the canonical ones; both names come from `name`."""
    out = {"erp_id" if f == "id" else f: c for f, c in column_of.items() if f != "name"}
    if "name" in column_of:
        out = {"first_name": column_of["name"], "last_name": column_of["name"], **out}
    return out


def _group_refs(cells: pl.Series, separator: str | None, listed: pl.DataFrame | None) -> pl.Series:
    """Cells -> lists of `GROUP_REF` without dates; a group that a cell names twice counts once."""
    known = set(listed["id"]) if listed is not None else set()
    separators = separator or _ANY_SEPARATOR

    def split(cell: str) -> list[str]:
        if cell in known:
            return [cell]
        if separator is not None:
            parts = cell.split(separator)
        else:
            parts = cell.translate({ord(s): "\0" for s in separators}).split("\0")
        return list(dict.fromkeys(p for p in map(str.strip, parts) if p))

    distinct = cells.drop_nulls().unique()
    refs = [
        [{"id": g, "valid_from": None, "valid_until": None} for g in split(cell)]
        for cell in distinct
    ]
    table = pl.DataFrame(
        {"cell": distinct, "groups": refs},
        schema={"cell": pl.String, "groups": pl.List(GROUP_REF)},
    )
    return pl.DataFrame({"cell": cells}, schema={"cell": pl.String}).join(
        table, on="cell", how="left", maintain_order="left"
    )["groups"]


def _derived_groups(customers: pl.DataFrame) -> pl.DataFrame:
    """The groups that the rows name, all active: for an ERP without a list of groups."""
    ids = (
        customers["groups"].explode().struct.field("id").drop_nulls().unique().sort()
        if customers.height
        else pl.Series("id", [], dtype=pl.String)
    )
    return pl.DataFrame({"id": ids, "name": ids, "active": [True] * ids.len()}, schema=GROUP_SCHEMA)
