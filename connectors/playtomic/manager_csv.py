"""The customer file of the Playtomic Manager, dropped into a folder.

Columns as the Manager's own import requires them [doc] (docs/erps/playtomic.md): name, email, phone_number, gender,
birthdate, category_name, category_expires, and in newer versions benefit_price_id and next_due_date, which the
sync does not need. They are separated by commas, as spreadsheets write them. No header may be missing.

There is no column of ids: identity is found by the engine (R1), `erp_id` is null in every row. Who is in
the file is active; the category is the customer's group, until `category_expires` (its last day [inf]).
[inf] Several categories of one person are several rows that are otherwise equal; they are merged into one.
"""

from __future__ import annotations

import polars as pl

from connectors.sdk import cells, fields, words
from connectors.sdk.base import Club, Connection
from connectors.sdk.dates import Dates, Kind
from connectors.sdk.files.drop import DropSettings, described, open_drop, read_table
from connectors.sdk.files.tabular import Table
from connectors.sdk.model import (
    GROUP_REF,
    UNREADABLE,
    Reading,
    assemble,
    customers_frame,
    groups_frame,
    noted,
    with_notes,
)

#: canonical field -> column.
COLUMN_OF = {
    "first_name": "name",
    "last_name": "name",
    "email": "email",
    "phone": "phone_number",
    "gender": "gender",
    "birth_date": "birthdate",
    "groups": "category_name",
}

NEEDED = (*dict.fromkeys(COLUMN_OF.values()), "category_expires")


def read(connection: Connection, club: Club, settings: DropSettings) -> Reading:
    """Read the newest file.

    :raises ConnectorError: no file, or not a complete one with the expected columns (R14).
    """
    with open_drop(connection, settings) as drop:
        table, content = read_table(
            drop, settings.customers, settings, columns=NEEDED, parts=settings.parts
        )
    table.need(NEEDED)
    table = table.only_filled(NEEDED)
    names = _categories(table).drop_nulls().unique(maintain_order=True)
    return assemble(
        _customers(table, club),
        groups_frame([{"id": name, "name": name, "active": True} for name in names]),
        as_of=content.modified,
        paged=False,
        pages=1,
        columns=table.columns,
        column_of=table.spelled(COLUMN_OF),
        file=described(table, content),
        notes=table.remarks,
    )


def check(connection: Connection, settings: DropSettings) -> str:
    """A sentence that says which files there are."""
    with open_drop(connection, settings) as drop:
        return drop.check(settings.customers)


def _categories(table: Table) -> pl.Series:
    return words.spellings(cells.valued(table.get("category_name")))


def _customers(table: Table, club: Club) -> pl.DataFrame:
    born, expires = table.get("birthdate"), table.get("category_expires")
    dates = Dates(club)
    until, odd = dates.days(expires, others=[born])
    birth, odd_birth = dates.days(born, Kind.BIRTH, others=[expires])
    person = pl.DataFrame(
        [
            *fields.split_names(cells.valued(table.get("name"))).get_columns(),
            table.get("email").alias("email"),
            fields.phones(table.get("phone_number"), club.country).alias("phone"),
            table.get("gender").alias("gender"),
            birth.alias("birth_date"),
            odd_birth.alias("odd_birth"),
        ]
    ).with_columns(fields.gender(pl.col("gender")))
    held = pl.struct(
        pl.col("category").alias("id"),
        pl.lit(None, dtype=pl.Date).alias("valid_from"),
        pl.col("until").alias("valid_until"),
    )
    note = pl.struct(field=pl.lit("valid_until"), word="odd", group="category")
    has = pl.col("category").is_not_null()
    folded = (
        person.with_columns(
            _categories(table).alias("category"), until.alias("until"), odd.alias("odd")
        )
        .group_by(person.columns, maintain_order=True)
        .agg(
            held.filter(has).cast(GROUP_REF).alias("groups"),
            note.filter(has & pl.col("odd").is_not_null()).cast(UNREADABLE).alias("unreadable"),
        )
    )
    folded = with_notes(folded.drop("odd_birth"), [noted("birth_date", folded["odd_birth"])])
    return customers_frame(folded.with_columns(pl.lit("active").alias("status")))
