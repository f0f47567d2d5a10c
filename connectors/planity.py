"""Planity, the French salons' tool: the customer file's export in a file drop.

Based on docs/erps/planity.md. What the vendor documents: a card has a name, phone, e-mail, gender, birth date
and address; it is found by name or phone; duplicates are merged by hand; a customer may be blocked from booking
online, which is matched on the mobile phone, and is then asked to call. There is no public API; the format of the
export is not documented.

Inferred, documented nowhere, therefore settable:

- [inf] the columns' names (`columns`), `;` as delimiter, cp1252 or UTF-8 with BOM (both are recognised);
- [inf] dates as dd/mm/yyyy, phones as `06 12 34 56 78`;
- [inf] the export has no column of ids. Identity is then found by e-mail, phone and name (R1), and `erp_id`
  is null. A phone is not an id: families share one, people change it. If an export has ids, name their
  column in `columns.id`;
- [inf] whoever has a card is a customer.

Decisions:

- Most cards have no e-mail: that is normal here, and no doubt about the file.
- **"Bloqué RDV en ligne"** says that the person has to call instead of booking online, not that they have left:
  still active (R3: only the ERP's own statement takes access away). A club that blocks people to keep them
  out sets `blocked: suspended`; then a word that means neither yes nor no is unknown.
- Addresses and notes are dropped before anything is stored (R19).
- There are no groups: treatments and loyalty cards are not in the export.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from connectors.sdk import cells, fields, words
from connectors.sdk.base import CustomerFields, Settings
from connectors.sdk.dates import Dates
from connectors.sdk.errors import ContractChanged
from connectors.sdk.files.drop import (
    DropConnector,
    DropSettings,
    described,
    open_drop,
    read_table,
)
from connectors.sdk.files.tabular import Table
from connectors.sdk.model import Reading, assemble, customers_frame, groups_frame


class Columns(CustomerFields):
    """[inf] The export's columns; null: the export has no such column. Names and phone are required, and whatever
    the settings name.

    :param blocked: whether the customer may not book online.
    """

    id: str | None = None
    last_name: str = "Nom"
    first_name: str = "Prénom"
    phone: str = "Téléphone"
    email: str | None = "Email"
    gender: str | None = "Genre"
    birth_date: str | None = "Date de naissance"
    blocked: str | None = "Bloqué RDV en ligne"
    created_at: str | None = "Créé le"


class PlanitySettings(DropSettings):
    """Settings of the `planity` connector.

    :param columns: the columns of the customers' file.
    :param blocked: the status of somebody who may not book online.
    """

    customers: str = Field(default="clients*", min_length=1)
    columns: Columns = Columns()
    blocked: Literal["active", "suspended"] = "active"


class PlanityConnector(DropConnector[PlanitySettings]):
    """Reads a salon's customers from its newest Planity export."""

    name: ClassVar[str] = "planity"
    title: ClassVar[str] = "Planity"
    settings_type: ClassVar[type[Settings]] = PlanitySettings
    phone_centred: ClassVar[bool] = True
    answers_past: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read the newest export completely; `full` makes no difference to a file."""
        settings = self.settings
        with open_drop(self.connection, settings, until=self.until) as drop:
            table, content = read_table(
                drop,
                settings.customers,
                settings,
                columns={
                    "columns.first_name": settings.columns.first_name,
                    "columns.last_name": settings.columns.last_name,
                },
                parts=settings.parts,
            )
            table = table.only_filled(settings.columns.model_dump().values())
        column_of = self._column_of(table)
        customers = self._customers(table)
        self.progress(customers.height, content.rows)
        return assemble(
            customers,
            groups_frame([]),
            as_of=content.modified,
            paged=False,
            pages=1,
            total=None if content.rows is None else customers.height,
            columns=table.columns,
            column_of=column_of,
            numbers=table.numbers,
            notes=table.remarks,
            file=described(table, content),
        )

    def check(self) -> str:
        """Look for the file, without reading it."""
        with open_drop(self.connection, self.settings) as drop:
            return drop.check(self.settings.customers)

    def _column_of(self, table: Table) -> dict[str, str]:
        """Canonical field -> column, of those in the file.

        :raises ContractChanged: a required column, or one that the settings name, is not in the file.
        """
        c = self.settings.columns
        named = [getattr(c, name) for name in c.model_fields_set]
        # Without the column nobody would be blocked any more: all of them would regain access.
        blocked = c.blocked if self.settings.blocked == "suspended" else None
        table.need(x for x in (c.last_name, c.first_name, c.phone, blocked, *named) if x)
        columns = {"erp_id" if f == "id" else f: column for f, column in c.model_dump().items()}
        columns["status"] = columns.pop("blocked")
        return table.spelled(columns)

    def _customers(self, table: Table) -> pl.DataFrame:
        c = self.settings.columns
        frame = pl.DataFrame(
            {
                "erp_id": table.get(c.id),
                "email": table.get(c.email),
                "first_name": table.get(c.first_name),
                "last_name": table.get(c.last_name),
                "phone": fields.phones(table.get(c.phone), self.club.country),
                "birth_date": table.get(c.birth_date),
                "gender_raw": table.get(c.gender),
                "blocked": table.get(c.blocked),
                "created_at": table.get(c.created_at),
            }
        )
        customers = customers_frame(
            Dates(self.club)
            .read(frame)
            .with_columns(
                fields.gender(pl.col("gender_raw")).alias("gender"), self._status().alias("status")
            )
            .with_columns(status_raw=pl.when(pl.col("status") == "unknown").then("blocked"))
        )
        ids = customers["erp_id"]
        if c.id is not None and ids.len() and ids.null_count() == ids.len():
            raise ContractChanged(f"All ids in {table.name} are blank.")
        return customers

    def _status(self) -> pl.Expr:
        if self.settings.blocked == "active":
            return pl.lit("active")
        word = words.key(pl.when(~cells.blank(pl.col("blocked"))).then("blocked"))
        return (
            pl.when(word.is_in(words.words(words.TRUE_WORDS)))
            .then(pl.lit("suspended"))
            .when(word.is_null() | word.is_in(words.words(words.FALSE_WORDS)))
            .then(pl.lit("active"))
            .otherwise(pl.lit("unknown"))
        )
