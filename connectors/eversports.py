"""Eversports Manager: the customers' export (CSV or Excel) in a file drop, memberships in a second file.

Based on docs/erps/eversports.md. The provider API has no customer data [doc], so files are the way. What the
vendor documents: customers have a group, one of the states Added, Invited, Accepted (of their invitation,
not of their custom), and an optional e-mail; archived customers are not in the default list; family members
have no e-mail of their own; a merge may leave the source in the list with "(old)" after its name; an
erasure moves a person into one collective customer "Customer Deleted"; the list of active memberships has a
validity, `(!)` if its end was moved, and the last pause.

Inferred, documented nowhere, therefore settable:

- [inf] the columns' names, and `;` as delimiter: `columns` and `memberships_columns`;
- [inf] whoever is in the export is a current customer: Added, Invited and Accepted are all active
  (`active_status`); "Archived", should an export include it, is archived (`archived_status`); any other word,
  and a blank cell, is unknown; an export without the column holds active customers only;
- [inf] everybody has a customer number, and none is ever reused. Eversports lets it be blank: a club
  that does not fill it in sets `columns.id: null`, and identity is found by e-mail (R1);
- [inf] the family owner's customer number is in a column "Family owner", if the export has it;
- [inf] a company account is identified by a column "Account type".

Decisions:

- **"(old)"**: the remainder of a merge, never a customer. If exactly one other record has the same e-mail,
  that one is its successor (`replaced_by`, R10: the base customer moves there). Otherwise the successor is
  unknown - names prove nothing (R1) - and the record is a placeholder. Either way its status is archived.
- **"Customer Deleted"**: placeholder, status deleted.
- **Memberships**: if a `memberships` file is configured, each membership is a group with its days, without a pause,
  and memberships decide: the customer group counts on the days that a membership covers, and gives no access to
  somebody without one (a customer with no group at all is a matter of the club's own settings, R3).
  `memberships_decide: false` lets it count by itself. Of a validity that cannot be read it is unknown whether the
  membership still runs (R3). The day on which a termination was received changes nothing: the last day
  is in the validity [doc].
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import ClassVar

import polars as pl
from pydantic import Field

from connectors.sdk import cells, fields, words
from connectors.sdk.base import CustomerFields, Settings
from connectors.sdk.dates import LONG_AGO, Dates
from connectors.sdk.emails import cleaned
from connectors.sdk.errors import ContractChanged, SettingsWrong
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
    UNREADABLE,
    Reading,
    assemble,
    customers_frame,
    groups_frame,
    noted,
    with_notes,
)
from connectors.sdk.odd import AT_LEAST

#: Prefixes of group ids, so that a customer group and a membership of the same name are two groups.
GROUP_PREFIX, MEMBERSHIP_PREFIX = "group:", "membership:"

_OLD = r"(?i)\(\s*old\s*\)\s*$"


class Columns(CustomerFields):
    """[inf] The export's columns; null: the export has no such column. `id`, names and e-mail are required.

    :param group: the customer group.
    :param account_type: whether it is a company account.
    """

    id: str | None = "Customer number"
    first_name: str = "First name"
    last_name: str = "Last name"
    email: str = "Email"
    phone: str | None = "Phone"
    mobile: str | None = "Mobile"
    birth_date: str | None = "Birthday"
    country: str | None = "Country"
    group: str | None = "Customer group"
    status: str | None = "Status"
    created_at: str | None = "Created"
    guardian_id: str | None = "Family owner"
    account_type: str | None = "Account type"


class MembershipsColumns(Settings):
    """[inf] The columns of the memberships' file.

    :param id: the customer number.
    :param name: the membership's name.
    :param validity: its first and last day.
    :param pause: its last pause; may be missing from the file.
    """

    id: str = "Customer number"
    name: str = "Membership name"
    validity: str = "Validity"
    pause: str | None = "Last pause"


class EversportsSettings(DropSettings):
    """Settings of the `eversports` connector.

    :param memberships: path or glob of the memberships' file below the connection's folder; omitted: there is none.
    :param memberships_decide: whether somebody without a membership is without access, whatever their customer group.
    :param columns: the columns of the customers' file.
    :param memberships_columns: the columns of the memberships' file.
    :param active_status: words of the status column that mean active.
    :param archived_status: words that mean archived.
    :param company_values: words of the account type that mean a company.
    :param placeholder_names: names of the collective customer that erased people are moved into.
    """

    customers: str = Field(default="customers*", min_length=1)
    memberships: str | None = None
    memberships_decide: bool = True
    columns: Columns = Columns()
    memberships_columns: MembershipsColumns = MembershipsColumns()
    active_status: tuple[str, ...] = ("Added", "Invited", "Accepted")
    archived_status: tuple[str, ...] = ("Archived",)
    company_values: tuple[str, ...] = ("company", "firma", "unternehmen", "entreprise", "empresa")
    placeholder_names: tuple[str, ...] = ("Customer Deleted",)


class EversportsConnector(DropConnector[EversportsSettings]):
    """Reads a club's customers from its newest Eversports export."""

    name: ClassVar[str] = "eversports"
    title: ClassVar[str] = "Eversports Manager"
    settings_type: ClassVar[type[Settings]] = EversportsSettings
    answers_past: ClassVar[bool] = True

    def read(self, *, full: bool = False) -> Reading:
        """Read the newest export completely; `full` makes no difference to a file."""
        settings = self.settings
        with open_drop(self.connection, settings, until=self.until) as drop:
            table, content = read_table(
                drop,
                settings.customers,
                settings,
                exclude=settings.memberships,
                columns={
                    f"columns.{name}": getattr(settings.columns, name)
                    for name in ("id", "first_name", "last_name")
                },
                parts=settings.parts,
            )
            table = table.only_filled(settings.columns.model_dump().values())
            column_of = self._column_of(table)
            memberships, remarks = self._memberships(drop)
        customers = self._customers(table)
        if memberships is not None:
            self._check_join(memberships, customers)
        customers = _with_groups(customers, memberships, settings.memberships_decide)
        self.progress(customers.height, content.rows)
        return assemble(
            customers_frame(customers),
            groups_frame(_groups(customers, memberships)),
            as_of=content.modified,
            paged=False,
            pages=1 if memberships is None else 2,
            total=None if content.rows is None else customers.height,
            columns=table.columns,
            column_of=column_of,
            numbers=table.numbers,
            notes=(*table.remarks, *remarks),
            file=described(table, content),
        )

    def check(self) -> str:
        """Look for the files, without reading them."""
        with open_drop(self.connection, self.settings) as drop:
            found = drop.check(self.settings.customers, exclude=self.settings.memberships)
            if self.settings.memberships is not None:
                memberships = drop.check(self.settings.memberships)
                found += " " + message(f"Memberships: {memberships}")
        return found

    def _column_of(self, table: Table) -> dict[str, str]:
        """Canonical field -> column, of those in the file.

        :raises ContractChanged: a required column, or one that the settings name, is not in the file.
        """
        c = self.settings.columns
        named = [getattr(c, name) for name in c.model_fields_set]
        table.need(x for x in (c.id, c.first_name, c.last_name, c.email, *named) if x)
        fields_ = {
            "erp_id": c.id,
            "first_name": c.first_name,
            "last_name": c.last_name,
            "email": c.email,
            "phone": c.mobile if table.column(c.mobile) else c.phone,
            "birth_date": c.birth_date,
            "country": c.country,
            "status": c.status,
            "groups": c.group,
            "guardian_id": c.guardian_id,
            "is_company": c.account_type,
            "created_at": c.created_at,
        }
        return table.spelled(fields_)

    def _customers(self, table: Table) -> pl.DataFrame:
        """The canonical columns, but with `group` (the customer group's name) in place of `groups`."""
        settings, c = self.settings, self.settings.columns
        country = self.club.country
        frame = pl.DataFrame(
            {
                "erp_id": table.get(c.id),
                "email": table.get(c.email),
                "first_name": table.get(c.first_name),
                "last_name": table.get(c.last_name),
                "mobile": fields.phones(cells.valued(table.get(c.mobile)), country),
                "landline": fields.phones(cells.valued(table.get(c.phone)), country),
                "birth_date": table.get(c.birth_date),
                "country_raw": table.get(c.country),
                "group": words.spellings(cells.valued(table.get(c.group))),
                "status_word": table.get(c.status),
                "guardian_id": table.get(c.guardian_id),
                "account_type": table.get(c.account_type),
                "created_at": table.get(c.created_at),
            }
        )
        odd_group = cells.unreadable(pl.col("group"))
        frame = with_notes(
            Dates(self.club).read(frame),
            [noted("groups", frame.select(pl.when(odd_group).then("group")).to_series())],
        ).with_columns(group=pl.when(~odd_group).then("group"))
        usable = frame["erp_id"].is_not_null() & ~cells.is_in_place_of_an_id(frame["erp_id"])
        if c.id is not None and frame.height and not usable.any():
            raise ContractChanged(
                f"All customer numbers in {table.name} are blank.",
                remedy="Set columns.id to null in the club's settings: customers are then identified by e-mail.",
            )
        has_status = table.column(c.status) is not None
        word = words.key(pl.col("status_word"))
        status = (
            pl.when(word.is_in(words.words(settings.active_status)))
            .then(pl.lit("active"))
            .when(word.is_in(words.words(settings.archived_status)))
            .then(pl.lit("archived"))
            .otherwise(pl.lit("unknown"))
        )
        full_name = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
        frame = frame.with_columns(
            phone=pl.coalesce("mobile", "landline"),
            country=fields.country(pl.col("country_raw")),
            status=status if has_status else pl.lit("active"),
            guardian_id=pl.when(pl.col("guardian_id").ne_missing(pl.col("erp_id"))).then(
                "guardian_id"
            ),
            is_company=words.key(pl.col("account_type"))
            .is_in(words.words(settings.company_values))
            .fill_null(value=False),
            placeholder=words.key(full_name)
            .is_in(words.words(settings.placeholder_names))
            .fill_null(value=False),
            # The mark is at the end of the name: in either column, if the other one is blank.
            old=full_name.str.contains(_OLD)
            | pl.col("first_name").str.contains(_OLD).fill_null(value=False),
        )
        return _without_remainders(frame).with_columns(
            status_raw=pl.when(pl.col("status") == "unknown").then("status_word")
        )

    def _memberships(self, drop: FileDrop) -> tuple[pl.DataFrame | None, list[str]]:
        """Spans of memberships: `number` (of the customer), `name`, `valid_from`, `valid_until`, `unread` (what of
        it cannot be read); None: no file is configured. And remarks on the file.
        """
        settings, c = self.settings, self.settings.memberships_columns
        if settings.memberships is None:
            return None, []
        if settings.columns.id is None:
            raise SettingsWrong(
                "Memberships are joined by customer number: columns.id has to be set."
            )
        needed = [c.id, c.name, c.validity]
        table, _ = read_table(drop, settings.memberships, settings, columns=needed)
        table.need(needed)
        table = table.only_filled(needed)
        if "pause" in c.model_fields_set and c.pause:
            table.need([c.pause])
        rows: list[tuple[str, str, date | None, date | None, str | None]] = []
        dates = Dates(self.club)
        spans, pauses = periods(table.get(c.validity), dates), periods(table.get(c.pause), dates)
        both = spans.hstack(pauses.rename(lambda column: f"pause_{column}"))
        numbers = fields.ids(cells.valued(table.get(c.id)))
        for number, name, span in zip(
            numbers,
            words.spellings(cells.valued(table.get(c.name))),
            both.iter_rows(named=True),
            strict=True,
        ):
            if number is None:
                continue
            if name is None:
                rows.append((number, cells.NOT_TEXT, None, None, "no name"))
                continue
            unread = span["unread"] or span["pause_unread"]
            open_ended = span["endless"] or span["first"] or span["last"]
            if unread is None and not open_ended:
                unread = "no validity"
            if unread is not None or cells.is_unreadable(name):
                rows.append((number, name, None, None, unread or name))
                continue
            left = without((span["first"], span["last"]), (span["pause_first"], span["pause_last"]))
            # A membership that is paused all the time is still held, but gives no access.
            rows += [(number, name, *days, None) for days in left or [(None, LONG_AGO)]]
        remarks = list(table.remarks)
        if nobodys := numbers.null_count():
            remarks.append(message(f"Rows of {table.name} without a customer number: {nobodys}."))
        return pl.DataFrame(rows, schema=_SPANS, orient="row"), remarks

    def _check_join(self, memberships: pl.DataFrame, customers: pl.DataFrame) -> None:
        """:raises ContractChanged: of several people who hold a membership nobody is a customer."""
        known = fields.ids(customers["erp_id"]).drop_nulls()
        holders = memberships["number"].unique()
        if holders.len() >= AT_LEAST and known.len() and not holders.is_in(known.implode()).any():
            raise ContractChanged(
                f"None of the holders of a membership ({holders.len()}) is a customer.",
                remedy="Compare the customer numbers of both exports; they have to be of the same club, and to be "
                "written in the same way.",
            )


_SPANS = {
    "number": pl.String,
    "name": pl.String,
    "valid_from": pl.Date,
    "valid_until": pl.Date,
    "unread": pl.String,
}

Span = tuple[date | None, date | None]

_DAY = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_PERIOD = rf"^({_DAY})?(?:\s*(?:-|\u2013|\u2014|to|bis)\s*(\S.*)?)?$"


def periods(values: pl.Series, dates: Dates) -> pl.DataFrame:
    """ "01.01.2026 - 31.12.2026 (!)" -> columns `first`, `last` (days; an open side is null), `endless` and `unread`.

    The mark `(!)` says that the end was moved [doc]; the date is the new end. A single day is the first one; a word
    for "never ends" is an open end, or, by itself, an open period (`endless`). `unread` is the cell if it is neither
    blank nor a period (or a period that ends before it starts).
    """
    period = fields.text(pl.col("cell").str.replace("(!)", "", literal=True))
    parts = (
        cells.valued(values)
        .to_frame("cell")
        .select(
            "cell",
            period.alias("whole"),
            period.str.extract(_PERIOD, 1).alias("a"),
            period.str.extract(_PERIOD, 2).alias("b"),
        )
    )
    first, odd_first = dates.days(parts["a"], others=[parts["b"]])
    last, odd_last = dates.days(parts["b"], others=[parts["a"]])
    alone = pl.col("a").is_null() & pl.col("b").is_null()
    never = parts.select(pl.when(alone).then("whole")).to_series()
    none, odd = dates.days(never)
    days = parts.with_columns(
        first=first,
        last=last,
        endless=pl.lit(never).is_not_null() & pl.lit(odd).is_null() & pl.lit(none).is_null()
        | pl.col("b").is_not_null() & pl.lit(last).is_null() & pl.lit(odd_last).is_null(),
        bad_day=pl.lit(odd_first).is_not_null() | pl.lit(odd_last).is_not_null(),
    )
    bad = (
        (alone & ~pl.col("endless"))
        | pl.col("bad_day")
        | (pl.col("last") < pl.col("first")).fill_null(value=False)
    )
    blank = pl.col("cell").is_null()
    return days.with_columns(unread=pl.when(bad & ~blank).then("cell")).select(
        pl.when(pl.col("unread").is_null()).then("first").alias("first"),
        pl.when(pl.col("unread").is_null()).then("last").alias("last"),
        "endless",
        "unread",
    )


def without(span: Span, pause: Span) -> list[Span]:
    """A span without the days of a pause: none, one or two spans. A pause without an end ends the span."""
    (start, end), (first, last) = span, pause
    if first is None and last is None:
        return [span]
    day = timedelta(days=1)
    out: list[Span] = []
    if first is not None and (start is None or start < first):
        before = first - day if end is None else min(end, first - day)
        out.append((start, before))
    if last is not None and (end is None or end > last):
        after = last + day if start is None else max(start, last + day)
        out.append((after, end))
    return out


def _without_remainders(frame: pl.DataFrame) -> pl.DataFrame:
    """Set status, `replaced_by` and `placeholder` of records with "(old)" and "Customer Deleted"."""
    email = words.key(pl.col("email").map_batches(cleaned, return_dtype=pl.String))
    successors = (
        frame.filter(~pl.col("old") & ~pl.col("placeholder"))
        .select(email.alias("_email"), pl.col("erp_id").alias("successor"))
        .drop_nulls()
        .unique()
        .filter(~pl.col("_email").is_duplicated())
    )
    return (
        frame.with_columns(_email=email)
        .join(successors, on="_email", how="left", maintain_order="left")
        .with_columns(replaced_by=pl.when(pl.col("old")).then("successor"))
        .with_columns(
            status=pl.when(pl.col("placeholder"))
            .then(pl.lit("deleted"))
            .when(pl.col("old"))
            .then(pl.lit("archived"))
            .otherwise("status"),
            placeholder=pl.col("placeholder") | (pl.col("old") & pl.col("replaced_by").is_null()),
        )
        .drop("_email", "successor")
    )


def _with_groups(
    customers: pl.DataFrame, memberships: pl.DataFrame | None, decide: bool
) -> pl.DataFrame:
    """Add `groups`: the customer group and the memberships; whose days cannot be read is noted."""
    rows = customers.with_row_index("row").select(
        "row",
        (GROUP_PREFIX + pl.col("group")).alias("id"),
        number=fields.ids(customers["erp_id"]),
    )
    own = rows.filter(pl.col("id").is_not_null())
    if memberships is None:
        return customers.with_columns(groups=_refs(customers.height, own))
    held = (
        rows.drop("id")
        .join(memberships, on="number", how="inner", maintain_order="left_right")
        .with_columns(id=MEMBERSHIP_PREFIX + pl.col("name"))
    )
    unread = held.filter(pl.col("unread").is_not_null()).select("row", "id", "unread")
    spans = held.select("row", "valid_from", "valid_until").unique(maintain_order=True)
    if decide:
        # the group counts on the days of the memberships: it is as unknown as they are
        theirs = unread.drop("id").join(own.select("row", "id"), on="row", how="inner")
        unread = pl.concat([unread, theirs.select(unread.columns)])
        own = own.join(spans, on="row", how="left", maintain_order="left_right").with_columns(
            valid_until=pl.when(pl.col("row").is_in(spans["row"].implode()))
            .then("valid_until")
            .otherwise(LONG_AGO)
        )
    refs = pl.concat([own, held], how="diagonal_relaxed")
    note = pl.struct(field=pl.lit("valid_until"), word="unread", group="id").cast(UNREADABLE)
    return with_notes(
        customers.with_columns(groups=_refs(customers.height, refs)),
        [unread.select("row", unreadable=note)],
    )


def _refs(rows: int, refs: pl.DataFrame) -> pl.Series:
    """Columns `row`, `id` and possibly days -> one list of `GROUP_REF` per row."""
    days = [pl.lit(None, dtype=pl.Date).alias(c) for c in ("valid_from", "valid_until")]
    refs = refs.with_columns(d for d in days if d.meta.output_name() not in refs.columns)
    lists = (
        refs.select(
            "row", pl.struct("id", "valid_from", "valid_until").cast(GROUP_REF).alias("groups")
        )
        .unique(maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg("groups")
    )
    every = pl.DataFrame({"row": pl.Series(range(rows), dtype=pl.UInt32)})
    return every.join(lists, on="row", how="left", maintain_order="left")["groups"]


def _groups(customers: pl.DataFrame, memberships: pl.DataFrame | None) -> list[dict[str, object]]:
    """The groups that the files name, all active: Eversports exports no list of groups."""
    names = [(GROUP_PREFIX, customers["group"])]
    if memberships is not None:
        names.append((MEMBERSHIP_PREFIX, memberships["name"]))
    return [
        {"id": prefix + name, "name": name, "active": True}
        for prefix, found in names
        for name in found.drop_nulls().unique().sort()
    ]
